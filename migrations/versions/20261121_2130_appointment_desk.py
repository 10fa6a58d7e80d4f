"""Contact records, appointment slips, follow-up plans."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "202611212130"
down_revision = "202611212120"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "contact_record",
        sa.Column("record_no", sa.String(length=30), nullable=False),
        sa.Column("channel", sa.String(length=40), nullable=False),
        sa.Column("contacted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("business_category_id", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.String(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("customer_id", sa.BigInteger(), nullable=True),
        sa.Column("consultant_id", sa.BigInteger(), nullable=True),
        sa.Column("department_id", sa.BigInteger(), nullable=True),
        sa.Column("caller_no", sa.Text(), nullable=True),
        sa.Column("caller_hash", sa.String(length=64), nullable=True),
        sa.Column("call_id", sa.String(length=80), nullable=True),
        sa.Column("ring_count", sa.SmallInteger(), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("missed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recording_url", sa.String(length=400), nullable=True),
        sa.Column("chat_id", sa.String(length=80), nullable=True),
        sa.Column("landing_page", sa.String(length=400), nullable=True),
        sa.Column("keyword", sa.String(length=120), nullable=True),
        sa.Column("chat_text", sa.String(), nullable=True),
        sa.Column("lead_quality_id", sa.BigInteger(), nullable=True),
        sa.Column("channel_partner_id", sa.BigInteger(), nullable=True),
        sa.Column("referrer_customer_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(channel = 'partner') = (channel_partner_id IS NOT NULL)", name=op.f("ck_contact_record_partner_named")
        ),
        sa.CheckConstraint("channel IN ('phone', 'web_chat', 'partner')", name=op.f("ck_contact_record_channel_known")),
        sa.CheckConstraint(
            "answered_at IS NULL OR missed_at IS NULL", name=op.f("ck_contact_record_answered_or_missed")
        ),
        sa.CheckConstraint(
            "channel_partner_id IS NULL OR referrer_customer_id IS NULL",
            name=op.f("ck_contact_record_partner_contact_has_no_referrer"),
        ),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_contact_record_branch_id_branch")),
        sa.ForeignKeyConstraint(
            ["business_category_id"],
            ["dictionary_item.id"],
            name=op.f("fk_contact_record_business_category_id_dictionary_item"),
        ),
        sa.ForeignKeyConstraint(
            ["channel_partner_id"],
            ["channel_partner.id"],
            name=op.f("fk_contact_record_channel_partner_id_channel_partner"),
        ),
        sa.ForeignKeyConstraint(
            ["consultant_id"], ["employee.id"], name=op.f("fk_contact_record_consultant_id_employee")
        ),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["ab_user.id"], name=op.f("fk_contact_record_created_by_id_ab_user")
        ),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_contact_record_customer_id_customer")),
        sa.ForeignKeyConstraint(
            ["department_id"], ["department.id"], name=op.f("fk_contact_record_department_id_department")
        ),
        sa.ForeignKeyConstraint(
            ["lead_quality_id"], ["dictionary_item.id"], name=op.f("fk_contact_record_lead_quality_id_dictionary_item")
        ),
        sa.ForeignKeyConstraint(
            ["referrer_customer_id"], ["customer.id"], name=op.f("fk_contact_record_referrer_customer_id_customer")
        ),
        sa.ForeignKeyConstraint(
            ["updated_by_id"], ["ab_user.id"], name=op.f("fk_contact_record_updated_by_id_ab_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_record")),
        sa.UniqueConstraint("record_no", name=op.f("uq_contact_record_record_no")),
    )
    op.create_index(
        "ix_contact_record_branch_contacted", "contact_record", ["branch_id", "channel", "contacted_at"], unique=False
    )
    op.create_index(op.f("ix_contact_record_branch_id"), "contact_record", ["branch_id"], unique=False)
    op.create_index(op.f("ix_contact_record_caller_hash"), "contact_record", ["caller_hash"], unique=False)
    op.create_index(
        op.f("ix_contact_record_channel_partner_id"), "contact_record", ["channel_partner_id"], unique=False
    )
    op.create_index(
        "ix_contact_record_consultant_contacted", "contact_record", ["consultant_id", "contacted_at"], unique=False
    )
    op.create_index(op.f("ix_contact_record_customer_id"), "contact_record", ["customer_id"], unique=False)
    op.create_index(op.f("ix_contact_record_department_id"), "contact_record", ["department_id"], unique=False)
    op.create_table(
        "appointment_slip",
        sa.Column("slip_no", sa.String(length=30), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("contact_record_id", sa.BigInteger(), nullable=True),
        sa.Column("channel", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("appointed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("latest_arrival_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("intention", sa.String(length=40), nullable=False),
        sa.Column("target_department_id", sa.BigInteger(), nullable=True),
        sa.Column("preferred_consultant_id", sa.BigInteger(), nullable=True),
        sa.Column("preferred_doctor_id", sa.BigInteger(), nullable=True),
        sa.Column("need_text", sa.String(), nullable=True),
        sa.Column("quoted_text", sa.String(), nullable=True),
        sa.Column("companion_count", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("remark", sa.String(length=500), nullable=True),
        sa.Column("owner_id", sa.BigInteger(), nullable=False),
        sa.Column("department_id", sa.BigInteger(), nullable=False),
        sa.Column("first_owner_id", sa.BigInteger(), nullable=False),
        sa.Column("placed_by_id", sa.BigInteger(), nullable=False),
        sa.Column("ordered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("first_ordered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("supersedes_id", sa.BigInteger(), nullable=True),
        sa.Column("root_slip_id", sa.BigInteger(), nullable=True),
        sa.Column("is_supplement", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("guide_id", sa.BigInteger(), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("void_reason", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(state IN ('arrived', 'completed')) = (arrived_at IS NOT NULL)",
            name=op.f("ck_appointment_slip_arrival_recorded"),
        ),
        sa.CheckConstraint(
            "channel IN ('phone', 'web_chat', 'partner')", name=op.f("ck_appointment_slip_channel_known")
        ),
        sa.CheckConstraint("intention IN ('A', 'B', 'C', 'D')", name=op.f("ck_appointment_slip_intention_known")),
        sa.CheckConstraint(
            "state <> 'voided' OR void_reason IS NOT NULL", name=op.f("ck_appointment_slip_void_has_reason")
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'arrived', 'completed', 'voided', 'replaced', 'expired')",
            name=op.f("ck_appointment_slip_state_known"),
        ),
        sa.CheckConstraint("companion_count BETWEEN 0 AND 99", name=op.f("ck_appointment_slip_companions_bounds")),
        sa.CheckConstraint(
            "latest_arrival_at >= appointed_at", name=op.f("ck_appointment_slip_latest_after_appointed")
        ),
        sa.CheckConstraint("supersedes_id <> id", name=op.f("ck_appointment_slip_supersedes_another")),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_appointment_slip_branch_id_branch")),
        sa.ForeignKeyConstraint(
            ["contact_record_id"],
            ["contact_record.id"],
            name=op.f("fk_appointment_slip_contact_record_id_contact_record"),
        ),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["ab_user.id"], name=op.f("fk_appointment_slip_created_by_id_ab_user")
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_appointment_slip_customer_id_customer")
        ),
        sa.ForeignKeyConstraint(
            ["department_id"], ["department.id"], name=op.f("fk_appointment_slip_department_id_department")
        ),
        sa.ForeignKeyConstraint(
            ["first_owner_id"], ["employee.id"], name=op.f("fk_appointment_slip_first_owner_id_employee")
        ),
        sa.ForeignKeyConstraint(["guide_id"], ["employee.id"], name=op.f("fk_appointment_slip_guide_id_employee")),
        sa.ForeignKeyConstraint(["owner_id"], ["employee.id"], name=op.f("fk_appointment_slip_owner_id_employee")),
        sa.ForeignKeyConstraint(
            ["placed_by_id"], ["employee.id"], name=op.f("fk_appointment_slip_placed_by_id_employee")
        ),
        sa.ForeignKeyConstraint(
            ["preferred_consultant_id"],
            ["employee.id"],
            name=op.f("fk_appointment_slip_preferred_consultant_id_employee"),
        ),
        sa.ForeignKeyConstraint(
            ["preferred_doctor_id"], ["employee.id"], name=op.f("fk_appointment_slip_preferred_doctor_id_employee")
        ),
        sa.ForeignKeyConstraint(
            ["root_slip_id"], ["appointment_slip.id"], name=op.f("fk_appointment_slip_root_slip_id_appointment_slip")
        ),
        sa.ForeignKeyConstraint(
            ["supersedes_id"], ["appointment_slip.id"], name=op.f("fk_appointment_slip_supersedes_id_appointment_slip")
        ),
        sa.ForeignKeyConstraint(
            ["target_department_id"],
            ["department.id"],
            name=op.f("fk_appointment_slip_target_department_id_department"),
        ),
        sa.ForeignKeyConstraint(
            ["updated_by_id"], ["ab_user.id"], name=op.f("fk_appointment_slip_updated_by_id_ab_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_appointment_slip")),
        sa.UniqueConstraint("slip_no", name=op.f("uq_appointment_slip_slip_no")),
        sa.UniqueConstraint("supersedes_id", name=op.f("uq_appointment_slip_supersedes_id")),
    )
    op.create_index(op.f("ix_appointment_slip_arrived_at"), "appointment_slip", ["arrived_at"], unique=False)
    op.create_index(
        "ix_appointment_slip_branch_appointed", "appointment_slip", ["branch_id", "appointed_at"], unique=False
    )
    op.create_index(op.f("ix_appointment_slip_branch_id"), "appointment_slip", ["branch_id"], unique=False)
    op.create_index("ix_appointment_slip_branch_ordered", "appointment_slip", ["branch_id", "ordered_at"], unique=False)
    op.create_index(op.f("ix_appointment_slip_closed_at"), "appointment_slip", ["closed_at"], unique=False)
    op.create_index(
        op.f("ix_appointment_slip_contact_record_id"), "appointment_slip", ["contact_record_id"], unique=False
    )
    op.create_index(op.f("ix_appointment_slip_customer_id"), "appointment_slip", ["customer_id"], unique=False)
    op.create_index("ix_appointment_slip_department_id_id", "appointment_slip", ["department_id", "id"], unique=False)
    op.create_index(op.f("ix_appointment_slip_expired_at"), "appointment_slip", ["expired_at"], unique=False)
    op.create_index(
        "ix_appointment_slip_open_customer",
        "appointment_slip",
        ["customer_id"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "ix_appointment_slip_open_latest",
        "appointment_slip",
        ["latest_arrival_at"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index("ix_appointment_slip_owner_id_id", "appointment_slip", ["owner_id", "id"], unique=False)
    op.create_index(
        op.f("ix_appointment_slip_preferred_consultant_id"),
        "appointment_slip",
        ["preferred_consultant_id"],
        unique=False,
    )
    op.create_index(op.f("ix_appointment_slip_root_slip_id"), "appointment_slip", ["root_slip_id"], unique=False)
    op.create_table(
        "appointment_slip_item",
        sa.Column("slip_id", sa.BigInteger(), nullable=False),
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["item_id"], ["dictionary_item.id"], name=op.f("fk_appointment_slip_item_item_id_dictionary_item")
        ),
        sa.ForeignKeyConstraint(
            ["slip_id"], ["appointment_slip.id"], name=op.f("fk_appointment_slip_item_slip_id_appointment_slip")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_appointment_slip_item")),
    )
    op.create_index("uq_appointment_slip_item", "appointment_slip_item", ["slip_id", "item_id"], unique=True)
    op.create_table(
        "followup_plan",
        sa.Column("category_id", sa.BigInteger(), nullable=False),
        sa.Column("rule", sa.String(length=40), nullable=False),
        sa.Column("occasion", sa.String(length=80), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=True),
        sa.Column("contact_record_id", sa.BigInteger(), nullable=True),
        sa.Column("appointment_slip_id", sa.BigInteger(), nullable=True),
        sa.Column("purpose", sa.String(length=400), nullable=True),
        sa.Column("planned_on", sa.Date(), nullable=False),
        sa.Column("executor_id", sa.BigInteger(), nullable=True),
        sa.Column("department_id", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("executed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("feedback", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state <> 'executed' OR feedback IS NOT NULL", name=op.f("ck_followup_plan_executed_has_feedback")
        ),
        sa.CheckConstraint("state IN ('approved', 'executed', 'withdrawn')", name=op.f("ck_followup_plan_state_known")),
        sa.CheckConstraint(
            "customer_id IS NOT NULL OR contact_record_id IS NOT NULL", name=op.f("ck_followup_plan_about_somebody")
        ),
        sa.ForeignKeyConstraint(
            ["appointment_slip_id"],
            ["appointment_slip.id"],
            name=op.f("fk_followup_plan_appointment_slip_id_appointment_slip"),
        ),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_followup_plan_branch_id_branch")),
        sa.ForeignKeyConstraint(
            ["category_id"], ["dictionary_item.id"], name=op.f("fk_followup_plan_category_id_dictionary_item")
        ),
        sa.ForeignKeyConstraint(
            ["contact_record_id"], ["contact_record.id"], name=op.f("fk_followup_plan_contact_record_id_contact_record")
        ),
        sa.ForeignKeyConstraint(["created_by_id"], ["ab_user.id"], name=op.f("fk_followup_plan_created_by_id_ab_user")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_followup_plan_customer_id_customer")),
        sa.ForeignKeyConstraint(
            ["department_id"], ["department.id"], name=op.f("fk_followup_plan_department_id_department")
        ),
        sa.ForeignKeyConstraint(["executor_id"], ["employee.id"], name=op.f("fk_followup_plan_executor_id_employee")),
        sa.ForeignKeyConstraint(["updated_by_id"], ["ab_user.id"], name=op.f("fk_followup_plan_updated_by_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_followup_plan")),
    )
    op.create_index(
        op.f("ix_followup_plan_appointment_slip_id"), "followup_plan", ["appointment_slip_id"], unique=False
    )
    op.create_index(op.f("ix_followup_plan_branch_id"), "followup_plan", ["branch_id"], unique=False)
    op.create_index(op.f("ix_followup_plan_contact_record_id"), "followup_plan", ["contact_record_id"], unique=False)
    op.create_index(op.f("ix_followup_plan_customer_id"), "followup_plan", ["customer_id"], unique=False)
    op.create_index(op.f("ix_followup_plan_department_id"), "followup_plan", ["department_id"], unique=False)
    op.create_index(
        "ix_followup_plan_executor_due", "followup_plan", ["executor_id", "state", "planned_on"], unique=False
    )
    op.create_index("uq_followup_plan_occasion", "followup_plan", ["rule", "occasion"], unique=True)


def downgrade() -> None:
    op.drop_index("uq_followup_plan_occasion", table_name="followup_plan")
    op.drop_index("ix_followup_plan_executor_due", table_name="followup_plan")
    op.drop_index(op.f("ix_followup_plan_department_id"), table_name="followup_plan")
    op.drop_index(op.f("ix_followup_plan_customer_id"), table_name="followup_plan")
    op.drop_index(op.f("ix_followup_plan_contact_record_id"), table_name="followup_plan")
    op.drop_index(op.f("ix_followup_plan_branch_id"), table_name="followup_plan")
    op.drop_index(op.f("ix_followup_plan_appointment_slip_id"), table_name="followup_plan")
    op.drop_table("followup_plan")
    op.drop_index("uq_appointment_slip_item", table_name="appointment_slip_item")
    op.drop_table("appointment_slip_item")
    op.drop_index(op.f("ix_appointment_slip_root_slip_id"), table_name="appointment_slip")
    op.drop_index(op.f("ix_appointment_slip_preferred_consultant_id"), table_name="appointment_slip")
    op.drop_index("ix_appointment_slip_owner_id_id", table_name="appointment_slip")
    op.drop_index(
        "ix_appointment_slip_open_latest", table_name="appointment_slip", postgresql_where=sa.text("state = 'pending'")
    )
    op.drop_index(
        "ix_appointment_slip_open_customer",
        table_name="appointment_slip",
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.drop_index(op.f("ix_appointment_slip_expired_at"), table_name="appointment_slip")
    op.drop_index("ix_appointment_slip_department_id_id", table_name="appointment_slip")
    op.drop_index(op.f("ix_appointment_slip_customer_id"), table_name="appointment_slip")
    op.drop_index(op.f("ix_appointment_slip_contact_record_id"), table_name="appointment_slip")
    op.drop_index(op.f("ix_appointment_slip_closed_at"), table_name="appointment_slip")
    op.drop_index("ix_appointment_slip_branch_ordered", table_name="appointment_slip")
    op.drop_index(op.f("ix_appointment_slip_branch_id"), table_name="appointment_slip")
    op.drop_index("ix_appointment_slip_branch_appointed", table_name="appointment_slip")
    op.drop_index(op.f("ix_appointment_slip_arrived_at"), table_name="appointment_slip")
    op.drop_table("appointment_slip")
    op.drop_index(op.f("ix_contact_record_department_id"), table_name="contact_record")
    op.drop_index(op.f("ix_contact_record_customer_id"), table_name="contact_record")
    op.drop_index("ix_contact_record_consultant_contacted", table_name="contact_record")
    op.drop_index(op.f("ix_contact_record_channel_partner_id"), table_name="contact_record")
    op.drop_index(op.f("ix_contact_record_caller_hash"), table_name="contact_record")
    op.drop_index(op.f("ix_contact_record_branch_id"), table_name="contact_record")
    op.drop_index("ix_contact_record_branch_contacted", table_name="contact_record")
    op.drop_table("contact_record")
