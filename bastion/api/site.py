"""Where people find this bastion: the address for redirects, cookies and the check of where a request comes from."""

from __future__ import annotations

from urllib.parse import urlsplit


class Site:
    """`public` is the address of the settings; where there is none, `bound` tells where the API listens."""

    def __init__(self, public: str | None = None) -> None:
        self.url = public or ""

    def bound(self, host: str, port: int, *, secure: bool) -> None:
        """The API listens there. What the settings say stays."""
        if not self.url:
            shown = f"[{host}]" if ":" in host else host
            self.url = f"{'https' if secure else 'http'}://{shown}:{port}"

    @property
    def secure(self) -> bool:
        return urlsplit(self.url).scheme == "https"

    @property
    def callback(self) -> str:
        """Where an issuer sends people back to."""
        return f"{self.url}/v1/callback"

    def cookie(self, name: str) -> str:
        """The cookie's name. `__Host-` makes browsers refuse it unless it is of this very host and came by TLS (RFC
        6265bis section 4.1.3); a name without TLS is of loopback, for development."""
        return f"__Host-{name}" if self.secure else name
