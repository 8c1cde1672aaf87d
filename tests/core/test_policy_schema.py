"""The schemas: the same keys as the readers, what is shipped is valid, and mistakes that a schema can see are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from bastion.document import Section
from bastion.errors import BadFile, Problem
from bastion.policy import asker, cases, loader, schema

ROOT = Path(__file__).parents[2]
MISTAKES = yaml.safe_load((ROOT / "tests" / "vectors" / "policy_mistakes.yaml").read_text())
DECISIONS = yaml.safe_load((ROOT / "tests" / "vectors" / "policy_decisions.yaml").read_text())
POLICY = Draft202012Validator(schema.policy())
CASES = Draft202012Validator(schema.cases())

# Every mapping that a policy can hold, each on a line of its own.
FULL = """version: 1
approval: {by: [sre]}
rules:
  - id: a
    effect: approve
    commands: [ls]
    who: {groups: [x]}
    where: {targets: [x]}
    when: {days: [mon]}
    approval: {by: [sre]}
"""
MASKS = """version: 1
mask:
  - id: m
    who: {groups: [x]}
    where: {targets: [x]}
    patterns:
      - {id: p, pattern: 'E[0-9]{6}'}
"""
FULL_AT = {1: (), 2: ("approval",), 4: ("rule",), 7: ("who",), 8: ("where",), 9: ("when",), 10: ("approval",)}
MASKS_AT = {1: (), 3: ("mask",), 4: ("who",), 5: ("where",), 7: ("mask", "patterns")}
FULL_CASES = "version: 1\nas:\n  {target: x}\ncases:\n  - {command: ls, effect: allow}\n"
FULL_CASES_AT = {1: (), 3: ("asker",), 5: ("cases",)}

NOT_YET = "is not supported yet"


def values(node: yaml.Node) -> Any:
    """A YAML tree as an editor sees it: the JSON schema of YAML 1.2, as bastion.document reads it."""
    if isinstance(node, yaml.MappingNode):
        return {key.value: values(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [values(item) for item in node.value]
    assert isinstance(node, yaml.ScalarNode)
    if not node.style and (node.value in ("true", "false", "null", "~", "") or node.value.lstrip("+-").isdigit()):
        return None if node.value in ("~", "") else json.loads(node.value)
    return node.value


def read(text: str) -> Any:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert root is not None
    return values(root)


def asked(monkeypatch: pytest.MonkeyPatch) -> dict[int, set[str]]:
    """The keys that readers ask for, by the line of the mapping."""
    found: dict[int, set[str]] = {}
    close = Section.close

    def closing(section: Section) -> None:
        found.setdefault(section.place.line, set()).update(section._asked)
        close(section)

    monkeypatch.setattr(Section, "close", closing)
    return found


def properties(whole: schema.Schema, path: tuple[str, ...]) -> set[str]:
    found: Any = whole
    if path == ("cases",):
        found = found["properties"]["cases"]["items"]
    elif path:
        found = found["$defs"][path[0]]
        for key in path[1:]:
            found = found["properties"][key]["items"]
    assert found["additionalProperties"] is False
    return set(found["properties"])


def test_the_loader_and_the_schema_know_the_same_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for those that the loader knows only to refuse them."""
    found = asked(monkeypatch)
    loader.load_texts({"a.yaml": FULL.encode()})
    assert set(found) == set(FULL_AT)
    for line, path in FULL_AT.items():
        known = properties(schema.policy(), path)
        assert known <= found[line]
        for key in found[line] - known:
            text = f"version: 1\n{key}: []\n" if not path else FULL + f"    {key}: []\n"
            with pytest.raises(BadFile, match=NOT_YET):
                loader.load_texts({"a.yaml": text.encode()})


def test_the_reader_of_masks_and_the_schema_know_the_same_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    found = asked(monkeypatch)
    loader.load_texts({"a.yaml": MASKS.encode()})
    assert {line: found[line] for line in MASKS_AT if line != 1} == {
        line: properties(schema.policy(), path) for line, path in MASKS_AT.items() if line != 1
    }
    assert [error.message for error in POLICY.iter_errors(read(MASKS))] == []


def test_the_reader_of_cases_and_its_schema_know_the_same_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    found = asked(monkeypatch)
    problems: list[Problem] = []
    assert cases.read(FULL_CASES.encode(), "a", problems)
    assert problems == []
    assert {line: properties(schema.cases(), path) for line, path in FULL_CASES_AT.items()} == found
    assert properties(schema.cases(), ("asker",)) == set(asker.KEYS)


def shipped(pattern: str) -> list[Path]:
    return sorted((ROOT / "policies").glob(pattern))


@pytest.mark.parametrize("path", shipped("*/*.yaml"), ids=str)
def test_what_is_shipped_is_valid(path: Path) -> None:
    validator = CASES if path.name.endswith(loader.CASES) else POLICY
    assert [error.message for error in validator.iter_errors(read(path.read_text()))] == []


@pytest.mark.parametrize("whole", [schema.policy(), schema.cases()], ids=["policy", "cases"])
def test_the_schemas_are_schemas(whole: schema.Schema) -> None:
    Draft202012Validator.check_schema(whole)


@pytest.mark.parametrize(("name", "whole"), [("policy", schema.policy()), ("cases", schema.cases())])
def test_the_shipped_schemas_are_those(name: str, whole: schema.Schema) -> None:
    """`bastion policy schema > policies/policy.schema.json` makes them anew."""
    assert json.loads((ROOT / "policies" / f"{name}.schema.json").read_text()) == whole


@pytest.mark.parametrize("entry", DECISIONS, ids=lambda entry: ascii(entry["name"])[:60])
def test_the_policies_of_other_tests_are_valid(entry: dict[str, Any]) -> None:
    for file in entry["files"]:
        found = read(file) if isinstance(file, str) else file
        assert [error.message for error in POLICY.iter_errors(found)] == []


# What the inside of a pattern is, what stands in another rule, and how the YAML is written: no schema sees it.
UNSEEN = (
    *("': **", "a quote", "can not be empty", "stars in a row", "a backslash", "one path"),
    *(
        "a second rule",
        "a second mask",
        "a second pattern",
        "a mask named",
        "in force",
        "has no end",
        "duplicate key",
        "anchors",
    ),
)


@pytest.mark.parametrize("entry", MISTAKES, ids=lambda entry: ascii(entry["file"])[:60])
def test_mistakes_that_a_schema_can_see_are_refused(entry: dict[str, Any]) -> None:
    try:
        found = read(entry["file"])
    except (yaml.YAMLError, AssertionError):
        return  # no YAML, or none at all: an editor says so without a schema
    unseen = all(any(mark in problem for mark in UNSEEN) for problem in entry["problems"])
    assert POLICY.is_valid(found) is unseen


@pytest.mark.parametrize(
    "rule",
    [
        "{id: a, effect: deny, writes: [/etc/**]}",
        "{id: a, effect: deny, does: [unknown], reason: x}",
        "{id: a, effect: allow, commands: ['**'], does: [reads, writes], writes: ['/tmp/**'], dynamic: true}",
        "{id: a, effect: approve, commands: ['x'], approval: {by: [sre], count: 2, within: 10m, grants: once}}",
        "{id: a, effect: approve, does: [changes], approval: {by: [sre], grants: 30m, mode: return}}",
        "{id: a, effect: allow, commands: ['x'], when: {hours: '22:00-06:00', days: [mon], zone: UTC}}",
        "{id: a, effect: allow, commands: ['x'], when: {hours: '08:00-24:00', networks: [10.0.0.0/8]}}",
        "{id: a, effect: allow, forward: ['db-1:5432', '*:*', '[::1]:22']}",
        "{id: a, effect: allow, commands: ['x'], env: [LANG, 'LC_*', '*']}",
        "{id: a, effect: deny, sql: [drop, truncate]}",
        "{id: a, effect: deny, categories: [undecidable]}",
    ],
)
def test_what_the_loader_takes_the_schema_takes(rule: str) -> None:
    text = f"version: 1\nrules:\n  - {rule}\n"
    loader.load_texts({"a.yaml": text.encode()})
    assert [error.message for error in POLICY.iter_errors(read(text))] == []


@pytest.mark.parametrize(
    "text",
    [
        "version: 2\ncases: [{command: a, effect: deny}]\n",
        "version: 1\n",
        "version: 1\ncases: []\n",
        "version: 1\ncases: [{command: a}]\n",
        "version: 1\ncases: [{effect: deny}]\n",
        "version: 1\ncases: [{command: a, commands: [b], effect: deny}]\n",
        "version: 1\ncases: [{command: 7, effect: deny}]\n",
        "version: 1\ncases: [{command: a, effect: permit}]\n",
        "version: 1\nas: {group: x}\ncases: [{command: a, effect: deny}]\n",
        "version: 1\nas: {groups: x}\ncases: [{command: a, effect: deny}]\n",
        "version: 1\nas: {shell: fish}\ncases: [{command: a, effect: deny}]\n",
    ],
)
def test_mistakes_in_cases_are_refused(text: str) -> None:
    problems: list[Problem] = []
    cases.read(text.encode(), "a", problems)
    assert problems
    assert not CASES.is_valid(read(text))
