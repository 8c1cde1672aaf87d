"""The JSON Schema (draft 2020-12) of profile files, for editors; made from the same names that the loader reads by.

programs/schema.json is what this makes; a test keeps the two alike.
"""

from __future__ import annotations

from bastion.analysis.profile.categories import CATEGORIES
from bastion.analysis.profile.loader import INTERACTIVE, STDIN
from bastion.analysis.profile.model import ROLES, Style, Unknown

_TEXT = {"type": "string", "minLength": 1}


def schema() -> dict[str, object]:
    """The schema as plain values."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Profiles of programs",
        "type": "object",
        "additionalProperties": False,
        "required": ["programs"],
        "properties": {
            "sets": {"type": "object", "additionalProperties": {"$ref": "#/$defs/options"}},
            "programs": {"type": "object", "additionalProperties": {"$ref": "#/$defs/program"}},
        },
        "$defs": {
            "options": _options(),
            "when": _mapping(
                {
                    "given": _TEXT,
                    "also": _TEXT,
                    "missing": _TEXT,
                    "at_least": {"type": "integer", "minimum": 0, "maximum": 100},
                    "at_most": {"type": "integer", "minimum": 0, "maximum": 100},
                    "operands": _TEXT,
                    "stdin": {"enum": list(STDIN)},
                    "archives": {"enum": ["writes", "unpacks"]},
                    **_effects(),
                }
            ),
            "use": _mapping(_use()),
            "program": {**_mapping({"about": _TEXT, "same": {"type": "boolean"}, **_use()}), "required": ["about"]},
        },
    }


def _mapping(properties: dict[str, object]) -> dict[str, object]:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _options() -> dict[str, object]:
    roles: dict[str, object] = {role: {**_TEXT, "description": meaning} for role, meaning in ROLES.items()}
    return _mapping({"use": {**_TEXT, "description": "names of sets"}, **roles})


def _effects() -> dict[str, object]:
    return {
        "code": _TEXT,
        "changes": _TEXT,
        "network": _TEXT,
        "interactive": {"enum": list(INTERACTIVE)},
        "categories": {"type": "array", "items": {"enum": list(CATEGORIES)}},
        "techniques": {"type": "array", "items": {"type": "string", "pattern": r"^T\d{4}(\.\d{3})?$"}},
    }


def _use() -> dict[str, object]:
    return {
        "style": {"enum": [style.value for style in Style]},
        "unknown": {"enum": [unknown.value for unknown in Unknown]},
        "otherwise": {"enum": [unknown.value for unknown in Unknown]},
        "everywhere": {"type": "boolean"},
        "numbers": {"type": "boolean"},
        "bundled": {"type": "boolean"},
        "dialect": _TEXT,
        "options": {"$ref": "#/$defs/options"},
        "operands": _TEXT,
        "stdin": {"enum": list(STDIN)},
        "when": {"type": "array", "items": {"$ref": "#/$defs/when"}},
        "commands": {"type": "object", "additionalProperties": {"$ref": "#/$defs/use"}},
        **_effects(),
    }
