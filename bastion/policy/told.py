"""What the tools of a policy author say to programs: one form for the command line and the API."""

from __future__ import annotations

from bastion.errors import Place, Problem
from bastion.policy.model import Policy

Told = dict[str, object]


def place(found: Place | None) -> Told | None:
    """Where a rule, a case or a mistake stands."""
    return None if found is None else {"file": found.file, "line": found.line, "column": found.column}


def problem(found: Problem) -> Told:
    """One mistake."""
    return {"file": found.place.file, "line": found.place.line, "column": found.place.column, "message": found.message}


def policy(found: Policy) -> Told:
    """A policy that was read without a mistake, in numbers."""
    return {
        "version": found.version,
        "files": list(found.files),
        "rules": len(found.rules),
        "mode": "observe" if found.observe else "enforce",
        "default": found.default.value,
        "undecidable": found.undecidable.value,
    }
