"""When a branch receives customers, and what an appointment at another time says. White paper 2.1.2 [J]."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import pytest
from sqlalchemy import select

from app.errors import InvalidInput, Refusal, Warned
from app.models.appointments import AppointmentSlip
from app.models.audit import ActRun
from app.models.calendar import BranchDay, DayKind
from app.models.hr import Branch
from app.services.calendar import Opening, hours_warnings, opening
from app.services.plain import save
from app.services.settings import CLOSED_WEEKDAYS, CLOSES_AT, HOLIDAYS, OPENS_AT, OVERLAP_MINUTES, SETTINGS


@pytest.fixture
def set_to(do, admin):
    """Give settings values for the group: ``set_to({OPENS_AT: "09:00"})``."""

    def give(values):
        for declared, value in values.items():
            do("param.set_value", admin, key=declared.key, branch_id=None, value=value, effective_at=None, reason=None)

    return give


@pytest.fixture
def usual(set_to):
    """The hours as they are declared."""
    set_to({declared: declared.default for declared in (OPENS_AT, CLOSES_AT, CLOSED_WEEKDAYS, HOLIDAYS)})


@pytest.fixture
def branch(session, consultant):
    return session.get_one(Branch, consultant.branch_id)


@pytest.fixture
def enter_day(session, person, at):
    """Enter an opening day as operations do."""

    def enter(day, kind, **values):
        return save(session, BranchDay, {"day_on": day, "kind": kind, **values}, by=person("operations"), at=at)

    return enter


NINE, EIGHT_PM, NONE = time(9), time(20), frozenset()


@pytest.mark.parametrize(
    ("opens", "closes", "moment", "inside"),
    [
        ("09:00", "20:00", "08:59", False),
        ("09:00", "20:00", "09:00", True),
        ("09:00", "20:00", "19:59", True),
        ("09:00", "20:00", "20:00", False),
        ("18:00", "02:00", "01:59", True),
        ("18:00", "02:00", "02:00", False),
        ("18:00", "02:00", "23:00", True),
        ("00:00", "00:00", "03:00", True),
    ],
)
def test_the_hours_of_a_day(opens, closes, moment, inside):
    told = Opening(date(2026, 11, 24), time.fromisoformat(opens), time.fromisoformat(closes))
    assert told.covers(time.fromisoformat(moment)) is inside
    assert not Opening(told.day, told.opens_at, told.closes_at, "闭馆").covers(time.fromisoformat(moment))


@pytest.mark.parametrize(
    ("day", "holidays", "weekdays", "is_open", "announced"),
    [
        (date(2026, 11, 24), "none", "none", True, True),  # a Tuesday
        (date(2026, 11, 22), "all", "none", True, True),  # a Sunday: most customers come then
        (date(2026, 11, 22), "none", "7", False, True),
        (date(2026, 2, 14), "none", "6,7", True, True),  # a Saturday that is a working day before Spring Festival
        (date(2026, 2, 17), "none", "none", True, True),  # Spring Festival
        (date(2026, 2, 17), "spring_festival", "none", False, True),
        (date(2026, 10, 1), "spring_festival", "none", True, True),  # National Day
        (date(2026, 10, 1), "all", "none", False, True),
        (date(2190, 2, 5), "spring_festival", "none", True, False),  # not announced: could be Spring Festival
        (date(2190, 6, 5), "spring_festival", "none", True, True),  # not announced: cannot be
        (date(2190, 6, 5), "all", "none", True, False),
        (date(2190, 6, 5), "all", "6", False, False),  # a Saturday: weekdays count all the same
        (date(2190, 6, 5), "none", "none", True, True),
    ],
)
def test_which_days_are_open(session, set_to, branch, at, day, holidays, weekdays, is_open, announced):
    """The decision table of holidays, make-up working days, weekdays, and years that are not announced."""
    set_to({HOLIDAYS: holidays, CLOSED_WEEKDAYS: weekdays})
    told = opening(session, branch, day, at)
    assert (told.is_open, told.is_announced) == (is_open, announced)


def test_a_day_that_was_entered_outweighs_everything(session, usual, branch, enter_day, at):
    spring, tuesday = date(2026, 2, 17), date(2026, 11, 24)
    assert not opening(session, branch, spring, at).is_open
    enter_day(spring, DayKind.OPEN, opens_at=time(10), closes_at=time(16))
    enter_day(tuesday, DayKind.CLOSED, note="年会")
    told = opening(session, branch, spring, at)
    assert (told.is_open, told.opens_at, told.closes_at) == (True, time(10), time(16))
    assert opening(session, branch, tuesday, at).closed_for == "年会"
    assert opening(session, branch, tuesday + timedelta(days=1), at).is_open


def test_entered_days_are_checked(enter_day, person, session, at):
    day = date(2026, 12, 1)
    with pytest.raises(InvalidInput) as said:
        enter_day(day, DayKind.CLOSED, opens_at=time(9))
    assert set(said.value.errors) == {"kind"}
    with pytest.raises(InvalidInput) as said:
        enter_day(day, DayKind.OPEN, opens_at=time(9), closes_at=time(9))
    assert set(said.value.errors) == {"closes_at"}
    enter_day(day, DayKind.OPEN)
    with pytest.raises(Refusal):
        enter_day(day, DayKind.CLOSED)


@pytest.mark.parametrize(
    ("key", "text", "stands"),
    [
        ("desk.closed_weekdays", "none", True),
        ("desk.closed_weekdays", "1", True),
        ("desk.closed_weekdays", "6, 7", True),
        ("desk.closed_weekdays", "8", False),
        ("desk.closed_weekdays", "67", False),
        ("desk.closed_weekdays", "", False),
        ("desk.holidays", "all", True),
        ("desk.holidays", "some", False),
    ],
)
def test_the_new_kinds_of_settings_say_what_they_take(app, key, text, stands):
    with app.app_context():
        if stands:
            SETTINGS[key].read(text)
        else:
            with pytest.raises(ValueError, match=r"\S"):
                SETTINGS[key].read(text)
        assert SETTINGS[key].range_text


# --- warnings ----------------------------------------------------------------------------------------------------


@pytest.fixture
def morning(at, consultant):
    """In three days at ten by the branch's clock."""
    day = at.astimezone(consultant.timezone).date() + timedelta(days=3)
    return datetime.combine(day, time(10), consultant.timezone)


@pytest.fixture
def ask(do, consultant, make_customer):
    """Place a slip as a person does, through the form."""

    def place(start, by=None, customer=None, **more):
        inputs = {
            "customer_id": str((customer or make_customer(by)).id),
            "appointed_at": start.isoformat(),
            "latest_arrival_at": (start + timedelta(hours=1)).isoformat(),
            "intention": "A",
            **more,
        }
        return do("appointment_slip.place", by or consultant, inputs=inputs).record

    return place


@pytest.fixture
def hours(set_to):
    """Nine to eight, holidays or not, so that the calendar of the day on which the tests run does not matter."""
    set_to({OPENS_AT: "09:00", CLOSES_AT: "20:00", HOLIDAYS: "none", CLOSED_WEEKDAYS: "none"})


def test_an_appointment_outside_the_hours_warns_and_nothing_is_done(ask, hours, session, morning):
    with pytest.raises(Warned) as said:
        ask(morning.replace(hour=21))
    assert len(said.value.warnings) == 1
    assert "09:00-20:00" in said.value.sentence
    assert session.scalars(select(AppointmentSlip)).all() == []
    assert session.scalars(select(ActRun).where(ActRun.act == "place")).all() == []


def test_who_has_read_the_warnings_places_anyway_and_the_history_keeps_them(
    do, hours, consultant, make_customer, session, morning
):
    late = morning.replace(hour=21)
    inputs = {
        "customer_id": str(make_customer().id),
        "appointed_at": late.isoformat(),
        "latest_arrival_at": late.isoformat(),
        "intention": "A",
    }
    with pytest.raises(Warned) as said:
        do("appointment_slip.place", consultant, inputs=inputs, request_key="k-1")
    from werkzeug.datastructures import MultiDict

    from app.acts import REGISTRY
    from app.services.runner import run

    act = REGISTRY.find("appointment_slip", "place")
    given = {"by": consultant, "at": morning - timedelta(days=2), "inputs": MultiDict(inputs), "key": "k-1"}
    with pytest.raises(Warned):
        run(session, act, **given, warned="something-else")
    slip = run(session, act, **given, warned=said.value.token).record
    again = run(session, act, **given)
    assert (again.record.id, again.replayed) == (slip.id, True), "a double click on the confirmation"
    entry = session.scalars(select(ActRun).where(ActRun.act == "place")).one()
    assert entry.inputs["warned"] == said.value.warnings


def test_a_wrong_input_is_said_before_any_warning(ask, hours, morning):
    with pytest.raises(InvalidInput):
        ask(morning.replace(hour=21), intention="")


def test_house_code_is_not_warned(make_slip, hours, morning):
    """Imports, supplementary slips, the demo: typed values."""
    late = morning.replace(hour=22)
    assert make_slip(appointed_at=late, latest_arrival_at=late).id


def test_redoing_warns_as_placing_does(do, hours, consultant, make_slip, morning):
    late = morning.replace(hour=23).isoformat()
    slip = make_slip()
    inputs = {"appointed_at": late, "latest_arrival_at": late, "intention": "A"}
    with pytest.raises(Warned):
        do("appointment_slip.redo", consultant, slip, inputs=inputs)
    assert slip.state.value == "pending"


@pytest.mark.parametrize("wish", ["preferred_doctor_id", "preferred_consultant_id"])
@pytest.mark.parametrize(
    ("minutes", "setting", "warns"),
    [(0, "30", True), (29, "30", True), (-29, "30", True), (30, "30", False), (59, "60", True), (0, "0", False)],
)
def test_appointments_of_one_person_too_close_together_warn(
    ask, make_slip, set_to, employee, morning, wish, minutes, setting, warns
):
    set_to({OVERLAP_MINUTES: setting})
    person = employee("doctor")
    there = make_slip(appointed_at=morning, latest_arrival_at=morning, **{wish: person.id})
    start = morning + timedelta(minutes=minutes)
    if not warns:
        assert ask(start, **{wish: str(person.id)}).id
        return
    with pytest.raises(Warned) as said:
        ask(start, **{wish: str(person.id)})
    assert there.slip_no in said.value.sentence, "she sees it"
    assert person.name in said.value.sentence
    assert "10:00" in said.value.sentence


def test_a_slip_that_one_may_not_see_is_another_customers(ask, make_slip, person, employee, morning):
    doctor = employee("doctor")
    there = make_slip(
        person("web_consultant"), appointed_at=morning, latest_arrival_at=morning, preferred_doctor_id=doctor.id
    )
    with pytest.raises(Warned) as said:
        ask(morning, preferred_doctor_id=str(doctor.id))
    assert there.slip_no not in said.value.sentence
    assert doctor.name in said.value.sentence


def test_other_wishes_void_slips_and_the_redone_slip_itself_do_not_overlap(
    do, ask, make_slip, supervisor, consultant, employee, morning
):
    doctor, other = employee("doctor"), employee("b2_doctor")
    void = make_slip(appointed_at=morning, latest_arrival_at=morning, preferred_doctor_id=doctor.id)
    do("appointment_slip.void", supervisor, void, reason="客户取消")
    make_slip(appointed_at=morning, latest_arrival_at=morning, preferred_doctor_id=other.id)
    slip = ask(morning, preferred_doctor_id=str(doctor.id))
    inputs = {"appointed_at": morning.isoformat(), "latest_arrival_at": morning.isoformat(), "intention": "B"}
    new = do("appointment_slip.redo", consultant, slip, inputs=inputs | {"preferred_doctor_id": str(doctor.id)}).result
    assert new.preferred_doctor_id == doctor.id


def test_an_unannounced_year_says_so(session, usual, branch, at, consultant):
    start = datetime(2190, 2, 5, 10, tzinfo=consultant.timezone)
    (said,) = hours_warnings(session, branch, start, at)
    assert "2190" in said
