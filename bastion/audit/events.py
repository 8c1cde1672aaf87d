"""The catalogue: every kind of event that the audit trail can hold. There is no other way into it.

    kind                  told when
    --------------------  ------------------------------------------------------------------------------------------
    bastion-started       the bastion is ready to take connections
    bastion-stopping      it was told to end; `reason` says by what
    certificate-issued    a token was traded for a certificate
    certificate-refused   a token was refused, or its identity may have no certificate
    login-accepted        outer connection: a certificate was checked and its key proven
    login-refused         outer connection: it was not
    connection-refused    a connection ended before any login: garbage, timeout, limits
    admitted              inner connection: an identity was let in to one account of one target
    admission-refused     it was not (no such target or account, or not permitted; `reason` says which)
    login-shell-asked     the inventory does not say which login shell an account has, so the account was asked
    command-judged        an exec, shell or subsystem was decided, allowed or not; or a line of a gated shell
    approval-requested    what policy holds for approval waits for people to decide
    approval-voted        one of them approved or denied it
    approval-settled      it was approved or denied, used, or is over without: `state` and `why` say which
    grant-made            an approval gave an identity its rule for a while
    grant-used            something passed by a grant, without being asked for again
    grant-revoked         a grant was ended before its time: by a person, or by what changed
    break-glass           a rule for emergencies was used; LOOK AT IT
    line-ended            a command of a gated shell is over
    request-refused       something the bastion does not do was asked for: forwarding of ports, the agent or X11
    session-ended         a channel is over: how, how much, and where the recording is
    policy-reloaded       a tenant's policy was swapped
    policy-rejected       a changed policy has problems; the last good one stays
    revocations-rejected  the file of revocations has problems; its good lines, and all that was in force, are in force
    inventory-reloaded    a tenant's inventory was swapped
    inventory-rejected    a changed inventory has problems; the last good one stays
    person-acted          somebody did something over the API: logged in, followed or replayed a session, ended one, …
    revoked               a revocation took effect; how many sessions it ended
    recording-mended      a recording that a crash left open was mended and closed
    audit-mended          the torn last line of this log was set aside
    events-dropped        so many events of strangers were more than the trail takes, and were not kept

Each event is a line of JSON: `seq`, `previous` (see chain), `time` (RFC 3339, UTC, microseconds), `kind`, and the
fields of its class below that are not None. Times are added by the log, so an event is a pure value.

Names are those of bastion.identity.principal and bastion.context: `identity` is the identity's name, `issuer` and
`subject` the token's; `serial` the certificate's; `source` the client's address; `connection` one ssh process,
`session` one channel.

No event has a field for a secret: no token, key, passphrase, password, output or typed input, and no value of an
environment variable. The text of a command is what its author wrote, without what the policy masks for that session: a
secret of another kind is in the trail.

Bounds: a text keeps 1 KiB, a command 16 KiB (its length and digest are told when cut, see text), a list 64 members.
"""

from __future__ import annotations

from dataclasses import dataclass

from bastion.audit.approval_events import ApprovalRequested as ApprovalRequested
from bastion.audit.approval_events import ApprovalSettled as ApprovalSettled
from bastion.audit.approval_events import ApprovalVoted as ApprovalVoted
from bastion.audit.approval_events import GrantMade as GrantMade
from bastion.audit.approval_events import GrantRevoked as GrantRevoked
from bastion.audit.approval_events import GrantUsed as GrantUsed
from bastion.audit.event import MAX_COMMAND as MAX_COMMAND
from bastion.audit.event import MAX_MEMBERS as MAX_MEMBERS
from bastion.audit.event import MAX_TEXT as MAX_TEXT
from bastion.audit.event import Event as Event
from bastion.audit.person_events import PersonActed as PersonActed

# -- what events have in common ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known(Event):
    """By someone whose certificate was checked and whose key was proven."""

    tenant: str
    identity: str
    issuer: str
    subject: str
    serial: int
    source: str
    connection: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placed(_Known):
    """At one account of one target."""

    target: str
    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _InSession(_Placed):
    """In one channel."""

    session: str


# -- the bastion itself ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class BastionStarted(Event):
    kind = "bastion-started"
    version: str
    tenants: tuple[str, ...] = ()
    listen: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BastionStopping(Event):
    """`sessions` is how many were open."""

    kind = "bastion-stopping"
    reason: str
    sessions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditMended(Event):
    """`size` bytes of a line that a crash cut short, which nobody was told was kept; `aside` is where they are now."""

    kind = "audit-mended"
    size: int
    aside: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsDropped(Event):
    """`sources` are the busiest of those that were over their budget (see budget), each as `ADDRESS COUNT`; there are
    none when it was the queue that was full."""

    kind = "events-dropped"
    count: int
    sources: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingMended(Event):
    """`cut` is how many bytes of incomplete JSON were cut off its end; the digest is of the mended file."""

    kind = "recording-mended"
    tenant: str
    session: str
    recording: str
    cut: int
    size: int
    sha256: str


# -- certificates and logins -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateIssued(Event):
    """`fingerprint` is of the public key; the validity is in seconds since 1970."""

    kind = "certificate-issued"
    tenant: str
    identity: str
    issuer: str
    subject: str
    serial: int
    source: str
    fingerprint: str
    principals: tuple[str, ...]
    groups: tuple[str, ...]
    valid_after: int
    valid_before: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRefused(Event):
    """What is known of the token depends on how far its verification got; nothing unverified is told as an identity."""

    kind = "certificate-refused"
    source: str
    reason: str
    tenant: str | None = None
    issuer: str | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginAccepted(_Known):
    """`user` is the name that the client gave on the outer connection."""

    kind = "login-accepted"
    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginRefused(Event):
    """`user` is what a stranger wrote. Who they claimed to be is told only where a certificate was checked."""

    kind = "login-refused"
    source: str
    connection: str
    user: str
    reason: str
    tenant: str | None = None
    identity: str | None = None
    serial: int | None = None
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionRefused(Event):
    kind = "connection-refused"
    source: str
    reason: str
    connection: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted(_Placed):
    kind = "admitted"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionRefused(_Placed):
    """`target` and `account` are as the client wrote them; `account` is empty before one was named."""

    kind = "admission-refused"
    reason: str


# -- sessions ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginShellAsked(_Placed):
    """`question` is what was sent, always the same; `answer` what was printed, None when nothing came. `shell` is what
    the answer says, None when it was refused or failed: `problem` says why."""

    kind = "login-shell-asked"
    question: bytes
    answer: bytes | None = None
    shell: str | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandJudged(_InSession):
    """`request` is `exec`, `shell`, `subsystem`, or `line`: one command of a gated shell, which `number` counts and
    which runs in `directory`; or `completion`, a listing for one. `text` is what the client wrote, `script` what it
    sent to the standard input where that is a script (None where it was not read), `runs` what is sent to the target.
    `effect` and `would` are effects of policy, `policy` its version; `categories` and `techniques` (ids of MITRE
    ATT&CK) what was found. What is held is told twice: with effect `approve`, and with `allow` and the id of its
    `approval` or grant once it may run. `takes_commands`: it was allowed to take commands by itself, which nobody
    judges. `passed` and `dropped` are names of environment variables, never values."""

    kind = "command-judged"
    request: str
    text: bytes
    runs: bytes | None
    effect: str
    rule: str
    reason: str
    policy: str
    approval: str | None = None
    takes_commands: bool | None = None
    would: str | None = None
    script: bytes | None = None
    number: int | None = None
    directory: bytes | None = None
    categories: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    passed: tuple[str | bytes, ...] = ()
    dropped: tuple[str | bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakGlass(_InSession):
    """A rule for emergencies let through what another held back, or none allowed; `reason` is what the client said.
    Told before it runs; somebody should look at every one."""

    kind = "break-glass"
    request: str
    text: bytes
    runs: bytes | None
    rule: str
    policy: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRefused(_Known):
    """`request` is what was asked for, in words that name its place too: `port forwarding to db-1 port 5432`. `target`
    and `account` are those that the connection had been let in to, `session` the channel that it was asked on."""

    kind = "request-refused"
    request: str
    reason: str
    target: str | None = None
    account: str | None = None
    session: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LineEnded(_InSession):
    """One command of a gated shell is over, as the target's shell tells it: `status` 0 to 255, after `duration`
    seconds, in `directory`. (The target could tell anything.) `status` is None where the session ended with it: by
    `exit` (then the status is the session's), a kill, or a client that went away."""

    kind = "line-ended"
    number: int
    status: int | None
    directory: bytes
    duration: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded(_InSession):
    """`reason` says why it ended; one of `status` and `signal` is set when the command itself ended it. `received` and
    `sent` are bytes from and to the client; `duration` is in seconds. `masked` tells what was hidden of the output,
    each as `DETECTOR COUNT` or `column:NAME COUNT`. The recording's fields are None when there is none; the digest is
    of the closed file."""

    kind = "session-ended"
    reason: str
    status: int | None = None
    signal: str | None = None
    received: int = 0
    sent: int = 0
    duration: float = 0.0
    masked: tuple[str, ...] | None = None
    recording: str | None = None
    sha256: str | None = None
    size: int | None = None


# -- changes of the rules ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyReloaded(Event):
    """`mode` is `enforce`, or `observe`, which denies nothing."""

    kind = "policy-reloaded"
    tenant: str
    policy: str
    mode: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRejected(Event):
    """`problems` are those of BadFile; `policy` is the version that stays in force."""

    kind = "policy-rejected"
    tenant: str
    problems: tuple[str, ...]
    policy: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryReloaded(Event):
    kind = "inventory-reloaded"
    tenant: str
    targets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryRejected(Event):
    kind = "inventory-rejected"
    tenant: str
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationsRejected(Event):
    kind = "revocations-rejected"
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked(Event):
    """`entry` is the revocation as it stands in the file (a serial, a fingerprint or an identity)."""

    kind = "revoked"
    entry: str
    sessions: int
    tenant: str | None = None
    reason: str | None = None
