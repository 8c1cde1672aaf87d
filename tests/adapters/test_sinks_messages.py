"""What is told of requests: nothing in a client's words is markup to Slack, and nothing is larger than Slack takes."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastion.approvals.request import Person, Request, Vote
from bastion.approvals.told import TAKES_COMMANDS
from bastion.sinks.messages import Kind, plain, slack
from tests.adapters.api_ports import NOW, person, request

LINK = "https://bastion.example.com/#/approvals/x?tenant=acme&y=<|>"


def of(text: bytes, **values: Any) -> Request:
    made = request("acme", "pending")
    return dataclasses.replace(made, bound=dataclasses.replace(made.bound, text=text), **values)


def texts(value: object) -> list[dict[str, Any]]:
    """Every text object of a message."""
    if isinstance(value, dict):
        if value.get("type") in ("mrkdwn", "plain_text"):
            return [value]
        return [found for inner in value.values() for found in texts(inner)]
    return [found for inner in value for found in texts(inner)] if isinstance(value, list) else []


@pytest.mark.parametrize(
    ("text", "kind", "shown"),
    [
        (b"systemctl restart web", "mrkdwn", "```systemctl restart web```"),
        (b"echo <!channel> & <https://evil|x>", "mrkdwn", "```echo &lt;!channel&gt; &amp; &lt;https://evil|x&gt;```"),
        (b"echo ```*bold*```", "plain_text", "echo ```*bold*```"),
        (b"echo `date`", "plain_text", "echo `date`"),
        (b"a\nb\x1b[2J\xe2\x80\xae", "mrkdwn", "```a\\x0ab\\x1b[2J\\u{202e}```"),
        (b"", "plain_text", "(a whole exec)"),
    ],
)
def test_what_will_run_is_shown_as_it_is_and_is_no_markup(text: bytes, kind: str, shown: str) -> None:
    what = json.loads(slack(Kind.REQUESTED, of(text), LINK))["blocks"][1]["text"]
    if not text:
        assert shown in what["text"]
        return
    assert (what["type"], what["text"]) == (kind, shown)


@given(st.binary(max_size=9000), st.text(max_size=4000), st.text(max_size=200))
def test_no_request_makes_a_message_that_slack_refuses_or_obeys(text: bytes, reason: str, why: str) -> None:
    for kind in Kind:
        told = json.loads(slack(kind, of(text, reason=reason, why=why, groups=(why,)), LINK))
        assert len(told["text"]) <= 3000
        assert "<" not in told["text"]
        for one in texts(told["blocks"]):
            assert 0 < len(one["text"]) <= 3000
            if one["type"] == "mrkdwn" and not one["text"].startswith("<https://bastion.example.com/"):
                assert one["text"].startswith("```")
                assert one["text"].endswith("```")
                assert "`" not in one["text"][3:-3]
                assert "<" not in one["text"]
        assert len(json.loads(plain(kind, of(text, reason=reason, why=why), LINK, NOW))["data"]["text"]) <= 25_100


def test_the_link_ends_where_it_should() -> None:
    last = json.loads(slack(Kind.REMINDED, of(b"x"), LINK))["blocks"][-1]["text"]["text"]
    assert last == ("<https://bastion.example.com/#/approvals/x?tenant=acme&amp;y=&lt;%7C&gt;|Open it in the console>")
    assert len(json.loads(slack(Kind.REMINDED, of(b"x"), ""))["blocks"]) == 3


def test_it_says_that_what_runs_takes_commands_itself() -> None:
    for takes in (False, True):
        one = dataclasses.replace(request("acme", "pending"), takes_commands=takes)
        assert (TAKES_COMMANDS in slack(Kind.REQUESTED, one, LINK).decode()) is takes
        assert json.loads(plain(Kind.REQUESTED, one, LINK, NOW))["data"]["takes_commands"] is takes


def test_it_says_who_and_whom_it_takes_until_when_and_then_who_decided() -> None:
    told = slack(Kind.REQUESTED, of(b"x"), LINK).decode()
    for words in (
        "agent-1, from 192.0.2.1",
        "deploy@web-1",
        "restarts: a restart drops",
        "1 of sre",
        "2027-01-15 08:10",
    ):
        assert words in told
    vote = Vote(Person.of(person("acme", "sre")), False, "no", NOW)
    decided = dataclasses.replace(request("acme", "denied"), votes=(vote,), why="not today")
    told = slack(Kind.SETTLED, decided, LINK).decode()
    for words in ("Denied: request-acme", "sre@acme (no)", "not today"):
        assert words in told
