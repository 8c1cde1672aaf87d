"""Targets and the policy in force, over HTTP: what stands in the files, as the bastion has read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bastion.api import pages, shapes
from bastion.api.guard import Asked, Handler
from bastion.characters import shown
from bastion.policy import told
from bastion.policy.model import Policy
from bastion.targets.target import Target

MAX_PROBLEMS = 100


class Overview:
    """`targets` and `in_force` give a tenant's as they are now; `rejected` what was wrong with the files of a tenant
    when they were last read, a text each."""

    def __init__(
        self,
        targets: Callable[[str], Sequence[Target]],
        in_force: Callable[[str], Policy],
        rejected: Callable[[str], Sequence[str]],
    ) -> None:
        self._targets = targets
        self._in_force = in_force
        self._rejected = rejected

    def handlers(self) -> Mapping[str, Handler]:
        return {"targets": self.targets, "policy": self.policy}

    async def targets(self, asked: Asked) -> Mapping[str, Any]:
        """By their names."""
        found = sorted(self._targets(asked.tenant), key=lambda target: target.name)
        limit, after = pages.limit(asked.query), pages.name(asked.query)
        if after is not None:
            found = [target for target in found if target.name > after]
        return {
            "items": [shapes.target(target) for target in found[:limit]],
            "next": pages.write(found[limit - 1].name) if len(found) > limit else None,
        }

    async def policy(self, asked: Asked) -> Mapping[str, Any]:
        """Files are told by their names, without folders; so are problems."""
        policy = self._in_force(asked.tenant)
        rejected = [shown(text, 1000) for text in self._rejected(asked.tenant)[:MAX_PROBLEMS]]
        files = [file.rpartition("/")[2] for file in policy.files]
        return {**told.policy(policy), "files": files, "tenant": asked.tenant, "problems": rejected}
