"""A session has no grant of its own: its lines may each run under another one, as the audit trail tells (`grant-used`).

The column was never written.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_column("sessions", "grant_id")
