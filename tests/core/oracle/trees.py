"""Trees of the intermediate form: whatever the reader could have built, and the printer must have a text for."""

from __future__ import annotations

from hypothesis import strategies as st

from bastion.analysis import tree

_NAMES = st.sampled_from([b"x", b"y_1", b"i"])
_LITERALS = st.one_of(
    st.sampled_from(
        [
            b"a",
            b"-n",
            b"if",
            b"a b",
            b"'",
            b"*",
            b"$x",
            b"~",
            b"a=b",
            b"#",
            b"{a,b}",
            b"\\",
            b"\n",
            b"EOF\nq",
            b"!",
            b"]]",
            b"\xc3\xa9",
        ]
    ),
    st.text("ab '\"\\$`*?[]{}();&|<>#~=\n", min_size=1, max_size=6).map(str.encode),
)
_INNER = st.sampled_from(
    [
        b"x",
        b"1",
        b"@",
        b"#",
        b"?",
        b"$",
        b"#x",
        b"x:-d",
        b"x%.*",
        b"x##*/",
        b"x/a/b",
        b"x:1:2",
        b"a[@]",
        b"a[0]",
        b"x^^",
    ]
)
_GLOBS = st.sampled_from([b"*", b"?", b"[ab]", b"[!a-c]", b"[[:alpha:]]"]).map(tree.Glob)
_USERS = st.sampled_from([b"", b"root"])
_OPERATORS = st.sampled_from([b">", b">>", b"<", b">|", b"<<<", b"<<<"])
_DESCRIPTORS = st.sampled_from([b"", b"0", b"2", b"13"])


def _literal() -> st.SearchStrategy[tree.Part]:
    return _LITERALS.map(tree.Literal)


def _joined(parts: list[tree.Part]) -> tree.Word:
    """Neighbouring literals are one, as the reader builds them."""
    made: list[tree.Part] = []
    for part in parts:
        if made and isinstance(part, tree.Literal) and isinstance(made[-1], tree.Literal):
            made[-1] = tree.Literal(made[-1].value + part.value)
        else:
            made.append(part)
    return tree.Word(tuple(made))


def words(scripts: st.SearchStrategy[tree.Script] | None, globs: bool = True) -> st.SearchStrategy[tree.Word]:
    """Words; with substitutions where `scripts` are given."""
    parts: list[st.SearchStrategy[tree.Part]] = [
        _literal(),
        st.builds(tree.Parameter, _INNER, st.booleans()),
        st.builds(tree.Arithmetic, st.sampled_from([b"1+2", b"$# * (2)", b"1"]), st.booleans()),
    ]
    if globs:
        parts.append(_GLOBS)
    if scripts is not None:
        parts.append(st.builds(tree.Substitution, scripts, st.booleans()))
        parts.append(st.builds(tree.Process, st.sampled_from([b"<", b">"]), scripts))
    plain = st.lists(st.one_of(parts), min_size=1, max_size=3).map(_joined)
    tildes = st.builds(
        lambda user, rest: tree.Word((tree.Tilde(user), *((tree.Literal(b"/" + rest),) if rest else ()))),
        _USERS,
        st.sampled_from([b"", b"a", b"a b", b"'"]),
    )
    empty = st.just(tree.Word((tree.Literal(b""),)))
    return st.one_of(plain, plain, plain, tildes, empty) if globs else st.one_of(plain, empty)


def redirections(word: st.SearchStrategy[tree.Word]) -> st.SearchStrategy[tuple[tree.Redirection, ...]]:
    files = st.builds(tree.Redirection, _DESCRIPTORS, _OPERATORS, word)
    duplicates = st.builds(
        tree.Redirection,
        _DESCRIPTORS,
        st.sampled_from([b">&", b"<&"]),
        st.sampled_from([b"1", b"2", b"-"]).map(lambda target: tree.Word((tree.Literal(target),))),
    )
    return st.lists(st.one_of(files, duplicates), max_size=2).map(tuple)


def _simple(scripts: st.SearchStrategy[tree.Script] | None) -> st.SearchStrategy[tree.Simple]:
    heads = st.sampled_from([b"p", b"q", b"if", b"a b", b"time", b"[[", b"x=1"]).map(
        lambda name: tree.Word((tree.Literal(name),))
    )
    assignments = st.builds(
        tree.Assignment, _NAMES, st.booleans(), st.none() | words(scripts, globs=False), st.none()
    ) | st.builds(tree.Assignment, _NAMES, st.booleans(), st.none(), st.lists(_array_words(), max_size=2).map(tuple))
    return st.builds(
        lambda head, rest, given, opened: tree.Simple((head, *rest), tuple(given), opened),
        heads,
        st.lists(words(scripts), max_size=3),
        st.lists(assignments, max_size=2),
        redirections(words(None)),
    )


def _array_words() -> st.SearchStrategy[tree.Word]:
    return words(None).filter(
        lambda word: (
            not (isinstance(word.parts[0], tree.Literal) and word.parts[0].value.startswith(b"["))
            and not isinstance(word.parts[0], tree.Glob)
        )
    )


def _pipelines(commands: st.SearchStrategy[tree.Command]) -> st.SearchStrategy[tree.Pipeline]:
    def timed(parts: tuple[list[tree.Command], bool, tuple[bytes, ...]]) -> tree.Pipeline:
        listed, negated, words_of_time = parts
        simple = isinstance(listed[0], tree.Simple) and not listed[0].assignments
        return tree.Pipeline(tuple(listed), negated and not words_of_time, words_of_time if simple else ())

    times = st.sampled_from([(), (), (), (b"time",), (b"time", b"-p")])
    return st.tuples(st.lists(commands, min_size=1, max_size=3), st.booleans(), times).map(timed)


def _scripts(commands: st.SearchStrategy[tree.Command]) -> st.SearchStrategy[tree.Script]:
    pipelines = _pipelines(commands)
    rest = st.lists(st.tuples(st.sampled_from([b"&&", b"||"]), pipelines), max_size=2).map(tuple)
    items = st.builds(tree.AndOr, pipelines, rest, st.booleans())
    return st.lists(items, min_size=1, max_size=3).map(lambda found: tree.Script(tuple(found)))


def _compound(scripts: st.SearchStrategy[tree.Script]) -> st.SearchStrategy[tree.Command]:
    opened = redirections(words(None))
    groups = st.builds(tree.Group, scripts, opened)
    return st.one_of(
        groups,
        st.builds(tree.Subshell, scripts, opened),
        st.builds(
            tree.If,
            st.lists(st.tuples(scripts, scripts), min_size=1, max_size=2).map(tuple),
            st.none() | scripts,
            opened,
        ),
        st.builds(tree.For, _NAMES, st.lists(words(scripts), max_size=2).map(tuple), scripts, st.booleans(), opened),
        st.builds(tree.While, scripts, scripts, st.booleans(), opened),
        st.builds(
            tree.Case,
            words(None, globs=False),
            st.lists(
                st.tuples(
                    st.lists(
                        words(None).filter(lambda word: not isinstance(word.parts[0], tree.Tilde)),
                        min_size=1,
                        max_size=2,
                    ).map(tuple),
                    scripts,
                    st.sampled_from([b";;", b";&"]),
                ),
                max_size=2,
            ).map(tuple),
            opened,
        ),
        st.builds(tree.Function, st.sampled_from([b"f", b"ls"]), groups),
        st.builds(
            tree.Declaration,
            st.sampled_from([b"export", b"local", b"declare"]),
            st.just(()),
            st.lists(
                st.one_of(
                    _NAMES, st.builds(tree.Assignment, _NAMES, st.just(False), words(scripts, globs=False), st.none())
                ),
                max_size=2,
            ).map(tuple),
            opened,
        ),
    )


flat = _scripts(_simple(None))
scripts = st.recursive(flat, lambda inner: _scripts(st.one_of(_simple(inner), _compound(inner))), max_leaves=4)
"""Scripts of any shape."""
