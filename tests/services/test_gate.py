"""The gate: what it lets through, what it says of the rest, and that every permission is told of before it is given."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from bastion.errors import BadCertificate, Denied, NoSuchTarget, NotRecorded
from bastion.gate import Allowed
from bastion.identity.principal import BadCredential
from bastion.policy import loader
from bastion.policy.masks import Chosen, Mask, choose
from bastion.targets.inventory import Inventory
from tests.services.gate_house import KNOCK, NOW, POLICY, House, asked, target


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


# -- who


async def test_a_login_is_told_before_it_is_accepted(house: House) -> None:
    credential = house.credential()
    assert house.trail.events == []
    await house.gate.login(KNOCK, credential, "deploy")
    assert house.trail.kinds == ["login-accepted"]


async def test_nobody_logs_in_while_the_trail_can_not_be_written(house: House) -> None:
    credential = house.credential()
    house.trail.failing = True
    with pytest.raises(NotRecorded):
        await house.gate.login(KNOCK, credential, "deploy")
    with pytest.raises(NotRecorded):
        await house.gate.admit(KNOCK, credential, "web-1", "deploy")


async def test_a_revocation_that_comes_while_the_login_is_told_ends_it(house: House) -> None:
    """The connection is not yet among the live ones, which a revocation ends: the login itself must look again."""
    credential = house.credential()
    house.trail.before_return = house.revoke
    with pytest.raises(BadCertificate, match="revoked: left"):
        await house.gate.login(KNOCK, credential, "deploy")


async def test_what_strangers_cause_is_told_without_waiting(house: House) -> None:
    house.gate.refused(KNOCK, "root", "expired")
    house.gate.never_proven(KNOCK, "garbage")
    assert house.trail.kinds == ["login-refused", "connection-refused"]
    assert "identity" not in house.trail.events[0].record()


async def test_whose_certificate_was_refused_is_told_where_it_is_one_of_ours(house: House) -> None:
    """By tenant, identity, serial and key: it was signed by our authority, though its key was not proven."""
    house.revoke()
    with pytest.raises(BadCredential) as caught:
        house.credential()
    house.gate.refused(KNOCK, "root", str(caught.value), caught.value.credential)
    record = house.trail.events[-1].record()
    assert (record["tenant"], record["identity"], record["serial"]) == ("acme", "agent-1", 7)
    assert str(record["fingerprint"]).startswith("SHA256:")


async def test_what_is_not_offered_is_told_with_its_place(house: House) -> None:
    context = await house.context()
    house.gate.request_refused(KNOCK, context.credential, "agent forwarding")
    house.gate.request_refused(KNOCK, context.credential, "agent forwarding", context, "5e551011")
    bare, placed = (event.record() for event in house.trail.events[-2:])
    assert not {"target", "account", "session"} & bare.keys()
    assert (placed["target"], placed["account"], placed["session"]) == ("web-1", "deploy", "5e551011")


# -- where


@pytest.mark.parametrize(
    ("host", "port", "groups", "reason"),
    [
        ("nowhere", 22, {"agents"}, "no such target"),
        ("db-1", 22, {"agents"}, "no rule lets this identity reach it"),
        ("web-1", 22, {"others"}, "no rule lets this identity reach it"),
        ("web-1", 80, {"agents"}, "not an SSH port: 80"),
    ],
)
def test_absent_and_not_permitted_look_alike(house: House, host: str, port: int, groups: set[str], reason: str) -> None:
    """The one refused is told the same; the audit trail which it was."""
    credential = house.credential(groups=frozenset(groups))
    with pytest.raises(NoSuchTarget) as caught:
        house.gate.visible(KNOCK, credential, host, port)
    assert str(caught.value) == "no such target or account, or not permitted"
    assert [getattr(event, "reason", "") for event in house.trail.events] == [reason]


@pytest.mark.parametrize(
    ("host", "account", "reason"),
    [
        ("web-1", "nobody", "no such target or account"),
        ("web-1", "root", "no rule lets this identity reach it"),
        ("db-1", "deploy", "no rule lets this identity reach it"),
        ("nowhere", "deploy", "no such target or account"),
    ],
)
async def test_so_do_accounts(house: House, host: str, account: str, reason: str) -> None:
    with pytest.raises(NoSuchTarget) as caught:
        await house.gate.admit(KNOCK, house.credential(), host, account)
    assert str(caught.value) == "no such target or account, or not permitted"
    assert [getattr(event, "reason", "") for event in house.trail.events] == [reason]


async def test_an_admission_says_who_where_and_whence(house: House) -> None:
    context = await house.context()
    assert (context.target.name, context.account.name, context.knock, context.tenant) == (
        "web-1",
        "deploy",
        KNOCK,
        "acme",
    )
    assert house.trail.kinds == ["admitted"]


# -- what


async def test_masks_that_nobody_foresaw_are_compiled_where_one_is_admitted_and_not_on_the_loop(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = b"version: 1\nmask: [{id: m, detectors: [iban]}]\n"
    house.tenant.policy = replace(house.tenant.policy, masks=loader.load_texts({"a.yaml": text}).masks)
    threads: list[int] = []

    def chosen(masks: tuple[Mask, ...], key: bytes) -> Chosen:
        threads.append(threading.get_ident())
        return choose(masks, key)

    monkeypatch.setattr("bastion.policy.masks.choose", chosen)
    context = await house.context()
    assert house.gate.masking(context)() is not None
    assert len(threads) == 1
    assert threads != [threading.get_ident()]


async def test_what_is_allowed_carries_the_printed_text_and_is_told_first(house: House) -> None:
    context = await house.context()
    allowed = await house.gate.judge(context, asked(b"echo   hello\\ you"))
    assert allowed.runs is not None
    assert allowed.runs != b"echo   hello\\ you"
    assert allowed.decision.rule == "look"
    event = house.trail.events[-1]
    assert event.kind == "command-judged"
    assert getattr(event, "runs", None) == allowed.runs


async def test_what_is_denied_has_its_event_too(house: House) -> None:
    context = await house.context()
    with pytest.raises(Denied) as caught:
        await house.gate.judge(context, asked(b"reboot"))
    assert caught.value.rule == "default"
    assert house.trail.kinds == ["admitted", "command-judged"]
    assert getattr(house.trail.events[-1], "runs", b"") is None


async def test_nothing_is_allowed_while_the_trail_can_not_be_written(house: House) -> None:
    context = await house.context()
    house.trail.failing = True
    with pytest.raises(NotRecorded):
        await house.gate.judge(context, asked())


@pytest.mark.parametrize(
    "part", ["asked.analyse", "verdicts.decide", "verdicts.request", "verdicts.Subject", "verdicts.runs"]
)
@pytest.mark.parametrize(
    "fault", [RuntimeError("boom"), RecursionError(), MemoryError(), KeyError("x"), NotImplementedError()]
)
async def test_whatever_fails_between_request_and_decision_denies(
    house: House, monkeypatch: pytest.MonkeyPatch, part: str, fault: Exception
) -> None:
    """Law 3: with a reason, and an event; nothing of the fault's own words reaches the client."""
    context = await house.context()

    def fails(*_: object, **__: object) -> None:
        raise fault

    monkeypatch.setattr(f"bastion.{part}", fails)
    with pytest.raises(Denied, match="could not be judged") as caught:
        await house.gate.judge(context, asked())
    assert caught.value.rule == "error"
    assert house.trail.kinds == ["admitted", "command-judged"]
    assert getattr(house.trail.events[-1], "effect", "") == "deny"


async def test_what_can_not_be_printed_is_not_allowed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law 1, should analysis and policy ever disagree: an allowed exec without a text would be a raw shell."""
    context = await house.context()
    monkeypatch.setattr("bastion.verdicts.runs", lambda *_: None)
    with pytest.raises(Denied, match="nothing could be printed"):
        await house.gate.judge(context, asked())


@pytest.mark.parametrize(
    ("change", "rule", "reason"),
    [
        ("revoked", "certificate", "revoked: left"),
        ("expired", "certificate", "has expired since this connection began"),
        ("target removed", "inventory", "changed or removed since"),
        ("target moved", "inventory", "changed or removed since"),
        ("account changed", "inventory", "changed or removed since"),
    ],
)
async def test_what_has_changed_since_the_connection_began_is_seen(
    house: House, change: str, rule: str, reason: str
) -> None:
    context = await house.context()
    await house.gate.judge(context, asked())
    web = target("web-1")
    match change:
        case "revoked":
            house.revoke()
        case "expired":
            house.now = NOW + 600
        case "target removed":
            house.tenant.inventory = Inventory([])
        case "target moved":
            house.tenant.inventory = Inventory([replace(web, host="192.0.2.99")])
        case _:
            accounts = {**web.accounts, "deploy": replace(web.accounts["deploy"], shell="dash")}
            house.tenant.inventory = Inventory([replace(web, accounts=accounts)])
    with pytest.raises(Denied, match=reason) as caught:
        await house.gate.judge(context, asked())
    assert caught.value.rule == rule
    assert house.trail.kinds == ["admitted", "command-judged", "command-judged"]


async def test_an_inventory_read_again_without_a_change_changes_nothing(house: House) -> None:
    context = await house.context()
    house.tenant.inventory = Inventory([target("db-1"), target("web-1")])
    await house.gate.judge(context, asked())


async def test_the_policy_in_force_is_the_one_that_judges(house: House, tmp_path: Path) -> None:
    context = await house.context()
    (tmp_path / "policy.yaml").write_text(POLICY.replace("uptime", "true"))
    house.tenant.policy = loader.load(tmp_path)
    with pytest.raises(Denied):
        await house.gate.judge(context, asked(b"uptime"))
    await house.gate.judge(context, asked(b"true"))


async def test_a_rule_for_some_hours_and_networks_is_judged_by_the_gates_clock_and_the_clients_address(
    house: House, tmp_path: Path
) -> None:
    """An hour that ends during a session, and a source that is not the client's."""
    when = "when: {hours: '07:00-09:00', networks: [%s]}"
    context = await house.context()
    for network, hours_later, allowed in (
        ("192.0.2.0/24", 0, True),
        ("192.0.2.0/24", 2, False),
        ("10.0.0.0/8", 0, False),
    ):
        rule = f'commands: ["uptime"]\n    {when % network}'
        (tmp_path / "policy.yaml").write_text(POLICY.replace('commands: ["uptime", "echo **"]', rule))
        house.tenant.policy = loader.load(tmp_path)
        house.now = NOW + hours_later * 3600  # NOW is eight o'clock in UTC
        context = replace(context, credential=replace(context.credential, valid_before=NOW + 86400))
        if allowed:
            await house.gate.judge(context, asked())
        else:
            with pytest.raises(Denied):
                await house.gate.judge(context, asked())


async def test_a_permission_is_for_one_context_only(house: House) -> None:
    """Another context of the same person at the same account is another one."""
    mine, other = await house.context(), await house.context()
    allowed = await house.gate.judge(mine, asked())
    allowed.for_context(mine)
    with pytest.raises(Denied, match="another session"):
        allowed.for_context(other)


@pytest.mark.parametrize("kind", ["shell", "subsystem", "forward", "x11", ""])
async def test_what_no_rule_covers_is_denied_whatever_it_is_called(house: House, kind: str) -> None:
    with pytest.raises(Denied):
        await house.gate.judge(await house.context(), asked(b"sftp", kind))


async def test_variables_are_dropped_unless_a_rule_passes_them_and_their_values_are_not_told(house: House) -> None:
    environment = {b"LANG": b"C", b"LD_PRELOAD": b"/tmp/evil.so", b"\xff": b"x", b"BAD": b"\xff"}
    allowed: Allowed = await house.gate.judge(await house.context(), asked(environment=environment))
    assert dict(allowed.environment) == {}
    record = house.trail.events[-1].record()
    assert record["dropped"] == ["BAD", "LANG", "LD_PRELOAD", "\\xff"]
    assert "evil" not in str(record)
