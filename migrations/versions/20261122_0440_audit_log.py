"""The trail: one append-only table for every change and every event, written by functions of the owner alone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "202611220440"
down_revision = "202611220438"
branch_labels = None
depends_on = None

# What happened that is no change of a row: a login, an export, a look. Refused where nobody is named.
EVENT = """
CREATE FUNCTION audit_event(happened text, about text, about_id bigint, told jsonb) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE made bigint;
BEGIN
  IF coalesce(current_setting('app.actor', true), '') = '' THEN
    RAISE EXCEPTION 'an event without an actor' USING ERRCODE = 'insufficient_privilege';
  END IF;
  IF happened IN ('insert', 'update', 'delete', 'truncate') THEN
    RAISE EXCEPTION 'changes of rows are written by their triggers' USING ERRCODE = 'insufficient_privilege';
  END IF;
  INSERT INTO audit_log (actor, request, address, table_name, record_id, operation, after)
  VALUES (current_setting('app.actor', true), coalesce(current_setting('app.request', true), ''),
          coalesce(current_setting('app.address', true), ''), about, about_id, happened, told)
  RETURNING id INTO made;
  RETURN made;
END $$
"""


def upgrade() -> None:
    op.create_table(
        "audit_log",
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("request", sa.String(length=200), nullable=False),
        sa.Column("address", sa.String(length=200), nullable=False),
        sa.Column("table_name", sa.String(length=80), nullable=True),
        sa.Column("record_id", sa.BigInteger(), nullable=True),
        sa.Column("operation", sa.String(length=40), nullable=False),
        sa.Column("before", postgresql.JSONB(), nullable=True),
        sa.Column("after", postgresql.JSONB(), nullable=True),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_index("ix_audit_log_record", "audit_log", ["table_name", "record_id", "id"])
    op.create_index(op.f("ix_audit_log_at"), "audit_log", ["at"])
    op.execute(EVENT)
    op.execute("REVOKE ALL ON audit_log FROM PUBLIC")


def downgrade() -> None:
    op.execute("DROP FUNCTION audit_event(text, text, bigint, jsonb)")
    op.drop_table("audit_log")
