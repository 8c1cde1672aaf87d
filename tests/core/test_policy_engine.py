"""The engine: the matrix of decisions, what passes of the environment, what a refusal tells, what deciding costs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bastion.analysis.command import Analysis, Command, Unknown
from bastion.analysis.shell import analyse
from bastion.policy.decision import Decision, Effect, Request, Subject
from bastion.policy.engine import decide, reachable
from bastion.policy.loader import load
from bastion.policy.model import Policy, Rule

VECTORS = Path(__file__).parents[1] / "vectors"
SUBJECT = Subject(
    principals=("repo:acme/web:ref:main", "acme-web"),
    groups=frozenset({"agents", "ci"}),
    claims=(("environment", "prod"), ("ref", "main")),
    target="web-1",
    labels=(("env", "prod"),),
    account="deploy",
)
MATRIX = yaml.safe_load((VECTORS / "policy_decisions.yaml").read_text())


def policy_of(folder: Path, *files: object) -> Policy:
    for number, file in enumerate(files):
        text = file if isinstance(file, str) else json.dumps(file)
        (folder / f"{number}.yaml").write_text(text)
    return load(folder)


def rules(*rules: Mapping[str, object], **top: object) -> dict[str, object]:
    return {"version": 1, **top, "rules": list(rules)}


def ask(policy: Policy, text: str, subject: Subject = SUBJECT, environment: tuple[str, ...] = ()) -> Decision:
    return decide(policy, subject, Request("exec", analyse(text.encode()), environment=environment))


@pytest.mark.parametrize("entry", MATRIX, ids=lambda entry: entry["name"])
def test_the_matrix(entry: dict[str, list[list[str]]], tmp_path: Path) -> None:
    """Each command of each policy has the effect and the rule that the vectors say, and always a reason."""
    policy = policy_of(tmp_path, *entry["files"])
    decisions = {text: ask(policy, text) for text, _, _ in entry["cases"]}
    told = [[text, decision.effect.value, decision.rule] for text, decision in decisions.items()]
    assert told == entry["cases"]
    assert all(decision.reason and decision.policy == policy.version for decision in decisions.values())


@pytest.mark.parametrize(
    ("kind", "name"), [("subsystem", "sftp"), ("forward", "db:5432"), ("shell", "other"), ("exec", ""), ("other", "x")]
)
def test_what_no_rule_can_allow_yet_is_denied_with_the_reason(kind: str, name: str, tmp_path: Path) -> None:
    """Neither a rule for everything nor mode observe opens what is not built."""
    rule = {"id": "all", "effect": "allow", "commands": ["**"], "shell": "raw", "interactive": True}
    policy = policy_of(tmp_path, rules(rule, mode="observe"))
    decision = decide(policy, SUBJECT, Request(kind, name=name))
    assert decision.effect is Effect.DENY
    assert "not offered" in decision.reason


def test_a_raw_shell_needs_a_rule_that_means_it(tmp_path: Path) -> None:
    """Not `**`, not `default: approve`, not another's rule; and a deny wins."""
    raw = Request("shell", name="raw")
    all_commands = {"id": "all", "effect": "allow", "commands": ["**"], "interactive": True}
    gated = {"id": "gated", "effect": "allow", "shell": "gated"}
    mine = {"id": "mine", "effect": "allow", "shell": "raw", "who": {"groups": ["agents"]}}
    other = {"id": "other", "effect": "allow", "shell": "raw", "who": {"groups": ["sre"]}}
    never = {"id": "never", "effect": "deny", "shell": "raw"}
    top = {"default": "approve", "undecidable": "approve", "approval": {"by": ["sre"]}}
    assert decide(policy_of(tmp_path, rules(all_commands, gated, other, **top)), SUBJECT, raw).effect is Effect.DENY
    assert decide(policy_of(tmp_path, rules(mine, other)), SUBJECT, raw).rule == "mine"
    assert decide(policy_of(tmp_path, rules(mine, never)), SUBJECT, raw).rule == "never"


def test_observe_says_what_would_have_been_done(tmp_path: Path) -> None:
    """Effect allow, rule observe, and the refusal in `would` and in the reason."""
    policy = policy_of(tmp_path, rules({"id": "never", "effect": "deny", "commands": ["rm"]}, mode="observe"))
    decision = ask(policy, "rm x")
    assert (decision.effect, decision.rule, decision.would) == (Effect.ALLOW, "observe", Effect.DENY)
    assert "never" in decision.reason
    assert decision.place is not None
    shell = decide(policy, SUBJECT, Request("shell", name="raw"))
    assert (shell.effect, shell.would) == (Effect.ALLOW, Effect.DENY)


def test_a_refusal_tells_the_rule_its_place_the_reason_and_the_way_out(tmp_path: Path) -> None:
    """The place is the rule's; the remedy names only patterns of rules that are about the one who asks."""
    policy = policy_of(
        tmp_path,
        rules(
            {"id": "other", "effect": "allow", "commands": ["secret-tool"], "who": {"groups": ["sre"]}},
            {"id": "elsewhere", "effect": "allow", "commands": ["far-tool"], "where": {"targets": ["db"]}},
            {"id": "mine", "effect": "allow", "commands": ["ls **", "a", "b", "c", "d", "e"]},
            {"id": "never", "effect": "deny", "commands": ["rm"], "reason": "ask the owners"},
        ),
    )
    decision = ask(policy, "rm x")
    assert decision.reason == "ask the owners"
    assert str(decision.place).startswith(str(tmp_path / "0.yaml"))
    assert decision.remedy == "allowed here: ls **, a, b, c, …"
    assert ask(policy, "ls; id").remedy == "allowed here: ls **, a, b, c, …"


def test_a_rule_that_holds_other_deeds_is_no_reason(tmp_path: Path) -> None:
    """Who is refused is not told of an approval that is about something else."""
    held = {"id": "ask", "effect": "approve", "commands": ["**"], "does": ["changes"], "approval": {"by": ["sre"]}}
    policy = policy_of(tmp_path, rules(held))
    assert ask(policy, "ls").reason == "no rule allows ls with these arguments here"
    assert ask(policy, "systemctl restart x").rule == "ask"


def test_what_waits_for_approval_tells_who_may(tmp_path: Path) -> None:
    """The approvers of the rule, or of the file for what no rule covers."""
    rule = {"id": "r", "effect": "approve", "commands": ["restart *"], "approval": {"by": ["sre", "leads"]}}
    policy = policy_of(tmp_path, rules(rule, default="approve", approval={"by": ["duty"]}))
    assert ask(policy, "restart x").remedy == "may be approved by: leads, sre"
    assert ask(policy, "other").remedy == "may be approved by: duty"


@pytest.mark.parametrize("text", ["'a\nb' x", "$'\\e[2Jx' y", "'" + "x" * 500 + "'"])
def test_a_message_is_one_bounded_line_without_hidden_characters(text: str, tmp_path: Path) -> None:
    """A client's words are escaped and cut before they stand in a reason."""
    reason = ask(policy_of(tmp_path, "version: 1"), text).reason
    assert reason.isprintable()
    assert len(reason) < 200


DANGEROUS = [
    "LD_PRELOAD",
    "BASH_ENV",
    "PATH",
    "IFS",
    "ENV",
    "PS4",
    "PROMPT_COMMAND",
    "SHELLOPTS",
    "BASHOPTS",
    "PYTHONPATH",
]
DANGEROUS += ["PERL5OPT", "GIT_SSH_COMMAND", "PAGER", "MANPAGER", "GIT_PAGER", "EDITOR", "VISUAL", "LESSOPEN", "LESS"]
DANGEROUS += ["SYSTEMD_PAGER", "HOME", "NODE_OPTIONS", "RUBYOPT", "TERMINFO", "http_proxy"]


@pytest.mark.parametrize("name", DANGEROUS)
@pytest.mark.parametrize("pattern", ["*", "half"])
def test_a_wildcard_never_passes_a_variable_that_is_code(name: str, pattern: str, tmp_path: Path) -> None:
    """`*` and any prefix of it leave it behind; its full name passes it."""
    pattern = name[:2] + "*" if pattern == "half" else pattern
    rule: dict[str, object] = {"id": "r", "effect": "allow", "commands": ["ls"], "env": [pattern]}
    assert ask(policy_of(tmp_path, rules(rule)), "ls", environment=(name, "ZZ")).environment <= {"ZZ"}
    rule["env"] = [name]
    assert ask(policy_of(tmp_path, rules(rule)), "ls", environment=(name, "ZZ")).environment == {name}


def test_variables_pass_by_the_rules_that_allow(tmp_path: Path) -> None:
    """Of every allow rule that covers the command, of no other, never on a refusal, and never a function."""
    policy = policy_of(
        tmp_path,
        rules(
            {"id": "a", "effect": "allow", "commands": ["ls **"], "env": ["LC_*", "*"]},
            {"id": "b", "effect": "allow", "commands": ["ls -l"], "env": ["LANG"]},
            {"id": "c", "effect": "allow", "commands": ["id"], "env": ["X"]},
            {"id": "d", "effect": "deny", "commands": ["ls /root"]},
        ),
    )
    functions = ("BASH_FUNC_ls%%", "BASH_FUNC_ls()", "BASH_FUNC_ls", "a=b", "")
    names = ("LC_ALL", "LANG", "X", "LD_PRELOAD", *functions)
    assert ask(policy, "ls -l", environment=names).environment == {"LC_ALL", "LANG", "X"}
    assert ask(policy, "id", environment=names).environment == {"X"}
    assert ask(policy, "ls /root", environment=names).environment == frozenset()


def test_reachable_is_whether_a_rule_could_ever_let_someone_do_something_there(tmp_path: Path) -> None:
    """Deny rules open nothing; account "" is any account; default approve and mode observe open all."""
    deny = {"id": "d", "effect": "deny", "commands": ["rm"]}
    allow = {"id": "a", "effect": "allow", "commands": ["ls"], "where": {"targets": ["web-*"], "accounts": ["app"]}}
    policy = policy_of(tmp_path, rules(deny, allow))
    assert reachable(policy, replace(SUBJECT, account=""))
    assert reachable(policy, replace(SUBJECT, account="app"))
    assert not reachable(policy, SUBJECT)
    assert not reachable(policy, replace(SUBJECT, account="", target="db-1"))
    assert not reachable(policy_of(tmp_path, rules(deny)), SUBJECT)
    assert not reachable(policy_of(tmp_path, rules(undecidable="approve", approval={"by": ["x"]})), SUBJECT)
    only_holds = {"id": "c", "effect": "approve", "categories": ["privilege"], "approval": {"by": ["x"]}}
    assert not reachable(policy_of(tmp_path, rules(only_holds)), SUBJECT)
    assert reachable(policy_of(tmp_path, rules(default="approve", approval={"by": ["x"]})), SUBJECT)
    assert reachable(policy_of(tmp_path, rules(mode="observe")), SUBJECT)
    assert reachable(policy_of(tmp_path, rules({"id": "s", "effect": "allow", "shell": "raw"})), SUBJECT)


@pytest.mark.parametrize(
    ("command", "rule"),
    [
        (Command((b"ls", None)), "undecidable"),
        (Command((b"ls",), environment=((b"A", b"b"),)), "default"),
        (Command((b"ls",), redirections=((">", b"x"),)), "default"),
        (Command((b"ls",), redirections=(("<", b"x"),)), "default"),
        (Command((b"ls",), redirections=((">", None),)), "undecidable"),
        (Command(()), "undecidable"),
    ],
)
def test_an_allow_rule_covers_nothing_that_it_does_not_name(command: Command, rule: str, tmp_path: Path) -> None:
    """Not a dynamic word, a variable or a redirection; of a word that nothing is told of, nothing is assumed."""
    policy = policy_of(tmp_path, rules({"id": "all", "effect": "allow", "commands": ["**"]}))
    decision = decide(policy, SUBJECT, Request("exec", Analysis(b"", (command,), (), b"ls")))
    assert (decision.effect, decision.rule) == (Effect.DENY, rule)


def test_no_commands_is_never_fine(tmp_path: Path) -> None:
    """An analysis that found nothing is undecidable."""
    policy = policy_of(tmp_path, rules({"id": "all", "effect": "allow", "commands": ["**"]}))
    for analysis in (Analysis(b"", (), (), b""), Analysis(b"", (Command((b"ls",)),), (), None)):
        assert decide(policy, SUBJECT, Request("exec", analysis)).rule == "undecidable"


def test_every_command_of_a_line_must_be_covered(tmp_path: Path) -> None:
    """Of several commands the strictest answer is the line's, and only what passes for all of them passes."""
    policy = policy_of(
        tmp_path,
        rules(
            {"id": "a", "effect": "allow", "commands": ["ls"], "env": ["LANG", "X"]},
            {"id": "b", "effect": "allow", "commands": ["id"], "env": ["LANG"]},
            {"id": "c", "effect": "deny", "commands": ["rm"]},
        ),
    )

    def line(*names: bytes) -> Decision:
        analysis = Analysis(b"", tuple(Command((name,)) for name in names), (), b"text")
        return decide(policy, SUBJECT, Request("exec", analysis, environment=("LANG", "X")))

    assert line(b"ls", b"id").environment == {"LANG"}
    assert line(b"ls", b"df").rule == "default"
    assert line(b"ls", b"df", b"rm").rule == "c"


def big(folder: Path, number: int) -> Policy:
    """`number` rules in fifty groups: a program of its own each, and one program with a folder of its own each."""
    made = [
        {
            "id": f"r{n}",
            "effect": "allow",
            "who": {"groups": [f"g{n % 50}"]},
            "commands": [f"tool{n} **", f"cat /srv/{n}/**", f"systemctl restart app{n}"],
        }
        for n in range(number)
    ]
    per_file = 1000
    files = [{"version": 1, "rules": made[at : at + per_file]} for at in range(0, number, per_file)]
    folder.mkdir()
    return policy_of(folder, *files)


def test_a_decision_costs_no_more_with_10000_rules_than_ten_times_100(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted in rules read, not in time: by program, by an argument or its folder, and by group."""
    subject = replace(SUBJECT, groups=frozenset({"g1"}))
    read: list[str] = []
    concerns = Rule.concerns

    def counted(rule: Rule, who: Subject) -> bool:
        read.append(rule.id)
        return concerns(rule, who)

    monkeypatch.setattr(Rule, "concerns", counted)
    cost: dict[int, dict[str, int]] = {}
    for number in (100, 10_000):
        policy = big(tmp_path / str(number), number)
        cost[number] = {}
        for text in ("tool51 x", "cat /srv/51/x", "systemctl restart app51", "cat /srv/x", "nothing", "ls; id"):
            read.clear()
            ask(policy, text, subject)
            cost[number][text] = len(read)
    assert cost[100]["tool51 x"] == cost[100]["cat /srv/51/x"] == 1
    for text, few in cost[100].items():
        assert cost[10_000][text] <= 10 * few, text


NAMES = ["ls", "cat", "/bin/ls", "/srv/ls", "./ls", "l*", "*"]
ARGUMENTS = ["x", "/a/b", "/a/../b", "/a/./b", "//a/b", "a/b", "./x", "", "/a/b/c", "/"]
WILD = [*ARGUMENTS, "*", "/a/*", "/a/**", "a*", "/a/b*", "**"]


@given(
    st.lists(st.tuples(st.sampled_from(NAMES), st.lists(st.sampled_from(WILD), max_size=2)), min_size=1, max_size=8),
    st.sampled_from(NAMES[:5]),
    st.lists(st.sampled_from([*ARGUMENTS, "?"]), max_size=2),
    st.booleans(),
    st.sampled_from([b"", b"/", b"/etc/", b"/var/log/", b"-"]),
)
@settings(max_examples=600, deadline=None)
def test_the_index_hides_no_rule(
    tmp_path_factory: pytest.TempPathFactory,
    patterns: list[tuple[str, list[str]]],
    name: str,
    arguments: list[str],
    single: bool,
    prefix: bytes,
) -> None:
    """A rule whose pattern matches, in either reading, is always among those that the index finds."""
    texts = [" ".join([head, *(word or "''" for word in words)]) for head, words in patterns]
    texts = [text for text in texts if " ** " not in text]
    made = [{"id": f"r{n}", "effect": "deny", "commands": [text]} for n, text in enumerate(texts)]
    if not made:
        return
    policy = policy_of(tmp_path_factory.mktemp("policy"), rules(*made))
    argv = tuple(None if word == "?" else word.encode() for word in (name, *arguments))
    unknown = {at: Unknown(at, single, prefix, glob=True) for at, word in enumerate(argv) if word is None}
    found = {rule.id for rule in policy.about_command(SUBJECT, argv, unknown)}
    for rule in policy.rules:
        (pattern,) = rule.commands
        grants = pattern.grants(argv, unknown, True)
        if grants or pattern.restrains(argv, unknown):
            assert rule.id in found
        assert not grants or pattern.restrains(argv, unknown), "a pattern that grants must also restrain"
