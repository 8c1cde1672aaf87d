"""People who decide: an issuer that vouches for them, and the API as each of them asks it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from typing import Any, Self

import httpx2

from bastion.demo.issuer import DevelopmentIssuer
from tests.system.harness.bastion import TENANT, Bastion
from tests.system.harness.waiting import until

GROUPS: Mapping[str, list[str]] = {"rev": ["sre"], "dora": ["dba"], "agent-1": ["agents", "sre"], "nobody": ["others"]}


class People:
    """An issuer in a thread of its own. Life: as a context manager; `trust` before a bastion is started."""

    def __init__(self) -> None:
        clients = {name: ("secret", {"sub": name, "groups": groups}) for name, groups in GROUPS.items()}
        self._issuer = DevelopmentIssuer(clients)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.url = asyncio.run_coroutine_threadsafe(self._issuer.start(), self._loop).result(20)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._issuer.stop(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()

    def trust(self, bastion: Bastion, tenant: str = TENANT) -> None:
        """Have this bastion believe the issuer."""
        bastion.settings["tenants"][tenant]["issuers"] = [
            {
                "issuer": self.url,
                "audience": ["bastion"],
                "algorithms": ["ES256"],
                "principals": ["{sub}"],
                "groups": ["{groups}"],
            }
        ]

    def ask(self, bastion: Bastion, name: str, path: str, body: Mapping[str, Any] | None = None) -> httpx2.Response:
        """GET, or POST of a body, as this person."""
        headers = {"Authorization": f"Bearer {self._issuer.token(name)}"}
        url = f"http://127.0.0.1:{bastion.api_port}{path}"
        if body is None:
            return httpx2.get(url, headers=headers, timeout=30)
        return httpx2.post(url, json=body, headers=headers, timeout=30)

    def operate(self, bastion: Bastion, path: str, body: Mapping[str, Any]) -> httpx2.Response:
        """POST as the local operator, by the socket."""
        transport = httpx2.HTTPTransport(uds=str(bastion.folder / "state" / "bastion.sock"))
        with httpx2.Client(transport=transport, timeout=30) as client:
            return client.post(f"http://bastion{path}", json=body)

    def pending(self, bastion: Bastion, name: str = "rev", number: int = 1) -> list[dict[str, Any]]:
        """What waits, once it is so many."""

        def found() -> list[dict[str, Any]]:
            items: list[dict[str, Any]] = self.ask(bastion, name, "/v1/approvals?state=pending").json()["items"]
            return items if len(items) == number else []

        return until(found, told=lambda: bastion.log)

    def vote(self, bastion: Bastion, name: str, id: str, verdict: str, **body: Any) -> httpx2.Response:
        """`verdict`: approve, or deny."""
        return self.ask(bastion, name, f"/v1/approvals/{id}/{verdict}", body)
