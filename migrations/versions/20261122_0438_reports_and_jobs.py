"""Runs of jobs and reports."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "202611220438"
down_revision = "202611220437"
branch_labels = None
depends_on = None


DONE_OR_FAILED = "(ended_at IS NULL) = (error IS NOT NULL)"


def upgrade() -> None:
    op.add_column("report_run", sa.Column("request_key", sa.String(length=80), nullable=True))
    op.create_unique_constraint(op.f("uq_report_run_made_by_request_key"), "report_run", ["made_by", "request_key"])
    op.create_index("ix_act_run_act_occurred", "act_run", ["table_name", "act", "occurred_at"], unique=False)
    op.add_column("job_run", sa.Column("requested_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("job_run", sa.Column("requested_by_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_job_run_requested_by_id_employee"), "job_run", "employee", ["requested_by_id"], ["id"]
    )
    op.alter_column("job_run", "started_at", nullable=True)
    op.alter_column("job_run", "host", nullable=True)
    op.drop_constraint(op.f("ck_job_run_done_or_failed"), "job_run", type_="check")
    op.create_check_constraint(
        op.f("ck_job_run_done_or_failed"), "job_run", f"{DONE_OR_FAILED} OR (attempts = 0 AND ended_at IS NULL)"
    )
    op.create_check_constraint(op.f("ck_job_run_begun_or_asked"), "job_run", "attempts > 0 OR requested_at IS NOT NULL")
    op.create_check_constraint(
        op.f("ck_job_run_attempted_has_begun"), "job_run", "started_at IS NOT NULL OR attempts = 0"
    )
    op.create_index("ix_job_run_job_started", "job_run", ["job", "started_at"], unique=False)
    op.create_index(
        "ix_job_run_asked",
        "job_run",
        ["job"],
        unique=False,
        postgresql_where=sa.text("requested_at IS NOT NULL AND ended_at IS NULL"),
    )


def downgrade() -> None:
    # What was asked for and has not begun has no place in the older shape.
    op.execute("DELETE FROM job_run WHERE started_at IS NULL")
    op.execute("UPDATE job_run SET attempts = 1 WHERE attempts = 0")
    op.drop_index("ix_job_run_asked", table_name="job_run")
    op.drop_index("ix_job_run_job_started", table_name="job_run")
    op.drop_constraint(op.f("ck_job_run_attempted_has_begun"), "job_run", type_="check")
    op.drop_constraint(op.f("ck_job_run_begun_or_asked"), "job_run", type_="check")
    op.drop_constraint(op.f("ck_job_run_done_or_failed"), "job_run", type_="check")
    op.create_check_constraint(op.f("ck_job_run_done_or_failed"), "job_run", DONE_OR_FAILED)
    op.alter_column("job_run", "host", nullable=False)
    op.alter_column("job_run", "started_at", nullable=False)
    op.drop_constraint(op.f("fk_job_run_requested_by_id_employee"), "job_run", type_="foreignkey")
    op.drop_column("job_run", "requested_by_id")
    op.drop_column("job_run", "requested_at")
    op.drop_index("ix_act_run_act_occurred", table_name="act_run")
    op.drop_constraint(op.f("uq_report_run_made_by_request_key"), "report_run", type_="unique")
    op.drop_column("report_run", "request_key")
