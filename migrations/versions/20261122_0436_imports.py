"""Imports: the file, its mapping, what was refused, what was made."""

from __future__ import annotations

revision = "202611220436"
down_revision = "202611220435"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
