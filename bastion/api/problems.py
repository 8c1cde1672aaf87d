"""Errors as the API answers them: problem details (RFC 9457), one shape for all."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Awaitable, Callable

from aiohttp import web

from bastion.errors import (
    BadPublicKey,
    BadToken,
    BastionError,
    ClientError,
    Denied,
    MayNotVote,
    NoSuchRequest,
    OutsideError,
)

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class BadRequest(ClientError):
    """A request that is not of this API's form."""


class NotHere(ClientError):
    """There is no such thing, or it is another tenant's: the two look the same."""


class Conflict(ClientError):
    """It is not in a state in which that can be done."""


class WrongEncoding(ClientError):
    """A body that is compressed or otherwise encoded."""


class TooMany(ClientError):
    """More requests than one source may make. `wait` is in seconds."""

    told = "too many requests from this address: try again in {} s"

    def __init__(self, wait: float) -> None:
        self.wait = max(1, math.ceil(wait))
        super().__init__(self.told.format(self.wait))


class TooManyStreams(TooMany):
    """More answers that go on than one person, or all of a tenant, may have open."""

    told = "too many streams are open, of you or of your tenant: close one, or try again in {} s"


@web.middleware
async def answer_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error of a handler becomes a problem. What was not foreseen is logged and told as 500, without its text."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        return problem(error.status, error.reason, headers)
    except BastionError as error:
        return _told(error)
    except ConnectionError:
        raise  # the client is gone, and nobody is left to answer
    except Exception:
        # The last line before the client: the connection must get an answer, and the log the trace.
        log.exception("a request to the API failed")
        return problem(500, "the bastion failed; its log says why")


def _told(error: BastionError) -> web.Response:
    match error:
        case TooMany():
            return problem(429, str(error), {"Retry-After": str(error.wait)})
        case BadToken():
            return problem(401, str(error), {"WWW-Authenticate": 'Bearer error="invalid_token"'})
        case MayNotVote():
            return problem(403, str(error))
        case Denied():
            return problem(403, f"{error}; {error.remedy}" if error.remedy else str(error))
        case WrongEncoding():
            return problem(415, str(error), {"Accept-Encoding": "identity"})
        case NotHere() | NoSuchRequest():
            return problem(404, str(error))
        case Conflict():
            return problem(409, str(error))
        case BadPublicKey() | BadRequest():
            return problem(400, str(error))
        case OutsideError():
            return problem(503, str(error), {"Retry-After": "5"})
    log.error("a request to the API failed: %s", error)
    return problem(500, "the bastion failed; its log says why")


def problem(status: int, detail: str, headers: dict[str, str] | None = None, **more: object) -> web.Response:
    """`type` is about:blank, so `title` is the status's own phrase (RFC 9457 section 4.2.1); `more` are members of its
    own (section 3.2)."""
    title = web.Response(status=status).reason
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return web.Response(
        status=status, text=json.dumps(body), content_type="application/problem+json", headers=headers or {}
    )
