"""What one channel shows, masked by the policy of the moment: stdout and stderr apart, columns first, then patterns.

A policy that changes is in force from the next piece of output on. What the old one held is given out by its rules.
Where its columns are the same, a table that has begun stays masked; else it is under the new one's columns only from
its next header on.

Whatever goes wrong in here is raised, and ends the channel: nothing is shown that was not masked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from operator import methodcaller
from typing import Protocol

from bastion.masking.columns import ColumnMasker
from bastion.masking.masker import Masker
from bastion.policy.masks import Chosen, replacing, without


class Stage(Protocol):
    """One masker of a stream; what it gives out goes to the next."""

    @property
    def holding(self) -> bool: ...
    @property
    def counts(self) -> Mapping[str, int]: ...
    def feed(self, data: bytes) -> bytes: ...
    def release(self) -> bytes: ...
    def flush(self) -> bytes: ...


class Masks:
    """Life: `feed` what comes, `release` a while later where `holding`, `flush` at a stream's end, or when the channel
    waits for its client; any stream may be fed again after that."""

    def __init__(self, chosen: Callable[[], Chosen | None], *, terminal: bool) -> None:
        """`chosen` says what to mask now: the same object for as long as nothing has changed."""
        self._chosen = chosen
        self._terminal = terminal
        self.on = True
        """Whether anything is masked: not while what runs was allowed to show all that it has."""
        self._streams: dict[int, tuple[Chosen | None, list[Stage]]] = {}
        self._past: Counter[str] = Counter()

    @property
    def masking(self) -> bool:
        """Whether what came last was under a mask; not before the first piece."""
        return self.on and any(stages for _, stages in self._streams.values())

    @property
    def holding(self) -> bool:
        """Whether anything is held back."""
        return any(stage.holding for _, stages in self._streams.values() for stage in stages)

    @property
    def counts(self) -> Mapping[str, int]:
        """How often each detector, or `column:NAME`, has masked something, by name; those that did."""
        counts = Counter(self._past)
        for _, stages in self._streams.values():
            for stage in stages:
                counts.update(stage.counts)
        return {name: count for name, count in sorted(counts.items()) if count}

    def feed(self, data: bytes, stream: int) -> bytes:
        """What may be shown now of this stream."""
        chosen = self._chosen() if self.on else None
        known, stages = self._streams.get(stream, (None, []))
        before = b""
        if chosen is not known:
            kept = stages[:-1] if _same_columns(known, chosen) else []
            before = _given(stages[len(kept) :], methodcaller("flush"))
            for stage in stages[len(kept) :]:
                self._past.update(stage.counts)
            stages = [] if chosen is None else [*(kept or self._columns(chosen)), Masker(chosen.plan, self._terminal)]
            self._streams[stream] = chosen, stages
        for stage in stages:
            data = stage.feed(data)
        return before + data

    def release(self, stream: int) -> bytes:
        """Time has passed: what a terminal shows of what is held."""
        return _given(self._streams.get(stream, (None, []))[1], methodcaller("release"))

    def flush(self, stream: int) -> bytes:
        """All that is held, as the end of the stream leaves it."""
        return _given(self._streams.get(stream, (None, []))[1], methodcaller("flush"))

    def text(self, text: bytes) -> bytes:
        """A text that is whole, such as a command's, as it may be told; also while nothing is masked of the output."""
        return without(self._chosen(), text)

    def _columns(self, chosen: Chosen) -> list[Stage]:
        return [
            ColumnMasker(names, replacing(style, chosen.key, self._terminal), self._terminal)
            for style, names in chosen.columns
        ]


def _same_columns(known: Chosen | None, chosen: Chosen | None) -> bool:
    if known is None or chosen is None:
        return False
    return (known.columns, known.key) == (chosen.columns, chosen.key)


def _given(stages: Sequence[Stage], give: Callable[[Stage], bytes]) -> bytes:
    """What all stages give out, each through those behind it."""
    shown = b""
    for stage in stages:
        shown = (stage.feed(shown) if shown else b"") + give(stage)
    return shown
