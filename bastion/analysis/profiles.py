"""Program profiles: what a program can do with its arguments, by the data in the folders of programs/.

The package `profile` has the language of that data, and reads it; here is the one question that the analysis asks.

Limits: a program that no profile names is not known, and nothing is claimed of it. A profile is about the program of
that name; a copy of it under another name is for the allow rules' strict reading of names to stop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from bastion.analysis.profile import judge, loader
from bastion.analysis.profile.acts import Acts, Nested, Word
from bastion.analysis.profile.categories import CATEGORIES

__all__ = ["CATEGORIES", "Acts", "Nested", "acts"]


def acts(
    argv: Sequence[Word],
    stdin: bytes | None = None,
    terminal: bool = False,
    *,
    more: bool = False,
    single: frozenset[int] = frozenset(),
    plain: frozenset[int] = frozenset(),
    globs: frozenset[int] = frozenset(),
    folder: bytes | None = b"",
    outlines: Mapping[int, bytes] = MappingProxyType({}),
    piped: bool = False,
    visited: Sequence[bytes] = (),
    home: bool = False,
) -> Acts:
    """What this command does, by the shipped profiles. Never raises, for any argv; a program without a profile is not
    `known`.

    `stdin` is literal standard input where it is known, `terminal` whether there is one, `more` whether any number of
    unknown words follow, `single` the indices of unknown words that are exactly one word, because they were quoted,
    `plain` of those that are no option either (Nested.single and Nested.plain say so of its words), `globs` of those
    that may become several words which all fit. `folder` is the directory in which it runs (Nested.folder), None for
    one that is not known. `outlines` are of unknown words, by index (profile/outlines.py); `visited` are other
    folders to which paths may be relative, `piped` whether another program writes its standard input, `home` whether it
    may run in the home directory in which the text begins.
    """
    return judge.acts(
        loader.shipped(), argv, stdin, terminal, more, single, plain, folder, globs, outlines, piped, visited, home
    )
