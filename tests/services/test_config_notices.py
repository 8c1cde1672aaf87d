"""bastion.yaml about notices: where they may go, and what is told with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bastion.config.notices import Notice
from bastion.errors import BadFile
from bastion.targets.target import Secret
from tests.services.test_config import loaded

URL = "https://hooks.example.com/bastion"
SECRET = {"credential": "acme-webhook"}
ONE = {"url": URL, "secret": SECRET}


def test_what_is_told_is_what_is_read(tmp_path: Path) -> None:
    assert loaded(tmp_path, {}).tenants["acme"].notices == ()
    local = {"url": "http://127.0.0.1:9/x", "secret": SECRET, "slack": True}
    secret = Secret("credential", "acme-webhook")
    assert loaded(tmp_path, {"tenants/acme/notices": [ONE, local]}).tenants["acme"].notices == (
        Notice(URL, secret, False),
        Notice("http://127.0.0.1:9/x", secret, True),
    )


@pytest.mark.parametrize(
    ("notices", "told"),
    [
        ([], "an empty list"),
        (ONE, "expected a list"),
        ([{"url": URL}], "missing key 'secret'"),
        ([{"secret": SECRET}], "missing key 'url'"),
        ([{**ONE, "url": "http://hooks.example.com/"}], "must be an https address"),
        ([{**ONE, "url": "ftp://hooks.example.com/"}], "must be an https address"),
        ([{**ONE, "url": "https://me:pass@hooks.example.com/"}], "without a password"),
        ([{**ONE, "url": "https://hooks.example.com/a b"}], "must be an https address"),
        ([{**ONE, "url": 5}], "expected text"),
        ([{**ONE, "slack": "yes"}], "expected true or false"),
        ([{**ONE, "secret": "whsec_abc"}], "expected a mapping"),
        ([{**ONE, "colour": "red"}], "unknown key 'colour'"),
        ([ONE, ONE], "stands twice"),
        ([{**ONE, "url": f"{URL}/{number}"} for number in range(21)], "at most 20"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, notices: Any, told: str) -> None:
    with pytest.raises(BadFile, match=told) as refused:
        loaded(tmp_path, {"tenants/acme/notices": notices})
    assert all(problem.place.line > 1 for problem in refused.value.problems)
