"""An export whose task was cancelled or has failed says so."""

from __future__ import annotations

from alembic import op

revision = "202611220453"
down_revision = "202611220452"
branch_labels = None
depends_on = None

NAME = "ck_export_request_state_known"
BEFORE = "state IN ('waiting', 'making', 'ready', 'refused', 'expired')"
AFTER = "state IN ('waiting', 'making', 'ready', 'refused', 'expired', 'cancelled', 'failed')"


def upgrade() -> None:
    op.drop_constraint(op.f(NAME), "export_request", type_="check")
    op.create_check_constraint(op.f(NAME), "export_request", AFTER)
    op.execute(
        "UPDATE export_request SET state = task.state, row_version = export_request.row_version + 1"
        " FROM background_task task WHERE task.id = export_request.task_id"
        " AND export_request.state = 'making' AND task.state IN ('cancelled', 'failed')"
    )


def downgrade() -> None:
    op.execute(
        "UPDATE export_request SET state = 'making', row_version = row_version + 1"
        " WHERE state IN ('cancelled', 'failed')"
    )
    op.drop_constraint(op.f(NAME), "export_request", type_="check")
    op.create_check_constraint(op.f(NAME), "export_request", BEFORE)
