"""Posts of departments, moves and changes of post, what a leaver hands over; no cycle of departments. White paper 4.2."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "202611220435"
down_revision = "202611220434"
branch_labels = None
depends_on = None

#: Walks up from a department that was added or moved. The lock is that of ``lock_tree`` in app/services/hr: of two
#: people who move departments crosswise at once, the second waits here and then sees what the first one did.
REFUSE_CYCLE = """
create function refuse_department_cycle() returns trigger language plpgsql as $$
begin
    if new.parent_id is null then
        return null;
    end if;
    perform pg_advisory_xact_lock(hashtextextended('department_tree ' || new.branch_id, 2));
    if exists (select 1 from department where id = new.parent_id and branch_id <> new.branch_id) then
        raise exception 'department % is part of another branch', new.id
            using errcode = 'check_violation', constraint = 'ck_department_parent_of_branch';
    end if;
    if exists (
        with recursive up (id, parent_id) as (
            select d.id, d.parent_id from department d where d.id = new.parent_id
            union
            select d.id, d.parent_id from department d join up on d.id = up.parent_id
        )
        select 1 from up where up.id = new.id
    ) then
        raise exception 'department % is part of itself', new.id
            using errcode = 'check_violation', constraint = 'ck_department_no_cycle';
    end if;
    return null;
end
$$
"""


def upgrade() -> None:
    op.create_table(
        "position_department",
        sa.Column("department_id", sa.BigInteger(), nullable=False),
        sa.Column("position_id", sa.BigInteger(), nullable=False),
        sa.Column("headcount", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("headcount BETWEEN 0 AND 9999", name=op.f("ck_position_department_headcount_bounds")),
        sa.UniqueConstraint(
            "department_id", "position_id", name=op.f("uq_position_department_department_id_position_id")
        ),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["ab_user.id"], name=op.f("fk_position_department_created_by_id_ab_user")
        ),
        sa.ForeignKeyConstraint(
            ["department_id"], ["department.id"], name=op.f("fk_position_department_department_id_department")
        ),
        sa.ForeignKeyConstraint(
            ["position_id"], ["position.id"], name=op.f("fk_position_department_position_id_position")
        ),
        sa.ForeignKeyConstraint(
            ["updated_by_id"], ["ab_user.id"], name=op.f("fk_position_department_updated_by_id_ab_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_position_department")),
    )
    op.create_index(op.f("ix_position_department_position_id"), "position_department", ["position_id"], unique=False)
    op.create_table(
        "department_move",
        sa.Column("department_id", sa.BigInteger(), nullable=False),
        sa.Column("from_parent_id", sa.BigInteger(), nullable=True),
        sa.Column("to_parent_id", sa.BigInteger(), nullable=True),
        sa.Column("moved_on", sa.Date(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["ab_user.id"], name=op.f("fk_department_move_created_by_id_ab_user")
        ),
        sa.ForeignKeyConstraint(
            ["department_id"], ["department.id"], name=op.f("fk_department_move_department_id_department")
        ),
        sa.ForeignKeyConstraint(
            ["from_parent_id"], ["department.id"], name=op.f("fk_department_move_from_parent_id_department")
        ),
        sa.ForeignKeyConstraint(
            ["to_parent_id"], ["department.id"], name=op.f("fk_department_move_to_parent_id_department")
        ),
        sa.ForeignKeyConstraint(
            ["updated_by_id"], ["ab_user.id"], name=op.f("fk_department_move_updated_by_id_ab_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_department_move")),
    )
    op.create_index(
        "ix_department_move_department_id_moved_on", "department_move", ["department_id", "moved_on"], unique=False
    )
    op.create_table(
        "post_change",
        sa.Column("employee_id", sa.BigInteger(), nullable=False),
        sa.Column("from_department_id", sa.BigInteger(), nullable=False),
        sa.Column("to_department_id", sa.BigInteger(), nullable=False),
        sa.Column("from_position_id", sa.BigInteger(), nullable=True),
        sa.Column("to_position_id", sa.BigInteger(), nullable=True),
        sa.Column("changed_on", sa.Date(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["created_by_id"], ["ab_user.id"], name=op.f("fk_post_change_created_by_id_ab_user")),
        sa.ForeignKeyConstraint(["employee_id"], ["employee.id"], name=op.f("fk_post_change_employee_id_employee")),
        sa.ForeignKeyConstraint(
            ["from_department_id"], ["department.id"], name=op.f("fk_post_change_from_department_id_department")
        ),
        sa.ForeignKeyConstraint(
            ["from_position_id"], ["position.id"], name=op.f("fk_post_change_from_position_id_position")
        ),
        sa.ForeignKeyConstraint(
            ["to_department_id"], ["department.id"], name=op.f("fk_post_change_to_department_id_department")
        ),
        sa.ForeignKeyConstraint(
            ["to_position_id"], ["position.id"], name=op.f("fk_post_change_to_position_id_position")
        ),
        sa.ForeignKeyConstraint(["updated_by_id"], ["ab_user.id"], name=op.f("fk_post_change_updated_by_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_post_change")),
    )
    op.create_index("ix_post_change_employee_id_changed_on", "post_change", ["employee_id", "changed_on"], unique=False)
    op.create_table(
        "handover_batch",
        sa.Column("from_employee_id", sa.BigInteger(), nullable=False),
        sa.Column("to_employee_id", sa.BigInteger(), nullable=True),
        sa.Column("department_id", sa.BigInteger(), nullable=False),
        sa.Column("left_on", sa.Date(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column(
            "counts", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column(
            "items", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_by_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("from_employee_id <> to_employee_id", name=op.f("ck_handover_batch_to_another")),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_handover_batch_branch_id_branch")),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["ab_user.id"], name=op.f("fk_handover_batch_created_by_id_ab_user")
        ),
        sa.ForeignKeyConstraint(
            ["department_id"], ["department.id"], name=op.f("fk_handover_batch_department_id_department")
        ),
        sa.ForeignKeyConstraint(["done_by_id"], ["employee.id"], name=op.f("fk_handover_batch_done_by_id_employee")),
        sa.ForeignKeyConstraint(
            ["from_employee_id"], ["employee.id"], name=op.f("fk_handover_batch_from_employee_id_employee")
        ),
        sa.ForeignKeyConstraint(
            ["to_employee_id"], ["employee.id"], name=op.f("fk_handover_batch_to_employee_id_employee")
        ),
        sa.ForeignKeyConstraint(
            ["updated_by_id"], ["ab_user.id"], name=op.f("fk_handover_batch_updated_by_id_ab_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_handover_batch")),
    )
    op.create_index(op.f("ix_handover_batch_branch_id"), "handover_batch", ["branch_id"], unique=False)
    op.create_index(op.f("ix_handover_batch_from_employee_id"), "handover_batch", ["from_employee_id"], unique=False)
    op.create_index(op.f("ix_handover_batch_to_employee_id"), "handover_batch", ["to_employee_id"], unique=False)
    op.execute(REFUSE_CYCLE)
    op.execute(
        "create constraint trigger tg_department_no_cycle after insert or update of parent_id, branch_id on department "
        "not deferrable for each row execute function refuse_department_cycle()"
    )


def downgrade() -> None:
    op.execute("drop trigger tg_department_no_cycle on department")
    op.execute("drop function refuse_department_cycle()")
    for table in ("handover_batch", "post_change", "department_move", "position_department"):
        op.drop_table(table)
