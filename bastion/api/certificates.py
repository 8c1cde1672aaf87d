"""Certificates over HTTP: traded for tokens, listed, revoked.

A revocation is a line of the same file that `bastion ca revoke` writes: it is on the disk before the answer, and in
force when the bastion has read the file, within the second.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from bastion.api import pages, shapes
from bastion.api.acted import Acted, reason
from bastion.api.bodies import bearer, read_json
from bastion.api.bounds import MAX_BODY
from bastion.api.guard import Asked, Handler
from bastion.api.problems import BadRequest, NotHere
from bastion.errors import OperatorError, OutsideError
from bastion.identity import revocation
from bastion.identity.issuance import Issued
from bastion.identity.revocation import Revocation
from bastion.kept import Certificate

log = logging.getLogger(__name__)


class NotRevoked(OutsideError):
    """The revocation is not in the file, or the bastion may not be able to read it."""


class Issuing(Protocol):
    """The port to identity.issuance."""

    async def issue(self, token: str, public_key: str, tenant: str | None, source: str) -> Issued: ...


class Kept(Protocol):
    """Certificates that were issued, by every process."""

    async def page(self, tenant: str, before: pages.Cursor | None, limit: int) -> list[Certificate]: ...

    async def find(self, tenant: str, serial: int) -> Certificate | None: ...

    async def revoked(self, tenant: str, serial: int, at: float, why: str) -> Certificate: ...


class Issue:
    """`host_ca` is the host authority's public line, `names` the principals of the bastion's own host certificate."""

    def __init__(self, issuing: Issuing, host_ca: str, names: Sequence[str]) -> None:
        self._issuing = issuing
        self._host_ca = host_ca
        self._names = tuple(names)

    async def __call__(self, asked: Asked) -> Mapping[str, Any]:
        request = asked.request
        body = _body(await read_json(request, MAX_BODY))
        source = request.remote or "unknown"
        issued = await self._issuing.issue(bearer(request), body["public_key"], body.get("tenant"), source)
        return {
            "certificate": issued.certificate,
            "serial": issued.serial,
            "valid_after": _time(issued.valid_after),
            "valid_before": _time(issued.valid_before),
            "principals": list(issued.identity.principals),
            "tenant": issued.identity.tenant,
            "host_ca": self._host_ca,
            "names": list(self._names),
        }


class Certificates:
    """`file` is that of the revocations; `clock` gives seconds since 1970."""

    def __init__(self, kept: Kept, file: Path, acted: Acted, clock: Callable[[], float]) -> None:
        self._kept = kept
        self._file = file
        self._acted = acted
        self._clock = clock

    def handlers(self) -> Mapping[str, Handler]:
        return {"certificates": self.list, "revoke_certificate": self.revoke}

    async def list(self, asked: Asked) -> Mapping[str, Any]:
        limit = pages.limit(asked.query)
        found = await self._kept.page(asked.tenant, pages.before(asked.query), limit + 1)
        return await pages.page(found, limit, shapes.certificate, lambda one: (one.valid_after, str(one.serial)))

    async def revoke(self, asked: Asked) -> Mapping[str, Any]:
        number = asked.path["serial"]
        serial = int(number) if number.isascii() and number.isdigit() and len(number) <= 20 else 0
        if not 0 < serial < 1 << 64 or await self._kept.find(asked.tenant, serial) is None:
            raise NotHere("no such certificate")
        why = reason(asked)
        await self._acted(asked.caller, "revoke-certificate", str(serial), why)
        entry = Revocation(asked.tenant, why, revocation.now(self._clock), serial=serial)
        try:
            await asyncio.to_thread(_write, self._file, entry)
        except OperatorError as error:
            log.error("%s", error)
            raise NotRevoked("the revocation may not be in force: the bastion's log says why") from error
        return shapes.certificate(await self._kept.revoked(asked.tenant, serial, self._clock(), why))


def _write(file: Path, entry: Revocation) -> None:
    revocation.add(file, entry)
    revocation.verify(file, entry)


def _body(body: object) -> dict[str, Any]:
    """`public_key` and at most `tenant`, all text. BadRequest."""
    if not isinstance(body, dict) or "public_key" not in body:
        raise BadRequest('expected a JSON object such as {"public_key": "ssh-ed25519 AAAA…"}')
    for name, value in body.items():
        if name not in ("public_key", "tenant") or not isinstance(value, str):
            raise BadRequest("expected 'public_key' and at most 'tenant', both text")
    return body


def _time(seconds: int) -> str:
    """RFC 3339, UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
