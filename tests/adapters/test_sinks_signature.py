"""Signatures of webhooks: the vector that the specification is tested with, and secrets that are none."""

from __future__ import annotations

import base64

import pytest

from bastion.errors import KeyUnusable
from bastion.sinks.signature import headers, key_of

GOOD = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_the_vector_of_the_specification() -> None:
    told = headers(key_of(GOOD), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330.9, b'{"test": 2432232314}')
    assert told == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize("spelled", [GOOD + b"\n", b" " + GOOD, b"whsec_" + base64.b64encode(bytes(25)).rstrip(b"=")])
def test_a_line_end_or_missing_padding_is_no_other_key(spelled: bytes) -> None:
    assert len(key_of(spelled)) in (24, 25)


@pytest.mark.parametrize(
    "spelled",
    [
        b"",
        b"whsec_",
        GOOD.removeprefix(b"whsec_"),
        b"whsec_" + base64.b64encode(bytes(23)),
        b"whsec_" + base64.b64encode(bytes(65)),
        b"whsec_s3cr3t s3cr3t s3cr3t s3cr3t s3cr3t!",
        b"whsec_\xff\xfe" + bytes(40),
    ],
)
def test_what_is_no_secret_is_refused_without_telling_it(spelled: bytes) -> None:
    with pytest.raises(KeyUnusable) as refused:
        key_of(spelled)
    assert "s3cr3t" not in str(refused.value)
    assert refused.value.__cause__ is None
