"""From temporary to formal: identity confirmed on site. SM-01, R-1.2-1."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import Outcome, act
from app.errors import InvalidInput
from app.fields import Choose, Day, HouseForm, Item, PhoneNumber, Whole, Words
from app.models.customers import CollectedField, ContactKind, Customer, FileState, Sex, Stage, id_hash
from app.models.hr import Employee
from app.services.customers.files import log_look_up_of, new_contact, refuse_known_number
from app.services.customers.idcard import read_id_number
from app.services.customers.requirements import missing_by_stage
from app.services.guard import crossing
from app.unit import unit_of_work
from app.words import _, _l

#: Customers whose hash is filled in at once.
PIECE = 500
#: The input beside which a missing field is said; traits have none, their sentence stands above the form.
INPUTS = {
    CollectedField.NAME: "name",
    CollectedField.NAME_OR_ALIAS: "name",
    CollectedField.CONTACT: "phone",
    CollectedField.PHONE: "phone",
    CollectedField.SEX: "sex",
    CollectedField.AGE: "birth_on",
    CollectedField.OCCUPATION: "occupation",
    CollectedField.AREA: "area_id",
    CollectedField.ID_NO: "id_no",
}
PREFILLED = ("name", "sex", "birth_on", "birth_year", "occupation", "area_id", "address")


class Identity(HouseForm):
    """What reception must know; it begins with what the file knows already."""

    name = Words(_l("Full name"), most=60)
    sex = Choose(_l("Sex"), options=Sex)
    birth_on = Day(_l("Date of birth"), past=True)
    birth_year = Whole(_l("Year of birth"), least=1900, most=2200, description=_l("If the day is not known."))
    phone = PhoneNumber(_l("Telephone"), description=_l("Empty: the number on file."))
    id_no = Words(
        _l("ID number"),
        most=24,
        sensitive=True,
        description=_l("Empty: as on file. It is checked, and must agree with birth date and sex."),
    )
    occupation = Words(_l("Occupation"), most=60)
    area_id = Item(_l("Area"), dictionary="area")
    address = Words(_l("Address"), most=200)


@act(
    Customer,
    "confirm_identity",
    _l("Confirm identity"),
    form=Identity,
    moves={FileState.TEMPORARY: FileState.FORMAL},
    prefill=PREFILLED,
    icon="person-check",
    tone="accent",
    consequence=_l("The temporary file becomes formal."),
)
def confirm_identity(
    session: Session,
    customer: Customer,
    *,
    name: str | None,
    sex: Sex | None,
    birth_on: date | None,
    birth_year: int | None,
    phone: str | None,
    id_no: str | None,
    occupation: str | None,
    area_id: int | None,
    address: str | None,
    by: Actor,
    at: datetime,
) -> Outcome:
    """Make a temporary file formal once the required set of 接待 is known. SM-01, R-1.2-1.

    Refuses, beside its field, what is missing, a wrong ID number, one that disagrees with birth date or sex, and
    another customer's telephone. Another file with the same ID number is named as a probable duplicate.
    """
    customer.name, customer.sex, customer.birth_on, customer.birth_year = name, sex, birth_on, birth_year
    customer.occupation, customer.area_id, customer.address = occupation, area_id, address
    _refuse_future(birth_year, by, at)
    if id_no:
        customer.id_no = id_no
        take_from_id_number(customer)
    if customer.birth_on is not None:
        customer.birth_year = customer.birth_on.year
    if phone and not any(one.kind is ContactKind.PHONE and one.value == phone for one in customer.contacts):
        refuse_known_number(session, "phone", ContactKind.PHONE, phone, by=by, at=at, but=customer.id)
        customer.contacts.append(new_contact(ContactKind.PHONE, phone))
    _refuse_missing(session, customer)
    session.flush()
    twin = probable_twin(session, customer)
    if twin is not None:
        log_look_up_of(session, twin.id, by)
    return Outcome(notice=None if twin is None else _twin_sentence(session, twin))


def _refuse_future(birth_year: int | None, by: Actor, at: datetime) -> None:
    if birth_year is not None and birth_year > at.astimezone(by.timezone).year:
        raise InvalidInput({"birth_year": [_("This year lies in the future.")]})


def take_from_id_number(customer: Customer) -> None:
    """Check a customer's ID number; fill birth date and sex from it, or refuse where they disagree."""
    read = read_id_number(customer.id_no or "")
    if read is None:
        raise InvalidInput({"id_no": [_("This is not an ID number. Please compare all 18 characters with the card.")]})
    customer.id_no = read.text
    if read.birth_on is not None:
        if customer.birth_on not in (None, read.birth_on):
            raise InvalidInput({"birth_on": [_("The ID number says another date of birth.")]})
        customer.birth_on = read.birth_on
    if read.sex is not None:
        if customer.sex not in (None, read.sex):
            raise InvalidInput({"sex": [_("The ID number says otherwise.")]})
        customer.sex = read.sex


def _refuse_missing(session: Session, customer: Customer) -> None:
    with session.no_autoflush:
        missing = missing_by_stage(session, customer).get(Stage.RECEPTION, [])
    said: dict[str, list[str]] = {}
    for field in missing:
        sentence = _("Reception needs: %(field)s.", field=field.label)
        said.setdefault(INPUTS.get(field, field.value), []).append(sentence)
    if said:
        raise InvalidInput(said)


def probable_twin(session: Session, customer: Customer) -> Customer | None:
    """Return another file with the same ID number, in whatever branch, unless it was merged already."""
    if not customer.id_no:
        return None
    same = (
        select(Customer)
        .where(Customer.id_hash == id_hash(customer.id_no), Customer.id != customer.id)
        .where(Customer.state != FileState.MERGED)
        .order_by(Customer.id)
        .limit(1)
    )
    with crossing("duplicate"):
        return session.scalars(same).first()


def _twin_sentence(session: Session, twin: Customer) -> str:
    """Name a probable duplicate by file number, branch and owner; never her name or number."""
    owner = session.get(Employee, twin.developer_id) if twin.developer_id is not None else None
    return _(
        "Another file bears this ID number: %(number)s (%(branch)s, customer of %(owner)s). It is probably the same "
        "person; a supervisor can propose to merge the files.",
        number=twin.customer_no,
        branch=twin.branch,
        owner=owner or _("nobody"),
    )


def fill_id_hashes(session: Session) -> int:
    """Fill in by what an ID number is found again, for files older than that, and return for how many. R-1.2-4.

    Safe to repeat, and done in pieces: each is one transaction.
    """
    filled, last = 0, 0
    while True:
        with unit_of_work(session):
            found = session.execute(
                select(Customer.id, Customer.id_no)
                .where(Customer.id > last, Customer.id_no.is_not(None), Customer.id_hash.is_(None))
                .order_by(Customer.id)
                .limit(PIECE)
                .with_for_update()
            ).all()
            for key, number in found:
                assert number is not None
                session.execute(
                    update(Customer).where(Customer.id == key).values(id_hash=id_hash(number)),
                    execution_options={"synchronize_session": False},
                )
        if not found:
            return filled
        filled, last = filled + len(found), found[-1].id
