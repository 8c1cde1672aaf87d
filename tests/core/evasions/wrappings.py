"""Texts around a text. A wrapping that RUNS has the shell run what it is given; one that HIDES only looks like it.

`{t}` is the text as it is, `{q}` the text as one quoted word, `{b}` its base64, `{x}` its hexadecimal, `{r}` the text
backwards and quoted, `{e}` the text as it stands inside backticks, `{n}` a number.
"""

from __future__ import annotations

from random import Random

from tests.core.evasions.spellings import encoded, quoted

RUNS = tuple(
    form.replace("⏎", "\n")
    for form in r"""
{t}; echo a
echo a; {t}
ls && {t}
false || {t}
echo a | {t}
{t} | cat
{t} & wait
ls⏎{t}
ls⏎\{t}
ls # {q}⏎{t}
( {t} )
{{ {t}; }}
{{ {t}⏎}}
! {t}
time {t}
if {t}; then ls; fi
if ls; then {t}; else {t}; fi
while {t}; do break; done
until {t}; do break; done
for i in 1; do {t}; done
case x in x) {t};; esac
case $({t}) in x) ls;; esac
f() {{ {t}; }}; f
function f {{ {t}; }}; f
cat() {{ {t}; }}; cat
command_not_found_handle() {{ {t}; }}; zzz
echo $({t})
echo "$({t})"
echo `{e}`
echo "`{e}`"
cat <({t})
ls > >({t})
cat < <({t})
echo `ls` `{e}`
x=$({t})
x=$({t}); echo "$x"
export x=$({t})
ls "${{z:-$({t})}}"
echo ${{z:=`{e}`}}
x=abc; echo ${{x/$({t})/b}}
x=abc; echo ${{x:$({t})0}}
echo $(( $({t}) + 1 ))
echo $((a[$({t})]))
echo $[$({t})0]
(( a[$({t})]=1 ))
[[ -n $({t}) ]]
[[ 'a[$({t})]' -eq 0 ]]
[[ x =~ $({t}) ]]
[ -n "$({t})" ]
a=1; test -v 'a[$({t})]'
printf -v 'a[$({t})]' x
read 'a[$({t})]' <<< x
a=1; unset 'a[$({t})]'
let 'a[$({t})]=1'
declare -a x='($({t}))'
x=(); declare x='($({t}))'
readonly -a x='($({t}))'
f() {{ local -a x='($({t}))'; }}; f
y='($({t}))'; x=(); declare x=$y
read -a x <<< a; typeset x='($({t}))'
hash -r -p "$(command -v sh)" zz; zz -c {q}
set -- {q}; sh -c "$1"
f() {{ "$@"; }}; f sh -c {q}
f() {{ env "$@"; }}; f sh -c {q}
echo {q} > g; env ENV=g sh -c "$(cat g)"
exec 3<<< {q}; . /dev/fd/3
exec 3< <(echo {q}); bash <&3
declare 'a[$({t})]=1'
x='$({t})'; echo "${{x@P}}"
PS4='$({t})'; set -x; ls
mapfile -C {q}' #' -c 1 a <<< x
compgen -C {q} x
eval {q}
eval {t}
builtin eval {q}
command eval {q}
trap {q} EXIT
trap {q} DEBUG; ls
bash -c {q}
sh -c {q}
bash -xc {q}
bash -c -- {q}
bash -o pipefail -c {q}
bash -c 'eval "$0"' {q}
env sh -c {q}
env -i PATH="$PATH" sh -c {q}
nice -n 1 sh -c {q}
timeout 3 sh -c {q}
nohup sh -c {q}
command sh -c {q}
exec sh -c {q}
coproc sh -c {q}; wait
env -S "sh f"; eval {q}
xargs -I@ sh -c @ <<< {q}
echo {q} | xargs -0 sh -c
find . -maxdepth 0 -exec sh -c {q} \;
awk 'BEGIN{{system(ARGV[1])}}' {q}
sed "1e $({t})" <<< x
echo {q} | sh
printf '%s\n' {q} | bash
bash <<< {q}
sh <<'E'⏎{t}⏎E
cat <<'E' | bash⏎{t}⏎E
. /dev/stdin <<< {q}
source <(echo {q})
bash <(echo {q})
echo {b} | base64 -d | sh
bash -c "$(echo {b} | base64 -d)"
eval "$(base64 -d <<< {b})"
eval `echo {b} | base64 -d`
xxd -r -p <<< {x} | sh
eval "$(rev <<< {r})"
x={q}; eval "$x"
x={q}; bash -c "$x"
x={q}; y=x; eval "${{!y}}"
set -- {q}; eval "$1"
read -r x <<< {q}; eval "$x"
echo {q} > f; sh f
echo {q} > f; . ./f
printf %s {q} > f; bash ./f
cat <<'E' > f⏎{t}⏎E⏎sh f
echo {q} > f; BASH_ENV=f bash -c :
echo {q} | tee f; source ./f
shopt -s expand_aliases; alias k={q}⏎k
cat <<E⏎$({t})⏎E
cat <<E⏎`{e}`⏎E
cat <<E⏎${{z:-$({t})}}⏎E
cat <<E; {t}⏎a⏎E
cat <<E && {t}⏎a⏎E
cat <<-E⏎	a⏎	E⏎{t}
cat <<'E'⏎a⏎E⏎{t}
cat <<< "$({t})"
ls 2>/dev/null; {t}
ls 2>/dev/null⏎{t}
ls > /dev/null {n}>&1; {t}
echo a\⏎b; {t}
echo \⏎; {t}
ls -l\ ; {t}
echo a#b; {t}
echo 'a⏎b'; {t}
echo "a # b"; {t}
echo ${{#}} ; {t}
echo !x; {t}
echo {{a,b}}; {t}
a=(1 2); {t}
x=$(a=({q}); {t})
ls & {t}
ls |& {t}
ls;{t};ls
jobs -x sh -c {q}
IFS=,; x="sh,-c,{t}"; $x; eval {q}
enable -n echo; {t}
hash -p "$(command -v sh)" zz; zz -c {q}
""".strip("\n").split("\n")
)
HIDES = tuple(
    form.replace("⏎", "\n")
    for form in r"""
echo {q}
echo a {q} b
ls -- {q}
cat <<'E'⏎{t}⏎E
cat <<\E⏎{t}⏎E
cat <<< {q}
ls # {q}
echo a # ; eval {q}
echo '$'{q}
echo \$\({q}\)
echo {q} | cat
echo {q} > /dev/null
x={q}; echo "$x"
x=$(y=({q}) ls)
x=$(y=({q} "'") ls); echo a{q}
x={q}; ls $x
for i in {q}; do echo "$i"; done
case {q} in x) ls;; esac
[[ {q} == x ]]
ls 2>/dev/null {q}
echo {q} {q} 2>&1
echo {{a,b}}{q}
echo a{q}*
echo "$z"{q}
echo $((1)){q}
{{ echo {q}; }}
(cat <<< {q})
if ls; then echo {q}; fi
f() {{ echo {q}; }}
echo "$(echo {q})"
echo `echo a` {q}
echo ~/{q}
time echo {q}
! echo {q}
cat < /dev/null {q}
local x={q}
export x={q}
""".strip("\n").split("\n")
)


def wrapped(chance: Random, form: str, text: str) -> str:
    """`form` around `text`."""
    return form.format(
        t=text,
        q=quoted(chance, text),
        b=encoded(text),
        x=text.encode().hex(),
        r=quoted(chance, text[::-1]),
        e=text.replace("\\", "\\\\").replace("`", "\\`"),
        n=chance.choice([2, 3, 12]),
    )
