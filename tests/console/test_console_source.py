"""What the console's files must never hold, and what its small scanners must make of any text."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bastion.characters import shown
from tests.console.fake import CONSOLE
from tests.core.test_audit_events import CATALOGUE

FILES = sorted(path for path in CONSOLE.iterdir() if path.suffix in (".html", ".js", ".css"))
FORBIDDEN = {
    "text read as markup": r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|setHTML|srcdoc\s*=",
    "text read as script": r"\beval\b\s*\(|new Function|set(?:Timeout|Interval)\(\s*[\"'`]|javascript:",
    "an inline style or handler": r"<[^>]*\s(?:style|on[a-z]+)\s*=|setAttribute\(\s*[\"'](?:style|on)",
    "another host": r"https?://(?!www\.w3\.org/2000/svg)|@import|url\((?!data:)",
    "a message from other windows": r"postMessage|window\.opener|window\.open\(",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_has_it(what: str) -> None:
    """The one word for an attribute that dom.js refuses is told there and nowhere else."""
    found = [f"{path.name}: {match[0]}" for path in FILES for match in re.finditer(FORBIDDEN[what], path.read_text())]
    assert found == []


def test_what_is_looked_for_would_be_found() -> None:
    wrong = (
        "a.innerHTML = b", "eval('x')", "<p style='x'>", "<p onclick=x>", "https://evil.example", "setTimeout('x')",
        "element.setAttribute('style', x)", "window.open(x)",
    )  # fmt: skip
    for text in wrong:
        assert any(re.search(pattern, text) for pattern in FORBIDDEN.values()), text


def test_the_page_has_no_script_of_its_own() -> None:
    """One module by its address, and nothing between the tags."""
    page = (CONSOLE / "index.html").read_text()
    assert re.findall(r"<script[^>]*>.*?</script>", page, re.DOTALL) == ['<script type="module" src="app.js"></script>']
    assert "<style" not in page


def test_files_are_small() -> None:
    assert [path.name for path in FILES if len(path.read_text().splitlines()) > 300] == []


def node(script: str, values: list[str]) -> list[Any]:
    """What a module of the console makes of texts, without a browser."""
    program = f"const values = JSON.parse(require('fs').readFileSync(0)); (async () => {{ {script} }})()"
    done = subprocess.run(
        ["node", "--input-type=commonjs", "--no-warnings", "-e", program],
        input=json.dumps(values),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=CONSOLE,
    )
    found: list[Any] = json.loads(done.stdout)
    return found


TOKENS = """
globalThis.document = { addEventListener() {} };
const source = require('fs').readFileSync('shell.js', 'utf8').replace(/^import .*$/m, '').replaceAll('export ', '');
const tokens = new Function(source + '; return tokens')();
console.log(JSON.stringify(values.map((value) => [tokens(value, false), tokens(value, true)])));
"""
SHELL = st.text(st.sampled_from("ab =-'\"\\$(){}`;&|<>#\n\t!x0{u}😀\u202e"), max_size=60)


@settings(max_examples=5)
@given(st.lists(SHELL, min_size=200, max_size=200))
def test_tokens_are_the_text_again(texts: list[str]) -> None:
    for text, found in zip(texts, node(TOKENS, texts), strict=True):
        for tokens in found:
            assert "".join(piece for piece, _ in tokens) == text


def test_deep_and_long_texts_end() -> None:
    texts = ["$(" * 5000, "`" * 5000, '"$(' * 3000, "(" * 70_000, "'" + "x" * (200 << 10), "\\", "$", '"\\']
    for text, found in zip(texts, node(TOKENS, texts), strict=True):
        assert "".join(piece for piece, _ in found[0]) == text


KINDS = {
    "'rm' '-r' '/srv'": ["rm command", "-r option", "/srv string"],
    "a && b | c; d": ["a command", "b command", "c command", "d command"],
    "if x; then y; fi": ["if keyword", "x command", "then keyword", "y command", "fi keyword"],
    "A=1 b $c > f # d": ["b command", "$c variable", "> redirect", "f word", "# d comment"],
    'echo "a $(b -c) d"': ["echo command", "b command", "-c option"],
}


def test_words_are_named_for_the_eye() -> None:
    for text, found in zip(KINDS, node(TOKENS, list(KINDS)), strict=True):
        told = [f"{piece} {kind}" for piece, kind in found[0]]
        missing = [want for want in KINDS[text] if want not in told]
        assert missing == [], told


VISIBLE = """
const source = require('fs').readFileSync('visible.js', 'utf8').replaceAll('export ', '');
const shown = new Function(source + '; return shown')();
console.log(JSON.stringify(values.map((value) => shown(value, 1000))));
"""


@settings(max_examples=20)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cn"])), min_size=50, max_size=50))
def test_hidden_is_what_python_says_is_hidden(texts: list[str]) -> None:
    """But for characters that one of the two knows from a newer Unicode."""
    assert node(VISIBLE, texts) == [shown(text, 1000) for text in texts]


def test_the_trail_is_filtered_by_every_kind_of_event_but_those_of_the_process() -> None:
    offered = re.search("const KINDS = `([^`]*)`", (CONSOLE / "audit.js").read_text())
    assert offered
    assert {kind.kind for kind in CATALOGUE} - set(offered[1].split()) == {"bastion-started", "bastion-stopping"}
