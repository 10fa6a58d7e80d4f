"""What sets a follow-up rule off. An area declares its triggers and tells when one occurs; rules do the rest. REF-8."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from app.models.customers import Customer
from app.models.hr import Branch, Employee
from app.words import _l

MISSED_CALL, SLIP_DUE, SLIP_LAPSED, NO_DEAL = "missed_call", "slip_due", "slip_lapsed", "no_deal"
BIRTHDAY, ANNIVERSARY, ABNORMAL, FESTIVAL = "birthday", "anniversary", "abnormal", "festival"


@dataclass(frozen=True)
class Trigger:
    """Something that happens and may set rules off; ``code`` is what rules and plans keep."""

    code: str
    label: object


TRIGGERS: dict[str, Trigger] = {}


def trigger(code: str, label: object) -> Trigger:
    """Declare a trigger; refuses a code that is taken."""
    if code in TRIGGERS:
        raise ValueError(f"trigger {code} is declared twice")
    TRIGGERS[code] = Trigger(code, label)
    return TRIGGERS[code]


trigger(MISSED_CALL, _l("A call was missed"))
trigger(SLIP_DUE, _l("An appointment is due"))
trigger(SLIP_LAPSED, _l("An appointment slip lapsed"))
trigger(NO_DEAL, _l("A consultation ended without a deal"))
trigger(BIRTHDAY, _l("Birthday"))
trigger(ANNIVERSARY, _l("Anniversary"))
trigger(FESTIVAL, _l("A festival"))
trigger(ABNORMAL, _l("Something abnormal was reported"))


@dataclass(frozen=True, kw_only=True)
class Occasion:
    """One occurrence of a trigger: what it is about, on which day of the branch, and whose it is.

    ``subject`` tells it from every other of its trigger, such as ``appointment_slip:5`` or ``customer:7:2026``.
    ``again`` is the part of it by which it is known in the customer's file whoever's it was before a merge, such as
    ``2026``. No plan is made for a day before ``first`` or after ``last``.
    """

    trigger: str
    subject: str
    day: date
    branch: Branch
    customer: Customer | None = None
    contact_record_id: int | None = None
    appointment_slip_id: int | None = None
    person: Employee | None = None
    purpose: str | None = None
    first: date | None = None
    last: date | None = None
    again: str = ""
