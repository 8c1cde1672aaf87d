"""The part of bastion.yaml about who is told of requests for approval: addresses that webhooks go to.

notices:
  - {url: https://example.com/hooks/bastion, secret: {credential: acme-webhook}, slack: false}
"""

from __future__ import annotations

from dataclasses import dataclass

from bastion.document import Node
from bastion.identity.keys import trustworthy
from bastion.targets.keyring import secret
from bastion.targets.target import Secret

MAX_NOTICES = 20


@dataclass(frozen=True, slots=True)
class Notice:
    """`secret` has the key that signs; `slack` asks for a message that Slack draws."""

    url: str
    secret: Secret
    slack: bool


def notices(node: Node) -> tuple[Notice, ...]:
    """The list, without those that are wrong."""
    found = node.filled(_notice)
    if len(found) > MAX_NOTICES:
        node.problem(f"{len(found)} addresses; at most {MAX_NOTICES} are told")
    urls = [one.url for one in found]
    for url in sorted({url for url in urls if urls.count(url) > 1}):
        node.problem(f"{url!r} stands twice: it would be told twice")
    return found


def _notice(node: Node) -> Notice | None:
    section = node.section()
    url = section.need("url")
    address = None if url is None else _address(url)
    named = section.need("secret")
    key = None if named is None else secret(named)
    slack = section.read("slack", lambda node: node.boolean(), False)
    section.close()
    return None if address is None or key is None else Notice(address, key, slack)


def _address(node: Node) -> str | None:
    text = node.text()
    if text is None:
        return None
    if not trustworthy(text) or not text.isascii() or not text.isprintable() or " " in text or "@" in text:
        node.problem(f"{text!r} must be an https address (http only on this machine itself), without a password")
        return None
    return text
