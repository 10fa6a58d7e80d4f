"""Files that people hand in, kept outside the database under names of our own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "202611220430"
down_revision = "202611212140"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "stored_file",
        sa.Column("file_key", sa.String(length=32), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("media_type", sa.String(length=120), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column("subject_table", sa.String(length=80), nullable=True),
        sa.Column("subject_id", sa.BigInteger(), nullable=True),
        sa.Column("branch_id", sa.BigInteger(), nullable=True),
        sa.Column("employee_id", sa.BigInteger(), nullable=True),
        sa.Column("dropped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint("purpose IN ('evidence', 'import', 'result')", name=op.f("ck_stored_file_purpose_known")),
        sa.CheckConstraint("(subject_table IS NULL) = (subject_id IS NULL)", name=op.f("ck_stored_file_subject_whole")),
        sa.CheckConstraint("size_bytes >= 0", name=op.f("ck_stored_file_size_not_negative")),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_stored_file_branch_id_branch")),
        sa.ForeignKeyConstraint(["employee_id"], ["employee.id"], name=op.f("fk_stored_file_employee_id_employee")),
        sa.ForeignKeyConstraint(["created_by_id"], ["ab_user.id"], name=op.f("fk_stored_file_created_by_id_ab_user")),
        sa.ForeignKeyConstraint(["updated_by_id"], ["ab_user.id"], name=op.f("fk_stored_file_updated_by_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stored_file")),
        sa.UniqueConstraint("file_key", name=op.f("uq_stored_file_file_key")),
    )
    op.create_index(op.f("ix_stored_file_branch_id"), "stored_file", ["branch_id"])
    op.create_index(op.f("ix_stored_file_digest"), "stored_file", ["digest"])
    op.create_index(op.f("ix_stored_file_employee_id"), "stored_file", ["employee_id"])
    op.create_index("ix_stored_file_subject", "stored_file", ["subject_table", "subject_id"])


def downgrade() -> None:
    op.drop_table("stored_file")
