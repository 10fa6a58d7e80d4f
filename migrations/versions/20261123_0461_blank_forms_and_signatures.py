"""Runs of blank reception forms, and signatures under stored reports."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.trail import append_only, audited

revision = "202611230461"
down_revision = "202611230460"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reception_form_run",
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("first_no", sa.String(length=30), nullable=False),
        sa.Column("last_no", sa.String(length=30), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("taken_by_id", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.String(length=200), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("count BETWEEN 1 AND 200", name=op.f("ck_reception_form_run_count_bounds")),
        sa.CheckConstraint(
            "first_no <= last_no AND length(first_no) = length(last_no)",
            name=op.f("ck_reception_form_run_range_whole"),
        ),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_reception_form_run_branch_id_branch")),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["ab_user.id"], name=op.f("fk_reception_form_run_created_by_id_ab_user")
        ),
        sa.ForeignKeyConstraint(
            ["taken_by_id"], ["employee.id"], name=op.f("fk_reception_form_run_taken_by_id_employee")
        ),
        sa.ForeignKeyConstraint(
            ["updated_by_id"], ["ab_user.id"], name=op.f("fk_reception_form_run_updated_by_id_ab_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reception_form_run")),
        sa.UniqueConstraint("first_no", name=op.f("uq_reception_form_run_first_no")),
        sa.UniqueConstraint("last_no", name=op.f("uq_reception_form_run_last_no")),
    )
    op.create_index(op.f("ix_reception_form_run_branch_id"), "reception_form_run", ["branch_id"], unique=False)
    op.create_table(
        "report_signature",
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("signed_by_id", sa.BigInteger(), nullable=False),
        sa.Column("remark", sa.String(length=500), nullable=True),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_report_signature_branch_id_branch")),
        sa.ForeignKeyConstraint(["run_id"], ["report_run.id"], name=op.f("fk_report_signature_run_id_report_run")),
        sa.ForeignKeyConstraint(
            ["signed_by_id"], ["employee.id"], name=op.f("fk_report_signature_signed_by_id_employee")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_signature")),
        sa.UniqueConstraint("run_id", name=op.f("uq_report_signature_run_id")),
    )
    op.create_index(op.f("ix_report_signature_branch_id"), "report_signature", ["branch_id"], unique=False)
    audited("reception_form_run", "row_version", "updated_at", "updated_by_id")
    audited("report_signature")
    append_only("report_signature")


def downgrade() -> None:
    op.drop_table("report_signature")
    op.drop_table("reception_form_run")
