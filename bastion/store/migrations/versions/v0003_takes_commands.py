"""A request says whether what it is for takes commands that nobody judges. Of those that stand there it is not known;
none waits through an upgrade for longer than its rule lets it."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Boolean, Column, false

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("requests", Column("takes_commands", Boolean, nullable=False, server_default=false()))
