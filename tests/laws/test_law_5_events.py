"""Law 5, no secret at rest, in the trail's part: an event has no field that a secret could be meant for."""

from __future__ import annotations

import dataclasses

import pytest

from bastion.asciicast.encoder import Head
from bastion.audit.events import Event
from tests.core.test_audit_events import CATALOGUE

SECRETS = {
    "token",
    "key",
    "password",
    "passphrase",
    "secret",
    "assertion",
    "code",
    "cookie",
    "authorization",
    "private",
}
CONTENTS = {"value", "values", "input", "stdin", "output", "data", "blob", "claims", "environment"}


@pytest.mark.parametrize("kind", [*CATALOGUE, Head], ids=lambda kind: kind.__name__)
def test_no_field_is_meant_for_a_secret(kind: type[Event] | type[Head]) -> None:
    """No event, and no header of a recording, has a field for a token, key, password, value, input or output."""
    assert not {word for field in dataclasses.fields(kind) for word in field.name.split("_")} & (SECRETS | CONTENTS)


@pytest.mark.parametrize("kind", CATALOGUE, ids=lambda kind: kind.kind)
def test_an_event_holds_only_what_its_class_names(kind: type[Event]) -> None:
    """Nothing can be hung onto an event beside its fields, which the catalogue lists."""
    with pytest.raises((AttributeError, TypeError)):
        object.__setattr__(object.__new__(kind), "more", "secret")
