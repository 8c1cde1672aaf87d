"""Where tokens come from, and that they, and the secrets that get them, are shown nowhere."""

from __future__ import annotations

import argparse
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from bastion.cli import login, tokens
from bastion.errors import BastionError, ClientError, OutsideError


def arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    tokens.configure(parser)
    return parser.parse_args(words)


@contextmanager
def answering(status: int, body: bytes) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """A server on loopback with one answer: its URL, and what it was asked (path, Authorization)."""
    asked: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers.get("Authorization", "")))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_from_a_file_the_environment_and_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "token file"
    path.write_text("aaa.bbb.ccc\n")
    monkeypatch.setenv("A_TOKEN", "aaa.bbb.ccc")
    for words in (
        ["--token-file", str(path)],
        ["--token-env", "A_TOKEN"],
        ["--token-command", f"cat '{path}'"],
    ):
        assert tokens.obtain(arguments(*words)) == "aaa.bbb.ccc"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "exactly one of"),
        (["--token-env", "A", "--github-actions"], "exactly one of"),
        (["--token-env", "NOT_SET_ANYWHERE"], "NOT_SET_ANYWHERE is not set"),
        (["--token-file", "/nonexistent/token"], "can not be read"),
        (["--token-command", "/nonexistent/program"], "can not be run"),
        (["--token-command", ""], "exactly one of"),
        (["--token-command", "'"], "can not be run"),
        (["--token-command", "false"], "exit status 1"),
        (["--token-command", "true"], "gave no token"),
        (["--token-command", "printf 'two words'"], "gave no token"),
        (["--token-command", "printf 'a\\nb'"], "gave no token"),
        (["--token-command", "head -c 20000 /dev/zero"], "gave no token"),
        (["--token-command", "printf '\\377'"], "not text"),
        (["--github-actions"], "id-token: write"),
        (["--issuer", "http://idp.example.com", "--client-id", "a", "--client-secret-env", "PATH"], "must be an https"),
        (["--issuer", "https://idp.example.com"], "need --client-id"),
        (["--issuer", "https://idp.example.com", "--client-id", "a"], "--client-secret-file"),
        (
            [
                "--issuer",
                "https://i.example",
                "--client-id",
                "a",
                "--client-secret-env",
                "A",
                "--client-secret-file",
                "B",
            ],
            "give one of",
        ),
    ],
)
def test_what_is_missing_is_said(words: list[str], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ACTIONS_ID_TOKEN_REQUEST_URL", raising=False)
    with pytest.raises(BastionError, match=message):
        tokens.obtain(arguments(*words))


@pytest.mark.parametrize("code", ["print('s3cr3t t0k3n')", "print('s3cr3t'); raise SystemExit(3)"])
def test_no_output_of_a_command_is_in_an_error(code: str) -> None:
    with pytest.raises(BastionError) as refused:
        tokens.obtain(arguments("--token-command", f'{sys.executable} -c "{code}"'.replace("s3cr3t", "s3cr3'+'t")))
    assert "s3cr3t" not in str(refused.value)


def test_github_is_asked_for_this_audience_with_the_jobs_own_token(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(200, b'{"value": "aaa.bbb.ccc"}') as (url, asked):
        monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", f"{url}/token?api-version=2")
        monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "the-jobs-own")
        assert tokens.obtain(arguments("--github-actions", "--audience", "a&b")) == "aaa.bbb.ccc"
    assert asked == [("/token?api-version=2&audience=a%26b", "Bearer the-jobs-own")]


@pytest.mark.parametrize(
    ("status", "body"), [(403, b"{}"), (200, b"{}"), (200, b"<html>"), (200, b'{"value": 7}'), (500, b"")]
)
def test_github_that_gives_no_token_is_told_without_the_jobs_own(
    monkeypatch: pytest.MonkeyPatch, status: int, body: bytes
) -> None:
    with answering(status, body) as (url, _):
        monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", url)
        monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "the-jobs-own")
        with pytest.raises(BastionError) as refused:
            tokens.obtain(arguments("--github-actions"))
    assert "the-jobs-own" not in str(refused.value)


def test_no_proxy_sees_a_secret_that_stays_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        answering(200, b'{"value": "by.the.proxy"}') as (proxy, seen),
        answering(200, b'{"value": "a.b.c"}') as (url, _),
    ):
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy)
        monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", url)
        monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "the-jobs-own")
        assert tokens.obtain(arguments("--github-actions")) == "a.b.c"
        monkeypatch.setenv("SECRET", "s3cr3t")
        words = ["--issuer", url, "--client-id", "a", "--client-secret-env", "SECRET"]
        with pytest.raises(BastionError, match="another issuer"):
            tokens.obtain(arguments(*words))
    assert seen == []


def test_a_secret_is_never_sent_over_plain_http_to_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", "http://tokens.example.com/")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "the-jobs-own")
    with pytest.raises(BastionError, match="must be an https address"):
        tokens.obtain(arguments("--github-actions"))


# -- the device flow's waiting -----------------------------------------------------------------------------------------


def refusing(*errors: str) -> Callable[[], dict[str, Any]]:
    """The token endpoint: these errors, one a question, then a token."""
    from bastion.cli.web import OAuthError

    waiting = list(errors)

    def ask() -> dict[str, Any]:
        if waiting:
            raise OAuthError(waiting.pop(0))
        return {"id_token": "aaa.bbb.ccc"}

    return ask


@pytest.mark.parametrize(
    ("device", "errors", "pauses"),
    [
        ({"interval": 2}, [], [2]),
        ({}, ["authorization_pending"], [5, 5]),
        ({"interval": 1}, ["slow_down", "authorization_pending", "slow_down"], [1, 6, 6, 11]),
        ({"interval": 0}, ["authorization_pending"], [1, 1]),
        ({"interval": -5}, [], [1]),
        ({"interval": "x"}, [], [5]),
        ({"interval": 100000}, [], [60]),
    ],
)
def test_the_issuer_is_asked_at_its_own_pace(device: dict[str, Any], errors: list[str], pauses: list[float]) -> None:
    slept: list[float] = []
    answer = login._wait(refusing(*errors), device, slept.append, lambda: sum(slept))
    assert answer == {"id_token": "aaa.bbb.ccc"}
    assert slept == pauses


@pytest.mark.parametrize(
    ("errors", "kind", "message"),
    [
        (["access_denied"], ClientError, "refused"),
        (["expired_token"], ClientError, "expired"),
        (["authorization_pending"] * 1000, ClientError, "expired"),
        (["slow_down"] * 1000, ClientError, "expired"),
        (["server_error"], OutsideError, "server_error"),
    ],
)
def test_waiting_ends(errors: list[str], kind: type[BastionError], message: str) -> None:
    slept: list[float] = []
    with pytest.raises(kind, match=message):
        login._wait(refusing(*errors), {"expires_in": 300}, slept.append, lambda: sum(slept))
    assert sum(slept) < 400


@pytest.mark.parametrize("field", ["user_code", "verification_uri"])
def test_control_characters_of_an_issuer_reach_no_terminal(field: str) -> None:
    device = {"user_code": "A", "verification_uri": "https://i", field: "\x1b]0;x\x07"}
    with pytest.raises(OutsideError, match="can not be shown"):
        login._invitation(device)


def test_a_secret_file_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("s3cr3t\n")
    path.chmod(stat.S_IRUSR)
    assert tokens.client_secret(arguments("--client-secret-file", str(path))) == "s3cr3t"
