"""An official visit from the door to the door: registered, told, accompanied, documented. S4, SM-31, L24.

What officers ask for is handed over against a list; nothing is hidden, deleted, altered or shut down. The lock of the
screen is for passers-by at public desks and is worked as on any other day.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import Outcome, act
from app.errors import InvalidInput, Refusal
from app.fields import Choose, Flag, HouseForm, Lines, Pick, Upload, Whole, Words
from app.models.inspection import HandedHow, InspectionDocument, InspectionState, InspectionVisit
from app.models.reception import ServiceDesk
from app.services.files import attach
from app.services.hr import holders_of, own_branch, working
from app.services.notices import KINDS, tell
from app.services.settings import next_number
from app.words import _, _l, _n

KINDS["inspection_here"] = _l("%(agency)s is here since %(time)s: %(officers)s, for %(purpose)s (%(number)s).")
I = InspectionState  # noqa: E741 (stands for the states, many times below)
TABLE = InspectionVisit.__tablename__
#: Who may accompany is who is told: the duty `inspection_contact` of the branch, never a name.
CONTACT = "can_accompany"


class Registering(HouseForm):
    """Who is here, by what certificate, what for."""

    agency = Words(_l("Authority"), required=True, least=2, most=120)
    officers = Words(_l("Officers"), required=True, least=2, most=300, description=_l("Their names."))
    certificate_no = Words(_l("Certificate number"), required=True, least=2, most=120)
    is_seen = Flag(_l("I have seen their certificates"))
    purpose = Words(_l("Purpose of the visit"), required=True, least=2, most=1000, multiline=True)
    desk_id = Pick(_l("Service desk"), table="service_desk")

    def check(self) -> None:
        if not self.is_seen.data:
            self.refuse("is_seen", _("Please let them show their certificates first."))


@act(
    InspectionVisit,
    "register",
    _l("Register an official visit"),
    form=Registering,
    creates=True,
    main=True,
    icon="building-check",
    consequence=_l("The contacts for inspections of this branch are told at once."),
)
def register(session: Session, *, is_seen: bool = False, by: Actor, at: datetime, **said: Any) -> Outcome:
    """Write down who came, and tell the branch's contacts for inspections with time, authority and names. SM-31.

    At a public desk the reminder of the screen's lock comes with it, as for any visitor.
    """
    branch = own_branch(session, by)
    inspection = InspectionVisit(
        branch_id=branch.id,
        inspection_no=next_number(session, "inspection_visit", branch=branch, at=at, zone=by.timezone),
        state=I.ARRIVED,
        arrived_at=at,
        registered_by_id=by.employee_id,
        **said,
    )
    session.add(inspection)
    session.flush()
    told = _tell_contacts(session, inspection, by, at)
    sentences = [
        _n("%(num)s contact for inspections was told.", "%(num)s contacts for inspections were told.", told)
        if told
        else _("This branch has no contact for inspections: please tell the management yourself.")
    ]
    desk = session.get(ServiceDesk, inspection.desk_id) if inspection.desk_id is not None else None
    if desk is not None and desk.is_public:
        sentences.append(_("%(desk)s is in public: lock its screen (Ctrl+Alt+L) whenever you leave it.", desk=desk))
    return Outcome(result=inspection, notice=" ".join(sentences))


def _tell_contacts(session: Session, inspection: InspectionVisit, by: Actor, at: datetime) -> int:
    """Tell everybody who holds the duty; return how many. The state moves on once somebody was told."""
    contacts = holders_of(session, TABLE, CONTACT, branch_id=inspection.branch_id)
    for employee_id in contacts:
        tell(
            session, employee_id, "inspection_here", inspection, agency=inspection.agency,
            officers=inspection.officers, purpose=inspection.purpose, number=inspection.inspection_no,
            time=inspection.arrived_at.astimezone(by.timezone).strftime("%H:%M"),
        )  # fmt: skip
    if contacts:
        inspection.notified_at = at
        inspection.become(I.NOTIFIED)
    return len(contacts)


@act(InspectionVisit, "notify", _l("Tell the contacts"), moves={I.ARRIVED: None}, icon="bell", tone="accent")
def notify(session: Session, inspection: InspectionVisit, *, by: Actor, at: datetime) -> Outcome:
    """Tell the contacts for inspections, where there were none when the officers came. Refuses while there are none."""
    told = _tell_contacts(session, inspection, by, at)
    if not told:
        raise Refusal(_("Nobody of this branch has the role of contact for inspections yet."))
    return Outcome(
        notice=_n("%(num)s contact for inspections was told.", "%(num)s contacts for inspections were told.", told)
    )


class Accompanying(HouseForm):
    """Who stays with them."""

    accompanied_by_id = Pick(_l("Accompanied by"), table="employee", description=_l("Empty: yourself."))


@act(
    InspectionVisit,
    "accompany",
    _l("Accompany"),
    form=Accompanying,
    moves={I.NOTIFIED: I.ACCOMPANIED},
    icon="people",
    tone="accent",
)
def accompany(
    session: Session, inspection: InspectionVisit, *, accompanied_by_id: int | None = None, by: Actor, at: datetime
) -> None:
    """Note who stays with the officers from now on. SM-31."""
    whom = accompanied_by_id if accompanied_by_id is not None else by.employee_id
    if whom is None:
        raise InvalidInput({"accompanied_by_id": [_("Please say who it is.")]})
    inspection.accompanied_at, inspection.accompanied_by_id = at, whom
    working(session, whom, inspection.branch_id, "accompanied_by_id")


class Asked(HouseForm):
    """A document that was asked for, and what was given of it."""

    what = Words(_l("What was asked for"), required=True, least=2, most=300)
    handed = Choose(_l("Handed over"), options=HandedHow, required=True)
    pages = Whole(_l("Number of pages"), least=1, most=9999)
    remark = Words(_l("Remark"), most=300)

    def check(self) -> None:
        if self.handed.data is HandedHow.NOT_GIVEN and not self.remark.data:
            self.refuse("remark", _("Please say why it was not handed over."))


class Documenting(HouseForm):
    """The list of what was asked for and handed over, and who signed for it."""

    documents = Lines(_l("Documents asked for"), row=Asked, most=100)
    is_nothing_asked = Flag(_l("Nothing was asked for"))
    signed_by = Words(_l("Signed by"), required=True, least=2, most=120, description=_l("The officer who signed."))
    signed_file_id = Upload(_l("Signed list"), purpose="evidence")

    def check(self) -> None:
        if bool(self.documents.rows) == bool(self.is_nothing_asked.data):
            self.refuse("documents", _("Please list what was asked for, or tick that nothing was."))


@act(
    InspectionVisit,
    "document",
    _l("Sign the hand-over list"),
    form=Documenting,
    moves={I.ACCOMPANIED: I.DOCUMENTED},
    icon="file-earmark-check",
    tone="accent",
    consequence=_l("Hand over what was asked for, and no more than that. The list cannot be changed later."),
)
def document(
    session: Session,
    inspection: InspectionVisit,
    *,
    documents: list[dict[str, Any]],
    signed_by: str,
    is_nothing_asked: bool = False,
    signed_file_id: int | None = None,
    by: Actor,
    at: datetime,
) -> None:
    """Keep what was asked for and handed over, line by line, with who signed for it. S4: minimum necessary. SM-31."""
    inspection.documented_at, inspection.signed_by, inspection.signed_file_id = at, signed_by, signed_file_id
    session.add_all(
        InspectionDocument(inspection_id=inspection.id, handed_at=at, handed_by_id=by.employee_id, **line)
        for line in documents
    )
    session.flush()
    if signed_file_id is not None:
        attach(session, signed_file_id, TABLE, inspection.id, field="signed_file_id", by=by)


class Result(HouseForm):
    """What they said in the end."""

    result = Words(_l("Result"), required=True, least=2, most=2000, multiline=True)
    result_file_id = Upload(_l("Record of the authority"), purpose="evidence")


@act(
    InspectionVisit,
    "leave",
    _l("They have left"),
    form=Result,
    moves={I.DOCUMENTED: I.LEFT},
    icon="door-closed",
    tone="accent",
)
def leave(
    session: Session,
    inspection: InspectionVisit,
    *,
    result: str,
    result_file_id: int | None = None,
    by: Actor,
    at: datetime,
) -> None:
    """Note that the officers left, and with what result. SM-31."""
    inspection.left_at, inspection.result, inspection.result_file_id = at, result, result_file_id
    session.flush()
    if result_file_id is not None:
        attach(session, result_file_id, TABLE, inspection.id, field="result_file_id", by=by)
