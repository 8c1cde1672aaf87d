"""Roles of words that are a program's own spelling of something: of a path, of a machine, or of what is asked for.

Limits: what a document names in its own text (an entity, a playlist) is not known, only the words of the command.
"""

from __future__ import annotations

import posixpath
import re

from bastion.analysis.profile import looks, runs
from bastion.analysis.profile.options import At

_SCHEME = re.compile(rb"[A-Za-z][A-Za-z0-9+.,-]*:")
_FILE = re.compile(rb"(?i)file:(?://(?:localhost)?(?=/))?")
_HOST = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)")
_SETTINGS = (b"/etc/", b"/run/", b"/usr/local/lib/", b"/usr/lib/")
_OWN = re.compile(rb"/(?:etc|usr/share|usr/lib|usr/local/etc)/")
_ADDRESS = re.compile(rb"[\w.-]+@[\w.-]+:|[a-z]+::|(?:[\w-]+\.)+[a-z]{2,}/\S*")
MODULES = re.compile(rb"(?<![\w.$])(?:import|include)(?!\w)|modulemeta")
"""What brings another file into a filter of jq; a field of that name has a dot before it."""
_FORMATS = re.compile(rb"(?:oneline|short|medium|full|fuller|reference|email|raw|mboxrd)?\Z")
_SIGNED = re.compile(rb"%[-+ ]*G|%\(\*?signature")
_MANUALS = re.compile(rb"/usr/(?:local/)?share/man/")
_SECRETS = frozenset({b"secret", b"secrets"})
_SCRIPTS = (b".msl", b".mvg")
_TRACED = re.compile(
    rb"(?:(?:trace|signal|status|abbrev|verbose|raw|read|write|quiet|decode-fds)=)?[\w,!?%@/.^$|*-]+\Z"
)


def uri(at: At) -> None:
    """What openssl reads: a path, or `file:` and one. Other schemes ask what keeps keys, by ways of its own."""
    for value in at.values:
        word = value.word
        found = None if word is None else _FILE.match(word)
        if word is not None and found is not None:
            at.tally.path_of("reads", word[found.end() :], value.index)
        elif word is not None and _SCHEME.match(word):
            at.tally.unknown.append(f"{at.tally.program}: what it reads is named by a scheme that is not known")
        elif word != b"-":
            at.tally.path_of("reads", word, value.index)


def document(at: At) -> None:
    """A path; or a URL, or PREFIX:NAME, by which the program chooses how it reads, and so what it does."""
    for value in at.values:
        word = value.word
        host = None if word is None else _HOST.match(word)
        if word is not None and host is not None and not _FILE.match(word):
            at.tally.network.append(host[1])
            looks.asked(host[1], at.tally)
        elif word is not None and word.startswith(b"@"):
            at.tally.path_of("reads", word[1:], value.index)
        else:
            if word is not None and word.lower().endswith(_SCRIPTS):
                at.tally.unknown.append(f"{at.tally.program}: a document that is a script")
            if word is not None and b"|" in (word.strip()[:1], word.strip()[-1:]):
                at.tally.unknown.append(f"{at.tally.program}: a name that some versions run as a command")
            uri(At((value,), at.tally, at.name))


def settings_file(at: At) -> None:
    """A path; one that is relative is looked for below each folder that keeps settings."""
    for value in at.values:
        if value.word is None:
            at.tally.unknown.append(f"{at.tally.program}: a file of settings that only the target knows")
        elif value.word.startswith(b"/"):
            at.tally.path_of("reads", value.word, value.index)
        else:
            at.tally.reads.extend(folder + value.word for folder in _SETTINGS)


def own_settings(at: At) -> None:
    """A file of settings, whose text may name libraries and scripts: below a folder of the system's own it says what it
    said before; anywhere else it may be of the caller's making, and is code."""
    for value in at.values:
        path = at.tally.path(value.word)
        plain = path is not None and posixpath.normpath(path) == path and _OWN.match(path) is not None
        at.tally.path_of("reads", value.word, value.index)
        if not plain:
            runs.code(At((value,), at.tally, at.name))


def jq_filter(at: At) -> None:
    """`import` and `include` read files from wherever their own words say."""
    if any(value.word is None or MODULES.search(value.word) for value in at.values):
        at.tally.unknown.append(f"{at.tally.program}: its filter may read other files")


def count(at: At) -> None:
    """What is no number is refused by some programs, and by others (ag, ack, BSD's grep) taken for their next word."""
    if any(value.word is not None and not value.word.isdigit() for value in at.values):
        at.tally.unknown.append(
            f"{at.tally.program}: what follows {at.name} is no number, and may be a word of its own"
        )


def kube_output(at: At) -> None:
    """`go-template-file=FILE`, `jsonpath-file=FILE`, `custom-columns-file=FILE`, `templatefile=FILE`."""
    for value in at.values:
        form, equals, path = (b"", b"", None) if value.word is None else value.word.partition(b"=")
        if value.word is None or (equals and form.endswith(b"file")):
            at.tally.path_of("reads", path, value.index)


def manifest(at: At) -> None:
    """A path; or a URL, or the address of a repository (`github.com/x/y`, `git@host:x`), which is fetched."""
    for value in at.values:
        word = value.word
        host = None if word is None else _HOST.match(word)
        if host is not None:
            at.tally.network.append(host[1])
            looks.asked(host[1], at.tally)
        elif word is None or _ADDRESS.match(word):
            at.tally.network.append(None)
        if word != b"-" and host is None:
            at.tally.path_of("reads", word, value.index)


def project_file(at: At) -> None:
    """The same, and what standard input holds names files whose contents are printed."""
    manifest(at)
    paths = [posixpath.normpath(b"/" + (value.word or b"").lstrip(b"/")) for value in at.values]
    if any(path.startswith((b"/dev/", b"/proc/", b"/-")) for path in paths):
        at.tally.unknown.append(f"{at.tally.program}: its project is on standard input")


def netdev(at: At) -> None:
    """A .netdev file may hold the private key of a tunnel; `@INTERFACE:netdev` is one too."""
    for value in at.values:
        if value.word is None or re.search(rb"\.netdev|:(?:netdev|all)\Z", value.word):
            at.tally.categories.add("credential-access")
            at.tally.techniques.add("T1552.004")


def resource(at: At) -> None:
    """`pods,secrets`, `Secret/x`, `secrets.v1.`: kinds of things in a cluster, of which secrets are told."""
    for value in at.values:
        kinds = re.split(rb"[,/]", b"" if value.word is None else value.word.lower())
        if not _SECRETS.isdisjoint(kind.partition(b".")[0] for kind in kinds):
            at.tally.categories.add("credential-access")
            at.tally.techniques.add("T1552.007")


def ps_columns(at: At) -> None:
    """`environ` is a column of ps: what /proc/PID/environ holds."""
    if any(value.word is not None and b"environ" in value.word.lower() for value in at.values):
        at.tally.categories.add("credential-access")
        at.tally.techniques.add("T1003.007")


def database(at: At) -> None:
    """A database by its name; or a URI or settings of a connection, which may be to any machine."""
    for value in at.values:
        if value.word is None or b"://" in value.word or b"=" in value.word:
            at.tally.network.append(None)


def user_at(at: At) -> None:
    """A user of this machine, or USER@HOST, for which that host is asked."""
    for value in at.values:
        if value.word is None or b"@" in value.word:
            at.tally.network.append(None if value.word is None else value.word.rpartition(b"@")[2])


def plugin(at: At) -> None:
    """A library that is loaded, which runs its code."""
    runs.code(at)


def git_format(at: At) -> None:
    """How git prints: signatures are checked by a program that settings of the repository may name, and so may a format
    that has a name."""
    for value in at.values:
        own = value.word is not None and (b"%" in value.word or b":" in value.word or _FORMATS.match(value.word))
        if value.word is None or not own or _SIGNED.search(value.word):
            runs.code(at)


def write_out(at: At) -> None:
    """What curl prints at its end: `%output{FILE}` writes, `@FILE` is a text of that kind."""
    for value in at.values:
        if value.word is None or value.word.startswith(b"@") or b"%output" in value.word:
            at.tally.unknown.append(f"{at.tally.program}: {at.name} may write files")
        if value.word is None or value.word.startswith(b"@"):
            at.tally.path_of("reads", None if value.word is None else value.word[1:], value.index)


def page(at: At) -> None:
    """A name, or with a slash in it a file, whose own text may say that another is to be read there (`.so`)."""
    for value in at.values:
        if value.word is not None and b"/" not in value.word and not at.name.startswith("-"):
            continue
        at.tally.path_of("reads", value.word, value.index)
        path = at.tally.path(value.word)
        if path is None or posixpath.normpath(path) != path or not _MANUALS.match(path):
            at.tally.unknown.append(f"{at.tally.program}: a page whose text may name other files")


def plain_word(at: At) -> None:
    """A word that is joined to others, and read as a language: only these signs are surely no more than that."""
    if any(value.word is None or not re.fullmatch(rb"[\w.:/-]*", value.word) for value in at.values):
        at.tally.unknown.append(f"{at.tally.program}: a word that may say more than it seems to")


def apart(at: At) -> None:
    """The value of a letter, which is always the next word: what is joined to the letter is further letters."""
    if any(value.prefix and not at.name.startswith("--") for value in at.values):
        at.tally.unknown.append(f"{at.tally.program}: what follows {at.name} may be further options")


def tracing(at: At) -> None:
    """`trace=open,read`, or the calls alone. `inject=` and `fault=` put other results, and other words, into the traced
    program's calls: it does not do what its own words say."""
    if any(value.word is None or not _TRACED.match(value.word) for value in at.values):
        runs.code(at)
