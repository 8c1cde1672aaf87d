"""Notices over HTTP: signed so that another implementation takes them, sent again if need be, never waited for."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from bastion.approvals.ports import Notices
from bastion.approvals.request import State
from bastion.sinks import webhook
from bastion.sinks.signature import key_of
from bastion.sinks.webhook import Hook, Webhook
from tests.adapters.api_ports import request

SECRET = f"whsec_{base64.b64encode(bytes(range(32))).decode()}"
LINK = "https://bastion.example.com/#/approvals/request-acme?tenant=acme"
ANOTHER = f"whsec_{base64.b64encode(bytes(32)).decode()}"


@dataclass
class Receiver:
    """A server on loopback; `statuses` are answered in turn, the last one for ever."""

    url: str = ""
    statuses: list[int] = field(default_factory=lambda: [204])
    had: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, asked: web.Request) -> web.Response:
        self.had.append((dict(asked.headers), await asked.read()))
        self.came.set()
        await self.gate.wait()
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return web.Response(status=status, headers={"Location": f"{self.url}/elsewhere"} if status == 302 else {})


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    made = Receiver()
    made.gate.set()
    application = web.Application()
    application.router.add_post("/{any:.*}", made.take)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hooks/s3cret-path"
    try:
        yield made
    finally:
        made.gate.set()
        await runner.cleanup()


class Waits:
    """Instead of asyncio.sleep: notes how long, and waits for nothing."""

    def __init__(self) -> None:
        self.had: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.had.append(seconds)
        await asyncio.sleep(0)


@asynccontextmanager
async def sending(receiver: Receiver, waits: Waits | None = None, *, slack: bool = False) -> AsyncIterator[Webhook]:
    hook = Hook(receiver.url, key_of(SECRET.encode()), slack)
    made = Webhook({"acme": [hook]}, lambda *_: LINK, time.time, waits or Waits())
    try:
        yield made
    finally:
        await made.stop()


async def settled(made: Webhook) -> None:
    """Until nothing is on its way."""
    async with asyncio.timeout(20):
        for posts in made._posts.values():
            for post in posts:
                await post._background.wait()


async def test_it_is_the_port_of_approvals_and_what_it_sends_another_implementation_verifies() -> None:
    async with receiving() as receiver, sending(receiver) as made:
        port: Notices = made
        port.requested(request("acme", "pending"))
        await settled(made)
    (headers, body) = receiver.had[0]
    told: dict[str, Any] = Verifier(SECRET).verify(body, headers)
    assert (told["type"], told["data"]["id"]) == ("approval.requested", "request-acme")
    assert told["data"]["link"] == LINK
    assert told["data"]["by"] == [{"groups": ["sre"], "count": 1}]
    assert headers["Content-Type"] == "application/json"
    with pytest.raises(WebhookVerificationError):
        Verifier(ANOTHER).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(SECRET).verify(body + b" ", headers)


async def test_each_moment_of_a_request_is_a_message_of_its_own() -> None:
    pending = request("acme", "pending")
    denied = dataclasses.replace(pending, state=State.DENIED, why="not today")
    async with receiving() as receiver, sending(receiver) as made:
        for tell, about in ((made.requested, pending), (made.reminded, pending), (made.settled, denied)):
            tell(about)
            await settled(made)
    told = [json.loads(body) for _, body in receiver.had]
    assert [one["type"] for one in told] == ["approval.requested", "approval.reminded", "approval.settled"]
    assert (told[2]["data"]["state"], told[2]["data"]["why"]) == ("denied", "not today")
    assert len({headers["webhook-id"] for headers, _ in receiver.had}) == 3


async def test_what_a_client_wrote_is_escaped_and_bounded() -> None:
    long = request("acme", "pending")
    long = dataclasses.replace(long, bound=dataclasses.replace(long.bound, text=b"x" * 8000))
    async with receiving() as receiver, sending(receiver) as made:
        for about in (request("acme", "pending"), long):
            made.requested(about)
            await settled(made)
    data, cut = (json.loads(body)["data"] for _, body in receiver.had)
    assert data["text"] == "echo \\x1b[31m\\u{202e}<script>alert(1)</script>\\x0a"
    assert (data["whole"], cut["whole"], len(cut["text"])) == (True, False, 2501)


async def test_another_tenants_request_is_told_to_nobody() -> None:
    async with receiving() as receiver, sending(receiver) as made:
        made.requested(request("other", "pending"))
        await settled(made)
    assert receiver.had == []


async def test_what_is_not_taken_is_sent_again_with_the_same_id(caplog: pytest.LogCaptureFixture) -> None:
    waits = Waits()
    async with receiving() as receiver, sending(receiver, waits) as made:
        receiver.statuses = [500, 429, 200]
        made.requested(request("acme", "pending"))
        await settled(made)
    assert len({headers["webhook-id"] for headers, _ in receiver.had}) == 1
    assert len({body for _, body in receiver.had}) == 1
    assert waits.had == list(webhook.WAITS[:2])
    assert caplog.records == []


def _answer_500(receiver: Receiver) -> None:
    receiver.statuses = [500]


def _redirect(receiver: Receiver) -> None:
    receiver.statuses = [302]


def _nobody_there(receiver: Receiver) -> None:
    receiver.url = "http://127.0.0.1:1/hooks/s3cret-path"


@pytest.mark.parametrize(
    ("fault", "had", "outcome"),
    [(_answer_500, 5, "500"), (_redirect, 5, "302"), (_nobody_there, 0, "ConnectError")],
)
async def test_it_is_given_up_in_the_end_with_a_line_that_tells_no_secret(
    caplog: pytest.LogCaptureFixture, fault: Callable[[Receiver], None], had: int, outcome: str
) -> None:
    """A redirect is not followed: what is signed for one address goes to no other."""
    caplog.set_level(logging.WARNING)
    async with receiving() as receiver:
        fault(receiver)
        waits = Waits()
        async with sending(receiver, waits) as made:
            made.requested(request("acme", "pending"))
            await settled(made)
    assert len(receiver.had) == had
    assert waits.had == list(webhook.WAITS)
    (record,) = [record for record in caplog.records if record.name == "bastion.sinks.webhook"]
    assert outcome in record.getMessage()
    assert "127.0.0.1" in record.getMessage()
    assert "s3cret" not in caplog.text
    assert "whsec" not in caplog.text
    assert "script" not in caplog.text


async def test_a_receiver_that_wants_no_more_is_not_asked_again() -> None:
    waits = Waits()
    async with receiving() as receiver, sending(receiver, waits) as made:
        receiver.statuses = [410]
        made.requested(request("acme", "pending"))
        await settled(made)
    assert (len(receiver.had), waits.had) == (1, [])


async def test_a_receiver_that_does_not_answer_costs_a_bounded_number_of_notices(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "MAX_PENDING", 8)
    async with receiving() as receiver, sending(receiver) as made:
        receiver.gate.clear()
        for _ in range(12):
            made.requested(request("acme", "pending"))
        await asyncio.wait_for(receiver.came.wait(), 10)
        assert len(receiver.had) <= webhook.MAX_AT_ONCE
        receiver.gate.set()
        await settled(made)
    assert len(receiver.had) == 8
    assert sum("8 wait already" in record.getMessage() for record in caplog.records) == 4


async def test_the_end_waits_for_no_receiver() -> None:
    async with receiving() as receiver, sending(receiver) as made:
        receiver.gate.clear()
        made.requested(request("acme", "pending"))
        await asyncio.wait_for(receiver.came.wait(), 10)
        await asyncio.wait_for(made.stop(), 5)


async def test_slack_gets_blocks(caplog: pytest.LogCaptureFixture) -> None:
    async with receiving() as receiver, sending(receiver, slack=True) as made:
        made.requested(request("acme", "pending"))
        await settled(made)
    told = json.loads(receiver.had[0][1])
    assert [block["type"] for block in told["blocks"]] == ["header", "section", "section", "section"]
    assert caplog.records == []
