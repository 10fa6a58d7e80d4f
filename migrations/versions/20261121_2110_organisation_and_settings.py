"""Branches, departments, positions, employees; dictionaries, settings, numbers, changes to roles."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "202611212110"
down_revision = "202611212100"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "branch",
        sa.Column("code", sa.String(length=2), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("phone", sa.String(length=40), nullable=True),
        sa.Column("address", sa.String(length=200), nullable=True),
        sa.Column("licence_no", sa.String(length=60), nullable=True),
        sa.Column("surgical_level_max", sa.Integer(), server_default="1", nullable=False),
        sa.Column("zone", sa.String(length=40), server_default="Asia/Shanghai", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("code ~ '^[0-9]{2}$'", name=op.f("ck_branch_code_two_digits")),
        sa.ForeignKeyConstraint(["created_by_id"], ["ab_user.id"], name=op.f("fk_branch_created_by_id_ab_user")),
        sa.ForeignKeyConstraint(["updated_by_id"], ["ab_user.id"], name=op.f("fk_branch_updated_by_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_branch")),
        sa.UniqueConstraint("code", name=op.f("uq_branch_code")),
        sa.UniqueConstraint("name", name=op.f("uq_branch_name")),
    )
    op.create_table(
        "dictionary",
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("name_en", sa.String(length=60), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["created_by_id"], ["ab_user.id"], name=op.f("fk_dictionary_created_by_id_ab_user")),
        sa.ForeignKeyConstraint(["updated_by_id"], ["ab_user.id"], name=op.f("fk_dictionary_updated_by_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dictionary")),
        sa.UniqueConstraint("code", name=op.f("uq_dictionary_code")),
    )
    op.create_table(
        "number_rule",
        sa.Column("doc_type", sa.String(length=40), nullable=False),
        sa.Column("prefix", sa.String(length=4), nullable=False),
        sa.Column("with_branch", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("with_date", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("width", sa.Integer(), server_default="4", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("prefix ~ '^[A-Z]{1,4}$'", name=op.f("ck_number_rule_prefix_letters")),
        sa.CheckConstraint("width BETWEEN 3 AND 10", name=op.f("ck_number_rule_width_bounds")),
        sa.ForeignKeyConstraint(["created_by_id"], ["ab_user.id"], name=op.f("fk_number_rule_created_by_id_ab_user")),
        sa.ForeignKeyConstraint(["updated_by_id"], ["ab_user.id"], name=op.f("fk_number_rule_updated_by_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_number_rule")),
        sa.UniqueConstraint("doc_type", name=op.f("uq_number_rule_doc_type")),
        sa.UniqueConstraint("prefix", name=op.f("uq_number_rule_prefix")),
    )
    op.create_table(
        "position",
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("name_en", sa.String(length=80), nullable=True),
        sa.Column("default_role", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["created_by_id"], ["ab_user.id"], name=op.f("fk_position_created_by_id_ab_user")),
        sa.ForeignKeyConstraint(["updated_by_id"], ["ab_user.id"], name=op.f("fk_position_updated_by_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_position")),
        sa.UniqueConstraint("code", name=op.f("uq_position_code")),
    )
    op.create_table(
        "role_override",
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.Column("table_name", sa.String(length=80), nullable=False),
        sa.Column("permission", sa.String(length=80), nullable=False),
        sa.Column("effect", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("effect IN ('grant', 'withdraw')", name=op.f("ck_role_override_effect_known")),
        sa.ForeignKeyConstraint(["created_by_id"], ["ab_user.id"], name=op.f("fk_role_override_created_by_id_ab_user")),
        sa.ForeignKeyConstraint(["updated_by_id"], ["ab_user.id"], name=op.f("fk_role_override_updated_by_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role_override")),
        sa.UniqueConstraint(
            "role", "table_name", "permission", name=op.f("uq_role_override_role_table_name_permission")
        ),
    )
    op.create_table(
        "department",
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("parent_id", sa.BigInteger(), nullable=True),
        sa.Column("head_id", sa.BigInteger(), nullable=True),
        sa.Column("settles", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('management', 'function', 'medical_admin', 'business', 'medical', 'medical_tech', 'logistics')",
            name=op.f("ck_department_kind_known"),
        ),
        sa.CheckConstraint("parent_id <> id", name=op.f("ck_department_no_own_parent")),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_department_branch_id_branch")),
        sa.ForeignKeyConstraint(["created_by_id"], ["ab_user.id"], name=op.f("fk_department_created_by_id_ab_user")),
        sa.ForeignKeyConstraint(
            ["head_id"], ["employee.id"], name=op.f("fk_department_head_id_employee"), use_alter=True
        ),
        sa.ForeignKeyConstraint(["parent_id"], ["department.id"], name=op.f("fk_department_parent_id_department")),
        sa.ForeignKeyConstraint(["updated_by_id"], ["ab_user.id"], name=op.f("fk_department_updated_by_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_department")),
        sa.UniqueConstraint("branch_id", "code", name=op.f("uq_department_branch_id_code")),
    )
    op.create_index(op.f("ix_department_branch_id"), "department", ["branch_id"], unique=False)
    op.create_index(op.f("ix_department_parent_id"), "department", ["parent_id"], unique=False)
    op.create_table(
        "dictionary_item",
        sa.Column("dictionary_id", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("name_en", sa.String(length=80), nullable=False),
        sa.Column("position", sa.Integer(), server_default="100", nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state IN ('in_use', 'retired')", name=op.f("ck_dictionary_item_state_known")),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["ab_user.id"], name=op.f("fk_dictionary_item_created_by_id_ab_user")
        ),
        sa.ForeignKeyConstraint(
            ["dictionary_id"], ["dictionary.id"], name=op.f("fk_dictionary_item_dictionary_id_dictionary")
        ),
        sa.ForeignKeyConstraint(
            ["updated_by_id"], ["ab_user.id"], name=op.f("fk_dictionary_item_updated_by_id_ab_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dictionary_item")),
        sa.UniqueConstraint("dictionary_id", "code", name=op.f("uq_dictionary_item_dictionary_id_code")),
    )
    op.create_index(op.f("ix_dictionary_item_dictionary_id"), "dictionary_item", ["dictionary_id"], unique=False)
    op.create_table(
        "number_counter",
        sa.Column("rule_id", sa.BigInteger(), nullable=False),
        sa.Column("branch_code", sa.String(length=2), nullable=False),
        sa.Column("period", sa.String(length=8), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["rule_id"], ["number_rule.id"], name=op.f("fk_number_counter_rule_id_number_rule")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_number_counter")),
        sa.UniqueConstraint(
            "rule_id", "branch_code", "period", name=op.f("uq_number_counter_rule_id_branch_code_period")
        ),
    )
    op.create_table(
        "param",
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=True),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_param_branch_id_branch")),
        sa.ForeignKeyConstraint(["created_by_id"], ["ab_user.id"], name=op.f("fk_param_created_by_id_ab_user")),
        sa.ForeignKeyConstraint(["updated_by_id"], ["ab_user.id"], name=op.f("fk_param_updated_by_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_param")),
    )
    op.create_index(op.f("ix_param_branch_id"), "param", ["branch_id"], unique=False)
    op.create_index(
        "uq_param_key_branch_effective",
        "param",
        ["key", "branch_id", "effective_at"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "employee",
        sa.Column("employee_no", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("id_no", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("department_id", sa.BigInteger(), nullable=False),
        sa.Column("position_id", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("hired_on", sa.Date(), nullable=True),
        sa.Column("left_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("partner_employee_id", sa.BigInteger(), nullable=True),
        sa.Column("successor_employee_id", sa.BigInteger(), nullable=True),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state IN ('active', 'left')", name=op.f("ck_employee_state_known")),
        sa.CheckConstraint("partner_employee_id <> id", name=op.f("ck_employee_partner_is_another")),
        sa.CheckConstraint("successor_employee_id <> id", name=op.f("ck_employee_successor_is_another")),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_employee_branch_id_branch")),
        sa.ForeignKeyConstraint(["created_by_id"], ["ab_user.id"], name=op.f("fk_employee_created_by_id_ab_user")),
        sa.ForeignKeyConstraint(
            ["department_id"], ["department.id"], name=op.f("fk_employee_department_id_department")
        ),
        sa.ForeignKeyConstraint(
            ["partner_employee_id"], ["employee.id"], name=op.f("fk_employee_partner_employee_id_employee")
        ),
        sa.ForeignKeyConstraint(["position_id"], ["position.id"], name=op.f("fk_employee_position_id_position")),
        sa.ForeignKeyConstraint(
            ["successor_employee_id"], ["employee.id"], name=op.f("fk_employee_successor_employee_id_employee")
        ),
        sa.ForeignKeyConstraint(["updated_by_id"], ["ab_user.id"], name=op.f("fk_employee_updated_by_id_ab_user")),
        sa.ForeignKeyConstraint(["user_id"], ["ab_user.id"], name=op.f("fk_employee_user_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_employee")),
        sa.UniqueConstraint("employee_no", name=op.f("uq_employee_employee_no")),
        sa.UniqueConstraint("user_id", name=op.f("uq_employee_user_id")),
    )
    op.create_index(op.f("ix_employee_branch_id"), "employee", ["branch_id"], unique=False)
    op.create_index("ix_employee_department_id_state", "employee", ["department_id", "state"], unique=False)
    op.create_foreign_key("fk_department_head_id_employee", "department", "employee", ["head_id"], ["id"])


def downgrade() -> None:
    op.drop_constraint("fk_department_head_id_employee", "department", type_="foreignkey")
    op.drop_index("ix_employee_department_id_state", table_name="employee")
    op.drop_index(op.f("ix_employee_branch_id"), table_name="employee")
    op.drop_table("employee")
    op.drop_index("uq_param_key_branch_effective", table_name="param", postgresql_nulls_not_distinct=True)
    op.drop_index(op.f("ix_param_branch_id"), table_name="param")
    op.drop_table("param")
    op.drop_table("number_counter")
    op.drop_index(op.f("ix_dictionary_item_dictionary_id"), table_name="dictionary_item")
    op.drop_table("dictionary_item")
    op.drop_index(op.f("ix_department_parent_id"), table_name="department")
    op.drop_index(op.f("ix_department_branch_id"), table_name="department")
    op.drop_table("department")
    op.drop_table("role_override")
    op.drop_table("position")
    op.drop_table("number_rule")
    op.drop_table("dictionary")
    op.drop_table("branch")
