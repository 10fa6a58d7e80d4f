"""Whose rows: how far a role reaches over a table, as administrators change it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "202611220441"
down_revision = "202611220440"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "role_reach",
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.Column("table_name", sa.String(length=80), nullable=False),
        sa.Column("reach", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "reach IN ('none', 'own', 'department', 'branch', 'group')", name=op.f("ck_role_reach_reach_known")
        ),
        sa.ForeignKeyConstraint(["created_by_id"], ["ab_user.id"], name=op.f("fk_role_reach_created_by_id_ab_user")),
        sa.ForeignKeyConstraint(["updated_by_id"], ["ab_user.id"], name=op.f("fk_role_reach_updated_by_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role_reach")),
        sa.UniqueConstraint("role", "table_name", name=op.f("uq_role_reach_role_table_name")),
    )


def downgrade() -> None:
    op.drop_table("role_reach")
