"""A real, certified OpenID provider (oidc-provider from npm), started and restarted by the tests."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx2
import pytest

FOLDER = Path(__file__).parent / "oidc"
START_SECONDS = 60.0


def installed() -> str:
    """Node's path, with the provider's packages in place. Fails, never skips, where they can not be had."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.fail("node (18 or newer) and npm are needed: apt-get install nodejs npm")
    lock = (FOLDER / "package-lock.json").stat().st_mtime
    marker = FOLDER / "node_modules" / ".package-lock.json"
    if not marker.exists() or marker.stat().st_mtime < lock:
        done = subprocess.run(
            [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
            cwd=FOLDER,
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )
        if done.returncode != 0:
            pytest.fail(f"`npm ci` failed in tests/system/oidc:\n{done.stderr[-2000:]}")
        marker.touch()
    return node


class Provider:
    """`start`, use, `stop`; started again it keeps its address, and has the keys that `kid` and `algorithm` ask for."""

    def __init__(self) -> None:
        self.url = ""
        self._port = "0"
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def start(self, kid: str, algorithm: str) -> None:
        self._process = subprocess.Popen(
            [installed(), "provider.mjs", self._port, kid, algorithm],
            cwd=FOLDER,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("ready "):
                self.url = line.split()[1]
                self._port = self.url.rsplit(":", 1)[1]
                return
        pytest.fail("the OpenID provider ended before it was ready")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None

    def answer_device(self, url: str, *, login: str, allow: bool = True) -> None:
        """What a person does in a browser after `bastion login`: confirm the code, sign in, consent (or abort)."""
        with httpx2.Client(follow_redirects=True, timeout=20) as browser:
            page = browser.get(url)
            for _ in range(8):
                fields = _fields(page.text)
                aborting = not allow and "abort" in fields
                if not aborting:
                    fields.pop("abort", None)
                if "login" in fields:
                    fields |= {"login": login, "password": "any"}
                page = browser.post(_action(page), data=fields)
                if aborting or "Sign-in Success" in page.text:
                    return
            pytest.fail(f"the provider's pages ended in none that was expected:\n{page.text[-1500:]}")


def _action(page: httpx2.Response) -> str:
    found = re.search(r'<form[^>]*action="([^"]+)"', page.text)
    return str(page.url.join(html.unescape(found[1]))) if found else str(page.url)


def _fields(text: str) -> dict[str, str]:
    fields = {}
    for tag in re.findall(r"<(?:input|button)[^>]*>", text):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if name:
            fields[name[1]] = html.unescape(value[1]) if value else ""
    return fields
