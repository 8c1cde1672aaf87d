"""What the store keeps beside approvals, as values: sessions, certificates, and the catalogue of recordings.

Times are seconds since 1970. What is not known yet is None; a text that does not apply is empty.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Session:
    """One channel. `kind` is `exec`, `shell` or `subsystem`; `command` what the client wrote; `instance` the process
    that has it; `recording` the path below the folder of recordings. `ended`, `status` and `reason` are told when it is
    over; `end_requested` and `end_reason` when somebody wants it to be."""

    tenant: str
    id: str
    connection: str
    identity: str
    issuer: str
    subject: str
    principals: tuple[str, ...]
    serial: int
    source: str
    target: str
    account: str
    kind: str
    command: bytes
    instance: str
    started: float
    recording: str = ""
    ended: float | None = None
    status: int | None = None
    reason: str = ""
    end_requested: float | None = None
    end_reason: str = ""


@dataclass(frozen=True, slots=True)
class Certificate:
    """One that was issued. `revoked` is when, and `why` what for."""

    tenant: str
    serial: int
    identity: str
    issuer: str
    subject: str
    principals: tuple[str, ...]
    fingerprint: str
    source: str
    valid_after: float
    valid_before: float
    revoked: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Recording:
    """One closed recording. `size` is in bytes, `duration` in seconds, `commands` how many there are to jump to;
    `verified` is when it was last compared with the audit trail, `whole` what came of it."""

    tenant: str
    session: str
    path: str
    sha256: str
    size: int
    commands: int
    started: float
    duration: float
    verified: float | None = None
    whole: bool | None = None
