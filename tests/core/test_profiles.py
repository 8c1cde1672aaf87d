"""What the profiles say of uses of programs: vectors, and what must hold of every profile and every argv."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from bastion import document
from bastion.analysis.profile.judge import base_name
from bastion.analysis.profile.loader import shipped
from bastion.analysis.profile.model import PATHS, RUNS, Option, Profile, Style, Unknown, Use
from bastion.analysis.profile.paths import of_path
from bastion.analysis.profile.schema import schema
from bastion.analysis.profiles import Acts, Nested, acts
from bastion.analysis.shell import analyse
from bastion.document import Node
from bastion.errors import Problem

VECTORS = Path(__file__).parents[1] / "vectors"
FILES = ("profiles.yaml", "profiles_uses.yaml", "profiles_exact.yaml")
ROWS = [row for name in FILES for row in yaml.safe_load((VECTORS / name).read_text())]
NAMES = [name.rstrip("*").encode() for name in shipped().names]
OPTIONS = sorted({option.name for profile in shipped().profiles for option in profile.use.known_options})
UNHEARD_OF = b"--zz-unheard-of"


def argv_of(row: dict[str, object]) -> list[bytes]:
    return [word.encode() for word in shlex.split(str(row["run"]))]


def text(word: bytes | None) -> str | None:
    return None if word is None else word.decode()


def nested(found: Nested) -> dict[str, object]:
    told: dict[str, object] = {}
    if found.stdin:
        told["stdin"] = text(found.shell)
    elif found.shell is not None:
        told |= {"shell": text(found.shell), "at": [*found.words, *([found.prefix] if found.prefix else [])]}
    else:
        told["argv"] = [text(word) for word in found.argv]
    told |= {name: True for name in ("more", "remote") if getattr(found, name)}
    if found.environment:
        told["environment"] = {name.decode(): text(value) for name, value in found.environment}
    return told


def told(found: Acts) -> dict[str, object]:
    """The Acts as a row of the vectors has them: what is empty left out."""
    told: dict[str, object] = {} if found.known else {"known": False}
    told["nested"] = [nested(inner) for inner in found.nested]
    told["sql"] = [[sql.dialect, text(sql.text)] for sql in found.sql]
    told |= {name: bool(getattr(found, name)) for name in ("code", "unknown", "changes", "interactive")}
    for name in ("writes", "deletes", "reads", "network"):
        told[name] = [text(word) for word in getattr(found, name)]
    told["categories"] = sorted(found.categories)
    return {name: value for name, value in told.items() if value or name == "known"}


def placeless(found: Acts) -> dict[str, object]:
    """What is told but for where it stands and by which spelling (reasons name it)."""
    row = told(found)
    row["nested"] = [{**nested(inner), "at": None} for inner in found.nested]
    return row


def reads_only(found: Acts) -> bool:
    """Whether the profile vouches that this use by itself changes nothing and runs nothing."""
    return found.vouched and not (found.changes or found.writes or found.deletes)


def silent(found: Acts) -> bool:
    """Whether nothing but reading is claimed of it."""
    return reads_only(found) and not found.nested and not found.sql


@pytest.mark.parametrize("row", ROWS, ids=lambda row: ascii(row["run"]))
def test_what_a_use_of_a_program_does(row: dict[str, object]) -> None:
    """All that is claimed stands in the vector, and nothing else."""
    expected = {name: value for name, value in row.items() if name != "run"}
    assert told(acts(argv_of(row))) == expected


def test_shell_text_stands_where_it_is_said_to_stand() -> None:
    """The place of nested text, from which it is printed again, holds exactly that text."""
    seen = 0
    for row in ROWS:
        argv = argv_of(row)
        for found in acts(argv).nested:
            if found.shell is not None and not found.stdin:
                start, end = found.words
                assert b" ".join(argv[start:end])[found.prefix :] == found.shell
                seen += 1
    assert seen > 20


def test_every_profile_has_a_vector() -> None:
    used = {base_name(argv_of(row)[0]) for row in ROWS}
    covered = {profile.names for name in used if name and (profile := shipped().find(name))}
    assert [profile.names for profile in shipped().profiles if profile.names not in covered] == []


def test_there_are_at_least_120_programs() -> None:
    assert len(shipped().profiles) >= 120


def uses(use: Use, argv: list[bytes]) -> Iterator[tuple[Use, list[bytes]]]:
    yield use, argv
    for name, inner in use.commands.items():
        yield from uses(inner, [*argv, name])


ALL_USES = [pair for profile in shipped().profiles for pair in uses(profile.use, [profile.names[0].encode()])]


def test_an_option_that_is_not_listed_is_never_taken_for_harmless() -> None:
    """It is undecidable, or nothing is claimed, unless the profile says that no option there can matter."""
    seen = 0
    for use, argv in ALL_USES:
        if use.unknown is not Unknown.HARMLESS and use.style is not Style.EXACT:
            found = acts([*argv, UNHEARD_OF])
            assert found.unknown or not found.known, argv
            seen += 1
    assert seen > 200


def test_where_unknown_options_are_harmless_no_known_one_runs_or_writes() -> None:
    for use, argv in ALL_USES:
        if use.unknown is Unknown.HARMLESS:
            roles = {role for option in use.known_options for role in option.roles} | set(use.operands.all)
            # An option that loads a library is the one that is told apart (see the loader).
            assert not roles & (RUNS - {"plugin"} | PATHS), argv


def dangerous(use: Use) -> Iterator[Option]:
    for option in use.known_options:
        if any(role in RUNS | PATHS for role in option.roles) and not option.name.endswith(b"*"):
            yield option


def test_an_abbreviation_of_an_option_that_matters_is_that_option_or_undecidable() -> None:
    """No prefix of a long option that runs or writes is read as something harmless."""
    seen = 0
    for use, argv in ALL_USES:
        for option in dangerous(use):
            if not option.name.startswith(b"--") or use.style not in (Style.GNU, Style.POSIX):
                continue
            for end in range(4, len(option.name)):
                shorter = option.name[:end]
                if shorter in use.options:
                    continue
                seen += 1
                found = acts([*argv, shorter + b"=/etc/passwd", b"x"])
                whole = acts([*argv, option.name + b"=/etc/passwd", b"x"])
                assert found.unknown or placeless(found) == placeless(whole), (argv, shorter)
    assert seen > 300


def test_a_word_that_only_the_target_knows_may_be_any_option() -> None:
    """Where an option could run something, such a word is undecidable; where one could write, it may write."""
    seen = 0
    for use, argv in ALL_USES:
        options = list(dangerous(use))
        if options and use.operands.rest is None:
            found = acts([*argv, None])
            assert found.unknown or None in found.writes or None in found.deletes, argv
            seen += 1
    assert seen > 50


def test_a_word_that_is_vouched_for_is_no_option() -> None:
    """What find puts for {} is one word and no option; what was quoted is one word, but may be an option."""
    argv: list[bytes | None] = [b"sed", b"-i", b"s/a/b/", None]
    assert acts(argv).unknown
    assert acts(argv, single=frozenset({3})).unknown
    plain = acts(argv, plain=frozenset({3}))
    assert not plain.unknown
    assert plain.writes == (None,)
    assert not acts([b"tar", b"cf", None, b"x"], single=frozenset({2})).unknown
    assert acts([b"tar", b"cf", None, b"x"]).unknown


def test_more_words_may_be_options_too() -> None:
    """xargs sed: any of the unknown words may be -e; xargs rm: all that they can do is be deleted."""
    assert acts([b"sed", b"p"], more=True).unknown
    rm = acts([b"rm"], more=True)
    assert (rm.unknown, rm.deletes) == ((), (None,))


@pytest.mark.parametrize("words", [[None, b"x"], [], [b""], [b"/"]], ids=str)
def test_a_program_without_a_name_is_undecidable(words: list[bytes | None]) -> None:
    found = acts(words)
    assert found.unknown
    assert not found.known


@pytest.mark.parametrize(
    ("run", "stdin", "expected"),
    [
        ("bash", b"rm x", {"nested": [{"stdin": "rm x"}]}),
        ("bash -s", b"rm x", {"nested": [{"stdin": "rm x"}]}),
        ("bash -c ls", b"rm x", {"nested": [{"shell": "ls", "at": [2, 3]}]}),
        ("psql db", b"DROP TABLE x", {"sql": [["psql", "DROP TABLE x"]]}),
        ("psql -c 'SELECT 1'", b"DROP TABLE x", {"sql": [["psql", "SELECT 1"]]}),
        ("cat", b"rm x", {}),
    ],
)
def test_standard_input_is_what_runs_when_nothing_else_is(run: str, stdin: bytes, expected: object) -> None:
    assert told(acts(argv_of({"run": run}), stdin)) == expected


def test_standard_input_of_an_interpreter_is_code() -> None:
    assert acts([b"python3"], b"1").code


@pytest.mark.parametrize(
    "run",
    [
        "env -i ls",
        "env - ls",
        "env --ignore-env ls",
        "env -u PAGER ls",
        "env --unset=SYSTEMD_PAGERSECURE ls",
        "env -vuLESSSECURE ls",
        "exec -c ls",
        "exec -cl ls",
    ],
)
def test_what_keeps_pagers_shut_may_not_go_on_a_terminal(run: str) -> None:
    argv = argv_of({"run": run})
    assert not acts(argv).code
    assert acts(argv, terminal=True).code


def test_other_variables_may_go() -> None:
    assert not acts(argv_of({"run": "env -u X ls"}), terminal=True).code


@pytest.mark.parametrize("run", ["less x", "man ls", "git log", "top"])
def test_a_pager_takes_commands_only_from_a_terminal(run: str) -> None:
    argv = argv_of({"run": run})
    assert not acts(argv).interactive
    assert acts(argv, terminal=True).interactive


def test_what_runs_in_another_directory_is_judged_there() -> None:
    """env -C /etc rm shadow deletes /etc/shadow."""
    (found,) = acts([b"env", b"-C", b"/etc", b"rm", b"shadow"]).nested
    inner = acts(found.argv, folder=found.folder)
    assert inner.deletes == (b"/etc/shadow",)
    assert "privilege" in inner.categories
    assert acts([b"rm", b"x"], folder=None).deletes == (None,)


WORDS = st.one_of(
    st.sampled_from(OPTIONS),
    st.sampled_from(OPTIONS).map(lambda option: option + b"=x"),
    st.sampled_from(OPTIONS).map(lambda option: option[:-1]),
    st.sampled_from([b"-", b"--", b";", b"+", b"{}", b"!", b"=", b"-=", b"--=", b"", b"x", b"/etc/shadow", b"s/a/b/e"]),
    st.sampled_from([name for use, argv in ALL_USES for name in argv[1:]]),
    st.none(),
    st.binary(max_size=6),
)


@given(st.sampled_from(NAMES), st.lists(WORDS, max_size=8), st.one_of(st.none(), st.binary(max_size=5)), st.booleans())
def test_no_argv_raises(name: bytes, words: list[bytes | None], stdin: bytes | None, flag: bool) -> None:
    """Whatever the words, there is an answer, and it is the same one again."""
    found = acts([name, *words], stdin, flag, more=flag)
    assert found == acts([name, *words], stdin, flag, more=flag)
    for inner in found.nested:
        assert inner.stdin or inner.words[1] <= len(words) + 2


@given(st.lists(WORDS, max_size=4), st.lists(WORDS, max_size=4))
def test_what_writes_is_never_silent(before: list[bytes | None], after: list[bytes | None]) -> None:
    """Words around `sort -o FILE` never make it look like reading, while -o is an option and the value of none."""
    if b"--" not in before:
        assert not silent(acts([b"sort", *before, b"x", b"-o/etc/passwd", *after]))


PATHS_ROWS = yaml.safe_load((VECTORS / "profiles_paths.yaml").read_text())


@pytest.mark.parametrize("row", PATHS_ROWS, ids=lambda row: ascii(row["path"]))
def test_what_a_path_means(row: dict[str, object]) -> None:
    """Reading, writing, deleting and running a path each have their categories."""
    for kind in ("reads", "writes", "deletes", "runs"):
        categories, techniques = of_path(kind, str(row["path"]).encode())
        assert sorted(categories) == row.get(kind, [])
        assert bool(categories) == bool(techniques)


def test_the_schema_is_the_one_that_is_shipped_and_the_profiles_keep_to_it() -> None:
    """schema.json is made by schema.py; run `bastion policy profiles schema` to make it again."""
    folder = resources.files("bastion.analysis") / "programs"
    assert json.loads((folder / "schema.json").read_text()) == schema()
    validator = Draft202012Validator(schema())
    files = [file for room in folder.iterdir() if room.is_dir() for file in room.iterdir()]
    assert len(files) > 10
    for file in files:
        problems: list[Problem] = []
        validator.validate(plain(document.parse(file.read_bytes(), file.name, problems)))
        assert problems == []


def plain(node: Node) -> object:
    """A document as plain values, read by the project's own reader of YAML."""
    if node.kind == "mapping":
        return {name: plain(value) for name, _, value in node.section().entries()}
    if node.kind == "list":
        return [plain(item) for item in node.items()]
    if node.kind == "integer":
        return node.integer(-(1 << 30), 1 << 30)
    return node.boolean() if node.kind == "boolean" else node.text()


def test_every_profile_says_what_its_program_is() -> None:
    silent: list[Profile] = [profile for profile in shipped().profiles if not profile.about or not profile.names]
    assert silent == []


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("rm passwd", b"passwd"),
        ("env -C /etc rm passwd", b"/etc/passwd"),
        ("env -C /etc nice rm passwd", b"/etc/passwd"),
        ("env -C /etc sh -c 'rm passwd'", b"/etc/passwd"),
        ("env -C /etc sh -c 'nice rm passwd'; rm passwd", b"passwd"),
        ("env -C /etc rm /tmp/x", b"/tmp/x"),
        ('env -C "$x" rm passwd', None),
        ("find /etc -execdir rm passwd \\;", b"passwd"),
    ],
)
def test_paths_inside_are_those_of_the_folder_in_which_the_program_runs(text: str, path: bytes | None) -> None:
    """A folder that a wrapper names is that of the command inside, and of the text that it gives to a shell."""
    acts = analyse(text.encode()).commands[-1].acts
    assert acts is not None
    assert acts.deletes == (path,)
