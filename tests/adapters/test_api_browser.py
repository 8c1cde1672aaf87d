"""Logging in with a browser: the whole dance with an issuer by plain HTTP, what a session may then do, and every way
in which it must fail."""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
import pytest

from bastion.api.callers import COOKIE
from bastion.api.login import PENDING, PENDING_SECONDS, Flow
from bastion.api.site import Site
from bastion.demo.issuer import DevelopmentIssuer
from bastion.identity.code_flow import CodeFlow, LoginFailed, Pending
from bastion.identity.fetch import HttpFetch
from bastion.identity.oidc import Issuer, Verifier
from bastion.identity.principal import Identity
from tests.adapters.api_house import House, house

PEOPLE = {"rev@demo": {"groups": ["sre"]}, "looker@demo": {"groups": ["viewers"]}}
CHANGE = {"X-Bastion": "1"}


@dataclass(slots=True)
class Browser:
    """Cookies, and a person at it. `given` is each cookie as it was last set."""

    house: House
    issuer: DevelopmentIssuer
    client: aiohttp.ClientSession
    given: SimpleCookie

    async def get(self, address: str, **headers: str) -> aiohttp.ClientResponse:
        answer = await self.client.get(address, headers=headers, allow_redirects=False)
        self.given.update(answer.cookies)
        return answer

    async def begin(self, query: str = "") -> str:
        """Where the issuer asks who one is."""
        answer = await self.get(f"{self.house.site.url}/v1/login{query}")
        assert answer.status == 302
        return answer.headers["Location"]

    async def choose(self, where: str, who: str) -> str:
        """The address that the issuer sends the browser back to."""
        page = await (await self.client.get(where)).text()
        form = dict(re.findall(r'<input type=hidden name=(\w+) value="([^"]*)">', page))
        answer = await self.client.post(where.partition("?")[0], data={**form, "person": who}, allow_redirects=False)
        assert answer.status == 303, await answer.text()
        return answer.headers["Location"]

    async def log_in(self, who: str = "rev@demo", query: str = "") -> aiohttp.ClientResponse:
        return await self.get(await self.choose(await self.begin(query), who))

    async def me(self) -> dict[str, Any] | None:
        answer = await self.get(f"{self.house.site.url}/v1/me")
        return await answer.json() if answer.status == 200 else None

    async def post(self, path: str, body: Any = None, **headers: str) -> int:
        answer = await self.client.post(f"{self.house.site.url}{path}", json=body, headers=headers)
        self.given.update(answer.cookies)
        return answer.status

    @property
    def cookie(self) -> str:
        return self.given[COOKIE].value


def problem(answer: aiohttp.ClientResponse) -> str | None:
    """The word with which a way in led back; None where it led on."""
    assert answer.status == 302
    found = re.fullmatch(r"/\?problem=([a-z]+)", answer.headers["Location"])
    return found[1] if found else None


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    issuer, web = DevelopmentIssuer({}, people=PEOPLE), HttpFetch()
    url = await issuer.start()
    settings = Issuer(url, ("console",), "acme", ("{sub}",), ("{groups}",), algorithms=("ES256",))
    verifier = Verifier([settings], web, issuer._clock)
    flow = CodeFlow("acme", url, "console", None, ("openid",), web, verifier)
    async with (
        house(tmp_path, {"acme": flow}) as made,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as client,
    ):
        yield Browser(made, issuer, client, SimpleCookie())
    await issuer.stop()
    await web.close()


# -- the dance


async def test_a_person_logs_in_and_is_who_the_issuer_says(browser: Browser) -> None:
    answer = await browser.log_in(query="?next=/%23approvals")
    assert (answer.status, answer.headers["Location"]) == (302, "/#approvals")
    me = await browser.me()
    assert me is not None
    assert (me["identity"], me["tenant"], me["groups"]) == ("rev@demo", "acme", ["sre"])
    assert (me["how"], me["roles"]) == ("cookie", ["approver", "viewer"])
    assert [(one["action"], one["identity"]) for one in browser.house.audit.told] == [("login", "rev@demo")]


async def test_the_cookies_are_of_this_host_and_no_script_reads_them(browser: Browser) -> None:
    await browser.begin()
    pending = browser.given[PENDING]
    assert (pending["httponly"], pending["samesite"], pending["path"]) == (True, "Lax", "/")
    await browser.log_in()
    session = browser.given[COOKIE]
    assert (session["httponly"], session["samesite"], session["path"]) == (True, "Strict", "/")
    assert session["domain"] == ""
    assert browser.given[PENDING].value == ""
    assert len(session.value) >= 43


def test_with_tls_cookies_are_secure_and_bound_to_the_host() -> None:
    assert Site("https://bastion.example.com").cookie(COOKIE) == "__Host-bastion"
    assert Site("https://bastion.example.com").secure
    assert Site("https://bastion.example.com").callback == "https://bastion.example.com/v1/callback"


async def test_every_login_has_a_session_of_its_own_and_ends_the_one_before(browser: Browser) -> None:
    await browser.log_in()
    first = browser.cookie
    await browser.log_in("looker@demo")
    assert browser.cookie != first
    assert browser.house.logins.find(first) is None
    assert len(browser.house.logins) == 1


async def test_who_logs_out_is_out(browser: Browser) -> None:
    await browser.log_in()
    cookie = browser.cookie
    assert await browser.post("/v1/logout", Origin=browser.house.site.url) == 403
    assert await browser.post("/v1/logout", Origin=browser.house.site.url, **CHANGE) == 204
    assert await browser.me() is None
    assert browser.house.logins.find(cookie) is None


@pytest.mark.parametrize(
    "place", ["//evil.example.com", "/\\evil.example.com", "https://evil.example.com", "javascript:alert(1)", "/a\nb"]
)
async def test_a_login_leads_to_no_other_site(browser: Browser, place: str) -> None:
    answer = await browser.log_in(query="?" + urlencode({"next": place}))
    assert answer.headers["Location"] == "/"


async def test_the_login_that_is_asked_for_is_by_the_book(browser: Browser) -> None:
    """PKCE by S256, state and nonce, each new, and the callback of this site."""
    first, second = [parse_qs(urlsplit(await browser.begin()).query) for _ in range(2)]
    assert first["response_type"] == ["code"]
    assert first["code_challenge_method"] == ["S256"]
    assert first["redirect_uri"] == [f"{browser.house.site.url}/v1/callback"]
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name][0]) >= 43
        assert first[name] != second[name]


async def test_no_log_and_no_event_has_what_a_login_is_made_of(
    browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    """Law 5: the code, the state and both cookies are as good as a password for a while."""
    with caplog.at_level(logging.DEBUG):
        back = await browser.choose(await browser.begin(), "rev@demo")
        pending = browser.given[PENDING].value
        assert (await browser.get(back)).status == 302
        assert problem(await browser.get(back)) == "begun"
        assert await browser.me() is not None
    asked = parse_qs(urlsplit(back).query)
    ours = "".join(record.getMessage() for record in caplog.records if record.name.startswith(("bastion", "httpx")))
    for secret in (asked["code"][0], asked["state"][0], pending, browser.cookie):
        assert secret not in ours
        assert secret not in str(browser.house.audit.told)


# -- what must fail


def _without(name: str) -> Callable[[str], str]:
    return lambda back: re.sub(rf"([?&]){name}=[^&]*", r"\1x=", back)


@pytest.mark.parametrize(
    "change",
    [
        _without("state"),
        _without("code"),
        lambda back: back.replace("state=", "state=x"),
        lambda back: back.replace("code=", "code=x"),
        lambda back: re.sub(r"iss=[^&]*", "iss=https%3A%2F%2Fevil.example.com", back),
        lambda back: back + "&error=access_denied&error_description=call+0800",
        lambda back: back + "&x=" + "y" * 5000,
    ],
)
async def test_an_answer_that_was_changed_on_its_way_logs_nobody_in(
    browser: Browser, change: Callable[[str], str]
) -> None:
    """And the console is told so in one word, with nothing of the answer in it."""
    back = await browser.choose(await browser.begin(), "rev@demo")
    answer = await browser.get(change(back))
    assert problem(answer) == "refused"
    assert browser.given[PENDING].value == ""
    assert await browser.me() is None
    assert len(browser.house.logins) == 0
    assert browser.house.audit.told == []  # nobody is proven, and strangers do not fill the trail


async def test_a_login_that_can_not_begin_leads_back_with_a_word(browser: Browser) -> None:
    url = browser.house.site.url
    assert problem(await browser.get(f"{url}/v1/login?tenant=none")) == "nobody"
    await browser.issuer.stop()
    assert problem(await browser.get(f"{url}/v1/login")) == "issuer"


async def test_of_several_tenants_one_has_to_be_named(tmp_path: Path) -> None:
    flows: dict[str, Flow] = {"acme": _Elsewhere(), "other": _Elsewhere()}
    async with house(tmp_path, flows) as made:
        for query, where in (("", "/?problem=tenant"), ("?tenant=acme", "https://issuer.example/")):
            async with made.client.get(f"{made.site.url}/v1/login{query}", allow_redirects=False) as answer:
                assert (answer.status, answer.headers["Location"]) == (302, where)


class _Elsewhere:
    """An issuer's flow that begins."""

    async def begin(self, _callback: str, next: str) -> tuple[str, Pending]:
        return "https://issuer.example/", Pending("acme", "state", "nonce", "verifier", next)

    async def finish(self, *_: object) -> Identity:
        raise LoginFailed("it never ends")


async def test_an_answer_logs_in_the_browser_that_asked_and_no_other(browser: Browser) -> None:
    """Else somebody could log others in as themselves, and read what they then do."""
    back = await browser.choose(await browser.begin(), "rev@demo")
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as other:
        assert problem(await other.get(back, allow_redirects=False)) == "begun"
        assert (await other.get(f"{browser.house.site.url}/v1/login", allow_redirects=False)).status == 302
        assert problem(await other.get(back, allow_redirects=False)) == "refused"
    assert len(browser.house.logins) == 0


async def test_an_answer_is_good_once(browser: Browser) -> None:
    back = await browser.choose(await browser.begin(), "rev@demo")
    pending = browser.given[PENDING].value
    assert problem(await browser.get(back)) is None
    browser.client.cookie_jar.clear()
    assert problem(await browser.get(back, Cookie=f"{PENDING}={pending}")) == "refused"


async def test_a_login_that_was_begun_long_ago_is_not_ended(browser: Browser) -> None:
    back = await browser.choose(await browser.begin(), "rev@demo")
    browser.house.now[0] = PENDING_SECONDS
    assert problem(await browser.get(back)) == "begun"


@pytest.mark.parametrize("cookie", ["", "x", base64.b64encode(b"x" * 100).decode(), "=", "\xe9"])
async def test_a_login_that_was_not_begun_here_is_none(browser: Browser, cookie: str) -> None:
    answer = await browser.get(f"{browser.house.site.url}/v1/callback?code=x&state=y", Cookie=f"{PENDING}={cookie}")
    assert problem(answer) == "begun"


async def test_an_id_token_for_another_login_is_not_taken(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """The nonce: a token that was stolen elsewhere, and is good otherwise."""
    signed = browser.issuer._signed
    monkeypatch.setattr(browser.issuer, "_signed", lambda claims, audience: signed({**claims, "nonce": "x"}, audience))
    assert problem(await browser.log_in()) == "refused"
    monkeypatch.setattr(browser.issuer, "_signed", lambda claims, _: signed(claims, "bastion"))
    assert problem(await browser.log_in()) == "refused"
    assert len(browser.house.logins) == 0


async def test_a_revoked_person_does_not_get_in_and_is_out_at_once(browser: Browser) -> None:
    await browser.log_in()
    browser.house.tokens.revoked["rev@demo"] = "left the company"
    answer = await browser.get(f"{browser.house.site.url}/v1/me")
    assert answer.status == 403
    assert len(browser.house.logins) == 0
    assert problem(await browser.log_in()) == "revoked"
    assert browser.house.audit.told[-1]["reason"] == "this identity is revoked: left the company"


# -- what a session may


async def test_a_session_is_of_its_tenant(browser: Browser) -> None:
    await browser.log_in()
    url = browser.house.site.url
    assert (await browser.get(f"{url}/v1/approvals/request-acme")).status == 200
    assert (await browser.get(f"{url}/v1/approvals/request-other")).status == 404
    assert (await browser.get(f"{url}/v1/approvals?tenant=other")).status == 404
    assert (await browser.get(f"{url}/v1/approvals?tenant=acme")).status == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"X-Bastion": "1"}, 403),  # nothing says that it is our page
        ({"Origin": "{}"}, 403),  # a form of our own origin, say
        ({"X-Bastion": "1", "Origin": "https://evil.example.com"}, 403),
        ({"X-Bastion": "1", "Origin": "null"}, 403),
        ({"X-Bastion": "1", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"X-Bastion": "1", "Sec-Fetch-Site": "same-site"}, 403),
        ({"X-Bastion": "1", "Sec-Fetch-Site": "none"}, 403),
        ({"X-Bastion": "1", "Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example.com"}, 403),
        ({"X-Bastion": "1", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"X-Bastion": "1", "Origin": "{}"}, 200),
    ],
)
async def test_a_change_by_cookie_comes_from_our_own_pages(
    browser: Browser, headers: dict[str, str], status: int
) -> None:
    await browser.log_in()
    told = {name: value.replace("{}", browser.house.site.url) for name, value in headers.items()}
    assert await browser.post("/v1/approvals/request-acme/approve", {"comment": "yes"}, **told) == status


async def test_another_sites_page_reads_nothing_by_cookie(browser: Browser) -> None:
    await browser.log_in()
    answer = await browser.get(f"{browser.house.site.url}/v1/me", **{"Sec-Fetch-Site": "cross-site"})
    assert answer.status == 403
    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_a_wrong_token_is_not_made_good_by_a_cookie(browser: Browser) -> None:
    await browser.log_in()
    answer = await browser.get(f"{browser.house.site.url}/v1/me", Authorization="Bearer wrong")
    assert answer.status == 401
