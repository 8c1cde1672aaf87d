"""GET /v1/events: what changes in a tenant, as Server-Sent Events; and what tells the hub of it.

approval, grant              {"id"}                       approvers
session                      {"id"}                       viewers
recording, certificate       {"id"}                       auditors
policy                       {"version"}, {"problems"}    viewers
reset                        {}     something may have been missed: ask for all anew
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from aiohttp import web

from bastion.api.guard import Asked, Handler
from bastion.api.hub import Hub
from bastion.api.metrics import Metrics
from bastion.api.roles import Role
from bastion.api.streams import Streams
from bastion.approvals.ports import Change
from bastion.audit.events import Event, PolicyRejected, PolicyReloaded

log = logging.getLogger(__name__)

_KINDS = {
    "request": ("approval", Role.APPROVER),
    "grant": ("grant", Role.APPROVER),
    "session": ("session", Role.VIEWER),
    "session-end": ("session", Role.VIEWER),
    "recording": ("recording", Role.AUDITOR),
    "certificate": ("certificate", Role.AUDITOR),
}
"""Kinds of changes of the store: what they are called here, and who may know of them."""
_MAX_ID = 128


class Feed:
    """What is heard, told on. Each call is cheap, and none fails whoever it hears it from."""

    def __init__(self, hub: Hub, metrics: Metrics) -> None:
        self._hub = hub
        self._metrics = metrics
        self._lost = False

    def heard(self, event: Event) -> None:
        """An event is in the audit trail, or about to be."""
        try:
            self._hear(event)
        except Exception:
            log.exception("an event could not be told on")

    def _hear(self, event: Event) -> None:
        self._metrics.heard(event)
        match event:
            case PolicyReloaded():
                self._hub.publish(event.tenant, "policy", {"version": event.policy}, Role.VIEWER)
            case PolicyRejected():
                self._hub.publish(event.tenant, "policy", {"problems": len(event.problems)}, Role.VIEWER)

    def changed(self, changes: Sequence[Change]) -> None:
        """Something changed in the store, by this process or another."""
        for change in changes:
            if change.kind in _KINDS:
                kind, role = _KINDS[change.kind]
                self._hub.publish(change.tenant, kind, {"id": change.subject}, role)

    def failed(self, _: Exception) -> None:
        """What changes in the store can not be known now: whoever follows is told so once, however often this is."""
        if not self._lost:
            self._lost = True
            self._hub.reset()

    def restored(self) -> None:
        """It can be known again: whoever follows asks for all."""
        self._lost = False
        self._hub.reset()


class Changes:
    def __init__(self, hub: Hub, streams: Streams) -> None:
        self._hub = hub
        self._streams = streams

    def handlers(self) -> Mapping[str, Handler]:
        return {"events": self.follow}

    async def follow(self, asked: Asked) -> web.StreamResponse:
        """Until the client goes, or may not have it any more."""
        last = asked.request.headers.get("Last-Event-ID", "")[:_MAX_ID]
        async with self._streams.events(asked.request, asked.caller) as stream:
            reader = self._hub.subscribe(asked.tenant, asked.caller.now, last, stream.wake)
            try:
                while stream.going:
                    told = reader.take()
                    for id, kind, data in told:
                        await stream.send(data, kind, id)
                    if not told:
                        await stream.idle()
            finally:
                reader.close()
        return stream.response
