"""Answers of a bastion's API or an issuer that are wrong: one clear line, soon, and nothing in place is touched."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from bastion.characters import hidden
from bastion.cli import main, web
from bastion.cli.held import Held
from bastion.errors import OperatorError
from bastion.identity.authority import Authority, generate
from bastion.identity.principal import Identity

AUTHORITY = Authority.load(generate()[0], None, "demo-user-ca")
IDENTITY = Identity("demo", "https://i", "agent", ("agent@demo",), frozenset(), {})
TOKEN = "SECRET.TOKEN.x"
ESCAPES = "\x1b]0;owned\x07\x1b[2J\r\nbastion: all is well\u202e\u2800"

Answer = dict[str, Any] | bytes
Made = Callable[[BaseHTTPRequestHandler, dict[str, Any], str], Answer | None]


class Server:
    """A server on loopback. `answer` gets the handler, what was posted and the URL; None when it wrote itself."""

    def __init__(self) -> None:
        self.answer: Made = lambda *_: {}
        self.status = 200
        self.headers: dict[str, str] = {}
        self.released = Event()
        self.url = ""


@contextmanager
def serving() -> Iterator[Server]:
    made = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            posted = json.loads(raw) if raw.startswith(b"{") else {}
            answer = made.answer(self, posted, made.url)
            if answer is None:
                self.close_connection = True
                return
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(made.status)
            for name, value in {**made.headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(body)
            except OSError:
                self.close_connection = True  # the client had enough, which is what is tested

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield made
    finally:
        made.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as made:
        yield made


def good(public: str, *, before: int = 600, after: int = -10) -> dict[str, Any]:
    """What a bastion answers."""
    now = int(time.time())
    certificate = AUTHORITY.issue_user(public, IDENTITY, serial=1, valid_after=now + after, valid_before=now + before)
    told = {"serial": 1, "valid_before": "2027-01-15T08:15:00Z", "principals": ["agent@demo"]}
    return {"certificate": certificate, "host_ca": AUTHORITY.public, **told}


class Command:
    """`bastion cert`, in this process, against the server."""

    def __init__(self, url: str, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._words = ["cert", "--api", url, "--token-env", "A_TOKEN", "--out", str(out)]
        self._capsys = capsys

    def run(self, *words: str) -> tuple[int, str, str]:
        status = main([*self._words, *words])
        told = self._capsys.readouterr()
        assert TOKEN not in told.out + told.err
        for line in (told.out + told.err).splitlines():
            assert not hidden(line)
        return status, told.out, told.err


@pytest.fixture
def command(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    monkeypatch.setenv("A_TOKEN", TOKEN)
    return Command(server.url, tmp_path / "held", capsys)


def in_place(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


OTHER = generate()[1]

WRONG: dict[str, Callable[[dict[str, Any]], Answer]] = {
    "no certificate": lambda a: {**a, "certificate": None},
    "a certificate that is not base64": lambda a: {**a, "certificate": "x abc"},
    "a certificate that is not ASCII": lambda a: {**a, "certificate": "x é"},
    "a certificate that is cut": lambda a: {**a, "certificate": a["certificate"][:200]},
    "a certificate altered": lambda a: {**a, "certificate": a["certificate"][:-30] + "AAAA" + a["certificate"][-26:]},
    "two certificates": lambda a: {**a, "certificate": f"{a['certificate']}\n{a['certificate']}"},
    "a certificate for another key": lambda a: {**a, "certificate": good(OTHER)["certificate"]},
    "a plain key as certificate": lambda a: {**a, "certificate": OTHER},
    "a host certificate": lambda a: {
        **a,
        "certificate": AUTHORITY.issue_host(OTHER, ["x"], serial=1, key_id="x", valid_after=0, valid_before=1),
    },
    "no authority": lambda a: {**a, "host_ca": 7},
    "an authority that is no key": lambda a: {**a, "host_ca": "ssh-ed25519 not-a-key"},
    "an authority with more in its line": lambda a: {**a, "host_ca": f"{OTHER}\n@cert-authority * {OTHER}"},
    "an authority with options": lambda a: {**a, "host_ca": "ssh-ed25519 AAAA @revoked"},
    "principals that are a number": lambda a: {**a, "principals": 7},
    "principals that are numbers": lambda a: {**a, "principals": [7]},
    "no principals": lambda a: {name: value for name, value in a.items() if name != "principals"},
    "a list": lambda _: b"[]",
    "a number": lambda _: b"7",
    "nothing": lambda _: b"",
    "no JSON": lambda _: b"<html>",
    "JSON in UTF-16": lambda a: json.dumps(a).encode("utf-16"),
    "JSON too deep": lambda _: b"[" * 100_000,
    "a number too long": lambda _: b'{"a": ' + b"9" * 10_000 + b"}",
    "more than there may be": lambda _: b" " * (web.MAX_BYTES + 1),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_answer_is_one_line_and_touches_nothing(
    server: Server, command: Command, tmp_path: Path, name: str
) -> None:
    server.answer = lambda _, posted, __: good(posted["public_key"])
    assert command.run()[0] == 0
    before = in_place(tmp_path / "held")
    server.answer = lambda _, posted, __: WRONG[name](good(posted["public_key"]))
    status, out, err = command.run()
    assert (status, out) == (1, "")
    assert err.startswith("bastion cert: ")
    assert len(err.splitlines()) == 1, err
    assert in_place(tmp_path / "held") == before


@pytest.mark.parametrize(("before", "after"), [(-1, -600), (4000, -10), (2**40, -10)])
def test_a_certificate_that_is_over_or_for_ever_is_refused(
    server: Server, command: Command, tmp_path: Path, before: int, after: int
) -> None:
    server.answer = lambda _, posted, __: good(posted["public_key"], before=before, after=after)
    assert command.run()[0] == 1
    assert not Held(tmp_path / "held").certificate.exists()


def test_what_the_api_says_obeys_no_terminal(server: Server, command: Command) -> None:
    more = {"serial": ESCAPES, "valid_before": ESCAPES, "principals": [ESCAPES, "agent"]}
    server.answer = lambda _, posted, __: {**good(posted["public_key"]), **more}
    status, out, _ = command.run()
    assert status == 0
    assert len(out.splitlines()) == 1
    assert r"\x1b]0;owned" in out
    server.answer, server.status = lambda *_: {"detail": ESCAPES}, 403
    status, _, err = command.run()
    assert status == 1
    assert r"answered 403: \x1b]0;owned" in err
    assert len(err.splitlines()) == 1


def test_what_is_kept_is_spelled_by_us(server: Server, command: Command, tmp_path: Path) -> None:
    """Comments of a server do not come into files that OpenSSH reads."""
    server.answer = lambda _, posted, __: {
        name: f"{value} comment @revoked" if name in ("certificate", "host_ca") else value
        for name, value in good(posted["public_key"]).items()
    }
    assert command.run()[0] == 0
    held = Held(tmp_path / "held")
    assert held.known_hosts.read_text() == f"@cert-authority * {AUTHORITY.public}\n"
    assert len(held.certificate.read_text().split()) == 2


def test_a_compressed_answer_is_not_unpacked(server: Server, command: Command) -> None:
    packed = gzip.compress(b" " * (64 << 20))
    server.answer, server.headers = lambda *_: packed, {"Content-Encoding": "gzip"}
    status, _, err = command.run()
    assert (status, "answered compressed" in err) == (1, True)


@pytest.mark.parametrize("where", ["status", "headers", "body"])
def test_an_answer_that_drips_ends_in_time(
    server: Server, command: Command, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """One byte now and then, which no bound between two bytes would end."""
    monkeypatch.setattr(web, "TOTAL", 0.6)

    def drip(handler: BaseHTTPRequestHandler, _: dict[str, Any], __: str) -> None:
        start = {
            "status": b"",
            "headers": b"HTTP/1.1 200 OK\r\nX: ",
            "body": b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n",
        }
        try:
            handler.wfile.write(start[where])
            while not server.released.wait(0.1):
                handler.wfile.write(b"H" if where == "status" else b" ")
        except OSError:
            handler.close_connection = True

    server.answer = drip
    status, _, err = command.run()
    assert (status, "did not answer whole within" in err or "can not be reached" in err) == (1, True), err


def issuer(server: Server, path: str, status: int, wrong: Answer) -> None:
    """Discovery and the device's start are as they should be; what is asked at `path` gets `status` and `wrong`."""

    def answer(handler: BaseHTTPRequestHandler, _: dict[str, Any], url: str) -> Answer:
        server.status = status if handler.path == path else 200
        if handler.path == path:
            return wrong
        if handler.path == "/device":
            return {
                "device_code": "d",
                "user_code": "AB-CD",
                "verification_uri": "https://i.example.com/",
                "interval": 1,
            }
        return {"issuer": url, "token_endpoint": f"{url}/token", "device_authorization_endpoint": f"{url}/device"}

    server.answer = answer


DISCOVERY = "/.well-known/openid-configuration"
NONSENSE: list[tuple[int, Answer]] = [
    (400, {"error": ESCAPES, "error_description": ESCAPES}),
    (400, {"error": {"a": ESCAPES}}),
    (400, {"error": None}),
    (200, {}),
    (200, {"access_token": 7, "id_token": 7}),
    (200, {"access_token": ["a"], "id_token": {}}),
    (200, {"access_token": ESCAPES, "id_token": ESCAPES, "user_code": ESCAPES, "verification_uri": ESCAPES}),
    (200, {"device_code": "d", "user_code": "A\u034f\u2800B", "verification_uri": "https://x/"}),
    (200, {"error": ESCAPES}),
    (200, b"7"),
    (200, b"[]"),
    (200, b"<html>"),
    (200, b"\xff\xfe"),
    (200, b"[" * 100_000),
    (200, b" " * (web.MAX_BYTES + 1)),
    (500, ESCAPES.encode()),
    (302, b""),
]


@pytest.mark.parametrize("path", ["/token", "/device", DISCOVERY])
@pytest.mark.parametrize(("status", "wrong"), NONSENSE)
def test_an_issuer_that_answers_nonsense_is_told_in_one_line(
    server: Server,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    status: int,
    wrong: Answer,
) -> None:
    monkeypatch.setenv("A_SECRET", TOKEN)
    monkeypatch.setattr("time.sleep", lambda _: None)
    issuer(server, path, status, wrong)
    words = ["--api", server.url, "--issuer", server.url, "--client-id", "a", "--out", str(tmp_path / "held")]
    for command in ("cert", "login"):
        if command == "cert" and path == "/device":
            continue
        assert main([command, *words, "--client-secret-env", "A_SECRET"]) == 1
        told = capsys.readouterr()
        assert (told.out, TOKEN in told.err) == ("", False)
        *before, last = told.err.splitlines()
        assert last.startswith(f"bastion {command}: ")
        assert before in ([], ["Open https://i.example.com/", "and enter the code AB-CD"])
        assert not hidden("".join(told.err.splitlines()))


def test_an_https_issuer_does_not_lead_to_plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    for url in ("http://127.0.0.1:8080/token", "http://localhost/token"):
        monkeypatch.setattr(web, "get", lambda *_, url=url: {"issuer": "https://i.example.com", "token_endpoint": url})
        with pytest.raises(OperatorError, match="must be an https address"):
            web.discover("https://i.example.com", None, "token_endpoint")
