"""Reception, fair triage and consultations: desks, cards, visits, lines, the ledger of turns, rules."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.trail import append_only, audited

revision = "202611230458"
down_revision = "202611220457"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "triage_rule",
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("is_on", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("minutes", sa.SmallInteger(), nullable=True),
        sa.Column("day_ends_at", sa.Time(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("(code = 'R-S2-10') = (minutes IS NOT NULL)", name=op.f("ck_triage_rule_limit_has_minutes")),
        sa.CheckConstraint("(code = 'S7-4') = (day_ends_at IS NOT NULL)", name=op.f("ck_triage_rule_evening_has_hour")),
        sa.CheckConstraint(
            "code IN ('R-S2-1', 'R-S2-2', 'R-S2-3', 'R-S2-4', 'R-S2-5', 'R-S2-6', 'R-S2-7', 'R-S2-8', 'R-S2-9', 'R-S2-10', 'S3-1', 'S3-2', 'S3-3', 'S7-1', 'S7-2', 'S7-3', 'S7-4')",
            name=op.f("ck_triage_rule_code_known"),
        ),
        sa.CheckConstraint("minutes BETWEEN 1 AND 120", name=op.f("ck_triage_rule_minutes_bounds")),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_triage_rule_branch_id_branch")),
        sa.ForeignKeyConstraint(["created_by_id"], ["ab_user.id"], name=op.f("fk_triage_rule_created_by_id_ab_user")),
        sa.ForeignKeyConstraint(["updated_by_id"], ["ab_user.id"], name=op.f("fk_triage_rule_updated_by_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_triage_rule")),
        sa.UniqueConstraint("branch_id", "code", name=op.f("uq_triage_rule_branch_id_code")),
    )
    op.create_index(op.f("ix_triage_rule_branch_id"), "triage_rule", ["branch_id"], unique=False)
    op.create_table(
        "service_desk",
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("floor", sa.String(length=20), nullable=True),
        sa.Column("department_id", sa.BigInteger(), nullable=True),
        sa.Column("printer", sa.String(length=80), nullable=True),
        sa.Column("is_public", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("code ~ '^[A-Z0-9-]{1,20}$'", name=op.f("ck_service_desk_code_plain")),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_service_desk_branch_id_branch")),
        sa.ForeignKeyConstraint(["created_by_id"], ["ab_user.id"], name=op.f("fk_service_desk_created_by_id_ab_user")),
        sa.ForeignKeyConstraint(
            ["department_id"], ["department.id"], name=op.f("fk_service_desk_department_id_department")
        ),
        sa.ForeignKeyConstraint(["updated_by_id"], ["ab_user.id"], name=op.f("fk_service_desk_updated_by_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_desk")),
        sa.UniqueConstraint("branch_id", "code", name=op.f("uq_service_desk_branch_id_code")),
    )
    op.create_index(op.f("ix_service_desk_branch_id"), "service_desk", ["branch_id"], unique=False)
    op.create_table(
        "card_stock",
        sa.Column("card_type", sa.String(length=40), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("first_no", sa.String(length=30), nullable=False),
        sa.Column("last_no", sa.String(length=30), nullable=False),
        sa.Column("taken_in_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("taken_in_by_id", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.String(length=200), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("card_type IN ('design', 'visit')", name=op.f("ck_card_stock_card_type_known")),
        sa.CheckConstraint("count BETWEEN 1 AND 5000", name=op.f("ck_card_stock_count_bounds")),
        sa.CheckConstraint("first_no <= last_no", name=op.f("ck_card_stock_range_whole")),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_card_stock_branch_id_branch")),
        sa.ForeignKeyConstraint(["created_by_id"], ["ab_user.id"], name=op.f("fk_card_stock_created_by_id_ab_user")),
        sa.ForeignKeyConstraint(
            ["taken_in_by_id"], ["employee.id"], name=op.f("fk_card_stock_taken_in_by_id_employee")
        ),
        sa.ForeignKeyConstraint(["updated_by_id"], ["ab_user.id"], name=op.f("fk_card_stock_updated_by_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_card_stock")),
        sa.UniqueConstraint("first_no", name=op.f("uq_card_stock_first_no")),
        sa.UniqueConstraint("last_no", name=op.f("uq_card_stock_last_no")),
    )
    op.create_index(op.f("ix_card_stock_branch_id"), "card_stock", ["branch_id"], unique=False)
    op.create_table(
        "rotation_line",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("supervisor_id", sa.BigInteger(), nullable=True),
        sa.Column("position", sa.SmallInteger(), server_default="100", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('consultant', 'surgeon', 'dental')", name=op.f("ck_rotation_line_kind_known")),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_rotation_line_branch_id_branch")),
        sa.ForeignKeyConstraint(["created_by_id"], ["ab_user.id"], name=op.f("fk_rotation_line_created_by_id_ab_user")),
        sa.ForeignKeyConstraint(
            ["supervisor_id"], ["employee.id"], name=op.f("fk_rotation_line_supervisor_id_employee")
        ),
        sa.ForeignKeyConstraint(["updated_by_id"], ["ab_user.id"], name=op.f("fk_rotation_line_updated_by_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rotation_line")),
        sa.UniqueConstraint("branch_id", "name", name=op.f("uq_rotation_line_branch_id_name")),
    )
    op.create_index(op.f("ix_rotation_line_branch_id"), "rotation_line", ["branch_id"], unique=False)
    op.create_table(
        "rotation_seat",
        sa.Column("line_id", sa.BigInteger(), nullable=False),
        sa.Column("employee_id", sa.BigInteger(), nullable=False),
        sa.Column("office", sa.String(length=40), nullable=True),
        sa.Column("office_order", sa.SmallInteger(), nullable=False),
        sa.Column("is_designated", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("state_since_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state IN ('off', 'on', 'break')", name=op.f("ck_rotation_seat_state_known")),
        sa.CheckConstraint("office_order BETWEEN 1 AND 999", name=op.f("ck_rotation_seat_order_bounds")),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_rotation_seat_branch_id_branch")),
        sa.ForeignKeyConstraint(["created_by_id"], ["ab_user.id"], name=op.f("fk_rotation_seat_created_by_id_ab_user")),
        sa.ForeignKeyConstraint(["employee_id"], ["employee.id"], name=op.f("fk_rotation_seat_employee_id_employee")),
        sa.ForeignKeyConstraint(["line_id"], ["rotation_line.id"], name=op.f("fk_rotation_seat_line_id_rotation_line")),
        sa.ForeignKeyConstraint(["updated_by_id"], ["ab_user.id"], name=op.f("fk_rotation_seat_updated_by_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rotation_seat")),
    )
    op.create_index(op.f("ix_rotation_seat_branch_id"), "rotation_seat", ["branch_id"], unique=False)
    op.create_index(op.f("ix_rotation_seat_employee_id"), "rotation_seat", ["employee_id"], unique=False)
    op.create_index(op.f("ix_rotation_seat_line_id"), "rotation_seat", ["line_id"], unique=False)
    op.create_index(
        "uq_rotation_seat_employee",
        "rotation_seat",
        ["line_id", "employee_id"],
        unique=True,
        postgresql_where=sa.text("retired_at IS NULL"),
    )
    op.create_index(
        "uq_rotation_seat_order",
        "rotation_seat",
        ["line_id", "office_order"],
        unique=True,
        postgresql_where=sa.text("retired_at IS NULL"),
    )
    op.create_table(
        "customer_card",
        sa.Column("card_no", sa.String(length=30), nullable=False),
        sa.Column("card_type", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("stock_id", sa.BigInteger(), nullable=False),
        sa.Column("desk_id", sa.BigInteger(), nullable=True),
        sa.Column("customer_id", sa.BigInteger(), nullable=True),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("issued_by_id", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.String(length=500), nullable=True),
        sa.Column("replaced_by_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(state = 'replaced') = (replaced_by_id IS NOT NULL)", name=op.f("ck_customer_card_replacement_named")
        ),
        sa.CheckConstraint(
            "card_type <> 'design' OR state NOT IN ('active', 'replaced', 'withdrawn', 'cancelled') OR (customer_id IS NOT NULL AND issued_at IS NOT NULL)",
            name=op.f("ck_customer_card_design_card_has_owner"),
        ),
        sa.CheckConstraint(
            "card_type <> 'visit' OR customer_id IS NULL", name=op.f("ck_customer_card_visit_card_is_nobodys")
        ),
        sa.CheckConstraint("card_type IN ('design', 'visit')", name=op.f("ck_customer_card_card_type_known")),
        sa.CheckConstraint(
            "state IN ('in_stock', 'issued_to_desk', 'active', 'lost', 'damaged', 'replaced', 'withdrawn', 'cancelled', 'spoiled')",
            name=op.f("ck_customer_card_state_known"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('lost', 'damaged', 'spoiled') OR end_reason IS NOT NULL",
            name=op.f("ck_customer_card_end_has_reason"),
        ),
        sa.CheckConstraint("replaced_by_id <> id", name=op.f("ck_customer_card_replaced_by_another")),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_customer_card_branch_id_branch")),
        sa.ForeignKeyConstraint(["created_by_id"], ["ab_user.id"], name=op.f("fk_customer_card_created_by_id_ab_user")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_customer_card_customer_id_customer")),
        sa.ForeignKeyConstraint(["desk_id"], ["service_desk.id"], name=op.f("fk_customer_card_desk_id_service_desk")),
        sa.ForeignKeyConstraint(["issued_by_id"], ["employee.id"], name=op.f("fk_customer_card_issued_by_id_employee")),
        sa.ForeignKeyConstraint(
            ["replaced_by_id"], ["customer_card.id"], name=op.f("fk_customer_card_replaced_by_id_customer_card")
        ),
        sa.ForeignKeyConstraint(["stock_id"], ["card_stock.id"], name=op.f("fk_customer_card_stock_id_card_stock")),
        sa.ForeignKeyConstraint(["updated_by_id"], ["ab_user.id"], name=op.f("fk_customer_card_updated_by_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_card")),
        sa.UniqueConstraint("card_no", name=op.f("uq_customer_card_card_no")),
        sa.UniqueConstraint("replaced_by_id", name=op.f("uq_customer_card_replaced_by_id")),
    )
    op.create_index(op.f("ix_customer_card_branch_id"), "customer_card", ["branch_id"], unique=False)
    op.create_index("ix_customer_card_branch_state", "customer_card", ["branch_id", "card_type", "state"], unique=False)
    op.create_index(op.f("ix_customer_card_customer_id"), "customer_card", ["customer_id"], unique=False)
    op.create_index(op.f("ix_customer_card_desk_id"), "customer_card", ["desk_id"], unique=False)
    op.create_index("ix_customer_card_stock_state", "customer_card", ["stock_id", "state"], unique=False)
    op.create_index(
        "uq_customer_card_active",
        "customer_card",
        ["customer_id", "card_type"],
        unique=True,
        postgresql_where=sa.text("state = 'active' AND customer_id IS NOT NULL"),
    )
    op.create_table(
        "evening_duty",
        sa.Column("line_id", sa.BigInteger(), nullable=False),
        sa.Column("seat_id", sa.BigInteger(), nullable=False),
        sa.Column("duty_on", sa.Date(), nullable=False),
        sa.Column("position", sa.SmallInteger(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_evening_duty_branch_id_branch")),
        sa.ForeignKeyConstraint(["created_by_id"], ["ab_user.id"], name=op.f("fk_evening_duty_created_by_id_ab_user")),
        sa.ForeignKeyConstraint(["line_id"], ["rotation_line.id"], name=op.f("fk_evening_duty_line_id_rotation_line")),
        sa.ForeignKeyConstraint(["seat_id"], ["rotation_seat.id"], name=op.f("fk_evening_duty_seat_id_rotation_seat")),
        sa.ForeignKeyConstraint(["updated_by_id"], ["ab_user.id"], name=op.f("fk_evening_duty_updated_by_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evening_duty")),
    )
    op.create_index(op.f("ix_evening_duty_branch_id"), "evening_duty", ["branch_id"], unique=False)
    op.create_index(
        "uq_evening_duty_order",
        "evening_duty",
        ["line_id", "duty_on", "position"],
        unique=True,
        postgresql_where=sa.text("retired_at IS NULL"),
    )
    op.create_index(
        "uq_evening_duty_seat",
        "evening_duty",
        ["seat_id", "duty_on"],
        unique=True,
        postgresql_where=sa.text("retired_at IS NULL"),
    )
    op.create_table(
        "rotation_seat_item",
        sa.Column("seat_id", sa.BigInteger(), nullable=False),
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["item_id"], ["dictionary_item.id"], name=op.f("fk_rotation_seat_item_item_id_dictionary_item")
        ),
        sa.ForeignKeyConstraint(
            ["seat_id"], ["rotation_seat.id"], name=op.f("fk_rotation_seat_item_seat_id_rotation_seat")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rotation_seat_item")),
    )
    op.create_index(
        "uq_rotation_seat_item",
        "rotation_seat_item",
        ["seat_id", "item_id"],
        unique=True,
        postgresql_where=sa.text("retired_at IS NULL"),
    )
    op.create_table(
        "visit",
        sa.Column("visit_no", sa.String(length=30), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("appointment_slip_id", sa.BigInteger(), nullable=True),
        sa.Column("visit_type", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_late", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("received_by_id", sa.BigInteger(), nullable=True),
        sa.Column("desk_id", sa.BigInteger(), nullable=True),
        sa.Column("source_channel_id", sa.BigInteger(), nullable=True),
        sa.Column("is_market", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("referrer_customer_id", sa.BigInteger(), nullable=True),
        sa.Column("favour", sa.String(length=40), nullable=True),
        sa.Column("is_from_dental", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("designated_id", sa.BigInteger(), nullable=True),
        sa.Column("companion_count", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("remark", sa.Text(), nullable=True),
        sa.Column("consultant_id", sa.BigInteger(), nullable=True),
        sa.Column("department_id", sa.BigInteger(), nullable=True),
        sa.Column("triaged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("left_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("escort_id", sa.BigInteger(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancel_reason", sa.String(length=500), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("(state = 'left') = (left_at IS NOT NULL)", name=op.f("ck_visit_leaving_recorded")),
        sa.CheckConstraint(
            "(state IN ('left', 'cancelled')) = (closed_at IS NOT NULL)", name=op.f("ck_visit_closed_recorded")
        ),
        sa.CheckConstraint("favour IN ('paid', 'free')", name=op.f("ck_visit_favour_known")),
        sa.CheckConstraint(
            "state <> 'cancelled' OR cancel_reason IS NOT NULL", name=op.f("ck_visit_cancel_has_reason")
        ),
        sa.CheckConstraint(
            "state IN ('registered', 'triaged', 'in_consultation', 'deal', 'no_deal', 'served', 'in_service', 'finished', 'left', 'cancelled')",
            name=op.f("ck_visit_state_known"),
        ),
        sa.CheckConstraint(
            "visit_type IN ('first', 'return', 'repeat_purchase', 'recheck', 'dispute')",
            name=op.f("ck_visit_visit_type_known"),
        ),
        sa.CheckConstraint(
            "NOT (is_market AND referrer_customer_id IS NOT NULL)", name=op.f("ck_visit_market_has_no_referrer")
        ),
        sa.CheckConstraint("companion_count BETWEEN 0 AND 99", name=op.f("ck_visit_companions_bounds")),
        sa.CheckConstraint("left_at IS NULL OR left_at >= arrived_at", name=op.f("ck_visit_left_after_arrival")),
        sa.CheckConstraint("referrer_customer_id <> customer_id", name=op.f("ck_visit_no_own_referrer")),
        sa.ForeignKeyConstraint(
            ["appointment_slip_id"], ["appointment_slip.id"], name=op.f("fk_visit_appointment_slip_id_appointment_slip")
        ),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_visit_branch_id_branch")),
        sa.ForeignKeyConstraint(["consultant_id"], ["employee.id"], name=op.f("fk_visit_consultant_id_employee")),
        sa.ForeignKeyConstraint(["created_by_id"], ["ab_user.id"], name=op.f("fk_visit_created_by_id_ab_user")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_visit_customer_id_customer")),
        sa.ForeignKeyConstraint(["department_id"], ["department.id"], name=op.f("fk_visit_department_id_department")),
        sa.ForeignKeyConstraint(["designated_id"], ["employee.id"], name=op.f("fk_visit_designated_id_employee")),
        sa.ForeignKeyConstraint(["desk_id"], ["service_desk.id"], name=op.f("fk_visit_desk_id_service_desk")),
        sa.ForeignKeyConstraint(["escort_id"], ["employee.id"], name=op.f("fk_visit_escort_id_employee")),
        sa.ForeignKeyConstraint(["received_by_id"], ["employee.id"], name=op.f("fk_visit_received_by_id_employee")),
        sa.ForeignKeyConstraint(
            ["referrer_customer_id"], ["customer.id"], name=op.f("fk_visit_referrer_customer_id_customer")
        ),
        sa.ForeignKeyConstraint(
            ["source_channel_id"], ["source_channel.id"], name=op.f("fk_visit_source_channel_id_source_channel")
        ),
        sa.ForeignKeyConstraint(["updated_by_id"], ["ab_user.id"], name=op.f("fk_visit_updated_by_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit")),
        sa.UniqueConstraint("appointment_slip_id", name=op.f("uq_visit_appointment_slip_id")),
        sa.UniqueConstraint("visit_no", name=op.f("uq_visit_visit_no")),
    )
    op.create_index("ix_visit_branch_arrived", "visit", ["branch_id", "arrived_at"], unique=False)
    op.create_index(op.f("ix_visit_branch_id"), "visit", ["branch_id"], unique=False)
    op.create_index("ix_visit_consultant_arrived", "visit", ["consultant_id", "arrived_at"], unique=False)
    op.create_index(op.f("ix_visit_customer_id"), "visit", ["customer_id"], unique=False)
    op.create_index("ix_visit_department_arrived", "visit", ["department_id", "arrived_at"], unique=False)
    op.create_index(
        "ix_visit_open", "visit", ["branch_id", "state"], unique=False, postgresql_where=sa.text("closed_at IS NULL")
    )
    op.create_index(op.f("ix_visit_referrer_customer_id"), "visit", ["referrer_customer_id"], unique=False)
    op.create_index(
        "uq_visit_open_customer",
        "visit",
        ["branch_id", "customer_id"],
        unique=True,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "reception_form",
        sa.Column("form_no", sa.String(length=30), nullable=False),
        sa.Column("visit_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("sex", sa.String(length=40), nullable=False),
        sa.Column("age", sa.SmallInteger(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("area_id", sa.BigInteger(), nullable=True),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("occupation", sa.String(length=60), nullable=True),
        sa.Column("has_appointment", sa.Boolean(), nullable=False),
        sa.Column("source_channel_id", sa.BigInteger(), nullable=False),
        sa.Column("referrer_name", sa.String(length=60), nullable=True),
        sa.Column("referrer_phone", sa.Text(), nullable=True),
        sa.Column("expectation", sa.Text(), nullable=True),
        sa.Column("health_note", sa.Text(), nullable=True),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("registered_by_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("sex IN ('female', 'male')", name=op.f("ck_reception_form_sex_known")),
        sa.CheckConstraint(
            "(referrer_name IS NULL) = (referrer_phone IS NULL)", name=op.f("ck_reception_form_referrer_whole")
        ),
        sa.CheckConstraint("age BETWEEN 0 AND 120", name=op.f("ck_reception_form_age_bounds")),
        sa.ForeignKeyConstraint(
            ["area_id"], ["dictionary_item.id"], name=op.f("fk_reception_form_area_id_dictionary_item")
        ),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_reception_form_branch_id_branch")),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["ab_user.id"], name=op.f("fk_reception_form_created_by_id_ab_user")
        ),
        sa.ForeignKeyConstraint(
            ["registered_by_id"], ["employee.id"], name=op.f("fk_reception_form_registered_by_id_employee")
        ),
        sa.ForeignKeyConstraint(
            ["source_channel_id"],
            ["source_channel.id"],
            name=op.f("fk_reception_form_source_channel_id_source_channel"),
        ),
        sa.ForeignKeyConstraint(
            ["updated_by_id"], ["ab_user.id"], name=op.f("fk_reception_form_updated_by_id_ab_user")
        ),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_reception_form_visit_id_visit")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reception_form")),
        sa.UniqueConstraint("form_no", name=op.f("uq_reception_form_form_no")),
        sa.UniqueConstraint("visit_id", name=op.f("uq_reception_form_visit_id")),
    )
    op.create_index(op.f("ix_reception_form_branch_id"), "reception_form", ["branch_id"], unique=False)
    op.create_table(
        "triage_assignment",
        sa.Column("visit_id", sa.BigInteger(), nullable=False),
        sa.Column("line_id", sa.BigInteger(), nullable=False),
        sa.Column("seat_id", sa.BigInteger(), nullable=True),
        sa.Column("assignee_id", sa.BigInteger(), nullable=False),
        sa.Column("department_id", sa.BigInteger(), nullable=True),
        sa.Column("method", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("sequence_no", sa.SmallInteger(), server_default="1", nullable=False),
        sa.Column("called_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answer_by_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("called_by_id", sa.BigInteger(), nullable=True),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("skipped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("skip_reason", sa.String(length=500), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("complaint", sa.String(length=500), nullable=True),
        sa.Column("rule", sa.String(length=20), nullable=False),
        sa.Column(
            "why", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False
        ),
        sa.Column("previous_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(state = 'skipped') = (skipped_at IS NOT NULL)", name=op.f("ck_triage_assignment_skip_recorded")
        ),
        sa.CheckConstraint(
            "(state IN ('done', 'skipped', 'reassigned', 'unseen')) = (ended_at IS NOT NULL)",
            name=op.f("ck_triage_assignment_end_recorded"),
        ),
        sa.CheckConstraint(
            "method IN ('normal', 'makeup', 'skipped', 'returned', 'named', 'designated', 'owner', 'partner', 'successor', 'supervisor', 'duty')",
            name=op.f("ck_triage_assignment_method_known"),
        ),
        sa.CheckConstraint(
            "state IN ('calling', 'accepted', 'in_room', 'done', 'skipped', 'reassigned', 'unseen')",
            name=op.f("ck_triage_assignment_state_known"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('accepted', 'in_room', 'done') OR accepted_at IS NOT NULL",
            name=op.f("ck_triage_assignment_acceptance_recorded"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('in_room', 'done') OR entered_at IS NOT NULL",
            name=op.f("ck_triage_assignment_entry_recorded"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('reassigned', 'unseen') OR reason IS NOT NULL",
            name=op.f("ck_triage_assignment_reason_given"),
        ),
        sa.CheckConstraint("answer_by_at >= called_at", name=op.f("ck_triage_assignment_limit_after_call")),
        sa.CheckConstraint("previous_id <> id", name=op.f("ck_triage_assignment_follows_another")),
        sa.CheckConstraint(
            "skipped_at IS NULL OR skipped_at = answer_by_at OR (skip_reason IS NOT NULL AND skipped_at < answer_by_at)",
            name=op.f("ck_triage_assignment_skip_at_the_limit"),
        ),
        sa.ForeignKeyConstraint(
            ["assignee_id"], ["employee.id"], name=op.f("fk_triage_assignment_assignee_id_employee")
        ),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_triage_assignment_branch_id_branch")),
        sa.ForeignKeyConstraint(
            ["called_by_id"], ["employee.id"], name=op.f("fk_triage_assignment_called_by_id_employee")
        ),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["ab_user.id"], name=op.f("fk_triage_assignment_created_by_id_ab_user")
        ),
        sa.ForeignKeyConstraint(
            ["department_id"], ["department.id"], name=op.f("fk_triage_assignment_department_id_department")
        ),
        sa.ForeignKeyConstraint(
            ["line_id"], ["rotation_line.id"], name=op.f("fk_triage_assignment_line_id_rotation_line")
        ),
        sa.ForeignKeyConstraint(
            ["previous_id"], ["triage_assignment.id"], name=op.f("fk_triage_assignment_previous_id_triage_assignment")
        ),
        sa.ForeignKeyConstraint(
            ["seat_id"], ["rotation_seat.id"], name=op.f("fk_triage_assignment_seat_id_rotation_seat")
        ),
        sa.ForeignKeyConstraint(
            ["updated_by_id"], ["ab_user.id"], name=op.f("fk_triage_assignment_updated_by_id_ab_user")
        ),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_triage_assignment_visit_id_visit")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_triage_assignment")),
        sa.UniqueConstraint("previous_id", name=op.f("uq_triage_assignment_previous_id")),
    )
    op.create_index(
        "ix_triage_assignment_assignee_called", "triage_assignment", ["assignee_id", "called_at"], unique=False
    )
    op.create_index("ix_triage_assignment_branch_called", "triage_assignment", ["branch_id", "called_at"], unique=False)
    op.create_index(op.f("ix_triage_assignment_branch_id"), "triage_assignment", ["branch_id"], unique=False)
    op.create_index(
        "ix_triage_assignment_department_called", "triage_assignment", ["department_id", "called_at"], unique=False
    )
    op.create_index(
        "ix_triage_assignment_due",
        "triage_assignment",
        ["answer_by_at"],
        unique=False,
        postgresql_where=sa.text("state = 'calling'"),
    )
    op.create_index(
        "ix_triage_assignment_line_open",
        "triage_assignment",
        ["line_id"],
        unique=False,
        postgresql_where=sa.text("state IN ('calling', 'accepted', 'in_room')"),
    )
    op.create_index(op.f("ix_triage_assignment_seat_id"), "triage_assignment", ["seat_id"], unique=False)
    op.create_index(op.f("ix_triage_assignment_visit_id"), "triage_assignment", ["visit_id"], unique=False)
    op.create_index(
        "uq_triage_assignment_visit_line",
        "triage_assignment",
        ["visit_id", "line_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('calling', 'accepted', 'in_room', 'done')"),
    )
    op.create_table(
        "visit_card_issue",
        sa.Column("card_id", sa.BigInteger(), nullable=False),
        sa.Column("visit_id", sa.BigInteger(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("issued_by_id", sa.BigInteger(), nullable=True),
        sa.Column("returned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "ended_at IS NULL OR ended_at >= issued_at", name=op.f("ck_visit_card_issue_ended_after_issue")
        ),
        sa.CheckConstraint(
            "returned_at IS NULL OR returned_at = ended_at", name=op.f("ck_visit_card_issue_returned_is_end")
        ),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_visit_card_issue_branch_id_branch")),
        sa.ForeignKeyConstraint(
            ["card_id"], ["customer_card.id"], name=op.f("fk_visit_card_issue_card_id_customer_card")
        ),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["ab_user.id"], name=op.f("fk_visit_card_issue_created_by_id_ab_user")
        ),
        sa.ForeignKeyConstraint(
            ["ended_by_id"], ["employee.id"], name=op.f("fk_visit_card_issue_ended_by_id_employee")
        ),
        sa.ForeignKeyConstraint(
            ["issued_by_id"], ["employee.id"], name=op.f("fk_visit_card_issue_issued_by_id_employee")
        ),
        sa.ForeignKeyConstraint(
            ["updated_by_id"], ["ab_user.id"], name=op.f("fk_visit_card_issue_updated_by_id_ab_user")
        ),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_visit_card_issue_visit_id_visit")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit_card_issue")),
    )
    op.create_index("ix_visit_card_issue_branch", "visit_card_issue", ["branch_id", "issued_at"], unique=False)
    op.create_index(op.f("ix_visit_card_issue_branch_id"), "visit_card_issue", ["branch_id"], unique=False)
    op.create_index(
        "uq_visit_card_issue_card",
        "visit_card_issue",
        ["card_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(
        "uq_visit_card_issue_visit",
        "visit_card_issue",
        ["visit_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "visit_checkpoint",
        sa.Column("visit_id", sa.BigInteger(), nullable=False),
        sa.Column("desk_id", sa.BigInteger(), nullable=False),
        sa.Column("scanned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("scanned_by_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["desk_id"], ["service_desk.id"], name=op.f("fk_visit_checkpoint_desk_id_service_desk")
        ),
        sa.ForeignKeyConstraint(
            ["scanned_by_id"], ["employee.id"], name=op.f("fk_visit_checkpoint_scanned_by_id_employee")
        ),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_visit_checkpoint_visit_id_visit")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit_checkpoint")),
    )
    op.create_index(op.f("ix_visit_checkpoint_desk_id"), "visit_checkpoint", ["desk_id"], unique=False)
    op.create_index("ix_visit_checkpoint_visit", "visit_checkpoint", ["visit_id", "scanned_at"], unique=False)
    op.create_table(
        "visit_item",
        sa.Column("visit_id", sa.BigInteger(), nullable=False),
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["item_id"], ["dictionary_item.id"], name=op.f("fk_visit_item_item_id_dictionary_item")
        ),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_visit_item_visit_id_visit")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit_item")),
        sa.UniqueConstraint("visit_id", "item_id", name=op.f("uq_visit_item_visit_id_item_id")),
    )
    op.create_table(
        "consultation",
        sa.Column("visit_id", sa.BigInteger(), nullable=False),
        sa.Column("assignment_id", sa.BigInteger(), nullable=True),
        sa.Column("consultant_id", sa.BigInteger(), nullable=False),
        sa.Column("department_id", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("need_text", sa.Text(), nullable=True),
        sa.Column("budget", sa.Numeric(precision=12, scale=2), nullable=True),
        sa.Column("concern_text", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failure_reason_id", sa.BigInteger(), nullable=True),
        sa.Column("next_action", sa.String(length=500), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(state = 'no_deal') = (failure_reason_id IS NOT NULL)", name=op.f("ck_consultation_no_deal_has_reason")
        ),
        sa.CheckConstraint("(state = 'open') = (ended_at IS NULL)", name=op.f("ck_consultation_end_recorded")),
        sa.CheckConstraint("state IN ('open', 'deal', 'no_deal', 'served')", name=op.f("ck_consultation_state_known")),
        sa.CheckConstraint("budget >= 0", name=op.f("ck_consultation_budget_positive")),
        sa.CheckConstraint("ended_at >= started_at", name=op.f("ck_consultation_ended_after_start")),
        sa.ForeignKeyConstraint(
            ["assignment_id"], ["triage_assignment.id"], name=op.f("fk_consultation_assignment_id_triage_assignment")
        ),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_consultation_branch_id_branch")),
        sa.ForeignKeyConstraint(
            ["consultant_id"], ["employee.id"], name=op.f("fk_consultation_consultant_id_employee")
        ),
        sa.ForeignKeyConstraint(["created_by_id"], ["ab_user.id"], name=op.f("fk_consultation_created_by_id_ab_user")),
        sa.ForeignKeyConstraint(
            ["department_id"], ["department.id"], name=op.f("fk_consultation_department_id_department")
        ),
        sa.ForeignKeyConstraint(
            ["failure_reason_id"],
            ["dictionary_item.id"],
            name=op.f("fk_consultation_failure_reason_id_dictionary_item"),
        ),
        sa.ForeignKeyConstraint(["updated_by_id"], ["ab_user.id"], name=op.f("fk_consultation_updated_by_id_ab_user")),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_consultation_visit_id_visit")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consultation")),
        sa.UniqueConstraint("assignment_id", name=op.f("uq_consultation_assignment_id")),
    )
    op.create_index(op.f("ix_consultation_branch_id"), "consultation", ["branch_id"], unique=False)
    op.create_index("ix_consultation_branch_started", "consultation", ["branch_id", "started_at"], unique=False)
    op.create_index("ix_consultation_consultant_started", "consultation", ["consultant_id", "started_at"], unique=False)
    op.create_index("ix_consultation_department_started", "consultation", ["department_id", "started_at"], unique=False)
    op.create_index(op.f("ix_consultation_visit_id"), "consultation", ["visit_id"], unique=False)
    op.create_index(
        "uq_consultation_open", "consultation", ["visit_id"], unique=True, postgresql_where=sa.text("state = 'open'")
    )
    op.create_table(
        "rotation_turn",
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("line_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("day_on", sa.Date(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("visit_id", sa.BigInteger(), nullable=False),
        sa.Column("assignment_id", sa.BigInteger(), nullable=False),
        sa.Column("seat_id", sa.BigInteger(), nullable=True),
        sa.Column("office_order", sa.SmallInteger(), nullable=True),
        sa.Column("employee_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("consumes", sa.Boolean(), nullable=False),
        sa.Column("rule", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("by_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(seat_id IS NULL) = (office_order IS NULL) AND (seat_id IS NOT NULL OR kind NOT IN ('normal', 'makeup', 'returned', 'designated', 'duty'))",
            name=op.f("ck_rotation_turn_seat_named"),
        ),
        sa.CheckConstraint("consumes = (kind = 'normal')", name=op.f("ck_rotation_turn_only_normal_consumes")),
        sa.CheckConstraint(
            "kind IN ('normal', 'makeup', 'skipped', 'returned', 'named', 'designated', 'owner', 'partner', 'successor', 'supervisor', 'duty')",
            name=op.f("ck_rotation_turn_kind_known"),
        ),
        sa.CheckConstraint("number > 0", name=op.f("ck_rotation_turn_number_counts")),
        sa.ForeignKeyConstraint(
            ["assignment_id"], ["triage_assignment.id"], name=op.f("fk_rotation_turn_assignment_id_triage_assignment")
        ),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_rotation_turn_branch_id_branch")),
        sa.ForeignKeyConstraint(["by_id"], ["employee.id"], name=op.f("fk_rotation_turn_by_id_employee")),
        sa.ForeignKeyConstraint(["employee_id"], ["employee.id"], name=op.f("fk_rotation_turn_employee_id_employee")),
        sa.ForeignKeyConstraint(["line_id"], ["rotation_line.id"], name=op.f("fk_rotation_turn_line_id_rotation_line")),
        sa.ForeignKeyConstraint(["seat_id"], ["rotation_seat.id"], name=op.f("fk_rotation_turn_seat_id_rotation_seat")),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_rotation_turn_visit_id_visit")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rotation_turn")),
        sa.UniqueConstraint("line_id", "number", name=op.f("uq_rotation_turn_line_id_number")),
    )
    op.create_index(op.f("ix_rotation_turn_assignment_id"), "rotation_turn", ["assignment_id"], unique=False)
    op.create_index("ix_rotation_turn_branch_day", "rotation_turn", ["branch_id", "day_on"], unique=False)
    op.create_index(op.f("ix_rotation_turn_employee_id"), "rotation_turn", ["employee_id"], unique=False)
    op.create_index(
        "ix_rotation_turn_pointer",
        "rotation_turn",
        ["line_id", "number"],
        unique=False,
        postgresql_where=sa.text("consumes"),
    )
    op.create_index(op.f("ix_rotation_turn_seat_id"), "rotation_turn", ["seat_id"], unique=False)
    op.create_index("ix_rotation_turn_visit", "rotation_turn", ["visit_id"], unique=False)
    op.create_index(
        "uq_rotation_turn_visit_seat",
        "rotation_turn",
        ["line_id", "visit_id", "seat_id"],
        unique=True,
        postgresql_where=sa.text("kind = 'normal'"),
    )
    op.create_table(
        "consultation_item",
        sa.Column("consultation_id", sa.BigInteger(), nullable=False),
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["consultation_id"], ["consultation.id"], name=op.f("fk_consultation_item_consultation_id_consultation")
        ),
        sa.ForeignKeyConstraint(
            ["item_id"], ["dictionary_item.id"], name=op.f("fk_consultation_item_item_id_dictionary_item")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consultation_item")),
        sa.UniqueConstraint("consultation_id", "item_id", name=op.f("uq_consultation_item_consultation_id_item_id")),
    )
    audited("triage_rule", "row_version", "updated_at", "updated_by_id")
    audited("service_desk", "row_version", "updated_at", "updated_by_id")
    audited("card_stock", "row_version", "updated_at", "updated_by_id")
    audited("rotation_line", "row_version", "updated_at", "updated_by_id")
    audited("rotation_seat", "row_version", "updated_at", "updated_by_id")
    audited("customer_card", "row_version", "updated_at", "updated_by_id")
    audited("evening_duty", "row_version", "updated_at", "updated_by_id")
    audited("rotation_seat_item")
    audited("visit", "row_version", "updated_at", "updated_by_id")
    audited("reception_form", "row_version", "updated_at", "updated_by_id")
    audited("triage_assignment", "row_version", "updated_at", "updated_by_id")
    audited("visit_card_issue", "row_version", "updated_at", "updated_by_id")
    audited("visit_checkpoint")
    audited("visit_item")
    audited("consultation", "row_version", "updated_at", "updated_by_id")
    audited("rotation_turn")
    audited("consultation_item")
    append_only("rotation_turn")
    append_only("visit_checkpoint")


def downgrade() -> None:
    op.drop_table("consultation_item")
    op.drop_index(
        "uq_rotation_turn_visit_seat", table_name="rotation_turn", postgresql_where=sa.text("kind = 'normal'")
    )
    op.drop_index("ix_rotation_turn_visit", table_name="rotation_turn")
    op.drop_index(op.f("ix_rotation_turn_seat_id"), table_name="rotation_turn")
    op.drop_index("ix_rotation_turn_pointer", table_name="rotation_turn", postgresql_where=sa.text("consumes"))
    op.drop_index(op.f("ix_rotation_turn_employee_id"), table_name="rotation_turn")
    op.drop_index("ix_rotation_turn_branch_day", table_name="rotation_turn")
    op.drop_index(op.f("ix_rotation_turn_assignment_id"), table_name="rotation_turn")
    op.drop_table("rotation_turn")
    op.drop_index("uq_consultation_open", table_name="consultation", postgresql_where=sa.text("state = 'open'"))
    op.drop_index(op.f("ix_consultation_visit_id"), table_name="consultation")
    op.drop_index("ix_consultation_department_started", table_name="consultation")
    op.drop_index("ix_consultation_consultant_started", table_name="consultation")
    op.drop_index("ix_consultation_branch_started", table_name="consultation")
    op.drop_index(op.f("ix_consultation_branch_id"), table_name="consultation")
    op.drop_table("consultation")
    op.drop_table("visit_item")
    op.drop_index("ix_visit_checkpoint_visit", table_name="visit_checkpoint")
    op.drop_index(op.f("ix_visit_checkpoint_desk_id"), table_name="visit_checkpoint")
    op.drop_table("visit_checkpoint")
    op.drop_index(
        "uq_visit_card_issue_visit", table_name="visit_card_issue", postgresql_where=sa.text("ended_at IS NULL")
    )
    op.drop_index(
        "uq_visit_card_issue_card", table_name="visit_card_issue", postgresql_where=sa.text("ended_at IS NULL")
    )
    op.drop_index(op.f("ix_visit_card_issue_branch_id"), table_name="visit_card_issue")
    op.drop_index("ix_visit_card_issue_branch", table_name="visit_card_issue")
    op.drop_table("visit_card_issue")
    op.drop_index(
        "uq_triage_assignment_visit_line",
        table_name="triage_assignment",
        postgresql_where=sa.text("state IN ('calling', 'accepted', 'in_room', 'done')"),
    )
    op.drop_index(op.f("ix_triage_assignment_visit_id"), table_name="triage_assignment")
    op.drop_index(op.f("ix_triage_assignment_seat_id"), table_name="triage_assignment")
    op.drop_index(
        "ix_triage_assignment_line_open",
        table_name="triage_assignment",
        postgresql_where=sa.text("state IN ('calling', 'accepted', 'in_room')"),
    )
    op.drop_index(
        "ix_triage_assignment_due", table_name="triage_assignment", postgresql_where=sa.text("state = 'calling'")
    )
    op.drop_index("ix_triage_assignment_department_called", table_name="triage_assignment")
    op.drop_index(op.f("ix_triage_assignment_branch_id"), table_name="triage_assignment")
    op.drop_index("ix_triage_assignment_branch_called", table_name="triage_assignment")
    op.drop_index("ix_triage_assignment_assignee_called", table_name="triage_assignment")
    op.drop_table("triage_assignment")
    op.drop_index(op.f("ix_reception_form_branch_id"), table_name="reception_form")
    op.drop_table("reception_form")
    op.drop_index("uq_visit_open_customer", table_name="visit", postgresql_where=sa.text("closed_at IS NULL"))
    op.drop_index(op.f("ix_visit_referrer_customer_id"), table_name="visit")
    op.drop_index("ix_visit_open", table_name="visit", postgresql_where=sa.text("closed_at IS NULL"))
    op.drop_index("ix_visit_department_arrived", table_name="visit")
    op.drop_index(op.f("ix_visit_customer_id"), table_name="visit")
    op.drop_index("ix_visit_consultant_arrived", table_name="visit")
    op.drop_index(op.f("ix_visit_branch_id"), table_name="visit")
    op.drop_index("ix_visit_branch_arrived", table_name="visit")
    op.drop_table("visit")
    op.drop_index(
        "uq_rotation_seat_item", table_name="rotation_seat_item", postgresql_where=sa.text("retired_at IS NULL")
    )
    op.drop_table("rotation_seat_item")
    op.drop_index("uq_evening_duty_seat", table_name="evening_duty", postgresql_where=sa.text("retired_at IS NULL"))
    op.drop_index("uq_evening_duty_order", table_name="evening_duty", postgresql_where=sa.text("retired_at IS NULL"))
    op.drop_index(op.f("ix_evening_duty_branch_id"), table_name="evening_duty")
    op.drop_table("evening_duty")
    op.drop_index(
        "uq_customer_card_active",
        table_name="customer_card",
        postgresql_where=sa.text("state = 'active' AND customer_id IS NOT NULL"),
    )
    op.drop_index("ix_customer_card_stock_state", table_name="customer_card")
    op.drop_index(op.f("ix_customer_card_desk_id"), table_name="customer_card")
    op.drop_index(op.f("ix_customer_card_customer_id"), table_name="customer_card")
    op.drop_index("ix_customer_card_branch_state", table_name="customer_card")
    op.drop_index(op.f("ix_customer_card_branch_id"), table_name="customer_card")
    op.drop_table("customer_card")
    op.drop_index("uq_rotation_seat_order", table_name="rotation_seat", postgresql_where=sa.text("retired_at IS NULL"))
    op.drop_index(
        "uq_rotation_seat_employee", table_name="rotation_seat", postgresql_where=sa.text("retired_at IS NULL")
    )
    op.drop_index(op.f("ix_rotation_seat_line_id"), table_name="rotation_seat")
    op.drop_index(op.f("ix_rotation_seat_employee_id"), table_name="rotation_seat")
    op.drop_index(op.f("ix_rotation_seat_branch_id"), table_name="rotation_seat")
    op.drop_table("rotation_seat")
    op.drop_index(op.f("ix_rotation_line_branch_id"), table_name="rotation_line")
    op.drop_table("rotation_line")
    op.drop_index(op.f("ix_card_stock_branch_id"), table_name="card_stock")
    op.drop_table("card_stock")
    op.drop_index(op.f("ix_service_desk_branch_id"), table_name="service_desk")
    op.drop_table("service_desk")
    op.drop_index(op.f("ix_triage_rule_branch_id"), table_name="triage_rule")
    op.drop_table("triage_rule")
