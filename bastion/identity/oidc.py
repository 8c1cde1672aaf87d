"""OIDC tokens verified (RFC 7519, RFC 8725, OpenID Connect Core 3.1.3.7) and turned into identities.

The token's own words choose nothing but which of the configured issuers and which of that issuer's keys it is
checked against: keys or addresses in its header (`jwk`, `jku`, `x5c`, `x5u`) are not looked at, the algorithm must be
one that the settings allow and that the key is made for, and an extension marked critical refuses the token.

What this does not do: it does not ask the issuer whether the token was withdrawn, and a token can be traded for a
certificate as often as it is valid. Keep tokens short, and the audience this bastion's own.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwa import JWSAlgModel

from bastion.characters import hidden
from bastion.errors import BadToken, OperatorError
from bastion.identity import extension, mapping
from bastion.identity.keys import ALGORITHMS, Fetch, KeySource, PublicKey, trustworthy
from bastion.identity.principal import Identity

MAX_TOKEN = 16384
"""Characters of a token."""
MAX_LIFETIME = 3600
MAX_SKEW = 300


@dataclass(frozen=True, slots=True)
class Issuer:
    """An issuer that one tenant trusts, and how its tokens become identities. OperatorError for unsafe settings.

    `audience`: the token must be for at least one of them. `jwks`: the address of the keys, for issuers without
    discovery. `lifetime`: seconds of the certificates (at most 3600). `skew`: seconds that the issuer's clock may be
    off. `require`: claims that must have one of the given values. `principals`, `groups`, `owner`: templates (see
    mapping), the last one empty where agents have no owners. `claims`: the names of claims that the identity keeps,
    for policy.
    """

    issuer: str
    audience: tuple[str, ...]
    tenant: str
    principals: tuple[str, ...]
    groups: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    require: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    algorithms: tuple[str, ...] = ("RS256", "ES256", "PS256", "EdDSA")
    jwks: str | None = None
    lifetime: int = 900
    skew: int = 30
    owner: str = ""

    def __post_init__(self) -> None:
        problem = self._problem()
        if problem:
            raise OperatorError(f"issuer {self.issuer}: {problem}")

    def _problem(self) -> str | None:
        if not trustworthy(self.issuer) or not (self.jwks is None or trustworthy(self.jwks)):
            return "its address (and that of its keys) must be https, or http on a loopback address"
        if not self.audience or not all(self.audience):
            return "an audience is needed, or tokens made for other services would be accepted"
        if not self.principals or not self.tenant:
            return "a tenant and a template for principals are needed"
        unsafe = [name for name in self.algorithms if name not in ALGORITHMS]
        if unsafe or not self.algorithms:
            return f"algorithm {', '.join(unsafe) or 'list'} can not be used; allowed are {', '.join(ALGORITHMS)}"
        if not 60 <= self.lifetime <= MAX_LIFETIME or not 0 <= self.skew <= MAX_SKEW:
            return f"lifetime is 60 to {MAX_LIFETIME} seconds, skew 0 to {MAX_SKEW}"
        try:
            for template in (*self.principals, *self.groups, *((self.owner,) if self.owner else ())):
                mapping.check_template(template)
        except ValueError as error:
            return str(error)
        return None


class Verifier:
    """Verifies tokens of the given issuers. `clock` gives the seconds since 1970; `forward` seconds for the caches."""

    def __init__(
        self,
        issuers: Sequence[Issuer],
        fetch: Fetch,
        clock: Callable[[], float],
        forward: Callable[[], float] | None = None,
    ) -> None:
        self._issuers = tuple(issuers)
        self._clock = clock
        self._sources: dict[tuple[str, str | None], KeySource] = {}
        for issuer in issuers:
            address = (issuer.issuer, issuer.jwks)
            if address not in self._sources:
                self._sources[address] = KeySource(*address, fetch, forward or clock)
        known = [(issuer.issuer, issuer.tenant, issuer.audience) for issuer in issuers]
        for entry in known:
            if known.count(entry) > 1:
                raise OperatorError(f"issuer {entry[0]} is named twice for tenant {entry[1]} and the same audience")

    async def identify(self, token: str, tenant: str | None) -> tuple[Identity, Issuer]:
        """Who the token is for, and by which settings. BadToken; IssuerDown when its keys can not be had.

        `tenant` chooses between tenants that trust one issuer; None will do where only one of them does.
        """
        header, claims = _read(token)
        issuer = self._choose(claims, tenant)
        await self._check_signature(token, header, issuer)
        self._check_times(claims, issuer)
        mapping.check_required(claims, issuer.require)
        subject = claims.get("sub")
        if not isinstance(subject, str) or not 0 < len(subject) <= mapping.MAX_CLAIM:
            raise BadToken("the token has no subject (claim 'sub')")
        identity = Identity(
            tenant=issuer.tenant,
            issuer=issuer.issuer,
            subject=subject,
            principals=mapping.principals(claims, issuer.principals),
            groups=mapping.groups(claims, issuer.groups),
            claims=mapping.kept(claims, issuer.claims),
            owners=mapping.owners(claims, issuer.owner),
        )
        if hidden(subject):
            raise BadToken("the token's subject (claim 'sub') has characters that can not be shown")
        try:
            extension.pack(identity)
        except ValueError as error:
            raise BadToken(f"the token says too much: {error}") from error
        return identity, issuer

    def _choose(self, claims: Mapping[str, Any], tenant: str | None) -> Issuer:
        named = [issuer for issuer in self._issuers if issuer.issuer == claims.get("iss")]
        if tenant is not None:
            named = [issuer for issuer in named if issuer.tenant == tenant]
        if not named:
            raise BadToken("the token's issuer is not one that is trusted here" + (" for this tenant" * bool(tenant)))
        audience = claims.get("aud")
        wanted = audience if isinstance(audience, list) else [audience]
        meant = [issuer for issuer in named if any(one in issuer.audience for one in wanted)]
        if not meant:
            raise BadToken("the token is for another audience: ask the issuer for one that is meant for this bastion")
        if len(meant) > 1:
            raise BadToken("more than one tenant trusts the token's issuer: say which tenant is meant")
        return meant[0]

    async def _check_signature(self, token: str, header: Mapping[str, Any], issuer: Issuer) -> None:
        algorithm, kid = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in issuer.algorithms:
            raise BadToken(f"the token's algorithm is not allowed here; allowed are {', '.join(issuer.algorithms)}")
        if kid is not None and not isinstance(kid, str):
            raise BadToken("the token's key id (kid) is not text")
        source = self._sources[issuer.issuer, issuer.jwks]
        keys = await source.candidates(kid, algorithm)
        if not keys and kid is None:
            raise BadToken("the token names no key (kid), and its issuer publishes none, or more than one, that fits")
        if not keys:
            raise BadToken("the token is signed with a key that its issuer does not publish (any more)")
        if not any(_signed_with(token, key, algorithm) for key in keys):
            raise BadToken("the token's signature is wrong")

    def _check_times(self, claims: Mapping[str, Any], issuer: Issuer) -> None:
        now = self._clock()
        expires, begins, issued = (_seconds(claims, name) for name in ("exp", "nbf", "iat"))
        if expires is None:
            raise BadToken("the token has no expiry (claim 'exp')")
        if now >= expires + issuer.skew:
            raise BadToken(f"the token expired {int(now - expires)} seconds ago: get a new one")
        if begins is not None and now < begins - issuer.skew:
            raise BadToken("the token is not yet valid (claim 'nbf'); are the clocks right?")
        if issued is not None and now < issued - issuer.skew:
            raise BadToken("the token was issued in the future (claim 'iat'); are the clocks right?")


def claim(token: str, name: str) -> object:
    """A claim of a token that `identify` has verified; None when it has none of that name. BadToken."""
    return _read(token)[1].get(name)


def expiry(token: str) -> float:
    """The end (`exp`, seconds since 1970) of a token that `identify` has verified. BadToken."""
    expires = _seconds(_read(token)[1], "exp")
    if expires is None:
        raise BadToken("the token has no expiry (claim 'exp')")
    return expires


class _Registry(jws.JWSRegistry):
    """The library's algorithms without its advice: which may be used was decided before."""

    max_header_length = MAX_TOKEN

    def get_alg(self, name: str) -> JWSAlgModel:
        return self.algorithms[name]


def _signed_with(token: str, key: PublicKey, algorithm: str) -> bool:
    try:
        registry = _Registry(algorithms=[algorithm], strict_check_header=False)
        jws.deserialize_compact(token, key.key, registry=registry)
    except (JoseError, ValueError):  # Wrong signature, or one that can not be one: either way not by this key.
        return False
    return True


def _read(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims, unverified: good only for choosing what to verify the token with."""
    parts = token.split(".")
    if len(token) > MAX_TOKEN or len(parts) != 3 or not all(parts[:2]):
        raise BadToken(f"not a token: expected a signed JWT of at most {MAX_TOKEN} characters")
    header, claims = _object(parts[0]), _object(parts[1])
    if "crit" in header:
        raise BadToken("the token's header asks for an extension (crit) that is not known here")
    if str(header.get("typ", "JWT")).lower().removeprefix("application/") not in ("jwt", "at+jwt"):
        raise BadToken("the token is of another type (typ) than an ID or access token")
    return header, claims


def _object(part: str) -> dict[str, Any]:
    """One base64url part as a JSON object. BadToken also for a name that stands twice, and for
    another encoding than UTF-8 without a byte order mark: readers differ on such."""
    try:
        raw = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_once, parse_constant=_refuse)
    except (ValueError, binascii.Error, RecursionError) as error:
        raise BadToken("not a token: it can not be read as a JWT") from error
    if not isinstance(value, dict):
        raise BadToken("not a token: it can not be read as a JWT")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name stands twice")
    return value


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def _seconds(claims: Mapping[str, Any], name: str) -> float | None:
    """A NumericDate, or None when it is missing. BadToken when it is anything else."""
    value = claims.get(name)
    if name not in claims:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1 << 53:
        raise BadToken(f"the token's claim {name!r} is not a time")
    return value
