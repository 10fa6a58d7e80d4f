"""Background work: its queue (procrastinate 3.10.0) and what people see of it.

The queue's tables and functions are the library's own, applied from the installed package, whose version must be the
one named here; `docs/decisions/0014-*.md` says how a newer one is taken in. The version stands as a comment on the
table ``procrastinate_jobs``.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "202611220431"
down_revision = "202611220430"
branch_labels = None
depends_on = None

PROCRASTINATE = "3.10.0"

DROP_QUEUE = r"""
DO $$
DECLARE
    thing text;
BEGIN
    DROP TABLE procrastinate_events, procrastinate_periodic_defers, procrastinate_jobs, procrastinate_workers CASCADE;
    FOR thing IN SELECT oid::regprocedure FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND proname LIKE 'procrastinate\_%'
    LOOP
        EXECUTE 'DROP FUNCTION ' || thing || ' CASCADE';
    END LOOP;
    FOR thing IN SELECT oid::regtype FROM pg_type
        WHERE typnamespace = 'public'::regnamespace AND typname LIKE 'procrastinate\_%'
    LOOP
        EXECUTE 'DROP TYPE ' || thing;
    END LOOP;
END;
$$
"""


def upgrade() -> None:
    _make_queue()
    op.create_table(
        "background_task",
        sa.Column("kind", sa.String(length=80), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column(
            "parameters", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("request_key", sa.String(length=80), nullable=False),
        sa.Column("employee_id", sa.BigInteger(), nullable=True),
        sa.Column("branch_id", sa.BigInteger(), nullable=True),
        sa.Column("locale", sa.String(length=8), server_default="zh", nullable=False),
        sa.Column("subject_table", sa.String(length=80), nullable=True),
        sa.Column("subject_id", sa.BigInteger(), nullable=True),
        sa.Column("done_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("total_count", sa.Integer(), nullable=True),
        sa.Column("said", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("checkpoint", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("result_file_id", sa.BigInteger(), nullable=True),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancel_requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=True),
        sa.Column("worker", sa.String(length=120), nullable=True),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'done', 'failed', 'cancelled')", name=op.f("ck_background_task_state_known")
        ),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (state IN ('queued', 'running'))", name=op.f("ck_background_task_ended_when_over")
        ),
        sa.CheckConstraint(
            "(error IS NOT NULL) = (state = 'failed')", name=op.f("ck_background_task_error_when_failed")
        ),
        sa.CheckConstraint(
            "(subject_table IS NULL) = (subject_id IS NULL)", name=op.f("ck_background_task_subject_whole")
        ),
        sa.CheckConstraint(
            "done_count >= 0 AND (total_count IS NULL OR total_count >= 0)",
            name=op.f("ck_background_task_counts_not_negative"),
        ),
        sa.ForeignKeyConstraint(["employee_id"], ["employee.id"], name=op.f("fk_background_task_employee_id_employee")),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_background_task_branch_id_branch")),
        sa.ForeignKeyConstraint(
            ["result_file_id"], ["stored_file.id"], name=op.f("fk_background_task_result_file_id_stored_file")
        ),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["ab_user.id"], name=op.f("fk_background_task_created_by_id_ab_user")
        ),
        sa.ForeignKeyConstraint(
            ["updated_by_id"], ["ab_user.id"], name=op.f("fk_background_task_updated_by_id_ab_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_background_task")),
        sa.UniqueConstraint("actor", "request_key", name=op.f("uq_background_task_actor_request_key")),
    )
    op.create_index("ix_background_task_employee_id_id", "background_task", ["employee_id", "id"])
    op.create_index("ix_background_task_branch_id_id", "background_task", ["branch_id", "id"])
    op.create_index("ix_background_task_subject", "background_task", ["subject_table", "subject_id"])
    op.create_index(
        "ix_background_task_open",
        "background_task",
        ["id"],
        postgresql_where=sa.text("state IN ('queued', 'running')"),
    )


def downgrade() -> None:
    op.drop_table("background_task")
    _execute_plainly(DROP_QUEUE)


def _make_queue() -> None:
    """Apply the schema of the installed library; raises if it is not the version that is named here."""
    try:
        installed = version("procrastinate")
    except PackageNotFoundError:
        installed = "not there"
    if installed != PROCRASTINATE:
        raise RuntimeError(
            f"The queue's schema is that of procrastinate {PROCRASTINATE}, but the installed version is {installed}. "
            "Install what requirements.txt pins."
        )
    from procrastinate.schema import SchemaManager

    _execute_plainly(SchemaManager.get_schema())
    _execute_plainly(f"COMMENT ON TABLE procrastinate_jobs IS 'procrastinate {PROCRASTINATE}'")


def _execute_plainly(statements: str) -> None:
    """Execute several statements at once, percent signs and all, in the migration's own transaction."""
    cursor = op.get_bind().connection.cursor()
    try:
        cursor.execute(statements)
    finally:
        cursor.close()
