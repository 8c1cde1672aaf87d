"""sqlglot's parsers, held to a number of steps.

A parser that tries one reading and then another takes exponential time on some texts (`date (date (date (…` of 100
bytes took minutes). Steps are counted rather than timed, so that the same text has the same answer always.

Limits: a step's own cost is the library's; the bound was measured, see tests/core/test_sql_bounds.py.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError
from sqlglot.parser import Parser

# It logs the text that it can not parse, and that text may hold a password.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL + 1)

STEPS_FREE = 60
STEPS_PER_TOKEN = 4
"""Statements of people take about two steps a token."""


class NotParsed(Exception):
    """The text is not of this grammar, or takes too long to read. Has no message: the parser's own quote the text."""


class _TooManySteps(Exception):
    pass


@cache
def _parser_of(grammar: str) -> Callable[[Dialect, int], Parser]:
    base = Dialect.get_or_raise(grammar).parser_class

    class Counted(base):  # type: ignore[misc, valid-type]  # the base is chosen at run time
        def __init__(self, dialect: Dialect, steps: int) -> None:
            self.steps = steps
            super().__init__(dialect=dialect)

        def _advance(self, times: int = 1) -> None:
            self.steps -= 1
            if self.steps < 0:
                raise _TooManySteps
            super()._advance(times)

    return Counted


def parse(text: str, grammar: str) -> exp.Expr:
    """The tree of the one statement in `text`. Raises NotParsed."""
    dialect = Dialect.get_or_raise(grammar)
    try:
        tokens = dialect.tokenize(text)
        parser = _parser_of(grammar)(dialect, STEPS_FREE + STEPS_PER_TOKEN * len(tokens))
        trees = parser.parse(tokens, text)
    except (SqlglotError, _TooManySteps, RecursionError, ValueError, TypeError, AttributeError, LookupError):
        # All but the first three are what such a parser throws at text that its authors did not think of.
        raise NotParsed from None
    if len(trees) != 1 or trees[0] is None:
        raise NotParsed
    return trees[0]
