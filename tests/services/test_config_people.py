"""bastion.yaml about people: roles, consoles and owners, and what of them is refused because it would be unsafe."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import pytest

from bastion.config.people import Console
from bastion.errors import BadFile
from bastion.targets.target import Secret
from tests.services.test_config import OTHER, loaded

ISSUER = "https://issuer.example.com"
CONSOLE = {"issuer": ISSUER, "client-id": "console"}
API = {"listen": "127.0.0.1:8022"}


def test_what_is_told_of_people_is_what_is_read(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        {
            "api": {**API, "public": "https://bastion.example.com/", "observers": ["10.0.0.0/8", "::1"]},
            "tenants/acme/console": {**CONSOLE, "client-secret": {"credential": "c"}, "scopes": ["openid", "groups"]},
            "tenants/acme/roles": {"viewer": ["staff"], "operator": ["platform", "root"]},
            "tenants/acme/issuers/0/owner": "{owner?}",
        },
    )
    acme = config.tenants["acme"]
    assert acme.console == Console(ISSUER, "console", Secret("credential", "c"), ("openid", "groups"))
    assert acme.roles == {"viewer": ("staff",), "operator": ("platform", "root")}
    assert acme.issuers[0].owner == "{owner?}"
    assert config.api is not None
    assert config.api.public == "https://bastion.example.com"
    assert config.api.observers == (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("::1"))


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ("https://Bastion.example.com:443", "https://bastion.example.com"),
        ("https://bastion.example.com:8443/", "https://bastion.example.com:8443"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("http://localhost:443", "http://localhost:443"),
    ],
)
def test_the_public_address_is_what_a_browser_calls_its_origin(tmp_path: Path, told: str, read: str) -> None:
    config = loaded(tmp_path, {"api": {**API, "public": told}})
    assert config.api is not None
    assert config.api.public == read


def test_nobody_has_a_role_and_nobody_logs_in_unless_it_is_said(tmp_path: Path) -> None:
    config = loaded(tmp_path, {"api": API})
    acme = config.tenants["acme"]
    assert (acme.roles, acme.console, acme.issuers[0].owner) == ({}, None, "")
    assert config.api is not None
    assert (config.api.public, config.api.observers) == (None, None)


@pytest.mark.parametrize(
    ("way", "value", "message"),
    [
        ("tenants/acme/roles", {"root": ["a"]}, "root"),
        ("tenants/acme/roles", {"viewer": []}, "empty list"),
        ("tenants/acme/roles", {"viewer": ["ops-*"]}, "named whole"),
        ("tenants/acme/console", {"issuer": ISSUER}, "client-id"),
        ("tenants/acme/console", {**CONSOLE, "issuer": "https://other.example.com"}, "is none of the tenant's"),
        ("tenants/acme/console", {**CONSOLE, "scopes": ["email"]}, "openid"),
        ("tenants/acme/console", {**CONSOLE, "scopes": ["openid", "a b"]}, "not a scope"),
        ("tenants/acme/console", {**CONSOLE, "client-id": "a\nb"}, "printable"),
        ("tenants/acme/console", {**CONSOLE, "client-secret": "s3cr3t"}, "expected a mapping"),
        ("tenants/acme/issuers/0/owner", "{owner", "lone"),
        ("api/public", "http://bastion.example.com", "https"),
        ("api/public", "https://bastion.example.com/console", "without a path"),
        ("api/public", "https://user@bastion.example.com", "without a path"),
        ("api/public", "https://bastion.example.com:x", "without a path"),
        ("api/observers", ["everywhere"], "no network"),
        ("api/observers", ["10.0.0.1/8"], "no network"),
    ],
)
def test_what_is_wrong_with_people_is_told(tmp_path: Path, way: str, value: object, message: str) -> None:
    with pytest.raises(BadFile, match=message):
        loaded(tmp_path, {"api": dict(API), way: value})


def test_a_console_needs_an_api_and_an_address_that_people_use(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="no `api`"):
        loaded(tmp_path, {"tenants/acme/console": CONSOLE})
    far = {"listen": "0.0.0.0:443", "certificate": {"file": "/c"}, "key": {"file": "/k"}}
    with pytest.raises(BadFile, match=r"api\.public"):
        loaded(tmp_path, {"tenants/acme/console": CONSOLE, "api": far})


def test_people_come_from_one_entry_of_the_issuers(tmp_path: Path) -> None:
    again = {"issuer": ISSUER, "audience": ["second"], "principals": ["{sub}"]}
    with pytest.raises(BadFile, match="more than one"):
        loaded(tmp_path, {"api": API, "tenants/acme/console": CONSOLE, "tenants/acme/issuers/1": again})


@pytest.mark.parametrize(
    ("mine", "theirs", "refused"),
    [
        ({"console": CONSOLE}, {"console": CONSOLE}, True),
        ({"console": CONSOLE}, {"console": {**CONSOLE, "client-id": "theirs"}}, False),
        ({"console": {**CONSOLE, "client-id": "other"}}, {}, True),  # the other tenant's audience
        ({}, {"console": {**CONSOLE, "client-id": "bastion"}}, True),  # and the other way round
    ],
)
def test_no_id_token_is_good_for_two_tenants(
    tmp_path: Path, mine: dict[str, Any], theirs: dict[str, Any], refused: bool
) -> None:
    changes = {"api": API, "tenants/other": {**OTHER, **theirs}}
    changes |= {f"tenants/acme/{name}": value for name, value in mine.items()}
    if not refused:
        assert loaded(tmp_path, changes).tenants["other"].console is not None
        return
    with pytest.raises(BadFile, match="same ID tokens"):
        loaded(tmp_path, changes)
