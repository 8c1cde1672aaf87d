"""Which login shell an account of a target has, where the inventory does not say: asked once, and kept.

The answer stands for as long as that target's entry in the inventory is the same. Commands that come while it is being
asked wait for the one answer. A failure is kept by nobody: it refuses the commands that waited, and the next one asks
anew. The asking is in the audit trail before its answer is used.

Law 2 holds: what is sent is login_shell.QUESTION, which has nothing of a client's in it.

Limits: see login_shell. Who is asked first by one certificate is taken to be the same for others of the tenant: a
target that gives one account several shells, by the key that logs in, must name them in the inventory.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

from bastion.audit.events import Event, LoginShellAsked
from bastion.background import Background
from bastion.context import Context, at_account
from bastion.errors import BastionError, Denied
from bastion.targets.login_shell import MAX_ANSWER, QUESTION, read_answer
from bastion.targets.target import Target


class Asks(Protocol):
    """Puts QUESTION to the account of a context; what it printed, MAX_ANSWER bytes at most. TargetDown when there is no
    answer in time."""

    async def ask(self, context: Context) -> bytes: ...


class Audit(Protocol):
    """Where events go; `write` returns when the event is durable, or raises NotRecorded."""

    async def write(self, event: Event) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """One asking, under way or answered, of an account of `target` as its entry stood then."""

    target: Target
    answer: asyncio.Future[str]


class LoginShells:
    """Life: `known` and `of` at will; `stop` once."""

    def __init__(self, asks: Asks, audit: Audit) -> None:
        self._asks = asks
        self._audit = audit
        self._asked: dict[tuple[str, str, str], _Asked] = {}
        self._background = Background()

    def known(self, context: Context) -> str | None:
        """The shell that this account has answered with; None when it has not been asked yet."""
        asked = self._asked.get(_key(context))
        if asked is None or asked.target != context.target or not asked.answer.done():
            return None
        return asked.answer.result()

    async def of(self, context: Context) -> str:
        """The account's login shell, asked if it must be. Raises Denied for one that does not read right, TargetDown,
        NotRecorded."""
        key = _key(context)
        asked = self._asked.get(key)
        if asked is None or asked.target != context.target:
            asked = _Asked(context.target, asyncio.get_running_loop().create_future())
            self._asked[key] = asked
            self._background.start(self._ask(context, key, asked), f"login shell of {key[2]} at {key[1]}")
        return await asyncio.shield(asked.answer)

    async def stop(self) -> None:
        """Ask no more; who still waits is refused."""
        await self._background.stop()
        for asked in self._asked.values():
            _refuse(asked.answer)  # of a task that was cancelled before it began

    # -- inside

    async def _ask(self, context: Context, key: tuple[str, str, str], asked: _Asked) -> None:
        """Ask, tell, and answer all who wait. Whatever goes wrong, nothing is kept and nobody waits for ever."""
        try:
            asked.answer.set_result(await self._answer(context))
        except BastionError as error:
            asked.answer.set_exception(error)
        finally:
            _refuse(asked.answer)
            if asked.answer.exception() is not None and self._asked.get(key) is asked:
                del self._asked[key]

    async def _answer(self, context: Context) -> str:
        try:
            answer = await self._asks.ask(context)
        except BastionError as error:
            await self._tell(context, None, None, str(error))
            raise
        try:
            shell = read_answer(answer)
        except Denied as error:
            await self._tell(context, answer, None, error.reason)
            raise
        await self._tell(context, answer, shell, None)
        return shell

    async def _tell(self, context: Context, answer: bytes | None, shell: str | None, problem: str | None) -> None:
        told = None if answer is None else answer[:MAX_ANSWER]
        await self._audit.write(
            LoginShellAsked(**at_account(context), question=QUESTION, answer=told, shell=shell, problem=problem)
        )


def _key(context: Context) -> tuple[str, str, str]:
    return context.tenant, context.target.name, context.account.name


def _refuse(answer: asyncio.Future[str]) -> None:
    """Let nobody wait for an answer that will not come."""
    if not answer.done():
        answer.set_exception(Denied("the account's login shell could not be asked", rule="error"))
        answer.exception()  # seen, awaited or not
