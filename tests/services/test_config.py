"""bastion.yaml: what is left out gets its default, what is wrong is told with its place, and nothing unsafe loads."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from bastion.config import Address, Config, Limits, Upstream, load
from bastion.errors import BadFile
from bastion.targets.target import Secret

ROOT = Path(__file__).parents[2]

SMALLEST: dict[str, Any] = {
    "version": 1,
    "ssh": {
        "listen": ["127.0.0.1:0"],
        "names": ["bastion"],
        "host-key": {"credential": "host-key"},
        "host-ca": {"file": "/keys/host-ca"},
    },
    "tenants": {
        "acme": {
            "policies": "policies/acme",
            "inventory": "/inventory/acme.yaml",
            "user-ca": {"credential": "acme-user-ca"},
            "issuers": [{"issuer": "https://issuer.example.com", "audience": ["bastion"], "principals": ["{sub}"]}],
        }
    },
}
OTHER: dict[str, Any] = {
    "policies": "policies/other",
    "inventory": "/inventory/other.yaml",
    "user-ca": {"credential": "other-user-ca"},
    "issuers": [{"issuer": "https://issuer.example.com", "audience": ["other"], "principals": ["{sub}"]}],
}
MISSING = object()


def loaded(tmp_path: Path, changes: dict[str, Any]) -> Config:
    """SMALLEST with `changes`: keys are ways into it (`ssh/listen`), a value MISSING takes the key away."""
    data = copy.deepcopy(SMALLEST)
    for way, value in changes.items():
        *steps, last = way.split("/")
        inner: Any = data
        for step in steps:
            inner = inner[int(step)] if isinstance(inner, list) else inner.setdefault(step, {})
        if isinstance(inner, list):
            inner[int(last) :] = [value]
        elif value is MISSING:
            del inner[last]
        else:
            inner[last] = value
    path = tmp_path / "bastion.yaml"
    path.write_text(json.dumps(data, indent=1))  # JSON is YAML
    return load(path)


def test_what_is_left_out_gets_the_default_that_the_documentation_tells(tmp_path: Path) -> None:
    config = loaded(tmp_path, {})
    state = Path("/var/lib/bastion")
    assert (config.state, config.recordings, config.audit) == (state, state / "recordings", state / "audit.jsonl")
    assert (config.revocations, config.drain, config.api) == (state / "revocations/revocations.jsonl", 30, None)
    assert config.ssh.limits == Limits(15, 128, 32, 6, 64)
    assert config.ssh.upstream == Upstream(10, 120, 10)
    issuer = config.tenants["acme"].issuers[0]
    assert (issuer.lifetime, issuer.skew, issuer.jwks, issuer.tenant) == (900, 30, None, "acme")
    assert issuer.algorithms == ("RS256", "ES256", "EdDSA")
    assert (issuer.groups, issuer.claims, dict(issuer.require)) == ((), (), {})
    assert config.tenants["acme"].target_ca is None


def test_what_is_told_is_what_is_read(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        {
            "ssh/listen": ["0.0.0.0:2222", "[::1]:2223"],
            "ssh/limits": {"handshake": "5s", "unauthenticated": 1, "per-source": 2, "attempts": 3, "channels": 4},
            "ssh/upstream": {"connect": "1s", "keep": "0s", "sessions": 5},
            "api": {"listen": "[::1]:8022"},
            "drain": "1m",
            "tenants/acme/target-ca": {"credential": "acme-target-ca"},
            "tenants/acme/issuers/0/lifetime": "1h",
            "tenants/acme/issuers/0/skew": "0s",
            "tenants/acme/issuers/0/jwks": "http://127.0.0.1:1/jwks",
            "tenants/acme/issuers/0/require": {"owner": ["a", "b"]},
            "tenants/acme/issuers/0/groups": ["agents", "{groups?}"],
            "tenants/acme/issuers/0/claims": ["environment"],
        },
    )
    assert config.ssh.listen == (Address("0.0.0.0", 2222), Address("::1", 2223))  # noqa: S104 -- as above
    assert [str(address) for address in config.ssh.listen] == ["0.0.0.0:2222", "[::1]:2223"]
    assert config.ssh.limits == Limits(5, 1, 2, 3, 4)
    assert config.ssh.upstream == Upstream(1, 0, 5)
    assert config.api is not None
    assert (config.api.listen, config.drain) == (Address("::1", 8022), 60)
    assert config.ssh.host_ca == Secret("file", "/keys/host-ca")
    assert config.tenants["acme"].target_ca == Secret("credential", "acme-target-ca")
    issuer = config.tenants["acme"].issuers[0]
    assert (issuer.lifetime, issuer.skew, issuer.jwks) == (3600, 0, "http://127.0.0.1:1/jwks")
    assert (issuer.groups, issuer.claims, dict(issuer.require)) == (
        ("agents", "{groups?}"),
        ("environment",),
        {"owner": ("a", "b")},
    )


def test_paths_are_relative_to_the_folder_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    config = loaded(tmp_path, {"state": "state", "audit": {"file": "a/audit.jsonl"}})
    assert config.tenants["acme"].policies == tmp_path / "policies/acme"
    assert config.tenants["acme"].inventory == Path("/inventory/acme.yaml")
    assert (config.recordings, config.audit) == (tmp_path / "state/recordings", tmp_path / "a/audit.jsonl")


def test_the_shipped_example_loads() -> None:
    config = load(ROOT / "systemd/bastion.example.yaml")
    assert list(config.tenants) == ["acme"]


@pytest.mark.parametrize(
    ("way", "value", "message"),
    [
        ("version", 2, "not between 1 and 1"),
        ("version", MISSING, "missing key 'version'"),
        ("ssh", MISSING, "missing key 'ssh'"),
        ("tenants", MISSING, "missing key 'tenants'"),
        ("tenants", {}, "no tenant"),
        ("tenants", [], "expected a mapping, found list"),
        ("tenant", {}, "did you mean 'tenants'"),
        ("drain", 30, "expected text"),
        ("drain", "2h", "not between 0 and 3600"),
        ("recordings", {}, "missing key 'directory'"),
        ("audit", {"file": "a", "level": "x"}, "unknown key 'level'"),
        ("ssh/listen", [], "nowhere"),
        ("ssh/listen", "127.0.0.1:22", "expected a list"),
        ("ssh/listen", ["127.0.0.1"], "port must be a number"),
        ("ssh/listen", ["::1:22"], "in brackets"),
        ("ssh/names", [], "good for every host"),
        ("ssh/names", ["*"], "not a host's name"),
        ("ssh/host-key", MISSING, "missing key 'host-key'"),
        ("ssh/host-key", {"file": "keys/host"}, "not an absolute path"),
        ("ssh/host-ca", "x", "expected a mapping"),
        ("ssh/limits", {"attempts": 0}, "not between 1 and 20"),
        ("ssh/limits", {"handshake": "10m"}, "not between 1 and 120"),
        ("ssh/limits", {"per_source": 1}, "did you mean 'per-source'"),
        ("ssh/upstream", {"keep": "2h"}, "not between 0 and 3600"),
        ("api", {"listen": "0.0.0.0:8022"}, "in the clear"),
        ("api", {"listen": "bastion.example.com:443"}, "in the clear"),
        ("api", {"listen": "127.0.0.1:1", "key": {"file": "/k"}}, "together"),
        ("api", {}, "missing key 'listen'"),
        ("tenants/Acme", {}, "not a tenant's name"),
        ("tenants/acme/policies", MISSING, "missing key 'policies'"),
        ("tenants/acme/inventory", MISSING, "missing key 'inventory'"),
        ("tenants/acme/user-ca", MISSING, "missing key 'user-ca'"),
        ("tenants/acme/target-ca", {"credential": "acme-user-ca"}, "are the same key"),
        ("tenants/acme/issuers", MISSING, "missing key 'issuers'"),
        ("tenants/acme/issuers", [], "nobody could get a certificate"),
        ("tenants/acme/issuers/0/issuer", "http://issuer.example.com", "https"),
        ("tenants/acme/issuers/0/issuer", "nonsense", "https"),
        ("tenants/acme/issuers/0/jwks", "http://issuer.example.com/jwks", "https"),
        ("tenants/acme/issuers/0/audience", [], "empty list"),
        ("tenants/acme/issuers/0/audience", MISSING, "missing key 'audience'"),
        ("tenants/acme/issuers/0/algorithms", ["HS256"], "could also forge"),
        ("tenants/acme/issuers/0/algorithms", ["none"], "only asymmetric"),
        ("tenants/acme/issuers/0/algorithms", ["RS25"], "is not one of"),
        ("tenants/acme/issuers/0/algorithms", [], "no token would be accepted"),
        ("tenants/acme/issuers/0/lifetime", "2h", "not between 60 and 3600"),
        ("tenants/acme/issuers/0/lifetime", "30s", "not between 60 and 3600"),
        ("tenants/acme/issuers/0/skew", "5m", "not between 0 and 120"),
        ("tenants/acme/issuers/0/principals", [], "makes no name"),
        ("tenants/acme/issuers/0/principals", ["{sub"], "lone '{'"),
        ("tenants/acme/issuers/0/require", {"owner": []}, "nothing would fit"),
        ("tenants/acme/issuers/0/require", {"owner": "acme"}, "expected a list"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, way: str, value: object, message: str) -> None:
    with pytest.raises(BadFile) as caught:
        loaded(tmp_path, {way: value})
    assert message in str(caught.value)
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize("authority", ["user-ca", "target-ca"])
def test_tenants_never_share_an_authority(tmp_path: Path, authority: str) -> None:
    with pytest.raises(BadFile, match="share the authority 'acme-user-ca'"):
        loaded(tmp_path, {"tenants/other": {**OTHER, authority: {"credential": "acme-user-ca"}}})


def test_two_tenants_that_share_nothing_load(tmp_path: Path) -> None:
    assert list(loaded(tmp_path, {"tenants/other": OTHER}).tenants) == ["acme", "other"]


@pytest.mark.parametrize(
    ("what", "place"),
    [
        ("policies", "policies/acme"),
        ("policies", "policies/../policies/./acme"),
        ("policies", "linked"),
        ("inventory", "/inventory/acme.yaml"),
        ("inventory", "/inventory//x/../acme.yaml"),
    ],
)
def test_tenants_never_share_a_file_however_it_is_spelled(tmp_path: Path, what: str, place: str) -> None:
    (tmp_path / "linked").symlink_to("policies/acme")
    with pytest.raises(BadFile, match=f"'acme' and 'other' share .*{what}"):
        loaded(tmp_path, {"tenants/other": {**OTHER, what: place}})


def issuer(**changes: object) -> dict[str, object]:
    return {"issuer": "https://issuer.example.com", "audience": ["bastion"], "principals": ["{sub}"], **changes}


@pytest.mark.parametrize(
    ("one", "other", "good"),
    [
        ({}, {}, False),
        ({}, {"audience": ["other"]}, True),
        ({"audience": ["a", "b"]}, {"audience": ["b", "c"]}, False),
        ({}, {"issuer": "https://other.example.com"}, True),
        ({}, {"require": {"owner": ["b"]}}, False),
        ({"require": {"owner": ["a"]}}, {"require": {"owner": ["b"]}}, True),
        ({"require": {"owner": ["a", "b"]}}, {"require": {"owner": ["b"]}}, False),
        ({"require": {"owner": ["a"]}}, {"require": {"repository": ["b"]}}, False),
        ({"require": {"owner": ["a"], "x": ["1"]}}, {"require": {"owner": ["b"], "x": ["1"]}}, True),
    ],
)
def test_no_token_is_good_for_two_tenants(
    tmp_path: Path, one: dict[str, object], other: dict[str, object], good: bool
) -> None:
    changes: dict[str, Any] = {"tenants/acme/issuers": [issuer(**one)]}
    changes["tenants/other"] = {**OTHER, "issuers": [issuer(**other)]}
    if good:
        loaded(tmp_path, changes)
        return
    with pytest.raises(BadFile, match="would choose the tenant"):
        loaded(tmp_path, changes)


@pytest.mark.parametrize(
    ("one", "other", "good"),
    [
        (["{sub}"], ["{sub}"], False),
        (["{sub}"], ["{email}"], False),
        (["agent-1"], ["{sub}"], False),
        (["agent-1"], ["agent-2"], True),
        (["github:{sub}"], ["{sub}"], False),
        (["github:{sub}"], ["google:{sub}"], True),
        (["git:{sub}"], ["git:hub:{sub}"], False),
        (["{sub}@a"], ["{sub}@b"], True),
        (["{sub}@a"], ["{sub}@aa"], True),
        (["{sub}a"], ["{sub}ba"], False),
        (["{{{sub}"], ["}}{sub}"], True),
        (["a:{sub}", "{name}"], ["b:{sub}"], False),
    ],
)
def test_two_issuers_of_a_tenant_make_no_name_alike(
    tmp_path: Path, one: list[str], other: list[str], good: bool
) -> None:
    second = issuer(issuer="https://other.example.com", principals=other)
    changes: dict[str, Any] = {"tenants/acme/issuers": [issuer(principals=one), second]}
    if good:
        loaded(tmp_path, changes)
        return
    with pytest.raises(BadFile, match="could make the same principal"):
        loaded(tmp_path, changes)


def test_one_issuer_may_be_listed_twice(tmp_path: Path) -> None:
    """For two audiences, say: its names are its own."""
    loaded(tmp_path, {"tenants/acme/issuers": [issuer(), issuer(audience=["other"])]})


def test_the_api_may_leave_loopback_with_tls(tmp_path: Path) -> None:
    tls = {"listen": "0.0.0.0:443", "certificate": {"file": "/c.pem"}, "key": {"credential": "tls"}}
    api = loaded(tmp_path, {"api": tls}).api
    assert api is not None
    assert (api.certificate, api.key) == (Secret("file", "/c.pem"), Secret("credential", "tls"))


def test_a_file_that_is_not_there_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"nothing\.yaml:1:1"):
        load(tmp_path / "nothing.yaml")


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(BadFile) as caught:
        loaded(tmp_path, {"version": 3, "ssh/names": [], "drain": "x", "tenants/acme/user-ca": {}})
    assert len(caught.value.problems) == 4
