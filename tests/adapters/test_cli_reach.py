"""Answers that no bastion gives, at the socket where one should be: one clear line, and nothing without bounds."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bastion.cli import main, reach
from bastion.cli.reach import Bastion, Sent
from bastion.errors import ClientError, OutsideError

Answer = Callable[[int], bytes]


def http(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    told = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(told).encode() + b"\r\n\r\n" + body


@contextmanager
def answering(path: Path, answer: Answer) -> Iterator[list[bytes]]:
    """A server that answers the n-th request so; what it was asked."""
    asked: list[bytes] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(path))
        listening.listen()
        listening.settimeout(0.1)
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                try:
                    connection, _ = listening.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.settimeout(10)
                    _exchange(connection, asked, answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield asked
        finally:
            ended.set()
            thread.join()


def _exchange(connection: socket.socket, asked: list[bytes], answer: Answer) -> None:
    request = connection.recv(65536)
    if not request:
        return  # looked whether anybody is there
    asked.append(request)
    try:
        connection.sendall(answer(len(asked)))
    except OSError:
        asked.append(b"gone")  # had enough


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"", "ended the connection"),
        (b"SSH-2.0-OpenSSH\r\n", "ended the connection"),
        (http(b"not json"), "the bastion answered 200"),
        (http(b"[1]"), "the bastion answered 200"),
        (http(b"{}"), "the bastion answered 200"),
        (http(b'{"items": 5}'), "without a list"),
        (http(b"[" * 100_000), "the bastion answered 200"),
        (http(b'{"items": []}', "500 Broken"), "the bastion answered 500"),
        (
            http(json.dumps({"detail": "x\x1b[2J\n\u202e" + "y" * 5000}).encode(), "503 Down"),
            "x\\x1b[2J\\x0a\\u{202e}yyy",
        ),
        (http(gzip.compress(b'{"items": []}'), "200 OK", "Content-Encoding: gzip"), "compressed"),
        (http(b'{"items": []}', "302 Found", "Location: http://127.0.0.1:1/"), "the bastion answered 302"),
        (http(b" " * 50)[:-10], "ended the connection"),
    ],
)
def test_what_is_no_answer_of_a_bastion_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], answer: bytes, told: str
) -> None:
    with answering(tmp_path / "s", lambda _: answer):
        assert main(["sessions", "list", "--socket", str(tmp_path / "s")]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert told in printed.err
    assert len(printed.err.splitlines()) == 1
    assert len(printed.err) < 2000
    assert "\x1b" not in printed.err


def test_an_answer_without_end_is_not_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reach, "MAX_BYTES", 100_000)
    with answering(tmp_path / "s", lambda _: http(b" " * 10_000_000)):
        assert main(["sessions", "list", "--socket", str(tmp_path / "s")]) == 1
    assert "more than 100000 bytes" in capsys.readouterr().err


def test_too_many_is_asked_again_when_it_says_so_and_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("bastion.cli.reach.time.sleep", waits.append)
    busy = http(b'{"detail": "too many requests"}', "429 Busy", "Retry-After: 3")
    with answering(tmp_path / "s", lambda number: busy if number < 3 else http(b'{"items": [], "next": null}')):
        assert main(["sessions", "list", "--json", "--socket", str(tmp_path / "s")]) == 0
    assert waits == [3.0, 3.0]
    (tmp_path / "s").unlink()
    with answering(tmp_path / "s", lambda _: http(b"{}", "429 Busy", "Retry-After: 999999")) as asked:
        assert main(["sessions", "list", "--socket", str(tmp_path / "s")]) == 1
    assert len(asked) == reach.TRIES
    assert max(waits) == 10.0


def test_a_stream_too_many_is_asked_for_again_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("bastion.cli.reach.time.sleep", waits.append)
    busy = http(b'{"detail": "too many streams"}', "429 Busy", "Retry-After: 5")
    with (
        answering(tmp_path / "s", lambda number: busy if number < 3 else http(b"data: [1]\n\n")),
        Bastion(tmp_path / "s") as bastion,
        bastion.stream("/v1/events") as events,
    ):
        assert list(events) == [Sent("", "[1]", "")]
    assert waits == [5.0, 5.0]
    (tmp_path / "s").unlink()
    with (
        answering(tmp_path / "s", lambda _: busy) as asked,
        Bastion(tmp_path / "s") as bastion,
        pytest.raises(ClientError, match="too many streams"),
        bastion.stream("/v1/events"),
    ):
        pass
    assert len(asked) == reach.TRIES


def test_events_are_read_as_browsers_read_them(tmp_path: Path) -> None:
    stream = (
        b': hi\r\n\r\nretry: 5\n\nid: e-1\nevent: approval\ndata: {"id": "x"}\n\n:\n\ndata:[1]\nother: x\n\ndata: cut'
    )
    with (
        answering(tmp_path / "s", lambda _: http(stream, "200 OK", "Content-Type: text/event-stream")) as asked,
        Bastion(tmp_path / "s", "acme", "tok") as bastion,
        bastion.stream("/v1/events", "e-0") as events,
    ):
        assert list(events) == [Sent("approval", '{"id": "x"}', "e-1"), Sent("", "[1]", "e-1")]
    assert b"Last-Event-ID: e-0" in asked[0]
    assert b"Authorization: Bearer tok" in asked[0]
    assert asked[0].startswith(b"GET /v1/events?tenant=acme ")


@pytest.mark.parametrize(
    ("words", "stream"),
    [
        (["sessions", "watch", "x"], b"event: header\ndata: {\n\n"),
        (["approvals", "watch"], b"event: approval\ndata: [1]\n\n"),
    ],
)
def test_an_event_that_is_none_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], stream: bytes
) -> None:
    empty = b'{"items": [], "next": null}'
    with answering(tmp_path / "s", lambda number: http(stream if number == 1 else empty)):
        assert main([*words, "--socket", str(tmp_path / "s")]) == 1
    assert "an event that is none" in capsys.readouterr().err


def test_a_line_without_end_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "MAX_LINE", 1000)
    with (
        answering(tmp_path / "s", lambda _: http(b"data: " + b"x" * 1_000_000)),
        Bastion(tmp_path / "s") as bastion,
        bastion.stream("/v1/events") as events,
        pytest.raises(OutsideError, match="a line of more than 1000 bytes"),
    ):
        list(events)
