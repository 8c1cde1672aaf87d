"""The inventory: what it accepts, what it refuses and where, and that it never trusts on first use."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from bastion.errors import BadFile
from bastion.targets.inventory import Inventory, load
from bastion.targets.login_shell import SHELLS
from bastion.targets.target import Account, Secret


def _line(key: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


ED25519 = _line(ed25519.Ed25519PrivateKey.generate())
RSA_1024 = _line(rsa.generate_private_key(65537, 1024))  # noqa: S505 -- weak on purpose: it must be refused
RSA_2048 = _line(rsa.generate_private_key(65537, 2048))
DSA = "ssh-dss AAAAB3NzaC1kc3M="

GOOD = {
    "name": "web-1",
    "address": '"10.0.0.1:2200"',
    "labels": "{env: prod}",
    "host-keys": f'["{ED25519} a comment"]',
    "accounts": "{deploy: {key: {file: /k}}}",
}


def written(tmp_path: Path, **changes: str | None) -> Path:
    """An inventory of one target, GOOD with `changes` (`host_keys` for `host-keys`; None leaves a key out)."""
    fields = GOOD | {name.replace("_", "-"): value for name, value in changes.items()}
    lines = [f"{name}: {value}" for name, value in fields.items() if value is not None]
    path = tmp_path / "inventory.yaml"
    path.write_text("version: 1\ntargets:\n  - " + "\n    ".join(lines) + "\n")
    return path


def loaded(tmp_path: Path, **changes: str | None) -> Inventory:
    return load(written(tmp_path, **changes), "acme")


def test_a_target_is_read_with_everything_it_tells(tmp_path: Path) -> None:
    inventory = loaded(
        tmp_path,
        host_ca=f'["{RSA_2048}"]',
        accounts="{deploy: {key: {file: /k}, passphrase: {credential: p}, shell: bash}, app: {certificate: true}}",
    )
    (target,) = inventory.targets
    assert (target.tenant, target.name, target.host, target.port) == ("acme", "web-1", "10.0.0.1", 2200)
    assert dict(target.labels) == {"env": "prod"}
    assert target.host_keys == (ED25519,)
    assert target.host_cas == (RSA_2048,)
    assert target.accounts["deploy"] == Account(
        "deploy", Secret("file", "/k"), Secret("credential", "p"), certificate=False, shell="bash"
    )
    assert target.accounts["app"] == Account("app", None, None, certificate=True, shell="")


def test_names_are_found_whatever_their_case(tmp_path: Path) -> None:
    inventory = loaded(tmp_path)
    assert inventory.find("WEB-1") is inventory.targets[0]
    assert inventory.find("web-2") is None
    assert inventory.find("") is None
    assert len(inventory) == 1


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("web.example.com", "web.example.com", 22),
        ('"web:2222"', "web", 2222),
        ('"[2001:db8::1]"', "2001:db8::1", 22),
        ('"[2001:db8::1]:22022"', "2001:db8::1", 22022),
        ('"10.0.0.9:65535"', "10.0.0.9", 65535),
    ],
)
def test_an_address_is_a_host_and_a_port(tmp_path: Path, address: str, host: str, port: int) -> None:
    target = loaded(tmp_path, address=address).targets[0]
    assert (target.host, target.port) == (host, port)


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_that_quotes_as_posix_says_is_accepted(tmp_path: Path, shell: str) -> None:
    inventory = loaded(tmp_path, accounts=f"{{a: {{key: {{file: /k}}, shell: {shell}}}}}")
    assert inventory.targets[0].accounts["a"].shell == shell


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "Web-1"}, "lower-case"),
        ({"name": "-web"}, "not a target's name"),
        ({"name": "a" * 254}, "not a target's name"),
        ({"name": '"web 1"'}, "not a target's name"),
        ({"name": None}, "missing key 'name'"),
        ({"address": None}, "missing key 'address'"),
        ({"address": '"2001:db8::1"'}, "in brackets"),
        ({"address": '"web:0"'}, "between 1 and 65535"),
        ({"address": '"web:70000"'}, "between 1 and 65535"),
        ({"address": '"web:"'}, "port must be a number"),
        ({"address": '"web:٢٢"'}, "port must be a number"),
        ({"address": '"[10.0.0.1]:22"'}, "not an address"),
        ({"address": '"[::1"'}, "not an address"),
        ({"address": '"a b"'}, "not an address"),
        ({"address": '"-oProxyCommand=x"'}, "not an address"),
        ({"labels": "{env: 1}"}, "expected text, found integer"),
        ({"labels": '{"a b": x}'}, "not a label's name"),
        ({"host_keys": None}, "pin one of them"),
        ({"host_keys": "[]"}, "pins nothing"),
        ({"host_keys": f'["{RSA_1024}"]'}, "1024 bits is weak"),
        ({"host_keys": f'["{DSA}"]'}, "DSA is broken"),
        ({"host_keys": '["ssh-ed25519 AAAA"]'}, "cut short"),
        ({"host_keys": '["ssh-ed25519"]'}, "cut short"),
        ({"host_keys": '["rubbish"]'}, "it is 'rubbish'"),
        ({"host_keys": f'["ssh-rsa {ED25519.split()[1]}"]'}, "cut short"),
        ({"host_ca": "[]"}, "pins nothing"),
        ({"accounts": None}, "missing key 'accounts'"),
        ({"accounts": "{}"}, "no account"),
        ({"accounts": "[]"}, "expected a mapping, found list"),
        ({"accounts": "{a: {}}"}, "exactly one of `key"),
        ({"accounts": "{a: {certificate: false}}"}, "exactly one of `key"),
        ({"accounts": "{a: {certificate: true, key: {file: /k}}}"}, "exactly one of `key"),
        ({"accounts": "{a: {certificate: true, passphrase: {file: /k}}}"}, "a passphrase without a key"),
        ({"accounts": "{a: {key: {file: k}}}"}, "not an absolute path"),
        ({"accounts": "{a: {key: /k}}"}, "expected a mapping, found text"),
        ({"accounts": "{a: {key: {}}}"}, "exactly one of the two"),
        ({"accounts": "{a: {key: {file: /k, credential: c}}}"}, "exactly one of the two"),
        ({"accounts": "{a: {key: {credential: ../k}}}"}, "not a credential's name"),
        ({"accounts": "{a%b: {certificate: true}}"}, "not an account's name"),
        ({"accounts": "{a: {certificate: true, shell: fish}}"}, "backslash inside single quotes"),
        ({"accounts": "{a: {certificate: true, shell: tcsh}}"}, "it expands '!'"),
        ({"accounts": "{a: {certificate: true, shell: csh}}"}, "it expands '!'"),
        ({"accounts": "{a: {certificate: true, shell: zsh}}"}, "evaluates quoted words"),
        ({"accounts": "{a: {certificate: true, shell: mksh}}"}, "evaluates quoted words"),
        ({"accounts": "{a: {certificate: true, shell: nu}}"}, "does not read quotes as POSIX shells do"),
        ({"accounts": "{a: {certificate: true, shell: nologin}}"}, "it runs no commands"),
        ({"accounts": "{a: {certificate: true, shell: /usr/bin/fish}}"}, "backslash inside single quotes"),
        ({"accounts": "{a: {certificate: true, shell: /bin/bash}}"}, "write the shell's name alone, 'bash'"),
        ({"accounts": "{a: {certificate: true, shell: nosh}}"}, "not a login shell"),
        ({"accounts": "{a: {certificate: true, sehll: sh}}"}, "did you mean 'shell'"),
        ({"adress": "x"}, "did you mean 'address'"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, changes: dict[str, str | None], message: str) -> None:
    with pytest.raises(BadFile) as caught:
        loaded(tmp_path, **changes)
    assert message in str(caught.value)
    assert all(problem.place.file.endswith("inventory.yaml") for problem in caught.value.problems)


def test_two_targets_of_one_name_are_refused_at_the_second(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.write_text(path.read_text() + path.read_text().partition("targets:\n")[2])
    with pytest.raises(BadFile, match="a second target 'web-1'") as caught:
        load(path, "acme")
    assert [problem.place.line for problem in caught.value.problems] == [8]


def test_every_problem_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(BadFile) as caught:
        loaded(tmp_path, name="UP", address='"::"', accounts="{a: {}, b: {shell: fish}}")
    assert len(caught.value.problems) == 5


@pytest.mark.parametrize("text", ["", "version: 2\ntargets: []\n", "targets: []\n", "version: 1\n"])
def test_a_file_without_version_1_and_targets_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "inventory.yaml"
    path.write_text(text)
    with pytest.raises(BadFile):
        load(path, "acme")


def test_no_targets_yet_is_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "inventory.yaml"
    path.write_text("version: 1\ntargets: []\n")
    assert load(path, "acme").targets == ()


@given(st.text(alphabet="[]:.-0123456789abcxyz %@/\\", max_size=40))
def test_any_address_is_either_read_whole_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    quoted = '"' + text.replace("\\", "\\\\") + '"'
    try:
        target = loaded(tmp_path_factory.mktemp("any"), address=quoted).targets[0]
    except BadFile:
        return
    assert 1 <= target.port <= 65535
    assert target.host
    assert not target.host.startswith("-")
    assert not set(target.host) & set("[] %@/\\")
