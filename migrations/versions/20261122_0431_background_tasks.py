"""Background work: its queue (procrastinate 3.x) and what people see of it."""

from __future__ import annotations

revision = "202611220431"
down_revision = "202611220430"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
