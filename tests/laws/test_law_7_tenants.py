"""Law 7: whatever names tenants share, the gate gives an identity its own tenant's targets and judges by its policy."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastion.asked import Asked
from bastion.audit.events import Event
from bastion.context import Knock
from bastion.errors import BadCertificate, Denied, NoSuchTarget
from bastion.gate import Gate
from bastion.identity.authority import Authority, generate
from bastion.identity.principal import Identity
from bastion.policy import loader
from bastion.targets.inventory import Inventory
from bastion.targets.target import Account, Target
from bastion.verdicts import Tenant
from tests.laws.not_asked import NotAsked

NOW = 1_800_000_000
KNOCK = Knock("c0ffee", "192.0.2.7")
TENANTS = ("one", "two", "three")
NAMES = ("web-1", "db-1", "build")
PUBLIC = generate()[1]


class Trail:
    def __init__(self) -> None:
        self.events: list[Event] = []

    async def write(self, event: Event) -> None:
        self.events.append(event)

    def write_soon(self, event: Event) -> None:
        self.events.append(event)


def target(tenant: str, name: str) -> Target:
    account = Account("deploy", None, None, True, "bash")
    return Target(tenant, name, f"{tenant}.example.com", 22, {}, ("ssh-ed25519 AAAA",), (), {"deploy": account})


@pytest.fixture(scope="module")
def authorities() -> dict[str, Authority]:
    return {tenant: Authority.load(generate()[0], None, tenant) for tenant in TENANTS}


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each tenant's agents may run `echo TENANT`."""
    folders = {}
    for tenant in TENANTS:
        folders[tenant] = tmp_path_factory.mktemp(tenant)
        rule = f'{{id: r, effect: allow, who: {{groups: [agents]}}, commands: ["echo {tenant}"]}}'
        (folders[tenant] / "p.yaml").write_text(f"version: 1\nrules: [{rule}]\n")
    return folders


def certificate(authority: Authority, tenant: str) -> bytes:
    identity = Identity(tenant, "https://i.example.com", "agent-1", ("agent-1",), frozenset({"agents"}), {})
    line = authority.issue_user(PUBLIC, identity, serial=7, valid_after=NOW - 10, valid_before=NOW + 600)
    return base64.b64decode(line.split()[1])


@given(
    mine=st.sampled_from(TENANTS),
    signer=st.sampled_from(TENANTS),
    asks=st.sampled_from(NAMES),
    says=st.sampled_from(TENANTS),
    there=st.fixed_dictionaries({tenant: st.sets(st.sampled_from(NAMES)) for tenant in TENANTS}),
)
async def test_no_path_crosses(
    authorities: dict[str, Authority],
    policies: dict[str, Path],
    mine: str,
    signer: str,
    asks: str,
    says: str,
    there: dict[str, set[str]],
) -> None:
    trail = Trail()
    tenants = {
        tenant: Tenant(
            tenant,
            (authorities[tenant].public_blob,),
            loader.load(policies[tenant]),
            Inventory([target(tenant, name) for name in sorted(there[tenant])]),
        )
        for tenant in TENANTS
    }
    gate = Gate(tenants, trail, lambda _: None, lambda: float(NOW), NotAsked(), NotAsked())
    try:
        credential = gate.check(KNOCK, certificate(authorities[signer], mine))
        context = await gate.admit(KNOCK, credential, asks, "deploy")
        assert context.target is tenants[mine].inventory.find(asks)
        assert (signer, context.tenant, context.target.tenant) == (mine, mine, mine)
        await gate.judge(context, Asked("5e55", "exec", f"echo {says}".encode(), {}))
        assert says == mine
    except BadCertificate:
        assert signer != mine
    except NoSuchTarget:
        assert asks not in there[mine]
    except Denied:
        assert says != mine
    assert {getattr(event, "tenant", mine) for event in trail.events} <= {mine}
