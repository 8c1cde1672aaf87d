"""How much of each file can be read, how long a decision takes, and what the shipped policies make of it.

python -m tests.measure FILE.jsonl …                 a JSON object a line: `cmd`, `label`, perhaps `readonly`
python -m tests.measure --odd FILE.jsonl …           and every row that a policy does not judge as its label says
python -m tests.measure --agents DIR --baseline DIR FILE.jsonl …    other policy folders

`make measure FILES="…"` is the same. figures.py says what each figure counts.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bastion.analysis.command import FindingKind
from bastion.analysis.shell import analyse
from bastion.policy.model import Policy
from tests.benchmarks.decisions import seconds
from tests.measure import figures
from tests.measure.figures import Judged, Row

_SHIPPED = Path(__file__).parents[2] / "policies"


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.measure", description=__doc__)
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path)
    parser.add_argument("--agents", metavar="DIR", type=Path, default=_SHIPPED / "agents")
    parser.add_argument("--baseline", metavar="DIR", type=Path, default=_SHIPPED / "baseline")
    parser.add_argument("--odd", action="store_true", help="print the rows that are not judged as labelled")
    arguments = parser.parse_args()
    agents, baseline = figures.policy(arguments.agents), figures.policy(arguments.baseline, operator=True)
    for file in arguments.files:
        rows = [Row.of(json.loads(line)) for line in file.read_text().splitlines() if line.strip()]
        print(f"{file.name}: {len(rows)} lines")
        _speed(rows)
        _policies(rows, agents, baseline, arguments.odd)


def _speed(rows: Sequence[Row]) -> None:
    """Kinds of doubt, and microseconds of analysis and decision."""
    kinds: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    took = sorted(seconds([row.text for row in rows], 1))
    for row in rows:
        analysis = analyse(row.text)
        found = {finding.kind for finding in analysis.undecidable}
        if analysis.unreadable is not None:
            kinds["unreadable"] += 1
            reasons[analysis.unreadable.reason] += 1
        elif FindingKind.TAKES_COMMANDS in found:
            kinds["takes commands"] += 1
        else:
            kinds["unknown" if FindingKind.UNKNOWN in found else "clear"] += 1
    shares = ", ".join(f"{kind} {100 * count / len(rows):.2f} %" for kind, count in kinds.most_common())
    middle, high = took[len(took) // 2], took[int(len(took) * 0.99)]
    print(f"    {shares}; decided in median {middle * 1e6:.0f} us, p99 {high * 1e6:.0f} us")
    for reason, count in reasons.most_common(6):
        print(f"    {count:8} {reason}")


def _policies(rows: Sequence[Row], agents: Policy, baseline: Policy, tell: bool) -> None:
    read = figures.reading(agents, rows)
    if read.of:
        print(f"    agents allows of the read-only lines        {read}")
        _odd(read.odd, tell)
    if any(row.label == "benign" for row in rows):
        unreadable, unknown = figures.undecidable(rows)
        print(f"    of the benign lines can not be read         {unreadable}; nor told what they do: {unknown}")
    for label in ("dangerous", "benign"):
        denied, stopped = figures.stopped(baseline, rows, label)
        if stopped.of:
            print(f"    baseline stops of the {label:9} lines       {stopped}; denies {denied}")
            _odd(stopped.odd, tell)


def _odd(rows: Sequence[Judged], tell: bool) -> None:
    for one in rows if tell else ():
        text = one.row.text.decode("utf-8", "replace").replace("\n", "\\n")
        print(f"        {one.decision.effect.value} by {one.decision.rule}: {text[:160]}")


if __name__ == "__main__":
    main()
