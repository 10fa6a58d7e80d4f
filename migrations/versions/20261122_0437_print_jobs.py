"""Every printing of a form: who, when, which copy."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "202611220437"
down_revision = "202611220436"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "print_job",
        sa.Column("table_name", sa.String(length=80), nullable=False),
        sa.Column("record_id", sa.BigInteger(), nullable=False),
        sa.Column("record_name", sa.String(length=120), nullable=False),
        sa.Column("paper", sa.String(length=80), nullable=False),
        sa.Column("copy_no", sa.Integer(), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("printed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("employee_id", sa.BigInteger(), nullable=True),
        sa.Column("branch_id", sa.BigInteger(), nullable=True),
        sa.Column("department_id", sa.BigInteger(), nullable=True),
        sa.Column("locale", sa.String(length=8), nullable=False),
        sa.Column("task_id", sa.BigInteger(), nullable=True),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("copy_no >= 1", name=op.f("ck_print_job_copy_counts_from_one")),
        sa.CheckConstraint("pages >= 1", name=op.f("ck_print_job_pages_positive")),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_print_job_branch_id_branch")),
        sa.ForeignKeyConstraint(
            ["department_id"], ["department.id"], name=op.f("fk_print_job_department_id_department")
        ),
        sa.ForeignKeyConstraint(["employee_id"], ["employee.id"], name=op.f("fk_print_job_employee_id_employee")),
        sa.ForeignKeyConstraint(["task_id"], ["background_task.id"], name=op.f("fk_print_job_task_id_background_task")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_print_job")),
        sa.UniqueConstraint(
            "table_name", "record_id", "paper", "copy_no", name=op.f("uq_print_job_table_name_record_id_paper_copy_no")
        ),
    )
    op.create_index("ix_print_job_branch_id_printed_at", "print_job", ["branch_id", "printed_at"])
    op.create_index(op.f("ix_print_job_employee_id"), "print_job", ["employee_id"])
    op.create_index(op.f("ix_print_job_printed_at"), "print_job", ["printed_at"])
    op.create_index(op.f("ix_print_job_task_id"), "print_job", ["task_id"])


def downgrade() -> None:
    op.drop_table("print_job")
