"""What is written into the command channel: the shell is set up, then one judged command at a time as a unit.

A unit is one line: `__bastion NUMBER LENGTH CODE NUMBER; eval $__bastion_eval`, which is `eval "$__bastion_unit"`.
CODE is the printed text with every byte written as an escape, so nothing of the client's can be read as a word, a quote
or a newline, and a text that does not parse fails alone, in the eval. The function `__bastion` decodes CODE only when
its four words fit together. So whatever part of the stream the shell does not get to see (something else has read it,
or an interrupt made the shell throw away what it had buffered), what is left runs a whole judged unit or nothing:
digits that name no program. A quoted text would not do: without its beginning its literals are commands.

The printed text quotes every literal word, so aliases and keywords never apply to it.

In bash the command channel is the shell's standard input, and `<> terminal` gives each unit the terminal for its own.
Bash keeps the channel meanwhile on a descriptor from 10 on; `exec 10<&-` would make it read the terminal next. So
`__bastion_prompt` looks before every command that is read: when standard input is no longer what the feeder writes
to, the shell ends. It hangs on PROMPT_COMMAND, which is read-only from then on; what the start-up files put there goes
on being run by it. The prompt is what PS1 makes of itself, between the marks of markers.py.

In dash and ash the shell keeps the channel to itself, and PS1 (dash) or a line after the unit (ash, which prints no
PS1 when its input is no terminal) is the marker. An interrupt or an error makes ash throw that line away: ask `again`.

Limits: bash 4.4 or newer. `__bastion…` is reserved: a unit that says it is not built. What redirects the shell's own
standard error away (`exec 2> file`) loses the prompt, as in every shell, and the session stays in the running state. A
unit's `exec < file` ends with the unit in bash. `set -v` and `set -x` show the units. A trap or PROMPT_COMMAND that
reads its standard input in bash reads the command channel: it waits for ever, or takes a unit, which then does not run.
"""

from __future__ import annotations

import re

from bastion.analysis.printer import quote
from bastion.errors import Denied
from bastion.session.gated.boot import BEL, OSC, Kind, check
from bastion.session.gated.markers import MAX_NUMBER

RESERVED = re.compile(rb"__b|(?<![A-Za-z0-9_])__(?![A-Za-z0-9_])")
"""The names by which the shell holds its end of the protocol, and what is left of one whose end was lost."""


class NotAUnit(Denied):
    """A text that can not be sent: it holds a NUL, or names what is RESERVED."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"it can not be sent to the shell: {reason}", rule="gated-shell")


def setup(kind: Kind, nonce: str) -> bytes:
    """What is written first, once. The start-up files are read, then the prompt marker number 0 is told; or `refused`,
    and the shell ends with 125."""
    begin = OSC + check(nonce) + b";"
    script = _SETUP[kind].replace(b"BEGIN", begin).replace(b"BEL", BEL)
    # One line: dash shows PS2 for each further one.
    return _QUIET[kind] + evaluated(script) + _TAIL[kind].replace(b"NUMBER", b"0")


def unit(kind: Kind, number: int, runs: bytes) -> bytes:
    """One judged command: its printed text `runs`, as unit `number` (1 to MAX_NUMBER, no two alike).

    The caller sends it after the marker of the unit before and not earlier. Raises NotAUnit.
    """
    return encoded(kind, number, runs, b"__bastion\n") + _TAIL[kind].replace(b"NUMBER", b"%d" % number)


def encoded(kind: Kind, number: int, runs: bytes, before: bytes, after: bytes = b"") -> bytes:
    """The line that runs the printed text `runs` between two constants of ours. Raises NotAUnit."""
    if not 0 < number <= MAX_NUMBER:
        raise ValueError("a unit's number is above 0")
    if b"\0" in runs or RESERVED.search(runs):
        raise NotAUnit("a NUL" if b"\0" in runs else "names that begin with __b are the bastion's own")
    code = b"".join(_ESCAPED[kind][byte] for byte in before + runs + after)
    length = b"%d" % (_LENGTH_BASE + len(code) - code.count(b"\\\\"))
    return b"\\__bastion %d %s %s %d; \\eval $__bastion_eval\n" % (number, length, code, number)


def evaluated(script: bytes) -> bytes:
    """A line that runs a script of ours."""
    return b'eval "$(printf %b ' + b"".join(_ESCAPED[Kind.POSIX][byte] for byte in script) + b')"\n'


def again(number: int) -> bytes:
    """Asks for the marker of unit `number` once more; it is told when the shell reads commands again, so it may be sent
    while the unit runs. Its status is 125 where the unit never began."""
    if not 0 <= number <= MAX_NUMBER:
        raise ValueError("a unit's number is not below 0")
    return b"\\__bastion %d\n" % number


_LENGTH_BASE = 10_000_000
"""Added to the length of CODE: a number from which a digit was lost is too small for any length."""

# A backslash is written twice: the shell takes one away as it reads the line.
_ESCAPED = {
    Kind.BASH: [b"\\\\x%02x" % byte for byte in range(256)],
    Kind.POSIX: [b"\\\\0%03o" % byte for byte in range(256)],
}
# What the line's `eval $__bastion_eval` becomes. The line itself has no quotes: one that was left over would turn
# inside out all that comes after it. `__bastion` sets IFS aside until the unit begins, so that this stays what it is.
_EVAL = {
    Kind.BASH: b"""'eval' "$__bastion_unit" <> "$__bastion_tty\"""",
    Kind.POSIX: b"""'command' 'eval' "$__bastion_unit\"""",  # by `command` an error ends the eval and not what is read
}
_TAIL = {Kind.BASH: b"", Kind.POSIX: b"\\__bastion NUMBER\n"}

_QUIET = {
    # The feeder's own line, already there, is the only other one that bash's history could hold.
    Kind.BASH: b"set +o history +H\n",
    Kind.POSIX: b"",
}

DECODING = {
    Kind.BASH: b"__bastion_unit=${3@E}",
    # A function called printf would make other text of it; none can be called `unset`, which is a special builtin.
    Kind.POSIX: b'\\unset -f printf; __bastion_unit=$(printf %b "$3")',
}
"""How the code of a unit becomes its text."""

_PARTS = {
    Kind.BASH: {
        b"DECODING": DECODING[Kind.BASH],
        b"RESTORE": b"PS1=$__bastion_ps1 __bastion_blank=",
        b"SHOW": b":",
    },
    Kind.POSIX: {
        b"DECODING": DECODING[Kind.POSIX],
        b"RESTORE": b":",
        b"SHOW": b"__bastion_show",
    },
}

_GATE = rb"""
__bastion() {
    __bastion_status=$?
    __bastion_unit=
    case $#:${1-} in
    4:*)
        # Looked at in here alone: with `set -u` a word that is missing is an error, and the unit would not run.
        case $1:$2 in
        "$4:$((10000000 + ${#3}))")
            __bastion_n=$1
            __bastion_ifs=${IFS-} __bastion_has=${IFS+x} IFS=" "
            DECODING
            RESTORE
            ;;
        esac
        ;;
    0:*) [ -z "${__bastion_has-}" ] && \unset IFS || IFS=$__bastion_ifs ;;
    1:*) [ "$1" = "$__bastion_n" ] || __bastion_status=125; __bastion_n=$1; SHOW ;;
    esac
    return "$__bastion_status"
}
"""

_REFUSE = rb"""
__bastion_refuse() { printf 'BEGINrefused;%sBEL' "$1"; exit 125; }
"""

_BASH = rb"""
case $BASH_VERSION in [1-3].* | 4.[0-3].*) __bastion_refuse "bash is older than 4.4" ;; esac
[[ /proc/self/fd/0 -ef /proc/$__bastion_feeder/fd/1 ]] || __bastion_refuse "/proc does not show the feeder"
chmod 000 /proc/self/fd/0
__bastion_tty=$(tty <&2) || __bastion_tty=/dev/tty
export -n PS1 PS2
PS1="\\s-\\v\\\$ " PS2="> "
[[ ! -r /etc/profile ]] || . /etc/profile <> "$__bastion_tty"
for __bastion_unit in ~/.bash_profile ~/.bash_login ~/.profile; do
    [[ -r $__bastion_unit ]] && { . "$__bastion_unit" <> "$__bastion_tty"; break; }
done
set +o history +o histexpand +v +x
history -d $((HISTCMD - 1)) && history -d $((HISTCMD - 1))
unset HISTFILE MAILCHECK
unalias eval __bastion 2> /dev/null
unset -f builtin eval exit return
export -n PS1 PS2
GATE
__bastion_commands=("${PROMPT_COMMAND[@]}")
__bastion_prompt() {
    __bastion_status=$?
    local __bastion_command
    for __bastion_command in "${__bastion_commands[@]}"; do
        __bastion_return "$__bastion_status"
        \eval "$__bastion_command"
    done
    [[ -z ${PS1-} && $__bastion_blank ]] || __bastion_ps1=${PS1-} PS1= __bastion_blank=1
    while [[ ! /proc/self/fd/0 -ef /proc/$__bastion_feeder/fd/1 ]]; do \exit 125; done
    __bastion_return "$__bastion_status"
    \builtin printf "BEGINprompt;%s;%sBEL%sBEGINatBEL%sBEGINendBEL" \
        "$__bastion_n" "$?" "${PWD-}" "${__bastion_ps1@P}" > "$__bastion_tty"
}
__bastion_return() { return "$1"; }
unset PROMPT_COMMAND && PROMPT_COMMAND="\\__bastion_prompt" || __bastion_refuse "PROMPT_COMMAND is read-only"
__bastion_n=0 __bastion_eval=TEXT
readonly -f __bastion __bastion_prompt __bastion_return
readonly PROMPT_COMMAND __bastion_commands __bastion_feeder __bastion_tty __bastion_eval
unset -f __bastion_refuse
(exit 0)
"""

_PLAIN = rb"""
[ -z "$BASH_VERSION" ] || __bastion_refuse "sh is bash here: the account's shell should be told as bash"
chmod 000 /dev/fd/9
exec 9<&-
unset HISTFILE
unset -f __bastion_refuse
set +v +x
unset -f command
unalias command __bastion 2> /dev/null
__bastion_ps1=$PS1
case $PS1 in *[\\\"\`]*) __bastion_ps1="$(id -un)@$(uname -n):\$PWD\$ " ;; esac
unset PS1
PS1="BEGINprompt;\${__bastion_n};\$?BEL\${PWD-}BEGINatBEL${__bastion_ps1}BEGINendBEL"
__bastion_show() {
    \unset -f printf
    \eval "__bastion_unit=\"$__bastion_ps1\""
    printf "BEGINprompt;%s;%sBEL%sBEGINatBEL%sBEGINendBEL" \
        "$__bastion_n" "$__bastion_status" "${PWD-}" "$__bastion_unit"
    __bastion_unit=
}
GATE
__bastion_n=0 __bastion_eval=TEXT
readonly __bastion_eval
printf "\\r"
"""


def _script(kind: Kind, script: bytes) -> bytes:
    gate = _GATE.strip()
    for name, text in _PARTS[kind].items():
        gate = gate.replace(name, text)
    return _REFUSE + script.replace(b"GATE", gate).replace(b"TEXT", quote(_EVAL[kind]))


_SETUP = {Kind.BASH: _script(Kind.BASH, _BASH), Kind.POSIX: _script(Kind.POSIX, _PLAIN)}
