"""Certificates that must not log anyone in, on the outer and on the inner hop, and keys that were not proven.

Each: the reason to the client and to the audit trail, and not one connection to the target.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.system.harness.bastion import TENANT, Bastion, Target
from tests.system.harness.client import BAD, GOOD, OTHER, Client, Maker, Paper
from tests.system.harness.raw import FAILURE, PK_OK, SUCCESS, knock, log_in
from tests.system.harness.sshd import ACCOUNT, Sshd

REASONS = {
    "expired": "expired",
    "not yet valid": "not yet valid",
    "too long-lived": "lives longer than 3600 seconds",
    "wrong CA": "unknown authority",
    "host CA": "unknown authority",
    "target CA": "unknown authority",
    "wrong tenant": "another tenant",
    "no principal": "names no principal",
    "another's principal": "principals are not those of its identity",
    "host type": "a host certificate does not log anyone in",
    "unknown critical option": "critical option",
    "another address": "may not be used from this address",
}
STOCK = sorted(set(BAD) - {"host type"})
"""Those that OpenSSH's client is willing to show at all."""


@pytest.fixture(scope="module")
def bastion(tmp_path_factory: pytest.TempPathFactory, target: Sshd) -> Iterator[Bastion]:
    """Its clients offer several certificates in one connection, so it is patient."""
    served = Bastion(tmp_path_factory.mktemp("bastion"), [Target.of("web-1", target)])
    served.settings["ssh"]["limits"] = {"attempts": 20}
    with served:
        yield served


def inside(tmp_path: Path, bastion: Bastion, outer: Client, paper: Paper | None) -> Client:
    """A client whose outer hop is `outer`'s, and whose inner login shows a certificate of its own."""
    proxy = f"ProxyCommand ssh -F {outer.config} -W %h:%p bastion"
    return Client(tmp_path / "inside", bastion, (), paper=paper, options=(proxy, f"User {ACCOUNT}"))


def refusals(bastion: Bastion, before: int, reason: str) -> list[dict[str, object]]:
    def told() -> list[dict[str, object]]:
        return [event for event in bastion.audit("login-refused")[before:] if reason in event["reason"]]

    bastion.wait_audit(lambda _: bool(told()))
    return told()


OURS = {"expired", "not yet valid", "too long-lived", "unknown critical option", "another address"}
"""Those that our authority signed for the identity that is in them: the trail tells whose they are."""


def test_every_bad_certificate_has_its_reason_here() -> None:
    assert sorted(REASONS) == sorted(BAD)


@pytest.mark.parametrize("name", STOCK)
@pytest.mark.parametrize("words", [("web-1",), (f"{ACCOUNT}%web-1@bastion",)], ids=["jump", "direct"])
def test_refused_on_the_outer_hop(
    bastion: Bastion, client: Maker, target: Sshd, name: str, words: tuple[str, ...]
) -> None:
    before, opened = len(bastion.audit("login-refused")), target.accepted
    done = client(paper=BAD[name]).run(*words, "true")
    assert done.returncode == 255
    assert REASONS[name] in done.stderr.decode()
    assert done.stderr.startswith(b"bastion: ")
    assert len(refusals(bastion, before, REASONS[name])) == 1
    assert target.accepted == opened


@pytest.mark.parametrize("name", STOCK)
def test_refused_on_the_inner_hop(bastion: Bastion, client: Maker, target: Sshd, tmp_path: Path, name: str) -> None:
    before, opened = len(bastion.audit("login-refused")), target.accepted
    done = inside(tmp_path, bastion, client(), BAD[name]).run("web-1", "true")
    assert done.returncode == 255
    assert REASONS[name] in done.stderr.decode()
    (refused,) = refusals(bastion, before, REASONS[name])
    assert refused.get("identity") == ("agent-1" if name in OURS else None)
    assert target.accepted == opened


@pytest.mark.parametrize(
    "paper",
    [replace(GOOD, identity=OTHER), replace(GOOD, serial=8), GOOD],
    ids=["another identity", "the same identity, another serial", "the same in all, for another key"],
)
def test_the_inner_login_must_present_the_outer_certificate(
    bastion: Bastion, client: Maker, target: Sshd, tmp_path: Path, paper: Paper
) -> None:
    before, opened = len(bastion.audit("login-refused")), target.accepted
    done = inside(tmp_path, bastion, client(), paper).run("web-1", "true")
    assert done.returncode == 255
    assert "must present the same certificate" in done.stderr.decode()
    assert refusals(bastion, before, "must present the same certificate")
    assert target.accepted == opened


def test_a_plain_key_logs_no_one_in(bastion: Bastion, client: Maker, target: Sshd) -> None:
    opened = target.accepted
    done = client(paper=None).run("web-1", "true")
    assert (done.returncode, target.accepted) == (255, opened)
    assert b"Permission denied" in done.stderr
    bastion.wait_audit(
        lambda event: "1 plain keys" in event.get("reason", "") and event["kind"] == "connection-refused"
    )


def test_a_certificate_for_another_users_key_logs_no_one_in(client: Maker, target: Sshd) -> None:
    """Copied certificate bytes beside a thief's own key: stock ssh offers them and signs with the key it has."""
    owner, thief, opened = client(), client(paper=None), target.accepted
    thief.certificate.write_bytes(owner.certificate.read_bytes())
    done = thief.run("-o", f"CertificateFile={thief.certificate}", "web-1", "true")
    assert (done.returncode, target.accepted) == (255, opened)


@pytest.mark.parametrize("inner", [False, True], ids=["outer", "inner"])
@pytest.mark.parametrize("fault", ["another's key", "another session"])
async def test_a_signature_that_proves_nothing(
    bastion: Bastion, client: Maker, target: Sshd, fault: str, *, inner: bool
) -> None:
    owner, thief, opened = client(), client(), target.accepted
    before = len(bastion.audit("login-refused"))
    through = await log_in(bastion, owner) if inner else None
    raw = await knock(bastion, owner, through=through)
    raw.offer(ACCOUNT, owner)
    assert await raw.answer() == PK_OK
    if fault == "another's key":
        raw.prove(ACCOUNT, owner, key=thief)
    else:
        raw.prove(ACCOUNT, owner, session=b"\0" * len(raw.session))
    assert await raw.answer() == FAILURE
    (refused,) = refusals(bastion, before, "does not prove")
    assert (refused["tenant"], refused["identity"], refused["serial"]) == (TENANT, "agent-1", 7)
    assert raw.watcher.banners == ["bastion: the signature does not prove the certificate's key\r\n"]
    raw.prove(ACCOUNT, owner)
    assert await raw.answer() == SUCCESS
    raw.abort()
    if through is not None:
        through.abort()
    assert target.accepted == opened


@pytest.mark.parametrize("inner", [False, True], ids=["outer", "inner"])
async def test_a_host_certificate_with_its_key_proven_logs_no_one_in(
    bastion: Bastion, client: Maker, *, inner: bool
) -> None:
    before, host = len(bastion.audit("login-refused")), client(paper=BAD["host type"])
    through = await log_in(bastion, client()) if inner else None
    raw = await knock(bastion, host, through=through)
    raw.prove(ACCOUNT, host)
    assert await raw.answer() == FAILURE
    assert REASONS["host type"] in raw.watcher.banners[0]
    assert refusals(bastion, before, REASONS["host type"])
    raw.abort()
    if through is not None:
        through.abort()


async def test_who_offers_one_certificate_and_proves_another_is_the_other(bastion: Bastion, client: Maker) -> None:
    mine, others = client(paper=replace(GOOD, serial=41)), client(paper=replace(GOOD, identity=OTHER, serial=42))
    raw = await knock(bastion, mine)
    raw.offer("someone", others)
    raw.offer("someone", mine)
    assert [await raw.answer(), await raw.answer()] == [PK_OK, PK_OK]
    raw.offer("someone", others)
    raw.prove("someone", mine)
    while (kind := await raw.answer()) != SUCCESS:
        assert kind == PK_OK
    raw.abort()
    event = bastion.wait_audit(lambda event: event.get("user") == "someone")
    assert (event["kind"], event["identity"], event["serial"]) == ("login-accepted", "agent-1", 41)
    assert not [event for event in bastion.audit("login-accepted") if event["serial"] == 42]


async def test_a_proof_that_is_overtaken_by_another_request_lets_no_one_in(bastion: Bastion, client: Maker) -> None:
    """The first login is still being written to the audit trail when the second request comes: it must not count."""
    first, second = client(paper=replace(GOOD, serial=51)), client(paper=replace(GOOD, identity=OTHER, serial=52))
    raw = await knock(bastion, first)
    raw.prove("overtaken", first)
    raw.prove("overtaken", second, key=first)
    answers = [await raw.answer()]
    if answers == [SUCCESS]:  # the disk was quicker: then it is the first, and the second request was too late
        assert bastion.audit("login-accepted")[-1]["serial"] == 51
    else:
        assert answers == [FAILURE]
    raw.abort()
    assert not [event for event in bastion.audit("login-accepted") if event["serial"] == 52]
