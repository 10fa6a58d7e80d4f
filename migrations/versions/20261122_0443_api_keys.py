"""Keys of programs that call the API in a person's name."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "202611220443"
down_revision = "202611220442"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_key",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("prefix", sa.String(length=16), nullable=False),
        sa.Column("key_hash", sa.String(length=40), nullable=False),
        sa.Column("employee_id", sa.BigInteger(), nullable=False),
        sa.Column("roles", postgresql.ARRAY(sa.String(length=40)), nullable=False),
        sa.Column("rights", postgresql.ARRAY(sa.String(length=120)), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("issued_by_id", sa.Integer(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("expires_at > issued_at", name=op.f("ck_api_key_expires_after_issue")),
        sa.CheckConstraint("cardinality(roles) + cardinality(rights) > 0", name=op.f("ck_api_key_narrowed")),
        sa.ForeignKeyConstraint(["employee_id"], ["employee.id"], name=op.f("fk_api_key_employee_id_employee")),
        sa.ForeignKeyConstraint(["issued_by_id"], ["ab_user.id"], name=op.f("fk_api_key_issued_by_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_key_key_hash")),
        sa.UniqueConstraint("prefix", name=op.f("uq_api_key_prefix")),
    )
    op.create_index(op.f("ix_api_key_employee_id"), "api_key", ["employee_id"])
    op.create_index(op.f("ix_api_key_expires_at"), "api_key", ["expires_at"])


def downgrade() -> None:
    op.drop_table("api_key")
