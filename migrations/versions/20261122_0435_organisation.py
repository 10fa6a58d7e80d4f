"""Posts of departments, and what a leaver hands over. White paper 4.2."""

from __future__ import annotations

revision = "202611220435"
down_revision = "202611220434"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
