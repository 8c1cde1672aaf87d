"""The JSON Schemas (draft 2020-12) of policy files and of files of cases, for editors.

Made from the same names that the loaders read by; tests hold that loader and schema know the same keys, and
policies/*.schema.json are what this makes. An editor with yaml-language-server takes one by a first line such as

    # yaml-language-server: $schema=../policy.schema.json

Limits: a schema sees one file and no pattern's inside. `bastion policy check` sees all: ids that two files share,
command patterns, variables that never pass, time zones, networks.
"""

from __future__ import annotations

from bastion.analysis.profiles import CATEGORIES
from bastion.analysis.sql import KINDS
from bastion.masking import validators
from bastion.masking.detector import FAMILIES, kinds
from bastion.masking.style import Style
from bastion.policy.about import RESERVED_IDS
from bastion.policy.asker import MAX_MEMBERS, MAX_TEXT, SHELLS
from bastion.policy.decision import Effect
from bastion.policy.rules import APPROVAL_MODES, DOES
from bastion.policy.when import DAYS

Schema = dict[str, object]

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_TEXT: Schema = {"type": "string", "minLength": 1}
_DURATION = r"^[0-9]{1,6}[smhd]$"
_ABOUT = ("commands", "categories", "shell", "forward")
_DEEDS = ("sql", "does")
_FILES = ("reads", "writes")
_PASSES = ("env", "interactive", "dynamic", "unmasked")


def policy() -> Schema:
    """The schema of a policy file."""
    approves: Schema = {"enum": [Effect.DENY.value, Effect.APPROVE.value], "default": Effect.DENY.value}
    properties: Schema = {
        "version": {"const": 1},
        "mode": _told({"enum": ["enforce", "observe"]}, "observe: say what would be denied, and let it through"),
        "default": _told(approves, "what becomes of a command that no rule covers"),
        "undecidable": _told(approves, "what becomes of text that can not be judged"),
        "approval": _told(_ref("approval"), "who may approve, where a rule or the lines above say approve"),
        "rules": {"type": "array", "items": _ref("rule")},
        "mask": _told({"type": "array", "items": _ref("mask")}, "what is masked in what comes back"),
    }
    needs = {"required": ["approval"]}
    says_approve = {
        "anyOf": [
            {"properties": {key: {"const": Effect.APPROVE.value}}, "required": [key]}
            for key in ("default", "undecidable")
        ]
    }
    of_rules = {"if": _effect(Effect.APPROVE), "then": needs}
    return {
        "$schema": _DRAFT,
        "title": "A policy of the bastion",
        **_mapping(properties, "version"),
        "allOf": [
            {"if": says_approve, "then": needs},
            {"if": {"not": needs}, "then": {"properties": {"rules": {"items": of_rules}}}},
        ],
        "$defs": {
            "rule": _rule(),
            "who": _who(),
            "where": _where(),
            "when": _when(),
            "approval": _approval(),
            "mask": _mask(),
        },
    }


def cases() -> Schema:
    """The schema of a file of cases."""
    case: Schema = {
        "command": _told(_TEXT, "the text as a client would send it"),
        "commands": _told(_list(_TEXT), "several, with the same verdict"),
        "effect": {"enum": [effect.value for effect in Effect]},
        "rule": _told(_TEXT, "the id of the rule that must decide; also default, undecidable"),
        "as": _ref("asker"),
        "stdin": _told(_TEXT, "what the command reads on its standard input"),
        "about": _told(_TEXT, "told when the case fails"),
    }
    either = {"oneOf": [{"required": ["command"]}, {"required": ["commands"]}]}
    return {
        "$schema": _DRAFT,
        "title": "Cases of a policy of the bastion",
        **_mapping(
            {"version": {"const": 1}, "as": _ref("asker"), "cases": _list({**_mapping(case, "effect"), **either})},
            "version",
            "cases",
        ),
        "$defs": {"asker": _asker()},
    }


# -- a rule


def _rule() -> Schema:
    properties: Schema = {
        "id": _told(_id(), "unique in the tenant; the one who is refused reads it"),
        "effect": {"enum": [effect.value for effect in Effect], "description": "the strictest of all rules holds"},
        "who": _ref("who"),
        "where": _ref("where"),
        "when": _ref("when"),
        "commands": _told(
            _list(_TEXT), "whole commands: * is one word, ** at the end any further words, or the rest of a path"
        ),
        "categories": _told(
            _list({"enum": list(CATEGORIES)}), "what the bastion knows programs to do; these hold back"
        ),
        "shell": _told({"enum": ["raw", "gated"]}, "raw: a shell that nobody filters"),
        "forward": _told(_list({"type": "string", "pattern": r"^[^ ]+:([0-9]{1,5}|\*)$"}), "HOST:PORT"),
        "interactive": _told({"type": "boolean"}, "let programs run that take commands, or are not known"),
        "unmasked": _told({"type": "boolean"}, "show what masks would hide"),
        "break-glass": _told({"type": "boolean"}, "for emergencies: only with a reason, and loud in the audit trail"),
        "dynamic": _told({"type": "boolean"}, "let a wildcard stand for words that only the target knows"),
        "env": _told(_list({"type": "string", "pattern": r"^(?!BASH_FUNC_)[A-Za-z_*][A-Za-z0-9_*]*$"}), "variables"),
        "reads": _told(_list(_TEXT), "paths that may be opened by <; in a deny rule, those that are read"),
        "writes": _told(_list(_TEXT), "paths that may be opened by > and >>; in a deny rule, those that are written"),
        "sql": _told(_list({"enum": sorted(KINDS)}), "what literal SQL may do; in a deny rule, what it may not"),
        "does": _told(_list({"enum": list(DOES)}), "the deeds that a program's profile knows: no more, or in deny any"),
        "approval": _ref("approval"),
        "reason": _told(_TEXT, "what the one who is refused reads: say what to do instead"),
    }
    return {**_mapping(properties, "id", "effect"), "allOf": _fits_together()}


def _fits_together() -> list[object]:
    """What each key alone can not tell."""
    about = [{"required": [key]} for key in _ABOUT]
    deeds = [{"required": [key]} for key in _DEEDS]
    files = [{"required": [key]} for key in _FILES]
    allow, approve, deny = (_effect(effect) for effect in (Effect.ALLOW, Effect.APPROVE, Effect.DENY))
    no_commands = {"not": {"required": ["commands"]}}
    return [
        {"if": allow, "then": {"anyOf": about}},
        {"if": approve, "then": {"anyOf": [*about, *deeds]}},
        {"if": deny, "then": {"anyOf": [*about, *deeds, *files]}},
        {"if": {"required": ["categories"]}, "then": _without("commands", *_DEEDS, *_FILES)},
        {"if": allow, "then": _without("categories", "approval")},
        {"if": {"anyOf": [no_commands, {"not": allow}]}, "then": _without("break-glass")},
        {"if": deny, "then": _without(*_PASSES, "approval")},
        {
            "if": {"allOf": [no_commands, {"not": deny}]},
            "then": _without("interactive", "dynamic", "unmasked", *_FILES),
        },
        {"if": {"allOf": [no_commands, allow]}, "then": _without(*_DEEDS)},
        {"if": {"allOf": [allow, _has("does", "writes")]}, "then": {"required": ["writes"]}},
        {"if": allow, "then": {"not": _has("does", "unknown")}},
        {"if": approve, "then": {"not": _has("categories", "undecidable")}},
    ]


def _has(key: str, member: str) -> Schema:
    return {"properties": {key: {"contains": {"const": member}}}, "required": [key]}


def _effect(effect: Effect) -> Schema:
    return {"properties": {"effect": {"const": effect.value}}, "required": ["effect"]}


def _without(*keys: str) -> Schema:
    return {"not": {"anyOf": [{"required": [key]} for key in keys]}}


def _who() -> Schema:
    return _filled(
        {
            "groups": _told(_list({"type": "string", "pattern": r"^[^*]+$"}), "named whole"),
            "identities": _told(_list(_TEXT), "* stands for any run of characters"),
            "claims": _pairs(),
        },
        "what is left out matches all; of what is told, everything must hold; of a list, one is enough",
    )


def _where() -> Schema:
    return _filled(
        {
            "targets": _list({"type": "string", "pattern": r"^[^A-Z]+$"}),
            "labels": _pairs(),
            "accounts": _list(_TEXT),
        },
        "what is left out matches all; of what is told, everything must hold; of a list, one is enough",
    )


def _when() -> Schema:
    clock = r"([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]|([01][0-9]|2[0-3]):[0-5][0-9]-24:00"
    return _filled(
        {
            "hours": _told({"type": "string", "pattern": f"^({clock})$"}, "such as 08:00-18:00; may go over midnight"),
            "days": _list({"enum": list(DAYS)}),
            "zone": _told(_TEXT, "such as Europe/Berlin; UTC where none is told"),
            "networks": _told(_list(_TEXT), "of the client's address, such as 10.0.0.0/8"),
        },
        "when the rule holds",
    )


def _approval() -> Schema:
    duration: Schema = {"type": "string", "pattern": _DURATION}
    return _mapping(
        {
            "by": _told(_list(_TEXT), "groups, one of which approves"),
            "count": {"type": "integer", "minimum": 1, "maximum": 10, "default": 1},
            "within": _told(duration, "such as 10m; at most 1d"),
            "grants": _told({"anyOf": [{"const": "once"}, duration]}, "once, or for how long"),
            "mode": _told(
                {"enum": list(APPROVAL_MODES), "default": APPROVAL_MODES[0]},
                "hold: the command waits; return: it ends with status 125, and may be asked again once approved",
            ),
        },
        "by",
    )


def _mask() -> Schema:
    own = _mapping(
        {
            "id": _told({**_id(), "not": {"enum": [*RESERVED_IDS, *FAMILIES, *kinds()]}}, "what counts name it by"),
            "pattern": _told(_TEXT, "RE2 syntax, every repetition with an end; a group `secret` is what is masked"),
            "check": _told({"enum": list(validators.NAMES)}, "a validator of what the pattern found"),
            "label": _told(_TEXT, "what stands in its place"),
        },
        "id",
        "pattern",
    )
    properties: Schema = {
        "id": _told(_id(), "unique in the tenant"),
        "who": _ref("who"),
        "where": _ref("where"),
        "detectors": _told(_list({"enum": [*FAMILIES, *kinds()]}), "detectors by name, or families of them"),
        "patterns": _told(_list(own), "of one's own"),
        "words": _told(_list(_TEXT), "literal texts"),
        "columns": _told(_list(_TEXT), "fields of tables and of JSON, by name, whatever they hold; * in a name"),
        "style": _told({"enum": [style.value for style in Style]}, "what stands in its place; a terminal gets stars"),
    }
    about = {"anyOf": [{"required": [key]} for key in ("detectors", "patterns", "words", "columns")]}
    return {**_mapping(properties, "id"), **about}


def _asker() -> Schema:
    name: Schema = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT}
    names: Schema = {"type": "array", "items": name, "maxItems": MAX_MEMBERS}
    texts: Schema = {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": MAX_MEMBERS}
    return _told(
        _mapping(
            {
                "identity": {"anyOf": [name, {**names, "minItems": 1}]},
                "groups": names,
                "claims": texts,
                "target": name,
                "labels": texts,
                "account": name,
                "shell": {"enum": list(SHELLS)},
                "terminal": {"type": "boolean"},
                "source": {"type": "string", "maxLength": MAX_TEXT},
                "at": _told(name, "a date and time, such as 2026-01-31T09:30:00Z"),
            }
        ),
        "who asks, and where; what is left out is a name that no rule means",
    )


# -- pieces


def _id() -> Schema:
    return {
        "type": "string",
        "pattern": r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        "not": {"enum": list(RESERVED_IDS)},
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _told(schema: Schema, description: str) -> Schema:
    return {**schema, "description": description}


def _list(items: Schema) -> Schema:
    return {"type": "array", "minItems": 1, "items": items}


def _pairs() -> Schema:
    return {"type": "object", "minProperties": 1, "additionalProperties": _TEXT}


def _mapping(properties: Schema, *required: str) -> Schema:
    found: Schema = {"type": "object", "additionalProperties": False, "properties": properties}
    return {**found, "required": list(required)} if required else found


def _filled(properties: Schema, description: str) -> Schema:
    return _told({**_mapping(properties), "minProperties": 1}, description)
