"""Messages to customers and their outbox, opt-outs, and who celebrates the lunar birthday."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.trail import audited

revision = "202611220455"
down_revision = "202611220454"
branch_labels = None
depends_on = None

# The entry of the trail itself says who and when.
OF_RECORDED = ("row_version", "updated_at", "updated_by_id")


def upgrade() -> None:
    op.add_column("customer", sa.Column("birth_calendar", sa.String(length=40), nullable=True))
    op.create_check_constraint(
        op.f("ck_customer_birth_calendar_known"), "customer", "birth_calendar IN ('solar', 'lunar')"
    )
    op.create_table(
        "message_template",
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("channel", sa.String(length=40), nullable=False),
        sa.Column("category", sa.String(length=40), nullable=False),
        sa.Column("is_marketing", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("content", sa.String(length=500), nullable=False),
        sa.Column("provider_code", sa.String(length=60), nullable=True),
        sa.Column("state", sa.String(length=40), nullable=False),
        *_recorded(),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "category IN ('care', 'reminder', 'aftercare', 'event', 'notice')",
            name=op.f("ck_message_template_category_known"),
        ),
        sa.CheckConstraint("channel IN ('sms', 'wechat')", name=op.f("ck_message_template_channel_known")),
        sa.CheckConstraint("code ~ '^[a-z][a-z0-9_]*$'", name=op.f("ck_message_template_code_shape")),
        sa.CheckConstraint("state IN ('in_use', 'retired')", name=op.f("ck_message_template_state_known")),
        *_writers("message_template"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message_template")),
        sa.UniqueConstraint("code", name=op.f("uq_message_template_code")),
    )
    op.create_table(
        "message_provider",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=True),
        sa.Column("channel", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("daily_cap", sa.Integer(), nullable=True),
        sa.Column("method", sa.String(length=40), nullable=True),
        sa.Column("address", sa.String(length=500), nullable=True),
        sa.Column("headers", sa.Text(), nullable=True),
        sa.Column("body_kind", sa.String(length=40), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("accepted_path", sa.String(length=80), nullable=True),
        sa.Column("accepted_value", sa.String(length=80), nullable=True),
        sa.Column("id_path", sa.String(length=80), nullable=True),
        sa.Column("key_header", sa.String(length=60), nullable=True),
        sa.Column("is_idempotent", sa.Boolean(), server_default="false", nullable=False),
        *_recorded(),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("body_kind IN ('json', 'form', 'none')", name=op.f("ck_message_provider_body_kind_known")),
        sa.CheckConstraint("channel IN ('sms', 'wechat')", name=op.f("ck_message_provider_channel_known")),
        sa.CheckConstraint("kind <> 'http' OR address IS NOT NULL", name=op.f("ck_message_provider_http_has_address")),
        sa.CheckConstraint("kind IN ('outbox', 'http', 'by_hand')", name=op.f("ck_message_provider_kind_known")),
        sa.CheckConstraint("method IN ('POST', 'GET', 'PUT')", name=op.f("ck_message_provider_method_known")),
        sa.CheckConstraint("state IN ('active', 'off')", name=op.f("ck_message_provider_state_known")),
        sa.CheckConstraint(
            "accepted_value IS NULL OR accepted_path IS NOT NULL", name=op.f("ck_message_provider_value_at_a_place")
        ),
        sa.CheckConstraint("daily_cap IS NULL OR daily_cap > 0", name=op.f("ck_message_provider_cap_positive")),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_message_provider_branch_id_branch")),
        *_writers("message_provider"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message_provider")),
        sa.UniqueConstraint("name", name=op.f("uq_message_provider_name")),
    )
    op.create_index(op.f("ix_message_provider_branch_id"), "message_provider", ["branch_id"])
    op.create_index(
        "uq_message_provider_active",
        "message_provider",
        ["channel", "branch_id"],
        unique=True,
        postgresql_where=sa.text("state = 'active'"),
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "contact_opt_out",
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("since_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("taken_by_id", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.Column("ended_by_id", sa.BigInteger(), nullable=True),
        *_recorded(),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "channel IN ('phone', 'sms', 'wechat', 'all')", name=op.f("ck_contact_opt_out_channel_known")
        ),
        sa.CheckConstraint("kind IN ('marketing', 'all')", name=op.f("ck_contact_opt_out_kind_known")),
        sa.CheckConstraint(
            "ended_at IS NULL OR ended_at >= since_at", name=op.f("ck_contact_opt_out_ends_after_since")
        ),
        *_writers("contact_opt_out"),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_contact_opt_out_customer_id_customer")),
        sa.ForeignKeyConstraint(["ended_by_id"], ["employee.id"], name=op.f("fk_contact_opt_out_ended_by_id_employee")),
        sa.ForeignKeyConstraint(["taken_by_id"], ["employee.id"], name=op.f("fk_contact_opt_out_taken_by_id_employee")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_opt_out")),
    )
    op.create_index(op.f("ix_contact_opt_out_customer_id"), "contact_opt_out", ["customer_id"])
    op.create_index(
        "uq_contact_opt_out_open",
        "contact_opt_out",
        ["customer_id", "channel", "kind"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "message",
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=40), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("is_marketing", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("template_id", sa.BigInteger(), nullable=True),
        sa.Column("provider_id", sa.BigInteger(), nullable=True),
        sa.Column("followup_plan_id", sa.BigInteger(), nullable=True),
        sa.Column("rule", sa.String(length=40), nullable=True),
        sa.Column("occasion", sa.String(length=120), nullable=True),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("not_after_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("message_key", sa.String(length=32), nullable=False),
        sa.Column("provider_ref", sa.String(length=120), nullable=True),
        sa.Column("sending_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("said", sa.String(length=500), nullable=True),
        sa.Column("sender_id", sa.BigInteger(), nullable=True),
        *_recorded(),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("channel IN ('sms', 'wechat')", name=op.f("ck_message_channel_known")),
        sa.CheckConstraint("state <> 'sending' OR sending_at IS NOT NULL", name=op.f("ck_message_sending_since")),
        sa.CheckConstraint(
            "state IN ('held', 'waiting', 'sending', 'sent', 'delivered', 'failed', 'unsure', 'cancelled')",
            name=op.f("ck_message_state_known"),
        ),
        sa.CheckConstraint("(rule IS NULL) = (occasion IS NULL)", name=op.f("ck_message_rule_has_occasion")),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_message_branch_id_branch")),
        *_writers("message"),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_message_customer_id_customer")),
        sa.ForeignKeyConstraint(
            ["followup_plan_id"], ["followup_plan.id"], name=op.f("fk_message_followup_plan_id_followup_plan")
        ),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["message_provider.id"], name=op.f("fk_message_provider_id_message_provider")
        ),
        sa.ForeignKeyConstraint(["sender_id"], ["employee.id"], name=op.f("fk_message_sender_id_employee")),
        sa.ForeignKeyConstraint(
            ["template_id"], ["message_template.id"], name=op.f("fk_message_template_id_message_template")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
        sa.UniqueConstraint("message_key", name=op.f("uq_message_message_key")),
    )
    op.create_index(op.f("ix_message_branch_id"), "message", ["branch_id"])
    op.create_index("ix_message_customer_id_id", "message", ["customer_id", "id"])
    op.create_index(
        "ix_message_due", "message", ["due_at", "id"], postgresql_where=sa.text("state IN ('waiting', 'sending')")
    )
    op.create_index(op.f("ix_message_followup_plan_id"), "message", ["followup_plan_id"])
    op.create_index("ix_message_provider_sending", "message", ["provider_id", "sending_at"])
    op.create_index(op.f("ix_message_template_id"), "message", ["template_id"])
    op.create_index(
        "uq_message_occasion",
        "message",
        ["rule", "occasion"],
        unique=True,
        postgresql_where=sa.text("rule IS NOT NULL"),
    )
    op.create_index(
        "uq_message_provider_ref",
        "message",
        ["provider_id", "provider_ref"],
        unique=True,
        postgresql_where=sa.text("provider_ref IS NOT NULL"),
    )
    _rules_send_messages()
    for table in ("message_template", "contact_opt_out", "message"):
        audited(table, *OF_RECORDED)
    audited("message_provider", "headers", *OF_RECORDED)


def _rules_send_messages() -> None:
    """Rules of follow-up make plans, as before, or messages by template; those of festivals name theirs."""
    op.add_column("followup_rule", sa.Column("makes", sa.String(length=40), server_default="plan", nullable=False))
    op.add_column("followup_rule", sa.Column("message_template_id", sa.BigInteger(), nullable=True))
    op.add_column("followup_rule", sa.Column("festival", sa.String(length=40), nullable=True))
    op.create_index(op.f("ix_followup_rule_message_template_id"), "followup_rule", ["message_template_id"])
    op.create_foreign_key(
        op.f("fk_followup_rule_message_template_id_message_template"),
        "followup_rule",
        "message_template",
        ["message_template_id"],
        ["id"],
    )
    op.create_check_constraint(op.f("ck_followup_rule_makes_known"), "followup_rule", "makes IN ('plan', 'message')")
    op.create_check_constraint(
        op.f("ck_followup_rule_message_has_template"),
        "followup_rule",
        "(makes = 'message') = (message_template_id IS NOT NULL)",
    )


def downgrade() -> None:
    # Who makes messages would make calls without its columns.
    op.execute("select set_config('app.actor', 'house:migration', true)")
    op.execute("UPDATE followup_rule SET retired_at = coalesce(retired_at, now()) WHERE makes = 'message'")
    op.drop_constraint(op.f("ck_followup_rule_message_has_template"), "followup_rule")
    op.drop_constraint(op.f("ck_followup_rule_makes_known"), "followup_rule")
    for column in ("festival", "message_template_id", "makes"):
        op.drop_column("followup_rule", column)
    for table in ("message", "contact_opt_out", "message_provider", "message_template"):
        op.drop_table(table)
    op.drop_constraint(op.f("ck_customer_birth_calendar_known"), "customer")
    op.drop_column("customer", "birth_calendar")


def _recorded() -> list[sa.Column[object]]:
    """Who wrote a row and when, and its version."""
    return [
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
    ]


def _writers(table: str) -> list[sa.ForeignKeyConstraint]:
    return [
        sa.ForeignKeyConstraint([column], ["ab_user.id"], name=op.f(f"fk_{table}_{column}_ab_user"))
        for column in ("created_by_id", "updated_by_id")
    ]
