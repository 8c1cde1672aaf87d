"""For gates of tests whose inventory names every login shell: to ask for one, or for an approval, is a failure."""

from __future__ import annotations

from collections.abc import Callable

from bastion.approvals.asking import Approved, Asking
from bastion.context import Context


class NotAsked:
    """In the place of LoginShells, and of those who approve."""

    def known(self, context: Context) -> str | None:
        raise AssertionError(f"asked for the login shell of {context.account}")

    async def of(self, context: Context) -> str:
        raise AssertionError(f"asked for the login shell of {context.account}")

    async def wait(self, asking: Asking, say: Callable[[str], None]) -> Approved:
        del say
        raise AssertionError(f"people were asked about {asking.bound}")
