"""The appointment slip on paper: A5 landscape, one copy for triage and one for the file. White paper E.3."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.reports.paper import render_pdf
from app.words import _, force_locale, locale_in_force

FORM_VERSION = "YX-YY-01 · A0"


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


def slip_pdf(facts: SlipFacts, locale: str | None = None) -> bytes:
    """Print one slip: two pages, the triage copy and the file copy."""
    return slips_pdf([facts], locale=locale)


def slips_pdf(slips: Sequence[SlipFacts], locale: str | None = None) -> bytes:
    """Print slips one after another, two pages each; refuses (ValueError) to print none.

    However long a text is, each copy stays on its one page: texts are set smaller first, then cut after the
    last line that fits, with an ellipsis. The whole text stays on screen.
    """
    if not slips:
        raise ValueError("no slip to print")
    spoken = locale or locale_in_force()
    with force_locale(spoken):
        title, copies = _("Appointment slip"), (_("Triage copy"), _("File copy"))
    return render_pdf(
        "appointment_slip/page.html",
        slips,
        css=["base.css", "appointment_slip/style.css"],
        zone=slips[0].zone,
        title=f"{title} {slips[0].slip_no}" if len(slips) == 1 else title,
        locale=spoken,
        copies=copies,
        form_version=FORM_VERSION,
    )
