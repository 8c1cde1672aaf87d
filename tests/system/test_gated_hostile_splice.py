"""Two judged units made one that nobody judged: the nonce is told by `set`, and the shell itself reads its own channel.

The shell (bash) reads 1024 bytes at a time, so the head of unit 5 is in its buffer while unit 4 runs. Unit 4 tells the
markers of units 5 to 14 itself, so that the bastion sends on; it eats what is between the head of unit 5 and the tail
of unit 15, and from the number behind that one digit: `15` becomes `5`. Length and number fit, and what the shell
decodes is the head of one text with the tail of another, which begins outside of its quotes.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pytest

from bastion.analysis.shell import analyse
from bastion.session.gated import wire
from bastion.session.gated.boot import Kind
from tests.system.harness.waiting import until
from tests.system.hostile import NOBODY, Person, site

pytestmark = pytest.mark.slow

HEAD, TAIL = 5, 15
PAGES, OF_TAIL, PAGE, BLOCK = 16, 4, 4096, 1024
"""A FIFO holds 16 pages; what does not fit waits in the feeder, which is stopped meanwhile."""
ATTEMPTS = 3


def unit(number: int, text: str) -> bytes:
    """As the bastion sends it."""
    runs = analyse(text.encode(), "bash", True).runs
    assert runs is not None
    return wire.unit(Kind.BASH, number, runs)


def around(sent: bytes) -> tuple[int, int]:
    """Where its code begins and ends."""
    return sent.index(b" \\\\x") + 1, sent.rindex(b" ", 0, sent.rindex(b"; \\eval"))


def filled(number: int, size: int, text: str = "echo {}") -> str:
    """A text whose unit has this many bytes, or a few less."""
    return text.format("a" * (1 + (size - len(unit(number, text.format("a")))) // 5))


def plan(nonce: str, feeder: int, canary: Path) -> list[str]:
    """The lines to type, from number 3 on."""
    mark = rf"printf '\033]7777;{nonce};prompt;%d;0\007/\033]7777;{nonce};at\007$ \033]7777;{nonce};end\007' "
    payload = f"'; touch {canary} #'"
    tail = filled(TAIL, PAGE * OF_TAIL + len(b"15; \\eval $__bastion_eval\n"), 'echo "{}' + payload[:-1] + '"')
    sent = unit(TAIL, tail)
    ends = around(sent)[1]
    assert ends + 1 == PAGE * OF_TAIL
    fillers = [filled(number, PAGE * 6) for number in (13, 14)]
    eaten = sum(len(unit(13 + at, text)) for at, text in enumerate(fillers)) + ends - 5 * len(payload)
    for pad in range(BLOCK):
        eats = (
            f'x={"p" * pad}; for i in 5 6 7 8 9 10 11 12; do read -r -u 10 x; {mark}"$i"; done; '
            f"sleep 1; {mark}13; sleep 1; {mark}14; sleep 1.5; kill -STOP {feeder}; sleep 1; "
            f"head -c {eaten} <&10 > /dev/null; (sleep 1; kill -STOP $$; sleep 1; kill -CONT {feeder}; sleep 1; "
            "read -r -N 1 -u 10 x; kill -CONT $$) &"
        )
        kept = -len(unit(4, eats)) % BLOCK - around(unit(HEAD, "echo a"))[0]
        if kept >= 150 and kept % 5 == 0:
            break
    first, last = around(unit(HEAD, "echo "))
    head = "echo " + "a" * ((kept + 5 * len(payload) - (last - first)) // 5 - 3)
    first, last = around(unit(HEAD, head))
    assert last - first == kept + 5 * len(payload)
    begin = f"sleep 1; {mark}3; sleep 2; {mark}4; sleep 2"
    return [begin, eats, head, *["echo f"] * 7, *fillers, tail]


def spliced(person: Person, canary: Path) -> bool:
    told = person.run("set")
    nonce, feeder = re.search(rb"7777;([0-9a-f]+)", told), re.search(rb"__bastion_feeder=(\d+)", told)
    assert nonce is not None
    assert feeder is not None
    for text in plan(nonce[1].decode(), int(feeder[1]), canary):
        person.type(text.encode() + b"\r")
        if "touch" not in text:
            person.ready(40)
    try:
        return until(lambda: person.look(0.2) and canary.exists(), seconds=15)
    except AssertionError:
        return False


def test_units_can_not_be_spliced(tmp_path: Path) -> None:
    """The account has no rights of root; no rule allows `touch`."""
    with site(tmp_path / "bash", "bash", user=NOBODY) as place:
        tmp_path.chmod(0o777)
        for number in range(ATTEMPTS):
            canary = Path(tempfile.gettempdir()) / f"canary-{tmp_path.name}-{number}"
            with place.sit() as person:
                made = spliced(person, canary)
            canary.unlink(missing_ok=True)
            assert not made, place.bastion.audit("command-judged")[-1]["text"]
