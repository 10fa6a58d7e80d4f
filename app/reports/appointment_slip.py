"""预约单, the appointment slip: A5 landscape, one copy for triage and one for the file. White paper E.3."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from app.actors import Actor
from app.models.appointments import AppointmentSlip, SlipState
from app.reports.base import Paper, paper
from app.words import _l

FORM_VERSION = "YX-YY-01 · A0"
#: The word across a slip that no longer counts; a redone slip is a void one (R-2.1.3-4).
CROSSED = {
    SlipState.VOIDED: SlipState.VOIDED,
    SlipState.REPLACED: SlipState.VOIDED,
    SlipState.EXPIRED: SlipState.EXPIRED,
}


@dataclass(frozen=True, slots=True)
class Superseded:
    """The slip that this one took the place of: its number, who redid it and when."""

    slip_no: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class SlipFacts:
    """All that stands on a printed appointment slip. Words are ready to read, instants carry their zone.

    ``zone`` is the branch's IANA zone; ``phone_masked`` shows the last four digits (more are masked again in
    printing); ``mark`` is the word across a slip that no longer counts (voided, replaced, expired), else empty.
    """

    slip_no: str
    branch_name: str
    branch_phone: str
    zone: str
    customer_name: str
    sex: str
    age: int | None
    phone_masked: str
    appointed_at: datetime
    latest_arrival_at: datetime | None
    intention_letter: str
    intention_text: str
    items: str
    target_department: str
    doctor: str
    consultant: str
    channel: str
    placed_by: str
    department: str
    first_ordered_at: datetime
    first_owner: str
    need_text: str
    quoted_text: str
    companion_count: int | None
    arrived_at: datetime | None
    guide: str
    supersedes: Superseded | None
    remark: str
    printed_at: datetime
    printed_by: str
    mark: str = ""
    branch_line: str = ""


def gather(_session: Session, slip: AppointmentSlip, by: Actor, at: datetime) -> SlipFacts:
    """Return everything that stands on a slip; the telephone shows its last four digits only."""
    customer, year = slip.customer, at.astimezone(by.timezone).year
    old = slip.supersedes
    return SlipFacts(
        slip_no=slip.slip_no,
        branch_name=slip.branch.name,
        branch_phone=slip.branch.phone or "",
        zone=slip.branch.zone,
        customer_name=str(customer),
        sex=str(customer.sex.label) if customer.sex else "",
        age=customer.age_in(year),
        phone_masked=f"****{customer.phone_masked[-4:]}" if customer.phone_masked else "",
        appointed_at=slip.appointed_at,
        latest_arrival_at=slip.latest_arrival_at,
        intention_letter=slip.intention.value,
        intention_text=str(slip.intention.label).partition(": ")[2] or str(slip.intention.label).partition("：")[2],
        items=slip.items_text,
        target_department=str(slip.target_department or ""),
        doctor=str(slip.preferred_doctor or ""),
        consultant=str(slip.preferred_consultant or slip.owner),
        channel=str(slip.channel.label),
        placed_by=slip.placed_by.name,
        department=slip.department.name,
        first_ordered_at=slip.first_ordered_at,
        first_owner=slip.first_owner.name,
        need_text=slip.need_text or "",
        quoted_text=slip.quoted_text or "",
        companion_count=slip.companion_count,
        arrived_at=slip.arrived_at,
        guide=slip.guide.name if slip.guide else "",
        supersedes=None if old is None else Superseded(old.slip_no, slip.placed_by.name, slip.ordered_at),
        remark=slip.remark or "",
        printed_at=at,
        printed_by=by.display_name,
        mark=str(CROSSED[slip.state].label) if slip.state in CROSSED else "",
    )


APPOINTMENT_SLIP = paper(
    Paper(
        table="appointment_slip",
        name="appointment_slip",
        label=_l("Print the slip"),
        title=_l("Appointment slip"),
        gather=gather,
        copies=(_l("Triage copy"), _l("File copy")),
        constants={"form_version": FORM_VERSION},
        eager=("customer.contacts", "item_links.item", "branch", "supersedes"),
        left_out=lambda slip: slip.state.label if CROSSED.get(slip.state) == SlipState.VOIDED else None,
    )
)
