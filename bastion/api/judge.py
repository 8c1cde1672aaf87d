"""The judge: a process of its own that reads and explains policies for the API, so that sessions never wait for it.

Order: `python -m bastion.api.judge` is started by judging.py, and asked as aside.py tells.

It holds no key, no token and no file of the bastion's: what it judges, it is given. Places in its answers are names of
files without their folders. How long it may take, and what happens then, is for aside.py.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping, Sequence

from bastion.api.aside import serve
from bastion.errors import BadFile, Place, Problem
from bastion.policy import cases, loader, told
from bastion.policy.asker import Asker, Text
from bastion.policy.explain import explain
from bastion.policy.model import Index, Policy

MAX_CASES = 500
"""Cases of one request that are run."""
MAX_TRIED = 10_000
"""Rules times commands; past it an explanation leaves out which rules were tried."""
MAX_HELD = 16
"""Policies in force that are kept for the next request."""

Answer = dict[str, object]


class Judge:
    """`answer` at will. Keeps policies that were given with their version, so that each is sent once."""

    def __init__(self) -> None:
        self._held: dict[str, Policy] = {}

    def answer(self, kind: str, values: tuple[object, ...]) -> Answer:
        """One request; the kinds are the methods below."""
        match kind, values:
            case "hold", (str(version), Policy() as policy):
                if len(self._held) >= MAX_HELD:
                    self._held.clear()
                self._held[version] = _without_folders(policy)
                return {}
            case "validate", (dict(files),):
                return validate(files)
            case "explain", (str() | dict() as of, Asker() as asker, list(commands)):
                return self._explain(of, asker, commands)
        raise ValueError(f"no request of the kind {kind!r}")

    def _explain(self, of: str | dict[str, bytes], asker: Asker, commands: Sequence[Text]) -> Answer:
        """`of` is the version of a policy that is held, or the files of one. Files of one's own are told with a trace
        of every rule; of a policy in force there is only what decided."""
        if isinstance(of, str):
            return {"results": [explain(self._held[of], asker, *command, trace=False).told() for command in commands]}
        try:
            policy = loader.load_texts(of)
        except BadFile as error:
            return {"problems": told.problems(error)}
        return {"results": [_traced(policy, asker, command) for command in commands]}


def validate(files: Mapping[str, bytes]) -> Answer:
    """Read a policy and run the cases that came with it."""
    try:
        policy = loader.load_texts(files)
        found = _cases(files)
    except BadFile as error:
        return {"ok": False, "problems": told.problems(error)}
    results = cases.run(policy, found)
    failed = [result.told() for result in results if not result.good]
    answer: Answer = {"ok": not failed, "problems": [], **told.policy(policy)}
    if found:
        never = [rule.id for rule in cases.never_exercised(policy, results)]
        answer["cases"] = {"total": len(results), "failed": failed, "never_exercised": never}
    return answer


def _cases(files: Mapping[str, bytes]) -> list[cases.Case]:
    problems: list[Problem] = []
    found: list[cases.Case] = []
    for name, content in sorted(files.items()):
        if name.endswith(loader.CASES):
            found.extend(cases.read(content, name, problems))
    if len(found) > MAX_CASES:
        problems.append(Problem(found[MAX_CASES].place, f"more than {MAX_CASES} commands in one request"))
    if problems:
        raise BadFile(problems)
    return found


def _traced(policy: Policy, asker: Asker, command: Text) -> Answer:
    found = explain(policy, asker, *command, trace=False)
    if len(policy.rules) * (len(found.commands) + 1) > MAX_TRIED:
        return found.told()
    return explain(policy, asker, *command).told()


def _without_folders(policy: Policy) -> Policy:
    """Whoever asks learns where a rule stands, not where the bastion keeps its files."""
    rules = tuple(dataclasses.replace(rule, place=_bare(rule.place)) for rule in policy.rules)
    return dataclasses.replace(policy, rules=rules, index=Index.of(rules))


def _bare(place: Place) -> Place:
    return dataclasses.replace(place, file=place.file.rpartition("/")[2])


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer, Judge().answer)
