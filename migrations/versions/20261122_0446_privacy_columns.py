"""Encrypt what is said of persons: talks, needs, traits, addresses, histories, messages.

The columns become plain text first; then their rows are encrypted in pieces that commit one by one. A run that was broken
off goes on where it stopped: what is a token already is passed by. The house must be closed meanwhile, as for each migration.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.keyring import SEALED, is_sealed, ring

revision = "202611220446"
down_revision = "202611220444"
branch_labels = None
depends_on = None

PIECE = 1000
#: (table, column, length before; None: it was unbounded)
TEXTS = (
    ("contact_record", "content", None),
    ("contact_record", "outcome", None),
    ("contact_record", "chat_text", None),
    ("appointment_slip", "need_text", None),
    ("appointment_slip", "quoted_text", None),
    ("appointment_slip", "remark", 500),
    ("appointment_supplement_request", "need_text", None),
    ("appointment_supplement_request", "reason", None),
    ("followup_plan", "purpose", 400),
    ("followup_plan", "feedback", None),
    ("customer", "address", 200),
    ("customer", "followup_note", 500),
    ("customer", "restriction_reason", 500),
    ("customer_trait", "value", 400),
    ("import_finding", "value", 200),
    ("act_run", "notice", None),
)
OBJECTS = (
    ("act_run", "inputs"),
    ("notice", "facts"),
    ("background_task", "parameters"),
    ("import_finding", "facts"),
)


def upgrade() -> None:
    for table, column, length in TEXTS:
        op.alter_column(table, column, type_=sa.Text(), existing_type=sa.String(length=length))
    for table, column in OBJECTS:
        op.alter_column(table, column, server_default=None)
        op.alter_column(
            table,
            column,
            type_=sa.Text(),
            existing_type=postgresql.JSONB(),
            postgresql_using=f"{column}::text",
            existing_nullable=False,
        )
    with op.get_context().autocommit_block():
        for table, column in [*((table, column) for table, column, _length in TEXTS), *OBJECTS]:
            _convert(table, column, ring().encrypt, f"{column} NOT LIKE '{SEALED}%'")


def _convert(table: str, column: str, change, still: str) -> None:  # type: ignore[no-untyped-def]
    """Change the values of a column in pieces; each piece is one statement, and so one transaction."""
    connection, after = op.get_bind(), 0
    # Rows of the trail would keep what stood there in clear.
    connection.execute(sa.text("select set_config('app.rekey', 'on', false)"))
    while True:
        rows = connection.execute(
            sa.text(f"SELECT id, {column} FROM {table} WHERE id > :after AND {still} ORDER BY id LIMIT {PIECE}"),  # noqa: S608
            {"after": after},
        ).all()
        if not rows:
            break
        after = rows[-1][0]
        connection.execute(
            sa.text(
                f"UPDATE {table} SET {column} = told.value "  # noqa: S608
                "FROM unnest(CAST(:ids AS bigint[]), CAST(:stored AS text[])) AS told(id, value) "
                f"WHERE {table}.id = told.id"
            ),
            {"ids": [row[0] for row in rows], "stored": [change(row[1]) for row in rows]},
        )
    connection.execute(sa.text("select set_config('app.rekey', '', false)"))


def _opened(stored: str) -> str:
    return ring().decrypt(stored) if is_sealed(stored) else stored


def downgrade() -> None:
    with op.get_context().autocommit_block():
        for table, column in [*((table, column) for table, column, _length in TEXTS), *OBJECTS]:
            _convert(table, column, _opened, f"{column} LIKE '{SEALED}%'")
    for table, column in OBJECTS:
        op.alter_column(
            table,
            column,
            type_=postgresql.JSONB(),
            existing_type=sa.Text(),
            postgresql_using=f"{column}::jsonb",
            existing_nullable=False,
        )
        op.alter_column(table, column, server_default=sa.text("'{}'::jsonb"))
    for table, column, length in TEXTS:
        op.alter_column(table, column, type_=sa.String(length=length), existing_type=sa.Text())
