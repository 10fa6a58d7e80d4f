"""Days on which a branch is open, closed or opens otherwise."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "202611220434"
down_revision = "202611220433"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "branch_day",
        sa.Column("day_on", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("opens_at", sa.Time(), nullable=True),
        sa.Column("closes_at", sa.Time(), nullable=True),
        sa.Column("note", sa.String(length=200), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('open', 'closed')", name=op.f("ck_branch_day_kind_known")),
        sa.CheckConstraint("opens_at < closes_at", name=op.f("ck_branch_day_opens_before_it_closes")),
        sa.CheckConstraint(
            "kind = 'open' OR (opens_at IS NULL AND closes_at IS NULL)", name=op.f("ck_branch_day_closed_has_no_hours")
        ),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_branch_day_branch_id_branch")),
        sa.ForeignKeyConstraint(["created_by_id"], ["ab_user.id"], name=op.f("fk_branch_day_created_by_id_ab_user")),
        sa.ForeignKeyConstraint(["updated_by_id"], ["ab_user.id"], name=op.f("fk_branch_day_updated_by_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_branch_day")),
        sa.UniqueConstraint("branch_id", "day_on", name=op.f("uq_branch_day_branch_id_day_on")),
    )
    op.create_index(op.f("ix_branch_day_branch_id"), "branch_day", ["branch_id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_branch_day_branch_id"), table_name="branch_day")
    op.drop_table("branch_day")
