"""What is asked of policy, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from bastion.analysis.command import Analysis
from bastion.errors import Place


class Effect(StrEnum):
    """What becomes of a request. Of several answers the one of the highest `severity` holds."""

    ALLOW = "allow"
    APPROVE = "approve"
    DENY = "deny"

    @property
    def severity(self) -> int:
        return ("allow", "approve", "deny").index(self.value)


@dataclass(frozen=True, slots=True)
class Subject:
    """Who asks, in the words of `who`, `where` and `when`. `tenant` is not here: a policy belongs to one tenant.

    `source` is the client's address, empty where it is not known; `moment` the time in seconds since 1970, None where
    it is not known. A rule that asks for one that is not known does not allow, and does hold back.
    """

    principals: tuple[str, ...]
    groups: frozenset[str]
    claims: tuple[tuple[str, str], ...]
    target: str
    labels: tuple[tuple[str, str], ...]
    account: str
    source: str = ""
    moment: float | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for. `kind` is `exec` (with `analysis`), `shell` (`gated` or `raw`), `subsystem` or `forward` (with
    `name`).

    `environment` are the names that the client would set; the decision says which of them may be passed on.
    """

    kind: str
    analysis: Analysis | None = None
    name: str = ""
    environment: tuple[str, ...] = ()
    emergency: str = ""
    """Why the client breaks the glass; empty where it does not."""


@dataclass(frozen=True, slots=True)
class Approval:
    """Who may approve, how many of them it takes, within how many seconds; `grants` is seconds, or 0 for once. `mode`:
    `hold` keeps the one who asks waiting, `return` sends them away to ask again."""

    by: tuple[str, ...]
    count: int
    within: int
    grants: int = 0
    mode: str = "hold"

    def held(self) -> Approval:
        """The same for one who waits."""
        return replace(self, mode="hold")


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer, which carries rule and reason also when it allows.

    `rule` is the deciding rule's id, or `default`, `undecidable`, `script` (a command of the text's own needs no
    rule) or `observe` (mode observe turns what would be denied into allowed; `would` then tells what would have
    been); the gate has some more (verdicts.py, and session/ where no text was judged). `place` is where the rule
    stands. `remedy` is what would be allowed or who may approve, as one short line. `policy` is the version of the
    policy that decided. `approvals` say who may approve what is held for approval. `environment` are the client's
    variables that may pass. `categories` and `techniques` are those of all that was found in the request, whoever
    decided. `unmasked`: rules let all of it show what masks hide. `broke_glass`: a rule for emergencies allowed
    what another holds back or none allows. What several rules hold for approval has the ids of all of them, joined
    by `+`.
    """

    effect: Effect
    rule: str
    reason: str
    policy: str
    place: Place | None = None
    remedy: str | None = None
    would: Effect | None = None
    environment: frozenset[str] = field(default_factory=frozenset)
    approvals: tuple[Approval, ...] = ()
    categories: frozenset[str] = field(default_factory=frozenset)
    techniques: frozenset[str] = field(default_factory=frozenset)
    unmasked: bool = False
    broke_glass: bool = False

    def approved(self, people: tuple[str, ...]) -> Decision:
        """The same, once these people have approved it."""
        return replace(self, effect=Effect.ALLOW, reason=f"approved by {', '.join(people)}", remedy=None)

    def less(self, again: Decision) -> Decision:
        """The same, with no more passed on or shown than this later look allows too."""
        environment = self.environment & again.environment
        return replace(self, environment=environment, unmasked=self.unmasked and again.unmasked)

    def unapprovable(self) -> Decision:
        """The same where nothing could be approved: there is no text that would run."""
        return replace(self, effect=Effect.DENY, approvals=(), remedy=None)

    def __str__(self) -> str:
        """For people: `deny by never (policies/demo/never.yaml:4:5)`."""
        at = "" if self.place is None else f" ({self.place})"
        return f"{self.effect.value} by {self.rule}{at}"
