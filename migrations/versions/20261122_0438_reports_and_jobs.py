"""Runs of jobs and reports."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "202611220438"
down_revision = "202611220437"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("report_run", sa.Column("request_key", sa.String(length=80), nullable=True))
    op.create_unique_constraint(op.f("uq_report_run_made_by_request_key"), "report_run", ["made_by", "request_key"])


def downgrade() -> None:
    op.drop_constraint(op.f("uq_report_run_made_by_request_key"), "report_run", type_="unique")
    op.drop_column("report_run", "request_key")
