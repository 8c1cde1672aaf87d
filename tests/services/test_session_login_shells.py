"""The asking for login shells: once an account, told before it is used, and no failure is kept."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator

import pytest

from bastion.audit.events import Event, LoginShellAsked
from bastion.context import Context, Knock
from bastion.errors import Denied, NotRecorded, TargetDown
from bastion.identity.principal import Credential, Identity
from bastion.session.login_shells import LoginShells
from bastion.targets.login_shell import MAX_ANSWER, QUESTION
from bastion.targets.target import Account, Target

BASH = b"bastion-shell bash- 42 1 no a\\ bash\n"
DASH = b"bastion-shell - 42 1 no a\\ dash\n"
ZSH = b"bastion-shell zsh- 42 2 no a\\ zsh\n"


class World:
    """A target that answers `answer`, or fails with it, once `let_go`; and an audit trail."""

    def __init__(self) -> None:
        self.answer: bytes | Exception = BASH
        self.asked: list[str] = []
        self.events: list[Event] = []
        self.unrecorded: NotRecorded | None = None
        self.let_go = asyncio.Event()
        self.let_go.set()

    async def ask(self, context: Context) -> bytes:
        self.asked.append(f"{context.account.name}@{context.target.name}")
        await self.let_go.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def write(self, event: Event) -> None:
        await asyncio.sleep(0)
        if self.unrecorded is not None:
            raise self.unrecorded
        self.events.append(event)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def shells(world: World) -> AsyncIterator[LoginShells]:
    made = LoginShells(world, world)
    yield made
    await made.stop()


def context(target: str = "web-1", account: str = "deploy", tenant: str = "acme", port: int = 22) -> Context:
    login = Account(account, None, None, True, "")
    identity = Identity(tenant, "https://i.example.com", "agent-1", ("agent-1",), frozenset(), {})
    credential = Credential(identity, 7, "agent-1", "SHA256:x", b"", 0, 2**40)
    place = Target(tenant, target, "192.0.2.1", port, {}, ("ssh-ed25519 AAAA",), (), {account: login})
    return Context(credential, place, login, Knock("c0ffee", "192.0.2.7"))


async def test_it_is_asked_once_and_kept(world: World, shells: LoginShells) -> None:
    assert shells.known(context()) is None
    assert await shells.of(context()) == "bash"
    assert await shells.of(context()) == "bash"
    assert shells.known(context()) == "bash"
    assert world.asked == ["deploy@web-1"]


async def test_commands_that_come_at_once_wait_for_one_answer(world: World, shells: LoginShells) -> None:
    world.let_go.clear()
    waiting = [asyncio.ensure_future(shells.of(context())) for _ in range(20)]
    await asyncio.sleep(0)
    assert shells.known(context()) is None
    world.let_go.set()
    assert await asyncio.gather(*waiting) == ["bash"] * 20
    assert len(world.asked) == 1


async def test_who_leaves_while_it_is_asked_takes_no_answer_from_others(world: World, shells: LoginShells) -> None:
    world.let_go.clear()
    first, second = (asyncio.ensure_future(shells.of(context())) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    world.let_go.set()
    assert await second == "bash"
    assert len(world.asked) == 1


@pytest.mark.parametrize(
    "other",
    [context(target="web-2"), context(account="root"), context(tenant="other"), context(port=2222)],
    ids=["target", "account", "tenant", "entry"],
)
async def test_another_account_target_tenant_or_entry_is_asked_by_itself(
    world: World, shells: LoginShells, other: Context
) -> None:
    assert await shells.of(context()) == "bash"
    world.answer = DASH
    assert shells.known(other) is None
    assert await shells.of(other) == "dash"
    assert len(world.asked) == 2


async def test_an_entry_that_changes_while_it_is_asked_is_asked_again(world: World, shells: LoginShells) -> None:
    """The older answer comes later, and is for nobody but those who waited for it."""
    world.let_go.clear()
    before = asyncio.ensure_future(shells.of(context()))
    await asyncio.sleep(0)
    after = asyncio.ensure_future(shells.of(context(port=2222)))
    await asyncio.sleep(0)
    world.let_go.set()
    assert [await before, await after] == ["bash", "bash"]
    assert len(world.asked) == 2
    assert shells.known(context()) is None
    assert shells.known(context(port=2222)) == "bash"


@pytest.mark.parametrize(
    ("answer", "error"),
    [(TargetDown("no answer"), TargetDown), (ZSH, Denied), (b"", Denied), (RuntimeError("a defect"), Denied)],
    ids=["down", "zsh", "nothing", "defect"],
)
async def test_no_failure_is_kept(
    world: World, shells: LoginShells, answer: bytes | Exception, error: type[Exception]
) -> None:
    world.answer = answer
    with pytest.raises(error):
        await shells.of(context())
    assert shells.known(context()) is None
    world.answer = DASH
    assert await shells.of(context()) == "dash"
    assert len(world.asked) == 2


async def test_what_was_asked_and_answered_is_told(world: World, shells: LoginShells) -> None:
    await shells.of(context())
    (event,) = world.events
    assert isinstance(event, LoginShellAsked)
    assert (event.question, event.answer, event.shell, event.problem) == (QUESTION, BASH, "bash", None)
    assert (event.identity, event.target, event.account) == ("agent-1", "web-1", "deploy")


@pytest.mark.parametrize(
    ("answer", "told", "problem"),
    [
        (ZSH, ZSH, "it is zsh"),
        (TargetDown("no answer in time"), None, "no answer in time"),
        (b"x" * MAX_ANSWER * 2, b"x" * MAX_ANSWER, "it answered"),
    ],
    ids=["zsh", "down", "flood"],
)
async def test_so_is_a_failure_within_bounds(
    world: World, shells: LoginShells, answer: bytes | Exception, told: bytes | None, problem: str
) -> None:
    world.answer = answer
    with pytest.raises((Denied, TargetDown)):
        await shells.of(context())
    (event,) = world.events
    assert isinstance(event, LoginShellAsked)
    assert (event.answer, event.shell) == (told, None)
    assert problem in (event.problem or "")


async def test_an_answer_that_can_not_be_told_is_not_used(world: World, shells: LoginShells) -> None:
    world.unrecorded = NotRecorded("the disk is full")
    with pytest.raises(NotRecorded):
        await shells.of(context())
    assert shells.known(context()) is None


async def test_those_who_wait_are_let_go_when_the_bastion_stops(world: World, shells: LoginShells) -> None:
    world.let_go.clear()
    waiting = asyncio.ensure_future(shells.of(context()))
    await asyncio.sleep(0)
    await shells.stop()
    with pytest.raises(Denied):
        await waiting


def test_the_account_that_the_tests_ask_has_no_named_shell() -> None:
    assert dataclasses.asdict(context().account)["shell"] == ""
