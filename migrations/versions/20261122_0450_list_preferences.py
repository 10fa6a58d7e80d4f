"""How a person likes her lists: filters kept under a name, chosen columns."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.trail import audited

revision = "202611220450"
down_revision = "202611220449"
branch_labels = None
depends_on = None


def _recorded(table: str) -> list[sa.Column[object] | sa.Constraint]:
    """Return who wrote a row and when, its version, its number, and whose it is."""
    return [
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("employee_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["created_by_id"], ["ab_user.id"], name=op.f(f"fk_{table}_created_by_id_ab_user")),
        sa.ForeignKeyConstraint(["updated_by_id"], ["ab_user.id"], name=op.f(f"fk_{table}_updated_by_id_ab_user")),
        sa.ForeignKeyConstraint(["employee_id"], ["employee.id"], name=op.f(f"fk_{table}_employee_id_employee")),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
    ]


def upgrade() -> None:
    op.create_table(
        "saved_filter",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("page", sa.String(length=80), nullable=False),
        sa.Column("query", sa.String(length=1000), nullable=False),
        sa.Column("is_default", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        *_recorded("saved_filter"),
        sa.CheckConstraint("query <> ''", name=op.f("ck_saved_filter_query_asks_something")),
    )
    op.create_index(
        "uq_saved_filter_name",
        "saved_filter",
        ["employee_id", "page", "name"],
        unique=True,
        postgresql_where=sa.text("retired_at IS NULL"),
    )
    op.create_index(
        "uq_saved_filter_default",
        "saved_filter",
        ["employee_id", "page"],
        unique=True,
        postgresql_where=sa.text("is_default AND retired_at IS NULL"),
    )
    op.create_table(
        "list_columns",
        sa.Column("page", sa.String(length=80), nullable=False),
        sa.Column("columns", postgresql.ARRAY(sa.String(length=80)), server_default="{}", nullable=False),
        *_recorded("list_columns"),
        sa.UniqueConstraint("employee_id", "page", name=op.f("uq_list_columns_employee_id_page")),
    )
    for table in ("saved_filter", "list_columns"):
        audited(table, "row_version", "updated_at", "updated_by_id")


def downgrade() -> None:
    op.drop_table("list_columns")
    op.drop_table("saved_filter")
