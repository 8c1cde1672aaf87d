"""Past commands are read from the audit trail as it is written, each with the groups of its certificate."""

from __future__ import annotations

import orjson

from bastion.audit.events import CertificateIssued, CommandJudged, Event
from bastion.audit.past import Judged, Unusable, read


def issued(serial: int, groups: tuple[str, ...]) -> Event:
    return CertificateIssued(
        tenant="acme",
        identity="agent@acme",
        issuer="https://i.example.com",
        subject="agent",
        serial=serial,
        source="192.0.2.1",
        fingerprint="SHA256:x",
        principals=("agent@acme", "repo:acme/x"),
        groups=groups,
        valid_after=0,
        valid_before=1,
    )


def judged(text: bytes, serial: int = 7, request: str = "exec", script: bytes | None = None) -> Event:
    return CommandJudged(
        tenant="acme",
        identity="agent@acme",
        issuer="https://i.example.com",
        subject="agent",
        serial=serial,
        source="192.0.2.7",
        connection="c1",
        target="web-1",
        account="deploy",
        session="s1",
        request=request,
        text=text,
        runs=None,
        effect="deny",
        rule="default",
        reason="no",
        policy="sha256:x",
        script=script,
    )


def lines(*events: Event) -> list[bytes]:
    """As the log writes them, but for the chain."""
    time = "2027-01-15T08:00:00.000000Z"
    return [orjson.dumps({"seq": n, "time": time, **event.record()}) + b"\n" for n, event in enumerate(events, 1)]


def test_a_command_has_the_groups_of_its_certificate() -> None:
    (found,) = read(lines(issued(6, ("sre",)), issued(7, ("agents",)), judged(b"uptime")))
    assert found == Judged(
        "s1",
        "acme",
        b"uptime",
        ("agent@acme", "repo:acme/x"),
        frozenset({"agents"}),
        "web-1",
        "deploy",
        "192.0.2.7",
        1_800_000_000.0,
    )


def test_without_the_certificate_in_the_trail_the_groups_are_not_known() -> None:
    (found,) = read(lines(judged(b"uptime")))
    assert isinstance(found, Judged)
    assert (found.groups, found.principals) == (None, ("agent@acme",))


def test_groups_whose_list_was_cut_are_not_known() -> None:
    (found,) = read(lines(issued(7, tuple(f"g{number}" for number in range(65))), judged(b"uptime")))
    assert isinstance(found, Judged)
    assert found.groups is None


def test_a_text_is_had_back_byte_for_byte() -> None:
    for text in (b"ls", b"a\\x41", b"\xff\x00\\", "größe\u202e".encode()):
        (found,) = read(lines(judged(text)))
        assert isinstance(found, Judged)
        assert found.command == text


def test_shells_are_no_commands_and_bad_lines_are_told() -> None:
    good = lines(judged(b"", request="shell"), judged(b"id"))
    found = list(read([good[0], b'{"kind": "command-judged"}\n', b'{"kind": "command-judged", tor', good[1]]))
    assert [type(one) for one in found] == [Unusable, Unusable, Judged]
    assert [one.line for one in found if isinstance(one, Unusable)] == [2, 3]


def test_a_script_on_standard_input_is_a_part_of_the_command() -> None:
    for script in (b"uptime\nid\n", b"\xff"):
        (found,) = read(lines(judged(b"bash -s", script=script)))
        assert isinstance(found, Judged)
        assert found.stdin == script
