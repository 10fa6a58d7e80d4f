"""Every printing of a form: who, when, which copy."""

from __future__ import annotations

revision = "202611220437"
down_revision = "202611220436"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
