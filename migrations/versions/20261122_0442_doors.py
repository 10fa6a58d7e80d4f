"""Who may come in: sessions, failures, second factors, passwords that were, one-time codes, counters of rate limits."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "202611220442"
down_revision = "202611220441"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "login_attempt",
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_attempt")),
        sa.UniqueConstraint("key", name=op.f("uq_login_attempt_key")),
    )
    op.create_table(
        "rate_limit",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("hits", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_rate_limit")),
        prefixes=["UNLOGGED"],
    )
    op.create_index(op.f("ix_rate_limit_expires_at"), "rate_limit", ["expires_at"], unique=False)
    op.create_table(
        "login_account",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("password_changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("change_demanded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("totp_seed", sa.Text(), nullable=True),
        sa.Column("totp_pending", sa.Text(), nullable=True),
        sa.Column("totp_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("totp_last_step", sa.BigInteger(), nullable=True),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("(totp_seed IS NULL) = (totp_since IS NULL)", name=op.f("ck_login_account_seed_dated")),
        sa.ForeignKeyConstraint(["user_id"], ["ab_user.id"], name=op.f("fk_login_account_user_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_account")),
        sa.UniqueConstraint("user_id", name=op.f("uq_login_account_user_id")),
    )
    op.create_table(
        "one_time_code",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("spent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('recovery', 'password')", name=op.f("ck_one_time_code_kind_known")),
        sa.ForeignKeyConstraint(["user_id"], ["ab_user.id"], name=op.f("fk_one_time_code_user_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_one_time_code")),
    )
    op.create_index("ix_one_time_code_open", "one_time_code", ["user_id", "kind"], unique=False)
    op.create_table(
        "password_history",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("password_hash", sa.String(length=256), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["ab_user.id"], name=op.f("fk_password_history_user_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_password_history")),
    )
    op.create_index(op.f("ix_password_history_user_id"), "password_history", ["user_id"], unique=False)
    op.create_table(
        "login_session",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("employee_id", sa.BigInteger(), nullable=True),
        sa.Column("branch_id", sa.BigInteger(), nullable=True),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("address", sa.String(length=80), nullable=False),
        sa.Column("agent", sa.String(length=200), nullable=False),
        sa.Column("second_factor", sa.Boolean(), nullable=False),
        sa.Column("owes", sa.String(length=40), nullable=True),
        sa.Column("lock_after", sa.Integer(), nullable=False),
        sa.Column("idle_after", sa.Integer(), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("locked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_why", sa.String(length=40), nullable=True),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "ended_why IN ('logged_out', 'by_owner', 'by_others', 'password', 'roles', 'closed', 'second_factor', 'time')",
            name=op.f("ck_login_session_ended_why_known"),
        ),
        sa.CheckConstraint("kind IN ('web', 'api')", name=op.f("ck_login_session_kind_known")),
        sa.CheckConstraint("owes IN ('password', 'second_factor')", name=op.f("ck_login_session_owes_known")),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (ended_why IS NULL)", name=op.f("ck_login_session_ended_for_a_reason")
        ),
        sa.CheckConstraint("lock_after > 0 AND idle_after > 0", name=op.f("ck_login_session_times_positive")),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_login_session_branch_id_branch")),
        sa.ForeignKeyConstraint(["employee_id"], ["employee.id"], name=op.f("fk_login_session_employee_id_employee")),
        sa.ForeignKeyConstraint(["user_id"], ["ab_user.id"], name=op.f("fk_login_session_user_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_session")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_login_session_token_hash")),
    )
    op.create_index(op.f("ix_login_session_branch_id"), "login_session", ["branch_id"], unique=False)
    op.create_index(op.f("ix_login_session_employee_id"), "login_session", ["employee_id"], unique=False)
    op.create_index(
        "ix_login_session_open",
        "login_session",
        ["user_id"],
        unique=False,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.add_column("department", sa.Column("public_desk", sa.Boolean(), server_default="false", nullable=False))
    # Nobody knows how old the passwords are that stand; they age from now on, and may not come back.
    op.execute("INSERT INTO login_account (user_id, password_changed_at) SELECT id, now() FROM ab_user")
    op.execute(
        "INSERT INTO password_history (user_id, password_hash, set_at) "
        "SELECT id, password, now() FROM ab_user WHERE password IS NOT NULL"
    )


def downgrade() -> None:
    op.drop_column("department", "public_desk")
    op.drop_index("ix_login_session_open", table_name="login_session", postgresql_where=sa.text("ended_at IS NULL"))
    op.drop_index(op.f("ix_login_session_employee_id"), table_name="login_session")
    op.drop_index(op.f("ix_login_session_branch_id"), table_name="login_session")
    op.drop_table("login_session")
    op.drop_index(op.f("ix_password_history_user_id"), table_name="password_history")
    op.drop_table("password_history")
    op.drop_index("ix_one_time_code_open", table_name="one_time_code")
    op.drop_table("one_time_code")
    op.drop_table("login_account")
    op.drop_index(op.f("ix_rate_limit_expires_at"), table_name="rate_limit")
    op.drop_table("rate_limit")
    op.drop_table("login_attempt")
