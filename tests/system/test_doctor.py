"""bastion doctor on real files, ports and servers: what is well passes, and each thing that is wrong is named."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bastion.cli import doctor, main
from bastion.cli.checks.finding import Finding
from tests.system.harness.bastion import TENANT, Bastion, Target
from tests.system.harness.client import Maker
from tests.system.harness.sshd import Sshd, write_key


@pytest.fixture
def made(tmp_path: Path, target: Sshd) -> Bastion:
    """A configuration that is well, not served by anyone; the port it wants is any free one."""
    return Bastion(tmp_path / "made", [Target.of("web-1", target)])


def findings(made: Bastion, *, targets: bool = False) -> list[Finding]:
    made.config.write_text(json.dumps(made.settings))
    return list(doctor.diagnose(made.config, targets=targets))


def failures(made: Bastion, *, targets: bool = False) -> list[Finding]:
    return [finding for finding in findings(made, targets=targets) if finding.level == "fail"]


def test_what_is_well_has_no_failure_and_every_line_is_about_something(made: Bastion) -> None:
    found = findings(made, targets=True)
    assert [finding for finding in found if finding.level == "fail"] == []
    abouts = {finding.about for finding in found if finding.level == "ok"}
    assert {"asyncssh", "config", "key", "account", "policy", "inventory", "folder", "tls", "target"} <= abouts


def test_the_command_prints_lines_and_exits_1_only_for_a_failure(
    made: Bastion, capsys: pytest.CaptureFixture[str]
) -> None:
    made.config.write_text(json.dumps(made.settings))
    assert main(["doctor", "--config", str(made.config)]) == 0
    assert "ok    config" in capsys.readouterr().out
    (made.folder / "keys" / "host-ca").unlink()
    assert main(["doctor", "--config", str(made.config)]) == 1
    printed = capsys.readouterr().out
    assert "fail  key        host-ca" in printed
    assert "-> `bastion ca init`" in printed


def test_people_who_may_do_nothing_and_a_console_without_its_secret_are_told(made: Bastion) -> None:
    tenant = made.settings["tenants"][TENANT]
    issuer = tenant["issuers"][0]
    missing = str(made.folder / "keys" / "missing")
    tenant["console"] = {"issuer": issuer["issuer"], "client-id": "console", "client-secret": {"file": missing}}
    found = findings(made)
    assert any("client secret" in str(finding) for finding in found if finding.level == "fail")
    assert any(finding.about == "roles" for finding in found if finding.level == "warn")
    Path(missing).write_text("s3cr3t-of-the-client")
    Path(missing).chmod(0o600)
    tenant["roles"] = {"viewer": ["staff"]}
    issuer["groups"] = ["{groups?}"]
    found = findings(made)
    assert [finding for finding in found if finding.about == "roles"] == []
    assert any("client secret" in str(finding) for finding in found if finding.level == "ok")
    assert "s3cr3t" not in str(found)


def test_a_webhook_that_could_not_sign_is_told(made: Bastion) -> None:
    secret = made.folder / "keys" / "webhook"
    notice = {"url": "https://hooks.example.com/x", "secret": {"file": str(secret)}}
    made.settings["tenants"][TENANT]["notices"] = [notice]
    assert any("secret of a webhook" in str(finding) for finding in failures(made))
    secret.write_text("s3cr3t-and-no-key")
    secret.chmod(0o600)
    assert any("`whsec_` and base64" in str(finding) for finding in failures(made))
    secret.write_text(f"whsec_{'A' * 43}=\n")
    assert failures(made) == []
    assert "s3cr3t" not in str(findings(made))


def test_json_is_a_list_of_the_same_findings(made: Bastion) -> None:
    made.config.write_text(json.dumps(made.settings))
    command = [sys.executable, "-m", "bastion", "doctor", "--json", "--config", str(made.config)]
    done = subprocess.run(command, capture_output=True, check=True)
    read = json.loads(done.stdout)
    assert {tuple(entry) for entry in read} == {("level", "about", "text", "remedy")}
    assert any(entry["about"] == "config" and entry["level"] == "ok" for entry in read)


def _no_config(made: Bastion) -> None:
    made.settings["shh"] = {}


def _open_key(made: Bastion) -> None:
    (made.folder / "keys" / "host-key").chmod(0o644)


def _no_authority(made: Bastion) -> None:
    (made.folder / "keys" / f"{TENANT}-user-ca").write_text("rubbish")


def _one_key_twice(made: Bastion) -> None:
    keys = made.folder / "keys"
    (keys / f"{TENANT}-user-ca").write_bytes((keys / "host-ca").read_bytes())


def _no_held_key(made: Bastion) -> None:
    made.write_inventory([Target("db-1", "127.0.0.1", 22, made.host_ca, made.folder / "nothing")])


def _no_target_authority(made: Bastion) -> None:
    made.write_inventory([Target("db-1", "127.0.0.1", 22, made.host_ca, None)])
    del made.settings["tenants"][TENANT]["target-ca"]


def _bad_policy(made: Bastion) -> None:
    made.write_policy("version: 1\nrules: [{id: x, effect: alow}]\n")


def _no_policies(made: Bastion) -> None:
    made.settings["tenants"][TENANT]["policies"] = "elsewhere"


def _bad_inventory(made: Bastion) -> None:
    (made.folder / "inventory" / f"{TENANT}.yaml").write_text("version: 1\n")


def _open_recordings(made: Bastion) -> None:
    made.recordings_folder.chmod(0o755)


def _recordings_are_a_file(made: Bastion) -> None:
    made.settings["recordings"] = {"directory": str(made.folder / "keys" / "host-key")}


def _not_an_address_of_ours(made: Bastion) -> None:
    made.settings["ssh"]["listen"] = ["192.0.2.1:0"]


def _tls_of_two_minds(made: Bastion) -> None:
    key = {"file": str(made.folder / "keys" / "host-key")}
    made.settings["api"] = {"listen": "127.0.0.1:0", "certificate": key, "key": key}


def _open_policy(made: Bastion) -> None:
    (made.folder / "policies" / TENANT / "tests.yaml").chmod(0o666)


def _open_policies(made: Bastion) -> None:
    (made.folder / "policies" / TENANT).chmod(0o775)


def _open_inventory(made: Bastion) -> None:
    (made.folder / "inventory" / f"{TENANT}.yaml").chmod(0o664)


def _open_keys(made: Bastion) -> None:
    (made.folder / "keys").chmod(0o777)


def _open_config(made: Bastion) -> None:
    made.config.touch()
    made.config.chmod(0o646)


def _broken_revocations(made: Bastion) -> None:
    (made.folder / "state" / "revocations").mkdir(mode=0o700)
    (made.folder / "state" / "revocations" / "revocations.jsonl").write_text('{"tenant":"acme","ser\n')


def _anothers_public_half(made: Bastion) -> None:
    keys = made.folder / "keys"
    (keys / f"{TENANT}-target-ca.pub").write_bytes((keys / "host-ca.pub").read_bytes())


def _no_public_half(made: Bastion) -> None:
    (made.folder / "keys" / "host-ca.pub").write_text("rubbish")


def _an_authority_as_held_key(made: Bastion) -> None:
    key = made.folder / "keys" / ".." / "keys" / "host-ca"
    made.write_inventory([Target("db-1", "127.0.0.1", 22, made.host_ca, key)])


def _host_key_is_an_authority(made: Bastion) -> None:
    keys = made.folder / "keys"
    (keys / "host-ca").write_bytes((keys / "host-key").read_bytes())


@pytest.mark.parametrize(
    ("spoil", "about", "text"),
    [
        (_no_config, "config", "did you mean 'ssh'"),
        (_open_key, "key", "open to others"),
        (_no_authority, "key", "acme: user-ca: the key of authority"),
        (_one_key_twice, "key", "acme: user-ca: the same key as host-ca"),
        (_no_held_key, "key", "at db-1"),
        (_no_target_authority, "account", "there is no target-ca"),
        (_bad_policy, "policy", "tests.yaml:2:"),
        (_no_policies, "policy", "is no folder"),
        (_bad_inventory, "inventory", "missing key 'targets'"),
        (_open_recordings, "folder", "mode 0755"),
        (_recordings_are_a_file, "folder", "is no folder"),
        (_not_an_address_of_ours, "port", "192.0.2.1:0"),
        (_tls_of_two_minds, "tls", "not PEM"),
        (_open_policy, "mode", f"{TENANT}/tests.yaml may be written by others"),
        (_open_policies, "mode", f"policies/{TENANT} may be written by others"),
        (_open_inventory, "mode", f"{TENANT}.yaml may be written by others"),
        (_open_keys, "mode", "keys may be written by others"),
        (_open_config, "mode", "bastion.yaml may be written by others"),
        (_broken_revocations, "revoked", "revocations.jsonl:1:1: not a revocation"),
        (_anothers_public_half, "public", f"{TENANT}-target-ca.pub is not the public half"),
        (_no_public_half, "public", "host-ca.pub is no public key"),
        (_an_authority_as_held_key, "account", "is the host authority already"),
        (_host_key_is_an_authority, "key", "host-ca: the same key as host-key"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_each_thing_that_is_wrong_is_named_with_what_to_do(
    made: Bastion, spoil: Callable[[Bastion], None], about: str, text: str
) -> None:
    spoil(made)
    failed = failures(made)
    assert any(finding.about == about and text in finding.text and finding.remedy for finding in failed), failed


@pytest.mark.parametrize(
    ("issuer", "shared"),
    [
        ("https://token.actions.githubusercontent.com", True),
        ("https://gitlab.com", True),
        ("https://accounts.google.com", True),
        ("https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0", True),
        ("https://sts.windows.net/11111111-2222-3333-4444-555555555555/", True),
        ("https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF", True),
        ("https://11112222-3333.tokens.sts.global.api.aws", True),
        ("https://gitlab.example.com", False),
        ("https://gitlab.com.example.com", False),
    ],
)
def test_an_issuer_for_everybody_needs_to_be_told_whose_tokens_are_meant(
    made: Bastion, issuer: str, shared: bool
) -> None:
    settings = made.settings["tenants"][TENANT]["issuers"][0]
    settings["issuer"] = issuer
    for require, warned in (({}, shared), ({"owner": ["acme"]}, False)):
        settings["require"] = require
        found = [finding for finding in findings(made) if finding.about == "issuer"]
        assert [finding.level for finding in found] == ["warn"] * warned


def test_a_credential_that_only_the_service_can_see_is_no_failure(
    made: Bastion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    made.settings["ssh"]["host-ca"] = {"credential": "host-ca"}
    warned = [finding for finding in findings(made) if finding.level == "warn"]
    assert any("'host-ca' can not be seen from here" in finding.text for finding in warned)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(made.folder / "keys"))
    assert failures(made) == []


def test_a_port_in_use_is_a_failure_unless_it_is_the_bastion_that_runs(
    made: Bastion, bastion: Bastion, client: Maker
) -> None:
    del client  # it needs the module's bastion, which runs
    made.settings["ssh"]["listen"] = [f"127.0.0.1:{bastion.ssh_port}"]
    made.settings["api"]["listen"] = f"127.0.0.1:{bastion.api_port}"
    assert [finding for finding in failures(made) if finding.about == "port"] == []
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        made.settings["api"]["listen"] = f"127.0.0.1:{stranger.getsockname()[1]}"
        made.settings["ssh"]["listen"] = ["127.0.0.1:0"]
        assert ["is in use" in finding.text for finding in failures(made)] == [True]


def test_targets_are_compared_with_their_pinned_keys_and_nobody_logs_in(
    made: Bastion, target: Sshd, tmp_path: Path
) -> None:
    good = Target.of("web-1", target)
    stranger = write_key(tmp_path / "stranger")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening: refuses
        down = replace(good, name="down", port=unused.getsockname()[1])
        made.write_inventory([good, replace(good, name="other", host_key=stranger), down])
        found = [finding for finding in findings(made, targets=True) if finding.about == "target"]
    assert [finding.level for finding in found] == ["ok", "fail", "fail"]
    assert "another host key" in found[1].text
    assert "can not be reached" in found[2].text
    assert "Accepted" not in target.log


def test_no_finding_shows_a_secret(made: Bastion) -> None:
    """Law 5: the doctor reads every key there is, and prints none of it."""
    shown = "\n".join(map(str, findings(made, targets=True)))
    for path in (made.folder / "keys").iterdir():
        if path.suffix != ".pub":
            body = "".join(path.read_text().splitlines()[1:-1])
            assert not any(body[start : start + 24] in shown for start in range(0, len(body) - 24, 8))
