"""Follow-up as a whole: categories in groups, rules as rows, plans by people, what came of them, cases, cover.

Plans of before go along: their categories leave the dictionary for a table, their rule's name becomes its row, their
day the hour for which rules plan, and what was done becomes a carrying out of its own.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.trail import audited

revision = "202611220454"
down_revision = "202611220453"
branch_labels = None
depends_on = None

#: Code of a category -> its group; those that nobody knows stand under after-sales service.
GROUPS = {
    "advice": ("product_advice", "answering"),
    "prospect": ("reminder", "lapsed_slip", "missed_call", "not_visited", "no_deal"),
    "before_surgery": ("before_surgery", "surgery_booking", "treatment_booking"),
    "after_surgery": ("recovery", "comfort", "stitches"),
    "care": ("birthday", "birthday_message", "event", "member_service", "anniversary"),
}
MARKETING = ("product_advice", "wellness", "news", "birthday_message", "event", "member_service")
#: Rule of a plan of before -> (trigger, Chinese and English name, days, category, who carries it out).
RULES = {
    "missed_call": ("missed_call", "来电未接", "Missed call", "{0}", "missed_call", "occasion"),
    "slip_reminder": ("slip_due", "预约提醒", "Appointment reminder", "{-1}", "reminder", "occasion"),
    "slip_lapsed": ("slip_lapsed", "预约过期", "Lapsed appointment", "{0,3,7}", "lapsed_slip", "occasion"),
    "birthday": ("birthday", "生日", "Birthday", "{0}", "birthday", "developer"),
    "anniversary": ("anniversary", "纪念日", "Anniversary", "{0}", "anniversary", "developer"),
}
NEW_TABLES = (
    "followup_category",
    "followup_rule",
    "followup_cover",
    "followup_execution",
    "followup_review",
    "followup_case",
)
BARE = ("followup_execution", "followup_review")


def upgrade() -> None:
    _followup_category()
    _followup_rule()
    _followup_cover()
    _followup_execution()
    _followup_review()
    _followup_case()
    _categories_move()
    _plan_grows()
    _plans_move()
    _plan_closes()
    for table in NEW_TABLES:
        if table in BARE:
            audited(table)
        else:
            audited(table, "row_version", "updated_at", "updated_by_id")


def _followup_category() -> None:
    op.create_table(
        "followup_category",
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("name_en", sa.String(length=80), nullable=False),
        sa.Column("category_group", sa.String(length=40), nullable=False),
        sa.Column("supports", sa.String(length=200), nullable=True),
        sa.Column("is_marketing", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("position", sa.Integer(), server_default="100", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "category_group IN ('advice', 'prospect', 'before_surgery', 'after_surgery', 'after_sale', 'care')",
            name=op.f("ck_followup_category_category_group_known"),
        ),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["ab_user.id"], name=op.f("fk_followup_category_created_by_id_ab_user")
        ),
        sa.ForeignKeyConstraint(
            ["updated_by_id"], ["ab_user.id"], name=op.f("fk_followup_category_updated_by_id_ab_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_followup_category")),
        sa.UniqueConstraint("code", name=op.f("uq_followup_category_code")),
    )


def _followup_rule() -> None:
    op.create_table(
        "followup_rule",
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("name_en", sa.String(length=80), nullable=False),
        sa.Column("trigger", sa.String(length=40), nullable=False),
        sa.Column("offset_days", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.Column("category_id", sa.BigInteger(), nullable=False),
        sa.Column("executor_kind", sa.String(length=40), nullable=False),
        sa.Column("executor_role", sa.String(length=40), nullable=True),
        sa.Column("branch_id", sa.BigInteger(), nullable=True),
        sa.Column("purpose_template", sa.String(length=400), nullable=True),
        sa.Column("content_template", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(executor_kind = 'role') = (executor_role IS NOT NULL)", name=op.f("ck_followup_rule_role_named")
        ),
        sa.CheckConstraint(
            "executor_kind IN ('occasion', 'developer', 'owner_consultant', 'role')",
            name=op.f("ck_followup_rule_executor_kind_known"),
        ),
        sa.CheckConstraint("cardinality(offset_days) BETWEEN 1 AND 20", name=op.f("ck_followup_rule_some_days")),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_followup_rule_branch_id_branch")),
        sa.ForeignKeyConstraint(
            ["category_id"], ["followup_category.id"], name=op.f("fk_followup_rule_category_id_followup_category")
        ),
        sa.ForeignKeyConstraint(["created_by_id"], ["ab_user.id"], name=op.f("fk_followup_rule_created_by_id_ab_user")),
        sa.ForeignKeyConstraint(["updated_by_id"], ["ab_user.id"], name=op.f("fk_followup_rule_updated_by_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_followup_rule")),
        sa.UniqueConstraint("code", name=op.f("uq_followup_rule_code")),
    )
    op.create_index(op.f("ix_followup_rule_branch_id"), "followup_rule", ["branch_id"], unique=False)
    op.create_index(op.f("ix_followup_rule_trigger"), "followup_rule", ["trigger"], unique=False)


def _followup_cover() -> None:
    op.create_table(
        "followup_cover",
        sa.Column("absent_id", sa.BigInteger(), nullable=False),
        sa.Column("cover_id", sa.BigInteger(), nullable=False),
        sa.Column("department_id", sa.BigInteger(), nullable=True),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("until_on", sa.Date(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("absent_id <> cover_id", name=op.f("ck_followup_cover_another_covers")),
        sa.CheckConstraint("until_on >= from_on", name=op.f("ck_followup_cover_until_after_from")),
        sa.ForeignKeyConstraint(["absent_id"], ["employee.id"], name=op.f("fk_followup_cover_absent_id_employee")),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_followup_cover_branch_id_branch")),
        sa.ForeignKeyConstraint(["cover_id"], ["employee.id"], name=op.f("fk_followup_cover_cover_id_employee")),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["ab_user.id"], name=op.f("fk_followup_cover_created_by_id_ab_user")
        ),
        sa.ForeignKeyConstraint(
            ["department_id"], ["department.id"], name=op.f("fk_followup_cover_department_id_department")
        ),
        sa.ForeignKeyConstraint(
            ["updated_by_id"], ["ab_user.id"], name=op.f("fk_followup_cover_updated_by_id_ab_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_followup_cover")),
    )
    op.create_index(op.f("ix_followup_cover_branch_id"), "followup_cover", ["branch_id"], unique=False)
    op.create_index(op.f("ix_followup_cover_cover_id"), "followup_cover", ["cover_id"], unique=False)
    op.create_index(
        "ix_followup_cover_open",
        "followup_cover",
        ["absent_id"],
        unique=False,
        postgresql_where=sa.text("ended_at IS NULL"),
    )


def _followup_execution() -> None:
    op.create_table(
        "followup_execution",
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.Column("executor_id", sa.BigInteger(), nullable=True),
        sa.Column("executed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("method", sa.String(length=40), nullable=False),
        sa.Column("reached", sa.Boolean(), nullable=False),
        sa.Column("feedback", sa.Text(), nullable=False),
        sa.Column("satisfaction", sa.SmallInteger(), nullable=True),
        sa.Column("abnormal_flag", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("doctor_plan_id", sa.BigInteger(), nullable=True),
        sa.Column("appointment_slip_id", sa.BigInteger(), nullable=True),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "method IN ('phone', 'sms', 'wechat', 'face')", name=op.f("ck_followup_execution_method_known")
        ),
        sa.CheckConstraint(
            "(doctor_plan_id IS NOT NULL) = abnormal_flag",
            name=op.f("ck_followup_execution_abnormal_goes_to_the_doctor"),
        ),
        sa.CheckConstraint("satisfaction BETWEEN 1 AND 5", name=op.f("ck_followup_execution_satisfaction_bounds")),
        sa.ForeignKeyConstraint(
            ["appointment_slip_id"],
            ["appointment_slip.id"],
            name=op.f("fk_followup_execution_appointment_slip_id_appointment_slip"),
        ),
        sa.ForeignKeyConstraint(
            ["doctor_plan_id"], ["followup_plan.id"], name=op.f("fk_followup_execution_doctor_plan_id_followup_plan")
        ),
        sa.ForeignKeyConstraint(
            ["executor_id"], ["employee.id"], name=op.f("fk_followup_execution_executor_id_employee")
        ),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["followup_plan.id"], name=op.f("fk_followup_execution_plan_id_followup_plan")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_followup_execution")),
    )
    op.create_index(
        op.f("ix_followup_execution_appointment_slip_id"), "followup_execution", ["appointment_slip_id"], unique=False
    )
    op.create_index("ix_followup_execution_executed_at", "followup_execution", ["executed_at"], unique=False)
    op.create_index(op.f("ix_followup_execution_plan_id"), "followup_execution", ["plan_id"], unique=False)


def _followup_review() -> None:
    op.create_table(
        "followup_review",
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.Column("execution_id", sa.BigInteger(), nullable=False),
        sa.Column("reviewer_id", sa.BigInteger(), nullable=False),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("listened_recording", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("quality_score", sa.SmallInteger(), nullable=True),
        sa.Column("is_case", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("NOT is_case OR passed", name=op.f("ck_followup_review_case_passed")),
        sa.CheckConstraint("passed OR comment IS NOT NULL", name=op.f("ck_followup_review_rework_has_comment")),
        sa.CheckConstraint("quality_score BETWEEN 1 AND 5", name=op.f("ck_followup_review_score_bounds")),
        sa.ForeignKeyConstraint(
            ["execution_id"], ["followup_execution.id"], name=op.f("fk_followup_review_execution_id_followup_execution")
        ),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["followup_plan.id"], name=op.f("fk_followup_review_plan_id_followup_plan")
        ),
        sa.ForeignKeyConstraint(["reviewer_id"], ["employee.id"], name=op.f("fk_followup_review_reviewer_id_employee")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_followup_review")),
        sa.UniqueConstraint("execution_id", name=op.f("uq_followup_review_execution_id")),
    )
    op.create_index(op.f("ix_followup_review_plan_id"), "followup_review", ["plan_id"], unique=False)
    op.create_index(op.f("ix_followup_review_reviewer_id"), "followup_review", ["reviewer_id"], unique=False)


def _followup_case() -> None:
    op.create_table(
        "followup_case",
        sa.Column("title", sa.String(length=120), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("category_id", sa.BigInteger(), nullable=False),
        sa.Column("about", sa.String(length=120), nullable=True),
        sa.Column("purpose", sa.String(), nullable=True),
        sa.Column("guidance", sa.String(), nullable=True),
        sa.Column("feedback", sa.String(), nullable=False),
        sa.Column("lesson", sa.String(), nullable=True),
        sa.Column("quality_score", sa.SmallInteger(), nullable=True),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("review_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state IN ('draft', 'published', 'retired')", name=op.f("ck_followup_case_state_known")),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_followup_case_branch_id_branch")),
        sa.ForeignKeyConstraint(
            ["category_id"], ["followup_category.id"], name=op.f("fk_followup_case_category_id_followup_category")
        ),
        sa.ForeignKeyConstraint(["created_by_id"], ["ab_user.id"], name=op.f("fk_followup_case_created_by_id_ab_user")),
        sa.ForeignKeyConstraint(
            ["review_id"], ["followup_review.id"], name=op.f("fk_followup_case_review_id_followup_review")
        ),
        sa.ForeignKeyConstraint(["updated_by_id"], ["ab_user.id"], name=op.f("fk_followup_case_updated_by_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_followup_case")),
        sa.UniqueConstraint("review_id", name=op.f("uq_followup_case_review_id")),
    )
    op.create_index(op.f("ix_followup_case_branch_id"), "followup_case", ["branch_id"], unique=False)
    op.create_index(op.f("ix_followup_case_category_id"), "followup_case", ["category_id"], unique=False)


def _categories_move() -> None:
    """Make a category of each item of the dictionary, under the same number, and let the plans point to it."""
    groups = " ".join(f"WHEN i.code IN ({_list(codes)}) THEN '{group}'" for group, codes in GROUPS.items())
    op.execute(
        "INSERT INTO followup_category"
        " (id, code, name, name_en, category_group, is_marketing, position, retired_at)"
        f" SELECT i.id, i.code, i.name, i.name_en, CASE {groups} ELSE 'after_sale' END,"
        f" i.code IN ({_list(MARKETING)}), i.position, i.retired_at"
        " FROM dictionary_item i JOIN dictionary d ON d.id = i.dictionary_id WHERE d.code = 'followup_category'"
    )
    op.execute(
        "SELECT setval(pg_get_serial_sequence('followup_category', 'id'),"
        " greatest((SELECT max(id) FROM followup_category), 1))"
    )
    op.drop_constraint(op.f("fk_followup_plan_category_id_dictionary_item"), "followup_plan", type_="foreignkey")
    op.create_foreign_key(
        op.f("fk_followup_plan_category_id_followup_category"),
        "followup_plan", "followup_category", ["category_id"], ["id"],
    )  # fmt: skip
    op.execute(
        "DELETE FROM dictionary_item WHERE dictionary_id IN (SELECT id FROM dictionary WHERE code = 'followup_category')"
    )
    op.execute("DELETE FROM dictionary WHERE code = 'followup_category'")
    op.execute("DELETE FROM param WHERE key = 'appointments.reminder_days'")


def _list(codes: tuple[str, ...]) -> str:
    return ", ".join(f"'{code}'" for code in codes)


def _plan_grows() -> None:
    op.add_column("followup_plan", sa.Column("plan_no", sa.String(length=30), nullable=True))
    op.add_column("followup_plan", sa.Column("origin", sa.String(length=40), nullable=True))
    op.add_column("followup_plan", sa.Column("rule_id", sa.BigInteger(), nullable=True))
    op.add_column("followup_plan", sa.Column("trigger", sa.String(length=40), nullable=True))
    op.add_column("followup_plan", sa.Column("content", sa.Text(), nullable=True))
    op.add_column("followup_plan", sa.Column("planned_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("followup_plan", sa.Column("is_promised", sa.Boolean(), server_default="false", nullable=False))
    op.add_column("followup_plan", sa.Column("focus_flag", sa.Boolean(), server_default="false", nullable=False))
    op.add_column("followup_plan", sa.Column("cover_id", sa.BigInteger(), nullable=True))
    op.add_column("followup_plan", sa.Column("submitter_id", sa.BigInteger(), nullable=True))
    op.add_column("followup_plan", sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("followup_plan", sa.Column("approver_id", sa.BigInteger(), nullable=True))
    op.add_column("followup_plan", sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("followup_plan", sa.Column("guidance", sa.Text(), nullable=True))
    op.add_column("followup_plan", sa.Column("send_back_reason", sa.Text(), nullable=True))
    op.add_column("followup_plan", sa.Column("next_plan_id", sa.BigInteger(), nullable=True))
    op.add_column("followup_plan", sa.Column("end_flag", sa.Boolean(), server_default="false", nullable=False))
    op.add_column("followup_plan", sa.Column("end_reason_id", sa.BigInteger(), nullable=True))
    op.add_column("followup_plan", sa.Column("end_note", sa.Text(), nullable=True))
    op.add_column("followup_plan", sa.Column("cancel_reason", sa.Text(), nullable=True))
    op.add_column("followup_plan", sa.Column("escalated_at", sa.DateTime(timezone=True), nullable=True))


def _plans_move() -> None:
    """Fill what plans of before have no value for; their rules become rows where a plan needs one."""
    for before, (trigger, name, name_en, days, category, kind) in RULES.items():
        op.execute(
            "INSERT INTO followup_rule (code, name, name_en, trigger, offset_days, category_id, executor_kind)"
            f" SELECT '{trigger}', '{name}', '{name_en}', '{trigger}', '{days}', c.id, '{kind}'"
            f" FROM followup_category c WHERE c.code = '{category}'"
            f" AND EXISTS (SELECT 1 FROM followup_plan WHERE rule = '{before}')"
        )
        op.execute(
            f"UPDATE followup_plan SET trigger = '{trigger}',"
            f" rule_id = (SELECT id FROM followup_rule WHERE code = '{trigger}') WHERE rule = '{before}'"
        )
    op.execute(
        "UPDATE followup_plan p SET origin = 'auto_rule', plan_no = 'HF-' || lpad(p.id::text, 8, '0'),"
        " planned_at = (p.planned_on + time '10:00') AT TIME ZONE b.zone, approved_at = p.created_at"
        " FROM branch b WHERE b.id = p.branch_id"
    )
    op.drop_constraint(op.f("ck_followup_plan_executed_has_feedback"), "followup_plan", type_="check")
    op.drop_constraint(op.f("ck_followup_plan_state_known"), "followup_plan", type_="check")
    op.execute(
        "UPDATE followup_plan SET state = 'cancelled', cancel_reason = '其缘由已不存在' WHERE state = 'withdrawn'"
    )
    op.execute(
        "INSERT INTO followup_execution (plan_id, executor_id, executed_at, method, reached, feedback)"
        " SELECT id, executor_id, executed_at, 'phone', true, feedback FROM followup_plan WHERE state = 'executed'"
    )
    op.execute(
        "UPDATE followup_plan SET state = 'closed', end_flag = true, end_note = '当时尚无下次计划' WHERE state = 'executed'"
    )


def _plan_closes() -> None:
    """Hold what stands now: nothing empty, the new keys and rules; what was told otherwise goes."""
    for column in ("plan_no", "origin", "planned_at"):
        op.alter_column("followup_plan", column, nullable=False)
    op.alter_column("followup_plan", "occasion", existing_type=sa.VARCHAR(length=80), nullable=True)
    op.drop_index(op.f("ix_followup_plan_executor_due"), table_name="followup_plan")
    op.create_index(
        "ix_followup_plan_executor_due", "followup_plan", ["executor_id", "state", "planned_at"], unique=False
    )
    op.drop_index(op.f("uq_followup_plan_occasion"), table_name="followup_plan")
    op.create_index("uq_followup_plan_occasion", "followup_plan", ["rule_id", "occasion"], unique=True)
    op.create_index(
        "ix_followup_plan_branch_state", "followup_plan", ["branch_id", "state", "planned_at"], unique=False
    )
    op.create_index(op.f("ix_followup_plan_category_id"), "followup_plan", ["category_id"], unique=False)
    op.create_index(
        "ix_followup_plan_cover",
        "followup_plan",
        ["cover_id"],
        unique=False,
        postgresql_where=sa.text("cover_id IS NOT NULL"),
    )
    op.create_index(op.f("ix_followup_plan_executed_at"), "followup_plan", ["executed_at"], unique=False)
    op.create_unique_constraint(op.f("uq_followup_plan_next_plan_id"), "followup_plan", ["next_plan_id"])
    op.create_unique_constraint(op.f("uq_followup_plan_plan_no"), "followup_plan", ["plan_no"])
    op.create_foreign_key(
        op.f("fk_followup_plan_end_reason_id_dictionary_item"),
        "followup_plan",
        "dictionary_item",
        ["end_reason_id"],
        ["id"],
    )
    op.create_foreign_key(
        op.f("fk_followup_plan_approver_id_employee"), "followup_plan", "employee", ["approver_id"], ["id"]
    )
    op.create_foreign_key(
        op.f("fk_followup_plan_rule_id_followup_rule"), "followup_plan", "followup_rule", ["rule_id"], ["id"]
    )
    op.create_foreign_key(
        op.f("fk_followup_plan_submitter_id_employee"), "followup_plan", "employee", ["submitter_id"], ["id"]
    )
    op.create_foreign_key(
        op.f("fk_followup_plan_next_plan_id_followup_plan"), "followup_plan", "followup_plan", ["next_plan_id"], ["id"]
    )
    op.create_foreign_key(op.f("fk_followup_plan_cover_id_employee"), "followup_plan", "employee", ["cover_id"], ["id"])
    op.drop_column("followup_plan", "rule")
    op.drop_column("followup_plan", "planned_on")
    op.drop_column("followup_plan", "feedback")
    for name, rule in CHECKS.items():
        op.create_check_constraint(op.f(f"ck_followup_plan_{name}"), "followup_plan", rule)


CHECKS = {
    "state_known": "state IN ('draft', 'submitted', 'approved', 'executed', 'closed', 'cancelled')",
    "origin_known": "origin IN ('manual', 'auto_rule')",
    "rule_named": "(origin = 'auto_rule') = (rule_id IS NOT NULL)",
    "occasion_named": "(rule_id IS NULL) = (occasion IS NULL)",
    "drawn_up_by_somebody": "origin = 'auto_rule' OR submitter_id IS NOT NULL",
    "submitted_whole": "state NOT IN ('submitted', 'approved') OR origin = 'auto_rule' "
    "OR (purpose IS NOT NULL AND submitted_at IS NOT NULL)",
    "approved_by_somebody": "state NOT IN ('approved', 'executed', 'closed') OR origin = 'auto_rule' "
    "OR approver_id IS NOT NULL",
    "approved_by_another": "approver_id <> submitter_id",
    "next_or_end": "state NOT IN ('executed', 'closed') OR (executed_at IS NOT NULL "
    "AND (next_plan_id IS NOT NULL OR end_flag))",
    "not_next_and_end": "NOT (end_flag AND next_plan_id IS NOT NULL)",
    "end_has_reason": "NOT end_flag OR end_reason_id IS NOT NULL OR end_note IS NOT NULL",
    "cancelled_for_a_reason": "state <> 'cancelled' OR cancel_reason IS NOT NULL",
    "next_is_another": "next_plan_id <> id",
}


def downgrade() -> None:
    for name in CHECKS:
        op.drop_constraint(op.f(f"ck_followup_plan_{name}"), "followup_plan", type_="check")
    _plans_move_back()
    _plan_shrinks()
    for table in reversed(NEW_TABLES[1:]):
        op.drop_table(table)
    op.drop_table("followup_category")


def _plans_move_back() -> None:
    """Let every plan be as it was told before; what people drew up stays as a withdrawn plan of no rule."""
    for column, kind in (("feedback", sa.Text()), ("planned_on", sa.Date()), ("rule", sa.String(40))):
        op.add_column("followup_plan", sa.Column(column, kind, nullable=True))
    names = " ".join(f"WHEN '{told[0]}' THEN '{before}'" for before, told in RULES.items())
    op.execute(
        "UPDATE followup_plan p SET planned_on = (p.planned_at AT TIME ZONE b.zone)::date,"
        f" rule = CASE p.trigger {names} ELSE coalesce(p.trigger, 'manual') END,"
        " occasion = coalesce(p.occasion, p.plan_no)"
        " FROM branch b WHERE b.id = p.branch_id"
    )
    op.execute("UPDATE followup_plan SET state = 'withdrawn' WHERE state IN ('draft', 'submitted', 'cancelled')")
    op.execute(
        "UPDATE followup_plan p SET state = 'executed', feedback = (SELECT e.feedback FROM followup_execution e"
        " WHERE e.plan_id = p.id ORDER BY e.id DESC LIMIT 1) WHERE p.state IN ('executed', 'closed')"
    )
    op.execute(
        "INSERT INTO dictionary (code, name, name_en) VALUES ('followup_category', '回访类别', 'Follow-up category')"
    )
    op.execute(
        "INSERT INTO dictionary_item (dictionary_id, code, name, name_en, position, state, retired_at)"
        " SELECT d.id, c.code, c.name, c.name_en, c.position,"
        " CASE WHEN c.retired_at IS NULL THEN 'in_use' ELSE 'retired' END, c.retired_at"
        " FROM followup_category c, dictionary d WHERE d.code = 'followup_category'"
    )
    op.drop_constraint(op.f("fk_followup_plan_category_id_followup_category"), "followup_plan", type_="foreignkey")
    op.execute(
        "UPDATE followup_plan p SET category_id = i.id FROM followup_category c, dictionary_item i, dictionary d"
        " WHERE c.id = p.category_id AND i.code = c.code AND i.dictionary_id = d.id AND d.code = 'followup_category'"
    )
    op.create_foreign_key(
        op.f("fk_followup_plan_category_id_dictionary_item"),
        "followup_plan", "dictionary_item", ["category_id"], ["id"],
    )  # fmt: skip


def _plan_shrinks() -> None:
    """Take away what plans have had since, and hold what was held."""
    for column in ("planned_on", "rule", "occasion"):
        op.alter_column("followup_plan", column, nullable=False)
    op.drop_constraint(op.f("fk_followup_plan_cover_id_employee"), "followup_plan", type_="foreignkey")
    op.drop_constraint(op.f("fk_followup_plan_next_plan_id_followup_plan"), "followup_plan", type_="foreignkey")
    op.drop_constraint(op.f("fk_followup_plan_submitter_id_employee"), "followup_plan", type_="foreignkey")
    op.drop_constraint(op.f("fk_followup_plan_rule_id_followup_rule"), "followup_plan", type_="foreignkey")
    op.drop_constraint(op.f("fk_followup_plan_approver_id_employee"), "followup_plan", type_="foreignkey")
    op.drop_constraint(op.f("fk_followup_plan_end_reason_id_dictionary_item"), "followup_plan", type_="foreignkey")
    op.drop_constraint(op.f("uq_followup_plan_plan_no"), "followup_plan", type_="unique")
    op.drop_constraint(op.f("uq_followup_plan_next_plan_id"), "followup_plan", type_="unique")
    op.drop_index(op.f("ix_followup_plan_executed_at"), table_name="followup_plan")
    op.drop_index(
        "ix_followup_plan_cover", table_name="followup_plan", postgresql_where=sa.text("cover_id IS NOT NULL")
    )
    op.drop_index(op.f("ix_followup_plan_category_id"), table_name="followup_plan")
    op.drop_index("ix_followup_plan_branch_state", table_name="followup_plan")
    op.drop_index("uq_followup_plan_occasion", table_name="followup_plan")
    op.create_index(op.f("uq_followup_plan_occasion"), "followup_plan", ["rule", "occasion"], unique=True)
    op.drop_index("ix_followup_plan_executor_due", table_name="followup_plan")
    op.create_index(
        op.f("ix_followup_plan_executor_due"), "followup_plan", ["executor_id", "state", "planned_on"], unique=False
    )
    for column in (
        "escalated_at",
        "cancel_reason",
        "end_note",
        "end_reason_id",
        "end_flag",
        "next_plan_id",
        "send_back_reason",
        "guidance",
        "approved_at",
        "approver_id",
        "submitted_at",
        "submitter_id",
        "cover_id",
        "focus_flag",
        "is_promised",
        "planned_at",
        "content",
        "trigger",
        "rule_id",
        "origin",
        "plan_no",
    ):
        op.drop_column("followup_plan", column)
    op.create_check_constraint(
        op.f("ck_followup_plan_executed_has_feedback"), "followup_plan", "state <> 'executed' OR feedback IS NOT NULL"
    )
    op.create_check_constraint(
        op.f("ck_followup_plan_state_known"), "followup_plan", "state IN ('approved', 'executed', 'withdrawn')"
    )
