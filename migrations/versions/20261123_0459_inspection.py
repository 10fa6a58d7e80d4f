"""Leaving, closing checklists and official visits; whoever receives a customer first advises her."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.trail import append_only, audited

revision = "202611230459"
down_revision = "202611230458"
branch_labels = None
depends_on = None

RULES = "'first_registered', 'dispatched', 'transferred', 'inherited', 'merged', 'supplement', 'imported'"


def _owner_rules(rules: str) -> None:
    """Let owners be known by these rules, in both places that name one."""
    for table, column in (("customer", "developer_rule"), ("customer_owner_history", "rule")):
        name = op.f(f"ck_{table}_{column}_known")
        op.drop_constraint(name, table, type_="check")
        op.create_check_constraint(name, table, f"{column} IN ({rules})")


def upgrade() -> None:
    op.create_table(
        "closing_checklist",
        sa.Column("desk_id", sa.BigInteger(), nullable=False),
        sa.Column("closed_on", sa.Date(), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_by_id", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.String(length=500), nullable=True),
        sa.Column(
            "left_open", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_closing_checklist_branch_id_branch")),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["ab_user.id"], name=op.f("fk_closing_checklist_created_by_id_ab_user")
        ),
        sa.ForeignKeyConstraint(
            ["desk_id"], ["service_desk.id"], name=op.f("fk_closing_checklist_desk_id_service_desk")
        ),
        sa.ForeignKeyConstraint(["done_by_id"], ["employee.id"], name=op.f("fk_closing_checklist_done_by_id_employee")),
        sa.ForeignKeyConstraint(
            ["updated_by_id"], ["ab_user.id"], name=op.f("fk_closing_checklist_updated_by_id_ab_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_closing_checklist")),
        sa.UniqueConstraint("desk_id", "closed_on", name=op.f("uq_closing_checklist_desk_id_closed_on")),
    )
    op.create_index(op.f("ix_closing_checklist_branch_id"), "closing_checklist", ["branch_id"], unique=False)
    op.create_index(op.f("ix_closing_checklist_closed_on"), "closing_checklist", ["closed_on"], unique=False)
    op.create_table(
        "closing_line",
        sa.Column("checklist_id", sa.BigInteger(), nullable=False),
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("is_done", sa.Boolean(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["checklist_id"], ["closing_checklist.id"], name=op.f("fk_closing_line_checklist_id_closing_checklist")
        ),
        sa.ForeignKeyConstraint(
            ["item_id"], ["dictionary_item.id"], name=op.f("fk_closing_line_item_id_dictionary_item")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_closing_line")),
        sa.UniqueConstraint("checklist_id", "item_id", name=op.f("uq_closing_line_checklist_id_item_id")),
    )
    op.create_table(
        "inspection_visit",
        sa.Column("inspection_no", sa.String(length=30), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("agency", sa.String(length=120), nullable=False),
        sa.Column("officers", sa.String(length=300), nullable=False),
        sa.Column("certificate_no", sa.String(length=120), nullable=False),
        sa.Column("purpose", sa.String(length=1000), nullable=False),
        sa.Column("desk_id", sa.BigInteger(), nullable=True),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("registered_by_id", sa.BigInteger(), nullable=True),
        sa.Column("notified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accompanied_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accompanied_by_id", sa.BigInteger(), nullable=True),
        sa.Column("documented_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("signed_by", sa.String(length=120), nullable=True),
        sa.Column("signed_file_id", sa.BigInteger(), nullable=True),
        sa.Column("left_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("result", sa.String(length=2000), nullable=True),
        sa.Column("result_file_id", sa.BigInteger(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by_id", sa.BigInteger(), nullable=True),
        sa.Column("close_note", sa.String(length=1000), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(state = 'closed') = (closed_at IS NOT NULL)", name=op.f("ck_inspection_visit_closing_recorded")
        ),
        sa.CheckConstraint(
            "(state IN ('left', 'rectifying', 'closed')) = (left_at IS NOT NULL AND result IS NOT NULL)",
            name=op.f("ck_inspection_visit_leaving_recorded"),
        ),
        sa.CheckConstraint(
            "state = 'arrived' OR notified_at IS NOT NULL", name=op.f("ck_inspection_visit_notice_recorded")
        ),
        sa.CheckConstraint(
            "state IN ('arrived', 'notified') OR (accompanied_at IS NOT NULL AND accompanied_by_id IS NOT NULL)",
            name=op.f("ck_inspection_visit_company_recorded"),
        ),
        sa.CheckConstraint(
            "state IN ('arrived', 'notified', 'accompanied') OR (documented_at IS NOT NULL AND signed_by IS NOT NULL)",
            name=op.f("ck_inspection_visit_signature_recorded"),
        ),
        sa.CheckConstraint(
            "state IN ('arrived', 'notified', 'accompanied', 'documented', 'left', 'rectifying', 'closed')",
            name=op.f("ck_inspection_visit_state_known"),
        ),
        sa.CheckConstraint("left_at >= arrived_at", name=op.f("ck_inspection_visit_left_after_arrival")),
        sa.ForeignKeyConstraint(
            ["accompanied_by_id"], ["employee.id"], name=op.f("fk_inspection_visit_accompanied_by_id_employee")
        ),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_inspection_visit_branch_id_branch")),
        sa.ForeignKeyConstraint(
            ["closed_by_id"], ["employee.id"], name=op.f("fk_inspection_visit_closed_by_id_employee")
        ),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["ab_user.id"], name=op.f("fk_inspection_visit_created_by_id_ab_user")
        ),
        sa.ForeignKeyConstraint(
            ["desk_id"], ["service_desk.id"], name=op.f("fk_inspection_visit_desk_id_service_desk")
        ),
        sa.ForeignKeyConstraint(
            ["registered_by_id"], ["employee.id"], name=op.f("fk_inspection_visit_registered_by_id_employee")
        ),
        sa.ForeignKeyConstraint(
            ["result_file_id"], ["stored_file.id"], name=op.f("fk_inspection_visit_result_file_id_stored_file")
        ),
        sa.ForeignKeyConstraint(
            ["signed_file_id"], ["stored_file.id"], name=op.f("fk_inspection_visit_signed_file_id_stored_file")
        ),
        sa.ForeignKeyConstraint(
            ["updated_by_id"], ["ab_user.id"], name=op.f("fk_inspection_visit_updated_by_id_ab_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inspection_visit")),
        sa.UniqueConstraint("inspection_no", name=op.f("uq_inspection_visit_inspection_no")),
        sa.UniqueConstraint("result_file_id", name=op.f("uq_inspection_visit_result_file_id")),
        sa.UniqueConstraint("signed_file_id", name=op.f("uq_inspection_visit_signed_file_id")),
    )
    op.create_index("ix_inspection_visit_branch_arrived", "inspection_visit", ["branch_id", "arrived_at"], unique=False)
    op.create_index(op.f("ix_inspection_visit_branch_id"), "inspection_visit", ["branch_id"], unique=False)
    op.create_table(
        "inspection_document",
        sa.Column("inspection_id", sa.BigInteger(), nullable=False),
        sa.Column("what", sa.String(length=300), nullable=False),
        sa.Column("handed", sa.String(length=40), nullable=False),
        sa.Column("pages", sa.SmallInteger(), nullable=True),
        sa.Column("remark", sa.String(length=300), nullable=True),
        sa.Column("handed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("handed_by_id", sa.BigInteger(), nullable=True),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "handed <> 'not_given' OR remark IS NOT NULL", name=op.f("ck_inspection_document_withheld_has_reason")
        ),
        sa.CheckConstraint(
            "handed IN ('viewed', 'copy', 'original', 'not_given')", name=op.f("ck_inspection_document_handed_known")
        ),
        sa.CheckConstraint("pages BETWEEN 1 AND 9999", name=op.f("ck_inspection_document_pages_bounds")),
        sa.ForeignKeyConstraint(
            ["handed_by_id"], ["employee.id"], name=op.f("fk_inspection_document_handed_by_id_employee")
        ),
        sa.ForeignKeyConstraint(
            ["inspection_id"],
            ["inspection_visit.id"],
            name=op.f("fk_inspection_document_inspection_id_inspection_visit"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inspection_document")),
    )
    op.create_index(
        op.f("ix_inspection_document_inspection_id"), "inspection_document", ["inspection_id"], unique=False
    )
    op.create_table(
        "inspection_task",
        sa.Column("inspection_id", sa.BigInteger(), nullable=False),
        sa.Column("what", sa.String(length=1000), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("responsible_id", sa.BigInteger(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_note", sa.String(length=1000), nullable=True),
        sa.Column("done_by_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(state = 'done') = (done_at IS NOT NULL AND done_note IS NOT NULL)",
            name=op.f("ck_inspection_task_done_recorded"),
        ),
        sa.CheckConstraint("state IN ('open', 'done')", name=op.f("ck_inspection_task_state_known")),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_inspection_task_branch_id_branch")),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["ab_user.id"], name=op.f("fk_inspection_task_created_by_id_ab_user")
        ),
        sa.ForeignKeyConstraint(["done_by_id"], ["employee.id"], name=op.f("fk_inspection_task_done_by_id_employee")),
        sa.ForeignKeyConstraint(
            ["inspection_id"], ["inspection_visit.id"], name=op.f("fk_inspection_task_inspection_id_inspection_visit")
        ),
        sa.ForeignKeyConstraint(
            ["responsible_id"], ["employee.id"], name=op.f("fk_inspection_task_responsible_id_employee")
        ),
        sa.ForeignKeyConstraint(
            ["updated_by_id"], ["ab_user.id"], name=op.f("fk_inspection_task_updated_by_id_ab_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inspection_task")),
    )
    op.create_index(op.f("ix_inspection_task_branch_id"), "inspection_task", ["branch_id"], unique=False)
    op.create_index(op.f("ix_inspection_task_inspection_id"), "inspection_task", ["inspection_id"], unique=False)
    op.create_index("ix_inspection_task_responsible", "inspection_task", ["responsible_id", "state"], unique=False)
    op.add_column("visit", sa.Column("exit_checklist", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    audited("closing_checklist", "row_version", "updated_at", "updated_by_id")
    audited("closing_line")
    audited("inspection_visit", "row_version", "updated_at", "updated_by_id")
    audited("inspection_document")
    audited("inspection_task", "row_version", "updated_at", "updated_by_id")
    append_only("closing_checklist")
    append_only("closing_line")
    append_only("inspection_document")
    _owner_rules(f"{RULES}, 'received'")


def downgrade() -> None:
    # The rule that the older schema does not know becomes the one nearest to it.
    op.execute("update customer_owner_history set rule = 'first_registered' where rule = 'received'")
    op.execute("update customer set developer_rule = 'first_registered' where developer_rule = 'received'")
    _owner_rules(RULES)
    op.drop_column("visit", "exit_checklist")
    op.drop_index("ix_inspection_task_responsible", table_name="inspection_task")
    op.drop_index(op.f("ix_inspection_task_inspection_id"), table_name="inspection_task")
    op.drop_index(op.f("ix_inspection_task_branch_id"), table_name="inspection_task")
    op.drop_table("inspection_task")
    op.drop_index(op.f("ix_inspection_document_inspection_id"), table_name="inspection_document")
    op.drop_table("inspection_document")
    op.drop_index(op.f("ix_inspection_visit_branch_id"), table_name="inspection_visit")
    op.drop_index("ix_inspection_visit_branch_arrived", table_name="inspection_visit")
    op.drop_table("inspection_visit")
    op.drop_table("closing_line")
    op.drop_index(op.f("ix_closing_checklist_closed_on"), table_name="closing_checklist")
    op.drop_index(op.f("ix_closing_checklist_branch_id"), table_name="closing_checklist")
    op.drop_table("closing_checklist")
