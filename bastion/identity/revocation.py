"""Revocation: a file of JSON lines that says which certificates are no longer good, and the check against it.

One line revokes a certificate (`serial`), a key (`key`, OpenSSH's `SHA256:…`) or an identity (`identity`: one of its
principals, or its subject; `issuer` narrows it to one issuer's), in one `tenant`:

    {"tenant":"demo","serial":4711,"time":"2026-01-31T12:00:00Z","reason":"laptop lost"}

A revoked identity stays revoked, for certificates it holds and for those it asks for, until its line is taken out of
the file; the time is for people. The bastion reads the file again whenever it changes and ends the sessions that it
hits. A file that can not be read whole is an error, and what was in force stays in force.

What this does not do: a certificate that the target trusts by itself is not called back, only the bastion's own door
is shut; and upstream certificates live a minute, so they are not listed here.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bastion.errors import BadFile, OperatorError, Place, Problem
from bastion.identity.principal import Credential, Identity

MAX_BYTES = 16 << 20
_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}\Z")
_KEYS = {"tenant", "serial", "key", "identity", "issuer", "time", "reason"}


@dataclass(frozen=True, slots=True)
class Revocation:
    """One line. Exactly one of `serial`, `key` and `identity` is set; `issuer` only with `identity`. `time`: RFC 3339.

    ValueError says what is wrong.
    """

    tenant: str
    reason: str
    time: str
    serial: int | None = None
    key: str | None = None
    identity: str | None = None
    issuer: str | None = None

    def __post_init__(self) -> None:
        for name in ("tenant", "reason", "time"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name).strip():
                raise ValueError(f"{name!r} must be a text that is not empty")
        if sum(what is not None for what in (self.serial, self.key, self.identity)) != 1:
            raise ValueError("exactly one of 'serial', 'key' and 'identity' is needed")
        whole = isinstance(self.serial, int) and not isinstance(self.serial, bool)
        if self.serial is not None and not (whole and 0 < self.serial < 1 << 64):
            raise ValueError("'serial' must be a whole number from 1 to 2**64-1")
        if self.key is not None and not (isinstance(self.key, str) and _FINGERPRINT.match(self.key)):
            raise ValueError("'key' must be a fingerprint as `ssh-keygen -l` prints it: SHA256: and 43 characters")
        if self.identity is not None and not (isinstance(self.identity, str) and self.identity):
            raise ValueError("'identity' must be a principal or a subject")
        if self.issuer is not None and (self.identity is None or not isinstance(self.issuer, str)):
            raise ValueError("'issuer' goes with 'identity' only")
        datetime.fromisoformat(self.time)

    @property
    def name(self) -> str:
        """What is revoked, for people and for the audit trail: `serial 4711`, `key SHA256:…`, `identity agent-1`."""
        if self.serial is not None:
            return f"serial {self.serial}"
        if self.key is not None:
            return f"key {self.key}"
        return f"identity {self.identity}" + (f" of {self.issuer}" if self.issuer is not None else "")

    @property
    def line(self) -> str:
        """The line of the file, without its newline."""
        members = {name: getattr(self, name) for name in self.__slots__ if getattr(self, name) is not None}
        return json.dumps(members, separators=(",", ":"))


class Revocations:
    """What is revoked. `load`, then `revoked` as often as needed; `reload` when the file has changed."""

    def __init__(self, path: Path | None, entries: Iterable[Revocation] = ()) -> None:
        self._path = path
        self._in_force = _Table(entries)

    @classmethod
    def load(cls, path: Path) -> Revocations:
        """Read the file; a missing one is empty. BadFile names every line that is wrong, with its number."""
        return cls(path, _read(path) if path.exists() else ())

    def reload(self) -> Sequence[Revocation]:
        """Read the file again; what is revoked now and was not before. OperatorError when it can not be read, or is
        gone and something was in force: then that stays in force. May run in another thread than `revoked`."""
        if self._path is None or (not self._path.exists() and not len(self)):
            return ()
        before = self._in_force.entries
        self._in_force = _Table(_read(self._path))  # whole at once: nobody is pardoned while the file is read
        return [entry for entry in self._in_force.entries if entry not in before]

    def __len__(self) -> int:
        return len(self._in_force.entries)

    def entry(self, credential: Credential) -> Revocation | None:
        """The entry by which this credential is revoked (serial before key before identity), or None."""
        tenant, table = credential.identity.tenant, self._in_force
        return (
            table.serials.get((tenant, credential.serial))
            or table.keys.get((tenant, credential.fingerprint))
            or table.identity(credential.identity)
        )

    def revoked(self, credential: Credential) -> str | None:
        """Why this credential is revoked, or None."""
        return _reason(self.entry(credential))

    def key_revoked(self, tenant: str, fingerprint: str) -> str | None:
        """Why this key is revoked, or None: asked before a certificate is issued for it."""
        return _reason(self._in_force.keys.get((tenant, fingerprint)))

    def identity_revoked(self, identity: Identity) -> str | None:
        """Why this identity is revoked, or None: asked before a certificate is issued to it."""
        return _reason(self._in_force.identity(identity))


class _Table:
    """The entries of one reading of the file, by what they revoke. Never changed once made."""

    def __init__(self, entries: Iterable[Revocation]) -> None:
        self.entries = dict.fromkeys(entries)
        self.serials = {(entry.tenant, entry.serial): entry for entry in self.entries if entry.serial is not None}
        self.keys = {(entry.tenant, entry.key): entry for entry in self.entries if entry.key is not None}
        self._identities = {(entry.tenant, entry.identity, entry.issuer): entry for entry in self.entries}

    def identity(self, identity: Identity) -> Revocation | None:
        for name in (*identity.principals, identity.subject):
            for issuer in (identity.issuer, None):
                entry = self._identities.get((identity.tenant, name, issuer))
                if entry is not None:
                    return entry
        return None


def _reason(entry: Revocation | None) -> str | None:
    return None if entry is None else entry.reason


def add(path: Path, entry: Revocation) -> None:
    """Append one line, on the disk before this returns; several may do so at once. OperatorError when it can not be.

    A last line that was cut off (no newline) is ended first, so that it is told as wrong and takes no other with it.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        with os.fdopen(descriptor, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            size = file.seek(0, os.SEEK_END)
            torn = size > 0 and os.pread(file.fileno(), 1, size - 1) != b"\n"
            file.write(b"\n" * torn + entry.line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise OperatorError(f"{path}: the revocation was not written: {error.strerror}") from error


def now(clock: Callable[[], float]) -> str:
    """The time of `clock` (seconds since 1970) as a line of the file has it."""
    return datetime.fromtimestamp(int(clock()), UTC).isoformat().replace("+00:00", "Z")


def _read(path: Path) -> list[Revocation]:
    try:
        source = path.read_bytes()
    except OSError as error:
        raise OperatorError(f"{path}: the revocations can not be read: {error.strerror}") from error
    if len(source) > MAX_BYTES:
        raise OperatorError(f"{path}: larger than {MAX_BYTES} bytes; take out what has expired")
    entries, problems = [], []
    for number, line in enumerate(source.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            entries.append(_entry(json.loads(line)))
        except (ValueError, TypeError, RecursionError) as error:
            what = "not JSON" if isinstance(error, json.JSONDecodeError | UnicodeDecodeError) else str(error)
            problems.append(Problem(Place(str(path), number, 1), f"not a revocation: {what}"))
    if problems:
        raise BadFile(problems)
    return entries


def _entry(value: Any) -> Revocation:
    if not isinstance(value, dict):
        raise TypeError("expected one JSON object a line")
    unknown = sorted(set(value) - _KEYS)
    if unknown:
        raise ValueError(f"unknown key {unknown[0]!r}")
    missing = sorted({"tenant", "reason", "time"} - set(value))
    if missing:
        raise ValueError(f"missing key {missing[0]!r}")
    return Revocation(**value)
