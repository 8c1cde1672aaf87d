"""The role of a word that is a URL: a machine that is asked, or a file that is read.

Limits: what curl makes of a `file:` URL with percent signs, patterns or a query is not followed: it may be any file.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from bastion.analysis.profile import looks
from bastion.analysis.profile.acts import Tally
from bastion.analysis.profile.options import At

MAX_OUTLINES = 64
"""File URLs of one command that may be several files, or another than they spell: each is looked at for a while."""
URL = re.compile(rb"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)")
_FILE_URL = re.compile(rb"(?i)\s*file:(?://[^/?#]*)?")
_GLOB_OR_CODED = re.compile(rb"[%\[\]{}\\?#]")
_MANY_SCHEMES = re.compile(rb"[^/]*[\[{]")


def url(at: At) -> None:
    for value in at.values:
        found = None if value.word is None else URL.match(value.word)
        file = None if value.word is None else _FILE_URL.match(value.word)
        if value.word is not None and file is not None:
            _file_url(value.word[file.end() :] or b"/", at.tally)
        elif value.word is not None and found is None and _MANY_SCHEMES.match(value.word):
            at.tally.reads.append(None)
            at.tally.network.append(None)
        else:
            host = found[2] if found is not None else value.word
            at.tally.network.append(host)
            looks.asked(host, at.tally)


def _file_url(path: bytes, tally: Tally) -> None:
    """A path in a URL. curl reads percent signs, and patterns of its own: then it is any, and its outline is told."""
    if not _GLOB_OR_CODED.search(path):
        tally.reads.append(path)
        return
    tally.reads.append(None)
    if len(tally.outlined) >= MAX_OUTLINES:
        tally.unknown.append(f"{tally.program}: more than {MAX_OUTLINES} names of files that are known in part")
        return
    outline = re.sub(rb"\[[^\]]*\]|\{[^}]*\}|\\.", b"\0", re.sub(rb"[?#].*", b"", path))
    tally.outlined.append(("reads", unquote_to_bytes(outline)))
