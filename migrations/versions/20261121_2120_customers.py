"""Source channels, partners, customers and their contacts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "202611212120"
down_revision = "202611212110"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "source_channel",
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("name_en", sa.String(length=60), nullable=False),
        sa.Column("parent_id", sa.BigInteger(), nullable=True),
        sa.Column("is_referral", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("is_partner", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("is_market", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("parent_id <> id", name=op.f("ck_source_channel_no_own_parent")),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["ab_user.id"], name=op.f("fk_source_channel_created_by_id_ab_user")
        ),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["source_channel.id"], name=op.f("fk_source_channel_parent_id_source_channel")
        ),
        sa.ForeignKeyConstraint(
            ["updated_by_id"], ["ab_user.id"], name=op.f("fk_source_channel_updated_by_id_ab_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source_channel")),
        sa.UniqueConstraint("code", name=op.f("uq_source_channel_code")),
    )
    op.create_index(op.f("ix_source_channel_parent_id"), "source_channel", ["parent_id"], unique=False)
    op.create_table(
        "channel_partner",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("contract_no", sa.String(length=60), nullable=True),
        sa.Column("manager_id", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state IN ('active', 'ended')", name=op.f("ck_channel_partner_state_known")),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_channel_partner_branch_id_branch")),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["ab_user.id"], name=op.f("fk_channel_partner_created_by_id_ab_user")
        ),
        sa.ForeignKeyConstraint(["manager_id"], ["employee.id"], name=op.f("fk_channel_partner_manager_id_employee")),
        sa.ForeignKeyConstraint(
            ["updated_by_id"], ["ab_user.id"], name=op.f("fk_channel_partner_updated_by_id_ab_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel_partner")),
        sa.UniqueConstraint("branch_id", "name", name=op.f("uq_channel_partner_branch_id_name")),
    )
    op.create_index(op.f("ix_channel_partner_branch_id"), "channel_partner", ["branch_id"], unique=False)
    op.create_table(
        "customer",
        sa.Column("customer_no", sa.String(length=30), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=True),
        sa.Column("alias", sa.String(length=60), nullable=True),
        sa.Column("sex", sa.String(length=40), nullable=True),
        sa.Column("birth_on", sa.Date(), nullable=True),
        sa.Column("birth_year", sa.SmallInteger(), nullable=True),
        sa.Column("id_no", sa.Text(), nullable=True),
        sa.Column("occupation", sa.String(length=60), nullable=True),
        sa.Column("area_id", sa.BigInteger(), nullable=True),
        sa.Column("address", sa.String(length=200), nullable=True),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("source_channel_id", sa.BigInteger(), nullable=True),
        sa.Column("channel_partner_id", sa.BigInteger(), nullable=True),
        sa.Column("referrer_customer_id", sa.BigInteger(), nullable=True),
        sa.Column("developer_id", sa.BigInteger(), nullable=True),
        sa.Column("developed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("developer_rule", sa.String(length=40), nullable=True),
        sa.Column("owner_consultant_id", sa.BigInteger(), nullable=True),
        sa.Column("first_visit_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_visit_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("followup_note", sa.String(length=500), nullable=True),
        sa.Column("search_terms", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "developer_rule IN ('first_registered', 'dispatched')", name=op.f("ck_customer_developer_rule_known")
        ),
        sa.CheckConstraint("sex IN ('female', 'male')", name=op.f("ck_customer_sex_known")),
        sa.CheckConstraint(
            "state IN ('temporary', 'formal', 'merged', 'frozen', 'restricted')", name=op.f("ck_customer_state_known")
        ),
        sa.CheckConstraint(
            "channel_partner_id IS NULL OR referrer_customer_id IS NULL",
            name=op.f("ck_customer_partner_customer_has_no_referrer"),
        ),
        sa.CheckConstraint("name IS NOT NULL OR alias IS NOT NULL", name=op.f("ck_customer_name_or_alias")),
        sa.CheckConstraint("referrer_customer_id <> id", name=op.f("ck_customer_no_own_referrer")),
        sa.ForeignKeyConstraint(["area_id"], ["dictionary_item.id"], name=op.f("fk_customer_area_id_dictionary_item")),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_customer_branch_id_branch")),
        sa.ForeignKeyConstraint(
            ["channel_partner_id"], ["channel_partner.id"], name=op.f("fk_customer_channel_partner_id_channel_partner")
        ),
        sa.ForeignKeyConstraint(["created_by_id"], ["ab_user.id"], name=op.f("fk_customer_created_by_id_ab_user")),
        sa.ForeignKeyConstraint(["developer_id"], ["employee.id"], name=op.f("fk_customer_developer_id_employee")),
        sa.ForeignKeyConstraint(
            ["owner_consultant_id"], ["employee.id"], name=op.f("fk_customer_owner_consultant_id_employee")
        ),
        sa.ForeignKeyConstraint(
            ["referrer_customer_id"], ["customer.id"], name=op.f("fk_customer_referrer_customer_id_customer")
        ),
        sa.ForeignKeyConstraint(
            ["source_channel_id"], ["source_channel.id"], name=op.f("fk_customer_source_channel_id_source_channel")
        ),
        sa.ForeignKeyConstraint(["updated_by_id"], ["ab_user.id"], name=op.f("fk_customer_updated_by_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer")),
        sa.UniqueConstraint("customer_no", name=op.f("uq_customer_customer_no")),
    )
    op.create_index(op.f("ix_customer_branch_id"), "customer", ["branch_id"], unique=False)
    op.create_index("ix_customer_branch_id_id", "customer", ["branch_id", "id"], unique=False)
    op.create_index(op.f("ix_customer_channel_partner_id"), "customer", ["channel_partner_id"], unique=False)
    op.create_index("ix_customer_developer_id_id", "customer", ["developer_id", "id"], unique=False)
    op.create_index(op.f("ix_customer_owner_consultant_id"), "customer", ["owner_consultant_id"], unique=False)
    op.create_index(op.f("ix_customer_referrer_customer_id"), "customer", ["referrer_customer_id"], unique=False)
    op.create_index("ix_customer_search_terms", "customer", ["search_terms"], unique=False, postgresql_using="gin")
    op.create_index(op.f("ix_customer_source_channel_id"), "customer", ["source_channel_id"], unique=False)
    op.create_table(
        "customer_contact",
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("value_hash", sa.String(length=64), nullable=False),
        sa.Column("value_tail", sa.String(length=8), nullable=False),
        sa.Column("relation", sa.String(length=40), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('phone', 'wechat', 'qq')", name=op.f("ck_customer_contact_kind_known")),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["ab_user.id"], name=op.f("fk_customer_contact_created_by_id_ab_user")
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_customer_contact_customer_id_customer")
        ),
        sa.ForeignKeyConstraint(
            ["updated_by_id"], ["ab_user.id"], name=op.f("fk_customer_contact_updated_by_id_ab_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_contact")),
        sa.UniqueConstraint(
            "customer_id", "kind", "value_hash", name=op.f("uq_customer_contact_customer_id_kind_value_hash")
        ),
    )
    op.create_index(op.f("ix_customer_contact_customer_id"), "customer_contact", ["customer_id"], unique=False)
    op.create_index("ix_customer_contact_kind_hash", "customer_contact", ["kind", "value_hash"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_customer_contact_kind_hash", table_name="customer_contact")
    op.drop_index(op.f("ix_customer_contact_customer_id"), table_name="customer_contact")
    op.drop_table("customer_contact")
    op.drop_index(op.f("ix_customer_source_channel_id"), table_name="customer")
    op.drop_index("ix_customer_search_terms", table_name="customer", postgresql_using="gin")
    op.drop_index(op.f("ix_customer_referrer_customer_id"), table_name="customer")
    op.drop_index(op.f("ix_customer_owner_consultant_id"), table_name="customer")
    op.drop_index("ix_customer_developer_id_id", table_name="customer")
    op.drop_index(op.f("ix_customer_channel_partner_id"), table_name="customer")
    op.drop_index("ix_customer_branch_id_id", table_name="customer")
    op.drop_index(op.f("ix_customer_branch_id"), table_name="customer")
    op.drop_table("customer")
    op.drop_index(op.f("ix_channel_partner_branch_id"), table_name="channel_partner")
    op.drop_table("channel_partner")
    op.drop_index(op.f("ix_source_channel_parent_id"), table_name="source_channel")
    op.drop_table("source_channel")
