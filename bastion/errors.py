"""One tree of errors, split by whose fault it is, and the exit codes an ssh client sees.

The message of every error here is written for the person who meets it: what happened, where, what to do. None of
them ever carries a secret (a token, a key, a passphrase): the makers of messages keep to that, and tests/laws checks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

EXIT_DENIED = 126
"""The command was refused by policy; nothing of it ran."""
EXIT_NOT_APPROVED = 125
"""The command waits for approval elsewhere, or was not approved; nothing of it ran."""
EXIT_NOT_RECORDED = 254
"""A recording or an audit event that is required could not be written, or what must be masked could not be; the session
was ended."""
EXIT_NOT_OPENED = 255
"""The session could not be opened: no such target, target down, connection lost (OpenSSH's own code for this)."""


class BastionError(Exception):
    """The root. `str(error)` is one line, safe to show to whoever caused it."""


# -- the fault of the one who asks -------------------------------------------------------------------------------------


class ClientError(BastionError):
    """The one who asks is wrong: asking again unchanged will fail again."""


class BadToken(ClientError):
    """An OIDC token that does not verify, or verifies and is mapped to no identity."""


class BadCertificate(ClientError):
    """An SSH user certificate that is expired, not yet valid, revoked, of another authority, tenant or kind."""


class BadPublicKey(ClientError):
    """A public key for which no certificate is issued: not one line of OpenSSH's form, or of a kind not accepted."""


class NoSuchTarget(ClientError):
    """No target (or account) of that name, or none that this identity may know of: the two look the same."""

    def __init__(self, message: str = "no such target or account, or not permitted") -> None:
        super().__init__(message)


class Denied(ClientError):
    """The answer is no. `rule` is what the Decision names (a rule, `default`, …), None where policy was not asked."""

    verb: ClassVar[str] = "denied"
    status: ClassVar[int] = EXIT_DENIED

    def __init__(self, reason: str, *, rule: str | None = None, remedy: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.rule = rule
        self.remedy = remedy

    @property
    def line(self) -> str:
        """What the client is told: `denied by RULE: REASON`."""
        return f"{self.verb} by {self.rule}: {self.reason}"

    def lines(self, session: str) -> list[str]:
        """All that the client is told, with the session that it may be asked about by, and what could be done."""
        told = [f"bastion: {self.line} [{session}]"]
        return [*told, f"bastion: {self.remedy}"] if self.remedy else told


class NotApproved(Denied):
    """What policy holds for approval was not approved: denied, expired, withdrawn, ended, or too many wait. `request`
    is its id, empty where none was made."""

    verb = "held"
    status = EXIT_NOT_APPROVED

    def __init__(self, reason: str, *, rule: str, request: str = "") -> None:
        super().__init__(reason, rule=rule)
        self.request = request


class Held(NotApproved):
    """It is held in mode return: the same command, asked again before `ends` (seconds since 1970), runs once somebody
    has approved it."""

    def __init__(self, reason: str, *, rule: str, request: str, ends: float) -> None:
        super().__init__(reason, rule=rule, request=request)
        self.ends = ends


class NoSuchRequest(ClientError):
    """No request for approval (or grant, or session) of that id, or none of this tenant: the two look the same."""

    def __init__(self, message: str = "no such request") -> None:
        super().__init__(message)


class MayNotVote(ClientError):
    """This person may not decide on this request, or not any more."""


class InputRefused(ClientError):
    """Standard input that had to be read whole, and is too long, or did not end in time."""


class Interrupted(ClientError):
    """A signal of the client's ended what it asked for before there was a command that could take it. `signal` is its
    name (RFC 4254, section 6.10)."""

    def __init__(self, signal: str) -> None:
        super().__init__(f"ended by {signal} before it ran")
        self.signal = signal


# -- the fault of the operator -----------------------------------------------------------------------------------------


class OperatorError(BastionError):
    """A file, a setting or a permission on the bastion's own machine is wrong."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a file. Line and column count from 1, the column in characters."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong with a file, and where."""

    place: Place
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


MAX_PROBLEMS = 100
"""Problems of one BadFile that are told; a file can hold a mistake a hundred thousand times."""


class BadFile(OperatorError):
    """A file of configuration, policy or inventory with every problem found in it (at least one): the first
    MAX_PROBLEMS by their places, and how many more there were."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        told = sorted(problems)
        if len(told) > MAX_PROBLEMS:
            more = Problem(told[MAX_PROBLEMS].place, f"this one, and {len(told) - MAX_PROBLEMS - 1} more, are not told")
            told = [*told[:MAX_PROBLEMS], more]
        self.problems = tuple(told)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class KeyUnusable(OperatorError):
    """A held key is missing, unreadable, too open to others, or its passphrase is wrong. Never says the passphrase."""


# -- the fault of something outside ------------------------------------------------------------------------------------


class OutsideError(BastionError):
    """Something the bastion depends on is down or misbehaves: asking again later may work."""


class IssuerDown(OutsideError):
    """The OIDC issuer's discovery document or keys can not be had, and none are cached."""


class TargetDown(OutsideError):
    """The target can not be reached, shows another host key than the pinned ones, or refuses the held key."""


class NotRecorded(OutsideError):
    """A recording or an audit event can not be written (disk full, no permission): the session must end (254)."""


class StoreDown(OutsideError):
    """The store can not be reached, read or written: what needs it is denied. Never says what was to be stored."""


# -- our own fault -----------------------------------------------------------------------------------------------------


class NotMasked(BastionError):
    """What a policy masks could not be masked, so nothing more of the session is shown (254)."""
