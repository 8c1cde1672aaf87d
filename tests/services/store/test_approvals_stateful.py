"""Approvals under everything at once: asking, voting, time, reloads, kills, clients that go, processes that die. They
are held to a model beside them after every step, on both stores, with two processes.

    a text runs at most once an approval, by its votes, in its time, under its policy
    what is settled stays settled
    nobody of another tenant sees or changes anything
    what runs under a grant ends with it, in whichever process
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncConnection

from bastion.approvals.asking import Approved, Asking
from bastion.approvals.ports import Limits
from bastion.approvals.request import State
from bastion.errors import Held, MayNotVote, NoSuchRequest, NotApproved
from bastion.store.database import Database
from bastion.store.schema import METADATA
from tests import postgres
from tests.core.approvals_made import person
from tests.services.store.approvals_model import CLAUSES, PEOPLE, Ask, Model
from tests.services.store.house import Asked, Clock, Process, Trail, asking

T = TypeVar("T")
NAMES = ("one", "two")
TEXTS = (b"'a'", b"'b'")
names = st.sampled_from(NAMES)
EXAMPLES = settings(max_examples=max(25, settings().max_examples // 20), stateful_step_count=30, print_blob=True)


class Machine(RuleBasedStateMachine):
    """`url` is of a store that may hold what another example left."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.model = Model()
        self.clock, self.trail = Clock(), Trail()
        self.processes: dict[str, Process] = {}
        self.waiting: dict[str, Asked] = {}
        self.expected_ends: dict[str, set[str]] = {name: set() for name in NAMES}
        self.settled: dict[str, State] = {}
        self.sessions = itertools.count(1)
        self.runner = asyncio.Runner()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        async def bounded() -> T:
            async with asyncio.timeout(20):
                return await work

        return self.runner.run(bounded())

    @initialize()
    def begin(self) -> None:
        self.run(_empty(self.url))
        for name in NAMES:
            self._start(name)

    def _start(self, name: str) -> None:
        self.model.start(name)
        starting = Process.start(self.url, self.clock, self.trail, name, limits=Limits(1000, 10_000))
        self.processes[name] = self.run(starting)
        self.processes[name].approvals.policy_changed("acme", self.model.policy)

    def teardown(self) -> None:
        for process in self.processes.values():
            self.run(process.stop())
        self.runner.close()

    # -- what happens

    @rule(
        what=st.lists(
            st.tuples(names, st.sampled_from(sorted(CLAUSES)), st.sampled_from(TEXTS)), min_size=1, max_size=4
        )
    )
    def somebody_asks(self, what: list[tuple[str, str, bytes]]) -> None:
        for name, clauses, text in what:
            self._ask(self._living(name), clauses, text)

    def _ask(self, name: str, clauses: str, text: bytes) -> None:
        session = f"s{next(self.sessions)}"
        asked = asking(CLAUSES[clauses], session=session, text=text, policy=self.model.policy)
        ask = Ask(
            *("", session, text, self.model.policy, CLAUSES[clauses]),
            process="" if "away" in clauses else name,
            ends=self.model.now + min(clause.within for clause in CLAUSES[clauses]),
        )
        waiting = self.run(_asked(self.processes[name], asked))
        if self.model.live() is not None:
            assert self.run(_outcome(waiting)) == "granted"
            self.model.under.setdefault(ask.policy, set()).add((name, session))
        elif not ask.process:
            self._ask_away(ask, waiting, name)
        else:
            ask.id = self.run(waiting.held())
            self.model.asks[ask.id] = ask
            self.waiting[ask.id] = waiting

    def _ask_away(self, ask: Ask, waiting: Asked, name: str) -> None:
        standing = self.model.standing(ask.text)
        if standing is not None and standing.state == "approved":
            self.model.use(standing, name, ask.session)
            assert self.run(_outcome(waiting)) == f"approved {standing.id}"
        elif standing is not None:
            word = {"denied": "refused", "pending": "held"}[standing.state]
            assert self.run(_outcome(waiting)) == f"{word} {standing.id}"
        else:
            word, ask.id = self.run(_outcome(waiting)).split()
            assert word == "held"
            assert ask.id not in self.model.asks
            self.model.asks[ask.id] = ask

    @precondition(lambda self: self.model.asks)
    @rule(
        data=st.data(),
        name=names,
        who=st.sampled_from(sorted(PEOPLE)),
        approves=st.sampled_from([True, True, True, False]),
        grant=st.booleans(),
    )
    def vote(self, data: st.DataObject, name: str, who: str, approves: bool, grant: bool) -> None:
        name = self._living(name)
        ask = self._some(data)
        voting = self.processes[name].approvals.vote(PEOPLE[who][1], ask.id, approves, "", grant)
        if self.model.may_vote(ask, who, approves, grant):
            self.run(voting)
            self.model.vote(ask, who, approves, grant, waits=ask.id in self.waiting)
        else:
            with pytest.raises(MayNotVote):
                self.run(voting)

    @precondition(lambda self: self.model.decidable())
    @rule(data=st.data(), how=st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=4))
    def somebody_decides(self, data: st.DataObject, how: list[tuple[int, bool]]) -> None:
        """Who may: what is drawn at random is mostly refused."""
        for number, grant in how:
            if self.model.decidable():
                self._decide(data, number != 5, grant)

    def _decide(self, data: st.DataObject, approves: bool, grant: bool) -> None:
        ask, who = data.draw(st.sampled_from(self.model.decidable()))
        grant = grant and approves and bool(ask.may_grant)
        assert self.model.may_vote(ask, who, approves, grant)
        name = self._living(data.draw(names))
        self.run(self.processes[name].approvals.vote(PEOPLE[who][1], ask.id, approves, "", grant))
        self.model.vote(ask, who, approves, grant, waits=ask.id in self.waiting)

    @precondition(lambda self: self.model.asks)
    @rule(data=st.data(), approves=st.booleans())
    def a_stranger_votes(self, data: st.DataObject, approves: bool) -> None:
        """Of another tenant, whatever their groups and names."""
        ask = self._some(data)
        for process in self.processes.values():
            with pytest.raises(NoSuchRequest):
                self.run(process.approvals.vote(person("rev", "sre", tenant="rival"), ask.id, approves, ""))

    def _living(self, name: str) -> str:
        """That process, or the other one where it is dead."""
        return name if name in self.processes else next(iter(self.processes))

    def _some(self, data: st.DataObject) -> Ask:
        """One of the latest, by what it is and not by its id, so that an example can be played again."""
        return data.draw(st.sampled_from(list(self.model.asks.values())[-6:]))

    @rule(seconds=st.sampled_from([1, 4, 16, 39]))
    def time_passes(self, seconds: int) -> None:
        self.model.now += seconds
        self.clock.now = self.model.now

    @rule(name=names)
    def tick(self, name: str) -> None:
        name = self._living(name)
        self.run(self.processes[name].upkeep.tick())
        self.model.tick(name)

    @rule(name=names, times=st.integers(1, 6))
    def time_passes_and_is_kept(self, name: str, times: int) -> None:
        """Without a gap, so that what is not seen meanwhile is gone."""
        for _ in range(times):
            self.time_passes(4)
            self.tick(name)

    @rule()
    def policy_is_reloaded(self) -> None:
        self.model.policy = f"v{int(self.model.policy[1:]) + 1}"
        for process in self.processes.values():
            process.approvals.policy_changed("acme", self.model.policy)

    @precondition(lambda self: self.model.asks)
    @rule(data=st.data(), name=names)
    def session_is_killed(self, data: st.DataObject, name: str) -> None:
        """What waits in it is cancelled, and so taken back."""
        name = self._living(name)
        session = self._some(data).session
        for id in [id for id in self.waiting if self.model.asks[id].session == session]:
            self._gone(id)
        self.processes[name].approvals.session_ended(session)
        for pairs in self.model.under.values():
            pairs.discard((name, session))

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def client_is_gone(self, data: st.DataObject) -> None:
        self._gone(data.draw(st.sampled_from(list(self.waiting))))

    def _gone(self, id: str) -> None:
        waiting = self.waiting.pop(id)
        waiting.task.cancel()
        assert self.run(_outcome(waiting)) == "cancelled"
        if self.model.asks[id].open:
            self.model.asks[id].state = "withdrawn"

    @precondition(lambda self: self.model.live())
    @rule(name=names)
    def grant_is_revoked(self, name: str) -> None:
        name = self._living(name)
        approvals = self.processes[name].approvals
        (grant,) = self.run(approvals.grants("acme", None, 9))
        with pytest.raises(NoSuchRequest):
            self.run(approvals.revoke_grant(person("op", tenant="rival"), grant.id))
        self.run(approvals.revoke_grant(person("op"), grant.id))
        given = self.model.live()
        assert given is not None
        for process, session in self.model.revoke(given):
            self.expected_ends[process].add(session)

    @precondition(lambda self: len(self.processes) == len(NAMES))
    @rule(name=names, again=st.booleans())
    def process_dies(self, name: str, again: bool) -> None:
        """As by kill -9; `again`: it is started at once."""
        for id in [id for id in self.waiting if self.model.asks[id].process == name]:
            del self.waiting[id]
        self.run(self.processes.pop(name).die())
        self.model.die(name)
        self.expected_ends[name] = set()
        if again:
            self._start(name)

    @precondition(lambda self: len(self.processes) < len(NAMES))
    @rule()
    def process_starts(self) -> None:
        (name,) = set(NAMES) - self.processes.keys()
        self._start(name)

    # -- what must hold

    @invariant()
    def it_is_as_the_model_says(self) -> None:
        for process in self.processes.values():
            self.run(process.hear())
            self.run(process.looked())
        for id, waiting in list(self.waiting.items()):
            ask = self.model.asks[id]
            if ask.state == "pending":
                assert not waiting.task.done()
                continue
            word = "approved" if ask.state == "used" else "refused"
            assert self.run(_outcome(waiting)) == f"{word} {id}"
            del self.waiting[id]
        for process in self.processes.values():
            self._is_stored(process)
        self._is_told()

    def _is_stored(self, process: Process) -> None:
        found = self.run(process.approvals.page("acme", State, None, 1000))
        assert {request.id: request.state.value for request in found} == {
            id: ask.state for id, ask in self.model.asks.items()
        }
        for request in found:
            assert request.ends == self.model.asks[request.id].ends
            if request.id in self.settled:
                assert request.state is self.settled[request.id]
            if not request.is_open:
                self.settled[request.id] = request.state
        assert self.run(process.approvals.page("rival", State, None, 1000)) == []
        assert self.run(process.approvals.grants("rival", None, 1000, past=True)) == []
        assert {session for session, _ in process.ended} == self.expected_ends[process.name]

    def _is_told(self) -> None:
        """The trail ends with what is so, and knows of each use once."""
        said: dict[str, list[str]] = {}
        for event in self.trail.events:
            if event.kind == "approval-settled":
                record = event.record()
                said.setdefault(str(record["approval"]), []).append(str(record["state"]))
        for id, ask in self.model.asks.items():
            assert ask.runs <= 1
            states = said.get(id, [])
            assert states.count("used") == ask.runs
            assert (states[-1] if states else "pending") == ask.state


async def _outcome(asked: Asked) -> str:
    try:
        approved: Approved = await asked.task
    except Held as error:
        return f"held {error.request}"
    except NotApproved as error:
        return f"refused {error.request}"
    except asyncio.CancelledError:
        return "cancelled"
    return "granted" if approved.grant else f"approved {approved.request}"


async def _empty(url: str) -> None:
    database = await Database.open(url)

    async def work(connection: AsyncConnection) -> None:
        for table in reversed(METADATA.sorted_tables):
            await connection.execute(delete(table))

    await database.write(work)
    await database.close()


async def _asked(process: Process, what: Asking) -> Asked:
    return process.ask(what)


def _on(url: str) -> type[Machine]:
    class There(Machine):
        def __init__(self) -> None:
            super().__init__(url)

    return There


def test_sqlite(tmp_path: Path) -> None:
    run_state_machine_as_test(_on(f"sqlite:///{tmp_path}/store.db"), settings=EXAMPLES)


def test_postgresql(postgresql: postgres.Server) -> None:
    run_state_machine_as_test(_on(asyncio.run(postgresql.create("machine"))), settings=EXAMPLES)
