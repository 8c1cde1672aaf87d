"""Variables and functions that decide what other commands do: giving one a value is as good as naming a program.

Limits: no such list is complete. A program may read its commands from any variable; a rule for such a program says so.
"""

from __future__ import annotations

import re

_DECIDES = re.compile(
    rb"(?:"
    # the shell itself; bash evaluates each value of an integer (OPTIND, RANDOM): of `a[$(id)]` it runs id
    rb"PATH|IFS|ENV|BASH.*|PS[0-9]|PROMPT.*|SHELL.*|SHELLOPTS|CDPATH|FPATH|ZDOTDIR|GLOBIGNORE|EXECIGNORE|FIGNORE|FUNCNEST"
    rb"|HIST.*|HOME|PWD|OLDPWD|OPTARG|OPTIND|OPTERR|RANDOM|SRANDOM|SECONDS|LINENO|EPOCH.*|MAILCHECK|MAILPATH|INPUTRC|TMOUT"
    rb"|POSIXLY_CORRECT|COMP_.*|COMPREPLY|READLINE_.*|DIRSTACK|GROUPS|UID|EUID|PPID|KSH.*|NULLCMD|READNULLCMD"
    rb"|PGRP|PIPESTATUS|USER_ID"
    # the dynamic loader and the C library
    rb"|LD_.*|DYLD_.*|GCONV_PATH|LOCPATH|NLSPATH|MALLOC_.*|GLIBC_TUNABLES|HOSTALIASES|RES_.*|TERMINFO.*|TERMCAP"
    # programs that others start
    rb"|.*PAGER.*|.*EDITOR|VISUAL|BROWSER|LESS.*|MAN.*|GIT_.*|HG.*|SVN_.*|CVS_.*|.*_RSH|RSYNC_.*|.*ASKPASS|SUDO_.*|SSH_.*"
    rb"|XDG_.*|DBUS_.*|SYSTEMD_.*|KUBECONFIG|DOCKER_.*|ANSIBLE_.*|AWS_CONFIG_FILE|EXINIT|VIM.*|MYVIMRC|PSQL.*|PG.*|MYSQL.*"
    rb"|TAR_OPTIONS|GZIP|GREP_OPTIONS|RIPGREP_.*|FZF_.*|WGETRC|CURL_.*|OPENSSL_.*|SSL_.*|.*_proxy|.*_PROXY|TF_CLI.*"
    # interpreters and build tools
    rb"|PYTHON.*|PERL.*|RUBY.*|GEM_.*|BUNDLE_.*|NODE_.*|NPM_.*|npm_.*|LUA_.*|PHP.*|JAVA_.*|_JAVA_.*|JDK_.*|CLASSPATH"
    rb"|MAVEN_.*|GRADLE_.*|GO[A-Z].*|CARGO_.*|RUST.*|R_.*|TCL.*|AWK.*|MAKE.*|CC|CXX|CFLAGS|CPPFLAGS|CXXFLAGS|LDFLAGS|GCC_.*"
    # settings that hold options, or name files and plugins to load
    rb"|APT_CONFIG|DPKG_.*|AWS_SHARED_CREDENTIALS_FILE|CLOUDSDK_.*|GOOGLE_.*CREDENTIALS|KUBECTL_.*|HELM_.*|CONTAINERS_.*"
    rb"|CONTAINER_HOST|COMPOSE_.*|BUILDKIT_.*|BUILDX_.*|XTABLES_LIBDIR|IPTABLES_LIB_DIR|TC_LIB_DIR|NMAPDIR|NMAP_.*|ZIPOPT"
    rb"|UNZIP|ZIP|XZ_OPT|XZ_DEFAULTS|BZIP2?|RSH|TAPE|GNUPGHOME|PASSWORD_STORE_.*|PARALLEL.*|LIBMYSQL_.*|MAILRC|FCEDIT|M4PATH"
    rb"|GTK_.*|GIO_.*|QT_.*|GST_.*|MAGICK_.*|VALGRIND_.*|PERF_.*|BC_ENV_ARGS|LOCALDOMAIN|SCREENRC|TMUX.*|NETRC|TF_.*|CNI_.*"
    rb")\Z"
)

NOT_FUNCTIONS = frozenset(
    b"break : . continue eval exec exit export readonly return set shift source times trap unset declare typeset local "
    b"builtin command cd alias unalias test echo printf read".split()
)
"""Names that a function may not take: the shell's own, and those that a person reads past."""

_TIED = frozenset(b"path cdpath fpath manpath mailpath module_path".split())
"""zsh ties these to PATH and its kin: a value for `path` is one for PATH."""
_COUNTED = frozenset({b"COLUMNS", b"LINES"})
"""Integers of mksh, which evaluates what they are given; to bash they are words."""


def decides(name: bytes, bash: bool = True) -> bool:
    """Whether a value for this variable changes what other commands do; `bash`: in that shell, not in any other."""
    return _DECIDES.match(name) is not None or (not bash and name in _TIED | _COUNTED)
