"""What the commands that ask the running bastion have in common: how they find it, and as whom they ask.

--socket PATH                the socket itself
--dir DIR [--as PERSON]      the folder of a demo, and one of its people
--config FILE                bastion.yaml, which names the state folder
(none)                       /var/lib/bastion/bastion.sock
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bastion.api.unix import NAME
from bastion.characters import shown
from bastion.cli import WrongUsage
from bastion.cli.reach import Bastion
from bastion.errors import OutsideError

DEFAULT = Path("/var/lib/bastion") / NAME
MANY = 50
"""Members of a list that are told unless more are asked for."""
MOST = 10_000


def configure(parser: argparse.ArgumentParser, *, json: str = "print it as JSON, as the API tells it") -> None:
    """The options for where and as whom; and `--json`, unless its text is empty."""
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--socket", type=Path, metavar="PATH", help=f"the bastion's socket (default {DEFAULT})")
    place.add_argument("--dir", type=Path, metavar="DIR", help="the folder of a demo that runs (`bastion demo --dir`)")
    place.add_argument("--config", type=Path, metavar="FILE", help="bastion.yaml, whose state folder has the socket")
    parser.add_argument("--tenant", metavar="NAME", help="which tenant, where the bastion has several")
    parser.add_argument(
        "--as", dest="person", metavar="PERSON", help="with --dir alone: as that person of the demo, such as rev@demo"
    )
    if json:
        parser.add_argument("--json", action="store_true", help=json)


def limit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-n", "--limit", type=int, default=MANY, metavar="N", help=f"at most so many, the newest first (default {MANY})"
    )


def most(arguments: argparse.Namespace) -> int:
    wanted = int(arguments.limit)
    if not 0 < wanted <= MOST:
        raise WrongUsage(f"--limit is from 1 to {MOST}")
    return wanted


def bastion(arguments: argparse.Namespace) -> Bastion:
    """The one that is meant, to be used with `with`. WrongUsage, NoSuchRequest (no such person), OperatorError."""
    if arguments.person is not None and arguments.dir is None:
        raise WrongUsage("--as is for the demo: give its folder with --dir")
    token = None if arguments.person is None else _token(arguments.dir, arguments.person)
    return Bastion(_socket(arguments), arguments.tenant, token)


def _socket(arguments: argparse.Namespace) -> Path:
    if arguments.socket is not None:
        return Path(arguments.socket).absolute()
    if arguments.dir is not None:
        from bastion.demo.folder import socket

        return socket(Path(arguments.dir).expanduser().absolute())
    if arguments.config is not None:
        from bastion import config

        return config.load(arguments.config).state / NAME
    return DEFAULT


def _token(folder: Path, person: str) -> str:
    """Of the demo's issuer, by the credentials that the demo keeps of its people."""
    from bastion.cli import web
    from bastion.cli.tokens import word
    from bastion.demo.folder import credentials

    found = credentials(Path(folder).expanduser().absolute(), person)
    endpoint = web.discover(found.issuer, None, "token_endpoint")
    try:
        answer = web.grant(endpoint, (found.client, found.secret), None, {"grant_type": "client_credentials"})
    except web.OAuthError as error:
        raise OutsideError(f"the demo's issuer refused {shown(person)}: {shown(error.error)}") from error
    token = answer.get("access_token")
    return word(token if isinstance(token, str) else "", "the demo's issuer")
