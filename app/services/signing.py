"""Who answers for a stored report signs it, once: the daily report, the evening's log. Triage SOP S5, S6."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import act
from app.errors import NotPermitted, Refusal
from app.fields import HouseForm, Pick, Words
from app.models.audit import ReportRun, ReportSignature
from app.words import _, _l

#: Reports that somebody signs; each says so of itself (``Report.signed``).
SIGNED: set[str] = set()


class Signing(HouseForm):
    """Which stored report."""

    run_id = Pick(_l("Stored report"), table="report_run", required=True)
    remark = Words(_l("Remark"), most=500, multiline=True)


@act(
    ReportSignature,
    "sign",
    _l("Sign"),
    form=Signing,
    creates=True,
    icon="pen",
    tone="accent",
    starts_from={"report_run": {"run_id": "id"}},
    consequence=_l("A signature stays; figures that change later are for a new run."),
)
def sign(session: Session, *, run_id: int, remark: str | None = None, by: Actor, at: datetime) -> ReportSignature:
    """Sign a stored report. Refuses a second signature, a report that nobody signs, and who may not read it."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"sign {run_id}", 3))))
    run = session.get_one(ReportRun, run_id)
    if run.report not in SIGNED:
        raise Refusal(_("This report is not signed."), field="run_id")
    if by.employee_id is None or not by.may(f"report_{run.report}", "can_list"):
        raise NotPermitted
    stands = signature_of(session, run_id)
    if stands is not None:
        raise Refusal(_("%(name)s signed this report already.", name=stands.signed_by.name), field="run_id")
    made = ReportSignature(
        branch_id=run.branch_id, run_id=run_id, signed_at=at, signed_by_id=by.employee_id, remark=remark
    )
    session.add(made)
    return made


def signature_of(session: Session, run_id: int) -> ReportSignature | None:
    """Return the signature under a stored report, if there is one."""
    return session.scalars(select(ReportSignature).where(ReportSignature.run_id == run_id)).one_or_none()


def is_signed(session: Session, report: str, branch_id: int, day: date) -> bool:
    """Say whether somebody signed a branch's report of a day; the closing checklist asks (S8)."""
    signed = (
        select(ReportSignature.id)
        .join(ReportRun, ReportRun.id == ReportSignature.run_id)
        .where(ReportRun.report == report, ReportRun.branch_id == branch_id, ReportRun.business_on == day)
    )
    return session.scalar(select(signed.exists())) is True
