"""Requests that HTTP does not allow, or this API does not, with a token in each: nobody may say the token again."""

from __future__ import annotations

TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJTRUNSRVQtVE9LRU4ifQ.c2lnbmF0dXJl"
PIECES = (TOKEN[:30], TOKEN[21:51], TOKEN[30:], TOKEN[-12:])
"""What is searched for: a part of it is as bad."""

_BODY = '{"public_key":"x"}'


def _request(authorization: str, more: str = "", body: str = _BODY, method: str = "POST") -> bytes:
    head = f"{method} /v1/certificates HTTP/1.1\r\nHost: x\r\n{authorization}\r\n{more}Content-Length: {len(body)}\r\n"
    return f"{head}\r\n{body}".encode("latin-1")


_GOOD = f"Authorization: Bearer {TOKEN}"

MALFORMED = {
    "a carriage return too many": _request(f"{_GOOD}\r"),
    "a control byte": _request(f"{_GOOD}\x01"),
    "NUL": _request(f"{_GOOD}\0"),
    "a blank before the colon": _request(f"Authorization : Bearer {TOKEN}"),
    "a new line in the token": _request(f"Authorization: Bearer {TOKEN[:30]}\n{TOKEN[30:]}"),
    "a line that is folded": _request(f"X: y\r\n {TOKEN}"),
    "a header with no name": _request(f": {TOKEN}"),
    "a token too long": _request(f"{_GOOD}{'A' * 25000}"),
    "a token as method": _request(_GOOD, method=TOKEN),
    "a token in the address": f"GET /{TOKEN}\x01 HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    "a token as version": f"GET / {TOKEN}\r\nHost: x\r\n\r\n".encode(),
    "only a token": f"{TOKEN}\r\n\r\n".encode(),
    "length and chunks": _request(_GOOD, "Transfer-Encoding: chunked\r\n"),
    "two lengths": _request(_GOOD, "Content-Length: 3\r\n"),
    "a length that is a token": f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {TOKEN}\r\n\r\n".encode(),
    "a chunk that is a token": (
        f"POST /v1/certificates HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n{_GOOD}\r\n\r\n".encode()
        + f"{TOKEN}\r\n".encode()
    ),
    "a body that is not gzip": _request(_GOOD, "Content-Encoding: gzip\r\n"),
    "a body of another encoding": _request(_GOOD, f"Content-Encoding: {TOKEN}\r\n"),
    "an expectation": _request(_GOOD, f"Expect: {TOKEN}\r\n"),
    "an upgrade": _request(_GOOD, f"Connection: upgrade\r\nUpgrade: {TOKEN}\r\n"),
    "a token as body": _request(_GOOD, body=TOKEN),
    "a token as key": _request(_GOOD, body=f'{{"public_key":"{TOKEN}","{TOKEN}":1}}'),
    "a token as tenant": _request(_GOOD, body=f'{{"public_key":"ssh-ed25519 {TOKEN}","tenant":"{TOKEN}"}}'),
}
