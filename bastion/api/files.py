"""The console's files, served from memory: read once at start, so that no request names a path of the disk.

Whatever is in the folder is served under its own name, `index.html` also as the folder itself. Hidden files and links
are left out.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bastion.errors import OperatorError

MAX_FILES = 500
MAX_BYTES = 16 << 20
"""Of all files together."""
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".txt": "text/plain; charset=utf-8",
}
"""A file of another kind is not served: what a browser would make of it is not known."""
CONSOLE = Path(__file__).with_name("console")
PLAYER = CONSOLE / "node_modules" / "asciinema-player" / "dist"
"""The player, where `npm ci` has put it; the console says how where it has not."""
_LEFT_OUT = ("node_modules", "package.json", "package-lock.json")


@dataclass(frozen=True, slots=True)
class File:
    body: bytes
    type: str


def read(folders: Mapping[str, Path]) -> Mapping[str, File]:
    """Files by address; `folders` by the address they are under, such as `/`. OperatorError past the bounds."""
    found: dict[str, File] = {}
    size = 0
    for prefix, folder in folders.items():
        for path in _below(folder):
            if path.suffix not in TYPES or path.is_symlink():
                continue
            file = File(path.read_bytes(), TYPES[path.suffix])
            size += len(file.body)
            address = prefix + path.relative_to(folder).as_posix()
            found[address] = file
            if path.name == "index.html":
                found[address.removesuffix("index.html")] = file
            if len(found) > MAX_FILES or size > MAX_BYTES:
                raise OperatorError(f"{folder}: more than {MAX_FILES} files, or {MAX_BYTES} bytes, for the console")
    return found


def _below(folder: Path) -> list[Path]:
    paths = []
    for inner, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")) and name not in _LEFT_OUT)
        paths += [Path(inner, name) for name in sorted(names) if not name.startswith(".") and name not in _LEFT_OUT]
    return paths
