"""Code for an interpreter, given in a word or on its standard input: what gives away that it does harm.

No language is read here. Code of an interpreter is never judged harmless (it is a reason `code` either way); these are
signs by which a rule can hold it back under the category that it earns: code that starts programs, or is itself
fetched or decoded, runs what the bastion never saw.

Limits: signs are text. Code that means to hide will not show them: what keeps it away is that no rule allows it.
"""

from __future__ import annotations

import re

from bastion.analysis.profile.paths import of_path

_STARTS = re.compile(
    rb"\bos\.(?:system|popen|exec[lv]|spawn)|\bsubprocess\b|\bpty\.spawn|child_process|\b(?:shell_exec|passthru|proc_open"
    rb"|popen|execSync|spawnSync)\b|\b(?:system|exec|spawn|qx)\s*[(\[{\"'/]|do shell script|\bdo script\b|Runtime\.exec"
    rb"|%x[({\[]"
)
_FETCHES = re.compile(
    rb"\burlopen\b|\burllib|\brequests\.|http\.client|\bhttpx\b|LWP::|Net::HTTP|open-uri|URI\.open|HTTP::Tiny"
    rb"|(?:file_get_contents|fopen|readfile|require|import|fetch)\s*\(?\s*[\"'](?:https?|ftp):"
)
_DECODES = re.compile(
    rb"b(?:64|32|16|85)decode|base64_decode|decode_base64|decode64|\batob\b|unhexlify|\bfromhex\b|unpack\s*\(?\s*[\"'][mH]"
    rb"|zlib\.decompress|gzinflate|marshal\.loads|pickle\.loads|codecs\.decode|[\"']base64[\"']|\brot_?13\b"
)
_CONNECTS = re.compile(rb"\bsocket\b|IO::Socket|TCPSocket|fsockopen|net\.(?:connect|Socket)|/dev/tcp/|\bSocket\s*\(")
_SHELLS = re.compile(rb"/bin/(?:ba|da|z|k)?sh\b|\bdup2\b|pty\.spawn|\bcmd\.exe\b|popen|exec\b|system\b|\$SHELL")
_DELETES = re.compile(
    rb"\bshutil\.rmtree|\bos\.(?:remove|unlink|rmdir|removedirs|truncate)\b|\brmtree\b|FileUtils\.rm"
    rb"|\bunlink(?:Sync)?\s*[( ]|\brm(?:dir)?Sync\b|File\.(?:delete|unlink)|to delete\b|DROP\s+TABLE"
)
_ASKS = re.compile(
    rb"with hidden answer|hidden answer|getpass\b.{0,200}\bopen\(|pynput|CGEventTap|XGrabKeyboard|/dev/input/"
)
_PATH = re.compile(rb"(?:~|\$HOME|\$\{HOME\})?/[A-Za-z0-9_.~*-]+(?:/[A-Za-z0-9_.~*-]+)*")
_UPLOADS = re.compile(rb"(?m)^\s*-?(?:re|m)?put\s+\S")
_MAX_PATHS = 64

_SIGNS = (
    (_STARTS, "remote-code", "T1059"),
    (_FETCHES, "remote-code", "T1105"),
    (_DECODES, "remote-code", "T1140"),
    (_DELETES, "destroys-data", "T1485"),
    (_ASKS, "credential-access", "T1056"),
    (_UPLOADS, "exfiltration", "T1048"),
)


def signs(code: bytes) -> tuple[frozenset[str], frozenset[str]]:
    """The categories and techniques that `code` shows. Never raises; time is linear in its length."""
    categories: set[str] = set()
    techniques: set[str] = set()
    for sign, category, technique in _SIGNS:
        if sign.search(code):
            categories.add(category)
            techniques.add(technique)
    if _CONNECTS.search(code) and _SHELLS.search(code):
        categories.add("reverse-shell")
        techniques.add("T1059.004")
    for found in _PATH.findall(code)[:_MAX_PATHS]:
        told, named = of_path("reads", found)
        if "credential-access" in told:
            categories |= told
            techniques |= named
    return frozenset(categories), frozenset(techniques)
