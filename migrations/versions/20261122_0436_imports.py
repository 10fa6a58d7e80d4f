"""Imports: the file, its mapping, what was refused, what was made."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "202611220436"
down_revision = "202611220435"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "import_batch",
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("file_id", sa.BigInteger(), nullable=False),
        sa.Column("file_name", sa.String(length=200), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("sheet", sa.String(length=80), nullable=True),
        sa.Column(
            "sheets", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False
        ),
        sa.Column("encoding", sa.String(length=20), nullable=True),
        sa.Column("delimiter", sa.String(length=4), nullable=True),
        sa.Column("header_row", sa.Integer(), server_default="1", nullable=False),
        sa.Column(
            "columns", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False
        ),
        sa.Column("on_duplicate", sa.String(length=40), server_default="skip", nullable=False),
        sa.Column("all_or_nothing", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=True),
        sa.Column("round", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rows_total", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rows_done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rows_refused", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rows_duplicate", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rows_made", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rows_updated", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rows_skipped", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rows_left_out", sa.Integer(), server_default="0", nullable=False),
        sa.Column("links_done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("task_id", sa.BigInteger(), nullable=True),
        sa.Column("employee_id", sa.BigInteger(), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('customers', 'chats', 'employees', 'departments', 'positions')",
            name=op.f("ck_import_batch_kind_known"),
        ),
        sa.CheckConstraint(
            "on_duplicate IN ('skip', 'fill', 'refuse')", name=op.f("ck_import_batch_on_duplicate_known")
        ),
        sa.CheckConstraint(
            "state IN ('uploaded', 'checking', 'checked', 'importing', 'done', 'failed', 'cancelled')",
            name=op.f("ck_import_batch_state_known"),
        ),
        sa.CheckConstraint("rows_total >= 0 AND rows_done >= 0", name=op.f("ck_import_batch_counts_not_negative")),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_import_batch_branch_id_branch")),
        sa.ForeignKeyConstraint(["created_by_id"], ["ab_user.id"], name=op.f("fk_import_batch_created_by_id_ab_user")),
        sa.ForeignKeyConstraint(["employee_id"], ["employee.id"], name=op.f("fk_import_batch_employee_id_employee")),
        sa.ForeignKeyConstraint(["file_id"], ["stored_file.id"], name=op.f("fk_import_batch_file_id_stored_file")),
        sa.ForeignKeyConstraint(
            ["task_id"], ["background_task.id"], name=op.f("fk_import_batch_task_id_background_task")
        ),
        sa.ForeignKeyConstraint(["updated_by_id"], ["ab_user.id"], name=op.f("fk_import_batch_updated_by_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_batch")),
    )
    op.create_index(op.f("ix_import_batch_branch_id"), "import_batch", ["branch_id"], unique=False)
    op.create_index(op.f("ix_import_batch_employee_id"), "import_batch", ["employee_id"], unique=False)
    op.create_index(op.f("ix_import_batch_file_id"), "import_batch", ["file_id"], unique=False)
    op.create_index(
        "uq_import_batch_file",
        "import_batch",
        ["branch_id", "kind", "digest"],
        unique=True,
        postgresql_where=sa.text("state <> 'cancelled'"),
    )
    op.create_table(
        "import_finding",
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("weight", sa.String(length=40), nullable=False),
        sa.Column("row_no", sa.Integer(), nullable=False),
        sa.Column("column_no", sa.Integer(), nullable=True),
        sa.Column("cell", sa.String(length=20), server_default="", nullable=False),
        sa.Column("heading", sa.String(length=120), server_default="", nullable=False),
        sa.Column("value", sa.String(length=200), nullable=True),
        sa.Column("rule", sa.String(length=40), nullable=False),
        sa.Column(
            "facts", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("match_table", sa.String(length=80), nullable=True),
        sa.Column("match_id", sa.BigInteger(), nullable=True),
        sa.Column("choice", sa.String(length=40), nullable=True),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("choice IN ('skip', 'fill', 'refuse')", name=op.f("ck_import_finding_choice_known")),
        sa.CheckConstraint(
            "weight IN ('refused', 'duplicate', 'warning')", name=op.f("ck_import_finding_weight_known")
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["import_batch.id"], name=op.f("fk_import_finding_batch_id_import_batch")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_finding")),
    )
    op.create_index(
        "ix_import_finding_batch_round", "import_finding", ["batch_id", "round", "weight", "id"], unique=False
    )
    op.create_index("ix_import_finding_batch_row", "import_finding", ["batch_id", "round", "row_no"], unique=False)
    op.create_table(
        "import_row",
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("row_no", sa.Integer(), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("table_name", sa.String(length=80), nullable=True),
        sa.Column("record_id", sa.BigInteger(), nullable=True),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "action IN ('made', 'updated', 'skipped', 'refused')", name=op.f("ck_import_row_action_known")
        ),
        sa.ForeignKeyConstraint(["batch_id"], ["import_batch.id"], name=op.f("fk_import_row_batch_id_import_batch")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_row")),
        sa.UniqueConstraint("batch_id", "row_no", name=op.f("uq_import_row_batch_id_row_no")),
    )
    op.create_index("ix_import_row_record", "import_row", ["table_name", "record_id"], unique=False)
    op.create_table(
        "import_mapping",
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("headers", sa.String(length=64), nullable=False),
        sa.Column("mapping", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("employee_id", sa.BigInteger(), nullable=True),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('customers', 'chats', 'employees', 'departments', 'positions')",
            name=op.f("ck_import_mapping_kind_known"),
        ),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_import_mapping_branch_id_branch")),
        sa.ForeignKeyConstraint(["employee_id"], ["employee.id"], name=op.f("fk_import_mapping_employee_id_employee")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_mapping")),
        sa.UniqueConstraint("branch_id", "kind", "headers", name=op.f("uq_import_mapping_branch_id_kind_headers")),
    )
    op.create_index(op.f("ix_import_mapping_branch_id"), "import_mapping", ["branch_id"], unique=False)


def downgrade() -> None:
    op.drop_table("import_mapping")
    op.drop_table("import_row")
    op.drop_table("import_finding")
    op.drop_table("import_batch")
