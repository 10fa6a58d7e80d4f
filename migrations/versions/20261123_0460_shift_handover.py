"""Hand-overs of the shift at the triage, with who was in the house. Triage SOP, F41."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.trail import append_only, audited

revision = "202611230460"
down_revision = "202611230459"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "shift_handover",
        sa.Column("from_id", sa.BigInteger(), nullable=False),
        sa.Column("to_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("handed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("special_cases", sa.Text(), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_reason", sa.String(length=500), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(state = 'confirmed') = (confirmed_at IS NOT NULL)", name=op.f("ck_shift_handover_confirmation_recorded")
        ),
        sa.CheckConstraint(
            "state <> 'withdrawn' OR withdrawn_reason IS NOT NULL", name=op.f("ck_shift_handover_withdrawal_has_reason")
        ),
        sa.CheckConstraint("state IN ('handed', 'confirmed', 'withdrawn')", name=op.f("ck_shift_handover_state_known")),
        sa.CheckConstraint("from_id <> to_id", name=op.f("ck_shift_handover_two_people")),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_shift_handover_branch_id_branch")),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["ab_user.id"], name=op.f("fk_shift_handover_created_by_id_ab_user")
        ),
        sa.ForeignKeyConstraint(["from_id"], ["employee.id"], name=op.f("fk_shift_handover_from_id_employee")),
        sa.ForeignKeyConstraint(["to_id"], ["employee.id"], name=op.f("fk_shift_handover_to_id_employee")),
        sa.ForeignKeyConstraint(
            ["updated_by_id"], ["ab_user.id"], name=op.f("fk_shift_handover_updated_by_id_ab_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shift_handover")),
    )
    op.create_index("ix_shift_handover_branch_handed", "shift_handover", ["branch_id", "handed_at"], unique=False)
    op.create_index(op.f("ix_shift_handover_branch_id"), "shift_handover", ["branch_id"], unique=False)
    op.create_index(op.f("ix_shift_handover_from_id"), "shift_handover", ["from_id"], unique=False)
    op.create_index(op.f("ix_shift_handover_to_id"), "shift_handover", ["to_id"], unique=False)
    op.create_table(
        "shift_handover_visit",
        sa.Column("handover_id", sa.BigInteger(), nullable=False),
        sa.Column("visit_id", sa.BigInteger(), nullable=False),
        sa.Column("visit_state", sa.String(length=40), nullable=False),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("needs", sa.String(length=500), nullable=True),
        sa.Column("assignment_id", sa.BigInteger(), nullable=True),
        sa.Column("call_state", sa.String(length=40), nullable=True),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "call_state IN ('calling', 'accepted', 'in_room', 'done', 'skipped', 'reassigned', 'unseen')",
            name=op.f("ck_shift_handover_visit_call_state_known"),
        ),
        sa.CheckConstraint(
            "visit_state IN ('registered', 'triaged', 'in_consultation', 'deal', 'no_deal', 'served', 'in_service', 'finished', 'left', 'cancelled')",
            name=op.f("ck_shift_handover_visit_visit_state_known"),
        ),
        sa.ForeignKeyConstraint(
            ["assignment_id"],
            ["triage_assignment.id"],
            name=op.f("fk_shift_handover_visit_assignment_id_triage_assignment"),
        ),
        sa.ForeignKeyConstraint(
            ["handover_id"], ["shift_handover.id"], name=op.f("fk_shift_handover_visit_handover_id_shift_handover")
        ),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_shift_handover_visit_visit_id_visit")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shift_handover_visit")),
    )
    op.create_index(
        op.f("ix_shift_handover_visit_assignment_id"), "shift_handover_visit", ["assignment_id"], unique=False
    )
    op.create_index(op.f("ix_shift_handover_visit_handover_id"), "shift_handover_visit", ["handover_id"], unique=False)
    op.create_index(op.f("ix_shift_handover_visit_visit_id"), "shift_handover_visit", ["visit_id"], unique=False)
    audited("shift_handover", "row_version", "updated_at", "updated_by_id")
    audited("shift_handover_visit")
    append_only("shift_handover_visit")


def downgrade() -> None:
    op.drop_index(op.f("ix_shift_handover_visit_visit_id"), table_name="shift_handover_visit")
    op.drop_index(op.f("ix_shift_handover_visit_handover_id"), table_name="shift_handover_visit")
    op.drop_index(op.f("ix_shift_handover_visit_assignment_id"), table_name="shift_handover_visit")
    op.drop_table("shift_handover_visit")
    op.drop_index(op.f("ix_shift_handover_to_id"), table_name="shift_handover")
    op.drop_index(op.f("ix_shift_handover_from_id"), table_name="shift_handover")
    op.drop_index(op.f("ix_shift_handover_branch_id"), table_name="shift_handover")
    op.drop_index("ix_shift_handover_branch_handed", table_name="shift_handover")
    op.drop_table("shift_handover")
