"""No text keeps an analysis busy: the worst that were found, in the process's own time, and any bytes have a verdict.

Limits: a machine's speed is taken from a loop that is timed beside each text; that shows a bound that is gone, which
costs many times as much, and not a tenth more.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from itertools import count

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bastion.analysis.guards import MAX_TEXT
from bastion.analysis.shell import analyse
from bastion.policy.decision import Effect, Request, Subject
from bastion.policy.engine import decide
from bastion.policy.loader import load_texts
from tests.core.oracle.hostile import TEXTS

POLICY = load_texts(
    {
        "all.yaml": b"version: 1\nmode: enforce\ndefault: deny\nundecidable: deny\n"
        b"rules:\n  - {id: some, effect: allow, commands: ['ls **', 'cat /var/log/**']}\n"
    }
)
SUBJECT = Subject(("someone",), frozenset(), (), "web-1", (), "deploy")
LOOP = 6.0
"""Milliseconds that the loop below takes where 50 ms are the mark."""


def best(work: Callable[[], object]) -> float:
    """Milliseconds of the process's own time, best of five."""
    figures = []
    for _ in range(5):
        begin = time.process_time()
        work()
        figures.append(1000 * (time.process_time() - begin))
    return min(figures)


def loop() -> int:
    total = 0
    for number in range(200_000):
        total += number & 3
    return total


@pytest.mark.parametrize("name", TEXTS)
def test_no_text_takes_longer_than_the_mark(name: str) -> None:
    """Analysis and decision together: 50 ms on a machine whose loop takes 6, and in proportion on any other."""
    text = TEXTS[name]
    assert len(text) <= MAX_TEXT + 512

    def decided() -> Effect:
        return decide(POLICY, SUBJECT, Request("exec", analyse(text))).effect

    decided()
    assert best(decided) <= 50 * max(1.0, best(loop) / LOOP)


NEW = {
    "..": ("cat ", "a/../{:x}"),
    ".. up": ("cat ", "a/../../../{:x}/x"),
    "links of the system": ("cat ", "/var/run/../{:x}"),
    "links of the kernel": ("cat ", "/proc/self/cwd/{:x}"),
    "folders": ("cd /a;cd /b;cd /c;cd /d; cat ", "a{0:x}/../b{0:x}"),
    "walks": ("grep -r x ", "a/../{:x}"),
    "coded URLs": ("curl ", "'file:///{:x}%61'"),
    "patterns in URLs": ("curl ", "'file:///{:x}[a-z]'"),
}


@pytest.mark.parametrize("name", NEW)
def test_no_text_takes_longer_for_names_that_never_came_before(name: str) -> None:
    """What is kept of names that did come is no help: each round has others."""
    head, form = NEW[name]
    numbers = count()

    def text() -> bytes:
        whole = head + " ".join(form.format(next(numbers)) for _ in range(MAX_TEXT // 8))
        return whole[: whole.rindex(" ", 0, MAX_TEXT)].encode()

    texts = [text() for _ in range(6)]
    analyse(texts.pop())
    assert best(lambda: analyse(texts.pop())) <= 50 * max(1.0, best(loop) / LOOP)


def test_an_ordinary_script_of_that_size_is_within_the_bounds() -> None:
    """What people write in 8 KiB: comments, quotes, tests, loops and substitutions."""
    part = """
# Restart what has too many errors in its log; the number is a guess that has worked for years.
for host in web-1 web-2 web-3; do
  count=$(grep -c 'ERROR' "/var/log/app/${host}.log")
  if [ "$count" -gt 100 ] && [ -f "/etc/app/${host}.yaml" ]; then
    echo "$host: $count errors; restarting it now, and telling the others" | tee -a "/var/log/app/restarts.log"
    systemctl restart "app@${host}.service" || echo "it did not restart: $?" >&2
  fi
done
"""
    script = (part * 14).encode()
    assert 6000 < len(script) <= MAX_TEXT
    assert analyse(script).unreadable is None
    assert analyse(b"bash -s", stdin=script).unreadable is None


def judged(text: bytes, shell: str, stdin: bytes | None) -> None:
    analysis = analyse(text, shell, stdin=stdin)
    assert (analysis.runs is None) == (analysis.unreadable is not None)
    assert analysis.runs is None or analysis.commands
    assert all(finding.reason.isprintable() for finding in (*analysis.undecidable, *analysis.findings))
    decision = decide(POLICY, SUBJECT, Request("exec", analysis))
    assert isinstance(decision.effect, Effect)
    assert analysis.runs is not None or decision.effect is Effect.DENY


NASTY = ["\0", "\x1b[2J", "\r", "\u202e", "\u200b", "\ufeff", "\u2028", "\U000e0041", "\x7f", "\udcff", "\ud800", "é"]
PIECES = [*NASTY, "'", '"', "`", "$(", "${", "$((", "((", "[[", "<<E\n", "<<<", "\n", ";", "|", "&", "ls", " ", "\\"]
PIECES += ["{", "}", ")", "))", "]]", "bash -c ", "eval ", "for i in ", "do ", "case ", "esac", "psql -c ", "xargs "]
PIECES += ["\nE\n", "#", "~"]
texts = st.one_of(
    st.binary(max_size=300),
    st.lists(st.sampled_from(PIECES), max_size=30).map(lambda parts: "".join(parts).encode("utf-8", "surrogatepass")),
)


@given(texts, st.sampled_from(["bash", "sh"]), st.none() | texts)
@settings(max_examples=1200, deadline=None)
@example(b"(" * (1 << 20), "bash", None)
@example(b"\0", "bash", None)
@example("ls \u202egpj.sh".encode(), "bash", None)
@example(b"ls \xed\xa0\x80", "bash", None)
@example(b"bash -s", "sh", b"(" * (1 << 20))
@example(b"bash -s", "bash", b"\0")
@example(b"psql", "sh", "select '\u202e'".encode())
@example(b"bash -c $'\\0'", "bash", None)
@example(b"", "bash", b"")
def test_any_bytes_have_a_verdict(text: bytes, shell: str, stdin: bytes | None) -> None:
    """Never an exception; what can not be read is denied with a reason that can be shown."""
    judged(text, shell, stdin)


def test_random_bytes_have_a_verdict() -> None:
    """Long ones too."""
    for size in (1, 100, MAX_TEXT, MAX_TEXT + 1, 1 << 20):
        judged(os.urandom(size), "bash", os.urandom(size))
