"""Does one rule cover one command, or hold it back? What each key of a rule means is written here, and nowhere else.

An allow or approve rule covers a command when nothing stands against it (`objection`):

    commands     a pattern matches its words; a word that only the target knows needs `dynamic: true` and a wildcard;
                 what is no command (`X=1`, `> file`) is covered by `**` alone
    interactive  programs that take commands, and uses whose effect is not known, need `interactive: true`
    env          variables that it sets are named; a variable of the script's own needs no rule (below)
    reads        files that it opens by `<` are named; /dev/null needs no rule
    writes       files that it opens by `>`, `>>`, `>|` and `<>` are named
    sql          where it is said: all that the command's SQL does is named; what comes by standard input and not in the
                 command's words, or reaches out of the database (runs a program, opens a file), must be
    does         where it is said: the program's profile vouches that this use does no more than that, and that it
                 shows of no file what is in it which only the target knows, but of globs below a pattern's folder

A deny or approve rule holds it back (`holds_back`) when each of `commands`, `sql`, `does`, `reads` and `writes` that it
says is about the command: any one pattern, kind, deed or path of each, read widely, and paths as far as the profile
knows them too. An approve rule's `reads` and `writes` say what an approval covers instead.

What is the text's own needs no rule (`of_the_script`): what steers it (`exit`, `return`, `break`, `continue`, `shift`,
`:`), a function that it defines, whose body is judged where that stands, and a variable whose name has a lower-case
letter, since POSIX keeps the names without one for programs (XBD 8.1). Those that decide what other commands do, such
as PATH, the analysis refuses whatever a rule says.

Limits: variables that `for` and `read` set are not asked about. `does` is as good as the profiles are; it reads no file
and knows no link. A path in a shell's variable is not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bastion.analysis.command import Analysis, Command, Finding, Unknown
from bastion.analysis.profile.acts import Acts
from bastion.characters import briefly
from bastion.policy import environment
from bastion.policy.decision import Effect
from bastion.policy.model import Rule
from bastion.policy.patterns import SYSTEM_DIRECTORIES, PathPattern

_NOWHERE = b"/dev/null"
_READS = frozenset({"<", "<>"})
_WRITES = frozenset({">", ">>", ">|", "<>"})
_STEERS = frozenset({b"exit", b"return", b"break", b"continue", b"shift", b":"})
_SQL_OUTSIDE = frozenset({"copy-program", "copy-file", "function"})
_SQL_READS = frozenset({"select", "explain", "show", "several"})
_DECLARES = frozenset({b"export", b"readonly", b"local", b"declare", b"typeset"})


@dataclass(frozen=True, slots=True)
class Question:
    """One command, put to the rules with all that was found of it. `doubts` are findings for which nothing vouches;
    `kinds` what its SQL does, and `piped` what SQL does that stands not in its words but comes by its standard input;
    `categories` those of its findings."""

    command: Command
    unknown: Mapping[int, Unknown]
    doubts: tuple[Finding, ...]
    kinds: frozenset[str]
    categories: frozenset[str]
    piped: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a rule does not cover a command. `stage` grows with what did fit; `doubt`: because something is not known;
    `elsewhere`: the rule holds other deeds for approval."""

    stage: int
    text: str
    doubt: bool = False
    elsewhere: bool = False


def questions(analysis: Analysis) -> tuple[Question, ...]:
    """One a command, in order."""
    doubts: dict[int, list[Finding]] = {}
    categories: dict[int, set[str]] = {}
    kinds: dict[int, set[str]] = {}
    for finding in analysis.undecidable:
        doubts.setdefault(finding.command, []).append(finding)
    for finding in analysis.findings:
        categories.setdefault(finding.command, set()).add(finding.category)
    piped: dict[int, set[str]] = {}
    for sql in analysis.sql:
        kinds.setdefault(sql.command, set()).update(sql.kinds)
        if not any(word is not None and sql.text in word for word in analysis.commands[sql.command].argv):
            piped.setdefault(sql.command, set()).update(sql.kinds)
    # A doubt about the whole text is one about each of its commands.
    of_all = doubts.get(-1, [])
    return tuple(
        Question(
            command,
            _unknown(command),
            (*of_all, *doubts.get(at, ())),
            frozenset(kinds.get(at, ())),
            frozenset(categories.get(at, ())),
            frozenset(piped.get(at, ())),
        )
        for at, command in enumerate(analysis.commands)
    )


def _unknown(command: Command) -> dict[int, Unknown]:
    """One for each word that is not known; of one that nothing is told of, nothing is assumed."""
    if None not in command.argv:
        return {}
    told = {word.index: word for word in command.unknown}
    return {at: told.get(at, Unknown(at)) for at, word in enumerate(command.argv) if word is None}


def objection(rule: Rule, question: Question) -> Objection | None:
    """Why an allow or approve rule does not cover this command; None when it does."""
    for stage, check in enumerate(_CHECKS):
        found = check(rule, question)
        if found is not None:
            return Objection(stage, *found, elsewhere=rule.effect is not Effect.ALLOW and check in (_sql, _does))
    return None


def holds_back(rule: Rule, question: Question) -> bool:
    """Whether a deny or approve rule is about this command."""
    argv = question.command.argv
    if rule.commands:
        if not argv or not any(pattern.restrains(argv, question.unknown) for pattern in rule.commands):
            return False
    elif not rule.of_any_program:
        return False
    if rule.sql and rule.sql.isdisjoint(question.kinds):
        return False
    if rule.does and rule.does.isdisjoint(deeds(question.command)):
        return False
    if rule.effect is Effect.APPROVE:
        return True
    command = question.command
    read = _touches(rule.reads, _read(command), _walked(command))
    return read and _touches(rule.writes, _written(command))


def deeds(command: Command) -> frozenset[str]:
    """What the command does, in the words of `does`, as far as its profile and its redirections tell."""
    acts, found = command.acts, set()
    if command.argv and (acts is None or not acts.known or not _of_the_system(command.argv[0])):
        found.add("unknown")
    if acts is not None and acts.known:
        found |= {"reads"}
        found |= {"changes"} if acts.changes else set()
        found |= {"network"} if acts.network else set()
    if any(path != _NOWHERE for path in _written(command)):
        found.add("writes")
    return frozenset(found)


def _of_the_system(name: bytes | None) -> bool:
    """Whether it is the program that its profile is about: found by PATH, or spelled out where systems have it. Another
    one of that name could do anything."""
    directory, slash, _ = (name or b"").rpartition(b"/")
    return not slash or directory + slash in SYSTEM_DIRECTORIES


def _touches(
    patterns: tuple[PathPattern, ...], paths: Iterable[bytes | None], folders: Iterable[bytes | None] = ()
) -> bool:
    if not patterns or any(pattern.restrains(path) for path in paths for pattern in patterns):
        return True
    return any(pattern.lies_below(folder) for folder in folders for pattern in patterns)


def _walked(command: Command) -> tuple[bytes | None, ...]:
    """Folders that are read with all that lies below them."""
    return () if command.acts is None else command.acts.walks


def _read(command: Command) -> list[bytes | None]:
    paths = [path for operator, path in command.redirections if operator in _READS]
    return [*paths, *(command.acts.reads if command.acts is not None else ())]


def _written(command: Command) -> list[bytes | None]:
    paths = [path for operator, path in command.redirections if operator in _WRITES]
    return [*paths, *((*command.acts.writes, *command.acts.deletes) if command.acts is not None else ())]


# -- what can stand against a rule

_Why = tuple[str, bool] | None


def _words(rule: Rule, question: Question) -> _Why:
    argv, unknown = question.command.argv, question.unknown
    if not argv:
        if not question.command.environment and not question.command.redirections:
            return "there is nothing in it", True
        # A variable is for all that follows, and `> file` is nobody's: a rule for some program does not mean them.
        if any(pattern.any_command for pattern in rule.commands):
            return None
        return "only a rule for any command (`**`) covers what is no command", False
    if any(pattern.grants(argv, unknown, rule.dynamic) for pattern in rule.commands):
        return None
    name = briefly(argv[0] or b"")
    if unknown and not rule.dynamic and any(pattern.grants(argv, unknown, True) for pattern in rule.commands):
        at = min(unknown)
        return f"word {at + 1} of {name} is known to the target only: a rule must say `dynamic: true`", True
    return f"no pattern of it matches {name} with these arguments", bool(unknown)


def _doubts(rule: Rule, question: Question) -> _Why:
    if not question.doubts or rule.interactive:
        return None
    return f"{question.doubts[0].reason}: a rule must say `interactive: true` to let it run", True


def of_the_script(question: Question) -> bool:
    """Whether the command does nothing but steer the script, set variables of its own, or call a function of its own,
    whose body is judged where it stands: then no rule need cover it."""
    command = question.command
    if command.redirections or question.doubts:
        return False
    if command.function or (command.argv and command.argv[0] in _STEERS and not command.via):
        return not command.environment
    names = [name.decode("utf-8", "replace") for name, _ in command.environment]
    return bool(names) and not command.argv and all(_own(name) for name in names)


def _own(name: str) -> bool:
    return name != name.upper()


def _variables(rule: Rule, question: Question) -> _Why:
    command = question.command
    alone = not command.argv or command.argv[0] in _DECLARES
    for name, _ in command.environment:
        text = name.decode("utf-8", "replace")
        if alone and _own(text):
            continue
        if not any(environment.passes(pattern, text) for pattern in rule.env):
            return f"it sets {briefly(name)}: a rule must name that in `env`", False
    return None


def _files_read(rule: Rule, question: Question) -> _Why:
    return _files(rule.reads, question.command, _READS, "reads", rule.dynamic)


def _files_written(rule: Rule, question: Question) -> _Why:
    return _files(rule.writes, question.command, _WRITES, "writes", rule.dynamic)


def _files(
    patterns: tuple[PathPattern, ...], command: Command, operators: frozenset[str], key: str, dynamic: bool
) -> _Why:
    for operator, path in command.redirections:
        if operator not in operators or path == _NOWHERE:
            continue
        if path is None and not dynamic:
            return f"it {key} a file that only the target knows: a rule must say `dynamic: true`", True
        if not any(pattern.grants(path) for pattern in patterns):
            what = "a file that only the target knows" if path is None else briefly(path)
            return f"it {key} {what}: a rule must name that in `{key}`", False
    return None


def _sql(rule: Rule, question: Question) -> _Why:
    unsaid = question.piped | (question.kinds & _SQL_OUTSIDE)
    if unsaid and rule.effect is Effect.ALLOW and not rule.sql and not rule.interactive:
        return f"its SQL does {', '.join(sorted(unsaid))}: a rule must name that in `sql`", False
    if not rule.sql or (rule.effect is Effect.ALLOW and question.kinds <= rule.sql):
        return None
    if rule.effect is Effect.ALLOW:
        return f"its SQL does {', '.join(sorted(question.kinds - rule.sql))}: a rule must name that in `sql`", False
    return None if rule.sql & question.kinds else ("its SQL does nothing that the rule names", False)


def _does(rule: Rule, question: Question) -> _Why:
    if not rule.does or not question.command.argv:
        return None
    done = deeds(question.command)
    name = briefly(question.command.argv[0] or b"")
    if rule.effect is not Effect.ALLOW:
        return None if rule.does & done else (f"{name} does nothing that the rule names in `does`", "unknown" in done)
    acts = question.command.acts
    if acts is None or not acts.known or not _of_the_system(question.command.argv[0]):
        return f"no profile says what {name} does, and the rule is for what one vouches for", True
    if question.doubts or not acts.vouched:
        reason = question.doubts[0].reason if question.doubts else "it takes commands"
        return f"{reason}, and the rule is for what a profile vouches for", True
    if question.categories and "changes" not in rule.does:
        return f"{name} counts as {', '.join(sorted(question.categories))}, which is more than the rule's `does`", False
    more_sql = question.kinds - _SQL_READS
    if more_sql and not rule.sql and "changes" not in rule.does:
        return f"its SQL does {', '.join(sorted(more_sql))}, which is more than the rule's `does`", False
    if acts.discloses and not _below(rule, question):
        return f"{name} shows what is in a file that only the target knows, of which the rule does not say where", True
    more = _own_deeds(acts) - rule.does
    if more:
        return f"{name} does more than the rule's `does`: {', '.join(sorted(more))}", False
    for path in (*acts.writes, *acts.deletes):
        if path != _NOWHERE and not any(pattern.grants(path) for pattern in rule.writes):
            what = "a file that only the target knows" if path is None else briefly(path)
            return f"{name} writes {what}: a rule must name that in `writes`", False
    return None


def _below(rule: Rule, question: Question) -> bool:
    """Whether what only the target knows are globs, each below a folder that a pattern of the rule names."""
    argv, unknown = question.command.argv, question.unknown
    return bool(unknown) and any(pattern.grants(argv, unknown, rule.dynamic, below=True) for pattern in rule.commands)


def _own_deeds(acts: Acts) -> frozenset[str]:
    """What the program does itself, its redirections apart: `writes` is about those."""
    return frozenset(
        deed
        for deed, done in (
            ("changes", acts.changes),
            ("writes", acts.writes or acts.deletes),
            ("network", acts.network),
        )
        if done
    )


_CHECKS = (_words, _doubts, _variables, _files_read, _files_written, _sql, _does)
