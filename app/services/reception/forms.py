"""登记接诊表: what the customer wrote, bound to the barcode on her paper. Triage SOP S1; white paper 2.2.6."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import act
from app.errors import Refusal
from app.fields import Choose, Flag, HouseForm, Instant, Item, PhoneNumber, Pick, Whole, Words
from app.models.customers import Sex
from app.models.reception import ReceptionForm, Visit
from app.services.hr import own_branch
from app.services.reception.runs import form_number
from app.services.settings import next_number
from app.words import _, _l


class Registering(HouseForm):
    """The fields that the SOP asks for, "accurately", then what the paper asks besides. E.2."""

    visit_id = Pick(_l("Visit"), table="visit", required=True)
    form_no = Words(
        _l("Form number"), most=30, scanned=True, description=_l("The barcode on the paper. Empty: a new number.")
    )
    name = Words(_l("Full name"), required=True, most=60)
    sex = Choose(_l("Sex"), options=Sex, required=True)
    age = Whole(_l("Age"), required=True, least=0, most=120)
    phone = PhoneNumber(_l("Telephone"), required=True)
    area_id = Item(_l("Area"), dictionary="area")
    address = Words(_l("Address"), required=True, most=200)
    has_appointment = Flag(_l("With an appointment"))
    source_channel_id = Pick(_l("How she knows us"), table="source_channel", required=True)
    occupation = Words(_l("Occupation"), most=60)
    referrer_name = Words(_l("Referrer's name"), most=60)
    referrer_phone = PhoneNumber(_l("Referrer's telephone"))
    expectation = Words(_l("Expectations and worries"), most=2000, multiline=True)
    health_note = Words(_l("Allergies, medicines, pregnancy, surgery"), most=2000, multiline=True)
    signed_at = Instant(_l("Signed at"))

    def check(self) -> None:
        if bool(self.referrer_name.data) != bool(self.referrer_phone.data):
            self.refuse("referrer_phone", _("A referrer's name and telephone belong together."))


@act(
    ReceptionForm,
    "register",
    _l("Register the reception form"),
    form=Registering,
    creates=True,
    icon="file-earmark-person",
    starts_from={"visit": {"visit_id": "id"}},
)
def register(
    session: Session, *, visit_id: int, form_no: str | None = None, by: Actor, at: datetime, **said: Any
) -> ReceptionForm:
    """Enter a form; the barcode on its paper belongs to this visit for good. R-2.2.6-2.

    Refuses a second form of the visit, a barcode that another visit has, and one that the branch never printed.
    """
    branch = own_branch(session, by)
    session.execute(select(Visit.id).where(Visit.id == visit_id).with_for_update(of=Visit))
    stands = session.scalar(select(ReceptionForm.form_no).where(ReceptionForm.visit_id == visit_id))
    if stands is not None:
        raise Refusal(_("This visit has the form %(form)s already.", form=stands), field="visit_id")
    if (form_no or "").strip():
        number = form_number(session, form_no or "", by)
    else:
        number = next_number(session, "reception_form", branch=branch, at=at, zone=by.timezone)
    if session.scalar(select(ReceptionForm.id).where(ReceptionForm.form_no == number)) is not None:
        raise Refusal(_("The form %(form)s belongs to another visit.", form=number), field="form_no")
    said["has_appointment"] = bool(said.get("has_appointment"))
    entered = ReceptionForm(
        branch_id=branch.id, visit_id=visit_id, form_no=number, registered_at=at, registered_by_id=by.employee_id,
        **said,
    )  # fmt: skip
    session.add(entered)
    return entered
