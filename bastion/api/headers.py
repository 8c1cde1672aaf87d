"""What every answer tells browsers: load nothing from elsewhere, guess no types, keep nothing, tell nobody.

The console runs under this policy, so no text of a session can become a script, a style or a request to another host,
whatever it holds. `'wasm-unsafe-eval'` is not in it: who needs WebAssembly in the console must decide so here.
"""

from __future__ import annotations

from aiohttp import web

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
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
}


def dress(response: web.StreamResponse) -> None:
    """Set them, whatever stood there. For answers that were not begun; others have them already."""
    if not response.prepared:
        response.headers.update(ALWAYS)
