"""Acts that ran, looks at masked values, notices, jobs, stored reports, the demo's anchor."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "202611212140"
down_revision = "202611212130"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "demo_state",
        sa.Column("anchor_on", sa.Date(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_demo_state")),
    )
    op.create_table(
        "job_heartbeat",
        sa.Column("host", sa.String(length=120), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("beat_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_heartbeat")),
        sa.UniqueConstraint("host", "pid", name=op.f("uq_job_heartbeat_host_pid")),
    )
    op.create_table(
        "job_run",
        sa.Column("job", sa.String(length=80), nullable=False),
        sa.Column("slot", sa.String(length=80), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="1", nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("host", sa.String(length=120), nullable=False),
        sa.Column("summary", sa.String(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("(ended_at IS NULL) = (error IS NOT NULL)", name=op.f("ck_job_run_done_or_failed")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_run")),
        sa.UniqueConstraint("job", "slot", name=op.f("uq_job_run_job_slot")),
    )
    op.create_table(
        "act_run",
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("request_key", sa.String(length=80), nullable=False),
        sa.Column("table_name", sa.String(length=80), nullable=False),
        sa.Column("record_id", sa.BigInteger(), nullable=True),
        sa.Column("act", sa.String(length=80), nullable=False),
        sa.Column("from_state", sa.String(length=40), nullable=True),
        sa.Column("to_state", sa.String(length=40), nullable=True),
        sa.Column(
            "inputs", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("inputs_hash", sa.String(length=64), nullable=False),
        sa.Column("result_table", sa.String(length=80), nullable=True),
        sa.Column("result_id", sa.BigInteger(), nullable=True),
        sa.Column("notice", sa.String(), nullable=True),
        sa.Column("paper", sa.String(length=80), nullable=True),
        sa.Column("employee_id", sa.BigInteger(), nullable=True),
        sa.Column("branch_id", sa.BigInteger(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_act_run_branch_id_branch")),
        sa.ForeignKeyConstraint(["employee_id"], ["employee.id"], name=op.f("fk_act_run_employee_id_employee")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_act_run")),
        sa.UniqueConstraint("actor", "request_key", name=op.f("uq_act_run_actor_request_key")),
    )
    op.create_index("ix_act_run_record", "act_run", ["table_name", "record_id", "id"], unique=False)
    op.create_index("ix_act_run_result", "act_run", ["result_table", "result_id"], unique=False)
    op.create_table(
        "notice",
        sa.Column("employee_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column(
            "facts", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("table_name", sa.String(length=80), nullable=True),
        sa.Column("record_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["employee_id"], ["employee.id"], name=op.f("fk_notice_employee_id_employee")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
    )
    op.create_index("ix_notice_employee_id_id", "notice", ["employee_id", "id"], unique=False)
    op.create_index(
        "ix_notice_unread", "notice", ["employee_id"], unique=False, postgresql_where=sa.text("read_at IS NULL")
    )
    op.create_table(
        "report_run",
        sa.Column("report", sa.String(length=80), nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("business_on", sa.Date(), nullable=False),
        sa.Column("parameters", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by", sa.String(length=200), nullable=False),
        sa.Column("employee_id", sa.BigInteger(), nullable=True),
        sa.Column("made_by_job", sa.String(length=80), nullable=True),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_report_run_branch_id_branch")),
        sa.ForeignKeyConstraint(["employee_id"], ["employee.id"], name=op.f("fk_report_run_employee_id_employee")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_run")),
    )
    op.create_index(
        "ix_report_run_report_branch_day", "report_run", ["report", "branch_id", "business_on"], unique=False
    )
    op.create_index(
        "uq_report_run_scheduled",
        "report_run",
        ["report", "branch_id", "business_on"],
        unique=True,
        postgresql_where=sa.text("made_by_job IS NOT NULL"),
    )
    op.create_table(
        "sensitive_view_log",
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("employee_id", sa.BigInteger(), nullable=True),
        sa.Column("branch_id", sa.BigInteger(), nullable=True),
        sa.Column("table_name", sa.String(length=80), nullable=False),
        sa.Column("record_id", sa.BigInteger(), nullable=False),
        sa.Column("field", sa.String(length=80), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_sensitive_view_log_branch_id_branch")),
        sa.ForeignKeyConstraint(
            ["employee_id"], ["employee.id"], name=op.f("fk_sensitive_view_log_employee_id_employee")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sensitive_view_log")),
    )


def downgrade() -> None:
    op.drop_table("sensitive_view_log")
    op.drop_index(
        "uq_report_run_scheduled", table_name="report_run", postgresql_where=sa.text("made_by_job IS NOT NULL")
    )
    op.drop_index("ix_report_run_report_branch_day", table_name="report_run")
    op.drop_table("report_run")
    op.drop_index("ix_notice_unread", table_name="notice", postgresql_where=sa.text("read_at IS NULL"))
    op.drop_index("ix_notice_employee_id_id", table_name="notice")
    op.drop_table("notice")
    op.drop_index("ix_act_run_result", table_name="act_run")
    op.drop_index("ix_act_run_record", table_name="act_run")
    op.drop_table("act_run")
    op.drop_table("job_run")
    op.drop_table("job_heartbeat")
    op.drop_table("demo_state")
