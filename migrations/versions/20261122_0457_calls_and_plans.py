"""Which call a follow-up plan dialled last, and which call was its carrying out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "202611220457"
down_revision = "202611220456"
branch_labels = None
depends_on = None

TABLES = ("followup_plan", "followup_execution")


def upgrade() -> None:
    for table in TABLES:
        op.add_column(table, sa.Column("phone_call_id", sa.BigInteger(), nullable=True))
        op.create_foreign_key(
            op.f(f"fk_{table}_phone_call_id_phone_call"), table, "phone_call", ["phone_call_id"], ["id"]
        )
        op.create_index(op.f(f"ix_{table}_phone_call_id"), table, ["phone_call_id"])


def downgrade() -> None:
    for table in TABLES:
        op.drop_index(op.f(f"ix_{table}_phone_call_id"), table)
        op.drop_constraint(op.f(f"fk_{table}_phone_call_id_phone_call"), table, type_="foreignkey")
        op.drop_column(table, "phone_call_id")
