"""Revocation: a file of JSON lines that says which certificates are no longer good, and the check against it.

One line revokes a certificate (`serial`), a key (`key`, OpenSSH's `SHA256:…`) or an identity (`identity`: one of its
principals, or its subject; `issuer` narrows it to one issuer's), in one `tenant`:

    {"tenant":"demo","serial":4711,"time":"2026-01-31T12:00:00Z","reason":"laptop lost"}

A revoked identity stays revoked, for certificates it holds and for those it asks for, until its line is taken out of
the file; the time is for people. The bastion reads the file again whenever it changes and ends the sessions that it
hits.

Nobody is pardoned by accident. A line that can not be read is told, and takes no other with it: every good line is in
force, together with all that was in force before. An entry goes only when a file that is settled (nobody is writing
it), without a bad line and not of zero bytes, no longer has it; to take out the last one, leave an empty line. At
start nothing is in force that a bad line could leave as it was, so one bad line, or no file where there was one,
keeps the bastion from starting: whom it revoked is not known.

What this does not do: a certificate that the target trusts by itself is not called back, only the bastion's own door
is shut; and upstream certificates live a minute, so they are not listed here.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import pwd
import re
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from bastion import document
from bastion.errors import BadFile, OperatorError, Place, Problem
from bastion.identity.principal import Credential

MAX_BYTES = 16 << 20
_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}\Z")
_TENANT = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
_ISSUER = re.compile(r"https?://[^\s/]\S*\Z")
_KEYS = {"tenant", "serial", "key", "identity", "issuer", "time", "reason"}


class Named(Protocol):
    """Whoever has a name that can be revoked: an identity, or a person as the store knows them."""

    @property
    def tenant(self) -> str: ...
    @property
    def issuer(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def principals(self) -> tuple[str, ...]: ...


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
        if self.issuer is not None and (self.identity is None or not isinstance(self.issuer, str) or not self.issuer):
            raise ValueError("'issuer' goes with 'identity' only, and is not empty")
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


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reading of the file brought: entries that were not in force before, and what is wrong with it."""

    new: tuple[Revocation, ...] = ()
    problems: tuple[Problem, ...] = ()


class Revocations:
    """What is revoked. `load`, then `revoked` as often as needed; `reload` when the file has changed."""

    def __init__(self, path: Path | None, entries: Iterable[Revocation] = ()) -> None:
        self._path = path
        self._in_force = _Table(entries)

    @classmethod
    def load(cls, path: Path) -> Revocations:
        """Read the file; a missing one is empty. BadFile names every line that is wrong, with its number."""
        entries, problems = _read(path, _source(path)) if os.path.lexists(path) else ([], [])
        if problems:
            raise BadFile(problems)
        return cls(path, entries)

    def reload(self, *, settled: bool = True) -> Reading:
        """Read the file again. Its good lines are in force when this returns; what was before goes only as the head of
        this file says, and never when it is not `settled`. OperatorError when it can not be read, or is gone and
        something was in force: then that stays in force. May run in another thread than `revoked`."""
        if self._path is None or (not os.path.lexists(self._path) and not len(self)):
            return Reading()
        before = self._in_force.entries
        source = _source(self._path)
        entries, problems = _read(self._path, source)
        if settled and before and not source:
            place = Place(document.shown(self._path), 1, 1)
            problems.append(Problem(place, "of zero bytes; to pardon all, leave an empty line in it"))
        keep = () if settled and not problems else before
        self._in_force = _Table((*keep, *entries))  # whole at once: nobody is pardoned while the file is read
        return Reading(tuple(entry for entry in self._in_force.entries if entry not in before), tuple(problems))

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

    def identity_revoked(self, identity: Named) -> str | None:
        """Why this identity is revoked, or None: asked before a certificate is issued to it, or its vote counts."""
        return _reason(self._in_force.identity(identity))


class _Table:
    """The entries of one reading of the file, by what they revoke. Never changed once made."""

    def __init__(self, entries: Iterable[Revocation]) -> None:
        self.entries = dict.fromkeys(entries)
        self.serials = {(entry.tenant, entry.serial): entry for entry in self.entries if entry.serial is not None}
        self.keys = {(entry.tenant, entry.key): entry for entry in self.entries if entry.key is not None}
        self._identities = {(entry.tenant, entry.identity, entry.issuer): entry for entry in self.entries}

    def identity(self, identity: Named) -> Revocation | None:
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
    A file that is made here belongs to whom its folder belongs to: root adds, and another user, the bastion, reads. A
    link is not followed, since that other user could have made it.
    """
    try:
        descriptor = _open(path)
        with os.fdopen(descriptor, "r+b") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(errno.EINVAL, "it is no regular file")
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


def entries(path: Path, tenant: str) -> list[Revocation]:
    """What the file has of one tenant, as far as it can be read. OperatorError."""
    found, _ = _read(path, _source(path))
    return [entry for entry in found if entry.tenant == tenant]


def make(path: Path) -> None:
    """Make the file, without any entry, when there is none. OperatorError when it can not be."""
    try:
        os.close(_open(path))
    except OSError as error:
        raise OperatorError(f"{path}: the file of revocations can not be made: {error.strerror}") from error


def _open(path: Path) -> int:
    flags = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return os.open(path, flags)
    folder, made = path.parent.stat(), os.fstat(descriptor)
    if (made.st_uid, made.st_gid) != (folder.st_uid, folder.st_gid):
        # Only root may give a file away; `verify` tells when the one whose folder it is can not read it.
        with contextlib.suppress(PermissionError):
            os.fchown(descriptor, folder.st_uid, folder.st_gid)
    return descriptor


def verify(path: Path, entry: Revocation) -> None:
    """Read the file as the bastion will, and see that it may. OperatorError when `entry` may not come into force."""
    entries, problems = _read(path, _source(path))
    if entry not in entries:
        raise OperatorError(f"{path}: the revocation was written and is not there: NOBODY IS LOCKED OUT; try again")
    owner = path.parent.stat().st_uid
    status = path.stat()
    if not _readable(status, owner):
        raise OperatorError(
            f"{path}: the revocation was written, but NOBODY IS LOCKED OUT: the owner of the folder (user {owner}), as "
            f"which the bastion runs, may not read the file: chown {owner}:{path.parent.stat().st_gid} {path}"
        )
    if problems:
        raise OperatorError(
            f"{path}: the revocation was written and comes into force, but other lines can not be read, and the "
            f"bastion will not start until they are mended:\n{BadFile(problems)}"
        )


def _readable(status: os.stat_result, user: int) -> bool:
    if user == 0:
        return True
    if status.st_uid == user:
        return bool(status.st_mode & stat.S_IRUSR)
    try:
        account = pwd.getpwuid(user)
        groups = os.getgrouplist(account.pw_name, account.pw_gid)
    except KeyError:  # a user without a name is in no group that is known here
        groups = []
    return bool(status.st_mode & (stat.S_IRGRP if status.st_gid in groups else stat.S_IROTH))


def doubts(entry: Revocation) -> list[str]:
    """Why this entry may match nobody: it is good, and looks like a slip. Whether there is anyone is not known here."""
    told = []
    for name in ("tenant", "identity", "issuer"):
        value = getattr(entry, name)
        if value is not None and (value != value.strip() or not value.isprintable()):
            told.append(f"{name} {value!r} has a blank at an end, or what can not be printed: it is compared exactly")
    if not _TENANT.match(entry.tenant):
        told.append(f"tenant {entry.tenant!r} can not be a tenant's name")
    if entry.issuer is not None and not _ISSUER.match(entry.issuer):
        told.append(f"issuer {entry.issuer!r} is no https:// address: it must be the token's `iss`, to the letter")
    elif entry.issuer is not None and entry.issuer.endswith("/"):
        told.append(f"issuer {entry.issuer!r} ends in a slash: few issuers do, and it must be the token's `iss`")
    return told


def now(clock: Callable[[], float]) -> str:
    """The time of `clock` (seconds since 1970) as a line of the file has it."""
    return datetime.fromtimestamp(int(clock()), UTC).isoformat().replace("+00:00", "Z")


def _source(path: Path) -> bytes:
    try:
        source = document.contents(path, MAX_BYTES + 1)
    except OSError as error:
        raise OperatorError(f"{path}: the revocations can not be read: {error.strerror}") from error
    if len(source) > MAX_BYTES:
        raise OperatorError(f"{path}: larger than {MAX_BYTES} bytes; take out what has expired")
    return source


def _read(path: Path, source: bytes) -> tuple[list[Revocation], list[Problem]]:
    """The good lines, and what is wrong with the others."""
    entries: list[Revocation] = []
    problems: list[Problem] = []
    for number, line in enumerate(source.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            entries.append(_entry(json.loads(line, object_pairs_hook=_object)))
        except (ValueError, TypeError, RecursionError) as error:
            what = "not JSON" if isinstance(error, json.JSONDecodeError | UnicodeDecodeError) else str(error)
            problems.append(Problem(Place(document.shown(path), number, 1), f"not a revocation: {what[:200]}"))
    return entries, problems


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for name, member in pairs:
        if name in value:
            raise ValueError(f"duplicate key {name!r}")
        value[name] = member
    return value


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
