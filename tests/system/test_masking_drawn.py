"""Secrets at the prompt of a gated shell: what its editor draws, and what a background program prints between that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system.harness.bastion import Bastion, Target
from tests.system.harness.client import Client
from tests.system.harness.sshd import Sshd
from tests.system.terminal import Terminal
from tests.system.test_masking import policy
from tests.system.test_masking_attacked import kept, token

Maker = Callable[..., Client]

REAR = 15
"""Characters of a token's end, which nobody sees."""


@pytest.fixture(scope="module")
def bastion(tmp_path_factory: pytest.TempPathFactory, target: Sshd) -> Iterator[Bastion]:
    with Bastion(tmp_path_factory.mktemp("bastion"), [Target.of("web-1", target)], policy=policy()) as served:
        yield served


BREAKS: dict[str, Callable[[str, str], list[str]]] = {
    "a typo": lambda front, rear: [front + "x", "\x7f", rear],
    "left, end": lambda front, rear: [front, "\x1b[D", "\x05", rear],
    "left, right": lambda front, rear: [front, "\x1b[D", "\x1b[C", rear],
    "home, end": lambda front, rear: [front, "\x01", "\x05", rear],
    "a bell": lambda front, rear: [front, "\x1b[C", rear],
    "tab": lambda front, rear: [front, "\t", rear],
    "kill and yank": lambda front, rear: [front, rear, "\x1b[D" * len(rear), "\x0b", "\x19"],
    "a search given up": lambda front, rear: [front, "\x12", "\x07", rear],
    "a clear screen": lambda front, rear: [front, "\x0c", rear],
    "nothing": lambda front, rear: [front, rear],
}


@pytest.mark.parametrize("at", [12, 25])
@pytest.mark.parametrize("name", BREAKS)
def test_a_key_in_the_midst_of_a_secret_shows_no_more_of_it(
    name: str, at: int, client: Maker, bastion: Bastion
) -> None:
    secret = token(100 * list(BREAKS).index(name) + at)
    with Terminal(client().command("-tt", "-q", "web-1")) as person:
        person.wait_for(b"# ")
        person.type(b"echo ")
        for piece in BREAKS[name](secret[:at], secret[at:]):
            person.type(piece.encode())
            person.look(0.25)
        person.type(b"\x15exit\r")
        assert person.finish() == 0
    rear = secret[-REAR:]
    assert (rear.encode() in person.seen, kept(bastion, rear)) == (False, [])


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (40, 4)])
def test_a_line_of_which_a_part_is_shown_begins_with_no_rear_of_a_secret(
    columns: int, rows: int, client: Maker, bastion: Bastion
) -> None:
    secrets = [token(5000 + columns * 100 + number) for number in range(60)]
    with Terminal(client().command("-tt", "-q", "web-1"), columns=columns, rows=rows) as person:
        person.wait_for(b"# ")
        person.type(b"\x1b[200~echo " + " ".join(secrets).encode() + b"\x1b[201~")
        person.look(1)
        for keys in (b"\x01", b"\x05", *[b"\x1b[D" * 37] * 20, b"\x05"):
            person.type(keys)
            person.look(0.1)
        person.type(b"\x15exit\r")
        assert person.finish() == 0
    seen = [secret for secret in secrets if secret[-12:].encode() in person.seen or kept(bastion, secret[-12:])]
    assert seen == []


def printed(person: Terminal, program: str) -> None:
    """In the background, at the prompt."""
    person.wait_for(b"# ")
    person.type(f"sh -c 'sleep 1; {program}; sleep 1; echo the-e\"\"nd' &\r".encode())
    person.wait_for(b"the-end")
    person.type(b"exit\r")
    person.finish()


def test_what_is_printed_in_the_background_is_masked_wherever_it_is_cut(
    client: Maker, bastion: Bastion, tmp_path: Path
) -> None:
    """Its pieces end where packets do, and the prompt is drawn behind each."""
    secrets = [token(30_000 + number) for number in range(4000)]
    secrets = [secret for secret in secrets if any(letter.isdigit() for letter in secret)]
    file = tmp_path / "secrets"
    file.write_text("".join(f"{'x' * (number % 37)} {secret}\n" for number, secret in enumerate(secrets)))
    with Terminal(client().command("-tt", "-q", "web-1")) as person:
        printed(person, f"cat {file}")
    seen = [secret for secret in secrets if secret[-12:].encode() in person.seen]
    assert (seen, kept(bastion, secrets[0][-12:])) == ([], [])


@pytest.mark.parametrize("pause", ["0.01", "0.5"])
def test_a_secret_in_two_pieces_in_the_background_is_masked(
    pause: str, client: Maker, bastion: Bastion, tmp_path: Path
) -> None:
    secret = token(50_000 + len(pause))
    front, rear = tmp_path / "front", tmp_path / "rear"
    front.write_text(f"k {secret[:20]}")
    rear.write_text(f"{secret[20:]}\n")
    with Terminal(client().command("-tt", "-q", "web-1")) as person:
        printed(person, f"cat {front}; sleep {pause}; cat {rear}")
    assert (secret[-12:].encode() in person.seen, kept(bastion, secret[-12:])) == (False, [])


def test_a_directory_is_told_without_what_is_masked(client: Maker, bastion: Bastion, tmp_path: Path) -> None:
    secret = token(60_000)
    (tmp_path / secret).mkdir()
    with Terminal(client().command("-tt", "-q", "web-1")) as person:
        person.wait_for(b"# ")
        person.type(f"cd {tmp_path}/ghp*\r".encode())
        person.wait_for(b"# ")
        person.type(b"true\r")
        person.wait_for(b"# ")
        person.type(b"exit\r")
        person.finish()
    assert (secret.encode() in person.seen, kept(bastion, secret)) == (False, [])
