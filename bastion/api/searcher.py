"""The searcher: a process of its own that reads the audit trail and recordings for the API: sessions never wait for it.

Order: `python -m bastion.api.searcher` is started by searching.py, and asked as aside.py tells. It reads the
file that it is told with each request, and what it answers is of the tenant that it is told.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from bastion.api.aside import serve
from bastion.audit.search import Sought, digest, search
from bastion.recording import reading


def answer(kind: str, values: tuple[object, ...]) -> dict[str, object]:
    """One request."""
    match kind, values:
        case "search", (str(path), Sought() as sought, before, int(most), float(seconds)) if (
            before is None or isinstance(before, int)
        ):
            return search(Path(path), sought, before, most, seconds)
        case "digest", (str(path), str(tenant), str(session), float(seconds)):
            return digest(Path(path), tenant, session, seconds)
        case "commands", (str(directory), str(tenant), str(session), str(path), float(seconds)):
            return _commands(Path(directory), tenant, session, path, seconds)
    raise ValueError(f"no request of the kind {kind!r}")


def _commands(directory: Path, tenant: str, session: str, path: str, seconds: float) -> dict[str, object]:
    try:
        descriptor = reading.opened(directory, tenant, session, path)
    except reading.NoRecording:
        return {"commands": None, "whole": False}
    try:
        found, whole = reading.commands(descriptor, seconds)
    finally:
        os.close(descriptor)
    return {"commands": [{"time": command.time, "label": command.label} for command in found], "whole": whole}


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer, answer)
