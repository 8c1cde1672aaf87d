"""Print what OpenSSH needs, so that plain `ssh web-1` goes through the bastion with a certificate that renews itself.

example: bastion ssh-config --host bastion.example.com --targets 'web-*' 'db-*' -- \\
             --api https://bastion.example.com --token-file /var/run/secrets/tokens/bastion >> ~/.ssh/config

What follows `--` are options of `bastion cert`, which the `Match … exec` runs; without them nothing renews the
certificate (people run `bastion login`). Put the output before other `Host *` blocks: OpenSSH takes the first value.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from bastion.cli.held import Held
from bastion.cli.trade import DEFAULT_OUT
from bastion.errors import BadPublicKey, OperatorError

CIPHERS = "^aes128-gcm@openssh.com,aes256-gcm@openssh.com"
"""Put first: with AES in hardware several times as fast as OpenSSH's own first choice."""

_PATTERN = re.compile(r"!?[A-Za-z0-9.*?_-]+\Z")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*\Z")
_UNQUOTED = re.compile(r"[A-Za-z0-9@+=:,./_-]+\Z")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", required=True, metavar="NAME", help="the bastion's address")
    parser.add_argument("--port", type=int, default=2222)
    parser.add_argument(
        "--user", default="bastion", help="the user's name on the bastion itself (it has no meaning there)"
    )
    parser.add_argument("--alias", default="bastion", help="what this configuration calls the bastion")
    parser.add_argument("--targets", nargs="+", default=[], metavar="PATTERN", help="names of targets, * and ? allowed")
    parser.add_argument("--account", help="the account on targets, where `ssh` names none")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", default=Path(DEFAULT_OUT), help="where `bastion cert` writes"
    )
    parser.add_argument("--agent", action="store_true", help="key and certificate are in ssh-agent, not in files")
    parser.add_argument("cert", nargs="*", metavar="-- OPTION", help="options of `bastion cert`")


def run(arguments: argparse.Namespace) -> int:
    print(text(arguments))
    return 0


def text(arguments: argparse.Namespace) -> str:
    """The whole configuration. OperatorError for what can not be said in one."""
    held = Held(arguments.out.expanduser().absolute())
    _check(arguments)
    blocks = (
        [_renewal(arguments, held)] if arguments.cert else ["# Nothing renews the certificate: run `bastion login`."]
    )
    blocks.append(_bastion(arguments, held))
    if arguments.targets:
        blocks.append(_targets(arguments, held))
    return "\n\n".join(["# Made by `bastion ssh-config`.", *blocks, _note(held)])


def _note(held: Held) -> str:
    """The host authority in place, as a comment. Only the one line that `bastion cert` writes: what else a file has is
    nothing that may come to stand in a configuration."""
    from bastion.identity.authority import read_public_line

    try:
        line = held.known_hosts.read_text().strip()
        mark, _, authority = line.partition(" * ")
        if mark != "@cert-authority":
            raise OperatorError(f"{held.known_hosts}: not written by `bastion cert`; move it away")
        return f"# The host authority, in {held.known_hosts}:\n#   {mark} * {read_public_line(authority)}"
    except FileNotFoundError:
        return f"# The host authority comes to {held.known_hosts} with the first certificate."
    except (OSError, ValueError, BadPublicKey) as error:
        raise OperatorError(f"{held.known_hosts}: not written by `bastion cert`; move it away") from error


def _check(arguments: argparse.Namespace) -> None:
    for name in (arguments.host, arguments.alias, arguments.user, arguments.account or "x"):
        if not _NAME.match(name):
            raise OperatorError(f"{name!r} is not a name that can stand in ssh_config")
    for pattern in arguments.targets:
        if not _PATTERN.match(pattern):
            raise OperatorError(f"{pattern!r} is not a pattern of names")
    if not 1 <= arguments.port <= 65535:
        raise OperatorError(f"{arguments.port} is not a port")


def _renewal(arguments: argparse.Namespace, held: Held) -> str:
    names = ",".join([arguments.alias, *arguments.targets])
    where = ["--agent"] if arguments.agent else []
    words = [*_program(), "cert", "--if-needed", *where, "--out", str(held.folder), *arguments.cert]
    command = " ".join(_shell_word(word) for word in words)
    return f'Match originalhost {names} exec "{command}"'


def _bastion(arguments: argparse.Namespace, held: Held) -> str:
    lines = [f"HostName {arguments.host}", f"Port {arguments.port}", f"User {arguments.user}"]
    return _block(arguments.alias, [*lines, *_common(arguments, held)])


def _targets(arguments: argparse.Namespace, held: Held) -> str:
    account = [f"User {arguments.account}"] if arguments.account else []
    lines = [f"ProxyJump {arguments.alias}", *account, *_common(arguments, held)]
    return _block(" ".join(arguments.targets), lines)


def _common(arguments: argparse.Namespace, held: Held) -> list[str]:
    files = [
        f"IdentityFile {quoted(held.key)}",
        f"CertificateFile {quoted(held.certificate)}",
        "IdentitiesOnly yes",
    ]
    return [
        *([] if arguments.agent else files),
        f"UserKnownHostsFile {quoted(held.known_hosts)}",
        "GlobalKnownHostsFile none",
        "StrictHostKeyChecking yes",
        "UpdateHostKeys no",
        "PreferredAuthentications publickey",
        "ForwardAgent no",
        f"Ciphers {CIPHERS}",
    ]


def _block(names: str, lines: Sequence[str]) -> str:
    return "\n".join([f"Host {names}", *(f"    {line}" for line in lines)])


def quoted(path: Path) -> str:
    """A path as an option of ssh_config has it: in quotes, with `%` doubled (ssh expands %h and the like).

    OperatorError for what no version of OpenSSH can be told: quotes, backslashes, `${`, control characters.
    """
    text = str(path)
    if not text.isprintable() or any(part in text for part in ('"', "'", "\\", "${")):
        raise OperatorError(f"{text!r} can not stand in ssh_config: choose a path without quotes, backslashes and ${{")
    return '"' + text.replace("%", "%%") + '"'


def _shell_word(word: str) -> str:
    """One word of a command inside `Match exec "…"`. Versions of OpenSSH differ on backslashes there, so: none."""
    if not word.isprintable() or any(letter in word for letter in "\"'\\"):
        raise OperatorError(f"{word!r} can not stand in a `Match exec`: leave out quotes and backslashes")
    text = word.replace("%", "%%")
    return text if _UNQUOTED.match(text) else f"'{text}'"


def _program() -> list[str]:
    """This same program, by its full path where it has one: `ssh` may run with another PATH."""
    found = shutil.which(sys.argv[0]) if Path(sys.argv[0]).name == "bastion" else None
    if found is not None and os.access(found, os.X_OK):
        return [str(Path(found).absolute())]
    return [sys.executable, "-m", "bastion"]
