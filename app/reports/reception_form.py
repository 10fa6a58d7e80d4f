"""《接诊表》, the reception form: two pages of A4 with its code, blank for the pen or filled from the system. E.2.

The customer's page comes first, the house's second; what a doctor writes is left blank, for no medical word is kept
with a reception form. The telephone stands in full as on the paper that she filled in (part E); on a preview, which
nobody counts, it is masked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from app.actors import Actor
from app.models.consultation import Consultation, ConsultationState
from app.models.customers import Sex, SourceChannel
from app.models.hr import Branch
from app.models.reception import ReceptionForm, ReceptionFormRun, Visit, VisitType
from app.models.settings import Dictionary, DictionaryItem
from app.models.triage import AssignmentState, TriageAssignment
from app.reports.base import Paper, SheetsPaper, paper
from app.reports.facts import Label
from app.services.fieldrights import sees
from app.services.reception.runs import numbers_of
from app.words import _l

FORM_VERSION = "YX-JZ-01 · A0"
NO_WORDS = Label("", "")


@dataclass(frozen=True, slots=True)
class Box:
    """A box to tick and whether it is."""

    label: Label
    is_on: bool = False


@dataclass(frozen=True, slots=True)
class CustomersPage:
    """What the customer writes; empty on a blank form."""

    name: str = ""
    age: str = ""
    phone: str = ""
    area: Label = NO_WORDS
    address: str = ""
    occupation: str = ""
    slip: str = ""
    referrer_name: str = ""
    referrer_phone: str = ""
    expectation: str = ""
    health: str = ""
    signed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class HousesPage:
    """What the house writes, as far as it has; a doctor's part is never filled."""

    arrived_at: datetime | None = None
    triaged_by: str = ""
    triaged_at: datetime | None = None
    consultant: str = ""
    need: str = ""
    concern: str = ""
    failure: Label = NO_WORDS
    next_action: str = ""
    left_at: datetime | None = None
    escort: str = ""


@dataclass(frozen=True, slots=True)
class FormFacts:
    """All that stands on a reception form."""

    zone: str
    form_no: str
    branch_name: str
    branch_phone: str
    sexes: tuple[Box, ...]
    appointed: tuple[Box, ...]
    sources: tuple[Box, ...]
    items: tuple[Box, ...]
    visit_types: tuple[Box, ...]
    results: tuple[Box, ...]
    customer: CustomersPage
    house: HousesPage
    printed_at: datetime
    printed_by: str


def _boxes(options: Iterable[tuple[Any, Label]], on: Collection[Any] = ()) -> tuple[Box, ...]:
    return tuple(Box(label, key in on) for key, label in options)


def _choices(options: Any) -> list[tuple[Any, Label]]:
    return [(option, Label.of(option.label)) for option in options]


def _sources(session: Session) -> list[tuple[Any, Label]]:
    """Return the ways to know the house that a form offers: the leaves of the tree, and roots without leaves."""
    below = aliased(SourceChannel)
    leaf = ~select(below.id).where(below.parent_id == SourceChannel.id).exists()
    order = select(SourceChannel).where(leaf, SourceChannel.offered()).order_by(SourceChannel.id)
    return [(source.id, Label(source.name.partition("(")[0], source.name_en.partition(" (")[0]))
            for source in session.scalars(order)]  # fmt: skip


def _items(session: Session) -> list[tuple[Any, Label]]:
    found = select(DictionaryItem).join(Dictionary).where(Dictionary.code == "appointment_item")
    offered = found.where(DictionaryItem.offered()).order_by(DictionaryItem.position, DictionaryItem.id)
    return [(item.id, Label(item.name, item.name_en)) for item in session.scalars(offered)]


RESULTS = (ConsultationState.DEAL, ConsultationState.NO_DEAL)
YES_NO = ((True, Label.of(_l("Yes"))), (False, Label.of(_l("No"))))


def _blank(session: Session, branch: Branch, form_no: str, by: Actor, at: datetime) -> FormFacts:
    """Return a form with its number and boxes and nothing else."""
    return FormFacts(
        zone=branch.zone,
        form_no=form_no,
        branch_name=branch.name,
        branch_phone=branch.phone or "",
        sexes=_boxes(_choices(Sex)),
        appointed=_boxes(YES_NO),
        sources=_boxes(_sources(session)),
        items=_boxes(_items(session)),
        visit_types=_boxes(_choices(VisitType)),
        results=_boxes(_choices(RESULTS)),
        customer=CustomersPage(),
        house=HousesPage(),
        printed_at=at,
        printed_by=by.display_name,
    )


def gather_blanks(
    session: Session, run: ReceptionFormRun, by: Actor, at: datetime, first: int, count: int
) -> list[FormFacts]:
    """Return the blank forms of a run."""
    blank = _blank(session, run.branch, run.first_no, by, at)
    numbers = list(numbers_of(run.first_no, run.count))[first - 1 : first - 1 + count]
    return [replace(blank, form_no=number) for number in numbers]


def gather(session: Session, form: ReceptionForm, by: Actor, at: datetime) -> FormFacts:
    """Return a form as triage entered it, with what the visit and its consultation came to so far."""
    visit = form.visit
    talk = session.scalars(
        select(Consultation).where(Consultation.visit_id == visit.id).order_by(Consultation.id.desc()).limit(1)
    ).first()
    blank = _blank(session, form.branch, form.form_no, by, at)
    return replace(
        blank,
        sexes=_boxes(_choices(Sex), (form.sex,)),
        appointed=_boxes(YES_NO, (form.has_appointment,)),
        sources=_boxes(_sources(session), (form.source_channel_id,)),
        items=_boxes(_items(session), visit.item_ids),
        visit_types=_boxes(_choices(VisitType), (visit.visit_type,)),
        results=_boxes(_choices(RESULTS), () if talk is None else (talk.state,)),
        customer=_customers_page(form, by),
        house=_houses_page(session, visit, talk),
    )


def _customers_page(form: ReceptionForm, by: Actor) -> CustomersPage:
    slip = form.visit.appointment_slip
    area = form.area
    return CustomersPage(
        name=form.name,
        age=str(form.age),
        phone=form.phone,
        area=NO_WORDS if area is None else Label(area.name, area.name_en),
        address=form.address,
        occupation=form.occupation or "",
        slip="" if slip is None else f"{slip.slip_no} {slip.owner.name}",
        referrer_name=form.referrer_name or "",
        referrer_phone=form.referrer_phone or "",
        expectation=form.expectation or "",
        health=(form.health_note or "") if sees(ReceptionForm, "health_note", by) else "",
        signed_at=form.signed_at,
    )


def _houses_page(session: Session, visit: Visit, talk: Consultation | None) -> HousesPage:
    stands = (AssignmentState.ACCEPTED, AssignmentState.IN_ROOM, AssignmentState.DONE)
    assigned = session.scalars(
        select(TriageAssignment)
        .where(TriageAssignment.visit_id == visit.id, TriageAssignment.state.in_(stands))
        .order_by(TriageAssignment.id.desc())
        .limit(1)
    ).first()
    reason = None if talk is None else talk.failure_reason
    return HousesPage(
        arrived_at=visit.arrived_at,
        triaged_by="" if assigned is None or assigned.called_by is None else assigned.called_by.name,
        triaged_at=visit.triaged_at,
        consultant="" if visit.consultant is None else visit.consultant.name,
        need="" if talk is None else talk.need_text or "",
        concern="" if talk is None else talk.concern_text or "",
        failure=NO_WORDS if reason is None else Label(reason.name, reason.name_en),
        next_action="" if talk is None else talk.next_action or "",
        left_at=visit.left_at,
        escort="" if visit.escort is None else visit.escort.name,
    )


def _masked(facts: FormFacts) -> FormFacts:
    """Return a form for a preview: its numbers show their last four digits."""

    def hidden(number: str) -> str:
        return f"****{number[-4:]}" if number else ""

    page = facts.customer
    shown = replace(page, phone=hidden(page.phone), referrer_phone=hidden(page.referrer_phone))
    return replace(facts, customer=shown)


RECEPTION_FORM = paper(
    Paper(
        "reception_form",
        "reception_form",
        _l("Print the reception form"),
        _l("Reception form"),
        gather,
        constants={"form_version": FORM_VERSION},
        eager=("branch", "visit", "area"),
        previewed=_masked,
    )
)
BLANK_FORMS = paper(
    SheetsPaper(
        "reception_form_run",
        "forms",
        _l("Print the blank forms"),
        _l("Reception form"),
        gather_blanks,
        constants={"form_version": FORM_VERSION},
        folder="reception_form",
    )
)
