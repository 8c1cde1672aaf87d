#!/bin/sh
# Sets up what `make demo` or `make test` needs on a fresh Debian 12: `sh tests/prepare.sh demo|test`.
#
# Python's packages go to $VENV (.venv) and nowhere else. Debian's packages are installed when this runs as root;
# otherwise what is missing is told at once, with the command that installs it, and nothing is changed.
set -eu

goal=${1:?"usage: prepare.sh demo|test"}
python=${PYTHON:-python3}
venv=${VENV:-.venv}

# -- what is missing of the system -------------------------------------------------------------------------------------

PATH=$PATH:/usr/sbin:/usr/local/sbin
missing=
need() { # need PROGRAM PACKAGE...
    command -v "$1" >/dev/null 2>&1 && return
    shift
    missing="$missing $*"
}

has_node() {
    command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 &&
        node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 18 ? 0 : 1)'
}

has_postgresql() {
    set -- /usr/lib/postgresql/*/bin/initdb
    [ -x "$1" ]
}

has_venv() { # Debian splits venv and ensurepip off its Python.
    "$python" -c 'import ensurepip, venv' >/dev/null 2>&1
}

need "$python" python3
[ -x "$venv/bin/python" ] || has_venv || missing="$missing python3-venv"
need ssh openssh-client
need sshd openssh-server
if [ "$goal" = test ]; then
    need dropbear dropbear-bin
    need dbclient dropbear-bin
    need puttygen putty-tools
    need plink putty-tools
    need asciinema asciinema
    need tmux tmux
    # Databases whose clients' tables are masked; PostgreSQL's programs stand apart, a folder a version.
    has_postgresql || missing="$missing postgresql postgresql-client"
    need mariadbd mariadb-server
    need mariadb mariadb-client
    need sqlite3 sqlite3
    # What is used in a gated shell.
    need vim vim
    need nano nano
    need less less
    need top procps
    # Login shells: those that are used, and those that must be refused.
    need bash bash
    need dash dash
    need busybox busybox
    need zsh zsh
    need mksh mksh
    need fish fish
    need tcsh tcsh
    # The console's browser.
    need chromium chromium
    has_node || missing="$missing nodejs npm"
fi

if [ -n "$missing" ]; then
    # shellcheck disable=SC2086 # a list of words
    missing=$(printf '%s\n' $missing | sort -u | tr '\n' ' ')
    if [ "$(id -u)" != 0 ]; then
        echo "bastion: this needs packages that only root can install: $missing" >&2
        echo "  sudo apt-get install --no-install-recommends $missing" >&2
        [ "$goal" = test ] && exit 1
        # The demo has a target of its own where there is no sshd; a client and a venv it can not do without.
        case " $missing" in *" openssh-client "* | *" python3 "* | *" python3-venv "*) exit 1 ;; esac
        echo "  going on without: the demo's target will be an embedded one" >&2
    else
        echo "bastion: installing $missing"
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -q
        # No service may start by being installed: sshd is started by the tests, on a port of their own.
        policy=/usr/sbin/policy-rc.d
        if [ ! -e "$policy" ]; then
            printf '#!/bin/sh\nexit 101\n' >"$policy"
            chmod 755 "$policy"
            trap 'rm -f "$policy"' EXIT
        fi
        # shellcheck disable=SC2086 # a list of words
        apt-get install -q -y --no-install-recommends $missing </dev/null
    fi
fi

if [ "$goal" = test ] && ! has_node; then
    echo "bastion: node 18 or newer is needed, and this is $(node --version 2>/dev/null || echo none)" >&2
    exit 1
fi
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "bastion: Python 3.11 or newer is needed, and $python is $("$python" --version); try: make PYTHON=python3.11" >&2
    exit 1
}

# -- Python's packages -------------------------------------------------------------------------------------------------

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
extras=
[ "$goal" = test ] && extras='[test]'
"$venv/bin/python" -m pip install -q --disable-pip-version-check -e ".$extras" </dev/null
touch "$venv/.demo"
[ "$goal" = demo ] || touch "$venv/.test"
