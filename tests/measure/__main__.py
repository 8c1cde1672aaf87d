"""How much of each file can be read, how much is without any doubt, and how long analysis and decision take.

python -m tests.measure FILE.jsonl …      a JSON object a line, whose `cmd` is the text
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

from bastion.analysis.command import FindingKind
from bastion.analysis.shell import analyse
from tests.benchmarks.decisions import seconds


def measure(file: Path) -> None:
    texts = [json.loads(line)["cmd"].encode("utf-8", "surrogatepass") for line in file.read_text().splitlines()]
    kinds: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    figures = sorted(seconds(texts, 1))
    for text in texts:
        analysis = analyse(text)
        found = {finding.kind for finding in analysis.undecidable}
        if FindingKind.UNREADABLE in found:
            kinds["unreadable"] += 1
            reasons[analysis.unreadable.reason if analysis.unreadable else ""] += 1
        elif FindingKind.TAKES_COMMANDS in found:
            kinds["takes commands"] += 1
        elif FindingKind.UNKNOWN in found:
            kinds["unknown"] += 1
        else:
            kinds["clear"] += 1
    shares = ", ".join(f"{kind} {100 * count / len(texts):.2f} %" for kind, count in kinds.most_common())
    middle, high = figures[len(figures) // 2], figures[int(len(figures) * 0.99)]
    print(f"{file.name}: {len(texts)} lines; {shares}; median {middle * 1e6:.0f} us, p99 {high * 1e6:.0f} us")
    for reason, count in reasons.most_common(6):
        print(f"    {count:4} {reason}")


for name in sys.argv[1:]:
    measure(Path(name))
