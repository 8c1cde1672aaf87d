"""Waiting for what another process does, up to a deadline: the only place in the tests that polls."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

INTERVAL = 0.02


def until(what: Callable[[], T | None], *, seconds: float = 15.0, told: Callable[[], str] = str) -> T:
    """The first answer of `what` that is true. After `seconds` an AssertionError with `told()` (logs, for instance)."""
    deadline = time.monotonic() + seconds
    while True:
        answer = what()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"did not happen within {seconds} seconds\n{told()}")
        time.sleep(INTERVAL)
