"""The running bastion, asked over its Unix socket: bounded, and with its problems told in one line.

Who one is there the kernel says: root and the bastion's own user are its operators. The demo alone can be asked as
another person (`--as`, with `--dir`), by a token of its own issuer.

Bounds: an answer has at most MAX_BYTES, comes whole within TOTAL seconds, and is taken uncompressed. What goes on
(events, recordings) is bounded by the line, and by SILENCE seconds without any. A bastion that says "too many" is asked
again when it says so, TRIES times in all.

Limits: whoever can replace the socket's file is taken for the bastion; its folder is the bastion's own for that reason.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from bastion.api import unix
from bastion.characters import shown
from bastion.cli import WrongUsage
from bastion.errors import BastionError, ClientError, Denied, NoSuchRequest, OperatorError, OutsideError

TOTAL = 75.0
"""Seconds; the bastion itself cuts an ordinary answer after 60."""
SILENCE = 45.0
"""Seconds; a stream says every 15 that it is alive."""
MAX_BYTES = 16 << 20
MAX_LINE = 8 << 20
PAGE = 200
TRIES = 5
_NOT_RUNNING = "no bastion listens at {}: is it running, and is this its socket (--socket, --dir, --config)?"

Told = dict[str, Any]
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}\Z")


def named(id: str) -> str:
    """An id as it goes into an address; what can not be one there is none of (NoSuchRequest)."""
    if not _ID.match(id):
        raise NoSuchRequest(f"no such id: {shown(id, 130)}")
    return id


class NoEvent(OutsideError):
    """What was sent has not the form of an event: asking again is no use."""

    def __init__(self) -> None:
        super().__init__("the bastion sent an event that is none")


@dataclass(frozen=True, slots=True)
class Sent:
    """One Server-Sent Event. `kind` is empty for one without a name."""

    kind: str
    data: str
    id: str

    @property
    def value(self) -> Any:
        """The data as JSON. NoEvent."""
        try:
            return json.loads(self.data)
        except (ValueError, RecursionError):
            raise NoEvent from None


class Bastion:
    """Life: `with`. `tenant` is sent with every request where it is known; `token` makes one another person."""

    def __init__(self, socket: Path, tenant: str | None = None, token: str | None = None) -> None:
        self._socket = socket
        self._tenant = tenant
        self._headers = {"Accept-Encoding": "identity"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        self._folder = -1

    def __enter__(self) -> Bastion:
        self._look()
        try:
            # By the folder's descriptor: the kernel takes 107 bytes of a path, and a demo's may be longer.
            self._folder = os.open(self._socket.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise _unreachable(self._socket, error) from error
        transport = httpx2.HTTPTransport(uds=f"/proc/self/fd/{self._folder}/{self._socket.name}")
        self._client = httpx2.Client(transport=transport, headers=self._headers, base_url="http://bastion")
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        os.close(self._folder)

    def get(self, path: str, **query: Any) -> Told:
        """A JSON object. NoSuchRequest (404), Denied (401, 403), WrongUsage (400), ClientError, OutsideError."""
        return self._ask("GET", path, query, None)

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Told:
        return self._ask("POST", path, {}, dict(body or {}))

    def items(self, path: str, most: int, **query: Any) -> Iterator[Told]:
        """Members of a list, at most so many, asked for by the page."""
        cursor: str | None = None
        while most > 0:
            page = self.get(path, limit=min(most, PAGE), cursor=cursor, **query)
            found = page.get("items")
            if not isinstance(found, list):
                raise OutsideError(f"{shown(path)} was answered without a list")
            yield from found[:most]
            most -= len(found)
            cursor = page.get("next")
            if cursor is None:
                return

    @contextlib.contextmanager
    def stream(self, path: str, last: str = "") -> Iterator[Iterator[Sent]]:
        """Server-Sent Events, until they end; `last` is the id of the last one had before."""
        headers = {"Last-Event-ID": last} if last else {}
        with self._opened(path, headers) as answer:
            yield _events(_lines(self._pieces(answer)))

    @contextlib.contextmanager
    def body(self, path: str) -> Iterator[Iterator[bytes]]:
        """The pieces of a large file; one that ends early is an OutsideError."""
        with self._opened(path, {}) as answer:
            yield self._pieces(answer)

    # -- inside

    def _ask(self, method: str, path: str, query: Mapping[str, Any], body: object) -> Told:
        for attempt in range(TRIES):
            status, answer, wait = self._once(method, path, query, body)
            if status != 429 or attempt == TRIES - 1:
                break
            time.sleep(wait)
        if 200 <= status < 300 and answer:
            return answer
        raise _problem(status, answer)

    def _once(self, method: str, path: str, query: Mapping[str, Any], body: object) -> tuple[int, Told, float]:
        ends, raw = time.monotonic() + TOTAL, b""
        with self._sent(method, path, query, {}, body, TOTAL) as answer:
            for piece in self._pieces(answer):
                raw += piece
                if len(raw) > MAX_BYTES or time.monotonic() > ends:
                    raise OutsideError(f"the bastion's answer has more than {MAX_BYTES} bytes, or takes too long")
            return answer.status_code, _object(raw), _wait(answer)

    def _look(self) -> None:
        """Whether anybody listens, here, where the system's own error is at hand."""
        try:
            unix.connect(self._socket).close()
        except OSError as error:
            raise _unreachable(self._socket, error) from error

    @contextlib.contextmanager
    def _opened(self, path: str, headers: Mapping[str, str]) -> Iterator[httpx2.Response]:
        self._look()
        for attempt in range(TRIES):
            with self._sent("GET", path, {}, headers, None, SILENCE) as answer:
                if answer.status_code == 200:
                    yield answer
                    return
                raw = b""
                for piece in self._pieces(answer):
                    raw = (raw + piece)[: 64 << 10]
                if answer.status_code != 429 or attempt == TRIES - 1:
                    raise _problem(answer.status_code, _object(raw))
            time.sleep(_wait(answer))

    @contextlib.contextmanager
    def _sent(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any],
        headers: Mapping[str, str],
        body: object,
        timeout: float,
    ) -> Iterator[httpx2.Response]:
        asked = {**query, "tenant": self._tenant}
        words = {name: _word(value) for name, value in asked.items() if value is not None}
        try:
            with self._client.stream(
                method, path, params=words, headers=dict(headers), json=body, timeout=timeout
            ) as answer:
                yield answer
        except httpx2.HTTPError as error:
            raise _unreachable(self._socket, error) from error

    def _pieces(self, answer: httpx2.Response) -> Iterator[bytes]:
        if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise OutsideError("the bastion answered compressed, which it was not asked to")
        try:
            yield from answer.iter_raw()
        except httpx2.HTTPError as error:
            raise _unreachable(self._socket, error) from error


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _wait(answer: httpx2.Response) -> float:
    """Seconds until one may ask again."""
    wait = answer.headers.get("Retry-After", "1")
    return min(float(wait), 10.0) if wait.isdecimal() else 1.0


def _object(raw: bytes) -> Told:
    try:
        value = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _problem(status: int, answer: Mapping[str, Any]) -> BastionError:
    """Problem details (RFC 9457) as an error for people; its status is what the exit status says (bastion.cli)."""
    detail = answer.get("detail")
    told = shown(detail, 1000) if isinstance(detail, str) else f"the bastion answered {status}"
    match status:
        case 404:
            return NoSuchRequest(told)
        case 401 | 403:
            return Denied(told)
        case 400:
            return WrongUsage(told.replace("(?tenant=)", "(--tenant)"))
        case _ if 400 <= status < 500:
            return ClientError(told)
    return OutsideError(told)


def _unreachable(socket: Path, error: Exception) -> BastionError:
    place = shown(str(socket), 500)
    match _errno(error):
        case errno.EACCES | errno.EPERM:
            return Denied(f"{place}: only root and the bastion's own user may use it")
        case errno.ENOENT | errno.ENOTDIR | errno.ECONNREFUSED:
            return OperatorError(_NOT_RUNNING.format(place))
    if isinstance(error, httpx2.TimeoutException):
        return OutsideError("the bastion does not answer in time")
    if isinstance(error, httpx2.RemoteProtocolError | httpx2.ReadError | httpx2.WriteError):
        return OutsideError("the bastion ended the connection: it was stopped, or you are not one who may use it")
    return OutsideError(f"{place} can not be reached: {shown(str(error) or type(error).__name__)}")


def _errno(error: BaseException | None) -> int | None:
    """Of the system's error that this one came of."""
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            return error.errno
        error = error.__cause__ or error.__context__
    return None


def _lines(pieces: Iterator[bytes]) -> Iterator[str]:
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        if len(rest) > MAX_LINE:
            raise OutsideError(f"the bastion sent a line of more than {MAX_LINE} bytes")
        for line in whole:
            yield line.decode("utf-8", "replace").rstrip("\r")


def _events(lines: Iterator[str]) -> Iterator[Sent]:
    """HTML standard, section 9.2.6; each event of the bastion's has one line of data."""
    kind = data = last = ""
    for line in lines:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield Sent(kind, data, last)
            kind = data = ""
        elif name == "event":
            kind = value
        elif name == "data":
            data = value
        elif name == "id":
            last = value
