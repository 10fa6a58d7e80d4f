"""The form on which a customer agrees, purpose by purpose; and the readable copy of what is held on her. L03, L13."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.actors import Actor
from app.models.customers import Customer
from app.reports.base import Paper, paper
from app.reports.facts import Label
from app.reports.paper import render_pdf
from app.services.privacy.consents import texts_in_force
from app.services.privacy.copies import set_with
from app.words import _l, locale_in_force


@dataclass(frozen=True)
class Purpose:
    """One purpose to agree to or not, with the text in both languages."""

    name: Label
    version: int
    text: Label


@dataclass(frozen=True)
class ConsentFacts:
    """What stands on the form."""

    zone: str
    branch_name: str
    licence_no: str
    customer_no: str
    customer_name: str
    purposes: tuple[Purpose, ...]
    printed_at: datetime
    printed_by: str


def gather(session: Session, customer: Any, by: Actor, at: datetime) -> ConsentFacts:
    """Return the texts in force today, each to be agreed to by itself."""
    day = at.astimezone(by.timezone).date()
    return ConsentFacts(
        zone=customer.branch.zone,
        branch_name=customer.branch.name,
        licence_no=customer.branch.licence_no or "",
        customer_no=customer.customer_no,
        customer_name=str(customer),
        purposes=tuple(
            Purpose(Label.of(each.purpose.label), each.version, Label(each.text_zh, each.text_en))
            for each in texts_in_force(session, day)
        ),
        printed_at=at,
        printed_by=by.display_name,
    )


CONSENT_FORM = paper(
    Paper(
        table="customer",
        name="consent_form",
        label=_l("Print the consent form"),
        title=_l("Consent to the use of personal data"),
        gather=gather,
        eager=("branch",),
    )
)


def set_copy(
    customer: Customer, sections: list[tuple[str, list[list[tuple[str, str]]]]], at: datetime, zone: str
) -> bytes:
    """Set the readable copy of all that is held on a person."""
    return render_pdf(
        "subject_copy/page.html",
        {"customer_no": customer.customer_no, "name": str(customer), "at": at, "sections": sections},
        css=["base.css", "subject_copy/style.css"],
        zone=zone,
        title=customer.customer_no,
        locale=locale_in_force(),
    )


set_with(set_copy)
