"""Who is logged in with a browser: sessions in memory, known to the browser by a random cookie.

Life of one: `begin` at login, always under a new name; `find` at each request; it ends by `end` (logout), after IDLE
seconds without a request, ABSOLUTE seconds after its login, or when its person has more than MAX_A_PERSON (the one that
was idle longest goes). Only the digest of a cookie is kept, so that a look at the memory gives none away.

Limits: sessions are of one process and gone when it ends; people then log in again, which their issuer mostly does
unseen. What an issuer withdraws meanwhile (a group, say) is known at the next login: eight hours at most. A revocation
is known at once.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from bastion.identity.principal import Identity

ABSOLUTE = 8 * 3600.0
IDLE = 30 * 60.0
"""Seconds."""
MAX_A_PERSON = 8
MAX_LOGINS = 4096
"""Of all people. Past it the one that was idle longest goes."""


@dataclass(slots=True)
class Login:
    """One browser of one person. Times are seconds of the clock that only goes forward."""

    identity: Identity
    began: float
    used: float


class Logins:
    """`clock` gives seconds that only go forward; `ended` is called when some have ended otherwise than by time."""

    def __init__(self, clock: Callable[[], float], ended: Callable[[], None] = lambda: None) -> None:
        self._clock = clock
        self._ended = ended
        self._logins: dict[bytes, Login] = {}

    def __len__(self) -> int:
        return len(self._logins)

    def begin(self, identity: Identity) -> str:
        """The cookie of a new session."""
        now = self._clock()
        for name in [name for name, login in self._logins.items() if _over(login, now)]:
            del self._logins[name]
        person = _person(identity)
        self._room([name for name, login in self._logins.items() if _person(login.identity) == person], MAX_A_PERSON)
        self._room(list(self._logins), MAX_LOGINS)
        cookie = secrets.token_urlsafe(32)
        self._logins[_name(cookie)] = Login(identity, now, now)
        return cookie

    def find(self, cookie: str) -> Identity | None:
        """Whose it is; a request keeps it from being idle."""
        login = self._alive(cookie)
        if login is None:
            return None
        login.used = self._clock()
        return login.identity

    def left(self, cookie: str) -> float:
        """For how many seconds it is still good, 0 for one that is over, without using it: a stream that goes on by
        itself does not keep its session."""
        login = self._alive(cookie)
        return 0.0 if login is None else min(login.began + ABSOLUTE, login.used + IDLE) - self._clock()

    def end(self, cookie: str) -> None:
        """Log out."""
        if self._logins.pop(_name(cookie), None) is not None:
            self._ended()

    def end_all(self, revoked: Callable[[Identity], bool]) -> None:
        """Those whose identity is revoked are over."""
        self._drop([name for name, login in self._logins.items() if revoked(login.identity)])

    def _alive(self, cookie: str) -> Login | None:
        login = self._logins.get(_name(cookie))
        if login is not None and _over(login, self._clock()):
            del self._logins[_name(cookie)]
            return None
        return login

    def _room(self, names: list[bytes], most: int) -> None:
        """One more fits after this."""
        names.sort(key=lambda name: self._logins[name].used)
        self._drop(names[: max(0, len(names) - most + 1)])

    def _drop(self, names: list[bytes]) -> None:
        for name in names:
            del self._logins[name]
        if names:
            self._ended()


def _over(login: Login, now: float) -> bool:
    return now - login.began >= ABSOLUTE or now - login.used >= IDLE


def _person(identity: Identity) -> tuple[str, str, str]:
    return identity.tenant, identity.issuer, identity.subject


def _name(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode("utf-8", "surrogatepass")).digest()
