"""What the white paper says of each of its headings: the headings, their steps, and what a branch adds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.trail import audited

revision = "202611220452"
down_revision = "202611220451"
branch_labels = None
depends_on = None

# The entry of the trail itself says who and when.
OF_RECORDED = ("row_version", "updated_at", "updated_by_id")


def upgrade() -> None:
    op.create_table(
        "process_guide",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("heading_no", sa.String(length=20), nullable=False),
        sa.Column("position", sa.Integer(), server_default="10000", nullable=False),
        sa.Column("title", sa.String(length=120), nullable=False),
        sa.Column("title_en", sa.String(length=120), nullable=False),
        sa.Column("involved_groups", sa.String(length=200), nullable=True),
        sa.Column("executor", sa.String(length=200), nullable=True),
        sa.Column("manager", sa.String(length=200), nullable=True),
        sa.Column("supervisor", sa.String(length=200), nullable=True),
        sa.Column("prev_step", sa.String(length=200), nullable=True),
        sa.Column("explains", sa.String(length=1000), nullable=True),
        sa.Column("is_stated", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("remark", sa.String(length=1000), nullable=True),
        *_recorded(),
        sa.CheckConstraint(
            r"heading_no ~ '^([0-9]+(\.[0-9]+)*|S[0-9]?)$'", name=op.f("ck_process_guide_heading_shape")
        ),
        *_writers("process_guide"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_process_guide")),
        sa.UniqueConstraint("heading_no", name=op.f("uq_process_guide_heading_no")),
    )
    op.create_table(
        "process_step",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("guide_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(length=120), nullable=False),
        sa.Column("explanation", sa.String(length=1000), nullable=True),
        sa.Column("module", sa.String(length=200), nullable=True),
        *_recorded(),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["guide_id"], ["process_guide.id"], name=op.f("fk_process_step_guide_id_process_guide")
        ),
        *_writers("process_step"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_process_step")),
        sa.UniqueConstraint("guide_id", "position", name=op.f("uq_process_step_guide_id_position")),
    )
    op.create_index(op.f("ix_process_step_guide_id"), "process_step", ["guide_id"])
    op.create_table(
        "process_remark",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("guide_id", sa.BigInteger(), nullable=False),
        sa.Column("remark", sa.String(length=1000), nullable=False),
        *_recorded(),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["guide_id"], ["process_guide.id"], name=op.f("fk_process_remark_guide_id_process_guide")
        ),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_process_remark_branch_id_branch")),
        *_writers("process_remark"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_process_remark")),
        sa.UniqueConstraint("guide_id", "branch_id", name=op.f("uq_process_remark_guide_id_branch_id")),
    )
    op.create_index(op.f("ix_process_remark_guide_id"), "process_remark", ["guide_id"])
    op.create_index(op.f("ix_process_remark_branch_id"), "process_remark", ["branch_id"])
    for table in ("process_guide", "process_step", "process_remark"):
        audited(table, *OF_RECORDED)


def downgrade() -> None:
    for table in ("process_remark", "process_step", "process_guide"):
        op.drop_table(table)


def _recorded() -> list[sa.Column[object]]:
    """Who wrote a row and when, and its version."""
    return [
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
    ]


def _writers(table: str) -> list[sa.ForeignKeyConstraint]:
    return [
        sa.ForeignKeyConstraint([column], ["ab_user.id"], name=op.f(f"fk_{table}_{column}_ab_user"))
        for column in ("created_by_id", "updated_by_id")
    ]
