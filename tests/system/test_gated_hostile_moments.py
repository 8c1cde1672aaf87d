"""The gate's states under pressure: bytes cut anywhere, signals and sizes at every moment, long pastes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.hostile import Person, Site, site

MOMENTS = [number * 0.004 for number in range(30)]
"""Seconds after Enter: from before the judge has the line until after the program's end."""


@pytest.fixture(scope="module", params=["bash", "dash"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp(request.param), request.param) as made:
        yield made


def test_bytes_cut_at_every_position(place: Site, tmp_path: Path) -> None:
    """A paste, an edit and an Enter in two pieces, the cut anywhere."""
    canary = tmp_path / "c"
    keys = b"\x1b[200~echo a\n\x1b[201~\x15tosch %s\x1b[H\x1b[C\x1b[C\x1b[3~u\x01\xc3\xa9\x7f\r" % str(canary).encode()
    with place.sit() as person:
        for cut in range(1, len(keys)):
            person.type(keys[:cut])
            person.look(0.01)
            person.type(keys[cut:])
            person.ready()
            assert not canary.exists(), cut
        person.settle()
        assert person.seen.count(b"no rule allows") > len(keys) // 2
        assert person.still_there()


@pytest.mark.parametrize("key", [b"\x03", b"\x1a", b"\x1c", b"\x04", b"\x03\x03\x03", b"\x1a\x03", b"\x13\x03\x11"])
def test_a_signal_key_at_every_moment(place: Site, key: bytes, tmp_path: Path) -> None:
    """Between Enter, verdict, start, end and prompt; what is typed behind it is never run by itself."""
    canary = tmp_path / "c"
    touch = b"touch %s\r" % str(canary).encode()
    for line in (b"echo a\r", b"sleep 0.03\r", b"reboot\r"):
        with place.sit() as person:
            for moment in MOMENTS[::2]:
                person.type(line)
                person.look(moment)
                person.type(key + touch)
                person.look(0.03)
                if person.process.poll() is not None:  # Ctrl-D at the prompt is the end of it
                    break
            if b"\x04" in key:
                person.type(b"\x04")
            else:
                assert person.still_there()
        assert not canary.exists(), (line, moment)


def test_sizes_at_every_moment(place: Site, tmp_path: Path) -> None:
    """While a line is written, judged and run."""
    canary = tmp_path / "c"
    with place.sit() as person:
        for number, moment in enumerate(MOMENTS):
            for byte in b"sleep 0.02":
                person.type(bytes((byte,)))
                person.resize(20 + (number * 7 + byte) % 100, 3 + byte % 30)
            person.type(b"\r")
            person.look(moment)
            person.resize(1 + number, 1 + number)
            person.type(b"touch %s\n" % str(canary).encode())
        person.resize(200, 24)
        assert person.still_there()
    assert not canary.exists()


def test_a_paste_of_500_lines_stops_at_the_first_that_is_refused(place: Site, tmp_path: Path) -> None:
    """What is before it ran, each line once and in order; what is behind it is told as not run."""
    canary = tmp_path / "c"
    lines = [f"echo line-{number}-" for number in range(500)]
    lines[300] = f"touch {canary}"
    with place.sit() as person:
        person.type(b"\x1b[200~" + "\n".join(lines).encode() + b"\n\x1b[201~")
        person.wait_for(b"more pasted lines were not run", 120)
        person.ready()
        ran = [number for number in range(500) if b"\nline-%d-\r" % number in person.seen]
        assert ran == list(range(300)), person.seen[-2000:]
        assert b"bastion: 199 more pasted lines" in person.seen
        assert person.still_there()
    assert not canary.exists()


def test_a_program_eats_the_rest_of_what_was_typed_at_it(place: Site, tmp_path: Path) -> None:
    """Lines typed while a loop reads are the loop's."""
    canary = tmp_path / "c"
    with place.sit() as person:
        person.type(b"while read l; do echo got $l; done\r")
        person.look(0.3)
        person.type(b"touch %s\ntouch %s\r" % ((str(canary).encode(),) * 2))
        person.wait_for(b"got touch")
        person.type(b"\x04")
        person.ready()
        assert person.still_there()
    assert not canary.exists()


def test_two_shells_on_one_connection(place: Site, tmp_path: Path) -> None:
    """Each its own editor, nonce and channel: what one types and prints is nothing to the other."""
    canaries = [tmp_path / "c0", tmp_path / "c1"]
    with place.sit() as one, place.sit() as two:

        def press(person: Person, canary: Path, marker: bytes) -> None:
            for number in range(15):
                person.type(b"sleep 0.0%d\r" % (number % 4))
                person.type(b"touch %s\n" % str(canary).encode())
                person.look(0.01 * (number % 5))
                person.type(b"\x03echo %s-%d\r" % (marker, number))
                person.look(0.05)

        threads = [
            threading.Thread(target=press, args=(person, canary, marker))
            for person, canary, marker in zip((one, two), canaries, (b"left", b"right"), strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert one.still_there()
        assert two.still_there()
        assert b"right-" not in one.seen
        assert b"left-" not in two.seen
    assert not any(canary.exists() for canary in canaries)


def test_the_terminal_of_another_shell_takes_no_commands(place: Site, tmp_path: Path) -> None:
    """What is written into another's terminal is output there, and what is read from it is only what was typed."""
    canary = tmp_path / "c"
    with place.sit() as one, place.sit() as two:
        (terminal,) = [word for word in one.run("ls -l /proc/self/fd/2").split() if b"/dev/pts/" in word]
        two.run(f"printf 'touch {canary}\\n\\r\\003' > {terminal.decode()}")
        two.type(b"cat %s\r" % terminal)
        two.look(0.2)
        one.type(b"sleep 0.2\rtouch %s\r" % str(canary).encode())
        one.look(0.5)
        two.type(b"\x03")
        assert two.still_there()
        assert one.still_there()
    assert not canary.exists()
