"""Reports that come by themselves, day by day; until when a file is kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.trail import audited

revision = "202611220451"
down_revision = "202611220450"
branch_labels = None
depends_on = None


def _recorded() -> list[sa.Column]:
    return [
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
    ]


def _keys(table: str, *pairs: tuple[str, str]) -> list[sa.ForeignKeyConstraint]:
    named = [*pairs, ("created_by_id", "ab_user"), ("updated_by_id", "ab_user")]
    return [
        sa.ForeignKeyConstraint([column], [f"{target}.id"], name=op.f(f"fk_{table}_{column}_{target}"))
        for column, target in named
    ]


def _known(table: str, column: str, *values: str) -> sa.CheckConstraint:
    named = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({named})", name=op.f(f"ck_{table}_{column}_known"))


def upgrade() -> None:
    op.add_column("stored_file", sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_stored_file_expiry", "stored_file", ["expires_at"], postgresql_where=sa.text("dropped_at IS NULL")
    )
    _subscriptions()
    _deliveries()
    for table in ("report_subscription", "report_delivery"):
        audited(table, "row_version", "updated_at", "updated_by_id")


def _subscriptions() -> None:
    name = "report_subscription"
    op.create_table(
        name,
        sa.Column("employee_id", sa.BigInteger(), nullable=False),
        sa.Column("report", sa.String(length=80), nullable=False),
        sa.Column("period", sa.String(length=40), nullable=False),
        sa.Column("weekdays", postgresql.ARRAY(sa.String(length=1)), nullable=False),
        sa.Column("send_at", sa.Time(), nullable=True),
        sa.Column("file_format", sa.String(length=40), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("mail_to", sa.Text(), nullable=True),
        sa.Column("locale", sa.String(length=8), server_default="zh", nullable=False),
        sa.Column("active_from", sa.Date(), nullable=False),
        sa.Column("active_until", sa.Date(), nullable=True),
        sa.Column("wanted_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stopped_why", sa.String(length=40), nullable=True),
        *_recorded(),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        _known(name, "period", "today", "yesterday", "this_month", "last_month"),
        _known(name, "file_format", "csv", "xlsx", "pdf"),
        _known(name, "stopped_why", "wish", "rights", "left", "report"),
        sa.CheckConstraint(
            "weekdays <@ ARRAY['1','2','3','4','5','6','7']::varchar[]", name=op.f(f"ck_{name}_weekdays_known")
        ),
        sa.CheckConstraint("cardinality(weekdays) > 0", name=op.f(f"ck_{name}_some_weekday")),
        sa.CheckConstraint(
            "active_until IS NULL OR active_until >= active_from", name=op.f(f"ck_{name}_until_after_from")
        ),
        sa.CheckConstraint(
            "(stopped_at IS NULL) = (stopped_why IS NULL)", name=op.f(f"ck_{name}_stopped_for_a_reason")
        ),
        sa.CheckConstraint("file_format IS NULL OR reason IS NOT NULL", name=op.f(f"ck_{name}_file_has_reason")),
        *_keys(name, ("employee_id", "employee"), ("branch_id", "branch")),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
    )
    op.create_index("ix_report_subscription_open", name, ["id"], postgresql_where=sa.text("stopped_at IS NULL"))
    op.create_index("ix_report_subscription_employee_id", name, ["employee_id"])
    op.create_index(op.f("ix_report_subscription_branch_id"), name, ["branch_id"])


def _deliveries() -> None:
    name = "report_delivery"
    op.create_table(
        name,
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("employee_id", sa.BigInteger(), nullable=False),
        sa.Column("report", sa.String(length=80), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("business_on", sa.Date(), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("report_run_id", sa.BigInteger(), nullable=True),
        sa.Column("export_request_id", sa.BigInteger(), nullable=True),
        sa.Column("task_id", sa.BigInteger(), nullable=True),
        sa.Column("mail_state", sa.String(length=40), nullable=True),
        sa.Column("message_id", sa.String(length=120), nullable=True),
        sa.Column("mailed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("mail_said", sa.String(length=500), nullable=True),
        *_recorded(),
        sa.Column("id", sa.BigInteger(), nullable=False),
        _known(name, "state", "waiting", "made", "stopped"),
        _known(name, "mail_state", "waiting", "sending", "sent", "refused", "unsure"),
        sa.CheckConstraint("(state = 'made') = (report_run_id IS NOT NULL)", name=op.f(f"ck_{name}_run_when_made")),
        sa.CheckConstraint("mail_state IS NULL OR message_id IS NOT NULL", name=op.f(f"ck_{name}_mail_is_named")),
        *_keys(
            name,
            ("subscription_id", "report_subscription"),
            ("employee_id", "employee"),
            ("report_run_id", "report_run"),
            ("export_request_id", "export_request"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
        sa.UniqueConstraint("subscription_id", "due_on", name=op.f(f"uq_{name}_subscription_id_due_on")),
        sa.UniqueConstraint("message_id", name=op.f(f"uq_{name}_message_id")),
    )
    op.create_index("ix_report_delivery_employee_id_id", name, ["employee_id", "id"])


def downgrade() -> None:
    op.drop_table("report_delivery")
    op.drop_table("report_subscription")
    op.drop_index("ix_stored_file_expiry", "stored_file")
    op.drop_column("stored_file", "expires_at")
