"""That a text did nothing to the page it is shown on."""

from __future__ import annotations

from playwright.async_api import Page

FOREIGN = (
    "[...document.querySelectorAll('[href], [src]')].map((one) => one.href?.baseVal ?? one.href ?? one.src)"
    ".filter((address) => new URL(address, location).origin !== location.origin && address !== 'data:,').length"
)
HIDDEN = r"/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]/"
RAW = f"{HIDDEN}.test(document.querySelector('main').textContent) || {HIDDEN}.test(document.title)"
MADE = "document.querySelectorAll('main img, main script, main iframe, main object, body > script').length"


async def harmless(page: Page) -> None:
    """No element was made of text, no hidden character is in the page as itself, no link leaves."""
    assert await page.evaluate(MADE) == 0
    assert await page.evaluate(FOREIGN) == 0
    assert await page.evaluate(RAW) is False
