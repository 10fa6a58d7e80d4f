"""Runs of jobs and reports."""

from __future__ import annotations

revision = "202611220438"
down_revision = "202611220437"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
