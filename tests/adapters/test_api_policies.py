"""Policies over HTTP: what is answered, who may ask, what is refused, and that no session waits for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bastion.api import aside as aside_module
from bastion.api.aside import Busy
from bastion.api.bounds import MAX_POLICY_BODY
from bastion.api.callers import Callers
from bastion.api.judging import Judging
from bastion.api.limits import RateLimit
from bastion.api.logins import Logins
from bastion.api.policies import MAX_COMMANDS, Policies
from bastion.api.roles import Roles
from bastion.api.server import Api
from bastion.api.site import Site
from bastion.errors import BadToken, Denied, IssuerDown
from bastion.identity.principal import Identity
from bastion.policy import loader
from bastion.policy.asker import Asker
from tests.adapters.test_api import Issuer

IN_FORCE = """version: 1
rules:
  - {id: look, effect: allow, who: {groups: [agents]}, commands: ["ls **"]}
  - {id: prod, effect: allow, who: {claims: {env: prod}}, where: {targets: [db-1]}, commands: ["id"]}
  - {id: early, effect: allow, commands: [date], when: {hours: "00:00-01:00", networks: [127.0.0.0/8]}}
  - {id: never, effect: deny, commands: [rm], reason: ask the owners}
"""
MINE = "version: 1\nrules: [{id: mine, effect: allow, commands: [df, ls]}]\n"
CASES = "version: 1\ncases: [{command: df, effect: allow}, {command: ls, effect: deny}]\n"
IDENTITY = Identity("demo", "https://i.example.com", "agent", ("agent@demo",), frozenset({"agents"}), {"env": "prod"})


class Tokens:
    """The port to identities: TOKEN is IDENTITY's, in whichever tenant; errors as told."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.asked: list[tuple[str, str | None]] = []

    async def identify(self, token: str, tenant: str | None) -> tuple[Identity, float]:
        self.asked.append((token, tenant))
        if self.error is not None:
            raise self.error
        if token != "TOKEN" or tenant not in (None, "demo"):
            raise BadToken("the token is not one that is trusted here")
        return IDENTITY, 1.0


class World:
    def __init__(self, tokens: Tokens, judging: Judging, client: httpx2.AsyncClient, folder: Path) -> None:
        self.tokens = tokens
        self.judging = judging
        self.client = client
        self.folder = folder

    async def post(self, what: str, body: Any, token: str = "TOKEN") -> httpx2.Response:  # noqa: S107  (no secret)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token}"}
        return await self.client.post(f"/v1/policies/{what}", content=content, headers=headers, timeout=30)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    (tmp_path / "a.yaml").write_text(IN_FORCE)
    policy = loader.load(tmp_path)
    tokens, judging = Tokens(), Judging()
    nobody = Roles({}, lambda _: None)
    callers = Callers(tokens, Logins(lambda: 0.0), nobody, Site(), ["demo"], lambda _: None, lambda: 0.0)
    policies = Policies(callers, {"demo": policy}.__getitem__, judging, clock=lambda: 60.0)
    api = Api(Issuer(), "host-ca", [], RateLimit(1000, 1.0, lambda: 0.0), policies=policies, callers=callers)
    host, port = await api.start("127.0.0.1", 0, None)
    async with httpx2.AsyncClient(base_url=f"http://{host}:{port}") as client:
        yield World(tokens, judging, client, tmp_path)
    await api.stop()


# -- validate


async def test_a_good_policy_is_told_with_its_cases(world: World) -> None:
    answer = await world.post("validate", {"files": {"a.yaml": MINE, "a.cases.yaml": CASES}})
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    told = answer.json()
    assert (told["ok"], told["problems"], told["rules"], told["files"]) == (False, [], 1, ["a.yaml"])
    assert told["version"] == loader.load_texts({"a.yaml": MINE.encode()}).version
    assert (told["cases"]["total"], told["cases"]["never_exercised"]) == (2, [])
    (failed,) = told["cases"]["failed"]
    assert (failed["command"], failed["place"]["file"]) == ("ls", "a.cases.yaml")
    assert (await world.post("validate", {"files": {"a.yaml": MINE}})).json()["ok"] is True


async def test_every_mistake_is_told_at_its_place(world: World) -> None:
    files = {"a.yaml": "version: 1\nmode: x\nrulse: []\n", "b.yml": "", "../c.yaml": "", "\ud800.yaml": "\ud800"}
    answer = await world.post("validate", {"files": files})
    assert answer.status_code == 200
    told = answer.json()
    assert told["ok"] is False
    places = [(problem["file"], problem["line"], problem["column"]) for problem in told["problems"]]
    assert places == [
        ("../c.yaml", 1, 1),
        ("\\u{d800}.yaml", 1, 1),
        ("a.yaml", 2, 7),
        ("a.yaml", 3, 1),
        ("b.yml", 1, 1),
    ]


async def test_mistakes_in_cases_are_mistakes(world: World) -> None:
    answer = await world.post("validate", {"files": {"a.yaml": MINE, "a.cases.yaml": "version: 2\n"}})
    assert answer.json()["ok"] is False
    assert {problem["file"] for problem in answer.json()["problems"]} == {"a.cases.yaml"}


# -- explain


async def test_the_policy_in_force_answers_for_the_caller(world: World) -> None:
    """The caller's own groups and claims are the default; places are names of files, and nothing names the folder."""
    answer = await world.post("explain", {"command": "ls -la"})
    assert answer.status_code == 200
    told = answer.json()
    assert (told["effect"], told["rule"], told["runs"]) == ("allow", "look", "'ls' '-la'")
    assert told["place"] == {"file": "a.yaml", "line": 3, "column": 5}
    assert str(world.folder) not in answer.text
    assert "tried" not in answer.text, "rules that did not decide are not told of the policy in force"
    assert (await world.post("explain", {"command": "id", "target": "db-1"})).json()["rule"] == "prod"


async def test_the_callers_address_and_now_are_the_default(world: World) -> None:
    assert (await world.post("explain", {"command": "date"})).json()["rule"] == "early"
    for other in ({"source": "192.0.2.7"}, {"at": "1970-01-01T02:00:00Z"}):
        assert (await world.post("explain", {"command": "date", **other})).json()["effect"] == "deny"


async def test_another_asker_can_be_named(world: World) -> None:
    assert (await world.post("explain", {"command": "ls", "groups": []})).json()["rule"] == "default"
    told = (await world.post("explain", {"commands": ["ls", "rm x"], "identity": "x", "account": "root"})).json()
    assert [one["rule"] for one in told["results"]] == ["look", "never"]


async def test_standard_input_is_a_part_of_the_command(world: World) -> None:
    told = (await world.post("explain", {"command": "bash -s", "stdin": "ls\nrm x\n"})).json()
    assert [command["argv"] for command in told["commands"]] == [["bash", "-s"], ["ls"], ["rm", "x"]]


async def test_files_sent_along_answer_with_a_trace(world: World) -> None:
    told = (await world.post("explain", {"command": "df", "files": {"a.yaml": MINE}})).json()
    assert (told["rule"], told["commands"][0]["tried"][0]["rule"]) == ("mine", "mine")
    answer = await world.post("explain", {"command": "df", "files": {"a.yaml": "version: 2\n"}})
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json; charset=utf-8")
    assert answer.json()["problems"][0]["line"] == 1


@pytest.mark.parametrize("command", ["\ud800", "a\0b", "(" * 100_000, "", "\u202e"], ids=ascii)
async def test_hostile_text_gets_a_verdict(world: World, command: str) -> None:
    told = (await world.post("explain", {"command": command})).json()
    assert (told["effect"], told["runs"]) == ("deny", None)


# -- who may ask


@pytest.mark.parametrize(
    ("error", "status"),
    [(BadToken("no"), 401), (Denied("this identity is revoked: lost"), 403), (IssuerDown("the issuer is down"), 503)],
)
@pytest.mark.parametrize("what", ["validate", "explain"])
async def test_without_a_good_token_nothing_is_answered(world: World, what: str, error: Exception, status: int) -> None:
    world.tokens.error = error
    answer = await world.post(what, {"files": {"a.yaml": MINE}, "command": "ls"})
    assert (answer.status_code, answer.json()["status"]) == (status, status)


async def test_a_strangers_body_is_not_read(world: World) -> None:
    """The refusal comes while the body is still being sent."""
    url = world.client.base_url
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(b"POST /v1/policies/validate HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n{")
    await writer.drain()
    assert b" 401 " in (await reader.readline())
    writer.close()


async def test_the_tenant_is_the_tokens(world: World) -> None:
    assert (await world.post("explain", {"command": "ls", "tenant": "demo"})).status_code == 200
    assert (await world.post("explain", {"command": "ls", "tenant": "other"})).status_code == 401
    assert (await world.post("explain?tenant=other", {"command": "ls"})).status_code == 401
    assert (await world.post("explain?tenant=demo", {"command": "ls"})).status_code == 200


# -- what is refused


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("validate", b"{"),
        ("validate", []),
        ("validate", {}),
        ("validate", {"files": {}}),
        ("validate", {"files": []}),
        ("validate", {"files": {"a.yaml": 7}}),
        ("validate", {"files": {f"{number}.yaml": "" for number in range(101)}}),
        ("validate", {"files": {"a.yaml": MINE}, "path": "/etc"}),
        ("validate", {"files": {"a.yaml": MINE}, "command": "ls"}),
        ("validate", {"files": {"a.yaml": MINE}, "tenant": 7}),
        ("explain", {}),
        ("explain", {"command": 7}),
        ("explain", {"command": "ls", "commands": ["ls"]}),
        ("explain", {"commands": []}),
        ("explain", {"commands": ["ls", 7]}),
        ("explain", {"commands": ["ls"] * (MAX_COMMANDS + 1)}),
        ("explain", {"command": "ls", "groups": "x"}),
        ("explain", {"command": "ls", "files": {}}),
        ("explain", {"command": "ls", "stdin": 7}),
        ("explain", {"commands": ["ls"], "stdin": "x"}),
        ("explain", {"command": "ls", "policies": "/etc"}),
    ],
)
async def test_a_request_of_another_form_is_a_problem(world: World, what: str, body: Any) -> None:
    answer = await world.post(what, body)
    assert (answer.status_code, answer.json()["status"]) == (400, 400)


async def test_a_body_too_large_is_refused(world: World) -> None:
    answer = await world.post("validate", {"files": {"a.yaml": "#" * MAX_POLICY_BODY}})
    assert (answer.status_code, answer.json()["status"]) == (413, 413)


# -- the process


async def test_what_takes_too_long_is_ended_and_the_next_is_answered() -> None:
    judging = Judging(timeout=1.0)
    slow = {"a.yaml": b"version: 1\nrules: [" + b"x," * 120_000 + b"]\n"}
    with pytest.raises(Busy, match="longer than 1 seconds"):
        await judging.validate(slow)
    quick = Judging()
    assert json.loads(await quick.validate({"a.yaml": MINE.encode()}))["ok"] is True
    process = quick._process
    assert process is not None
    process.kill()
    await process.wait()
    assert json.loads(await quick.validate({"a.yaml": MINE.encode()}))["ok"] is True
    await judging.stop()
    await quick.stop()
    with pytest.raises(Busy):
        await quick.validate({})


async def test_the_event_loop_turns_meanwhile() -> None:
    """While a policy that takes long is judged, nothing else waits."""
    judging = Judging(timeout=2.0)
    loop = asyncio.get_running_loop()
    slow = asyncio.ensure_future(judging.validate({"a.yaml": b"version: 1\nrules: [" + b"x," * 100_000 + b"]\n"}))
    worst, last = 0.0, loop.time()
    while not slow.done():
        await asyncio.sleep(0)
        worst, last = max(worst, loop.time() - last), loop.time()
    assert isinstance(slow.exception(), Busy)
    assert worst < 1.0
    await judging.stop()


async def test_more_than_so_many_are_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aside_module, "MAX_WAITING", 2)
    judging = Judging()
    good = {"a.yaml": MINE.encode()}
    done = await asyncio.gather(*(judging.validate(good) for _ in range(3)), return_exceptions=True)
    assert [isinstance(one, Busy) for one in done] == [False, False, True]
    await judging.stop()


async def test_a_policy_in_force_is_sent_once_a_version() -> None:
    judging = Judging()
    for text in (MINE, MINE, IN_FORCE):
        policy = loader.load_texts({"a.yaml": text.encode()})
        answer = json.loads(await judging.explain(policy, Asker(), [(b"df", None)]))
        assert answer["results"][0]["policy"] == policy.version
        assert policy.version in judging._held
    assert len(judging._held) == 2
    await judging.stop()


async def test_the_process_is_given_no_environment_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/bastion")
    judging = Judging()
    await judging.validate({"a.yaml": MINE.encode()})
    assert judging._process is not None
    environment = Path(f"/proc/{judging._process.pid}/environ").read_bytes()
    assert b"CREDENTIALS" not in environment
    await judging.stop()
