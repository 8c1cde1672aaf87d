"""The tables, as they are now; migrations/ is the way there, and a test holds that the two are the same.

Every table but the bastion's own (`instances`, `changes`) has the tenant first in its key. Times are seconds since
1970, as double precision. Lists are JSON in a text. A certificate's serial is a text of digits: it has 64 bits, and
SQL's integers are signed.

What people, policies and targets say in their own words is `Said`: PostgreSQL keeps no U+0000, and neither database
keeps half of a character, so each of these stands there as U+FFFD. The audit trail has the words as they were. Names,
ids and addresses are checked where they come in, and go in as they are: of two that differ, none may become the other.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.engine import Dialect

from bastion.characters import NO_TEXT

METADATA = MetaData()
_BIG = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite counts by itself in a column that is INTEGER, and its integers have 64 bits anyway."""


class Said(TypeDecorator[str]):
    """Somebody's own words."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002  (SQLAlchemy's words)
        return None if value is None else NO_TEXT.sub("\N{REPLACEMENT CHARACTER}", value)


def _said(name: str) -> Column[str]:
    return Column(name, Said, nullable=False)


def _text(name: str, *, key: bool = False) -> Column[str]:
    return Column(name, Text, primary_key=key, nullable=False)


def _time(name: str, *, known: bool = True) -> Column[float]:
    return Column(name, Double, nullable=not known)


def _bytes(name: str) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=False)


REQUESTS = Table(
    "requests",
    METADATA,
    _text("tenant", key=True),
    _text("id", key=True),
    # What it is bound to.
    _text("identity"),
    _text("issuer"),
    _text("subject"),
    _text("serial"),
    _text("target"),
    _text("account"),
    _text("session"),
    _text("kind"),
    _bytes("text"),
    _bytes("directory"),
    _text("policy"),
    _text("rule"),
    _text("digest"),
    _text("digest_anywhere"),
    # What is told with it.
    _bytes("written"),
    _said("reason"),
    _text("categories"),
    _text("techniques"),
    _text("clauses"),
    _text("owners"),
    _text("principals"),
    _text("groups"),
    _text("source"),
    Column("takes_commands", Boolean, nullable=False, server_default=false()),
    # Its life.
    _time("asked"),
    _time("ends"),
    _text("mode"),
    _text("instance"),
    _text("state"),
    _time("settled", known=False),
    _said("why"),
    _time("reminded", known=False),
    Index("requests_by_time", "tenant", "asked", "id"),
    Index("requests_by_state", "state", "ends"),
    Index("requests_by_identity", "tenant", "issuer", "subject", "asked"),
    Index("requests_by_digest", "tenant", "digest_anywhere"),
)

VOTES = Table(
    "votes",
    METADATA,
    _text("tenant", key=True),
    _text("request", key=True),
    Column("number", Integer, primary_key=True, autoincrement=False, nullable=False),
    _text("issuer"),
    _text("subject"),
    _text("principals"),
    _text("groups"),
    _text("owners"),
    Column("approves", Boolean, nullable=False),
    _said("comment"),
    _time("at"),
    Column("grants", Boolean, nullable=False),
    ForeignKeyConstraint(
        ["tenant", "request"], ["requests.tenant", "requests.id"], name="votes_of_request", ondelete="CASCADE"
    ),
    UniqueConstraint("tenant", "request", "issuer", "subject", name="votes_once"),
)

GRANTS = Table(
    "grants",
    METADATA,
    _text("tenant", key=True),
    _text("id", key=True),
    _text("issuer"),
    _text("subject"),
    _text("rule"),
    _text("policy"),
    _text("identity"),
    _text("request"),
    _text("by"),
    _time("made"),
    _time("ends"),
    _time("ended", known=False),
    _said("why"),
    Index("grants_by_time", "tenant", "made", "id"),
    # One at a time: a second would be a window that restarts.
    Index(
        "grants_live_once",
        *("tenant", "issuer", "subject", "rule", "policy"),
        unique=True,
        sqlite_where=text("ended IS NULL"),
        postgresql_where=text("ended IS NULL"),
    ),
)

SESSIONS = Table(
    "sessions",
    METADATA,
    _text("tenant", key=True),
    _text("id", key=True),
    _text("connection"),
    _text("identity"),
    _text("issuer"),
    _text("subject"),
    _text("principals"),
    _text("serial"),
    _text("source"),
    _text("target"),
    _text("account"),
    _text("kind"),
    _bytes("command"),
    _text("instance"),
    _text("recording"),
    _time("started"),
    _time("ended", known=False),
    Column("status", Integer, nullable=True),
    _said("reason"),
    _time("end_requested", known=False),
    _said("end_reason"),
    Index("sessions_by_time", "tenant", "started", "id"),
    Index("sessions_live", "instance", sqlite_where=text("ended IS NULL"), postgresql_where=text("ended IS NULL")),
)

CERTIFICATES = Table(
    "certificates",
    METADATA,
    _text("tenant", key=True),
    _text("serial", key=True),
    _text("identity"),
    _text("issuer"),
    _text("subject"),
    _text("principals"),
    _text("fingerprint"),
    _text("source"),
    _time("valid_after"),
    _time("valid_before"),
    _time("revoked", known=False),
    _said("why"),
    Index("certificates_by_time", "tenant", "valid_after", "serial"),
)

RECORDINGS = Table(
    "recordings",
    METADATA,
    _text("tenant", key=True),
    _text("session", key=True),
    _text("path"),
    _text("sha256"),
    Column("size", _BIG, nullable=False),
    Column("commands", Integer, nullable=False),
    _time("started"),
    _time("duration"),
    _time("verified", known=False),
    Column("whole", Boolean, nullable=True),
    Index("recordings_by_time", "tenant", "started", "session"),
)

INSTANCES = Table("instances", METADATA, _text("name", key=True), _time("seen"))

CHANGES = Table(
    "changes",
    METADATA,
    Column("number", _BIG, primary_key=True, autoincrement=True),
    _text("tenant"),
    _text("kind"),
    _text("subject"),
    _time("at"),
    Index("changes_by_time", "at"),
    sqlite_autoincrement=True,
)


def listed(members: Sequence[str]) -> str:
    """A list as it stands in a text."""
    return orjson.dumps(list(members)).decode()


def members(column: str) -> tuple[str, ...]:
    return tuple(orjson.loads(column))
