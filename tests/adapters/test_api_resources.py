"""What the API answers of sessions, approvals, grants, certificates, policies and the trail: shapes, pages, what is
told before it is done, and that nothing in it is more than text."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bastion.api import shapes
from bastion.approvals.request import Person, Vote
from bastion.audit.search import Sought
from bastion.characters import hidden
from bastion.errors import NotRecorded
from bastion.identity.revocation import Revocations
from tests.adapters.api_house import House, house
from tests.adapters.api_ports import NOW, session

APPROVE, DENY = "/v1/approvals/request-acme/approve", "/v1/approvals/request-acme/deny"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as made:
        yield made


def texts(value: object) -> list[str]:
    """Every text in an answer."""
    if isinstance(value, dict):
        return [text for name, inner in value.items() for text in (name, *texts(inner))]
    if isinstance(value, list):
        return [text for inner in value for text in texts(inner)]
    return [value] if isinstance(value, str) else []


# -- sessions


async def test_a_viewer_sees_that_there_are_sessions_and_not_what_was_typed(api: House) -> None:
    for caller, seen in (("viewers", False), ("auditors", True), ("sre", True), ("operators", True)):
        _, one, _ = await api.ask(f"acme:{caller}", "GET", "/v1/sessions/live-acme")
        assert (one["command"] is not None, one["escaped"]) == (seen, seen), caller
        assert (one["live"], one["started"]) == (True, "2027-01-15T08:00:00.000Z")


async def test_live_and_past_sessions_are_told_apart(api: House) -> None:
    expected_by = {"": ["live-acme", "past-acme"], "?live=true": ["live-acme"], "?live=false": ["past-acme"]}
    for query, expected in expected_by.items():
        _, found, _ = await api.ask("acme:viewers", "GET", f"/v1/sessions{query}")
        assert [one["id"] for one in found["items"]] == expected


@pytest.mark.parametrize("limit", [1, 2, 3, 200])
async def test_pages_have_every_session_once(api: House, limit: int) -> None:
    api.sessions.values += [session("acme", f"s{number}", started=NOW - number // 2) for number in range(7)]
    found: list[str] = []
    query: str | None = f"?limit={limit}"
    while query is not None:
        _, page, _ = await api.ask("acme:viewers", "GET", f"/v1/sessions{query}")
        assert len(page["items"]) <= limit
        found += [one["id"] for one in page["items"]]
        query = f"?limit={limit}&cursor={page['next']}" if page["next"] else None
    assert sorted(found) == sorted(one.id for one in api.sessions.values if one.tenant == "acme")


def made_up(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


CURSORS = ["x", "=", "%00", "a b", "é", made_up(None), made_up([]), made_up({}), made_up([1e300, "a"])]
CURSORS += [made_up([1, "a\0"]), made_up([True, "a"]), made_up([1, "a", 2]), made_up([-1]), made_up([1 << 60])]


@pytest.mark.parametrize("route", ["sessions", "recordings", "approvals", "grants", "certificates", "targets", "audit"])
@pytest.mark.parametrize("cursor", CURSORS)
async def test_a_cursor_that_no_page_gave_is_refused(api: House, route: str, cursor: str) -> None:
    status, answer, _ = await api.ask("acme:operators", "GET", f"/v1/{route}?cursor={cursor}")
    assert (status, answer["status"]) == (400, 400), answer


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=-1", "limit=1.0", "limit=%D9%A3", "limit=1&limit=2", "live=yes", "nonsense=1"],
)
async def test_a_query_that_is_not_understood_is_refused(api: House, query: str) -> None:
    assert (await api.ask("acme:operators", "GET", f"/v1/sessions?{query}"))[0] == 400


async def test_a_session_is_ended_when_the_trail_has_it_and_with_who_and_why(api: House) -> None:
    path, why = "/v1/sessions/live-acme/terminate", {"reason": "wrong \x1b[31mhost"}
    api.audit.error = NotRecorded("the disk is full")
    assert (await api.ask("acme:operators", "POST", path, json=why))[0] == 503
    assert not api.live.ended
    api.audit.error = None
    status, answer, _ = await api.ask("acme:operators", "POST", path, json={"reason": f" {why['reason']}\n"})
    told = "ended by operators@acme: wrong \\x1b[31mhost"
    assert (status, answer["ending"], api.live.ended) == (202, True, [("acme", "live-acme", told)])
    assert (await api.sessions.find("acme", "live-acme")).end_reason == told
    event = api.audit.told[-1]
    assert (event["action"], event["on"], event["identity"]) == ("terminate", "live-acme", "operators@acme")
    assert (await api.ask("acme:operators", "POST", path.replace("live", "past"), json=why))[0] == 409


@pytest.mark.parametrize(
    "body",
    [None, {}, {"reason": ""}, {"reason": 7}, {"reason": "x", "y": 1}, [], {"reason": "\ud800"}, {"reason": " \n"}],
)
async def test_an_end_has_a_reason(api: House, body: Any) -> None:
    for path in ("/v1/sessions/live-acme/terminate", "/v1/certificates/4711/revoke"):
        status, answer, _ = await api.ask("acme:operators", "POST", path, json=body)
        assert (status, answer["status"]) == (400, 400)
    assert not api.live.ended
    assert api.audit.told == []


# -- approvals and grants


async def test_a_request_is_told_whole_and_as_text(api: House) -> None:
    _, found, _ = await api.ask("acme:sre", "GET", "/v1/approvals/request-acme")
    assert found["text"] == "echo \\x1b[31m\\u{202e}<script>alert(1)</script>\\x0a"
    assert (found["escaped"], found["written_escaped"]) == (True, True)
    assert not any(hidden(text) for text in texts(found))
    assert (found["may_vote"], found["why_not"], found["missing"]) == (True, None, 1)
    assert found["by"] == [{"groups": ["sre"], "count": 1}]
    assert (found["asked"], found["ends"]) == ("2027-01-15T08:00:00.000Z", "2027-01-15T08:10:00.000Z")
    assert (found["grants"], len(found["past"]), found["past_whole"]) == (1800, 1, True)
    asked = api.deciding.requests["request-acme"].asked
    assert api.searches.asked == [Sought("acme", kind="command-judged", session="live-acme", until=asked)]


async def test_what_a_session_did_before_is_told_without_the_request_itself(api: House) -> None:
    """It was judged before it was asked for; who comes in mode return has another session, and nothing before."""
    bound = api.deciding.requests["request-acme"].bound
    judged = {"time": "2027-01-15T07:59:00.000000Z", "kind": "command-judged", "tenant": "acme", "request": "line"}
    own = {**judged, "text": "touch x", "effect": "approve", "rule": bound.rule}
    before = [{**judged, "text": "rm x", "effect": "deny", "rule": bound.rule}, {**own, "text": "touch y"}]
    api.searches.events = [own, *before]
    _, found, _ = await api.ask("acme:sre", "GET", "/v1/approvals/request-acme")
    assert [one["text"] for one in found["past"]] == ["touch y", "rm x"]
    api.searches.events = before
    _, found, _ = await api.ask("acme:sre", "GET", "/v1/approvals/request-acme")
    assert [one["text"] for one in found["past"]] == ["touch y", "rm x"]


async def test_comments_keep_their_lines_and_nothing_hidden(api: House) -> None:
    found = api.deciding.requests["request-acme"]
    vote = Vote(
        Person("acme", "https://i.example.com", "rev", ("rev",), frozenset({"sre"})), False, "no\n\x1b[2Jnever", 1
    )
    api.deciding.requests["request-acme"] = dataclasses.replace(found, votes=(vote,), why=vote.comment)
    _, told, _ = await api.ask("acme:sre", "GET", "/v1/approvals/request-acme")
    assert (told["votes"][0]["comment"], told["why"]) == ("no\n\\x1b[2Jnever", "no\n\\x1b[2Jnever")


async def test_a_long_text_is_cut_in_lists_and_whole_by_itself(api: House) -> None:
    found = api.deciding.requests["request-acme"]
    bound = dataclasses.replace(found.bound, text=b"echo " + b"x\x1b" * 4000)
    api.deciding.requests["request-acme"] = dataclasses.replace(found, bound=bound)
    _, listed, _ = await api.ask("acme:sre", "GET", "/v1/approvals")
    _, whole, _ = await api.ask("acme:sre", "GET", "/v1/approvals/request-acme")
    one = listed["items"][0]
    assert (one["cut"], one["escaped"], one["text"][-1], whole["cut"]) == (True, True, "…", False)
    assert whole["text"] == "echo " + "x\\x1b" * 4000
    assert len(one["text"]) < 4 * shapes.IN_LIST


async def test_who_may_not_vote_is_told_why(api: House) -> None:
    _, found, _ = await api.ask("acme:approvers", "GET", "/v1/approvals/request-acme")
    assert (found["may_vote"], found["why_not"]) == (False, "it takes someone of: sre")
    status, answer, _ = await api.ask("acme:approvers", "POST", APPROVE, json={})
    assert (status, answer["detail"]) == (403, "it takes someone of: sre")


async def test_a_vote_is_the_callers_with_its_comment(api: House) -> None:
    status, found, _ = await api.ask("acme:sre", "POST", APPROVE, json={"comment": "go\x07", "grant": True})
    assert (status, found["state"]) == (200, "approved")
    vote = found["votes"][0]
    assert (vote["person"], vote["approves"], vote["comment"], vote["grant"]) == ("sre@acme", True, "go\\x07", True)
    assert (await api.ask("acme:sre", "POST", DENY, json={}))[0] == 403


async def test_a_vote_needs_no_body(api: House) -> None:
    status, found, _ = await api.ask("acme:sre", "POST", DENY)
    assert (status, found["state"]) == (200, "denied")


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'{"grant": "yes"}', b'{"comment": 1}', b"\xff", b'{"comment":"x","x":1}']
)
async def test_a_vote_that_is_not_understood_is_none(api: House, body: bytes) -> None:
    assert (await api.ask("acme:sre", "POST", APPROVE, data=body))[0] == 400
    assert api.deciding.requests["request-acme"].votes == ()


async def test_requests_are_listed_by_their_state(api: House) -> None:
    for state, expected in (("pending", ["request-acme"]), ("used", [])):
        _, found, _ = await api.ask("acme:sre", "GET", f"/v1/approvals?state={state}")
        assert [one["id"] for one in found["items"]] == expected
    assert (await api.ask("acme:sre", "GET", "/v1/approvals?state=nonsense"))[0] == 400


async def test_a_grant_is_revoked_once(api: House) -> None:
    status, found, _ = await api.ask("acme:operators", "POST", "/v1/grants/grant-acme/revoke")
    assert (status, found["live"], found["why"]) == (200, False, "revoked by operators@acme")
    _, listed, _ = await api.ask("acme:sre", "GET", "/v1/grants")
    assert [(one["id"], one["live"]) for one in listed["items"]] == [("grant-acme", False)]
    _, listed, _ = await api.ask("acme:sre", "GET", "/v1/grants?live=true")
    assert listed["items"] == []


@pytest.mark.parametrize(("body", "why"), [({}, ""), ({"reason": " \n"}, ""), ({"reason": " lost\n"}, ": lost")])
async def test_a_grant_needs_no_reason_to_be_revoked(api: House, body: Any, why: str) -> None:
    status, found, _ = await api.ask("acme:operators", "POST", "/v1/grants/grant-acme/revoke", json=body)
    assert (status, found["why"]) == (200, f"revoked by operators@acme{why}")


# -- certificates


async def test_a_revocation_is_in_the_file_that_the_bastion_reads(api: House) -> None:
    file = api.folder / "revocations.jsonl"
    why = {"reason": "laptop lost"}
    status, found, _ = await api.ask("acme:operators", "POST", "/v1/certificates/4711/revoke", json=why)
    assert (status, found["why"]) == (200, "laptop lost")
    assert len(Revocations.load(file)) == 1
    written = json.loads(file.read_text())
    assert (written["tenant"], written["serial"], written["reason"]) == ("acme", 4711, "laptop lost")
    assert api.audit.told[-1]["action"] == "revoke-certificate"


@pytest.mark.parametrize("serial", ["0", "-1", "x", "4711x", "9" * 30, "4712", "%D9%A3"])
async def test_a_certificate_that_there_is_not_is_not_revoked(api: House, serial: str) -> None:
    why = {"reason": "laptop lost"}
    assert (await api.ask("acme:operators", "POST", f"/v1/certificates/{serial}/revoke", json=why))[0] == 404
    assert (api.folder / "revocations.jsonl").read_text() == ""


async def test_a_revocation_that_can_not_be_written_is_not_called_one(api: House) -> None:
    (api.folder / "revocations.jsonl").unlink()
    (api.folder / "revocations.jsonl").mkdir()
    why = {"reason": "laptop lost"}
    assert (await api.ask("acme:operators", "POST", "/v1/certificates/4711/revoke", json=why))[0] == 503
    assert (await api.certificates.find("acme", 4711)).revoked is None


# -- the trail and policies


async def test_a_search_asks_for_what_was_asked(api: House) -> None:
    times = "since=2027-01-15T08:00:00Z&until=2027-01-15T10:00:00%2B01:00"
    query = f"kind=admitted&identity=a&target=b&session=c&{times}&text=x"
    assert (await api.ask("acme:auditors", "GET", f"/v1/audit?{query}"))[0] == 200
    assert api.searches.asked == [Sought("acme", "admitted", "a", "b", "c", NOW, NOW + 3600, "x")]
    for wrong in ("since=yesterday", "since=2027-01-15T08:00:00", "since=2027-01-15", "until=9999999-01-01T00:00:00Z"):
        assert (await api.ask("acme:auditors", "GET", f"/v1/audit?{wrong}"))[0] == 400


async def test_the_policy_in_force_is_told_with_what_was_wrong(api: House) -> None:
    api.rejected["acme"] = ["policy of acme: a.yaml:1:1: no \x1b rule"]
    _, found, _ = await api.ask("acme:viewers", "GET", "/v1/policies/current")
    assert (found["files"], found["rules"], found["mode"]) == (["a.yaml"], 2, "enforce")
    assert found["problems"] == ["policy of acme: a.yaml:1:1: no \\x1b rule"]
    _, found, _ = await api.ask("other:viewers", "GET", "/v1/policies/current")
    assert found["problems"] == []
