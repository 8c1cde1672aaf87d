"""Trade an OIDC token for a short-lived SSH certificate, and keep it where ssh finds it.

examples: bastion cert --api https://bastion.example.com --token-file /var/run/secrets/tokens/bastion
          bastion cert --api https://bastion.example.com --github-actions --out ~/.ssh/bastion
          bastion cert --api https://bastion.example.com --issuer https://idp.example.com \\
              --client-id agent --client-secret-file ~/.secret --if-needed

With --if-needed nothing happens while the certificate has more than a third of its life left: this is what the
`Match exec` of `bastion ssh-config` runs on every `ssh`. When renewing fails while the certificate is still good, it
says so and succeeds.
"""

from __future__ import annotations

import argparse
import sys
import time

from bastion.cli import tokens, trade
from bastion.cli.held import Held
from bastion.errors import BastionError, OperatorError


def configure(parser: argparse.ArgumentParser) -> None:
    trade.configure(parser)
    parser.add_argument("--if-needed", action="store_true", help="only when the certificate in place is about to end")
    tokens.configure(parser)


def run(arguments: argparse.Namespace) -> int:
    place = trade.folder(arguments)
    if place is None:
        if arguments.if_needed:
            raise OperatorError("--if-needed looks at the files in a folder: give --out, too")
        _report(arguments, trade.trade(arguments, tokens.obtain(arguments)))
        return 0
    held = Held(place)
    if arguments.if_needed and _in_place(arguments, held):
        return 0
    with held.locked():
        # Whoever held the lock before may have renewed it meanwhile.
        if arguments.if_needed and _in_place(arguments, held):
            return 0
        try:
            answer = trade.trade(arguments, tokens.obtain(arguments))
        except BastionError as error:
            if not (arguments.if_needed and held.good(time.time())):
                raise
            print(f"bastion cert: not renewed, the one in place is still good: {error}", file=sys.stderr)
            return 0
    _report(arguments, answer)
    return 0


def _in_place(arguments: argparse.Namespace, held: Held) -> bool:
    """Whether nothing needs to be renewed. What is fresh but gone from ssh-agent is given to it again."""
    if not held.fresh(time.time()):
        return False
    if arguments.agent and not trade.in_agent(held):
        trade.to_agent(held, trade.host_of(arguments.api))
    return True


def _report(arguments: argparse.Namespace, answer: dict[str, object]) -> None:
    if arguments.json:
        import json

        print(json.dumps(answer))
    elif not arguments.if_needed:
        print(trade.told(answer, trade.folder(arguments)))
