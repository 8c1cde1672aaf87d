"""For gates of tests whose inventory names every login shell: to ask for one is a failure."""

from __future__ import annotations

from bastion.context import Context


class NotAsked:
    """In the place of LoginShells."""

    def known(self, context: Context) -> str | None:
        raise AssertionError(f"asked for the login shell of {context.account}")

    async def of(self, context: Context) -> str:
        raise AssertionError(f"asked for the login shell of {context.account}")
