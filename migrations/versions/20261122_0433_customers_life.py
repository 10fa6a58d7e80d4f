"""Traits, required fields, merges and owners of customers. White paper 1.2."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "202611220433"
down_revision = "202611220432"
branch_labels = None
depends_on = None

RULES = "'first_registered', 'dispatched', 'transferred', 'inherited', 'merged', 'supplement', 'imported'"
STAGES = (
    "'appointment', 'reception', 'consultation', 'diagnosis', 'plan', 'exam', 'ward', 'nursing', 'skin_care', "
    "'member', 'followup'"
)
FIELDS = (
    "'name', 'name_or_alias', 'contact', 'phone', 'sex', 'age', 'occupation', 'area', 'id_no', 'source_channel', "
    "'trait_hobby', 'trait_temper', 'trait_routine', 'trait_anniversary', 'trait_events', 'trait_calling', "
    "'trait_needs'"
)
#: What points at a customer and must not point at one whose file was merged into another's.
POINTING = (
    ("customer_contact", "customer_id"),
    ("contact_record", "customer_id"),
    ("appointment_slip", "customer_id"),
    ("appointment_supplement_request", "customer_id"),
    ("followup_plan", "customer_id"),
    ("customer_trait", "customer_id"),
    ("customer_owner_history", "customer_id"),
)
REFUSE_MERGED = """
create function refuse_merged_customer() returns trigger language plpgsql as $$
declare standing text;
begin
  -- Waits for a merge that is under way, then sees what became of the file.
  select state into standing from customer where id = new.customer_id for key share;
  if standing = 'merged' then
    raise exception 'the file was merged' using errcode = '23514', constraint = 'tg_customer_not_merged';
  end if;
  return new;
end $$
"""


def upgrade() -> None:
    _columns_of_customer()
    _owner_history()
    _traits()
    _requirements()
    _merge_log()
    op.execute(REFUSE_MERGED)
    for table, column in POINTING:
        op.execute(
            f"create trigger tg_{table}_not_merged before insert or update of {column} on {table} "
            f"for each row when (new.{column} is not null) execute function refuse_merged_customer()"
        )


def _columns_of_customer() -> None:
    op.add_column("customer", sa.Column("id_hash", sa.String(length=64), nullable=True))
    op.add_column("customer", sa.Column("merged_into_id", sa.BigInteger(), nullable=True))
    op.add_column("customer", sa.Column("restriction_asked_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("customer", sa.Column("restriction_asked_by_id", sa.BigInteger(), nullable=True))
    op.add_column("customer", sa.Column("restriction_reason", sa.String(length=500), nullable=True))
    op.create_index(op.f("ix_customer_id_hash"), "customer", ["id_hash"], unique=False)
    op.create_index(op.f("ix_customer_merged_into_id"), "customer", ["merged_into_id"], unique=False)
    op.create_foreign_key(
        op.f("fk_customer_merged_into_id_customer"), "customer", "customer", ["merged_into_id"], ["id"]
    )
    op.create_foreign_key(
        op.f("fk_customer_restriction_asked_by_id_employee"),
        "customer",
        "employee",
        ["restriction_asked_by_id"],
        ["id"],
    )
    op.drop_constraint(op.f("ck_customer_developer_rule_known"), "customer", type_="check")
    for name, rule in (
        ("developer_rule_known", f"developer_rule IN ({RULES})"),
        ("not_merged_into_itself", "merged_into_id <> id"),
        ("merged_names_the_kept", "state <> 'merged' OR merged_into_id IS NOT NULL"),
        ("only_merged_names_a_kept", "merged_into_id IS NULL OR state IN ('merged', 'restricted')"),
        ("restriction_was_asked", "state <> 'restricted' OR restriction_asked_by_id IS NOT NULL"),
    ):
        op.create_check_constraint(op.f(f"ck_customer_{name}"), "customer", rule)


def _owner_history() -> None:
    op.create_table(
        "customer_owner_history",
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column("from_employee_id", sa.BigInteger(), nullable=True),
        sa.Column("to_employee_id", sa.BigInteger(), nullable=True),
        sa.Column("rule", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("given_by_id", sa.BigInteger(), nullable=True),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "role IN ('developer', 'owner_consultant')", name=op.f("ck_customer_owner_history_role_known")
        ),
        sa.CheckConstraint(f"rule IN ({RULES})", name=op.f("ck_customer_owner_history_rule_known")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_customer_owner_history_customer_id_customer")
        ),
        sa.ForeignKeyConstraint(
            ["from_employee_id"], ["employee.id"], name=op.f("fk_customer_owner_history_from_employee_id_employee")
        ),
        sa.ForeignKeyConstraint(
            ["given_by_id"], ["employee.id"], name=op.f("fk_customer_owner_history_given_by_id_employee")
        ),
        sa.ForeignKeyConstraint(
            ["to_employee_id"], ["employee.id"], name=op.f("fk_customer_owner_history_to_employee_id_employee")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_owner_history")),
    )
    op.create_index(
        op.f("ix_customer_owner_history_customer_id"), "customer_owner_history", ["customer_id"], unique=False
    )
    # Customers who stand already: how they came to be whose they are is the first line of their history.
    op.execute(
        "insert into customer_owner_history (customer_id, role, to_employee_id, rule, given_at) "
        "select id, 'developer', developer_id, developer_rule, developed_at from customer "
        "where developer_id is not null and developer_rule is not null and developed_at is not null order by id"
    )


def _traits() -> None:
    op.create_table(
        "customer_trait",
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("trait_type_id", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.String(length=400), nullable=False),
        sa.Column("month", sa.SmallInteger(), nullable=True),
        sa.Column("month_day", sa.SmallInteger(), nullable=True),
        sa.Column("stage", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("collected_by_id", sa.BigInteger(), nullable=True),
        sa.Column("collected_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("supersedes_id", sa.BigInteger(), nullable=True),
        sa.Column("withdrawn_reason", sa.String(length=500), nullable=True),
        *_recorded(),
        sa.CheckConstraint("(month IS NULL) = (month_day IS NULL)", name=op.f("ck_customer_trait_day_is_whole")),
        sa.CheckConstraint(
            "month BETWEEN 1 AND 12 AND month_day BETWEEN 1 AND "
            "CASE WHEN month = 2 THEN 29 WHEN month IN (4, 6, 9, 11) THEN 30 ELSE 31 END",
            name=op.f("ck_customer_trait_day_exists"),
        ),
        sa.CheckConstraint("supersedes_id <> id", name=op.f("ck_customer_trait_not_its_own_correction")),
        sa.CheckConstraint(
            "state <> 'withdrawn' OR withdrawn_reason IS NOT NULL",
            name=op.f("ck_customer_trait_withdrawal_has_reason"),
        ),
        sa.CheckConstraint(f"stage IN ({STAGES})", name=op.f("ck_customer_trait_stage_known")),
        sa.CheckConstraint(
            "state IN ('current', 'superseded', 'withdrawn')", name=op.f("ck_customer_trait_state_known")
        ),
        sa.ForeignKeyConstraint(
            ["collected_by_id"], ["employee.id"], name=op.f("fk_customer_trait_collected_by_id_employee")
        ),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_customer_trait_customer_id_customer")),
        sa.ForeignKeyConstraint(
            ["supersedes_id"], ["customer_trait.id"], name=op.f("fk_customer_trait_supersedes_id_customer_trait")
        ),
        sa.ForeignKeyConstraint(
            ["trait_type_id"], ["dictionary_item.id"], name=op.f("fk_customer_trait_trait_type_id_dictionary_item")
        ),
        *_recorded_by("customer_trait"),
        sa.UniqueConstraint("supersedes_id", name=op.f("uq_customer_trait_supersedes_id")),
    )
    op.create_index(op.f("ix_customer_trait_customer_id"), "customer_trait", ["customer_id"], unique=False)
    op.create_index(op.f("ix_customer_trait_trait_type_id"), "customer_trait", ["trait_type_id"], unique=False)
    op.create_index(
        "ix_customer_trait_day",
        "customer_trait",
        ["month", "month_day"],
        unique=False,
        postgresql_where=sa.text("state = 'current'"),
    )


def _requirements() -> None:
    op.create_table(
        "field_requirement",
        sa.Column("stage", sa.String(length=40), nullable=False),
        sa.Column("field", sa.String(length=40), nullable=False),
        sa.Column("required", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=True),
        *_recorded(),
        sa.CheckConstraint(f"stage IN ({STAGES})", name=op.f("ck_field_requirement_stage_known")),
        sa.CheckConstraint(f"field IN ({FIELDS})", name=op.f("ck_field_requirement_field_known")),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_field_requirement_branch_id_branch")),
        *_recorded_by("field_requirement"),
    )
    op.create_index(op.f("ix_field_requirement_branch_id"), "field_requirement", ["branch_id"], unique=False)
    op.create_index(
        "uq_field_requirement_branch_stage_field",
        "field_requirement",
        ["branch_id", "stage", "field"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )


def _merge_log() -> None:
    op.create_table(
        "customer_merge_log",
        sa.Column("merged_id", sa.BigInteger(), nullable=False),
        sa.Column("kept_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("proof", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("proposed_by_id", sa.BigInteger(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by_id", sa.BigInteger(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision_note", sa.String(length=500), nullable=True),
        sa.Column("counts", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("moved", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        *_recorded(),
        sa.CheckConstraint("kept_id <> merged_id", name=op.f("ck_customer_merge_log_two_files")),
        sa.CheckConstraint("decided_by_id <> proposed_by_id", name=op.f("ck_customer_merge_log_two_people")),
        sa.CheckConstraint(
            "(state = 'proposed') = (decided_at IS NULL)", name=op.f("ck_customer_merge_log_decided_when_decided")
        ),
        sa.CheckConstraint(
            "state = 'proposed' OR decided_by_id IS NOT NULL", name=op.f("ck_customer_merge_log_decided_by_somebody")
        ),
        sa.CheckConstraint(
            "state <> 'rejected' OR decision_note IS NOT NULL", name=op.f("ck_customer_merge_log_rejection_has_reason")
        ),
        sa.CheckConstraint("state IN ('proposed', 'done', 'rejected')", name=op.f("ck_customer_merge_log_state_known")),
        sa.CheckConstraint(
            "proof IN ('id_number', 'number', 'seen', 'said')", name=op.f("ck_customer_merge_log_proof_known")
        ),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_customer_merge_log_branch_id_branch")),
        sa.ForeignKeyConstraint(
            ["decided_by_id"], ["employee.id"], name=op.f("fk_customer_merge_log_decided_by_id_employee")
        ),
        sa.ForeignKeyConstraint(["kept_id"], ["customer.id"], name=op.f("fk_customer_merge_log_kept_id_customer")),
        sa.ForeignKeyConstraint(["merged_id"], ["customer.id"], name=op.f("fk_customer_merge_log_merged_id_customer")),
        sa.ForeignKeyConstraint(
            ["proposed_by_id"], ["employee.id"], name=op.f("fk_customer_merge_log_proposed_by_id_employee")
        ),
        *_recorded_by("customer_merge_log"),
    )
    for column in ("branch_id", "kept_id", "merged_id"):
        op.create_index(op.f(f"ix_customer_merge_log_{column}"), "customer_merge_log", [column], unique=False)
    op.create_index(
        "uq_customer_merge_log_merged",
        "customer_merge_log",
        ["merged_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('proposed', 'done')"),
    )


def _recorded() -> list[sa.Column]:
    return [
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
    ]


def _recorded_by(table: str) -> list[sa.schema.SchemaItem]:
    return [
        sa.ForeignKeyConstraint(["created_by_id"], ["ab_user.id"], name=op.f(f"fk_{table}_created_by_id_ab_user")),
        sa.ForeignKeyConstraint(["updated_by_id"], ["ab_user.id"], name=op.f(f"fk_{table}_updated_by_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
    ]


def downgrade() -> None:
    for table, _column in reversed(POINTING):
        op.execute(f"drop trigger tg_{table}_not_merged on {table}")
    op.execute("drop function refuse_merged_customer()")
    for table in ("customer_merge_log", "field_requirement", "customer_trait", "customer_owner_history"):
        op.drop_table(table)
    for name in (
        "restriction_was_asked",
        "only_merged_names_a_kept",
        "merged_names_the_kept",
        "not_merged_into_itself",
        "developer_rule_known",
    ):
        op.drop_constraint(op.f(f"ck_customer_{name}"), "customer", type_="check")
    # The rules that the older schema does not know become the one nearest to them.
    op.execute(
        "update customer set developer_rule = 'dispatched' "
        "where developer_rule in ('transferred', 'inherited', 'merged', 'supplement')"
    )
    op.execute("update customer set developer_rule = 'first_registered' where developer_rule = 'imported'")
    op.create_check_constraint(
        op.f("ck_customer_developer_rule_known"), "customer", "developer_rule IN ('first_registered', 'dispatched')"
    )
    op.drop_constraint(op.f("fk_customer_restriction_asked_by_id_employee"), "customer", type_="foreignkey")
    op.drop_constraint(op.f("fk_customer_merged_into_id_customer"), "customer", type_="foreignkey")
    op.drop_index(op.f("ix_customer_merged_into_id"), table_name="customer")
    op.drop_index(op.f("ix_customer_id_hash"), table_name="customer")
    for column in (
        "restriction_reason",
        "restriction_asked_by_id",
        "restriction_asked_at",
        "merged_into_id",
        "id_hash",
    ):
        op.drop_column("customer", column)
