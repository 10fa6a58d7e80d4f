"""RPT-03, 04, 05, 06 and 26 counted by hand for one day of visits; drilling, rights, files, signatures. SOP S5, S6."""

from __future__ import annotations

import io
import itertools
from datetime import timedelta
from decimal import Decimal

import pypdfium2
import pytest
from sqlalchemy import select

from app.errors import NotPermitted, Refusal
from app.jobs.declared import JOBS
from app.models.audit import ReportRun
from app.models.consultation import Consultation, ConsultationState
from app.models.customers import Sex, SourceChannel
from app.models.reception import ReceptionForm, Visit, VisitItem, VisitState, VisitType
from app.models.triage import LineKind, RotationLine, RotationSeat, RotationTurn, TriageAssignment, TurnKind
from app.reports.base import REPORTS, Asked
from app.reports.consulting_success import ConsultingSuccess
from app.reports.onsite_daily import OnsiteDaily
from app.reports.rotation_sheet import RotationSheet
from app.reports.sheets import report_pdf
from app.reports.triage_log import TriageLog
from app.reports.waiting_times import WaitingTimes
from app.services.signing import is_signed
from app.words import _, force_locale
from tests.reports.days import DAY, on
from tests.reports.exporting import exported

NAMES = ("onsite_daily", "triage_log", "rotation_sheet", "waiting_times", "consulting_success")

#: Each visit of the day: type, arrival, source, items, what triage and consultation did at which minute after it.
#: (triaged, begun, ended, state of the consultation); who received it.
VISITS = {
    "deal": ("first", on(9), "web_search", ("eyes", "nose"), (5, 10, 40, "deal"), "onsite_consultant"),
    "none": ("return", on(10), "referral_customer", ("eyes",), (20, 30, 45, "no_deal"), "onsite_consultant"),
    "waits": ("first", on(11), None, (), None, None),
    "evening": ("repeat_purchase", on(18), "web_search", ("skin",), (3, 5, 65, "deal"), "consulting_supervisor"),
    "check": ("recheck", on(12), None, (), (30, None, None, None), "onsite_consultant"),
    # what no figure of the day counts
    "cancelled": ("first", on(13), "web_search", ("eyes",), None, None),
    "day before": ("first", on(23, 59, 59, days=-1), "web_search", ("eyes",), None, None),
    "day after": ("first", on(0, days=1), "web_search", ("eyes",), None, None),
}
ENDS = {"deal": VisitState.DEAL, "no_deal": VisitState.NO_DEAL, None: VisitState.TRIAGED}


@pytest.fixture
def visits(session, make_customer, employee, item, guide):
    """The day of the branch, and one visit of another branch, which is a deal too."""
    sources = dict(session.execute(select(SourceChannel.code, SourceChannel.id)).all())
    numbers = itertools.count(1)

    def make(name, case, branch_id):
        kind, arrived, source, items, talk, who = case
        minutes = lambda count: None if count is None else arrived + timedelta(minutes=count)  # noqa: E731
        consultant = None if who is None else employee(who)
        visit = Visit(
            branch_id=branch_id, visit_no=f"DY-T-{next(numbers):04}", customer_id=make_customer(name=name).id,
            visit_type=VisitType(kind), arrived_at=arrived, source_channel_id=sources[source] if source else None,
            consultant_id=None if consultant is None else consultant.id, triaged_at=talk and minutes(talk[0]),
            state=VisitState.CANCELLED if name == "cancelled" else ENDS[talk[3]] if talk else VisitState.REGISTERED,
            cancel_reason="走了" if name == "cancelled" else None, closed_at=arrived if name == "cancelled" else None,
        )  # fmt: skip
        visit.item_links = [VisitItem(item_id=item("appointment_item", code).id) for code in items]
        session.add(visit)
        session.flush()
        if talk and talk[1] is not None:
            state = ConsultationState(talk[3])
            reason = item("failure_reason", "price").id if state is ConsultationState.NO_DEAL else None
            session.add(
                Consultation(
                    branch_id=branch_id, visit_id=visit.id, consultant_id=consultant.id, state=state,
                    department_id=consultant.department_id, started_at=minutes(talk[1]), ended_at=minutes(talk[2]),
                    failure_reason_id=reason, next_action="下周回访" if reason else None,
                )
            )  # fmt: skip
            session.flush()
        return visit

    made = {name: make(name, case, guide.branch_id) for name, case in VISITS.items()}
    made["elsewhere"] = make("elsewhere", VISITS["deal"], employee("b2_guide").branch_id)
    session.add(
        ReceptionForm(
            branch_id=guide.branch_id, form_no="JB-T-0001", visit_id=made["deal"].id, name="林小雨", sex=Sex.FEMALE,
            age=28, phone="13912344821", area_id=item("area", "xuhui").id, address="漕溪北路 100 号",
            has_appointment=False, source_channel_id=sources["web_search"], registered_at=on(9, 2),
        )
    )  # fmt: skip
    made["none"].customer.area_id = item("area", "pudong").id
    session.commit()
    return made


@pytest.fixture
def turns(session, visits, employee):
    """A line of two offices and its ledger of the day: a skip, the turn of the next, and one outside the rotation."""
    supervisor, first, second = (employee(who) for who in ("consulting_supervisor", "doctor", "onsite_consultant"))
    line = RotationLine(
        name="现场咨询", kind=LineKind.CONSULTANT, branch_id=supervisor.branch_id, supervisor_id=supervisor.id
    )
    session.add(line)
    session.flush()
    seats = {}
    for order, who in enumerate((first, second), start=1):
        seats[who.id] = RotationSeat(
            line_id=line.id, branch_id=line.branch_id, employee_id=who.id, office=f"{order}号", office_order=order
        )
    session.add_all(seats.values())
    session.flush()
    ledger = (
        ("deal", first, "skipped", TurnKind.SKIPPED, "R-S2-10", None),
        ("deal", second, "accepted", TurnKind.NORMAL, "R-S2-1",
         {"rule": "R-S2-1", "said": "turn", "facts": {"name": second.name, "order": "2"}}),
        ("evening", supervisor, "accepted", TurnKind.SUPERVISOR, "R-S2-3", None),
    )  # fmt: skip
    for number, (name, who, state, kind, rule, why) in enumerate(ledger, start=1):
        visit, seat = visits[name], seats.get(who.id)
        at = visit.arrived_at + timedelta(minutes=number)
        skipped = state == "skipped"
        called = TriageAssignment(
            branch_id=line.branch_id, visit_id=visit.id, line_id=line.id, seat_id=seat.id if seat else None,
            assignee_id=who.id, method=kind, state=state, called_at=at, rule=rule, why=[why] if why else [],
            answer_by_at=at + timedelta(minutes=5), accepted_at=None if skipped else at + timedelta(seconds=30),
            skipped_at=at + timedelta(minutes=5) if skipped else None,
            ended_at=at + timedelta(minutes=5) if skipped else None,
        )  # fmt: skip
        session.add(called)
        session.flush()
        session.add(
            RotationTurn(
                branch_id=line.branch_id, line_id=line.id, number=number, day_on=DAY, occurred_at=at,
                visit_id=visit.id, assignment_id=called.id, seat_id=seat.id if seat else None,
                office_order=seat.office_order if seat else None, employee_id=who.id, kind=kind,
                consumes=kind is TurnKind.NORMAL, rule=rule,
            )
        )  # fmt: skip
    session.commit()
    return line


@pytest.fixture
def ask(session, at):
    """The facts of a report for the day, as somebody reads it."""

    def go(report, by, day=DAY):
        return REPORTS[report.name].gather(session, Asked(day=day, branch_id=by.branch_id), by, at)

    return go


def figures(facts):
    return {each.name: each.value for each in facts.figures}


def rows(facts, table, columns):
    """Return {key in Chinese: values} of some columns of a table."""
    found = next(each for each in facts.tables if each.name == table)
    places = [[column.name for column in found.columns].index(name) for name in columns]
    key = lambda value: getattr(value, "zh", value)  # noqa: E731
    return {key(row[0]): tuple(row[place] for place in places) for row in found.rows}


# --- the figures -----------------------------------------------------------------------------------------------------


def test_the_daily_report_counts_arrivals_deals_items_sources_and_areas(visits, ask, person, employee):
    facts = ask(OnsiteDaily, person("triage"))
    assert figures(facts) == {
        "arrivals": 5, "deals": 2, "deal_rate": Decimal("0.4000"), "by_slip": 0, "cancelled": 1,
    }  # fmt: skip
    counts = ("arrivals", "first", "return", "repeat_purchase", "recheck", "dispute", "deals")
    by_source = rows(facts, "by_source", counts)
    assert by_source["搜索竞价"] == (2, 1, 0, 1, 0, 0, 2)
    assert by_source["老顾客介绍"] == (1, 0, 1, 0, 0, 0, 0)
    assert sorted(by_source.values()) == [(1, 0, 1, 0, 0, 0, 0), (2, 1, 0, 0, 1, 0, 0), (2, 1, 0, 1, 0, 0, 2)]
    by_item = rows(facts, "by_item", ("asked", "item_deals"))
    assert by_item == {"眼部": (2, 1), "鼻部": (1, 1), "皮肤": (1, 1)}
    by_area = rows(facts, "by_area", ("arrivals", "deals"))
    assert (by_area["徐汇区"], by_area["浦东新区"], len(by_area)) == ((1, 1), (1, 0), 3)
    assert sorted(rows(facts, "by_type", ("arrivals", "deals")).values()) == [(1, 0), (1, 0), (1, 1), (2, 1)]


def test_waits_are_told_by_medians_and_tails_and_what_is_not_measured_is_said(visits, ask, person):
    """Waits for triage: 5, 20, 3 and 30 minutes; three consultations began 5, 10 and 2 minutes after it."""
    facts = ask(WaitingTimes, person("triage"))
    assert figures(facts) == {
        "visits": 5, "triaged": 4, "long_waits": 2, "triage_median": Decimal("5.0"),
        "triage_nine_in_ten": Decimal("30.0"),
    }  # fmt: skip
    table = next(each for each in facts.tables if each.name == "by_stage")
    assert [row[1:] for row in table.rows] == [
        (4, Decimal("5.0"), Decimal("30.0"), Decimal("30.0")),
        (3, Decimal("5.0"), Decimal("10.0"), Decimal("10.0")),
        (3, Decimal("30.0"), Decimal("60.0"), Decimal("60.0")),
        (0, None, None, None),
    ]
    assert any("payment and treatment" in text.en for _label, text in facts.parameters)
    assert rows(facts, "by_hour", ("triaged", "triage_median"))["18:00"] == (1, Decimal("3.0"))


def test_success_is_what_consultants_received_and_what_came_of_it(visits, ask, person, employee):
    facts = ask(ConsultingSuccess, person("consulting_supervisor"))
    assert figures(facts) == {"received": 4, "deals": 2, "deal_rate": Decimal("0.5000"), "no_deals": 1}
    by_consultant = rows(facts, "by_consultant", ("received", "deals"))
    assert by_consultant[employee("onsite_consultant").name] == (3, 1)
    assert rows(facts, "by_reason", ("no_deals",)) == {"价格高": (1,)}


def test_the_log_names_the_visits_of_three_types_and_hides_telephone_and_address(visits, ask, session, person, at):
    supervisor, triage = person("guide_supervisor"), person("triage")
    facts = ask(TriageLog, supervisor)
    assert figures(facts) == {"logged": 4, "first": 2, "return": 1, "repeat_purchase": 1}
    named = {row[3]: row for row in facts.tables[0].rows}
    assert list(named) == ["林小雨", "none", "waits", "evening"]
    assert named["林小雨"][7:9] == ("****", "****4821")
    assert named["林小雨"][5:7] == ("28", facts.tables[0].rows[0][6])
    assert "价格高" in named["none"][10].zh
    assert "下周回访" in named["none"][10].zh
    asked = Asked(day=DAY, branch_id=triage.branch_id)
    told = {
        by.name: REPORTS["triage_log"].exported(session, asked, by, at).tables[0].rows[0] for by in (supervisor, triage)
    }
    assert told[supervisor.name][7:9] == ("漕溪北路 100 号", "13912344821")
    assert told[triage.name][7:9] == ("****", "****4821")


def test_the_triage_sheet_has_every_turn_skip_and_exception_with_its_rule_sentence(turns, ask, person, at):
    facts = ask(RotationSheet, person("triage"))
    assert figures(facts) == {"normal": 1, "skipped": 1, "returned": 0, "exceptions": 1}
    sheet = facts.tables[0]
    assert [row[0] for row in sheet.rows] == ["1", "2", "3"]
    assert [row[4] for row in sheet.rows] == ["1 1号", "2 2号", ""]
    reasons = [row[8].en for row in sheet.rows]
    assert reasons[0].startswith("R-S2-10 Who does not answer within the limit is skipped")
    assert "R-S2-1 First visits" in reasons[1]
    assert "It is the turn of" in reasons[1]
    assert reasons[2].startswith("R-S2-3 Friends")
    assert [row[7] for row in sheet.rows] == ["", "09:02:30", "18:03:30"]


# --- on paper --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_the_sheet_prints_with_three_signatures(turns, ask, person, locale):
    pdf = report_pdf(ask(RotationSheet, person("triage")), locale)
    with pypdfium2.PdfDocument(io.BytesIO(pdf)) as document:
        text = "".join(page.get_textpage().get_text_range() for page in document)
    assert text.count("R-S2-10") == 1
    with force_locale(locale):
        assert all(_(word) in text for word in ("Prepared by", "Verified by", "Released by"))
    plain = report_pdf(ask(WaitingTimes, person("triage")), "en")
    with pypdfium2.PdfDocument(io.BytesIO(plain)) as document:
        assert "Prepared by" not in document[0].get_textpage().get_text_range()


# --- opened, asked for, stored ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("username", ["triage", "consulting_supervisor", "branch_head"])
def test_every_figure_opens_its_visits(visits, turns, rest, username):
    call = rest(username)

    def count(name, measure, keys, tab=""):
        query = {"measure": measure, "day": str(DAY), **keys} | ({"tab": tab} if tab else {})
        answer = call("GET", f"report/{name}/rows?" + "&".join(f"{key}={text}" for key, text in query.items()))
        return answer.json["count"] if answer.status_code == 200 else answer.status_code

    for name in NAMES:
        facts = call("GET", f"report/{name}?day={DAY}").json
        report, seen = REPORTS[name], 0
        told = [(figure["name"], {}, figure["value"], figure["kind"]) for figure in facts["figures"]]
        for table in facts["tables"]:
            for keys, line in zip(table["keys"], table["rows"], strict=False):
                told += [(column["name"], keys, value, column["kind"])
                         for column, value in zip(table["columns"], line, strict=True)]  # fmt: skip
        for measure, keys, value, kind in told:
            if kind == "count" and value:
                opened = count(name, measure, keys)
                assert opened == value or (opened == 403 and report.measure(measure).model is Consultation), (
                    name,
                    measure,
                    keys,
                )
                seen += 1
        assert seen or name == "triage_log", name


def test_a_day_with_nothing_and_another_branch_have_nothing_to_tell(visits, turns, ask, person, session, at):
    triage = person("triage")
    for name in NAMES:
        empty = ask(type(REPORTS[name]), triage, DAY - timedelta(days=20))
        assert {each.value for each in empty.figures} <= {0, None}, name
        assert report_pdf(empty, "zh").startswith(b"%PDF")
    foreign = ask(OnsiteDaily, person("b2_triage"))
    assert (figures(foreign)["arrivals"], figures(foreign)["deals"]) == (1, 1)
    # asked for another branch than her own, a reader counts nothing of it
    asked = Asked(day=DAY, branch_id=person("b2_triage").branch_id)
    assert figures(REPORTS["onsite_daily"].gather(session, asked, triage, at))["arrivals"] == 0


def test_the_clock_makes_the_daily_at_half_past_five_and_its_clerk_signs_it_once(
    session, visits, person, do, at, work_off, rest, login
):
    triage, guide = person("triage"), person("guide")
    job = JOBS["reports.onsite_daily"]
    due = [slot for slot in job.slots(session, on(17, 31)) if slot.branch_id == triage.branch_id and slot.day == DAY]
    assert [slot.due_at for slot in due] == [on(17, 30)]
    assert not [slot for slot in job.slots(session, on(17, 29)) if slot.day == DAY]
    job.work(session, due[0], on(17, 31))
    work_off(on(17, 31))
    run = session.scalars(
        select(ReportRun).where(ReportRun.report == "onsite_daily", ReportRun.business_on == DAY)
    ).one()
    assert not is_signed(session, "onsite_daily", run.branch_id, DAY)
    with pytest.raises(NotPermitted):
        do("report_signature.sign", guide, run_id=run.id)
    page = login("triage").get(f"/report/onsite_daily/stored/{run.id}").text
    assert f"source=report_run:{run.id}" in page
    told = rest("triage")("POST", "report_signature/sign", {"run_id": run.id})
    assert told.status_code == 201, told.text
    assert is_signed(session, "onsite_daily", run.branch_id, DAY)
    again = rest("triage")("POST", "report_signature/sign", {"run_id": run.id})
    assert (again.status_code, triage.display_name in str(again.json)) == (409, True)
    assert f"source=report_run:{run.id}" not in login("triage").get(f"/report/onsite_daily/stored/{run.id}").text
    foreign = rest("b2_triage")("POST", "report_signature/sign", {"run_id": run.id})
    assert foreign.status_code == 422
    unsigned = ReportRun(
        report="contact_daily",
        branch_id=run.branch_id,
        business_on=DAY,
        parameters={},
        facts={},
        made_at=at,
        made_by="x",
    )
    session.add(unsigned)
    session.flush()
    with pytest.raises(Refusal):
        do("report_signature.sign", triage, run_id=unsigned.id)


def test_the_log_leaves_the_house_for_a_reason_and_who_may_not_read_it_gets_nothing(visits, login):
    told = exported(login("guide_supervisor"), f"/report/triage_log/export/csv?day={DAY}")
    assert "13912344821" in told.get_data(as_text=True)
    assert "13912344821" not in exported(login("triage"), f"/report/triage_log/export/csv?day={DAY}").get_data(
        as_text=True
    )
    page = login("guide_supervisor").get(f"/report/triage_log/?day={DAY}").text
    assert "****4821" in page
    assert "13912344821" not in page
    for name in NAMES:
        assert login("guide").get(f"/report/{name}/").status_code == 403
