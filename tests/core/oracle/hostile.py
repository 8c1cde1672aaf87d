"""Texts made to keep an analysis busy: what was worst in a long hunt over repeated fragments, at the size of the bound.

Each comes with what made it slow once; all are short of a bound, or the first past one.
"""

from __future__ import annotations

from collections.abc import Callable

from bastion.analysis.guards import MAX_TEXT


def _filled(unit: str, start: str = "", most: int = MAX_TEXT) -> bytes:
    """`unit` again and again after `start`, as often as there is room, or `most` times."""
    return (start + unit * min(most, (MAX_TEXT - len(start)) // len(unit))).encode()


def _then(start: bytes, tail: bytes) -> bytes:
    return (start + tail * MAX_TEXT)[:MAX_TEXT]


def _quote(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _tower(wrap: Callable[[str], str], inner: str, most: int) -> bytes:
    """`inner` wrapped as often as there is room in `most` bytes."""
    while len((wrapped := wrap(inner)).encode()) <= most:
        inner = wrapped
    return inner.encode()


TEXTS: dict[str, bytes] = {
    # the parser
    "arrays": _filled("a=("),
    "pipes": _filled("a|", "ls ", 400),
    "case patterns": _filled("a) ", "case x in ", 190),
    "subscript, pattern or test": _filled("[a-=for i in a;do b;done;"),
    "tests after a redirection": _then(b"[[ 1> ", b"$a "),
    "tests and arrays": _then(b"[[ " + b"a=(b) *" * 95, b"xxxxxxxx "),
    "an error and many statements": _then(b"[[ " + b"! a\\\n" * 45, b"a;"),
    "an error and many lines": _then(b"[[ " + b"==`a`" * 190, b"\na"),
    "patterns in a case": _filled("export a=b;sed -e s/a/b/ [a]for a;do ", "case a in "),
    "extended patterns": _filled("2>&1 ?(-a ", "", 190),
    # the reader, the walk and the printer
    "adjacent quotes": _filled("'a'"),
    "adjacent braces": _filled("{a,b}", "echo "),
    "words": _filled("a ", "ls "),
    "words that are quoted": _filled("'a' ", "ls "),
    "unknown words": _filled('"$a" ', "ls ", 400),
    "tildes": _filled("~ ", "ls "),
    "globs": _filled("a* ", "ls "),
    "redirections": _filled("> a "),
    "assignments": _filled("a=b "),
    "here-documents": _filled("cat <<a\nb\na\n"),
    "substitutions": _filled("$(a) ", "echo "),
    "backticks": _filled("`a` ", "echo "),
    # profiles
    "paths": _filled("rm a "),
    "bundles": _filled("tar cf a "),
    "folders": _filled("grep -r a /etc "),
    "changes of folder": _filled("cd $a;"),
    "copies": _filled("cp -r a /etc;"),
    "a path of one name": b"cat " + b".mozilla/" * 900,
    "a path that repeats": b"cat " + (b".mozilla/" * 450 + b" ") * 2,
    "a name that repeats": b"cat " + b"key" * 2700,
    "finds": _filled("find . -exec ls {} \\; "),
    "wrappers": _filled("sudo "),
    "xargs": _filled("xargs "),
    # sed and awk
    "brackets of sed": b"sed 's/" + b"[:" * 395 + b"a" * 7300 + b"/b/'",
    "brackets of sed that close": b"sed 's/" + b"[[:a:]" * 1300 + b"]/b/'",
    "labels of sed": b"sed '" + b"b;" * 4000 + b"'",
    "slashes of awk": b"awk '" + b"]/" * 4000 + b"'",
    "slashes of awk, twice": b"cd a; awk '" + b"]/" * 4000 + b"'",
    "regular expressions of awk": b"awk '" + b"/a/\n" * 2000 + b"'",
    # texts inside the text
    "texts for shells": _filled("bash -c ls;"),
    "evals": _filled("eval 'a;b;c';"),
    "SQL": _filled("psql -c 'select 1';"),
    "scripts by standard input": _filled("bash<<<'a;a;a';"),
    "a tower of shells": _tower(lambda text: f"bash -c {_quote(text)}", "ls -l /x;" * 200, MAX_TEXT),
    "a tower of here-strings": _tower(lambda text: f"bash <<< {_quote(text)}", "ls -l /x;" * 200, 3000),
    "a tower of here-documents": _tower(
        lambda text: f"bash <<'E{len(text)}'\n{text}\nE{len(text)}", "a|" * 120 + "a", 1001
    ),
    "a tower of evals": _tower(lambda text: f"eval {_quote(text)}", "find . -exec ls {} \\; " * 80, MAX_TEXT),
    "a tower of finds": _tower(lambda text: f"find . -exec {text} \\;", "find . -exec ls {} \\; " * 80, MAX_TEXT),
    "a tower of xargs": _tower(lambda text: f"xargs -n1 {text}", "rm a " * 300, MAX_TEXT),
    "a tower of substitutions": _tower(lambda text: f"echo $({text})", "ls;" * 50, MAX_TEXT),
    "a tower of functions": _tower(lambda text: f"f() {{ {text}; }}", "ls;ls" * 50, MAX_TEXT),
}
