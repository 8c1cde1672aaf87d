"""One stream of output, masked as it comes.

    masker = Masker(plan, terminal=True)
    masker.feed(data) -> what may be shown now          any number of times
    masker.release() -> more of it                      when `holding` for too long
    masker.flush() -> the rest                          at the end of the stream

What holds for `feed` and `flush`: the output is the same however the input was cut, also in the middle of a colour
code. What is not masked is unchanged, byte for byte, whatever it is. A secret is found with colour codes inside, and
right behind every other escape sequence (escapes.py says which).

What is held back is exactly what could still become a secret: from where one may have begun that the end of the text
cuts off. So much is certain of what a detector is looking for, as its pattern is known as a tree (tree.py). Never more
than MAX_HELD bytes: past that all of it is masked, with stars, whether it would have become a secret or not, and
counted under OVERLONG. It takes colour codes without end inside a secret to get there.

Which match wins: the one that begins first, of those the longest, of those the detector that comes first in the plan.
Of one that overlaps its end, what is left is masked as well. Each detector looks on after its own matches.

Where somebody waits for what is shown, time passes, and there are two exceptions to the first paragraph:

- On a terminal a piece of at most ECHO bytes that is letters only, or the dash of an option (no digit, no other sign,
  no known beginning such as `AKIA`), is not held, or typed words would appear late. A secret that begins with letters
  and comes in pieces so small (an address, an IBAN) shows these letters; the rest of it is masked.
- `release` gives up what is held, but for an escape sequence that is not whole, of which nothing would be seen: what is
  a match already stays masked, and so does what follows of it; the rest is shown. What was shown is context for what
  comes: the rest of such a secret is masked. How long is too long, its caller says: a moment on a terminal; longer in a
  pipe, in which a program may be waiting for the answer to a prompt that ends like the beginning of a secret.

Limits: what no detector knows, what is encoded, spread over lines or moved by the cursor is shown. Masking stops
accidents, not someone who wants a secret out.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

from bastion.masking import escapes
from bastion.masking.block import Block
from bastion.masking.engine import Search
from bastion.masking.finder import FEW, Range
from bastion.masking.plan import Compiled, Plan
from bastion.masking.style import Style, label, of_width, stars

CONTEXT = 256
"""Bytes of what was shown already that are kept, for what they say of what follows."""
MAX_HELD = 4096
ECHO = 16
OVERLONG = "overlong"

_MOST_CONTEXT = 2048
_LETTERS = re.compile(rb"[.]{0,2}(?:[A-Za-z\x80-\xff][.-]?)*\Z")
"""One letter a round: with a repetition inside of this one, each letter more would double the time."""


@dataclass(frozen=True, slots=True)
class Match:
    """What was masked: the detector, and the offsets in the input, colour codes counted."""

    detector: str
    start: int
    end: int


class _Hit(NamedTuple):
    """A secret in the text, by its offsets there. The first three are by what hits are put in order."""

    start: int
    minus_end: int
    rank: int
    end: int
    by: Compiled
    settled: bool
    """No: it stands at the end, and time or the end of the stream made a match of it; it may go on."""


_ORDER = itemgetter(0, 1, 2)


class Masker:
    """See above. Not for two threads at once."""

    def __init__(self, plan: Plan, terminal: bool, seen: Callable[[Match], None] | None = None) -> None:
        self._plan = plan
        self._terminal = terminal
        self._wide = terminal or plan.style in (Style.STARS, Style.LAST_FOUR)
        self._seen = seen
        self._counts: Counter[str] = Counter()
        # Of the text without colour codes: what was shown, from `_base` in the stream, and from `_shown` what was not.
        self._text = b""
        self._base = 0
        self._shown = 0
        self._floor = 0
        self._next: dict[int, int] = {}
        # The colour codes that were not shown, by their offset in that stream; bytes of those that were; a torn one.
        self._codes: deque[tuple[int, bytes]] = deque()
        self._codes_shown = 0
        self._torn = b""
        self._run: Search | None = None
        self._block: Block | None = None
        self._released: set[tuple[int, int]] = set()
        self._keep = 0
        self._dense = False
        """Whether the last look found more than FEW detectors that may match."""

    @property
    def counts(self) -> Mapping[str, int]:
        """How many secrets were masked, by detector."""
        return self._counts

    @property
    def holding(self) -> bool:
        """Whether something is held back."""
        return bool(self._torn or self._codes) or self._shown < len(self._text)

    @property
    def held(self) -> int:
        """Bytes that are held back."""
        return len(self._text) - self._shown + len(self._torn) + sum(len(code) for _, code in self._codes)

    def feed(self, data: bytes) -> bytes:
        """What may be shown now that these bytes have come."""
        if not data:
            return b""
        raw = self._torn + data if self._torn else data
        torn = escapes.begun(raw)
        self._torn = raw[len(raw) - torn :]
        text, codes = escapes.without(raw[: len(raw) - torn] if torn else raw)
        begin = self._base + len(self._text)
        self._codes.extend((begin + at, code) for at, code in codes)
        self._text += text
        out = self._advance(final=False, echo=self._terminal and len(data) <= ECHO)
        if self.held > MAX_HELD:
            out += self._give_up()
        return out

    def release(self) -> bytes:
        """What is to be shown because time has passed."""
        return self._advance(final=True) if self.holding else b""

    def flush(self) -> bytes:
        """What is left at the end of the stream."""
        out = self._advance(final=True) if self.holding else b""
        torn, self._torn = self._torn, b""
        return out + torn

    # -- how far -------------------------------------------------------------------------------------------------------

    def _advance(self, final: bool, echo: bool = False) -> bytes:
        out: list[bytes] = []
        while True:
            if self._block is not None and not self._through_block(out, self._block):
                break
            if self._run is not None:
                self._through_run(out, self._run)
            frontier, hits = self._look(final, echo)
            if not self._sweep(out, frontier, hits):
                break
        self._trim()
        return b"".join(out)

    def _begin(self) -> int:
        """Where in the text a match may begin: what is before it is for looking back only."""
        return max(self._floor - self._base, 1 if self._base else 0)

    def _look(self, final: bool, echo: bool) -> tuple[int, list[_Hit]]:
        """Up to where all is known, and what was found."""
        text, size = self._text, len(self._text)
        frontier = size
        begun = self._plan.held.search(text, max(self._begin(), size - self._plan.longest))
        self._keep = self._base + size if begun is None else self._base + begun.span()[0]
        if begun is not None and not final:
            begin = begun.span()[0]
            if not (echo and self._typed(text[begin:])):
                frontier = max(begin, self._shown)
        hits: list[_Hit] = []
        candidates = self._plan.finder.candidates(text, self._begin(), self._dense)
        self._dense = len(candidates) > FEW
        for index, ranges in candidates.items():
            frontier = self._hits(self._plan.detectors[index], ranges, frontier, final, hits)
        return frontier, hits

    def _typed(self, tail: bytes) -> bool:
        """Whether what came is a piece of a word or of an option, and the tail it ends has nothing known in it."""
        word = _LETTERS.match(self._text, self._shown) is not None or tail.strip() in (b"-", b"--")
        return word and not self._plan.begins(tail)

    def _hits(self, by: Compiled, ranges: Sequence[Range], frontier: int, final: bool, hits: list[_Hit]) -> int:
        """The matches of one detector that no more text can change, which begin in these ranges. Returns the frontier,
        lowered to the first other one."""
        text, size = self._text, len(self._text)
        at = max(self._begin(), self._next.get(by.index, 0) - self._base)
        alive = -1
        reach = by.longest + 1
        for first, last in ranges:
            at = max(at, first)
            while at < last and (found := by.match.search(text, at, last + reach)) is not None:
                begin, end = found.span()
                if begin >= last:
                    break
                if not final and alive < 0 and begin >= size - by.longest:
                    cut_off = by.alive.search(text, max(at, size - by.longest))
                    alive = size if cut_off is None else cut_off.span()[0]
                if 0 <= alive <= begin:
                    return max(self._shown, min(frontier, begin))
                start, stop = found.span(1)
                if by.check is not None and not by.check(text[start:stop]):
                    at = begin + 1
                    continue
                hits.append(_Hit(start, -stop, by.index, stop, by, not final or end < size))
                if by.until is not None:  # a block, or a hit within another: what is behind it is looked at anew
                    return frontier
                at = stop
        return frontier

    # -- what is shown -------------------------------------------------------------------------------------------------

    def _sweep(self, out: list[bytes], frontier: int, hits: list[_Hit]) -> bool:
        """Show what is before the frontier. Whether a block has begun, or was none, after which one must look anew."""
        hits.sort(key=_ORDER)
        for hit in hits:
            if hit.start >= frontier:
                break
            if hit.settled:
                self._next[hit.rank] = self._base + hit.end
            if hit.end <= self._shown:
                if hit.by.until is not None and hit.settled:
                    return True
                continue
            self._plain(out, hit.start)
            self._mask(out, hit)
            if hit.by.until is not None:
                self._block = Block(hit.by.until)
                return True
            if hit.by.runs_on is not None:
                self._through_run(out, hit.by.runs_on)
        self._plain(out, frontier)
        return False

    def _through_block(self, out: list[bytes], block: Block) -> bool:
        """Mask what is inside the block. Whether it has ended."""
        end = block.end(self._text, self._shown, self._base)
        self._cover(out, len(self._text) if end is None else end)
        if end is None:
            return False
        self._block = None
        self._floor = self._base + end
        self._next.clear()
        return True

    def _through_run(self, out: list[bytes], runs_on: Search) -> None:
        """Mask what a secret runs on into."""
        found = runs_on.match(self._text, self._shown)
        end = self._shown if found is None else found.span()[1]
        self._cover(out, end)
        self._run = runs_on if end == len(self._text) else None

    def _mask(self, out: list[bytes], hit: _Hit) -> None:
        """Replace what was not shown of a secret."""
        begin = max(hit.start, self._shown)
        secret = self._text[hit.start : hit.end]
        whole = begin == hit.start
        counted = (hit.rank, self._base + hit.start)
        known = counted in self._released
        if not known:
            self._counts[hit.by.kind] += 1
            self._tell(hit, begin)
            if not hit.settled:
                self._released.add(counted)
        if not self._wide and not known:
            out.append(label(hit.by.detector, secret, self._plan.style, self._plan.key))
            self._cover(out, hit.end)
            return
        shape = of_width(hit.by.detector, secret, self._plan.style) if whole and hit.settled else None
        if shape is None or len(shape) != len(secret):
            self._cover(out, hit.end)
        else:
            self._shaped(out, hit.end, shape)

    def _cover(self, out: list[bytes], end: int) -> None:
        """Stars up to `end`, or nothing where a label stands for it already."""
        if self._wide:
            self._shaped(out, end, None)
        else:
            self._codes_before(out, end, inside=True, whole=True)
            if end > self._shown and self._text[end - 1 : end] == b"\x1b":  # what was taken out behind it goes with it
                self._codes_before(out, end, inside=False, whole=True)
            self._shown = max(self._shown, end)

    def _shaped(self, out: list[bytes], end: int, shape: bytes | None) -> None:
        """What has the width of the text up to `end`, with the colour codes where they were."""
        begin = at = self._shown
        codes = [at - self._base for at, _ in self._codes]
        for place in [*(code for code in codes if code < end), end]:
            piece = stars(self._text[at:place]) if shape is None else shape[at - begin : place - begin]
            out.append(piece)
            self._codes_before(out, place, inside=place == end)
            at = max(at, place)
        self._shown = max(self._shown, end)

    def _plain(self, out: list[bytes], end: int) -> None:
        """Show the text up to `end`, and the colour codes up to there."""
        at = self._shown
        if self._codes:
            while self._codes and self._codes[0][0] - self._base <= end:
                place, code = self._codes.popleft()
                out.append(self._text[at : place - self._base])
                out.append(code)
                self._codes_shown += len(code)
                at = max(at, place - self._base)
        out.append(self._text[at:end])
        self._shown = max(self._shown, end)

    def _codes_before(self, out: list[bytes], place: int, inside: bool, whole: bool = False) -> None:
        """Show the colour codes before a place; those right at it too, unless they are still `inside`. `whole`: with
        the ESC that stood in the text, where no text is shown."""
        while self._codes and self._codes[0][0] - self._base < place + (not inside):
            _, code = self._codes.popleft()
            out.append(b"\x1b" + code if whole and not code.startswith(b"\x1b") else code)
            self._codes_shown += len(code)

    def _give_up(self) -> bytes:
        """More is held than may be: mask it all."""
        out: list[bytes] = []
        self._shaped(out, len(self._text), None)
        self._codes_before(out, len(self._text), inside=False)
        self._counts[OVERLONG] += 1
        self._trim()
        return b"".join(out)

    def _tell(self, hit: _Hit, begin: int) -> None:
        if self._seen is None:
            return
        start, end = self._base + begin, self._base + hit.end
        codes = [(at, len(code)) for at, code in self._codes]
        to_start = self._codes_shown + sum(size for at, size in codes if at <= start)
        to_end = self._codes_shown + sum(size for at, size in codes if at < end)
        self._seen(Match(hit.by.kind, start + to_start, end + to_end))

    def _trim(self) -> None:
        """Forget what is no context any more."""
        keep = min(self._shown - CONTEXT, max(self._keep - self._base, self._shown - _MOST_CONTEXT)) - 1
        if keep > 0:
            self._text = self._text[keep:]
            self._base += keep
            self._shown -= keep
        for index in [index for index, at in self._next.items() if at <= self._base]:
            del self._next[index]
        if self._released:
            self._released = {(index, at) for index, at in self._released if at >= self._base}
