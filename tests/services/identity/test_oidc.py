"""Tokens: which are accepted, which are refused and why, and how keys are had and kept."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bastion.errors import BadToken, IssuerDown, OperatorError
from bastion.identity import keys
from bastion.identity.oidc import Issuer, Verifier
from tests.services.identity.parts import (
    CLAIMS,
    DISCOVERY,
    ISSUER,
    JWKS,
    KEYS,
    NOW,
    URL,
    Clock,
    Documents,
    encoded,
    jwk,
    published,
    token,
)

VECTORS = yaml.safe_load((Path(__file__).parents[2] / "vectors" / "oidc.yaml").read_text())
PUBLISHED = ("first", "second", "p384", "rsa", "weak", "edwards")
HEADER = {"alg": "ES256", "kid": "first", "typ": "JWT"}
TIMES = ("exp", "nbf", "iat")


def good(**claims: Any) -> str:
    return token({**CLAIMS, **claims}, HEADER, "first")


def crafted(vector: dict[str, Any]) -> str:
    changes = {
        name: int(NOW) + value if name in TIMES and type(value) is int else value
        for name, value in vector.get("claims", {}).items()
    }
    claims = {name: value for name, value in (CLAIMS | changes).items() if name not in vector.get("without", [])}
    header = {name: value for name, value in (HEADER | vector.get("header", {})).items() if value is not None}
    if "jwk" in header:
        header["jwk"] = jwk(KEYS[header["jwk"]])
    return token(claims, header, vector.get("signer", "first"))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
async def test_a_token_is_accepted_or_refused_with_the_reason(vector: dict[str, Any]) -> None:
    documents = Documents(published(*PUBLISHED))
    verifier = Verifier([ISSUER], documents, Clock())
    text = crafted(vector)
    if "accept" in vector:
        identity, issuer = await verifier.identify(text, None)
        assert (identity.name, issuer) == (vector["accept"], ISSUER)
        return
    with pytest.raises(BadToken, match=vector["refuse"]) as refused:
        await verifier.identify(text, None)
    assert text not in str(refused.value)
    assert str(refused.value).isprintable()
    assert set(documents.asked) <= {DISCOVERY, JWKS}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a.b",
        "a.b.c",
        "..",
        "a.b.c.d.e",
        "é.é.é",
        good() + "." + "x",
        good().replace(".", "..", 1),
        "x" * 20000,
        f"{encoded(b'[]')}.{encoded(b'{}')}.",
        f"{encoded(b'{}')}.{encoded(b'7')}.",
        f"{encoded(b'[' * 9000)}.{encoded(b'{}')}.",
        token(json.dumps(CLAIMS).encode()[:-1] + b', "sub": "root"}', HEADER, "first"),
        token(json.dumps(CLAIMS).encode()[:-1] + b', "x": NaN}', HEADER, "first"),
        token(b"\xff\xfe", HEADER, "first"),
        *(token(json.dumps(CLAIMS).encode(name), HEADER, "first") for name in ("utf-16", "utf-32", "utf-8-sig")),
    ],
)
async def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(BadToken, match="not a token"):
        await Verifier([ISSUER], Documents(published("first")), Clock()).identify(text, None)


@given(at=st.integers(0, 10_000), letter=st.sampled_from("AZaz09-_.=+/ \n\0é"))
def test_a_token_with_one_letter_changed_is_refused(at: int, letter: str) -> None:
    """Nothing but BadToken, whatever is changed."""
    text = good()
    at %= len(text)
    changed = text[:at] + letter + text[at + 1 :]
    verifier = Verifier([ISSUER], Documents(published("first")), Clock())
    if changed == text:
        return
    try:
        identity, _ = asyncio.run(verifier.identify(changed, None))
    except BadToken:
        return
    # The last letter of base64 has bits that mean nothing; the bytes were the same then.
    assert at == len(text) - 1
    assert identity.name == "agent@demo"


async def test_claims_become_an_identity_by_the_issuers_templates() -> None:
    verifier = Verifier([ISSUER], Documents(published("first")), Clock())
    identity, _ = await verifier.identify(good(groups=["on-call", "Domain Admins"]), "demo")
    assert (identity.tenant, identity.issuer, identity.subject) == ("demo", URL, "agent")
    assert identity.principals == ("agent@demo",)
    assert identity.groups == {"agents", "on-call", "Domain Admins"}
    assert identity.claims == {"environment": "prod"}


async def test_an_identity_too_large_for_a_certificate_is_refused() -> None:
    verifier = Verifier([ISSUER], Documents(published("first")), Clock())
    with pytest.raises(BadToken, match="says too much"):
        await verifier.identify(good(groups=[f"{number:0>200}" for number in range(45)]), None)


async def test_tenants_that_trust_one_issuer_do_not_meet() -> None:
    other = Issuer(URL, ("bastion",), "other", ("{sub}",))
    verifier = Verifier([ISSUER, other], Documents(published("first")), Clock())
    with pytest.raises(BadToken, match="say which tenant"):
        await verifier.identify(good(), None)
    assert (await verifier.identify(good(), "other"))[0].tenant == "other"
    assert (await verifier.identify(good(), "demo"))[0].tenant == "demo"
    with pytest.raises(BadToken, match="not one that is trusted here for this tenant"):
        await verifier.identify(good(), "third")


async def test_the_audience_tells_tenants_apart() -> None:
    other = Issuer(URL, ("other-bastion",), "other", ("{sub}",))
    verifier = Verifier([ISSUER, other], Documents(published("first")), Clock())
    assert (await verifier.identify(good(aud="other-bastion"), None))[0].tenant == "other"
    with pytest.raises(BadToken, match="another audience"):
        await verifier.identify(good(aud="other-bastion"), "demo")


# -- keys --------------------------------------------------------------------------------------------------------------


class Held(Documents):
    """Answers nothing until it is `released`."""

    def __init__(self, documents: dict[str, Any]) -> None:
        super().__init__(documents)
        self.reached = asyncio.Event()
        self.released = asyncio.Event()

    async def fetch(self, url: str) -> bytes:
        self.reached.set()
        await self.released.wait()
        return await super().fetch(url)


async def test_keys_are_fetched_once_for_many_tokens_at_once() -> None:
    documents = Held(published("first"))
    verifier = Verifier([ISSUER], documents, Clock())
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(verifier.identify(good(), None)) for _ in range(50)]
        await documents.reached.wait()
        documents.released.set()
    assert {task.result()[0].name for task in tasks} == {"agent@demo"}
    assert documents.asked == [DISCOVERY, JWKS]


async def test_while_keys_are_fetched_again_the_old_ones_serve() -> None:
    """An issuer that hangs delays one token, not all of them."""
    documents, clock = Held(published("first")), Clock()
    documents.released.set()
    verifier = Verifier([ISSUER], documents, Clock(), clock)
    await verifier.identify(good(), None)
    clock.now += keys.MAX_AGE
    documents.released.clear()
    documents.reached.clear()
    async with asyncio.TaskGroup() as group:
        delayed = group.create_task(verifier.identify(good(), None))
        await documents.reached.wait()
        await asyncio.wait_for(verifier.identify(good(), None), 5)
        assert not delayed.done()
        documents.released.set()


async def test_a_new_key_is_found_when_a_token_names_it() -> None:
    documents, clock = Documents(published("second")), Clock()
    verifier = Verifier([ISSUER], documents, Clock(), clock)
    with pytest.raises(BadToken, match="does not publish"):
        await verifier.identify(good(), None)
    documents.documents = published("first")
    clock.now += keys.UNKNOWN_KEY_PAUSE
    assert (await verifier.identify(good(), None))[0].name == "agent@demo"


async def test_unknown_keys_make_one_fetch_in_thirty_seconds() -> None:
    documents, clock = Documents(published("second")), Clock()
    verifier = Verifier([ISSUER], documents, Clock(), clock)
    for number in range(100):
        with pytest.raises(BadToken, match="does not publish"):
            await verifier.identify(token(CLAIMS, {**HEADER, "kid": f"k{number}"}, "stranger"), None)
    assert documents.asked.count(JWKS) == 2
    clock.now += keys.UNKNOWN_KEY_PAUSE
    with pytest.raises(BadToken, match="does not publish"):
        await verifier.identify(good(), None)
    assert documents.asked.count(JWKS) == 3


async def test_a_withdrawn_key_is_forgotten_after_the_cache_s_age() -> None:
    documents, clock = Documents(published("first")), Clock()
    verifier = Verifier([ISSUER], documents, Clock(), clock)
    await verifier.identify(good(), None)
    documents.documents = published("second")
    clock.now += keys.MAX_AGE - 1
    await verifier.identify(good(), None)
    clock.now += 1
    with pytest.raises(BadToken, match="does not publish"):
        await verifier.identify(good(), None)


async def test_cached_keys_serve_for_an_hour_while_the_issuer_is_down() -> None:
    documents, clock = Documents(published("first")), Clock()
    verifier = Verifier([ISSUER], documents, Clock(), clock)
    await verifier.identify(good(), None)
    documents.down = True
    clock.now += keys.MAX_STALE - 1
    await verifier.identify(good(), None)
    clock.now += 1
    with pytest.raises(IssuerDown):
        await verifier.identify(good(), None)
    documents.down = False
    clock.now += keys.RETRY_PAUSE
    await verifier.identify(good(), None)


async def test_an_issuer_that_is_down_is_not_asked_by_every_token() -> None:
    documents, clock = Documents({}), Clock()
    verifier = Verifier([ISSUER], documents, Clock(), clock)
    for _ in range(20):
        with pytest.raises(IssuerDown):
            await verifier.identify(good(), None)
    assert len(documents.asked) == 1
    documents.documents = published("first")
    clock.now += keys.RETRY_PAUSE
    await verifier.identify(good(), None)


async def test_an_unknown_key_while_the_issuer_is_down_is_a_bad_token_not_an_outage_for_all() -> None:
    documents, clock = Documents(published("second")), Clock()
    verifier = Verifier([ISSUER], documents, Clock(), clock)
    await verifier.identify(token(CLAIMS, {**HEADER, "kid": "second"}, "second"), None)
    documents.down = True
    with pytest.raises(BadToken, match="does not publish"):
        await verifier.identify(good(), None)


@pytest.mark.parametrize(
    ("address", "document", "message"),
    [
        (DISCOVERY, {"issuer": URL + "/", "jwks_uri": JWKS}, "another issuer"),
        (DISCOVERY, {"issuer": "https://evil.example.com", "jwks_uri": JWKS}, "another issuer"),
        (DISCOVERY, {"issuer": URL}, "names no https address"),
        (DISCOVERY, {"issuer": URL, "jwks_uri": "http://issuer.example.com/keys"}, "names no https address"),
        (DISCOVERY, {"issuer": URL, "jwks_uri": "file:///etc/passwd"}, "names no https address"),
        (DISCOVERY, {"issuer": URL, "jwks_uri": "http://127.0.0.1:8080/keys"}, "names no https address"),
        (DISCOVERY, {"issuer": URL, "jwks_uri": "http://localhost/keys"}, "names no https address"),
        (DISCOVERY, json.dumps({"issuer": URL, "jwks_uri": JWKS}).encode("utf-16"), "JSON"),
        (DISCOVERY, json.dumps({"issuer": URL, "jwks_uri": JWKS}).encode("utf-8-sig"), "JSON"),
        (DISCOVERY, b"<html>", "JSON"),
        (DISCOVERY, b"[]", "JSON object"),
        (JWKS, {}, "key set"),
        (JWKS, {"keys": {}}, "key set"),
        (JWKS, {"keys": [{}] * 65}, "key set"),
        (JWKS, b"[" * 5000, "JSON"),
    ],
)
async def test_an_issuer_that_answers_nonsense_is_down(address: str, document: Any, message: str) -> None:
    documents = Documents({**published("first"), address: document})
    with pytest.raises(IssuerDown, match=message):
        await Verifier([ISSUER], documents, Clock()).identify(good(), None)


@pytest.mark.parametrize(
    "change",
    [
        {"use": "enc"},
        {"alg": "ES384"},
        {"key_ops": ["sign"]},
        {"key_ops": "verify"},
        {"kty": "oct"},
        {"x": "AA"},
        {"y": 1},
    ],
)
async def test_a_published_key_not_meant_for_this_is_not_used(change: dict[str, Any]) -> None:
    documents = Documents(published("first", **change))
    with pytest.raises(BadToken, match="does not publish"):
        await Verifier([ISSUER], documents, Clock()).identify(good(), None)


async def test_a_broken_key_takes_no_other_with_it() -> None:
    documents = Documents(published("first"))
    documents.documents[JWKS]["keys"] = [7, {}, {"kty": "EC"}, {"kty": []}, *documents.documents[JWKS]["keys"]]
    await Verifier([ISSUER], documents, Clock()).identify(good(), None)


async def test_named_keys_need_no_discovery() -> None:
    issuer = Issuer(URL, ("bastion",), "demo", ("{sub}",), jwks="https://issuer.example.com/other")
    documents = Documents({"https://issuer.example.com/other": published("first")[JWKS]})
    await Verifier([issuer], documents, Clock()).identify(good(), None)


# -- settings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "setting",
    [
        {"algorithms": ("none",)},
        {"algorithms": ("HS256",)},
        {"algorithms": ("ES256", "HS512")},
        {"algorithms": ()},
        {"audience": ()},
        {"audience": ("",)},
        {"principals": ()},
        {"principals": ("{sub",)},
        {"groups": ("a}",)},
        {"lifetime": 3601},
        {"lifetime": 0},
        {"skew": 301},
        {"issuer": "http://issuer.example.com"},
        {"issuer": "http://127.0.0.1.evil.example.com"},
        {"issuer": "issuer.example.com"},
        {"jwks": "http://issuer.example.com/keys"},
    ],
)
def test_unsafe_settings_can_not_be_made(setting: dict[str, Any]) -> None:
    with pytest.raises(OperatorError, match="issuer"):
        Issuer(**{"issuer": URL, "audience": ("b",), "tenant": "demo", "principals": ("{sub}",), **setting})


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://[::1]:1", "http://localhost/x", "https://a.example"])
def test_plain_http_is_for_this_machine_only(url: str) -> None:
    assert Issuer(url, ("b",), "demo", ("{sub}",)).issuer == url


def test_one_issuer_twice_for_one_tenant_and_audience_is_an_error() -> None:
    with pytest.raises(OperatorError, match="twice"):
        Verifier([ISSUER, ISSUER], Documents({}), Clock())


async def test_a_subject_that_can_not_be_shown_is_refused_though_no_name_is_made_of_it() -> None:
    issuer = replace(ISSUER, principals=("{repository_owner}",))
    verifier = Verifier([issuer], Documents(published("first")), Clock())
    for subject in ("a\nb", "agent\u2800", chr(0xD800)):
        with pytest.raises(BadToken, match="can not be shown"):
            await verifier.identify(good(sub=subject), None)
