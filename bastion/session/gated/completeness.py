"""Whether a typed text is a whole command yet, and a script cut into whole commands.

An interactive shell reads on while something is open: a quote, `$(`, a here-document, `if`, a trailing `|`. The lexer
here answers that for the bastion's own line editor and for scripts that come on standard input.

A wrong answer costs convenience and never more: what is whole goes to the judge as it is, who reads it with a parser of
his own and refuses what does not parse; what is open waits for one more line. Nothing is run on this answer.

Limits: text of more than MAX_OPEN characters, or deeper than MAX_LEVELS, is given out as whole. Aliases that open
something, `shopt -s extglob` and a here-document's mark with a newline in it are not known.
"""

from __future__ import annotations

from bastion.session.gated.lexer import Lexer

MAX_OPEN = 8 * 1024
"""Characters of one command: the judge reads no longer text (analysis/guards.py)."""


def more(text: str, shell: str) -> str | None:
    """What is still open at the end of `text`, for the continuation prompt (`quote`, `if`, `|`, `E` of `<<E`, …), or
    None when it is whole or can not become so by another line. `shell`: `bash`, or any other name for a POSIX sh."""
    if len(text) > MAX_OPEN:
        return None
    return Lexer(text, bash=shell == "bash").read().open


def first(text: str, shell: str) -> tuple[int, str | None] | None:
    """Where the first piece of `text` ends, and its whole command as it came but for its last newline (None for blank
    lines and comments); None when it has not ended: no newline yet, or something is open.

    What an interactive shell would read at once is one command: `a; b` on a line is. What is open for more than
    MAX_OPEN characters comes out in pieces of MAX_OPEN + 1, which the judge refuses; whoever cuts stops at a refusal.
    """
    if not text:
        return None
    window = text[: MAX_OPEN + 1]
    lexer = Lexer(window, bash=shell == "bash", one=True).read()
    ends = lexer.line_end
    if ends is None:
        if len(window) <= MAX_OPEN:
            return None
        ends = len(window)
    return ends, None if lexer.empty else text[:ends].removesuffix("\n")
