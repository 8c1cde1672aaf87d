"""From a real OpenID provider to a shell on a target: the bastion's own commands, and stock `ssh`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from bastion.identity.authority import generate
from tests.system.harness.bastion import TENANT, Bastion, Target
from tests.system.harness.sshd import ACCOUNT, Sshd
from tests.system.harness.waiting import until
from tests.system.oidc_provider import Provider

RESOURCE = "https://bastion.test"
SECONDS = 60


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider() as made:
        made.start("first", "ES256")
        yield made


@pytest.fixture
def served(tmp_path: Path, provider: Provider, target: Sshd) -> Iterator[Bastion]:
    """A bastion of its own for each test, so that each begins without cached keys."""
    bastion = Bastion(tmp_path / "bastion", [Target.of("web-1", target)])
    bastion.settings["tenants"][TENANT]["issuers"] = [
        {
            "issuer": provider.url,
            "audience": ["bastion", "person"],
            "algorithms": ["ES256", "RS256"],
            "principals": ["{sub}@test"],
            "groups": ["{groups}"],
        }
    ]
    with bastion:
        yield bastion


def command(
    *words: object, environment: dict[str, str] | None = None, status: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run `bastion …`; its exit status must be `status`."""
    done = subprocess.run(
        [sys.executable, "-m", "bastion", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "AGENT_SECRET": "agent-secret", **(environment or {})},
        check=False,
    )
    assert done.returncode == status, done.stderr
    assert "agent-secret" not in done.stdout + done.stderr
    return done


def credentials(bastion: Bastion, provider: Provider) -> list[str]:
    api = f"http://127.0.0.1:{bastion.api_port}"
    client = ["--client-id", "agent", "--client-secret-env", "AGENT_SECRET", "--resource", RESOURCE]
    return ["--api", api, "--issuer", provider.url, *client]


def token(provider: Provider) -> str:
    answer = httpx2.post(
        f"{provider.url}/token",
        auth=("agent", "agent-secret"),
        data={"grant_type": "client_credentials", "resource": RESOURCE},
    )
    return str(answer.json()["access_token"])


def trade(bastion: Bastion, text: str) -> httpx2.Response:
    return httpx2.post(
        f"http://127.0.0.1:{bastion.api_port}/v1/certificates",
        json={"public_key": generate()[1]},
        headers={"Authorization": f"Bearer {text}"},
    )


def test_client_credentials_lead_to_a_certificate_in_a_folder(
    tmp_path: Path, served: Bastion, provider: Provider
) -> None:
    out = tmp_path / "a folder"
    done = command("cert", *credentials(served, provider), "--out", out, "--json")
    assert json.loads(done.stdout)["principals"] == ["agent@test"]
    names = sorted(path.name for path in out.iterdir())
    assert names == [".bastion.lock", "bastion_ed25519", "bastion_ed25519-cert.pub", "bastion_known_hosts"]
    assert [path.stat().st_mode & 0o777 for path in (out, out / "bastion_ed25519")] == [0o700, 0o600]
    assert (out / "bastion_known_hosts").read_text() == f"@cert-authority * {served.host_ca}\n"
    event = served.audit("certificate-issued")[-1]
    assert (event["identity"], event["issuer"], event["groups"]) == ("agent@test", provider.url, ["agents"])


def test_plain_ssh_gets_its_certificate_by_itself(tmp_path: Path, served: Bastion, provider: Provider) -> None:
    """`ssh web-1` with what `bastion ssh-config` printed, and nothing made beforehand, in a path with a blank."""
    out = tmp_path / "a folder"
    printed = command(
        *("ssh-config", "--host", "127.0.0.1", "--port", served.ssh_port, "--out", out),
        *("--targets", "web-*", "--account", ACCOUNT, "--", *credentials(served, provider)),
    ).stdout
    config = tmp_path / "ssh_config"
    config.write_text(printed)
    for text in ("echo one", "echo two"):
        done = subprocess.run(
            ["ssh", "-F", config, "web-1", text],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "AGENT_SECRET": "agent-secret"},
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, text.removeprefix("echo ") + "\n"), done.stderr
    assert len(served.audit("certificate-issued")) == 1


def test_with_ssh_agent_plain_ssh_works_and_an_emptied_agent_is_filled_again(
    tmp_path: Path, served: Bastion, provider: Provider
) -> None:
    environment = {"SSH_AUTH_SOCK": str(tmp_path / "agent"), "AGENT_SECRET": "agent-secret"}
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", environment["SSH_AUTH_SOCK"]], stdout=subprocess.DEVNULL)
    try:
        until(Path(environment["SSH_AUTH_SOCK"]).exists)
        printed = command(
            *("ssh-config", "--host", "127.0.0.1", "--port", served.ssh_port, "--out", tmp_path / "held", "--agent"),
            *("--targets", "web-*", "--account", ACCOUNT, "--", *credentials(served, provider)),
        ).stdout
        config = tmp_path / "ssh_config"
        config.write_text(printed)
        for _ in range(2):
            done = subprocess.run(
                ["ssh", "-F", config, "web-1", "echo one"],
                capture_output=True,
                text=True,
                timeout=SECONDS,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **environment},
                check=False,
            )
            assert (done.returncode, done.stdout) == (0, "one\n"), done.stderr
            emptied = subprocess.run(
                ["ssh-add", "-D"], env={**os.environ, **environment}, capture_output=True, timeout=SECONDS, check=False
            )
            assert emptied.returncode == 0
        assert len(served.audit("certificate-issued")) == 1
    finally:
        agent.terminate()
        agent.wait(10)


def test_ten_ssh_at_once_renew_once(tmp_path: Path, served: Bastion, provider: Provider) -> None:
    out = tmp_path / "held"
    words = ["cert", "--if-needed", "--out", str(out), *credentials(served, provider)]
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "bastion", *words],
            stdin=subprocess.DEVNULL,
            env={**os.environ, "AGENT_SECRET": "agent-secret"},
        )
        for _ in range(10)
    ]
    assert [process.wait(SECONDS) for process in running] == [0] * 10
    assert len(served.audit("certificate-issued")) == 1


def test_a_person_signs_in_with_a_browser(tmp_path: Path, served: Bastion, provider: Provider) -> None:
    status, output = sign_in(tmp_path, served, provider, allow=True)
    assert (status, "alice@test" in output) == (0, True), output
    event = served.audit("certificate-issued")[-1]
    assert (event["subject"], event["groups"]) == ("alice", ["on-call", "people"])


def test_a_person_who_refuses_gets_nothing(tmp_path: Path, served: Bastion, provider: Provider) -> None:
    status, output = sign_in(tmp_path, served, provider, allow=False)
    assert (status, "the sign-in was refused" in output) == (1, True), output
    assert not (tmp_path / "held" / "bastion_ed25519").exists()
    assert served.audit("certificate-issued") == []


def sign_in(tmp_path: Path, served: Bastion, provider: Provider, *, allow: bool) -> tuple[int, str]:
    """Run `bastion login`, do in a browser what it asks for, and wait for its end: its status and what it printed."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "bastion", "login", "--api", f"http://127.0.0.1:{served.api_port}"),
            *("--issuer", provider.url, "--client-id", "person", "--out", str(tmp_path / "held")),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    patience = threading.Timer(SECONDS, process.kill)
    patience.start()
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first.startswith("Open http://127.0.0.1:"), first
        provider.answer_device(first.split()[1], login="alice", allow=allow)
        return process.wait(SECONDS), first + process.stdout.read()
    finally:
        patience.cancel()
        process.kill()
        process.communicate()


def test_rotated_keys_are_found_and_withdrawn_ones_refused(served: Bastion, provider: Provider) -> None:
    old = token(provider)
    assert trade(served, old).status_code == 201
    provider.stop()
    provider.start("second", "ES256")
    assert trade(served, token(provider)).status_code == 201
    refused = trade(served, old)
    assert (refused.status_code, "does not publish" in refused.json()["detail"]) == (401, True)


def test_another_type_of_key_after_a_rotation(served: Bastion, provider: Provider) -> None:
    assert trade(served, token(provider)).status_code == 201
    provider.stop()
    provider.start("third", "RS256")
    assert trade(served, token(provider)).status_code == 201


def test_while_the_provider_is_down_its_tokens_are_good_but_new_ones_can_not_be_had(
    tmp_path: Path, served: Bastion, provider: Provider
) -> None:
    text = token(provider)
    out = tmp_path / "held"
    command("cert", *credentials(served, provider), "--out", out)
    provider.stop()
    try:
        assert trade(served, text).status_code == 201
        done = command("cert", *credentials(served, provider), "--out", out, status=1)
        assert "can not be reached" in done.stderr
        command("cert", "--if-needed", *credentials(served, provider), "--out", out)
    finally:
        provider.start("fourth", "ES256")


def test_a_provider_that_was_never_seen_is_an_outage_not_a_bad_token(served: Bastion, provider: Provider) -> None:
    text = token(provider)
    provider.stop()
    try:
        answer = trade(served, text)
    finally:
        provider.start("fifth", "ES256")
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    assert served.audit("certificate-refused")[-1]["reason"] == answer.json()["detail"]


def test_a_token_for_another_service_is_refused_and_told(served: Bastion, provider: Provider) -> None:
    answer = httpx2.post(
        f"{provider.url}/token", auth=("agent", "agent-secret"), data={"grant_type": "client_credentials"}
    ).json()
    refused = trade(served, answer["access_token"])
    assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, 'Bearer error="invalid_token"')
    assert answer["access_token"] not in json.dumps(served.audit())


def test_a_wrong_client_secret_is_told_without_it(tmp_path: Path, served: Bastion, provider: Provider) -> None:
    words = credentials(served, provider)
    done = command("cert", *words, "--out", tmp_path, environment={"AGENT_SECRET": "wrong-secret"}, status=1)
    assert "the issuer refused the client agent: invalid_client" in done.stderr
    assert "wrong-secret" not in done.stderr
