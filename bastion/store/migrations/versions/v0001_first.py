"""The first schema: requests and their votes, grants, sessions, certificates, recordings, instances, changes."""

from __future__ import annotations

from alembic import op
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
    text,
)

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_BIG = BigInteger().with_variant(Integer(), "sqlite")
_NOT_ENDED = text("ended IS NULL")


def upgrade() -> None:
    _requests()
    _votes()
    _grants()
    _sessions()
    _certificates()
    _recordings()
    _bookkeeping()


def _texts(*names: str) -> list[Column[str]]:
    return [Column(name, Text, nullable=False) for name in names]


def _times(*names: str) -> list[Column[float]]:
    return [Column(name, Double, nullable=False) for name in names]


def _later(*names: str) -> list[Column[float]]:
    """Times that are not known at first."""
    return [Column(name, Double, nullable=True) for name in names]


def _bytes(*names: str) -> list[Column[bytes]]:
    return [Column(name, LargeBinary, nullable=False) for name in names]


def _requests() -> None:
    op.create_table(
        "requests",
        *_texts("tenant", "id", "identity", "issuer", "subject", "serial", "target", "account", "session", "kind"),
        *_bytes("text", "directory"),
        *_texts("policy", "rule", "digest", "digest_anywhere"),
        *_bytes("written"),
        *_texts("reason", "categories", "techniques", "clauses", "owners", "principals", "groups", "source"),
        *_times("asked", "ends"),
        *_texts("mode", "instance", "state"),
        *_later("settled"),
        *_texts("why"),
        *_later("reminded"),
        PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("requests_by_time", "requests", ["tenant", "asked", "id"])
    op.create_index("requests_by_state", "requests", ["state", "ends"])
    op.create_index("requests_by_identity", "requests", ["tenant", "issuer", "subject", "asked"])
    op.create_index("requests_by_digest", "requests", ["tenant", "digest_anywhere"])


def _votes() -> None:
    op.create_table(
        "votes",
        *_texts("tenant", "request"),
        Column("number", Integer, autoincrement=False, nullable=False),
        *_texts("issuer", "subject", "principals", "groups", "owners"),
        Column("approves", Boolean, nullable=False),
        *_texts("comment"),
        *_times("at"),
        Column("grants", Boolean, nullable=False),
        PrimaryKeyConstraint("tenant", "request", "number"),
        ForeignKeyConstraint(
            ["tenant", "request"], ["requests.tenant", "requests.id"], name="votes_of_request", ondelete="CASCADE"
        ),
        UniqueConstraint("tenant", "request", "issuer", "subject", name="votes_once"),
    )


def _grants() -> None:
    op.create_table(
        "grants",
        *_texts("tenant", "id", "issuer", "subject", "rule", "policy", "identity", "request", "by"),
        *_times("made", "ends"),
        *_later("ended"),
        *_texts("why"),
        PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("grants_by_time", "grants", ["tenant", "made", "id"])
    op.create_index(
        "grants_live_once",
        "grants",
        ["tenant", "issuer", "subject", "rule", "policy"],
        unique=True,
        sqlite_where=_NOT_ENDED,
        postgresql_where=_NOT_ENDED,
    )


def _sessions() -> None:
    op.create_table(
        "sessions",
        *_texts("tenant", "id", "connection", "identity", "issuer", "subject", "principals", "serial", "source"),
        *_texts("target", "account", "kind"),
        *_bytes("command"),
        *_texts("instance", "grant_id", "recording"),
        *_times("started"),
        *_later("ended"),
        Column("status", Integer, nullable=True),
        *_texts("reason"),
        *_later("end_requested"),
        *_texts("end_reason"),
        PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("sessions_by_time", "sessions", ["tenant", "started", "id"])
    op.create_index("sessions_live", "sessions", ["instance"], sqlite_where=_NOT_ENDED, postgresql_where=_NOT_ENDED)


def _certificates() -> None:
    op.create_table(
        "certificates",
        *_texts("tenant", "serial", "identity", "issuer", "subject", "principals", "fingerprint", "source"),
        *_times("valid_after", "valid_before"),
        *_later("revoked"),
        *_texts("why"),
        PrimaryKeyConstraint("tenant", "serial"),
    )
    op.create_index("certificates_by_time", "certificates", ["tenant", "valid_after", "serial"])


def _recordings() -> None:
    op.create_table(
        "recordings",
        *_texts("tenant", "session", "path", "sha256"),
        Column("size", _BIG, nullable=False),
        Column("commands", Integer, nullable=False),
        *_times("started", "duration"),
        *_later("verified"),
        Column("whole", Boolean, nullable=True),
        PrimaryKeyConstraint("tenant", "session"),
    )
    op.create_index("recordings_by_time", "recordings", ["tenant", "started", "session"])


def _bookkeeping() -> None:
    op.create_table("instances", *_texts("name"), *_times("seen"), PrimaryKeyConstraint("name"))
    op.create_table(
        "changes",
        Column("number", _BIG, autoincrement=True, nullable=False),
        *_texts("tenant", "kind", "subject"),
        *_times("at"),
        PrimaryKeyConstraint("number"),
        sqlite_autoincrement=True,
    )
    op.create_index("changes_by_time", "changes", ["at"])
