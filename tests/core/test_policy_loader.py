"""The loader: every mistake at its place, all at once; which files count; and what the version is made of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bastion.analysis.shell import analyse
from bastion.errors import BadFile
from bastion.policy.decision import Effect, Request, Subject
from bastion.policy.engine import decide, reachable
from bastion.policy.loader import load, load_texts, passed_over

VECTORS = Path(__file__).parents[1] / "vectors"
MISTAKES = yaml.safe_load((VECTORS / "policy_mistakes.yaml").read_text())
SHIPPED = Path(__file__).parents[2] / "policies"
GOOD = "version: 1\nrules:\n  - {id: RULE, effect: allow, commands: [ls]}\n"


@pytest.mark.parametrize("entry", MISTAKES, ids=lambda entry: ascii(entry["file"])[:60])
def test_every_mistake_is_told_at_its_place(entry: dict[str, object], tmp_path: Path) -> None:
    """Exactly these problems, in the order of the file, at this line and column."""
    (tmp_path / "p.yaml").write_text(str(entry["file"]))
    with pytest.raises(BadFile) as caught:
        load(tmp_path)
    told = [str(problem).removeprefix(f"{tmp_path}/p.yaml:") for problem in caught.value.problems]
    wanted = entry["problems"]
    assert isinstance(wanted, list)
    assert len(told) == len(wanted), told
    for one, start in zip(told, wanted, strict=True):
        assert one.startswith(start)


def test_the_problems_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    """One bad file does not hide another."""
    (tmp_path / "a.yaml").write_text("version: 3\n")
    (tmp_path / "b.yaml").write_text("version: 1\nx: y\n")
    (tmp_path / "c.yaml").write_text(GOOD)
    with pytest.raises(BadFile) as caught:
        load(tmp_path)
    assert [Path(problem.place.file).name for problem in caught.value.problems] == ["a.yaml", "b.yaml"]


def test_ids_are_unique_over_all_files(tmp_path: Path) -> None:
    """A second rule of the same id in another file is a problem that names the first."""
    (tmp_path / "a.yaml").write_text(GOOD.replace("RULE", "x"))
    (tmp_path / "b.yaml").write_text(GOOD.replace("RULE", "x"))
    with pytest.raises(BadFile, match=r"b\.yaml:3:5: a second rule 'x'; the first is at .*a\.yaml:3:5"):
        load(tmp_path)


@pytest.mark.parametrize("what", ["missing", "file", "empty", "only cases", "yml", "folder inside", "unreadable"])
def test_a_folder_without_a_policy_is_a_problem(what: str, tmp_path: Path) -> None:
    """Never an empty policy by accident: no folder, no file, or one that would be passed over."""
    folder = tmp_path / "tenant"
    if what == "file":
        folder.write_text(GOOD)
    elif what != "missing":
        folder.mkdir()
    if what == "only cases":
        (folder / "a.cases.yaml").write_text("x")
    elif what == "yml":
        (folder / "a.yaml").write_text(GOOD)
        (folder / "deny.yml").write_text(GOOD)
    elif what == "folder inside":
        (folder / "demo").mkdir()
    elif what == "unreadable":
        (folder / "a.yaml").mkdir()
    with pytest.raises(BadFile) as caught:
        load(folder)
    assert len(caught.value.problems) == 1
    assert str(folder) in str(caught.value)


def test_cases_and_hidden_files_are_left_out(tmp_path: Path) -> None:
    """What an editor or a test leaves beside the policy is no policy."""
    (tmp_path / "a.yaml").write_text(GOOD)
    (tmp_path / "a.cases.yaml").write_text("not: a policy")
    (tmp_path / ".#a.yaml").write_text("[")
    (tmp_path / "README.md").write_text("x")
    assert load(tmp_path).files == ("a.yaml",)


def test_the_files_add_up_in_the_order_of_their_names(tmp_path: Path) -> None:
    """Rules of all files, numbered through."""
    for name in ("b", "a", "c"):
        (tmp_path / f"{name}.yaml").write_text(GOOD.replace("RULE", name))
    policy = load(tmp_path)
    assert [(rule.id, rule.order) for rule in policy.rules] == [("a", 0), ("b", 1), ("c", 2)]


@pytest.mark.parametrize(
    ("modes", "observe"),
    [
        (["observe"], True),
        (["observe", "observe"], True),
        ([""], False),
        (["observe", ""], False),
        (["observe", "enforce"], False),
    ],
)
def test_a_tenant_observes_only_when_every_file_says_so(tmp_path: Path, modes: list[str], observe: bool) -> None:
    """One file of one author does not open what the others, who say nothing of it, mean to hold."""
    for number, mode in enumerate(modes):
        said = f"mode: {mode}\n" if mode else ""
        (tmp_path / f"{number}.yaml").write_text(said + GOOD.replace("RULE", f"r{number}"))
    assert load(tmp_path).observe is observe


@pytest.mark.parametrize("name", ["deny.Yaml", "deny.yml", "deny.YML"])
def test_what_nearly_has_the_name_of_a_policy_is_a_problem(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.yaml").write_text(GOOD)
    (tmp_path / name).write_text(GOOD)
    with pytest.raises(BadFile, match=r"policy files end in \.yaml"):
        load(tmp_path)


def test_what_looks_like_policy_and_is_not_read_is_known(tmp_path: Path) -> None:
    for name in ("a.yaml", "deny.yaml.txt", "deny.json", "a.yaml~", "README.md", "a.cases.yaml", ".a.yaml.swp"):
        (tmp_path / name).write_text(GOOD)
    told = [Path(problem.place.file).name for problem in passed_over(tmp_path)]
    assert told == ["a.yaml~", "deny.json", "deny.yaml.txt"]
    assert passed_over(tmp_path / "missing") == []


def test_a_mistake_made_a_hundred_thousand_times_is_told_a_hundred_times(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("version: 1\nrules: [" + "{}," * 3000 + "]\n")
    with pytest.raises(BadFile) as caught:
        load(tmp_path)
    assert len(caught.value.problems) == 101
    assert caught.value.problems[-1].message.endswith("more, are not told")


def test_a_long_text_is_not_told_whole(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("version: 1\nmode: " + "x" * 100000 + "\n")
    with pytest.raises(BadFile) as caught:
        load(tmp_path)
    assert len(str(caught.value)) < 1000


def test_the_version_is_the_contents(tmp_path: Path) -> None:
    """The same for the same files, another for any change of a byte, a name, or where one file ends."""
    versions = set()
    for number, files in enumerate(
        [
            {"a.yaml": "version: 1\n"},
            {"a.yaml": "version: 1 \n"},
            {"b.yaml": "version: 1\n"},
            {"a.yaml": "version: 1\n", "b.yaml": "version: 1\n"},
        ]
    ):
        for copy in ("one", "two"):
            folder = tmp_path / f"{number}{copy}"
            folder.mkdir()
            for name, text in files.items():
                (folder / name).write_text(text)
            versions.add(load(folder).version)
    assert len(versions) == 4
    assert all(version.startswith("sha256:") and len(version) == 71 for version in versions)


def test_everything_of_the_format_that_is_built_is_read(tmp_path: Path) -> None:
    """A rule with all its keys arrives whole."""
    (tmp_path / "a.yaml").write_text(
        """
version: 1
mode: enforce
default: approve
undecidable: approve
approval: {by: [duty], count: 2, within: 1h}
rules:
  - id: full
    effect: approve
    who: {groups: [agents], identities: ["repo:acme/*"], claims: {environment: prod}}
    where: {targets: ["web-*"], labels: {env: prod}, accounts: [deploy]}
    commands: ["systemctl restart *"]
    shell: gated
    forward: ["db-1:5432"]
    interactive: true
    env: [LANG]
    approval: {by: [sre, leads], count: 2, within: 10m, grants: 30m, mode: return}
    reason: a restart drops live requests
"""
    )
    policy = load(tmp_path)
    (rule,) = policy.rules
    assert (policy.default, policy.undecidable, policy.observe) == (Effect.APPROVE, Effect.APPROVE, False)
    assert rule.approval is not None
    assert (rule.approval.by, rule.approval.count) == (("sre", "leads"), 2)
    assert (rule.approval.within, rule.approval.grants, rule.approval.mode) == (600, 1800, "return")
    assert [approval.mode for approval in policy.approvals] == ["hold"]
    assert (rule.shell, rule.forward, rule.interactive) == ("gated", ("db-1:5432",), True)
    assert [pattern.text for pattern in rule.commands] == ["systemctl restart *"]
    assert rule.reason == "a restart drops live requests"
    assert str(rule.place) == f"{tmp_path}/a.yaml:8:5"


def test_the_shipped_policies_load() -> None:
    """Every folder under policies/ is a good policy."""
    folders = [folder for folder in SHIPPED.iterdir() if folder.is_dir()]
    assert SHIPPED / "demo" in folders
    for folder in folders:
        assert load(folder).rules


@given(
    st.binary(max_size=300) | st.text(alphabet="version: 1\nrules-{}[],'\"#&*!|>%@`\t é", max_size=120).map(str.encode)
)
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_a_policy_or_a_bad_file(tmp_path_factory: pytest.TempPathFactory, source: bytes) -> None:
    """Never another exception, whatever the file holds."""
    folder = tmp_path_factory.mktemp("policy")
    (folder / "p.yaml").write_bytes(source)
    try:
        load(folder)
    except BadFile as error:
        assert error.problems  # noqa: PT017 - either outcome is right; a bad file must say why


@pytest.mark.parametrize(
    ("command", "rule"),
    [
        ("uptime", "look-around"),
        ("ls -l /", "look-around"),
        ("echo 'hello there'", "look-around"),
        ("df -h", "look-around"),
        ("cat /etc/os-release", "read-the-release"),
        ("cat /etc/shadow", "default"),
        ("cat /usr/share/doc/../../../etc/shadow", "default"),
        ("rm -rf x", "never-destroy"),
        ("/bin/rm x", "never-destroy"),
        ("reboot", "never-stop"),
        ("sudo ls", "never-become-another"),
        ("bash", "undecidable"),
        ("echo x > y", "default"),
        ("hostname evil", "default"),
        ("date -s tomorrow", "never-become-another"),
    ],
)
def test_what_the_demo_allows(command: str, rule: str) -> None:
    """The demo's target runs as the very user who tries it: looking is allowed, and nothing that changes."""
    subject = Subject(("agent@demo",), frozenset({"agents"}), (), "demo", (), "someone")
    decision = decide(load(SHIPPED / "demo"), subject, Request("exec", analyse(command.encode())))
    assert decision.rule == rule
    assert (decision.effect is Effect.ALLOW) == (rule in ("look-around", "read-the-release"))
    assert decision.remedy is None or "uptime" in decision.remedy


def test_the_demo_gives_nothing_to_others_and_no_shell() -> None:
    """Another group can not even reach the target, and a shell is off."""
    policy = load(SHIPPED / "demo")
    subject = Subject(("agent@demo",), frozenset({"agents"}), (), "demo", (), "")
    assert reachable(policy, subject)
    assert not reachable(policy, replace(subject, groups=frozenset({"people"})))
    assert decide(policy, subject, Request("shell", name="raw")).effect is Effect.DENY


def test_texts_in_memory_are_the_same_policy_as_a_folder(tmp_path: Path) -> None:
    """Version, rules and their order; cases are left out here, too."""
    texts = {"b.yaml": GOOD.replace("RULE", "b"), "a.yaml": GOOD.replace("RULE", "a"), "a.cases.yaml": "x"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    ours = load_texts({name: text.encode() for name, text in texts.items()})
    theirs = load(tmp_path)
    assert (ours.version, ours.files) == (theirs.version, theirs.files) == (theirs.version, ("a.yaml", "b.yaml"))
    assert [(rule.id, rule.order) for rule in ours.rules] == [(rule.id, rule.order) for rule in theirs.rules]


@pytest.mark.parametrize(
    ("texts", "problems"),
    [
        ({}, ["policy:1:1: no policy here"]),
        ({"a.cases.yaml": b"x"}, ["policy:1:1: no policy here"]),
        ({"a.yml": b"version: 1", "b/c.yaml": b"version: 1"}, ["a.yml:1:1: not the name", "b/c.yaml:1:1: not the"]),
        ({"../a.yaml": b"version: 1"}, ["../a.yaml:1:1: not the name"]),
        ({".yaml": b"version: 1", "a\0.yaml": b"version: 1"}, [".yaml:1:1: not the name", "a\\x00.yaml:1:1: not the"]),
        ({"\ud800.yaml": b"version: 1"}, ["\\u{d800}.yaml:1:1: not the name"]),
        ({"a.yaml": b""}, ["a.yaml:1:1: empty"]),
        ({"a.yaml": b"version: 1\nx: 1", "b.yaml": b"\xff"}, ["a.yaml:2:1: unknown key", "b.yaml:1:1: not UTF-8"]),
    ],
)
def test_problems_of_texts_are_told_by_their_names(texts: dict[str, bytes], problems: list[str]) -> None:
    with pytest.raises(BadFile) as caught:
        load_texts(texts)
    told = [str(problem) for problem in caught.value.problems]
    assert [one[: len(start)] for one, start in zip(told, problems, strict=True)] == problems
