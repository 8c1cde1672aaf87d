"""Templates: how claims become principals, groups and kept claims."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastion.errors import BadToken
from bastion.identity import mapping

CLAIMS: dict[str, Any] = {
    "sub": "agent",
    "repository": "acme/app",
    "number": 7,
    "flag": True,
    "none": None,
    "empty": "",
    "list": ["a", "b", "a"],
    "https://example.com/roles": ["r"],
    "kubernetes.io": {"namespace": "ci", "serviceaccount": {"name": "robot"}},
}


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{sub}", "agent"),
        ("repo:{repository}", "repo:acme/app"),
        ("{sub}@{kubernetes.io/namespace}", "agent@ci"),
        ("{kubernetes.io/serviceaccount/name}", "robot"),
        ("{number}", "7"),
        ("{flag}", "true"),
        ("literal", "literal"),
        ("{{{sub}}}", "{agent}"),
    ],
)
def test_a_template_is_filled(template: str, name: str) -> None:
    mapping.check_template(template)
    assert mapping.principals(CLAIMS, [template]) == (name,)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{missing}", "no claim 'missing'"),
        ("{none}", "no claim 'none'"),
        ("{kubernetes.io/missing}", "no claim"),
        ("{sub/deeper}", "no claim"),
        ("{empty}", "empty"),
        ("{list}", "not a single text"),
        ("{kubernetes.io}", "not a single text"),
    ],
)
def test_a_claim_that_can_not_fill_a_name_refuses_the_token(template: str, message: str) -> None:
    for how in (mapping.principals, mapping.groups):
        if template == "{list}" and how is mapping.groups:
            continue
        with pytest.raises(BadToken, match=message):
            how(CLAIMS, [template])


def test_principals_keep_their_order_and_stand_once() -> None:
    assert mapping.principals(CLAIMS, ["{sub}", "x", "{sub}"]) == ("agent", "x")


@pytest.mark.parametrize(
    ("templates", "groups"),
    [
        (["agents", "{list}"], {"agents", "a", "b"}),
        (["{https://example.com/roles}"], {"r"}),
        (["{missing?}"], set()),
        (["{none?}", "x"], {"x"}),
        (["team-{sub}"], {"team-agent"}),
        (["{list?}"], {"a", "b"}),
    ],
)
def test_groups_expand_lists(templates: list[str], groups: set[str]) -> None:
    assert mapping.groups(CLAIMS, templates) == groups


def test_a_list_does_not_fill_part_of_a_group() -> None:
    with pytest.raises(BadToken, match="not a single text"):
        mapping.groups(CLAIMS, ["team-{list}"])


def test_too_many_groups_are_refused() -> None:
    with pytest.raises(BadToken, match="201 groups"):
        mapping.groups({"groups": [f"g{number}" for number in range(201)]}, ["{groups}"])


def test_kept_claims_are_text_and_missing_ones_are_left_out() -> None:
    kept = mapping.kept(CLAIMS, ["number", "flag", "list", "missing", "none", "kubernetes.io/namespace"])
    assert kept == {"number": "7", "flag": "true", "list": '["a","b","a"]', "kubernetes.io/namespace": "ci"}


@pytest.mark.parametrize("template", ["", "{", "}", "{sub", "sub}", "{}", "{sub}{", "x" * 257])
def test_a_template_that_can_not_be_read_is_an_error(template: str) -> None:
    with pytest.raises(ValueError, match="template"):
        mapping.check_template(template)


INVISIBLE = (
    "\u034f",
    "\ufe0f",
    "\u2800",
    "\u115f",
    "\u3164",
    "\uffa0",
    "\u200b",
    "\u202e",
    "\u180b",
    "\U000e0101",
    "\u00ad",
)


@pytest.mark.parametrize("character", INVISIBLE, ids=ascii)
@pytest.mark.parametrize("template", ["{sub}", "x:{sub}@y"])
def test_a_name_with_something_invisible_in_it_is_refused(character: str, template: str) -> None:
    for value in (f"agent-1{character}", f"age{character}nt-1", character):
        for how in (mapping.principals, mapping.groups):
            with pytest.raises(BadToken, match="look-alike"):
                how({"sub": value}, [template])
        with pytest.raises(BadToken, match="can not be shown"):
            mapping.kept({"sub": value}, ["sub"])


@pytest.mark.parametrize(
    "value",
    [
        "\u0430gent-1",
        "\u0440\u0430\u0443\u0440\u0430l",
        "r\u043eot",
        "\u03bfps",
        "\u0441\u043e\u0440",
        "\u0391dmin",
        "\u0578ps",
    ],
)
def test_a_name_that_looks_like_another_is_refused(value: str) -> None:
    for how in (mapping.principals, mapping.groups):
        with pytest.raises(BadToken, match="look-alike"):
            how({"sub": value}, ["{sub}@demo"])


@pytest.mark.parametrize(
    "value", ["иван", "γιώργος", "größe", "naïve", "Łukasz", "山田タロウ", "김철수", "مريم", "नेहा", "иван-2"]
)
def test_names_of_other_alphabets_are_names(value: str) -> None:
    assert mapping.principals({"sub": value}, ["{sub}@demo"]) == (f"{value}@demo",)


@given(st.text(max_size=40))
def test_a_name_is_printable_one_word_and_without_commas_or_it_is_refused(value: str) -> None:
    try:
        (name,) = mapping.principals({"sub": value}, ["{sub}"])
    except BadToken as refused:
        assert str(refused).isprintable()  # noqa: PT017  (only when it is raised)
        return
    assert name == value
    assert name.isprintable()
    assert name.split() == [name]
    assert "," not in name


@pytest.mark.parametrize(
    ("claims", "owners"),
    [
        ({}, ()),
        ({"owner": "rev@demo"}, ("rev@demo",)),
        ({"owner": ["a@demo", "b@demo", "a@demo"]}, ("a@demo", "b@demo")),
    ],
)
def test_an_agent_has_the_owners_that_its_token_names(claims: dict[str, object], owners: tuple[str, ...]) -> None:
    assert mapping.owners(claims, "{owner?}") == owners
    assert mapping.owners(claims, "") == ()


@pytest.mark.parametrize("owner", ["a b", "a\nb", [["a"]], 1.5, [f"o{number}" for number in range(21)]])
def test_an_owner_that_is_no_name_refuses_the_token(owner: object) -> None:
    """Passed over, the owner could approve what the agent asks for."""
    with pytest.raises(BadToken):
        mapping.owners({"owner": owner}, "{owner?}")
