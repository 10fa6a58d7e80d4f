"""Consent by purpose: signed under a version of its text, withdrawn at any time, asked before use. L03, L13, L19.

Decision 0027. Whoever is to use data for a purpose asks ``consented``; it says no where nothing was signed.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import act
from app.errors import InvalidInput, Refusal
from app.fields import Choose, HouseForm, Instant, Pick, Reason, Upload, Words
from app.models.customers import Customer, FileState
from app.models.files import FilePurpose
from app.models.privacy import ConsentPurpose, ConsentState, ConsentText, CustomerConsent, SignedHow
from app.services.customers.states import closed_file
from app.services.files import attach
from app.services.plain import checks
from app.services.settings import setting, value_of
from app.words import _, _l

ADULT_AGE = setting(
    "privacy.adult_age",
    _l("Age from which a customer consents alone"),
    "18",
    "whole",
    least=14,
    most=21,
    help=_l("Younger customers need their guardian's name; for those under 14 the law demands it of itself."),
    source="L03, L13",
)


def consented(session: Session, customer_id: int, purpose: ConsentPurpose, at: datetime) -> bool:
    """Say whether a customer had agreed to a purpose at a moment: signed by then and not withdrawn by then.

    The gate of every use beyond care: messages, photos, sharing. No consent is no. L13.
    """
    return customer_id in who_consented(session, [customer_id], purpose, at)


def who_consented(session: Session, customer_ids: Iterable[int], purpose: ConsentPurpose, at: datetime) -> set[int]:
    """Return those of some customers who had agreed to a purpose at a moment; one statement. Closed files have not."""
    statement = (
        select(CustomerConsent.customer_id)
        .join(Customer, Customer.id == CustomerConsent.customer_id)
        .where(CustomerConsent.customer_id.in_(sorted(set(customer_ids))), CustomerConsent.purpose == purpose)
        .where(CustomerConsent.signed_at <= at, Customer.state != FileState.RESTRICTED)
        .where(CustomerConsent.withdrawn_at.is_(None) | (CustomerConsent.withdrawn_at > at))
    )
    return set(session.scalars(statement))


def text_in_force(session: Session, purpose: ConsentPurpose, day: date) -> ConsentText | None:
    """Return the newest version of a purpose's text that is in force on a day."""
    return session.scalars(
        select(ConsentText)
        .where(ConsentText.purpose == purpose, ConsentText.in_force_on <= day)
        .order_by(ConsentText.version.desc())
        .limit(1)
    ).one_or_none()


def texts_in_force(session: Session, day: date) -> list[ConsentText]:
    """Return the version in force of every purpose that has one, in the order of the purposes."""
    found = (text_in_force(session, purpose, day) for purpose in ConsentPurpose)
    return [each for each in found if each is not None]


class Signature(HouseForm):
    """Who agrees to what, how; a guardian beside a minor."""

    customer_id = Pick(_l("Customer"), table="customer", required=True)
    purpose = Choose(_l("Purpose of the consent"), options=ConsentPurpose, required=True)
    signed_how = Choose(_l("How it was given"), options=SignedHow, required=True)
    signed_at = Instant(_l("Signed at"), description=_l("Empty: now."))
    scope_note = Words(
        _l("Limited to"), most=200, description=_l("Such as: eyes only, no face. Empty: as the text says.")
    )
    guardian_name = Words(
        _l("Guardian"), most=60, sensitive=True, description=_l("For minors: who signs beside or for her.")
    )
    guardian_relation = Words(_l("Relation of the guardian"), most=40)
    evidence_file_id = Upload(_l("Signed sheet"), purpose=FilePurpose.EVIDENCE.value)

    def check(self) -> None:
        if bool(self.guardian_name.data) != bool(self.guardian_relation.data):
            missing = "guardian_relation" if self.guardian_name.data else "guardian_name"
            self.refuse(missing, _("Name and relation of the guardian, please, or neither."))
        if self.signed_how.data is not SignedHow.SCREEN and self.evidence_file_id.data is None:
            self.refuse("evidence_file_id", _("The signed sheet or the recording's note as a picture or PDF, please."))


@act(
    CustomerConsent,
    "sign",
    _l("Take a consent"),
    form=Signature,
    creates=True,
    icon="pen",
    starts_from={"customer": {"customer_id": "id"}},
    consequence=_l("It is signed under the version of the text that is in force; an earlier one is kept on file."),
)
def sign(
    session: Session,
    *,
    customer_id: int,
    purpose: ConsentPurpose,
    signed_how: SignedHow,
    signed_at: datetime | None = None,
    scope_note: str | None = None,
    guardian_name: str | None = None,
    guardian_relation: str | None = None,
    evidence_file_id: int | None = None,
    by: Actor,
    at: datetime,
) -> CustomerConsent:
    """Write down that a customer agreed to one purpose. L13: each purpose by itself; L03: a minor's guardian too.

    Refuses a closed file, a moment in the future, a purpose without a text, a minor without a guardian, and a customer
    of unknown age for whom nobody said how old she is.
    """
    customer = session.get_one(Customer, customer_id, with_for_update=True)
    closed = closed_file(customer)
    if closed is not None:
        raise Refusal(closed)
    when = signed_at or at
    if when > at:
        raise InvalidInput({"signed_at": [_("This lies in the future.")]})
    day = when.astimezone(by.timezone).date()
    said = text_in_force(session, purpose, day)
    if said is None:
        raise InvalidInput({"purpose": [_("There is no text in force for this purpose. Please ask medical affairs.")]})
    _refuse_minor_alone(session, customer, day, guardian_name, by, at)
    _renew(session, customer_id, purpose, when)
    consent = CustomerConsent(
        customer_id=customer_id,
        purpose=purpose,
        text_id=said.id,
        state=ConsentState.HOLDS,
        scope_note=scope_note,
        signed_at=when,
        signed_how=signed_how,
        taken_by_id=by.employee_id,
        guardian_name=guardian_name,
        guardian_relation=guardian_relation,
        evidence_file_id=evidence_file_id,
    )
    session.add(consent)
    session.flush()
    if evidence_file_id is not None:
        attach(session, evidence_file_id, "customer_consent", consent.id, field="evidence_file_id", by=by)
    return consent


def _renew(session: Session, customer_id: int, purpose: ConsentPurpose, when: datetime) -> None:
    """End the consent that holds, since it is signed anew; refuses one signed before it."""
    standing = session.scalars(
        select(CustomerConsent)
        .where(
            CustomerConsent.customer_id == customer_id,
            CustomerConsent.purpose == purpose,
            CustomerConsent.state == ConsentState.HOLDS,
        )
        .with_for_update()
    ).one_or_none()
    if standing is None:
        return
    if when < standing.signed_at:
        raise InvalidInput({"signed_at": [_("A later consent to this is on file already.")]})
    standing.become(ConsentState.RENEWED)
    session.flush()  # the index of what holds allows one at a time


def _refuse_minor_alone(
    session: Session, customer: Customer, day: date, guardian: str | None, by: Actor, at: datetime
) -> None:
    if guardian:
        return
    adult: int = value_of(session, ADULT_AGE, branch_id=by.branch_id, at=at)
    if customer.birth_on is not None:
        had_birthday = (day.month, day.day) >= (customer.birth_on.month, customer.birth_on.day)
        age: int | None = day.year - customer.birth_on.year - (0 if had_birthday else 1)
    else:
        # Of a year alone the younger age counts: the birthday may be still to come.
        age = None if customer.birth_year is None else day.year - customer.birth_year - 1
    if age is None:
        raise Refusal(_("Her age is not on file: please fill in the date or year of birth first."))
    if age < adult:
        sentence = _("She may be under %(age)s: the guardian signs too.", age=adult)
        raise InvalidInput({"guardian_name": [sentence]})


@act(
    CustomerConsent,
    "withdraw",
    _l("Withdraw the consent"),
    form=Reason,
    moves={ConsentState.HOLDS: ConsentState.WITHDRAWN},
    icon="x-octagon",
    tone="danger",
    consequence=_l("From now on her data is not used for this any more. What was done before stays lawful."),
)
def withdraw(session: Session, consent: CustomerConsent, *, reason: str, by: Actor, at: datetime) -> None:
    """End a consent at the customer's word, at once and without a condition. PIPL art. 15; L13."""
    consent.withdrawn_at, consent.withdrawn_reason, consent.withdrawn_by_id = at, reason, by.employee_id


@checks(ConsentText)
def _text(session: Session, said: ConsentText, by: Actor) -> None:
    """What somebody signed is not changed: a new wording is a new version. Versions follow each other."""
    if said not in session.new:
        signed = session.scalar(select(CustomerConsent.id).where(CustomerConsent.text_id == said.id).limit(1))
        if signed is not None:
            raise Refusal(_("This version has been signed. Please add a new version instead."))
        return
    newest = session.scalar(
        select(ConsentText.version)
        .where(ConsentText.purpose == said.purpose)
        .order_by(ConsentText.version.desc())
        .limit(1)
    )
    if said.version != (newest or 0) + 1:
        raise InvalidInput({"version": [_("The next version is %(number)s.", number=(newest or 0) + 1)]})


#: The first version of each text, for a house that begins: purpose -> (Chinese, English).
FIRST_TEXTS: dict[ConsentPurpose, tuple[str, str]] = {
    ConsentPurpose.CARE: (
        "本人同意医院为提供咨询、诊断、治疗和术后随访，收集和使用本人的个人信息和健康信息（属敏感个人信息）。不同意将无法提供诊疗服务。",
        (
            "I agree that the hospital collects and uses my personal and health data (sensitive data) to advise, "
            "diagnose, treat and follow up. Without this, care cannot be given."
        ),
    ),
    ConsentPurpose.MARKETING: (
        "本人同意医院通过电话、短信和微信向本人发送节日祝福、活动资讯和优惠信息。可随时撤回，不影响诊疗服务。",
        (
            "I agree to receive wishes, news and offers by telephone, text message and WeChat. I may withdraw this "
            "at any time; my care does not depend on it."
        ),
    ),
    ConsentPurpose.RECORD_PHOTOS: (
        "本人同意拍摄治疗前后照片并存入病历，仅供诊疗使用。",
        "I agree that photographs are taken before and after treatment and kept in my medical record, for care only.",
    ),
    ConsentPurpose.TEACHING_PHOTOS: (
        "本人同意医院将本人的照片在去除身份信息后用于内部教学和学术交流。可随时撤回。",
        (
            "I agree that my photographs, without what identifies me, are used for teaching inside the hospital and "
            "among colleagues. I may withdraw this at any time."
        ),
    ),
    ConsentPurpose.ADVERTISING_PHOTOS: (
        "本人单独同意医院在约定范围内公开使用本人的照片。可随时撤回；撤回前已发布的内容由医院及时下架。",
        (
            "I agree, separately from all else, that my photographs are published within the limits stated. I may "
            "withdraw this at any time; what was published is then taken down without delay."
        ),
    ),
    ConsentPurpose.SHARING: (
        "本人同意医院将本人的档案信息在集团各分院之间共享，以便在各分院接受服务。",
        "I agree that my file is shared among the branches of the group, so that any of them can serve me.",
    ),
}


def add_first_texts(session: Session, day: date) -> int:
    """Add the first version of every purpose that has no text at all; return how many were added."""
    standing = set(session.scalars(select(ConsentText.purpose)))
    missing: list[Any] = [
        ConsentText(purpose=purpose, version=1, text_zh=zh, text_en=en, in_force_on=day)
        for purpose, (zh, en) in FIRST_TEXTS.items()
        if purpose not in standing
    ]
    session.add_all(missing)
    return len(missing)
