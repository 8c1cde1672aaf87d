"""The line editor: what keys leave in the line, and which events come out, however the bytes are cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from bastion.session.gated.editor import MAX_COMMAND, Editor
from bastion.session.gated.events import Complete, EndOfInput, Event, Interrupt, Line, Show
from bastion.session.gated.history import History
from bastion.session.gated.search import MAX_STEPS
from bastion.session.gated.typeahead import MAX_KEYS, MAX_PENDING
from tests.services.gated.house import House
from tests.services.gated.strategies import KEYS

VECTORS: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parents[2] / "vectors/editor.yaml").read_text("utf-8"))


def keys_of(vector: dict[str, Any]) -> bytes:
    return bytes(vector["bytes"]) if "bytes" in vector else vector["keys"].encode()


def told(event: Event) -> str:
    match event:
        case Line(text, pasted):
            return f"{text} (pasted)" if pasted else text
        case Interrupt():
            return "interrupt"
        case EndOfInput():
            return "end"
    return type(event).__name__


def house_of(vector: dict[str, Any], columns: int = 80) -> House:
    history = History()
    for entry in vector.get("history", []):
        history.add(entry)
    house = House(columns, history=history)
    house.type(vector.get("line0", "").encode())
    return house


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["name"]))
def test_keys_leave_this_line(vector: dict[str, Any]) -> None:
    house = house_of(vector)
    house.type(keys_of(vector))
    assert house.line == vector["line"]
    assert [told(event) for event in house.events] == vector.get("lines", [])
    assert (house.terminal.bells > 0) is vector.get("bell", False)
    assert house.dropped == vector.get("dropped", [])


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["name"]))
def test_keys_leave_the_same_byte_by_byte(vector: dict[str, Any]) -> None:
    house = house_of(vector, 20)
    for byte in keys_of(vector):
        house.type(bytes([byte]))
    assert house.line == vector["line"]
    assert [told(event) for event in house.events] == vector.get("lines", [])


@given(st.lists(KEYS, max_size=40).map(b"".join), st.integers(10, 60), st.data())
def test_cut_anywhere_the_same_events_and_picture(keys: bytes, columns: int, data: st.DataObject) -> None:
    if b"\t" in keys:  # Ctrl-C does not wait for completion, so whether it came before the answer makes a difference
        keys = keys.replace(b"\x03", b"")
    whole, pieces, bytewise = House(columns), House(columns), House(columns)
    for house in (whole, pieces, bytewise):
        house.answer = ("né", ("a", "b"))
    whole.type(keys)
    cut = data.draw(st.integers(0, len(keys)))
    pieces.type(keys[:cut])
    pieces.type(keys[cut:])
    for byte in keys:
        bytewise.type(bytes([byte]))
    for other in (pieces, bytewise):
        assert other.events == whole.events
        assert other.line == whole.line
        assert other.terminal.picture() == whole.terminal.picture()
        assert (other.terminal.x, other.terminal.y) == (whole.terminal.x, whole.terminal.y)


@given(st.binary(max_size=200) | st.lists(KEYS).map(b"".join), st.integers(10, 60))
@example(b"\x1b", 80)
@example(b"\x1b[", 80)
@example(b"\x1b[200~\x1b[201", 80)
def test_no_bytes_raise_and_no_line_holds_a_control_character(keys: bytes, columns: int) -> None:
    house = House(columns)
    house.type(keys)
    house.type(b"\x1b\\\x1b[201~")
    texts = [event.text for event in house.events if isinstance(event, Line)] + [house.editor.text]
    assert not [text for text in texts if any(ord(character) < 0x20 and character not in "\t\n" for character in text)]


# -- keys that wait


def test_keys_behind_an_enter_wait_for_the_next_prompt() -> None:
    editor = Editor(80, History())
    editor.begin(b"$ ")
    assert [told(event) for event in editor.feed(b"ls\rid\rw")] == ["Show", "ls"]
    assert editor.pending
    assert editor.feed(b"ho\r") == []
    editor.begin(b"$ ")
    assert [told(event) for event in editor.feed(b"")] == ["Show", "id"]
    editor.continued(b"> ")
    assert [told(event) for event in editor.feed(b"")] == ["Show", "who"]
    assert not editor.pending


def test_keys_before_the_first_prompt_wait_too() -> None:
    editor = Editor(80, History())
    assert editor.feed(b"ls\r") == []
    editor.begin(b"$ ")
    assert [told(event) for event in editor.feed(b"")] == ["Show", "ls"]


def test_what_waits_is_bounded_and_has_no_gap() -> None:
    editor = Editor(80, History())
    assert editor.feed(b"x" * 80 + b"\r") == []
    assert editor.feed(b"a\r" * (MAX_PENDING // 2)) == [Show(b"\a")]
    assert editor.feed(b"b") == [Show(b"\a")]
    editor.begin(b"$ ")
    texts = []
    while any(isinstance(event, Line) for event in editor.feed(b"")):
        texts.append(editor.text)
        editor.begin(b"$ ")
    assert len(texts) == MAX_KEYS // 2
    assert [told(event) for event in editor.feed(b"c")] == ["Show"], "what comes when none wait is taken again"
    editor.feed(b"\rd")
    assert editor.pending


def test_the_bytes_that_wait_are_bounded() -> None:
    editor = Editor(80, History())
    events = [event for _ in range(20) for event in editor.feed(b"x" * 4000 + b"\r")]
    assert events == [Show(b"\a")] * (20 - MAX_PENDING // 4001)


def test_what_waits_can_be_thrown_away() -> None:
    editor = Editor(80, History())
    editor.begin(b"$ ")
    editor.feed(b"ls\rrm\r\x1b[200~x")
    editor.forget()
    assert not editor.pending
    editor.begin(b"$ ")
    editor.feed(b"y\x1b[201~z")
    assert editor.text == "z"


# -- pastes


def test_the_rest_of_a_refused_paste_is_thrown_away_also_what_is_still_to_come() -> None:
    editor = Editor(80, History())
    editor.begin(b"$ ")
    assert Line("a", True) in editor.feed(b"\x1b[200~a\nb\nc")
    assert editor.pasting
    assert editor.drop_paste() == 2
    editor.begin(b"$ ")
    assert editor.feed(b"d\ne\n\x1b[20") == []
    editor.feed(b"1~f")
    assert (editor.text, editor.pasting) == ("f", False)


def test_a_paste_drops_nothing_after_a_typed_line() -> None:
    editor = Editor(80, History())
    editor.begin(b"$ ")
    editor.feed(b"a\r\x1b[200~b\n\x1b[201~")
    assert editor.drop_paste() == 0
    assert editor.pending


def test_a_paste_without_an_end_is_bounded() -> None:
    editor = Editor(80, History())
    editor.begin(b"$ ")
    bells = 0
    editor.feed(b"\x1b[200~")
    for _ in range(100):
        bells += sum(b"\a" in event.data for event in editor.feed(b"x" * 4096) if isinstance(event, Show))
    assert len(editor.text) == MAX_COMMAND + 1
    assert bells < 20, "not one for each piece"
    editor.feed(b"\x1b[201~\x15ls")
    assert editor.text == "ls"


# -- bounds


@pytest.mark.parametrize("cut", [1, 7, 100_000])
def test_a_command_that_lost_its_end_is_too_long_for_the_judge(cut: int) -> None:
    house = House(rows=24)
    keys = ("é" * 5000 + "漢a" * 10 + "\r").encode()
    for at in range(0, len(keys), cut):
        house.type(keys[at : at + cut])
    assert house.events == [Line("é" * (MAX_COMMAND // 2) + "é")]
    assert house.terminal.bells


def test_the_lines_of_a_command_are_bounded_together() -> None:
    house = House(rows=24)
    house.type(b"x" * (MAX_COMMAND - 3) + b"\\\r" + b"yyyy")
    assert house.editor.text == "yy"
    assert len("\n".join([house.events[0].text, "yy"])) == MAX_COMMAND + 1 if isinstance(house.events[0], Line) else 0


def test_what_a_search_found_and_does_not_fit_is_not_mistaken_for_the_line() -> None:
    house = House(rows=24)
    house.type(b"find" + b"x" * 4000 + b"\r" + b"y" * 6000 + b"\\\r" + b"rm\x12find\r")
    assert len(house.events) == 2
    assert house.line == "rm|"


@pytest.mark.parametrize("keys", [b"\x15\x19\x19", b"\x15\x19\x01\x19"])
def test_what_is_yanked_must_fit_whole(keys: bytes) -> None:
    house = House(rows=24)
    house.type(b"x" * 5000 + keys)
    assert len(house.editor.text) == 5000
    assert house.terminal.bells == 1


def test_case_can_not_grow_a_line_past_its_bound() -> None:
    house = House(rows=24)
    house.type("ŉ".encode() * (MAX_COMMAND // 2) + b"\x01\x1bu")
    assert len(house.editor.text.encode()) == MAX_COMMAND


def test_undo_and_kills_are_bounded() -> None:
    house = House(rows=24)
    house.type(b"x " * 4000)
    for _ in range(600):
        house.type(b"\x15\x19y\x7f")
    kept = sum(len(text) for text, _ in house.editor._line._undo) + sum(map(len, house.editor._line._kills))
    assert kept < 600_000


def test_the_steps_of_a_search_are_bounded() -> None:
    house = House()
    house.type(b"one a\rtwo a\r\x12a" + b"\x12\x13" * 2 * MAX_STEPS)
    search = house.editor._recall.search
    assert search is not None
    assert len(search._states) == MAX_STEPS


# -- completion


def test_keys_wait_for_completion() -> None:
    editor = Editor(80, History())
    editor.begin(b"$ ")
    events = editor.feed(b"ls /e x\x02\x02\ttc\r")
    assert events[-1] == Complete("ls /e", " x", False)
    assert editor.pending
    assert [told(event) for event in editor.completed("tc/", ())] == ["Show", "ls /etc/tc x"]
    assert editor.completed("again", ()) == []


def test_tab_again() -> None:
    house = House()
    house.type(b"ls\t\tx\t")
    assert house.events == [Complete("ls", "", False), Complete("ls", "", True), Complete("lsx", "", False)]
    assert house.terminal.bells == 3


def test_ctrl_c_does_not_wait_for_completion_and_throws_away_what_does() -> None:
    editor = Editor(80, History())
    editor.begin(b"$ ")
    editor.feed(b"ls /e\trm\r")
    assert [told(event) for event in editor.feed(b"x\x03y")] == ["Show", "interrupt"]
    assert editor.completed("tc", ()) == []
    editor.begin(b"$ ")
    editor.feed(b"")
    assert editor.text == "y"


@pytest.mark.parametrize("insert", ["a\nb", "\x1b[A", "\x7f", "\x9b"])
def test_completion_can_not_insert_a_control_character(insert: str) -> None:
    house = House()
    house.answer = (insert, ())
    house.type(b"ls \t")
    assert (house.line, house.terminal.bells) == ("ls |", 1)


def test_candidates_are_listed_under_the_line_with_hidden_characters_escaped() -> None:
    house = House(40)
    house.answer = ("", ("plain", "esc\x1b[2J", "bidi\u202e", "漢字"))
    house.type(b"ls x\x02\t")
    assert house.terminal.picture() == ["$ ls x", "plain         bidi\\u{202e}", "esc\\x1b[2J    漢字", "$ ls x"]
    assert (house.terminal.x, house.terminal.y) == (5, 3)


# -- what is shown


def test_typing_at_the_end_is_echoed_with_its_own_bytes() -> None:
    editor = Editor(20, History())
    editor.begin(b"$ ")
    text = "ls -l gr\u00f6\u00dfe 漢字 e\u0301 " + "x" * 60
    assert [editor.feed(character.encode()) for character in text] == [[Show(c.encode())] for c in text]


def test_bracketed_paste_is_on_while_a_line_is_edited() -> None:
    house = House()
    assert house.terminal.pasting
    for key in (b"\r", b"\x03", b"\x04", b"\x0f"):
        editor = Editor(80, History())
        assert editor.begin(b"$ ").endswith(b"\x1b[?2004h")
        editor.feed(b"" if key == b"\x04" else b"x")
        shown = editor.feed(key)[0]
        assert isinstance(shown, Show)
        assert shown.data.endswith(b"\x1b[?2004l\r\n")


def test_a_prompt_after_output_without_an_end_of_line_has_a_row_of_its_own() -> None:
    for output in (b"", b"half a line", b"x" * 20):
        house = House(20)
        house.type(b"\r")
        house.terminal.write(house.editor.withdraw() + output)
        house.terminal.write(house.editor.begin(b"# ", fresh=False))
        assert house.terminal.picture()[-1] == "#"
        assert house.terminal.x == 2
