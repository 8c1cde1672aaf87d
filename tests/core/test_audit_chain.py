"""The chain of the audit trail: every change of a line shows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastion.audit.chain import Broken, Head, link, verify


def chain(count: int, head: Head | None = None) -> list[bytes]:
    """That many lines, one after the other."""
    head = head or Head()
    lines = []
    for number in range(count):
        line, head = link(head, {"kind": "test", "number": number})
        lines.append(line)
    return lines


def test_a_whole_chain_holds() -> None:
    """An untouched chain verifies, and tells where it stands."""
    lines = chain(5)
    head = verify(lines)
    assert head.seq == 5
    assert verify(chain(3, head), head).seq == 8
    assert verify([]) == Head()


def test_the_middle_of_a_chain_holds() -> None:
    """Lines from the middle verify when their first is believed, and not as a beginning."""
    lines = chain(5)
    assert verify(lines[2:], None) == verify(lines)
    with pytest.raises(Broken):
        verify(lines[2:])


@given(st.data())
def test_every_changed_byte_shows(data: st.DataObject) -> None:
    """Any byte of any line but the last, changed, breaks the chain; the last line shows in its own digest."""
    lines = chain(4)
    row = data.draw(st.integers(0, 3))
    column = data.draw(st.integers(0, len(lines[row]) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != lines[row][column]))
    changed = [*lines]
    changed[row] = lines[row][:column] + bytes([byte]) + lines[row][column + 1 :]
    try:
        head = verify(changed)
    except Broken:
        return
    assert row == 3
    assert head.digest != verify(lines).digest


@pytest.mark.parametrize("row", range(4))
def test_a_missing_line_shows(row: int) -> None:
    """A line that was taken out breaks the chain, but for the last (the head told elsewhere shows that)."""
    lines = chain(5)
    with pytest.raises(Broken):
        verify(lines[:row] + lines[row + 1 :])


@pytest.mark.parametrize("row", range(1, 5))
def test_a_doubled_or_moved_line_shows(row: int) -> None:
    """A line that stands twice, or before its turn, breaks the chain."""
    lines = chain(5)
    with pytest.raises(Broken):
        verify(lines[:row] + lines[row - 1 :])
    with pytest.raises(Broken):
        verify([*lines[: row - 1], lines[row], lines[row - 1], *lines[row + 1 :]])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "not JSON"),
        (b"[]\n", "not a JSON object"),
        (b"\n", "not JSON"),
        (b"{}\n", "missing"),
        (b'{"seq":true,"previous":"x"}\n', "missing"),
        (b'{"seq":2,"previous":"x"}\n', "expected seq 1, found 2"),
        (b'{"seq":1,"previous":"x"}\n', "altered"),
        (b'{"seq":1,"previous":"x"}', "no end"),
    ],
)
def test_what_is_no_line_is_told(line: bytes, reason: str) -> None:
    """A refusal says where and why."""
    with pytest.raises(Broken, match=reason) as told:
        verify([line])
    assert told.value.line == 1
