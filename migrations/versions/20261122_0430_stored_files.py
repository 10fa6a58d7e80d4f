"""Files that people hand in, kept outside the database under names of our own."""

from __future__ import annotations

revision = "202611220430"
down_revision = "202611212140"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
