"""Declared settings and their values, dictionaries, and document numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.actors import Actor, Reach
from app.acts import act
from app.errors import InvalidInput, Refusal
from app.fields import HouseForm, Instant, Pick, Words
from app.models.hr import Branch
from app.models.settings import (
    Dictionary,
    DictionaryItem,
    ItemState,
    NumberCounter,
    NumberRule,
    Param,
)
from app.words import _, _l


@dataclass(frozen=True)
class Setting:
    """A number or switch that the white paper leaves to judgement [J]: type, range, default, help.

    ``group_only``: it guards something, so one value holds for the whole group and only its administrator sets it.
    """

    key: str
    label: object
    default: str
    kind: str
    help: object = ""
    least: int = 0
    most: int = 0
    source: str = ""
    options: tuple[str, ...] = ()
    group_only: bool = False

    def read(self, text: str) -> Any:
        """Return the typed value of a stored text; raises ``ValueError`` with a sentence if it is none."""
        return _READERS[self.kind](self, text.strip())

    @property
    def range_text(self) -> str:
        return _(_RANGES[self.kind], least=self.least, most=self.most, options=", ".join(self.options))


def _read_switch(_setting: Setting, text: str) -> bool:
    if text not in ("yes", "no"):
        raise ValueError(_("Please write yes or no."))
    return text == "yes"


def _read_whole(setting: Setting, text: str) -> int:
    if not re.fullmatch(r"-?\d{1,9}", text) or not setting.least <= int(text) <= setting.most:
        raise ValueError(
            _("A whole number from %(least)s to %(most)s, please.", least=setting.least, most=setting.most)
        )
    return int(text)


def _read_clock(_setting: Setting, text: str) -> time:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text):
        raise ValueError(_("A time of day such as 21:00, please."))
    return time.fromisoformat(text)


def _read_weekdays(_setting: Setting, text: str) -> frozenset[int]:
    if text == "none":
        return frozenset()
    if not re.fullmatch(r"[1-7](\s*,\s*[1-7])*", text):
        raise ValueError(_("Days of the week such as 6,7 (1 is Monday), or none."))
    return frozenset(int(day) for day in text.split(","))


def _read_millimetres(setting: Setting, text: str) -> Decimal:
    if not re.fullmatch(r"\d{1,4}(\.\d)?", text) or not setting.least <= Decimal(text) <= setting.most:
        raise ValueError(
            _("Millimetres from %(least)s to %(most)s, please, such as 18.5.", least=setting.least, most=setting.most)
        )
    return Decimal(text)


def _read_option(setting: Setting, text: str) -> str:
    if text not in setting.options:
        raise ValueError(_("One of these, please: %(options)s.", options=", ".join(setting.options)))
    return text


_READERS: dict[str, Callable[[Setting, str], Any]] = {
    "switch": _read_switch,
    "whole": _read_whole,
    "clock": _read_clock,
    "weekdays": _read_weekdays,
    "option": _read_option,
    "millimetres": _read_millimetres,
}
_RANGES: dict[str, Any] = {
    "switch": _l("yes or no"),
    "whole": _l("%(least)s to %(most)s"),
    "clock": _l("a time of day, 00:00 to 23:59"),
    "weekdays": _l("days of the week such as 6,7 (1 is Monday), or none"),
    "option": _l("one of %(options)s"),
    "millimetres": _l("%(least)s to %(most)s mm"),
}

SETTINGS: dict[str, Setting] = {}


def setting(key: str, label: object, default: str, kind: str, **more: Any) -> Setting:
    """Declare a setting; its default must be readable."""
    declared = Setting(key, label, default, kind, **more)
    SETTINGS[key] = declared
    return declared


NUMBER_UNIQUE = setting(
    "customers.number_unique",
    _l("A telephone number belongs to one customer"),
    "yes",
    "switch",
    help=_l("If yes, a number that is known cannot be registered for a second customer."),
    source="R-2.1.1-2",
)
ONE_OPEN_SLIP = setting(
    "appointments.one_open_slip",
    _l("One open slip per customer"),
    "yes",
    "switch",
    help=_l("If yes, a customer with an awaited slip gets no second one; it is redone instead."),
    source="R-2.1.2-2",
)
GRACE_MINUTES = setting(
    "appointments.grace_minutes",
    _l("Grace after the latest arrival, minutes"),
    "60",
    "whole",
    most=2880,
    help=_l("A slip lapses when this much time has passed since the latest arrival."),
    source="R-2.1.2-3",
)
PAST_MINUTES = setting(
    "appointments.past_minutes",
    _l("How far an appointment may lie in the past, minutes"),
    "10",
    "whole",
    most=1440,
    help=_l("For a customer who is on her way while the slip is written."),
    source="2.1.2",
)
FURTHEST_DAYS = setting(
    "appointments.furthest_days",
    _l("How far ahead an appointment may lie, days"),
    "365",
    "whole",
    least=1,
    most=1095,
    help=_l("Guards against a slip of the hand in the year."),
    source="2.1.2",
)
PRINT_ON_ARRIVAL = setting(
    "appointments.print_on_arrival",
    _l("Print the slip on arrival"),
    "yes",
    "switch",
    help=_l("If yes, the slip opens for printing as soon as its customer is received."),
    source="R-2.1-1",
)
WISHES_SHOWN_DAYS = setting(
    "customers.wishes_shown_days",
    _l("Birthdays and anniversaries shown, days ahead"),
    "7",
    "whole",
    most=60,
    help=_l("How far the page of anniversaries looks ahead, today included."),
    source="R-1.2-2",
)
WISHES_AHEAD_DAYS = setting(
    "customers.wishes_ahead_days",
    _l("Birthday and anniversary calls planned, days ahead"),
    "0",
    "whole",
    most=30,
    help=_l("The call is planned for the day itself and appears this many days before."),
    source="1.3, R-1.2-2",
)
WISHES_BACK_DAYS = setting(
    "customers.wishes_back_days",
    _l("Birthday and anniversary calls made up, days back"),
    "5",
    "whole",
    least=1,
    most=30,
    help=_l("If the scheduler stood still, such as over a long weekend, the days missed are made up, each once."),
    source="1.3, R-1.2-2",
)
WISHES_AT = setting(
    "customers.wishes_at",
    _l("Time of planning birthday and anniversary calls"),
    "08:00",
    "clock",
    help=_l("Branch time. A day that was missed is made up as soon as the scheduler runs again."),
    source="1.3",
)
OPENS_AT = setting(
    "desk.opens_at",
    _l("The branch opens at"),
    "09:00",
    "clock",
    help=_l("Branch time. An appointment before it warns. If opening and closing are the same, it is open all day."),
    source="2.1.2",
)
CLOSES_AT = setting(
    "desk.closes_at",
    _l("The branch closes at"),
    "20:00",
    "clock",
    help=_l("Branch time. An appointment at or after it warns."),
    source="2.1.2",
)
CLOSED_WEEKDAYS = setting(
    "desk.closed_weekdays",
    _l("Days of the week on which the branch is closed"),
    "none",
    "weekdays",
    help=_l("Weekends that the state declares working days count as open."),
    source="2.1.2",
)
HOLIDAYS = setting(
    "desk.holidays",
    _l("Public holidays on which the branch is closed"),
    "spring_festival",
    "option",
    options=("none", "spring_festival", "all"),
    help=_l("As the state announces them. What differs stands under “Opening days”."),
    source="2.1.2",
)
OVERLAP_MINUTES = setting(
    "appointments.overlap_minutes",
    _l("Appointments of one doctor or consultant closer than this warn, minutes"),
    "30",
    "whole",
    most=480,
    help=_l("Counted between awaited slips that wish for the same person; 0 never warns."),
    source="2.1.2",
)
DAILY_REPORT_AT = setting(
    "reports.daily_at",
    _l("Time of the daily reports"),
    "21:00",
    "clock",
    help=_l(
        "Branch time; before 12:00 the day before is reported. What was missed is made as soon as the scheduler runs."
    ),
    source="RPT-02",
)
ANSWERED_BEFORE_RING = setting(
    "reports.answered_before_ring",
    _l("A call is answered in time before this ring"),
    "2",
    "whole",
    least=1,
    most=20,
    help=_l("2: after at most one ring. Counts from the day after it is set."),
    source="2.1.1.1",
)
SUPPLEMENT_DAYS = setting(
    "appointments.supplement_days",
    _l("How long after an arrival a supplementary slip may be asked for, days"),
    "7",
    "whole",
    least=1,
    most=90,
    help=_l("Counted from the arrival to the request."),
    source="2.1.3.3",
)
LARGEST_FILE_MB = setting(
    "files.largest_mb",
    _l("Largest file that is taken, MB"),
    "10",
    "whole",
    least=1,
    most=15,
    help=_l("Files that people send as evidence or to be imported."),
    source="2.1.3.3",
)
UNUSED_FILE_HOURS = setting(
    "files.unused_hours",
    _l("How long a file that nothing uses is kept, hours"),
    "24",
    "whole",
    least=1,
    most=720,
    help=_l("A file that was sent with a form that was never completed is removed after this time."),
    source="2.1.3.3",
)

MOST_IMPORT_ROWS = setting(
    "imports.most_rows",
    _l("Largest import, rows"),
    "50000",
    "whole",
    least=1,
    most=200_000,
    help=_l("A file with more rows is refused and has to be split."),
    source="1.2",
)


#: Where a session keeps the settings that were read together.
TOGETHER = "settings_together"


def value_of(session: Session, declared: Setting, *, branch_id: int | None, at: datetime) -> Any:
    """Return a setting's typed value in force at a moment: the branch's, else the group's, else the default."""
    known = session.info.get(TOGETHER, {})
    key = (declared.key, branch_id, at)
    stands = known[key] if key in known else session.scalar(value_statement(declared, branch_id=branch_id, at=at))
    return declared.read(stands if stands is not None else declared.default)


@contextmanager
def read_together(
    session: Session, declared: Sequence[Setting], *, branch_id: int | None, at: datetime
) -> Iterator[None]:
    """Read several settings in one statement; inside, ``value_of`` answers for this branch and moment from it."""
    groups = Param.branch_id.is_(None)
    statement = (
        select(Param.key, Param.branch_id, Param.value)
        .where(Param.key.in_([each.key for each in declared]), Param.effective_at <= at)
        .where(or_(groups, Param.branch_id == branch_id))
        .order_by(Param.key, groups, Param.effective_at.desc(), Param.id.desc())
    )
    found: dict[tuple[str, int | None, datetime], str | None] = {(each.key, branch_id, at): None for each in declared}
    group_only = {each.key for each in declared if each.group_only}
    for key, whose, value in session.execute(statement):
        if found[key, branch_id, at] is None and (whose is None or key not in group_only):
            found[key, branch_id, at] = value
    outer = session.info.get(TOGETHER, {})
    session.info[TOGETHER] = {**outer, **found}
    try:
        yield
    finally:
        session.info[TOGETHER] = outer


def value_statement(declared: Setting, *, branch_id: Any, at: Any) -> Select[Any]:
    """Return the statement of a setting's text in force, for other statements too: branch and moment may be columns."""
    groups = Param.branch_id.is_(None)
    whose = groups if declared.group_only else or_(groups, Param.branch_id == branch_id)
    return (
        select(Param.value)
        .where(Param.key == declared.key, Param.effective_at <= at)
        .where(whose)
        .order_by(Param.branch_id.is_(None), Param.effective_at.desc(), Param.id.desc())
        .limit(1)
    )


class NewValue(HouseForm):
    """A value for a setting, for the group or a branch, from a moment on."""

    key = Words(_l("Setting"), required=True, most=80)
    branch_id = Pick(_l("Branch"), table="branch", description=_l("Empty: the whole group."))
    value = Words(_l("Value"), required=True, most=200)
    effective_at = Instant(_l("In force from"), description=_l("Empty: at once."))
    reason = Words(_l("Reason"), most=500, multiline=True)


@act(
    Param,
    "set_value",
    _l("Set a value"),
    form=NewValue,
    creates=True,
    icon="sliders",
    main=True,
    starts_from={"param": {"key": "key", "branch_id": "branch_id", "value": "value"}},
    consequence=_l("The old value stays on file; what was done under it is not changed."),
)
def set_value(
    session: Session,
    *,
    key: str,
    branch_id: int | None,
    value: str,
    effective_at: datetime | None,
    reason: str | None,
    by: Actor,
    at: datetime,
) -> Param:
    """Give a declared setting a value from a moment on. Refuses unknown keys, values out of range, the past.

    What guards (``group_only``) is set for the whole group, by its administrator in person and by no API key.
    """
    declared = SETTINGS.get(key)
    if declared is None:
        raise InvalidInput({"key": [_("There is no setting of this name.")]})
    try:
        declared.read(value)
    except ValueError as wrong:
        raise InvalidInput({"value": [str(wrong)]}) from None
    if declared.group_only:
        _refuse_guard(branch_id, by)
    if branch_id != by.branch_id and by.reach("param") is not Reach.GROUP:
        raise InvalidInput(
            {"branch_id": [_("Please choose your own branch; the group's values are kept by its administrator.")]}
        )
    if effective_at is not None and effective_at < at:
        raise InvalidInput({"effective_at": [_("A value cannot come into force in the past.")]})
    param = Param(key=key, branch_id=branch_id, value=value.strip(), effective_at=effective_at or at, reason=reason)
    session.add(param)
    return param


def _refuse_guard(branch_id: int | None, by: Actor) -> None:
    """Refuse to set what guards for one branch, or as anybody but the group's administrator in person."""
    if branch_id is not None or by.reach("param") is not Reach.GROUP:
        raise InvalidInput(
            {"branch_id": [_("This setting holds for the whole group only; its administrator sets it.")]}
        )
    if by.key_id is not None:
        raise Refusal(_("An API key does not set what guards the system."))


# --- dictionaries -----------------------------------------------------------------------------------------------


def items_in_use(session: Session, dictionary: str) -> Sequence[tuple[int, str]]:
    """Return (id, label) of a dictionary's items that forms offer, in their order."""
    rows = session.scalars(
        select(DictionaryItem)
        .join(Dictionary)
        .where(Dictionary.code == dictionary, DictionaryItem.state == ItemState.IN_USE)
        .order_by(DictionaryItem.position, DictionaryItem.id)
    )
    return [(item.id, str(item)) for item in rows]


def item_by_code(session: Session, dictionary: str, code: str) -> DictionaryItem:
    """Return an item by its code; raises ``Refusal`` if an administrator took it away altogether."""
    item = session.scalars(
        select(DictionaryItem).join(Dictionary).where(Dictionary.code == dictionary, DictionaryItem.code == code)
    ).one_or_none()
    if item is None:
        raise Refusal(_("The dictionary %(name)s lacks the item %(code)s.", name=dictionary, code=code))
    return item


@act(DictionaryItem, "retire", _l("Retire"), moves={ItemState.IN_USE: ItemState.RETIRED}, icon="archive", many=True)
def retire(session: Session, item: DictionaryItem, *, by: Actor, at: datetime) -> None:
    """Take an item out of the forms; records that bear it keep it."""
    item.retired_at = at


@act(
    DictionaryItem,
    "restore",
    _l("Use again"),
    moves={ItemState.RETIRED: ItemState.IN_USE},
    icon="arrow-counterclockwise",
    many=True,
)
def restore(session: Session, item: DictionaryItem, *, by: Actor, at: datetime) -> None:
    """Offer a retired item again."""
    item.retired_at = None


# --- numbers ----------------------------------------------------------------------------------------------------


def next_number(session: Session, doc_type: str, *, branch: Branch, at: datetime, zone: Any) -> str:
    """Return the next number of a document type, such as ``YY01-20261122-0018``."""
    return next_numbers(session, doc_type, 1, branch=branch, at=at, zone=zone)[0]


def next_numbers(session: Session, doc_type: str, count: int, *, branch: Branch, at: datetime, zone: Any) -> list[str]:
    """Return the next numbers of a document type, one after the other; the counter moves once.

    The counter's row is locked until the transaction ends, so numbers are unique under concurrency and a number
    that was given, voided documents' included, is never given again.
    """
    rule = session.scalars(select(NumberRule).where(NumberRule.doc_type == doc_type)).one_or_none()
    if rule is None:
        raise Refusal(_("There is no number rule for %(doc_type)s. Please ask the administrator.", doc_type=doc_type))
    branch_code = branch.code if rule.with_branch else ""
    period = at.astimezone(zone).strftime("%Y%m%d") if rule.with_date else ""
    counter = insert(NumberCounter).values(rule_id=rule.id, branch_code=branch_code, period=period, last=count)
    last = session.execute(
        counter.on_conflict_do_update(
            index_elements=["rule_id", "branch_code", "period"], set_={"last": NumberCounter.last + count}
        ).returning(NumberCounter.last)
    ).scalar_one()
    if last >= 10**rule.width:
        raise Refusal(_("The numbers of %(doc_type)s are used up. Please ask the administrator.", doc_type=doc_type))
    head = f"{rule.prefix}{branch_code}"
    numbers = range(last - count + 1, last + 1)
    return ["-".join(part for part in (head, period, str(each).zfill(rule.width)) if part) for each in numbers]
