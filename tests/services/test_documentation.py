"""The documentation tells the truth: its examples load, and its tables name what there is."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from bastion import errors
from bastion.cli import COMMANDS
from bastion.config import Limits, Upstream
from bastion.identity.authority import generate
from bastion.policy import loader
from bastion.targets import inventory

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def example(first: str, after: str) -> str:
    """The indented block after the heading `after` that begins with the line `first`, indentation removed."""
    text = README.partition(after)[2]
    lines = text.splitlines()
    start = lines.index(f"    {first}")
    block = []
    for line in lines[start:]:
        if line and not line.startswith("    "):
            break
        block.append(line[4:])
    return "\n".join(block) + "\n"


def test_the_policy_of_the_readme_loads(tmp_path: Path) -> None:
    (tmp_path / "readme.yaml").write_text(example("version: 1", "## For the policy author"))
    assert [rule.id for rule in loader.load(tmp_path).rules] == ["look-around", "never"]


def test_the_inventory_of_the_readme_loads(tmp_path: Path) -> None:
    path = tmp_path / "readme.yaml"
    path.write_text(example("version: 1", "### The inventory").replace("ssh-ed25519 AAAA…", generate()[1]))
    target = inventory.load(path, "acme").targets[0]
    assert sorted(target.accounts) == ["app", "deploy"]


@pytest.mark.parametrize("status", [status for name, status in vars(errors).items() if name.startswith("EXIT_")])
def test_every_exit_status_is_explained(status: int) -> None:
    assert f"\n| {status} |" in README


@pytest.mark.parametrize(
    ("key", "default"),
    [
        *((f"ssh.limits.{name.replace('_', '-')}", getattr(Limits(), name)) for name in Limits.__slots__),
        *((f"ssh.upstream.{name}", getattr(Upstream(), name)) for name in Upstream.__slots__),
    ],
)
def test_every_default_in_the_table_is_the_one_in_force(key: str, default: int) -> None:
    told = re.search(rf"^\| `{re.escape(key)}` \| (\d+)(s|m)? \|", README, re.MULTILINE)
    assert told is not None, f"README has no line for {key}"
    assert int(told[1]) * (60 if told[2] == "m" else 1) == default


def test_every_command_that_the_documents_name_is_there() -> None:
    texts = README + (ROOT / "SECURITY.md").read_text() + (ROOT / "CHANGELOG.md").read_text()
    named = set(re.findall(r"(?:`|^    )bastion ([a-z-]+)", texts, re.MULTILINE))
    assert named == set(COMMANDS)


def test_the_workflow_for_policies_runs(tmp_path: Path) -> None:
    """Its steps, as they stand there: with nothing but git replaced, and the base that it would fetch laid out."""
    page = (ROOT / "policies" / "README.md").read_text()
    (workflow,) = (block for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "jobs:" in block)
    steps = [step["run"] for step in yaml.safe_load(workflow)["jobs"]["policy"]["steps"] if "run" in step]
    work, tools = tmp_path / "work", tmp_path / "tools"
    tools.mkdir()
    for name, text in (("git", "exit 0"), ("bastion", f'exec {sys.executable} -m bastion "$@"')):
        (tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (tools / name).chmod(0o755)
    for folder in (work, tmp_path / "base"):
        shutil.copytree(ROOT / "policies", folder / "policies")
    never = work / "policies" / "demo" / "never.yaml"
    never.write_text(never.read_text().replace("rules:", "rules:\n  - {id: no-id, effect: deny, commands: [id]}", 1))
    (work / "policies" / "demo" / "demo.cases.yaml").unlink()
    asker = {"tenant": "demo", "groups": ["agents"], "target": "demo", "account": "demo"}
    (work / "past.jsonl").write_text(json.dumps({"command": "id", **asker}) + "\n")
    (work / "policies" / "demo" / "a.cases.yaml").write_text("version: 1\ncases: [{command: rm, effect: deny}]\n")
    summary = tmp_path / "summary"
    environment = {
        "PATH": f"{tools}:/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "GITHUB_BASE_REF": "main",
        "GITHUB_STEP_SUMMARY": str(summary),
    }
    for step in steps[1:]:  # the first installs it
        done = subprocess.run(["sh", "-ec", step], cwd=work, env=environment, capture_output=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "now  deny by no-id" in summary.read_text()


def test_links_lead_somewhere() -> None:
    for name in ("README.md", "SECURITY.md", "CHANGELOG.md"):
        for link in re.findall(r"\]\(([^)#:]+)\)", (ROOT / name).read_text()):
            assert (ROOT / link).exists(), f"{name} links to {link}"
