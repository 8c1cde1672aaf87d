"""Recordings over HTTP: the catalogue, the file itself, where its commands are, and whether it is the one that was
recorded."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from aiohttp import web

from bastion.api import pages, shapes
from bastion.api.acted import Acted
from bastion.api.guard import Asked, Handler
from bastion.api.problems import Conflict, NotHere, problem
from bastion.api.routes import CAST
from bastion.api.streams import Streams
from bastion.kept import Recording
from bastion.recording import reading

_RANGE = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})\Z")
_PIECE = 64 << 10
_AT_ONCE = 2
"""Files whose digest is made at the same time."""


class Catalogue(Protocol):
    """Closed recordings of every process."""

    async def page(self, tenant: str, before: pages.Cursor | None, limit: int) -> list[Recording]: ...

    async def find(self, tenant: str, session: str) -> Recording | None: ...

    async def verified(self, tenant: str, session: str, at: float, whole: bool) -> None: ...


class Trail(Protocol):
    """searching.Searching, for recordings."""

    async def digest(self, tenant: str, session: str) -> tuple[bool | None, str, int]: ...

    async def commands(
        self, directory: Path, tenant: str, session: str, path: str
    ) -> tuple[list[dict[str, Any]] | None, bool]: ...


class Recordings:
    """`directory` is where they are; `clock` gives seconds since 1970."""

    def __init__(
        self,
        catalogue: Catalogue,
        directory: Path,
        trail: Trail,
        streams: Streams,
        acted: Acted,
        clock: Callable[[], float],
    ) -> None:
        self._catalogue = catalogue
        self._directory = directory
        self._trail = trail
        self._streams = streams
        self._acted = acted
        self._clock = clock
        self._verifying = asyncio.Semaphore(_AT_ONCE)

    def handlers(self) -> Mapping[str, Handler]:
        return {"recordings": self.list, "recording": self.show, "cast": self.cast, "verify": self.verify}

    async def list(self, asked: Asked) -> Mapping[str, Any]:
        limit = pages.limit(asked.query)
        found = await self._catalogue.page(asked.tenant, pages.before(asked.query), limit + 1)
        return await pages.page(found, limit, shapes.recording, lambda one: (one.started, one.session))

    async def show(self, asked: Asked) -> Mapping[str, Any]:
        """With its markers, which are commands and their verdicts."""
        found = await self._find(asked)
        markers, whole = await self._trail.commands(self._directory, found.tenant, found.session, found.path)
        return {**shapes.recording(found), "markers": markers or [], "markers_whole": markers is not None and whole}

    async def cast(self, asked: Asked) -> web.StreamResponse:
        found = await self._find(asked)
        descriptor = await asyncio.to_thread(self._opened, found)
        try:
            size = os.fstat(descriptor).st_size
            wanted = _range(asked.request.headers.get("Range"), size)
            if wanted is None:
                return problem(416, "no such range", {"Content-Range": f"bytes */{size}"})
            await self._acted(asked.caller, "replay", found.session)
            start, end = wanted
            headers = {"Content-Type": CAST, "Accept-Ranges": "bytes", "Content-Length": str(end - start)}
            headers["Content-Disposition"] = f'attachment; filename="{found.session}.cast"'
            partial = (start, end) != (0, size)
            if partial:
                headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
            response = web.StreamResponse(status=206 if partial else 200, headers=headers)
            async with self._streams.open(asked.request, asked.caller, response) as stream:
                while start < end and stream.going:
                    piece = await asyncio.to_thread(os.pread, descriptor, min(_PIECE, end - start), start)
                    if not piece:
                        raise ConnectionError("the file is shorter than it was")
                    await stream.write(piece)
                    start += len(piece)
                if start < end:
                    raise ConnectionError("the one who asked may not have the rest")
            return response
        finally:
            os.close(descriptor)

    async def verify(self, asked: Asked) -> Mapping[str, Any]:
        """Whether the file is, byte for byte, the one that the audit trail tells of."""
        found = await self._find(asked)
        await self._acted(asked.caller, "verify", found.session)
        known, sha256, size = await self._trail.digest(found.tenant, found.session)
        async with self._verifying:
            ours = await asyncio.to_thread(self._digest, found)
        trail = {"sha256": sha256, "size": size} if known else None
        answer = {"session": found.session, "trail": trail, "file": None if ours is None else _told(ours)}
        if known is None:
            return {**answer, "whole": None, "why": "the audit trail could not be searched in time: try again"}
        whole = ours is not None and known and ours == (sha256, size)
        await self._catalogue.verified(found.tenant, found.session, self._clock(), whole)
        return {**answer, "whole": whole, "why": "" if whole else _why(known, ours)}

    # -- inside

    async def _find(self, asked: Asked) -> Recording:
        found = await self._catalogue.find(asked.tenant, asked.path["session"])
        if found is None:
            raise NotHere("no such recording")
        return found

    def _opened(self, found: Recording) -> int:
        try:
            return reading.opened(self._directory, found.tenant, found.session, found.path)
        except reading.NoRecording as error:
            raise Conflict("the catalogue has this recording, and its file is not there") from error

    def _digest(self, found: Recording) -> tuple[str, int] | None:
        """None where the file is not there, or can not be read."""
        try:
            descriptor = reading.opened(self._directory, found.tenant, found.session, found.path)
        except reading.NoRecording:
            return None
        try:
            return reading.digest(descriptor)
        except OSError:
            return None
        finally:
            os.close(descriptor)


def _told(found: tuple[str, int]) -> Mapping[str, Any]:
    return {"sha256": found[0], "size": found[1]}


def _why(known: bool, ours: tuple[str, int] | None) -> str:
    if not known:
        return "the audit trail does not tell of this recording"
    return "its file is not there" if ours is None else "the file is not the one that was recorded"


def _range(header: str | None, size: int) -> tuple[int, int] | None:
    """The bytes that are asked for (RFC 9110 section 14.2), all where it is no single range; None where there are none
    such."""
    found = _RANGE.match(header) if header is not None else None
    if found is None or found[1] == found[2] == "":
        return 0, size
    if found[1] == "":
        length = min(int(found[2]), size)
        return (size - length, size) if length else None
    start = int(found[1])
    end = min(int(found[2]) + 1, size) if found[2] else size
    return (start, end) if start < end else None
