"""The telephone: systems of branches, extensions, the book of events, calls; two more ways to look, one more file."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.trail import append_only, audited

revision = "202611220456"
down_revision = "202611220455"
branch_labels = None
depends_on = None


WAYS = "way IN ('reveal', 'look_up', 'file', 'export'{more})"
PURPOSES = "purpose IN ('evidence', 'import', 'result'{more})"


def _known(table: str, column: str, condition: str) -> None:
    """Put another list of known values in the place of the one that stands."""
    name = op.f(f"ck_{table}_{column}_known")
    op.drop_constraint(name, table)
    op.create_check_constraint(name, table, condition)


def upgrade() -> None:
    _known("sensitive_view_log", "way", WAYS.format(more=", 'dial', 'listen'"))
    _known("stored_file", "purpose", PURPOSES.format(more=", 'recording'"))
    op.create_table(
        "call_event",
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("call_id", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("event_id", sa.String(length=80), nullable=True),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "arrived_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("direction", sa.String(length=40), nullable=True),
        sa.Column("extension", sa.String(length=20), nullable=True),
        sa.Column("rings", sa.SmallInteger(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("direction IN ('in', 'out')", name=op.f("ck_call_event_direction_known")),
        sa.CheckConstraint(
            "kind IN ('ringing', 'answered', 'missed', 'ended', 'recording')", name=op.f("ck_call_event_kind_known")
        ),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_call_event_branch_id_branch")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call_event")),
        sa.UniqueConstraint("branch_id", "call_id", "kind", name=op.f("uq_call_event_branch_id_call_id_kind")),
    )
    op.create_index(
        "uq_call_event_event_id",
        "call_event",
        ["branch_id", "event_id"],
        unique=True,
        postgresql_where=sa.text("event_id IS NOT NULL"),
    )
    op.create_table(
        "phone_system",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("state", sa.String(length=40), server_default="in_use", nullable=False),
        sa.Column("method", sa.String(length=40), server_default="POST", nullable=False),
        sa.Column("address", sa.String(length=500), nullable=True),
        sa.Column("headers", sa.Text(), nullable=True),
        sa.Column("body", sa.String(length=2000), nullable=True),
        sa.Column("timeout_seconds", sa.SmallInteger(), server_default="5", nullable=False),
        sa.Column("recording_hosts", sa.String(length=500), nullable=True),
        sa.Column("is_plain_allowed", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("is_private_allowed", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("department_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("method IN ('GET', 'POST', 'PUT')", name=op.f("ck_phone_system_method_known")),
        sa.CheckConstraint("state IN ('in_use', 'retired')", name=op.f("ck_phone_system_state_known")),
        sa.CheckConstraint("timeout_seconds BETWEEN 1 AND 15", name=op.f("ck_phone_system_timeout_short")),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_phone_system_branch_id_branch")),
        sa.ForeignKeyConstraint(["created_by_id"], ["ab_user.id"], name=op.f("fk_phone_system_created_by_id_ab_user")),
        sa.ForeignKeyConstraint(
            ["department_id"], ["department.id"], name=op.f("fk_phone_system_department_id_department")
        ),
        sa.ForeignKeyConstraint(["updated_by_id"], ["ab_user.id"], name=op.f("fk_phone_system_updated_by_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_phone_system")),
    )
    op.create_index(op.f("ix_phone_system_branch_id"), "phone_system", ["branch_id"], unique=False)
    op.create_index(
        "uq_phone_system_in_use",
        "phone_system",
        ["branch_id"],
        unique=True,
        postgresql_where=sa.text("state = 'in_use'"),
    )
    op.create_table(
        "phone_extension",
        sa.Column("extension", sa.String(length=20), nullable=False),
        sa.Column("employee_id", sa.BigInteger(), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_phone_extension_branch_id_branch")),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["ab_user.id"], name=op.f("fk_phone_extension_created_by_id_ab_user")
        ),
        sa.ForeignKeyConstraint(["employee_id"], ["employee.id"], name=op.f("fk_phone_extension_employee_id_employee")),
        sa.ForeignKeyConstraint(
            ["updated_by_id"], ["ab_user.id"], name=op.f("fk_phone_extension_updated_by_id_ab_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_phone_extension")),
        sa.UniqueConstraint("branch_id", "extension", name=op.f("uq_phone_extension_branch_id_extension")),
    )
    op.create_index(op.f("ix_phone_extension_branch_id"), "phone_extension", ["branch_id"], unique=False)
    op.create_index(op.f("ix_phone_extension_employee_id"), "phone_extension", ["employee_id"], unique=False)
    op.create_table(
        "phone_call",
        sa.Column("call_id", sa.String(length=80), nullable=False),
        sa.Column("direction", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("number_hash", sa.String(length=64), nullable=True),
        sa.Column("extension", sa.String(length=20), nullable=True),
        sa.Column("employee_id", sa.BigInteger(), nullable=True),
        sa.Column("department_id", sa.BigInteger(), nullable=True),
        sa.Column("customer_id", sa.BigInteger(), nullable=True),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ringing_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("missed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ring_count", sa.SmallInteger(), nullable=True),
        sa.Column("is_in_time", sa.Boolean(), nullable=True),
        sa.Column("dial_key", sa.String(length=32), nullable=True),
        sa.Column("dialled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dial_said", sa.String(length=300), nullable=True),
        sa.Column("recording_url", sa.Text(), nullable=True),
        sa.Column("recording_state", sa.String(length=40), nullable=True),
        sa.Column("recording_said", sa.String(length=300), nullable=True),
        sa.Column("recording_file_id", sa.BigInteger(), nullable=True),
        sa.Column("contact_record_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("direction IN ('in', 'out')", name=op.f("ck_phone_call_direction_known")),
        sa.CheckConstraint(
            "recording_state IN ('waiting', 'stored', 'refused', 'dropped')",
            name=op.f("ck_phone_call_recording_state_known"),
        ),
        sa.CheckConstraint(
            "state IN ('dialled', 'failed', 'ringing', 'talking', 'ended', 'missed', 'unreached', 'joined')",
            name=op.f("ck_phone_call_state_known"),
        ),
        sa.CheckConstraint("answered_at IS NULL OR missed_at IS NULL", name=op.f("ck_phone_call_answered_or_missed")),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_phone_call_branch_id_branch")),
        sa.ForeignKeyConstraint(
            ["contact_record_id"], ["contact_record.id"], name=op.f("fk_phone_call_contact_record_id_contact_record")
        ),
        sa.ForeignKeyConstraint(["created_by_id"], ["ab_user.id"], name=op.f("fk_phone_call_created_by_id_ab_user")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_phone_call_customer_id_customer")),
        sa.ForeignKeyConstraint(
            ["department_id"], ["department.id"], name=op.f("fk_phone_call_department_id_department")
        ),
        sa.ForeignKeyConstraint(["employee_id"], ["employee.id"], name=op.f("fk_phone_call_employee_id_employee")),
        sa.ForeignKeyConstraint(
            ["recording_file_id"], ["stored_file.id"], name=op.f("fk_phone_call_recording_file_id_stored_file")
        ),
        sa.ForeignKeyConstraint(["updated_by_id"], ["ab_user.id"], name=op.f("fk_phone_call_updated_by_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_phone_call")),
        sa.UniqueConstraint("branch_id", "call_id", name=op.f("uq_phone_call_branch_id_call_id")),
        sa.UniqueConstraint("contact_record_id", name=op.f("uq_phone_call_contact_record_id")),
        sa.UniqueConstraint("recording_file_id", name=op.f("uq_phone_call_recording_file_id")),
    )
    op.create_index("ix_phone_call_branch_began", "phone_call", ["branch_id", "began_at"], unique=False)
    op.create_index(op.f("ix_phone_call_branch_id"), "phone_call", ["branch_id"], unique=False)
    op.create_index(op.f("ix_phone_call_customer_id"), "phone_call", ["customer_id"], unique=False)
    op.create_index("ix_phone_call_department_began", "phone_call", ["department_id", "began_at"], unique=False)
    op.create_index("ix_phone_call_employee_began", "phone_call", ["employee_id", "began_at"], unique=False)
    op.create_index(op.f("ix_phone_call_number_hash"), "phone_call", ["number_hash"], unique=False)
    op.create_index(
        "ix_phone_call_recording",
        "phone_call",
        ["recording_state"],
        unique=False,
        postgresql_where=sa.text("recording_state = 'waiting'"),
    )
    op.create_index(
        "ix_phone_call_unregistered",
        "phone_call",
        ["branch_id", "told_at"],
        unique=False,
        postgresql_where=sa.text("state = 'missed' AND contact_record_id IS NULL"),
    )
    op.create_index("uq_phone_call_dial_key", "phone_call", ["branch_id", "dial_key"], unique=True)
    audited("call_event", "payload")
    append_only("call_event")
    audited("phone_system", "headers", "row_version", "updated_at", "updated_by_id")
    audited("phone_extension", "row_version", "updated_at", "updated_by_id")
    audited(
        "phone_call",
        "answered_at",
        "began_at",
        "ended_at",
        "extension",
        "is_in_time",
        "missed_at",
        "number_hash",
        "ring_count",
        "ringing_at",
        "row_version",
        "state",
        "told_at",
        "updated_at",
        "updated_by_id",
    )


def downgrade() -> None:
    for table in ("phone_call", "phone_extension", "phone_system", "call_event"):
        op.drop_table(table)
    # What was looked at and kept meanwhile stays: the older list holds for what comes.
    for table, column, condition in (("sensitive_view_log", "way", WAYS), ("stored_file", "purpose", PURPOSES)):
        name = op.f(f"ck_{table}_{column}_known")
        op.drop_constraint(name, table)
        op.create_check_constraint(name, table, condition.format(more=""), postgresql_not_valid=True)
