"""Days on which a branch is open, closed or opens otherwise."""

from __future__ import annotations

revision = "202611220434"
down_revision = "202611220433"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
