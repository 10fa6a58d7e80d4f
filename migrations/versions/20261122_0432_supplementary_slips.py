"""Requests for supplementary slips. White paper 2.1.3.3."""

from __future__ import annotations

revision = "202611220432"
down_revision = "202611220431"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
