"""Traits, required fields, merges and owners of customers. White paper 1.2."""

from __future__ import annotations

revision = "202611220433"
down_revision = "202611220432"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
