"""What the rules of triage say, and the links of their chains of reasons, in both languages. Triage SOP S2, S3, S7."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from app.models.triage import RuleCode
from app.services.triage.facts import Reason
from app.words import _l

#: What each rule says, as the SOP has it.
RULES: dict[RuleCode, object] = {
    RuleCode.FIRST_ROTATES: _l("First visits are assigned by normal rotation, consultants and surgeons each in turn."),
    RuleCode.NAMED: _l("Whom an old customer referred to a certain doctor goes to that doctor, outside the rotation."),
    RuleCode.FRIENDS: _l(
        "Friends of leaders and staff rotate normally if they pay; free surgery is entered under the supervisor."
    ),
    RuleCode.DENTAL_ROTATES: _l("Customers sent by the dental department rotate normally."),
    RuleCode.ORAL_SURGERY: _l("Oral surgery rotates normally, in a line of its own."),
    RuleCode.MARKET: _l(
        "The market department's customers go to the designated consultant; if she is busy or off, to the supervisor."
    ),
    RuleCode.CONSENT: _l("Whose turn it is, is called; once she consents, the customer is brought in."),
    RuleCode.SHEET: _l("Every turn stands on the day's triage sheet."),
    RuleCode.NO_MEDDLING: _l("Consultants neither see the item before they accept nor take part in the triage."),
    RuleCode.SKIP: _l("Who does not answer within the limit is skipped, and the next is called."),
    RuleCode.OWNER: _l("A customer who comes again goes to her own consultant."),
    RuleCode.PARTNER: _l("If her consultant is busy or on leave, the partner receives her."),
    RuleCode.SUCCESSOR: _l("Customers of colleagues who left belong to their successor."),
    RuleCode.OFFICE_ORDER: _l("Turns go by the order of the offices."),
    RuleCode.NO_MAKEUP: _l("A skipped turn is not made up."),
    RuleCode.CARRY_OVER: _l("The day's first visit goes to the office after the one that was last the day before."),
    RuleCode.EVENING: _l("After the day's end visits follow the evening duty list and move no turn."),
}

#: What a rule found in a case; facts fill it when it is read, in the reader's language.
SENTENCES: dict[str, object] = {
    "turn": _l("It is the turn of %(name)s (office %(order)s)."),
    "after": _l("The last normal turn was that of office %(order)s."),
    "first_turn": _l("There was no normal turn before, so the first office begins."),
    "off": _l("%(name)s (office %(order)s) is off duty."),
    "break": _l("%(name)s (office %(order)s) is on a break."),
    "gone": _l("%(name)s has left the house."),
    "scope": _l("%(name)s (office %(order)s) does not receive this item."),
    "passed": _l("%(name)s (office %(order)s) did not answer for this visit; her turn passes."),
    "returned": _l("%(name)s (office %(order)s) was given a turn back and comes first."),
    "makeup": _l("%(name)s (office %(order)s) was skipped before and makes the turn up."),
    "rotates": _l("A first visit: normal rotation."),
    "no_owner": _l("She comes again but has no consultant of her own: normal rotation."),
    "dental": _l("Sent by the dental department: normal rotation."),
    "oral": _l("Oral surgery: the line of its own."),
    "pays": _l("A friend of the house who pays: like anybody."),
    "free": _l("A friend of the house with free surgery: under the supervisor %(name)s, no turn is taken."),
    "named": _l("Referred by an old customer and asks for %(name)s: no turn is taken."),
    "named_away": _l("She asks for %(name)s, who is not here or did not answer."),
    "not_referred": _l("She asks for %(name)s, but no old customer referred her."),
    "designated": _l("Of the market department: the designated consultant %(name)s."),
    "designated_busy": _l("The designated consultant %(name)s is busy, off or did not answer."),
    "no_designated": _l("No consultant is designated for the market department."),
    "supervisor": _l("The supervisor %(name)s receives."),
    "no_supervisor": _l("The line has no supervisor who could receive."),
    "owner": _l("Her own consultant is %(name)s."),
    "owner_away": _l("Her own consultant %(name)s is busy, off or did not answer."),
    "successor": _l("Her consultant %(old)s has left; %(name)s took her customers over."),
    "no_successor": _l("Her consultant %(old)s has left, and nobody took her customers over."),
    "partner": _l("The partner %(name)s receives on behalf of %(owner)s."),
    "no_partner": _l("%(owner)s has no partner who could receive."),
    "evening": _l("It is after %(time)s: by the evening duty list, %(name)s."),
    "no_evening": _l("It is after %(time)s, and nobody of the evening duty list can be called."),
    "nobody": _l("Nobody of this line is on duty."),
    "all_skipped": _l("Everybody on duty has been called for this visit."),
}


def kept(why: Iterable[Reason]) -> list[dict[str, Any]]:
    """Return a chain of reasons as an assignment keeps it."""
    return [{"rule": reason.rule.value, "said": reason.said, "facts": dict(reason.facts)} for reason in why]


def told(kept_chain: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a kept chain as sentences in the reader's language; what this version does not know is left out."""
    return [str(SENTENCES[link["said"]]) % link["facts"] for link in kept_chain if link["said"] in SENTENCES]
