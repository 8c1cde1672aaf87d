"""The trail searched from its end: everything that fits and nothing else, in pages that miss and repeat nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bastion.audit import search as searched
from bastion.audit.search import Sought, digest, search

HOUR = 3600.0
START = 1_800_000_000.0


def event(number: int, tenant: str = "acme", kind: str = "admitted", **values: Any) -> dict[str, Any]:
    stamp = searched._stamp(START + number)
    return {"seq": number + 1, "previous": "0" * 64, "time": stamp, "kind": kind, "tenant": tenant, **values}


def trail(folder: Path, events: list[dict[str, Any]], torn: bytes = b"") -> Path:
    path = folder / "audit.jsonl"
    path.write_bytes(b"".join(orjson.dumps(one) + b"\n" for one in events) + torn)
    return path


def all_pages(path: Path, sought: Sought, most: int) -> list[int]:
    """The numbers of all events that are found, page by page."""
    found: list[int] = []
    before: int | None = None
    for _ in range(1000):
        page: dict[str, Any] = search(path, sought, before, most, 60.0)
        assert len(page["events"]) <= most
        found += [one["seq"] - 1 for one in page["events"]]
        before = page["next"]
        if before is None:
            return found
    raise AssertionError("the pages do not end")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    tenants=st.lists(st.sampled_from(["acme", "other", "acme2"]), max_size=60),
    most=st.integers(1, 10),
    block=st.sampled_from([1, 7, 100, 300, 5000]),
)
def test_pages_miss_nothing_and_repeat_nothing(
    tmp_path: Path, tenants: list[str], most: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the file is cut into blocks, and however short the pages."""
    monkeypatch.setattr(searched, "BLOCK", block)
    path = trail(tmp_path, [event(number, tenant, text="x" * number) for number, tenant in enumerate(tenants)])
    expected = [number for number, tenant in enumerate(tenants) if tenant == "acme"][::-1]
    assert all_pages(path, Sought("acme"), most) == expected


EVENTS = [
    event(0, kind="admitted", identity="agent-1", target="web-1"),
    event(1, kind="command-judged", identity="agent-1", target="web-1", session="s1", text="rm -rf /"),
    event(2, kind="command-judged", identity="agent-2", target="db-1", session="s2", text='echo "Grün"'),
    event(3, "other", kind="command-judged", identity="agent-1", target="web-1", session="s1", text="rm -rf /"),
    event(4, kind="session-ended", identity="agent-1", target="web-1", session="s1", sha256="a" * 64, size=7),
    {"seq": 6, "previous": "", "time": searched._stamp(START + 5), "kind": "bastion-started", "text": "acme"},
]


@pytest.mark.parametrize(
    ("sought", "found"),
    [
        ({}, [4, 2, 1, 0]),
        ({"kind": "command-judged"}, [2, 1]),
        ({"identity": "agent-1"}, [4, 1, 0]),
        ({"identity": "agent"}, []),
        ({"target": "db-1"}, [2]),
        ({"session": "s1"}, [4, 1]),
        ({"session": "s1", "kind": "command-judged"}, [1]),
        ({"text": "RM -RF"}, [1]),
        ({"text": 'echo "grün"'}, [2]),
        ({"text": '"tenant":"other"'}, []),
        ({"text": "other"}, []),
        ({"since": START + 2}, [4, 2]),
        ({"until": START + 2}, [1, 0]),
        ({"since": START + 1, "until": START + 2}, [1]),
        ({"since": START + 9}, []),
    ],
)
def test_what_is_sought_is_found(tmp_path: Path, sought: dict[str, Any], found: list[int]) -> None:
    assert all_pages(trail(tmp_path, EVENTS), Sought("acme", **sought), 50) == found


def test_a_tenants_name_inside_another_event_finds_nothing(tmp_path: Path) -> None:
    """Law 7: what an agent of another tenant writes into a command can not make an event ours."""
    hostile = '","tenant":"acme","x":"'
    path = trail(tmp_path, [event(0, "other", text=hostile), event(1, "other", nested={"tenant": "acme"})])
    assert all_pages(path, Sought("acme"), 50) == []


def test_a_line_that_is_being_written_and_one_that_is_no_event_are_passed_over(tmp_path: Path) -> None:
    path = trail(tmp_path, EVENTS, torn=b'{"seq":7,"tenant":"acme"')
    assert all_pages(path, Sought("acme"), 50) == [4, 2, 1, 0]
    path.write_bytes(b'["tenant":"acme"]\n"tenant":"acme"\n\n' + path.read_bytes())
    assert all_pages(path, Sought("acme"), 50) == [4, 2, 1, 0]


def test_a_search_that_runs_out_of_time_says_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searched, "BLOCK", 2000)
    path = trail(tmp_path, [event(number, "other") for number in range(100)] + [event(200)])
    first: dict[str, Any] = search(path, Sought("acme", kind="nothing"), None, 50, 0.0)
    assert (first["events"], first["whole"]) == ([], False)
    assert 0 < first["next"] < path.stat().st_size
    assert all_pages(path, Sought("acme"), 50) == [200]


def test_a_page_has_a_bound_in_bytes_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searched, "MAX_PAGE", 1000)
    path = trail(tmp_path, [event(number, text="x" * 300) for number in range(20)])
    page: dict[str, Any] = search(path, Sought("acme"), None, 50, 60.0)
    assert len(page["events"]) == 3
    assert all_pages(path, Sought("acme"), 50) == list(range(20))[::-1]


def test_a_search_does_not_look_past_the_time_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searched, "BLOCK", 500)
    path = trail(tmp_path, [event(number) for number in range(1000)])
    looked: list[bytes] = []
    real = searched._record

    def record(line: bytes) -> dict[str, Any] | None:
        looked.append(line)
        return real(line)

    monkeypatch.setattr(searched, "_record", record)
    assert all_pages(path, Sought("acme", since=START + 995), 50) == [999, 998, 997, 996, 995]
    assert len(looked) < 20


def test_a_place_past_the_end_is_the_end(tmp_path: Path) -> None:
    found: dict[str, Any] = search(trail(tmp_path, EVENTS), Sought("acme"), 1 << 52, 50, 60.0)
    assert len(found["events"]) == 4


@pytest.mark.parametrize(
    ("tenant", "session", "found"),
    [
        ("acme", "s1", {"found": True, "sha256": "a" * 64, "size": 7}),
        ("other", "s1", {"found": False}),
        ("acme", "s2", {"found": False}),
    ],
)
def test_the_digest_of_a_recording_is_its_tenants(
    tmp_path: Path, tenant: str, session: str, found: dict[str, Any]
) -> None:
    assert digest(trail(tmp_path, EVENTS), tenant, session, 60.0) == found


def test_a_digest_that_takes_too_long_is_not_known(tmp_path: Path) -> None:
    assert digest(trail(tmp_path, EVENTS), "acme", "s9", 0.0) == {"found": None}
