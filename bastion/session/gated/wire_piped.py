"""What is written to a shell without a terminal: it is set up, then one judged command at a time as a unit.

The account's login shell was started as sshd starts it for `ssh host < script`, and reads its commands from the
channel's standard input. Nothing of the client's goes there as it came: a unit is a line as wire.py has it, whose text
is written as escapes, so what is left of one of which a part was lost runs a whole judged unit or nothing.

    setup     one line; it tells marker number 0 and reads the first unit itself, so that this is in its first line
    unit      `\\__bastion NUMBER LENGTH CODE NUMBER; \\eval $__bastion_eval`, then its marker
    leave     the end of the input, after a line with the status of the last command

A unit's standard input is /dev/null: no program eats the commands that follow, and none waits for them. The shell is
not interactive, so what ends a plain one (`set -e`, an unset variable with `set -u`, an error of a special builtin)
ends this one. The line numbers that it names are those of the client's script.

Markers go to a copy of standard output that no unit and no program has (each unit closes it for itself, and the shell's
own copy is closed on exec), so they outlast `exec > file`. Their prompt is empty.

Limits: bash 4.4 or newer. Who may write as root can write into the shell's input by /proc/PID/fd, so rules must not let
a command write there; for all others its mode is taken away. That copy is descriptor 250 in bash and 8 elsewhere: a
script that opens the same one for later lines (`exec 8> file`) loses it with the line. A background subshell of the
shell itself holds the copy, so the channel stays open until it ends. `$_` and PIPESTATUS do not outlast their line;
`set -x`, `set -v` and a DEBUG trap see the units; error messages of dash and ash begin with `eval`. `exec < file` ends
with its line.
"""

from __future__ import annotations

from bastion.analysis.printer import quote
from bastion.session.gated.boot import BEL, OSC, Kind, check
from bastion.session.gated.wire import DECODING, encoded, evaluated

MAX_LINE = 16 * 1024
"""The last line of a script whose number the shell is told."""
LEAVE = b"\\__bastion && :\n"
"""The status of the last command once more, before the end of the input. No error: it trips neither `set -e` nor a trap
on ERR."""


def setup(kind: Kind, nonce: str) -> bytes:
    """What is written first, once. Prompt marker number 0 is told, or `refused`, and the shell ends with 125."""
    begin = OSC + check(nonce) + b";"
    script = _SETUP[kind].replace(b"BEGIN", begin).replace(b"BEL", BEL)
    return b"__bastion_status=$?; " + evaluated(script).removesuffix(b"\n") + b"; " + _ONE_LINE + b"\n"


def unit(kind: Kind, number: int, line: int, runs: bytes) -> bytes:
    """One judged command: its printed text `runs`, which began in `line` of the script, as unit `number` (1 to
    MAX_NUMBER, each one above the last one's). The caller sends it after the marker before. Raises NotAUnit."""
    # Bash is in its line `number` then, and goes on counting in the eval; the others begin anew.
    above = min(line, MAX_LINE) - (number if kind is Kind.BASH else 1)
    return encoded(kind, number, runs, b"\n" * max(above, 0), b"\n\\__bastion_keep")


_OUT = {Kind.BASH: b"250", Kind.POSIX: b"8"}
_PRINT = {Kind.BASH: b"\\builtin printf", Kind.POSIX: b"\\unset -f printf; printf"}
_FIRST = {
    Kind.BASH: rb"""
case $BASH_VERSION in [1-3].* | 4.[0-3].*) __bastion_refuse "bash is older than 4.4" ;; esac
unset -f builtin eval exit return
unalias eval __bastion __bastion_keep __bastion_mark 2> /dev/null
""",
    Kind.POSIX: rb"""
[ -z "$BASH_VERSION" ] || __bastion_refuse "sh is bash here: the account's shell should be told as bash"
unalias __bastion __bastion_keep __bastion_mark 2> /dev/null
""",
}
_LAST = {Kind.BASH: b"readonly -f __bastion __bastion_keep __bastion_mark", Kind.POSIX: b":"}

# By the branch it takes, `if` hands on the status of the last command, and `__bastion_keep` at the end of each unit
# keeps its status: neither is an error of the eval's own, for `set -e` or a trap on ERR.
_EVAL = rb"""
if \__bastion; then UNIT; else UNIT; fi; \__bastion_mark
""".replace(b"UNIT", rb"""'eval' "$__bastion_unit" < /dev/null OUT>&-""")

_READ = rb"""
if IFS=" " \read __bastion_unit __bastion_a __bastion_b __bastion_c __bastion_d; then
__bastion_d=${__bastion_d%%;*};
\__bastion "$__bastion_a" "$__bastion_b" "$__bastion_c" "$__bastion_d"; \eval $__bastion_eval;
else \__bastion; fi
"""

_SCRIPT = rb"""
__bastion_refuse() { printf 'BEGINrefused;%sBEL' "$1"; exit 125; }
FIRST
set +v +x
chmod 000 /proc/self/fd/0 2> /dev/null
exec OUT>&1
__bastion() {
    case $#:${1-} in
    4:*)
        __bastion_unit=
        case $1:$2 in
        "$4:$((10000000 + ${#3}))")
            __bastion_n=$1 __bastion_new=1 __bastion_kept=
            __bastion_ifs=${IFS-} __bastion_has=${IFS+x} IFS=" "
            DECODING
            ;;
        esac
        return 0
        ;;
    0:*) [ -z "${__bastion_has-x}" ] && \unset IFS || IFS=${__bastion_ifs-$IFS} ;;
    esac
    return "$__bastion_status"
}
__bastion_keep() { __bastion_status=$? __bastion_kept=1; }
__bastion_mark() {
    case $__bastion_kept in '') __bastion_status=$? ;; esac
    __bastion_unit=
    case $__bastion_new in '') \exit 125 ;; esac
    __bastion_new=
    PRINT "BEGINprompt;%s;%sBEL%sBEGINatBELBEGINendBEL" "$__bastion_n" "$__bastion_status" "${PWD-}" >&OUT
    return 0
}
__bastion_n=0 __bastion_new=1 __bastion_kept=1 __bastion_eval=TEXT
LAST
readonly __bastion_eval
unset -f __bastion_refuse
\__bastion_mark
"""


def _script(kind: Kind) -> bytes:
    text = _SCRIPT.replace(b"TEXT", quote(_EVAL.strip()))
    parts = {b"FIRST": _FIRST, b"LAST": _LAST, b"DECODING": DECODING, b"PRINT": _PRINT, b"OUT": _OUT}
    for name, by_kind in parts.items():
        text = text.replace(name, by_kind[kind].strip())
    return text


_ONE_LINE = _READ.strip().replace(b"\n", b" ")
_SETUP = {kind: _script(kind) for kind in Kind}
