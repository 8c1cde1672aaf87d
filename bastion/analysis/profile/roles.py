"""What follows from words in a role (model.ROLES): each role is one small function over the tally."""

from __future__ import annotations

import re
from collections.abc import Callable

from bastion.analysis.profile import looks, runs, scripts, spellings, urls
from bastion.analysis.profile.acts import Sql, Tally
from bastion.analysis.profile.options import At, Value

Values = tuple[Value, ...]

_REMOTE = re.compile(rb"(?:\[[^\]]+\]|[^/:\[\]]+):")
_SET_ID = re.compile(rb".*[+=][rwxXtugo]*s|0*[2-7]\d{3}\Z")
_SSH_RUNS = frozenset(b"proxycommand localcommand knownhostscommand permitlocalcommand pkcs11provider".split())
_SSH_RUNS |= frozenset(b"securitykeyprovider include match xauthlocation".split())
_SSH_SENDS = frozenset(b"localforward remoteforward dynamicforward tunnel forwardagent forwardx11".split())
_GIT_HARMLESS = re.compile(
    rb"(?:color\..*|user\.(?:name|email)|core\.(?:quotepath|abbrev|autocrlf|ignorecase|filemode|bare|precomposeunicode)"
    rb"|advice\..*|log\.(?:date|decorate|showsignature|abbrevcommit)|column\..*|diff\.(?:renames|context|algorithm)"
    rb"|status\..*|init\.defaultbranch|protocol\.version|commit\.gpgsign|gc\.auto|pull\.(?:rebase|ff)|push\.default)\Z"
)


def apply(role: str, values: Values, tally: Tally, name: bytes = b"") -> None:
    """Add to `tally` what follows from `values` in `role`. `name` is the option they belong to, or empty."""
    _ROLES[role](At(values, tally, name.decode("utf-8", "replace") or "its argument"))


_Role = Callable[[At], None]


def _harmless(at: At) -> None:
    """Nothing follows."""


def _reads(at: At) -> None:
    for value in at.values:
        if value.word != b"-":
            at.tally.path_of("reads", value.word, value.index)


def _measures(at: At) -> None:
    """Which of these files it is, where only the target knows, matters less: nothing of what is in it is shown."""
    before = at.tally.reads.count(None)
    _reads(at)
    at.tally.measured += at.tally.reads.count(None) - before


def _reads_listed(at: At) -> None:
    """Standard input may be the list: then, too, what is read is not known."""
    _reads(at)
    at.tally.reads.append(None)


def _writes(at: At) -> None:
    if not at.values:  # it may be left out: a file of the program's own choice
        at.tally.writes.append(None)
    for value in at.values:
        if value.word != b"-":
            at.tally.path_of("writes", value.word, value.index)


def _moves(at: At) -> None:
    """What lies in a folder can be read where it was moved to."""
    _writes(at)
    at.tally.walks.extend((value.word, True) for value in at.values)


def _deletes(at: At) -> None:
    for value in at.values:
        at.tally.path_of("deletes", value.word, value.index)


def _folder(at: At) -> None:
    at.tally.folder = at.tally.path(at.values[0].word)


def _peer(at: At) -> None:
    at.tally.network.extend(value.word for value in at.values)


def _remote(kind: str) -> _Role:
    def remote(at: At) -> None:
        for value in at.values:
            word = value.word
            found = None if word is None else _REMOTE.match(word)
            if word is None:
                at.tally.network.append(None)
            if found is not None:
                at.tally.network.append(found[0][:-1])
                if kind == "writes":
                    _sends(at.tally)
            elif kind == "walks":
                looks.walked(At((value,), at.tally, at.name))
            else:
                at.tally.path_of(kind, word, value.index)

    return remote


def _sql(at: At) -> None:
    at.tally.acted = True
    for value in at.values:
        if value.word is None:
            at.tally.unknown.append(f"{at.tally.program}: SQL that only the target knows")
        else:
            at.tally.sql.append(Sql(at.tally.dialect, value.word))


def _sql_script(at: At) -> None:
    if at.values and at.values[0].word == b"-":
        return
    at.tally.acted = True
    _reads(at)
    at.tally.unknown.append(f"{at.tally.program}: {at.name} is a file of SQL whose text is not known here")


_SQLITE_HARMLESS = re.compile(
    rb"\.(?:tables?|schema|indexes|indices|databases|dbinfo|show|fullschema|stats)(?:\s+[\w%*]+)?\s*\Z"
)


def _sqlite_text(at: At) -> None:
    for value in at.values:
        if value.word is not None and value.word.lstrip().startswith(b"."):
            at.tally.acted = True
            if not _SQLITE_HARMLESS.match(value.word.lstrip()):
                at.tally.unknown.append(f"{at.tally.program}: a dot command that can run programs or write files")
        else:
            _sql(At((value,), at.tally, at.name))


def _joined(values: Values) -> bytes | None:
    """A script that is given in several parts, each of which may end in the middle of a command."""
    words = [value.word for value in values if value.word is not None]
    return b"\n".join(words) if len(words) == len(values) else None


def _sed(at: At) -> None:
    at.tally.acted = True
    word = _joined(at.values)
    if word is None:
        at.tally.unknown.append(f"{at.tally.program}: a script that only the target knows")
        return
    read = scripts.sed(word)
    if read.unknown:
        at.tally.unknown.append(f"{at.tally.program}: {read.unknown}")
    if read.runs:
        at.tally.code.append(f"{at.tally.program}: its script runs commands")
        at.tally.categories.add("shell-escape")
        at.tally.techniques.add("T1059")
    at.tally.writes.extend(read.writes)
    at.tally.reads.extend(read.reads)


def _awk(at: At) -> None:
    at.tally.acted = True
    word = _joined(at.values)
    reason = "a program that only the target knows" if word is None else scripts.awk(word)
    if reason:
        at.tally.code.append(f"{at.tally.program}: {reason}")
        at.tally.categories.add("shell-escape")
        at.tally.techniques.add("T1059")
        runs.shows(word, at.tally)


def _ssh_option(at: At) -> None:
    word = at.values[0].word
    if word is None:
        at.tally.unknown.append(f"{at.tally.program}: an option that only the target knows")
        return
    key = re.split(rb"[=\s]", word.strip(), maxsplit=1)[0].lower()
    content = word.strip()[len(key) :].strip(b" \t=\"'").lower()
    if (key in _SSH_RUNS and content not in (b"none", b"no")) or key == b"remotecommand":
        at.tally.code.append(f"{at.tally.program}: the option {key.decode('utf-8', 'replace')} runs a program")
        at.tally.categories.add("shell-escape")
        at.tally.techniques.add("T1202")
    elif key in _SSH_SENDS:
        at.tally.changes.append("a forwarding")
        at.tally.techniques.add("T1572")


def _git_config(at: At) -> None:
    word = at.values[0].word
    key = b"" if word is None else word.partition(b"=")[0].lower()
    if not _GIT_HARMLESS.match(key):
        at.tally.code.append(f"{at.tally.program}: the setting {key.decode('utf-8', 'replace')!r} may run programs")
        at.tally.categories.add("shell-escape")
        at.tally.techniques.add("T1059")


def _git_url(at: At) -> None:
    for value in at.values:
        word = value.word
        if word is None or b"::" in word:
            runs.code(At((value,), at.tally, "a transport"))
            continue
        found = urls.URL.match(word) or _REMOTE.match(word)
        if found is not None and b"://" in word:
            at.tally.network.append(found[2])
        elif found is not None and b"/" not in found[0]:
            at.tally.network.append(found[0][:-1])


_NAME = re.compile(rb"[\w~./+@:,-]*[A-Za-z/][\w~./+@:,-]*\Z")
_FIELD = re.compile(rb"\.[\w.\[\]\"*-]*\Z")
_HIDDEN = re.compile(
    rb"\.(?:netrc|npmrc|pypirc|pgpass|my\.cnf|mylogin\.cnf|git-credentials|vault-token|htpasswd|boto|s3cfg)\Z"
)


def _expression(at: At) -> None:
    word = at.values[0].word
    if word is None or re.search(rb"load|system|eval|document", word) or spellings.MODULES.search(word):
        at.tally.unknown.append(f"{at.tally.program}: its expression may read other files")
    elif not at.name.startswith("-") and _NAME.match(word) and (not _FIELD.match(word) or _HIDDEN.match(word)):
        # yq takes a word that is the name of a file for one, whether or not others follow.
        at.tally.path_of("reads", word, at.values[0].index)
    runs.shows(word, at.tally)


def _setting(at: At) -> None:
    if any(value.word is None or b"=" in value.word for value in at.values):
        at.tally.changes.append(f"a setting of {at.tally.program}")


def _mode(at: At) -> None:
    word = at.values[0].word
    if word is None or _SET_ID.match(word):
        at.tally.categories.add("privilege")
        at.tally.techniques.add("T1548.001")


_HOST_PATHS = re.compile(rb"/(?:etc|root|home|boot|dev|proc|sys|var|usr|lib|bin|sbin|run)?(?:/.*)?\Z")


def _mount(at: At) -> None:
    word = at.values[0].word
    found = None if word is None else re.search(rb"(?:source|src)=([^,]*)", word)
    source = word if word is None else found[1] if found is not None else word.partition(b":")[0]
    if source is None or _HOST_PATHS.match(source):
        at.tally.categories.add("privilege")
        at.tally.techniques.add("T1611")
    if source is None or source.startswith((b"/", b".", b"~")):
        at.tally.writes.append(source)


def _uploads(at: At) -> None:
    _reads(at)
    _sends(at.tally)


def _archive(at: At) -> None:
    words = [value.word for value in at.values if value.word != b"-"]
    at.tally.archives.extend(words)
    # An archive on another machine, which it is reached by ssh.
    at.tally.network.extend(word for word in words if word is None or b":" in word.partition(b"/")[0])


def _writes_or_runs(at: At) -> None:
    word = at.values[0].word
    if word is None or word[:1] in (b"|", b"!"):
        at.tally.code.append(f"{at.tally.program}: {at.name} can name a program to run")
    _writes(at)


def _privileged(at: At) -> None:
    at.tally.categories.add("privilege")
    at.tally.techniques.add("T1611")


def _connects(at: At) -> None:
    at.tally.acted = True
    at.tally.code.append(f"{at.tally.program}: {at.name} connects a program to the network")
    at.tally.categories.add("reverse-shell")
    at.tally.techniques.add("T1059.004")


def _data(at: At) -> None:
    word = at.values[0].word
    marker = -1 if word is None else word.find(b"@")
    named = at.name in ("--data-urlencode", "--url-query")  # NAME@FILE
    if word is None:
        at.tally.path_of("reads", None, at.values[0].index)
        _sends(at.tally)
    elif marker == 0 or (marker > 0 and (named or word[marker - 1 : marker] == b"=")) or b"=<" in word:
        start = marker + 1 if marker >= 0 else word.index(b"=<") + 2
        path = word[start:].partition(b";")[0]
        if path != b"-":
            at.tally.reads.append(path)
        _sends(at.tally)


def _sends(tally: Tally) -> None:
    tally.categories.add("exfiltration")
    tally.techniques.add("T1048")


def _changes(at: At) -> None:
    at.tally.changes.append(
        f"{at.tally.program} {at.name}" if at.name.startswith("-") else f"what {at.tally.program} names"
    )


def _interactive(at: At) -> None:
    at.tally.interactive = True
    at.tally.code.append(f"{at.tally.program}: with {at.name} it takes commands while it runs")


_ROLES: dict[str, _Role] = {
    "harmless": _harmless,
    "reads": _reads,
    "measures": _measures,
    "reads-listed": _reads_listed,
    "writes": _writes,
    "writes-or-runs": _writes_or_runs,
    "deletes": _deletes,
    "folder": _folder,
    "peer": _peer,
    "url": urls.url,
    "remote-reads": _remote("reads"),
    "remote-writes": _remote("writes"),
    "shell": runs.shell,
    "shell-words": runs.shell,
    "login-shell": runs.login_shell,
    "remote-shell": runs.remote_shell,
    "command": runs.command,
    "command-to-semicolon": runs.to_semicolon,
    "command-more": runs.command_more,
    "replaces": runs.replaces,
    "command-with-assignments": runs.with_assignments,
    "command-or-shell": runs.command_or_shell,
    "command-by-login-shell": runs.by_login_shell,
    "container-command": runs.container,
    "program": runs.program,
    "remote-program": runs.remote_program,
    "shell-program": runs.shell_program,
    "forgets": runs.forgets,
    "shell-mode": runs.shell_mode,
    "code": runs.code,
    "script": runs.script,
    "options-file": runs.options_file,
    "split-string": runs.split_string,
    "sql": _sql,
    "sql-script": _sql_script,
    "sqlite-text": _sqlite_text,
    "sed-script": _sed,
    "awk-program": _awk,
    "ssh-option": _ssh_option,
    "git-config": _git_config,
    "git-url": _git_url,
    "expression": _expression,
    "setting": _setting,
    "sought": looks.sought,
    "ps-letters": looks.ps_letters,
    "sought-mode": looks.sought_mode,
    "walks": looks.walked,
    "moves": _moves,
    "remote-walks": _remote("walks"),
    "searches": looks.walked,
    "skims": looks.skimmed,
    "mode": _mode,
    "mount": _mount,
    "uploads": _uploads,
    "archive": _archive,
    "privileged": _privileged,
    "connects": _connects,
    "data": _data,
    "uri": spellings.uri,
    "document": spellings.document,
    "settings-file": spellings.settings_file,
    "own-settings": spellings.own_settings,
    "jq-filter": spellings.jq_filter,
    "count": spellings.count,
    "kube-output": spellings.kube_output,
    "manifest": spellings.manifest,
    "project-file": spellings.project_file,
    "netdev": spellings.netdev,
    "resource": spellings.resource,
    "ps-columns": spellings.ps_columns,
    "database": spellings.database,
    "user-at": spellings.user_at,
    "plugin": spellings.plugin,
    "git-format": spellings.git_format,
    "changes": _changes,
    "write-out": spellings.write_out,
    "page": spellings.page,
    "plain-word": spellings.plain_word,
    "apart": spellings.apart,
    "interactive": _interactive,
    "tracing": spellings.tracing,
}
