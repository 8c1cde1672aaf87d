"""Which environment variables of a client may pass to a target: only those that a rule names, and some only by name.

Many variables are code, or point at code, for a program or shell that inherits them. A wildcard never passes those; a
rule that means one must write its name out. Exported shell functions (BASH_FUNC_*) never pass.

Limits: no list of such variables is complete. A wildcard such as `*` passes what is not known here; write prefixes.
"""

from __future__ import annotations

import re

from bastion.policy.patterns import NamePattern

NEVER = NamePattern.of("BASH_FUNC_*")

_ONLY_BY_NAME = tuple(
    NamePattern.of(text)
    for text in (
        # the dynamic loader and the C library
        "LD_*", "DYLD_*", "GCONV_PATH", "LOCPATH", "NLSPATH", "MALLOC_*", "GLIBC_TUNABLES", "HOSTALIASES", "RES_*",
        # shells
        "BASH*", "ENV", "IFS", "PATH", "CDPATH", "PS0", "PS1", "PS2", "PS3", "PS4", "PROMPT*", "SHELL*", "GLOBIGNORE",
        "ZDOTDIR", "FPATH", "KSH*", "POSIXLY_CORRECT", "TMOUT", "HISTFILE", "INPUTRC", "READNULLCMD", "NULLCMD",
        # who and where the session is
        "HOME", "USER", "LOGNAME", "PWD", "OLDPWD", "MAIL", "TMPDIR", "XDG_*", "SSH_*", "SUDO_*", "DBUS_*", "SYSTEMD_*",
        # interpreters and build tools
        "PYTHON*", "PERL*", "RUBY*", "GEM_*", "BUNDLE_*", "NODE_*", "NPM_*", "npm_*", "LUA_*", "PHP*", "JAVA_*",
        "_JAVA_*", "JDK_*", "CLASSPATH", "MAVEN_*", "GRADLE_*", "GO*", "CARGO_*", "RUST*", "R_*", "TCL*", "AWK*",
        "MAKE*", "CC", "CXX", "CFLAGS", "LDFLAGS",
        # programs that others start
        "GIT_*", "HG*", "SVN_*", "CVS_*", "*PAGER*", "*EDITOR", "VISUAL", "BROWSER", "LESS*", "MANPATH", "MANOPT",
        "TERMINFO*", "TERMCAP", "RSYNC_*", "DOCKER_*", "KUBECONFIG", "ANSIBLE_*", "PSQL*", "PG*", "MYSQL*", "EXINIT",
        "VIM*", "TAR_OPTIONS", "GZIP", "GREP_OPTIONS", "RIPGREP_*", "FZF_*", "*_proxy", "*_PROXY", "OPENSSL_*", "SSL_*",
        "CURL_*", "WGETRC",
    )
)  # fmt: skip
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_PATTERN = re.compile(r"[A-Za-z_*][A-Za-z0-9_*]*\Z")


def fault(text: str) -> str | None:
    """What is wrong with `text` as an entry of a rule's `env`, or None."""
    if not _PATTERN.match(text):
        return f"{text!r} is not the name of a variable, nor one with *"
    if text.startswith("BASH_FUNC_"):
        return f"{text!r} can not be passed: it is how a client hands a function to bash"
    return None


def passes(pattern: NamePattern, name: str) -> bool:
    """Whether a rule's `pattern` lets the client's variable `name` through."""
    if not _VARIABLE.match(name) or NEVER.matches(name):
        return False
    if pattern.literal:
        return pattern.text == name
    return pattern.matches(name) and not any(dangerous.matches(name) for dangerous in _ONLY_BY_NAME)
