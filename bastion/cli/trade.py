"""A token for a certificate: what `bastion cert` and `bastion login` have in common once they hold a token.

Imports what it needs where it needs it: `bastion cert --if-needed` mostly ends before that.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from bastion.characters import hidden, shown
from bastion.cli.held import Held, read_validity
from bastion.errors import BadCertificate, BadPublicKey, OperatorError, OutsideError

DEFAULT_OUT = "~/.ssh/bastion"


def configure(parser: argparse.ArgumentParser) -> None:
    """The options for where to trade, and where key and certificate go."""
    parser.add_argument(
        "--api", required=True, metavar="URL", help="the bastion's API, such as https://bastion.example.com"
    )
    parser.add_argument("--ca-file", type=Path, metavar="FILE", help="authorities for the API's TLS (PEM)")
    parser.add_argument("--tenant", help="which tenant, where several trust the issuer")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help=f"folder for key and certificate (default {DEFAULT_OUT}, without --agent)",
    )
    parser.add_argument(
        "--agent", action="store_true", help="give key and certificate to ssh-agent, for their lifetime"
    )
    parser.add_argument("--json", action="store_true", help="print what was issued as JSON")


def folder(arguments: argparse.Namespace) -> Path | None:
    """The folder to write to, or None when only ssh-agent gets them."""
    if arguments.out is not None:
        return Path(arguments.out).expanduser().absolute()
    return None if arguments.agent else Path(DEFAULT_OUT).expanduser()


def host_of(api: str) -> str:
    """The host of the API's URL, by which ssh-agent names the key."""
    from urllib.parse import urlsplit

    return urlsplit(api).hostname or "bastion"


def trade(arguments: argparse.Namespace, token: str) -> dict[str, Any]:
    """Make a key if there is none to keep, trade the token, and put both where they belong."""
    from bastion.cli import web

    place = folder(arguments)
    held = None if place is None else Held(place)
    private, public = _key(held)
    body = {"public_key": public}
    if arguments.tenant:
        body["tenant"] = arguments.tenant
    api = web.checked(arguments.api, "--api")
    answer = web.post(f"{api}/v1/certificates", body, token, arguments.ca_file)
    certificate, host_ca = _checked(answer, public, time.time())
    known_hosts = f"@cert-authority * {host_ca}\n"
    if held is not None:
        held.save(private, certificate, known_hosts)
    if arguments.agent:
        pem = private if private is not None or held is None else held.key.read_bytes()
        _to_agent(pem or b"", certificate, host_of(api))
    return answer


def _key(held: Held | None) -> tuple[bytes | None, str]:
    """(private key, None to keep the one in place; public line)."""
    from bastion.identity.authority import generate, public_of

    if held is not None and held.keep_key(time.time()):
        return None, public_of(held.key.read_bytes())
    return generate()


def _checked(answer: dict[str, Any], public: str, now: float) -> tuple[str, str]:
    """The certificate and the host authority, one line each, spelled by us.

    OutsideError unless they are what a bastion answers: a user certificate for our key that is not over, and a public
    key. Nothing in place is touched before.
    """
    from bastion.identity.authority import read_public_line, read_user_certificate

    names = answer.get("principals")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise OutsideError("the API's answer is not that of a bastion: is --api right?")
    try:
        certificate, ends = read_user_certificate(_text(answer, "certificate"), public)
        host_ca = read_public_line(_text(answer, "host_ca"))
    except (BadCertificate, BadPublicKey) as error:
        raise OutsideError(f"the API's answer is not that of a bastion ({error}): is --api right?") from error
    if ends <= now:
        raise OutsideError("the API's certificate is already over: is the clock of this machine right?")
    return certificate, host_ca


def _text(answer: dict[str, Any], name: str) -> str:
    value = answer.get(name)
    return value if isinstance(value, str) and not hidden(value) else ""


def in_agent(held: Held) -> bool:
    """Whether ssh-agent has the certificate that is in place."""
    wanted = held.certificate.read_text().split()[1]
    return any(wanted in line.split() for line in _run(["ssh-add", "-L"], held.folder)[1].splitlines())


def to_agent(held: Held, host: str) -> None:
    """Give ssh-agent what is in place, again: it was restarted, or emptied."""
    _to_agent(held.key.read_bytes(), held.certificate.read_text().strip(), host)


def _to_agent(private: bytes, certificate: str, host: str) -> None:
    """ssh-add reads files, and names keys by them, so they exist for a moment in a folder of our own. They stay in the
    agent for the certificate's lifetime."""
    import tempfile
    from base64 import b64decode

    times = read_validity(b64decode(certificate.split()[1]))
    seconds = max(1, int((times[2] if times else 0) - time.time()))
    name = f"bastion@{host}"
    with tempfile.TemporaryDirectory(prefix="bastion-") as folder:
        held = Held(Path(folder))
        held.save(private, certificate, "")
        held.key.rename(held.folder / name)
        held.certificate.rename(held.folder / f"{name}-cert.pub")
        status, _ = _run(["ssh-add", "-q", "-t", str(seconds), name], held.folder)
    if status != 0:
        raise OperatorError("ssh-add refused the certificate: is ssh-agent running (SSH_AUTH_SOCK)?")


def _run(words: list[str], folder: Path) -> tuple[int, str]:
    """ssh-add's exit status and standard output."""
    import subprocess

    try:
        done = subprocess.run(
            words, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise OperatorError("ssh-add can not be run: is OpenSSH installed?") from error
    return done.returncode, done.stdout


def told(answer: dict[str, Any], place: Path | None) -> str:
    """One line about a certificate, for people."""
    names = ", ".join(map(shown, answer.get("principals", [])))
    serial, ends = shown(answer.get("serial")), shown(answer.get("valid_before"))
    where = "ssh-agent" if place is None else str(place)
    return f"certificate {serial} for {names}, good until {ends}, in {where}"
