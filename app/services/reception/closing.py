"""下班整理: a desk is tidied and closed, and what is still open is named. Triage SOP S8."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import Outcome, Told, act
from app.errors import InvalidInput, Refusal
from app.fields import HouseForm, Items, Words
from app.models.audit import ReportRun
from app.models.base import models
from app.models.reception import ClosingChecklist, ClosingLine, ServiceDesk, Visit, VisitCardIssue
from app.services.guard import crossing
from app.services.settings import items_in_use, setting, value_of
from app.services.warning import warn
from app.words import _, _l, _n

BLOCKS = setting(
    "reception.closing_blocks",
    _l("A desk is closed only when nothing is open"),
    "yes",
    "switch",
    help=_l(
        "If yes, visits that have not left, temporary cards that are out and a missing daily report hold the desk;"
        " if no, they are warned of and written down."
    ),
    source="S8",
)
DICTIONARY = "closing_line"
#: RPT-03 by its name; stored by whoever is on duty at 17:30, or by the house.
ONSITE_DAILY = "onsite_daily"


@dataclass(frozen=True)
class ClosingCheck:
    """Something that must not stay open overnight: counted for a branch on a day. ``page`` and ``query`` name the list
    that shows it; ``sentence`` says it of a count."""

    code: str
    label: object
    count: Callable[[Session, int, date], int]
    sentence: Callable[[int], str]
    page: str = ""
    query: Mapping[str, str] = field(default_factory=dict)


#: What is asked before a desk is closed.
CLOSING_CHECKS: list[ClosingCheck] = []


def declare_closing_check(check: ClosingCheck) -> ClosingCheck:
    """Add what must not stay open overnight; refuses a code that is taken."""
    if any(other.code == check.code for other in CLOSING_CHECKS):
        raise ValueError(f"closing check {check.code} is declared twice")
    CLOSING_CHECKS.append(check)
    return check


def counted(session: Session, branch_id: int, day: date) -> list[tuple[ClosingCheck, int]]:
    """Return how many of what are still open at a branch on a day, in the order of the checks."""
    return [(check, check.count(session, branch_id, day)) for check in CLOSING_CHECKS]


def _told(session: Session, desk: ServiceDesk, by: Actor) -> list[Told]:
    with crossing("closing"):
        counts = counted(session, desk.branch_id, datetime.now(by.timezone).date())
    return [Told(check.label, count, check.page, check.query, check.code) for check, count in counts if count]


class Closing(HouseForm):
    """What was done at the desk, and why something was not."""

    line_ids = Items(_l("Done at this desk"), dictionary=DICTIONARY)
    note = Words(_l("Note"), most=500, multiline=True, description=_l("Needed where something was not done."))


def _in_use(desk: ServiceDesk, _by: Actor) -> object | None:
    return _("This desk is no longer in use.") if desk.retired_at is not None else None


@act(
    ServiceDesk,
    "close_day",
    _l("Close the desk for today"),
    form=Closing,
    guard=_in_use,
    icon="moon-stars",
    tells=_told,
    consequence=_l("What is written down now is not changed later."),
)
def close_day(
    session: Session,
    desk: ServiceDesk,
    *,
    line_ids: list[int] | None = None,
    note: str | None = None,
    by: Actor,
    at: datetime,
) -> Outcome:
    """Write the closing checklist of a desk and day. S8: refuses, or warns of, what is still open, as the setting says.

    Refuses a second one of the day, and lines that were not done without a note.
    """
    day = at.astimezone(by.timezone).date()
    stands = select(ClosingChecklist.id).where(ClosingChecklist.desk_id == desk.id, ClosingChecklist.closed_on == day)
    if session.scalar(stands) is not None:
        raise Refusal(_("This desk was closed today already."))
    if by.employee_id is None:
        raise Refusal(_("Only an employee of a branch can do this."))
    open_now = [(check, count) for check, count in counted(session, desk.branch_id, day) if count]
    sentences = [check.sentence(count) for check, count in open_now]
    if open_now and value_of(session, BLOCKS, branch_id=desk.branch_id, at=at):
        raise Refusal(" ".join(sentences), field=open_now[0][0].code)
    warn(session, *sentences)
    lines = [item_id for item_id, _label in items_in_use(session, DICTIONARY)]
    done = set(line_ids or [])
    if not done.issuperset(lines) and not note:
        raise InvalidInput({"note": [_("Please say why not all was done.")]})
    checklist = ClosingChecklist(
        branch_id=desk.branch_id,
        desk_id=desk.id,
        closed_on=day,
        done_at=at,
        done_by_id=by.employee_id,
        note=note,
        left_open={check.code: count for check, count in open_now},
        lines=[ClosingLine(item_id=item_id, is_done=item_id in done) for item_id in lines],
    )
    session.add(checklist)
    session.flush()
    return Outcome(result=checklist)


# --- what reception asks ----------------------------------------------------------------------------------------------


def _visits(session: Session, branch_id: int, _day: date) -> int:
    here = select(func.count()).where(Visit.branch_id == branch_id, Visit.closed_at.is_(None))
    return session.scalar(here) or 0


def _cards(session: Session, branch_id: int, _day: date) -> int:
    out = select(func.count()).where(VisitCardIssue.branch_id == branch_id, VisitCardIssue.ended_at.is_(None))
    return session.scalar(out) or 0


def _report(session: Session, branch_id: int, day: date) -> int:
    """Count one for the on-site report of the day while it is not stored, and signed where reports are."""
    runs = select(ReportRun.id).where(
        ReportRun.report == ONSITE_DAILY, ReportRun.branch_id == branch_id, ReportRun.business_on == day
    )
    signatures: Any = models().get("report_signature")
    if signatures is not None:
        runs = runs.where(select(signatures.id).where(signatures.run_id == ReportRun.id).exists())
    return 0 if session.scalar(runs.limit(1)) is not None else 1


declare_closing_check(
    ClosingCheck(
        "visits",
        _l("Visits that have not left"),
        _visits,
        lambda count: _n("%(num)s visit has not left.", "%(num)s visits have not left.", count),
        "visit",
        {"tab": "open"},
    )
)
declare_closing_check(
    ClosingCheck(
        "cards",
        _l("Temporary cards that are out"),
        _cards,
        lambda count: _n("%(num)s temporary card is out.", "%(num)s temporary cards are out.", count),
        "visit_card_issue",
        {"tab": "out"},
    )
)
declare_closing_check(
    ClosingCheck(
        "report",
        _l("On-site daily report missing"),
        _report,
        lambda _count: _("The on-site daily report of today is not signed yet."),
        "report_run",
    )
)
