"""Requests for supplementary slips. White paper 2.1.3.3."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "202611220432"
down_revision = "202611220431"
branch_labels = None
depends_on = None

TABLE = "appointment_supplement_request"
PEOPLE = (
    "requested_by_id",
    "claimed_owner_id",
    "approver_id",
    "rejected_by_id",
    "executed_by_id",
    "attribution_from_id",
    "closed_by_id",
)
POINTS_TO = {
    "customer_id": "customer",
    "department_id": "department",
    "contact_record_id": "contact_record",
    "evidence_file_id": "stored_file",
    "resulting_slip_id": "appointment_slip",
    "branch_id": "branch",
    "created_by_id": "ab_user",
    "updated_by_id": "ab_user",
    **dict.fromkeys(PEOPLE, "employee"),
}
CHECKS = {
    "state_known": "state IN ('submitted', 'approved', 'rejected', 'withdrawn', 'executed', 'closed')",
    "channel_known": "channel IN ('phone', 'web_chat', 'partner')",
    "intention_known": "intention IN ('A', 'B', 'C', 'D')",
    "approver_is_another": "approver_id <> requested_by_id",
    "approver_gains_nothing": "approver_id <> claimed_owner_id",
    "executor_is_another": "executed_by_id <> requested_by_id AND executed_by_id <> approver_id",
    "executor_gains_nothing": "executed_by_id <> claimed_owner_id",
    "checked_by_another": "closed_by_id <> executed_by_id",
    "decided_by_somebody": "(state IN ('approved', 'rejected', 'executed', 'closed')) = (approver_id IS NOT NULL) "
    "AND (approver_id IS NULL) = (decided_at IS NULL)",
    "rejection_has_reason": "state <> 'rejected' OR decision_note IS NOT NULL OR rejection_note IS NOT NULL",
    "rejected_after_approval": "(rejected_at IS NULL OR state = 'rejected') "
    "AND (rejected_at IS NULL) = (rejected_by_id IS NULL) AND (rejected_at IS NULL) = (rejection_note IS NULL) "
    "AND rejected_at >= decided_at",
    "executed_with_slip": "(state IN ('executed', 'closed')) = (resulting_slip_id IS NOT NULL) "
    "AND (resulting_slip_id IS NULL) = (executed_at IS NULL) AND (executed_at IS NULL) = (executed_by_id IS NULL)",
    "closed_by_somebody": "(state = 'closed') = (closed_at IS NOT NULL) AND (closed_at IS NULL) = (closed_by_id IS NULL)",
    "withdrawn_at_recorded": "(state = 'withdrawn') = (withdrawn_at IS NOT NULL)",
    "evidence_named": "cardinality(evidence_kinds) >= 1",
    "evidence_kinds_known": "evidence_kinds <@ "
    "ARRAY['customer_card', 'reception_form', 'call_record', 'chat_record', 'other']::text[]",
    "evidence_attached": "evidence_file_id IS NOT NULL OR contact_record_id IS NOT NULL",
    "arrival_not_ahead": "claimed_arrived_at <= requested_at",
    "executed_after_approval": "executed_at >= decided_at",
    "moved_when_executed": "attribution_moved_at IS NULL OR executed_at IS NOT NULL",
}
INDEXED = (
    ("branch_id",),
    ("branch_id", "state"),
    ("branch_id", "requested_at"),
    ("claimed_owner_id",),
    ("contact_record_id",),
    ("customer_id",),
    ("decided_at",),
    ("department_id",),
    ("executed_at",),
    ("rejected_at",),
    ("requested_by_id",),
)
#: Names that would be longer than 63 characters.
FOREIGN = {column: f"fk_{TABLE}_{column}" for column in ("contact_record_id", "resulting_slip_id")}
NAMES = {
    ("branch_id", "state"): f"ix_{TABLE}_branch_state",
    ("branch_id", "requested_at"): f"ix_{TABLE}_branch_requested",
}


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("request_no", sa.String(length=30), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("visit_id", sa.BigInteger(), nullable=True),
        sa.Column("requested_by_id", sa.BigInteger(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claimed_owner_id", sa.BigInteger(), nullable=False),
        sa.Column("department_id", sa.BigInteger(), nullable=False),
        sa.Column("claimed_arrived_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claimed_on", sa.Date(), nullable=False),
        sa.Column("channel", sa.String(length=40), nullable=False),
        sa.Column("intention", sa.String(length=40), nullable=False),
        sa.Column("need_text", sa.String(), nullable=True),
        sa.Column("evidence_kinds", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("contact_record_id", sa.BigInteger(), nullable=True),
        sa.Column("evidence_file_id", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("approver_id", sa.BigInteger(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision_note", sa.String(), nullable=True),
        sa.Column("rejected_by_id", sa.BigInteger(), nullable=True),
        sa.Column("rejected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rejection_note", sa.String(), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("executed_by_id", sa.BigInteger(), nullable=True),
        sa.Column("executed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resulting_slip_id", sa.BigInteger(), nullable=True),
        sa.Column("attribution_from_id", sa.BigInteger(), nullable=True),
        sa.Column("attribution_moved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by_id", sa.BigInteger(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        *(sa.CheckConstraint(rule, name=op.f(f"ck_{TABLE}_{name}")) for name, rule in CHECKS.items()),
        *(
            sa.ForeignKeyConstraint(
                [column], [f"{other}.id"], name=op.f(FOREIGN.get(column, f"fk_{TABLE}_{column}_{other}"))
            )
            for column, other in POINTS_TO.items()
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{TABLE}")),
        sa.UniqueConstraint("request_no", name=op.f(f"uq_{TABLE}_request_no")),
        sa.UniqueConstraint("evidence_file_id", name=op.f(f"uq_{TABLE}_evidence_file_id")),
        sa.UniqueConstraint("resulting_slip_id", name=op.f(f"uq_{TABLE}_resulting_slip_id")),
    )
    for columns in INDEXED:
        op.create_index(op.f(NAMES.get(columns, f"ix_{TABLE}_{'_'.join(columns)}")), TABLE, list(columns))
    op.create_index(
        f"uq_{TABLE}_open",
        TABLE,
        ["customer_id", "claimed_on"],
        unique=True,
        postgresql_where=sa.text("state IN ('submitted', 'approved')"),
    )


def downgrade() -> None:
    op.drop_table(TABLE)
