"""What every answer tells browsers: load nothing from elsewhere, guess no types, keep nothing, tell nobody.

The console runs under this policy, so no text of a session can become a script, a style or a request to another host,
whatever it holds. `'wasm-unsafe-eval'` lets the player of recordings compile its terminal, which comes from our own
origin as WebAssembly; no text can become that.
"""

from __future__ import annotations

from aiohttp import web

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
    )
)
ALWAYS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Server": "bastion",  # and not which library of which version
}


def dress(response: web.StreamResponse) -> None:
    """Set them, whatever stood there, before the answer's head is sent."""
    response.headers.update(ALWAYS)
