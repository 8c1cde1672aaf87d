"""What a file, or a program's output, would look like by a policy's masks.

    bastion mask --policies policies --tenant acme --group agents --target db-1 --account deploy < FILE

reads standard input and prints it as it would be shown to that identity there. Identity, groups, target and account
that are left out are names that no mask with `who` or `where` means; a mask without them is about everybody.

--explain prints what was found and where, and none of it: byte offsets (from 0, the end not included), the line and the
detector; and how many fields of which column. --terminal masks as on a terminal, where all keeps its width. Hashes are
made with a key of the moment: they are alike within one run and unlike those of the bastion.

Exit status: 0; 1 when the policy can not be read; 3 when there is no mask for that identity there.
"""

from __future__ import annotations

import argparse
import bisect
import secrets
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO

from bastion.cli.policies import asking
from bastion.masking.columns import ColumnMasker
from bastion.masking.masker import Masker, Match
from bastion.policy import loader
from bastion.policy.masks import Chosen, choose
from bastion.session.masks import Masks, Stage

EXIT_NO_MASK = 3
PIECE = 32 * 1024
_KEY_BYTES = 32
_NEWLINE = 0x0A


def configure(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.usage = "bastion mask [OPTION...] < FILE"
    asking.add_policy(parser)
    asking.add_asker(parser)
    parser.add_argument("--explain", action="store_true", help="tell which detector matched where, and no text")


def run(arguments: argparse.Namespace) -> int:
    """Standard input to standard output."""
    asker = asking.asker(arguments, time.time())
    policy = loader.load(asking.policy_folder(arguments))
    masks = policy.masked(asker.subject)
    if not masks:
        print("bastion mask: no mask is about this identity, target and account", file=sys.stderr)
        return EXIT_NO_MASK
    chosen = choose(masks, secrets.token_bytes(_KEY_BYTES))
    if arguments.explain:
        return _explain(chosen, sys.stdin.buffer)
    masking = Masks(lambda: chosen, terminal=arguments.terminal)
    for piece in _pieces(sys.stdin.buffer):
        sys.stdout.buffer.write(masking.feed(piece, 0))
    sys.stdout.buffer.write(masking.flush(0))
    sys.stdout.buffer.flush()
    counts = masking.counts
    told = ", ".join(f"{name} {count}" for name, count in counts.items()) or "nothing was masked"
    print(f"bastion mask: by {', '.join(chosen.masks)}: {told}", file=sys.stderr)
    return 0


def _pieces(source: BinaryIO) -> Iterator[bytes]:
    while piece := source.read(PIECE):
        yield piece


def _explain(chosen: Chosen, source: BinaryIO) -> int:
    """Each detector and each column looks at the input as it came."""
    found: list[Match] = []
    columns = Counter[str]()
    maskers: list[Stage] = [Masker(chosen.plan, terminal=False, seen=found.append)]
    maskers += [ColumnMasker(names, lambda value, _: value, terminal=False) for _, names in chosen.columns]
    lines = [0]
    at = 0
    for piece in _pieces(source):
        lines.extend(at + place + 1 for place, byte in enumerate(piece) if byte == _NEWLINE)
        at += len(piece)
        for masker in maskers:
            masker.feed(piece)
    for masker in maskers:
        masker.flush()
    for match in sorted(found, key=lambda match: (match.start, match.end, match.detector)):
        print(f"{match.start}..{match.end}\tline {bisect.bisect_right(lines, match.start)}\t{match.detector}")
    for masker in maskers:
        columns.update({name: count for name, count in masker.counts.items() if name.startswith("column:")})
    for name, count in sorted(columns.items()):
        print(f"{name}\t{count}")
    return 0
