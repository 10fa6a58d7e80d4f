"""Personal data: exports, consents, requests of the persons themselves, changes of the key, and denied looks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "202611220444"
down_revision = "202611220443"
branch_labels = None
depends_on = None


def _recorded() -> list[sa.Column]:
    return [
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
    ]


def _keys(table: str, *pairs: tuple[str, str]) -> list[sa.ForeignKeyConstraint]:
    named = [*pairs, ("created_by_id", "ab_user"), ("updated_by_id", "ab_user")]
    return [
        sa.ForeignKeyConstraint([column], [f"{target}.id"], name=op.f(f"fk_{table}_{column}_{target}"))
        for column, target in named
    ]


def upgrade() -> None:
    op.add_column("sensitive_view_log", sa.Column("way", sa.String(length=40), nullable=True))
    op.add_column("sensitive_view_log", sa.Column("denied", sa.String(length=200), nullable=True))
    op.create_check_constraint(
        op.f("ck_sensitive_view_log_way_known"),
        "sensitive_view_log",
        "way IN ('reveal', 'look_up', 'file', 'export')",
    )
    op.create_index("ix_sensitive_view_log_actor_at", "sensitive_view_log", ["actor", "at"])
    op.add_column("customer", sa.Column("pseudonymised_at", sa.DateTime(timezone=True), nullable=True))
    _exports()
    _consents()
    _requests()
    op.create_table(
        "key_rotation",
        sa.Column("fingerprint", sa.String(length=16), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("values_done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("files_done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("checkpoint", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_key_rotation")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_key_rotation_fingerprint")),
    )


def _exports() -> None:
    op.create_table(
        "export_request",
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("right", sa.String(length=80), nullable=False),
        sa.Column("title", postgresql.JSONB(), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("file_format", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("row_count", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("request_key", sa.String(length=80), nullable=False),
        sa.Column("locale", sa.String(length=8), server_default="zh", nullable=False),
        sa.Column("department_id", sa.BigInteger(), nullable=True),
        sa.Column("asked_by_id", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by_id", sa.BigInteger(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision_note", sa.String(length=500), nullable=True),
        sa.Column("task_id", sa.BigInteger(), nullable=True),
        sa.Column("file_id", sa.BigInteger(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), nullable=False),
        *_recorded(),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state IN ('waiting', 'making', 'ready', 'refused', 'expired')", name=op.f("ck_export_request_state_known")
        ),
        sa.CheckConstraint("file_format IN ('xlsx', 'csv', 'pdf')", name=op.f("ck_export_request_file_format_known")),
        sa.CheckConstraint("row_count >= 0", name=op.f("ck_export_request_rows_not_negative")),
        sa.CheckConstraint("decided_by_id <> asked_by_id", name=op.f("ck_export_request_two_people")),
        sa.CheckConstraint(
            "(decided_by_id IS NULL) = (decided_at IS NULL)", name=op.f("ck_export_request_decision_whole")
        ),
        sa.CheckConstraint(
            "state <> 'refused' OR decision_note IS NOT NULL", name=op.f("ck_export_request_refusal_has_reason")
        ),
        sa.CheckConstraint(
            "(state IN ('ready', 'expired')) = (file_id IS NOT NULL)", name=op.f("ck_export_request_file_when_ready")
        ),
        *_keys(
            "export_request",
            ("department_id", "department"),
            ("asked_by_id", "employee"),
            ("decided_by_id", "employee"),
            ("task_id", "background_task"),
            ("file_id", "stored_file"),
            ("branch_id", "branch"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_export_request")),
        sa.UniqueConstraint("asked_by_id", "request_key", name=op.f("uq_export_request_asked_by_id_request_key")),
    )
    op.create_index("ix_export_request_branch_id_id", "export_request", ["branch_id", "id"])
    op.create_index(op.f("ix_export_request_branch_id"), "export_request", ["branch_id"])
    op.create_index(
        "ix_export_request_expiry", "export_request", ["expires_at"], postgresql_where=sa.text("state = 'ready'")
    )


PURPOSES = "('care', 'marketing', 'record_photos', 'teaching_photos', 'advertising_photos', 'sharing')"


def _consents() -> None:
    op.create_table(
        "consent_text",
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("text_zh", sa.Text(), nullable=False),
        sa.Column("text_en", sa.Text(), nullable=False),
        sa.Column("in_force_on", sa.Date(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        *_recorded(),
        sa.CheckConstraint(f"purpose IN {PURPOSES}", name=op.f("ck_consent_text_purpose_known")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_consent_text_versions_count_from_one")),
        *_keys("consent_text"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_text")),
        sa.UniqueConstraint("purpose", "version", name=op.f("uq_consent_text_purpose_version")),
    )
    op.create_table(
        "customer_consent",
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column("text_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("scope_note", sa.String(length=200), nullable=True),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("signed_how", sa.String(length=40), nullable=False),
        sa.Column("taken_by_id", sa.BigInteger(), nullable=True),
        sa.Column("guardian_name", sa.Text(), nullable=True),
        sa.Column("guardian_relation", sa.String(length=40), nullable=True),
        sa.Column("evidence_file_id", sa.BigInteger(), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_by_id", sa.BigInteger(), nullable=True),
        sa.Column("withdrawn_reason", sa.Text(), nullable=True),
        sa.Column("id", sa.BigInteger(), nullable=False),
        *_recorded(),
        sa.CheckConstraint("state IN ('holds', 'withdrawn', 'renewed')", name=op.f("ck_customer_consent_state_known")),
        sa.CheckConstraint(f"purpose IN {PURPOSES}", name=op.f("ck_customer_consent_purpose_known")),
        sa.CheckConstraint(
            "signed_how IN ('paper', 'screen', 'recorded')", name=op.f("ck_customer_consent_signed_how_known")
        ),
        sa.CheckConstraint(
            "(guardian_name IS NULL) = (guardian_relation IS NULL)", name=op.f("ck_customer_consent_guardian_whole")
        ),
        sa.CheckConstraint(
            "(state = 'withdrawn') = (withdrawn_at IS NOT NULL)",
            name=op.f("ck_customer_consent_withdrawn_when_withdrawn"),
        ),
        sa.CheckConstraint(
            "withdrawn_at IS NULL OR withdrawn_reason IS NOT NULL",
            name=op.f("ck_customer_consent_withdrawal_has_reason"),
        ),
        sa.CheckConstraint(
            "withdrawn_at IS NULL OR withdrawn_at >= signed_at",
            name=op.f("ck_customer_consent_withdrawn_after_signing"),
        ),
        *_keys(
            "customer_consent",
            ("customer_id", "customer"),
            ("text_id", "consent_text"),
            ("taken_by_id", "employee"),
            ("evidence_file_id", "stored_file"),
            ("withdrawn_by_id", "employee"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_consent")),
    )
    op.create_index(op.f("ix_customer_consent_customer_id"), "customer_consent", ["customer_id"])
    op.create_index(op.f("ix_customer_consent_text_id"), "customer_consent", ["text_id"])
    op.create_index(
        "uq_customer_consent_holding",
        "customer_consent",
        ["customer_id", "purpose"],
        unique=True,
        postgresql_where=sa.text("state = 'holds'"),
    )


def _requests() -> None:
    op.create_table(
        "subject_request",
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("asked_how", sa.String(length=40), nullable=False),
        sa.Column("identity_checked", sa.String(length=200), nullable=False),
        sa.Column("wish", sa.Text(), nullable=True),
        sa.Column("opened_by_id", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("decided_by_id", sa.BigInteger(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by_id", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("outcome", postgresql.JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.Column("task_id", sa.BigInteger(), nullable=True),
        sa.Column("file_id", sa.BigInteger(), nullable=True),
        sa.Column("id", sa.BigInteger(), nullable=False),
        *_recorded(),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state IN ('open', 'approved', 'making', 'done', 'refused')", name=op.f("ck_subject_request_state_known")
        ),
        sa.CheckConstraint(
            "kind IN ('copy', 'correction', 'restriction', 'pseudonymisation')",
            name=op.f("ck_subject_request_kind_known"),
        ),
        sa.CheckConstraint(
            "asked_how IN ('in_person', 'telephone', 'letter', 'online')",
            name=op.f("ck_subject_request_asked_how_known"),
        ),
        sa.CheckConstraint("decided_by_id <> opened_by_id", name=op.f("ck_subject_request_two_people")),
        sa.CheckConstraint(
            "state <> 'approved' OR decided_by_id IS NOT NULL", name=op.f("ck_subject_request_approved_by_somebody")
        ),
        sa.CheckConstraint(
            "state <> 'done' OR kind <> 'pseudonymisation' OR decided_by_id IS NOT NULL",
            name=op.f("ck_subject_request_no_way_back_alone"),
        ),
        sa.CheckConstraint(
            "(state IN ('done', 'refused')) = (ended_at IS NOT NULL)", name=op.f("ck_subject_request_ended_when_over")
        ),
        sa.CheckConstraint(
            "state <> 'refused' OR note IS NOT NULL", name=op.f("ck_subject_request_refusal_has_reason")
        ),
        *_keys(
            "subject_request",
            ("customer_id", "customer"),
            ("opened_by_id", "employee"),
            ("decided_by_id", "employee"),
            ("ended_by_id", "employee"),
            ("task_id", "background_task"),
            ("file_id", "stored_file"),
            ("branch_id", "branch"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subject_request")),
    )
    op.create_index(op.f("ix_subject_request_customer_id"), "subject_request", ["customer_id"])
    op.create_index(op.f("ix_subject_request_branch_id"), "subject_request", ["branch_id"])
    op.create_index(
        "ix_subject_request_due",
        "subject_request",
        ["due_on"],
        postgresql_where=sa.text("state IN ('open', 'approved')"),
    )


def downgrade() -> None:
    for table in ("key_rotation", "subject_request", "customer_consent", "consent_text", "export_request"):
        op.drop_table(table)
    op.drop_column("customer", "pseudonymised_at")
    op.drop_index("ix_sensitive_view_log_actor_at", "sensitive_view_log")
    op.drop_constraint(op.f("ck_sensitive_view_log_way_known"), "sensitive_view_log")
    op.drop_column("sensitive_view_log", "denied")
    op.drop_column("sensitive_view_log", "way")
