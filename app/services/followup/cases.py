"""Cases: follow-ups that others learn from, without whose they were. White paper 1.3 (设为案例); R-2.22-8."""

from __future__ import annotations

import re
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import act
from app.fields import HouseForm, Pick, Words
from app.models.customers import Customer, CustomerContact
from app.models.followup import CaseState, FollowupCase, FollowupExecution, FollowupPlan, FollowupReview
from app.words import _, _l

HIDDEN = "×××"
#: What names a person whoever she is: e-mail, runs of digits as in numbers of telephones, cards and identities.
_NUMBERS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+|\+?\d(?:[\s\-]?\d){5,}[\dXx]?")
AGE_STEP = 10


def without_identity(text: str | None, customer: Customer | None, accounts: tuple[str, ...] = ()) -> str | None:
    """Return a text in which nothing names the customer: her name and parts of it, her numbers, any long number."""
    if text is None:
        return None
    for known in sorted({*_names(customer), *accounts}, key=len, reverse=True):
        text = text.replace(known, HIDDEN)
    return _NUMBERS.sub(HIDDEN, text)


def _names(customer: Customer | None) -> set[str]:
    """Return what she may be called: whole name, given name, and family name with a title."""
    if customer is None or not customer.name:
        return set()
    name = customer.name.strip()
    family = name[:1]
    titles = ("女士", "小姐", "先生", "太太", "姐", "总", "老师")
    parts = {name, *(f"{family}{title}" for title in titles), f"小{family}", f"老{family}"}
    return parts | ({name[1:]} if len(name) > 2 and not name.isascii() else set(name.split()) - {""})


def about(customer: Customer | None, today: date) -> str | None:
    """Return sex and ten years of age, which name nobody."""
    if customer is None:
        return None
    born = customer.birth_on.year if customer.birth_on is not None else customer.birth_year
    sex = str(customer.sex.label) if customer.sex is not None else ""
    if born is None:
        return sex or None
    least = (today.year - born) // AGE_STEP * AGE_STEP
    return " ".join(part for part in (sex, f"{least}–{least + AGE_STEP - 1}") if part)


def make_case(
    session: Session, plan: FollowupPlan, execution: FollowupExecution, review: FollowupReview
) -> FollowupCase:
    """Make a draft of a case of what was done well; a person reads it over before others see it. R-2.22-8."""
    customer = plan.customer
    accounts: tuple[str, ...] = ()
    if customer is not None:
        contacts = session.scalars(select(CustomerContact).where(CustomerContact.customer_id == customer.id))
        accounts = tuple(contact.value for contact in contacts if contact.value)
    zone = ZoneInfo(plan.branch.zone)
    case = FollowupCase(
        title=str(plan.category),
        category_id=plan.category_id,
        about=about(customer, review.reviewed_at.astimezone(zone).date()),
        purpose=without_identity(plan.purpose, customer, accounts),
        guidance=without_identity(plan.guidance, customer, accounts),
        feedback=without_identity(execution.feedback, customer, accounts) or HIDDEN,
        lesson=without_identity(review.comment, customer, accounts),
        quality_score=review.quality_score,
        branch_id=plan.branch_id,
        review_id=review.id,
    )
    session.add(case)
    session.flush()
    return case


class Editing(HouseForm):
    """The words of a case; whatever still names somebody is taken out here."""

    title = Words(_l("Title"), required=True, least=2, most=120)
    category_id = Pick(_l("Category"), table="followup_category", required=True)
    purpose = Words(_l("Purpose"), most=400)
    guidance = Words(_l("Guidance"), most=1000, multiline=True)
    feedback = Words(_l("Feedback"), required=True, least=2, most=2000, multiline=True)
    lesson = Words(_l("What to learn from it"), most=2000, multiline=True)

    def check(self) -> None:
        """No telephone or other long number, no e-mail address."""
        for name in ("title", "purpose", "guidance", "feedback", "lesson"):
            if self[name].data and _NUMBERS.search(self[name].data):
                self.refuse(name, _("This still holds a number or address that may name somebody."))


@act(
    FollowupCase,
    "revise",
    _l("Change"),
    form=Editing,
    moves={CaseState.DRAFT: CaseState.DRAFT, CaseState.PUBLISHED: CaseState.PUBLISHED},
    icon="pencil",
    prefill=("title", "category_id", "purpose", "guidance", "feedback", "lesson"),
)
def revise(session: Session, case: FollowupCase, *, by: Actor, at: datetime, **said: object) -> None:
    """Change the words of a case. R-2.22-8."""
    for name, value in said.items():
        setattr(case, name, value)


@act(
    FollowupCase,
    "publish",
    _l("Publish"),
    moves={CaseState.DRAFT: CaseState.PUBLISHED, CaseState.RETIRED: CaseState.PUBLISHED},
    icon="mortarboard",
    tone="accent",
    consequence=_l("Everybody who follows customers up can read it. Please see that it names nobody."),
)
def publish(session: Session, case: FollowupCase, *, by: Actor, at: datetime) -> None:
    """Let others learn from a case. White paper 1.3 (设为案例)."""


@act(
    FollowupCase,
    "retire",
    _l("Retire"),
    moves={CaseState.DRAFT: CaseState.RETIRED, CaseState.PUBLISHED: CaseState.RETIRED},
    icon="archive",
)
def retire(session: Session, case: FollowupCase, *, by: Actor, at: datetime) -> None:
    """Take a case out of sight; it stays on file."""
