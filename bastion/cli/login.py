"""Sign in with a browser, here or on another device (RFC 8628), and get an SSH certificate for it.

example: bastion login --api https://bastion.example.com --issuer https://idp.example.com --client-id bastion
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any

from bastion.cli import tokens, trade
from bastion.cli.held import Held
from bastion.errors import ClientError, OutsideError

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
SLOWER = 5
"""Seconds that `slow_down` adds to the pause (RFC 8628 section 3.5)."""


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
    verify, issuer = web.context(arguments.issuer_ca_file), arguments.issuer
    device_endpoint = web.discover(issuer, arguments.issuer_ca_file, "device_authorization_endpoint")
    token_endpoint = web.discover(issuer, arguments.issuer_ca_file, "token_endpoint")
    secret = tokens.client_secret(arguments)
    method = "client_secret_basic" if secret else "none"
    with web.OAuth2Client(
        arguments.client_id,
        secret,
        token_endpoint_auth_method=method,
        verify=verify,
        timeout=web.TIMEOUT,
        mounts=web.DIRECT,
    ) as client:
        named = {
            name: getattr(arguments, name) for name in ("scope", "audience", "resource") if getattr(arguments, name)
        }
        form = {"client_id": arguments.client_id, **named}
        with web.reaching(device_endpoint):
            auth = (arguments.client_id, secret) if secret else None
            response = client.request("POST", device_endpoint, data=form, auth=auth, withhold_token=True)
        device = _device(device_endpoint, response)
        print(_invitation(device), file=sys.stderr, flush=True)

        def ask() -> dict[str, Any]:
            with web.reaching(token_endpoint):
                return dict(
                    client.fetch_token(token_endpoint, grant_type=DEVICE_GRANT, device_code=device["device_code"])
                )

        answer = _wait(ask, device, sleep, clock)
    token = answer.get(f"{arguments.token_kind}_token")
    if not isinstance(token, str):
        raise OutsideError(
            f"the issuer gave no {arguments.token_kind} token: is --scope openid allowed to this client?"
        )
    return token


def _device(url: str, response: Any) -> dict[str, Any]:
    try:
        device = response.json()
    except ValueError as error:
        raise OutsideError(f"{url} did not answer with JSON") from error
    wanted = ("device_code", "user_code", "verification_uri")
    if not isinstance(device, dict) or not all(isinstance(device.get(name), str) for name in wanted):
        error_name = device.get("error") if isinstance(device, dict) else None
        told = error_name if isinstance(error_name, str) and error_name.isprintable() else response.status_code
        raise OutsideError(f"the issuer does not start a sign-in on another device: {told}")
    return device


def _invitation(device: dict[str, Any]) -> str:
    """What the user is to do. The issuer's words are shown only where they print as they are."""
    for name in ("user_code", "verification_uri"):
        if not device[name].isprintable():
            raise OutsideError("the issuer's sign-in address has characters that can not be shown")
    whole = device.get("verification_uri_complete")
    if isinstance(whole, str) and whole.isprintable():
        return f"Open {whole}\nand check that it shows the code {device['user_code']}"
    return f"Open {device['verification_uri']}\nand enter the code {device['user_code']}"


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
                    raise OutsideError(f"the issuer refused the sign-in: {name}") from error
    raise ClientError("the code has expired before anyone signed in: run the command again")


def _seconds(value: Any, *, default: int, low: int, high: int) -> int:
    usable = isinstance(value, int) and not isinstance(value, bool)
    return min(max(value, low), high) if usable else default
