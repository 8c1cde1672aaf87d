"""What people and programs may do over HTTP, by the groups that their issuer says they are in. Nobody has a role by
default, and a role is of one tenant: that of the identity.

    viewer      targets, sessions (not what was typed or shown in them), the policy's version
    auditor     and recordings, live sessions, the audit trail, certificates
    approver    viewer, and approvals, with what the session did so far; whoever policy names in `approval: by` is one
    operator    all of that, and ends sessions, revokes grants and certificates

A role opens a route and decides nothing else: who may vote on a request is the request's to say (approvals.request).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum

from bastion.identity.principal import Identity
from bastion.policy.model import Policy


class Role(StrEnum):
    VIEWER = "viewer"
    AUDITOR = "auditor"
    APPROVER = "approver"
    OPERATOR = "operator"


IMPLIES: Mapping[Role, frozenset[Role]] = {
    Role.VIEWER: frozenset({Role.VIEWER}),
    Role.AUDITOR: frozenset({Role.AUDITOR, Role.VIEWER}),
    Role.APPROVER: frozenset({Role.APPROVER, Role.VIEWER}),
    Role.OPERATOR: frozenset(Role),
}
ALL = frozenset(Role)


class Roles:
    """Asked at every request, so that a change of policy holds from the next one.

    `groups` are the groups of each role of each tenant; `in_force` gives the policy of a tenant as it is now.
    """

    def __init__(
        self, groups: Mapping[str, Mapping[str, tuple[str, ...]]], in_force: Callable[[str], Policy | None]
    ) -> None:
        self._groups = {
            tenant: {Role(name): frozenset(members) for name, members in roles.items()}
            for tenant, roles in groups.items()
        }
        self._in_force = in_force
        self._approvers: dict[str, tuple[str, frozenset[str]]] = {}

    def of(self, identity: Identity) -> frozenset[Role]:
        """What this identity may, in its own tenant."""
        mapped = self._groups.get(identity.tenant, {})
        found = {role for role, groups in mapped.items() if identity.groups & groups}
        if identity.groups & self._named(identity.tenant):
            found.add(Role.APPROVER)
        return frozenset().union(*(IMPLIES[role] for role in found)) if found else frozenset()

    def _named(self, tenant: str) -> frozenset[str]:
        """The groups that the policy in force names as approvers; kept for each version."""
        policy = self._in_force(tenant)
        if policy is None:
            return frozenset()
        version, groups = self._approvers.get(tenant, ("", frozenset()))
        if version != policy.version:
            approvals = [*policy.approvals, *(rule.approval for rule in policy.rules if rule.approval is not None)]
            groups = frozenset(group for approval in approvals for group in approval.by)
            self._approvers[tenant] = (policy.version, groups)
        return groups
