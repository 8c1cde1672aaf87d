"""Sign in with a browser, here or on another device (RFC 8628), and get an SSH certificate for it.

example: bastion login --api https://bastion.example.com --issuer https://idp.example.com --client-id bastion
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any

from bastion.characters import shown
from bastion.cli import tokens, trade
from bastion.cli.held import Held
from bastion.errors import ClientError, OutsideError

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
SLOWER = 5
"""Seconds that `slow_down` adds to the pause (RFC 8628 section 3.5)."""
MAX_SHOWN = 1000
"""Characters of a code or an address."""


def configure(parser: argparse.ArgumentParser) -> None:
    trade.configure(parser)
    parser.add_argument("--issuer", required=True, metavar="URL")
    parser.add_argument(
        "--token-kind", choices=("id", "access"), default="id", help="which token to trade (default: the ID token)"
    )
    tokens.configure_client(parser)
    parser.set_defaults(scope="openid")


def run(arguments: argparse.Namespace) -> int:
    token = sign_in(arguments, time.sleep, time.monotonic)
    place = trade.folder(arguments)
    if place is None:
        answer = trade.trade(arguments, token)
    else:
        with Held(place).locked():
            answer = trade.trade(arguments, token)
    if arguments.json:
        import json

        print(json.dumps(answer))
    else:
        print(trade.told(answer, place))
    return 0


def sign_in(arguments: argparse.Namespace, sleep: Callable[[float], None], clock: Callable[[], float]) -> str:
    """Show where to sign in, wait for it, and return the token. ClientError when it is refused or takes too long."""
    from bastion.cli import web

    if not arguments.client_id:
        raise ClientError("--client-id is needed: the issuer knows this program by it")
    authorities = arguments.issuer_ca_file
    device_endpoint = web.discover(arguments.issuer, authorities, "device_authorization_endpoint")
    token_endpoint = web.discover(arguments.issuer, authorities, "token_endpoint")
    secret = tokens.client_secret(arguments)
    named = {name: getattr(arguments, name) for name in ("scope", "audience", "resource") if getattr(arguments, name)}
    form = {"client_id": arguments.client_id, **named}
    device = _device(*web.form(device_endpoint, form, (arguments.client_id, secret) if secret else None, authorities))
    print(_invitation(device), file=sys.stderr, flush=True)

    def ask() -> dict[str, Any]:
        words = {"grant_type": DEVICE_GRANT, "device_code": device["device_code"]}
        return web.grant(token_endpoint, (arguments.client_id, secret), authorities, words)

    answer = _wait(ask, device, sleep, clock)
    token = answer.get(f"{arguments.token_kind}_token")
    if not isinstance(token, str):
        raise OutsideError(
            f"the issuer gave no {arguments.token_kind} token: is --scope openid allowed to this client?"
        )
    return tokens.word(token, "the issuer")


def _device(status: int, device: dict[str, Any]) -> dict[str, Any]:
    wanted = ("device_code", "user_code", "verification_uri")
    if not all(isinstance(device.get(name), str) for name in wanted):
        told = shown(device["error"]) if "error" in device else f"it answered {status}"
        raise OutsideError(f"the issuer does not start a sign-in on another device: {told}")
    return device


def _invitation(device: dict[str, Any]) -> str:
    """What the user is to do. The issuer's words are shown only where they print as they are."""
    code, address, whole = (device.get(name) for name in ("user_code", "verification_uri", "verification_uri_complete"))
    if not (_plain(code) and _plain(address)):
        raise OutsideError("the issuer's sign-in address has characters that can not be shown")
    if _plain(whole):
        return f"Open {whole}\nand check that it shows the code {code}"
    return f"Open {address}\nand enter the code {code}"


def _plain(text: object) -> bool:
    """Whether it is what it looks like: a code or an address is copied, so it is not shown escaped, but refused."""
    return isinstance(text, str) and 0 < len(text) <= MAX_SHOWN and shown(text, MAX_SHOWN) == text


def _wait(
    ask: Callable[[], dict[str, Any]],
    device: dict[str, Any],
    sleep: Callable[[float], None],
    clock: Callable[[], float],
) -> dict[str, Any]:
    """Ask at the issuer's pace until the user has answered or the code has expired (RFC 8628 section 3.4)."""
    from bastion.cli import web

    pause = _seconds(device.get("interval"), default=5, low=1, high=60)
    ends = clock() + _seconds(device.get("expires_in"), default=600, low=1, high=3600)
    while clock() < ends:
        sleep(pause)
        try:
            return ask()
        except web.OAuthError as error:
            match error.error:
                case "authorization_pending":
                    continue
                case "slow_down":
                    pause += SLOWER
                case "access_denied":
                    raise ClientError("the sign-in was refused") from error
                case "expired_token":
                    break
                case name:
                    raise OutsideError(f"the issuer refused the sign-in: {shown(name)}") from error
    raise ClientError("the code has expired before anyone signed in: run the command again")


def _seconds(value: Any, *, default: int, low: int, high: int) -> int:
    usable = isinstance(value, int) and not isinstance(value, bool)
    return min(max(value, low), high) if usable else default
