"""Rounds that no error ends: longer and longer waits, and a log that tells each kind of failure once."""

from __future__ import annotations

import asyncio

import pytest

from bastion.background import LONGEST, Trouble, each, forever
from bastion.errors import StoreDown


async def test_no_error_ends_what_is_done_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    """And what is well again is done as often as before."""
    came: list[Exception | None] = [None, *[StoreDown("down")] * 6, ValueError("odd"), ValueError("odd"), None, None]
    trouble, waited = Trouble("the work", 0.5), list[float]()
    rounds = iter(came)
    told: list[Exception | None] = []

    async def work() -> None:
        error = next(rounds)
        if error is not None:
            raise error

    async def wait(seconds: float) -> None:
        waited.append(seconds)
        told.append(trouble.error)
        if len(waited) == len(came):
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await forever(work, trouble, wait)
    assert waited == [0.5, 0.5, 1, 2, 4, LONGEST, LONGEST, LONGEST, LONGEST, 0.5, 0.5]
    assert told == came
    logged = [(record.getMessage(), record.exc_info is not None) for record in caplog.records]
    assert logged == [
        ("the work: down", False),
        ("the work: odd", True),
        ("the work: well again", False),
    ]


async def test_each_is_done_also_behind_one_that_fails() -> None:
    """And what failed last is raised, so that the round counts as one that failed."""
    done: list[int] = []

    async def work(number: int) -> None:
        if number % 2:
            raise ValueError(number)
        done.append(number)

    with pytest.raises(ValueError, match="3"):
        await each(range(5), work)
    assert done == [0, 2, 4]
    await each([0], work)
