"""Where an OIDC token comes from: a file, the environment, a command, GitHub Actions, or client credentials.

A token or a client's secret is never an argument (every user of a machine can read those), never printed, and never
part of an error.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from bastion.characters import shown
from bastion.errors import OperatorError, OutsideError

COMMAND_TIMEOUT = 60
"""Seconds."""
MAX_TOKEN = 16384


def configure(parser: argparse.ArgumentParser) -> None:
    """The options that say where the token comes from."""
    group = parser.add_argument_group("where the token comes from (one of)")
    group.add_argument("--token-file", type=Path, metavar="FILE", help="a file, such as Kubernetes' projected token")
    group.add_argument("--token-env", metavar="NAME", help="an environment variable")
    group.add_argument("--token-command", metavar="COMMAND", help="the standard output of a command (no shell)")
    group.add_argument("--github-actions", action="store_true", help="GitHub Actions (permissions: id-token: write)")
    group.add_argument("--issuer", metavar="URL", help="client credentials at this issuer, with --client-id")
    configure_client(parser)


def configure_client(parser: argparse.ArgumentParser) -> None:
    """The options of an OAuth client."""
    group = parser.add_argument_group("as an OAuth client")
    group.add_argument("--client-id", metavar="ID")
    group.add_argument("--client-secret-file", type=Path, metavar="FILE")
    group.add_argument("--client-secret-env", metavar="NAME")
    group.add_argument("--audience", help="whom the token is for (default: bastion, where the issuer asks for one)")
    group.add_argument("--resource", metavar="URI", help="the same for issuers that follow RFC 8707")
    group.add_argument("--scope")
    group.add_argument("--issuer-ca-file", type=Path, metavar="FILE", help="authorities for the issuer's TLS")


def obtain(arguments: argparse.Namespace) -> str:
    """The token that the options ask for. OperatorError or OutsideError says what is missing."""
    ways = {
        "--token-file": arguments.token_file,
        "--token-env": arguments.token_env,
        "--token-command": arguments.token_command,
        "--github-actions": arguments.github_actions,
        "--issuer": arguments.issuer,
    }
    chosen = [name for name, value in ways.items() if value]
    if len(chosen) != 1:
        raise OperatorError(f"say where the token comes from with exactly one of {', '.join(ways)}")
    match chosen[0]:
        case "--token-file":
            token = _file(arguments.token_file)
        case "--token-env":
            token = _environment(arguments.token_env)
        case "--token-command":
            token = _command(arguments.token_command)
        case "--github-actions":
            token = _github(arguments)
        case _:
            token = _client_credentials(arguments)
    return word(token, chosen[0])


def word(token: str, source: str) -> str:
    """The token, if it can be one. OperatorError, which names its source only."""
    token = token.strip()
    if not token or len(token) > MAX_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise OperatorError(f"{source} gave no token: expected one word of at most {MAX_TOKEN} characters")
    return token


def client_secret(arguments: argparse.Namespace) -> str | None:
    """The client's secret, or None for a client that has none."""
    if arguments.client_secret_file and arguments.client_secret_env:
        raise OperatorError("give one of --client-secret-file and --client-secret-env")
    if arguments.client_secret_file:
        return _file(arguments.client_secret_file).strip()
    if arguments.client_secret_env:
        return _environment(arguments.client_secret_env)
    return None


def _file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MAX_TOKEN + 2).decode()
    except OSError as error:
        raise OperatorError(f"{path}: can not be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise OperatorError(f"{path}: is not text") from error


def _environment(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise OperatorError(f"the environment variable {name} is not set")
    return value


def _command(command: str) -> str:
    """Standard error stays the user's; nothing of the output is ever shown."""
    import shlex
    import subprocess

    try:
        words = shlex.split(command)
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=COMMAND_TIMEOUT, check=False
        )
        output = done.stdout.decode()
    except subprocess.TimeoutExpired as error:
        raise OutsideError(f"the --token-command took longer than {COMMAND_TIMEOUT} s") from error
    except (OSError, ValueError, IndexError) as error:
        raise OperatorError(f"the --token-command can not be run, or its output is not text: {command!r}") from error
    if done.returncode != 0:
        raise OutsideError(f"the --token-command failed with exit status {done.returncode}")
    return output


def _github(arguments: argparse.Namespace) -> str:
    from urllib.parse import quote

    from bastion.cli import web

    try:
        url = _environment("ACTIONS_ID_TOKEN_REQUEST_URL")
        bearer = _environment("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
    except OperatorError as error:
        raise OperatorError(f"{error}: does the job have `permissions: id-token: write`?") from error
    address = web.checked(url, "ACTIONS_ID_TOKEN_REQUEST_URL")
    joint = "&" if "?" in address else "?"
    audience = quote(arguments.audience or "bastion", safe="")
    answer = web.get(f"{address}{joint}audience={audience}", None, {"Authorization": f"Bearer {bearer}"})
    value = answer.get("value")
    if not isinstance(value, str):
        raise OutsideError("GitHub answered without a token")
    return value


def _client_credentials(arguments: argparse.Namespace) -> str:
    """RFC 6749 section 4.4. The access token must be a JWT for this bastion; that is a setting of the issuer."""
    from bastion.cli import web

    secret = client_secret(arguments)
    if not arguments.client_id or not secret:
        raise OperatorError("client credentials need --client-id and one of --client-secret-file, --client-secret-env")
    endpoint = web.discover(arguments.issuer, arguments.issuer_ca_file, "token_endpoint")
    named = {"scope": arguments.scope, "audience": arguments.audience, "resource": arguments.resource}
    data = {"grant_type": "client_credentials", **{name: value for name, value in named.items() if value}}
    try:
        answer = web.grant(endpoint, (arguments.client_id, secret), arguments.issuer_ca_file, data)
    except web.OAuthError as error:
        raise OutsideError(f"the issuer refused the client {arguments.client_id}: {shown(error.error)}") from error
    token = answer.get("access_token")
    if not isinstance(token, str):
        raise OutsideError("the issuer answered without an access token")
    return token
