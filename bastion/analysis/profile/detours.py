"""Paths that lead elsewhere than their text says: `..` behind a symbolic link, and the links that the kernel keeps.

`/var/run/../etc` is `/etc` where /var/run is a link, as it is on most systems; so are /dev/fd, /bin, /lib, and many
folders below /etc and /usr. There, a path with `..` behind anything but a folder that is a plain one on every system
may be any; and so may one through /proc/PID/cwd, or through an open file.

Limits: outside the folders of the system itself (/home, /srv, /tmp, a relative path) a link is one that somebody made:
`..` there is taken to lead to where the text says, or to a file of that name in a folder that is not known.
"""

from __future__ import annotations

import re
from functools import lru_cache

_OF_THE_SYSTEM = re.compile(r"/(?:bin|boot|dev|etc|gnu|lib\w*|nix|proc|run|sbin|snap|sys|System|usr|var)(?:/|\Z)")
_PLAIN = re.compile(
    r"/(?:etc|usr|usr/share|var|var/lib|var/cache|(?:usr/local|usr/src|var/log|var/www|var/tmp)(?:/.*)?)\Z"
)
_OWN_LINK = re.compile(
    r"/(?:proc/[^/]+(?:/task/[^/]+)?/(?:(?:cwd|exe)(?=/|\Z)|map_files/[^/]+|fd/[^/]+(?=/)|fd/[0-9]{2,}\Z)"
    r"|proc/(?!self/|thread-self/)[^/]+(?:/task/[^/]+)?/fd/[^/]+"
    r"|dev/(?:fd/[^/]+(?=/)|fd/[0-9]{2,}\Z|std(?:in|out|err)(?=/)))/?"
)
_DEEPEST = 5
"""Names of a path that say whether it is one of these."""
_ROOT = re.compile(r"/proc/[^/]+(?:/task/[^/]+)?/root(?=/|\Z)")


def behind(path: str) -> str | None:
    """What follows the last `..` that stands behind a name; None without one."""
    return _known_behind(path) if len(path) <= _SHORT else _behind(path)


def astray(path: str) -> str | None:
    """What follows the place from which on a path may be any; None where it is surely what its text says, or not
    absolute."""
    return _known_astray(path) if len(path) <= _SHORT else _astray(path)


def _behind(path: str) -> str | None:
    names = [name for name in path.split("/") if name not in ("", ".")]
    if ".." not in names:
        return None
    last = len(names) - names[::-1].index("..")
    return "/".join(names[last:]) if names[:last].count("..") < last else None


def _astray(path: str) -> str | None:
    if not path.startswith("/") or not _OF_THE_SYSTEM.search(path):
        return None
    if not ("/.." in path or "/proc/" in path or "/dev/" in path):
        return None
    names: list[str] = []
    for name in path.split("/"):
        if name == ".." and names and not _plain("/" + "/".join(names[:_DEEPEST])):
            return behind(path) or ""
        if name == "..":
            names[-1:] = []
        elif name not in ("", "."):
            names.append(name)
        if name == "root" and len(names) <= _DEEPEST and _ROOT.fullmatch("/" + "/".join(names)):
            names.clear()
    found = _OWN_LINK.match("/" + "/".join(names))
    return None if found is None else ("/" + "/".join(names))[found.end() :]


_SHORT = 64
"""Characters of a path of which it is kept: each is asked about several times."""
_known_behind = lru_cache(maxsize=4096)(_behind)
_known_astray = lru_cache(maxsize=4096)(_astray)


def climbs(path: str) -> bool:
    """Whether a relative path leads out of its folder on its way."""
    depth = 0
    for name in path.split("/"):
        depth += -1 if name == ".." else name not in ("", ".")
        if depth < 0:
            return True
    return False


def _plain(folder: str) -> bool:
    return not _OF_THE_SYSTEM.match(folder) or _PLAIN.match(folder) is not None
