"""Cards: what stands on whose workbench, what it costs, and that each number is that of its rows."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest

from app.actors import Actor
from app.extensions import db
from app.models.appointments import ContactRecord
from app.panel import cards
from app.panel.cards import CARDS, Shows
from app.reports.base import REPORTS
from app.reports.measures import Measure
from app.roles import ROLES, rights_of

MOST_STATEMENTS = 12
#: The roles of the desk and what must stand before them.
EXPECTED = {
    "phone_consultant": {"contact_record", "appointment_slip", "my_followups", "redo_slips", "customer"},
    "web_consultant": {"contact_record", "appointment_slip", "my_followups", "redo_slips", "customer"},
    "channel_specialist": {"contact_record", "appointment_slip", "my_followups"},
    "phone_supervisor": {"department_followups", "redo_slips"},
    "guide": {"contact_record", "appointment_slip"},
    "operations": {"report_run", "channel_partner"},
    "it_manager": {"appointment_supplement_request", "customer_merge_log", "job_run", "login_session", "import_batch"},
    "hr": {"employee", "department", "import_batch"},
    "branch_head": {"appointment_supplement_request", "export_request", "contact_record", "subject_request"},
    "admin": {"job_run", "act_run", "employee"},
    "doctor": {"notice", "background_task"},
}


def test_every_role_of_the_desk_has_its_cards(app):
    """By right alone, without a page: whoever may not open the list has no card of it."""
    for role in ROLES:
        rights = frozenset(rights_of(role))
        mine = cards.cards_of(Actor(name=role, rights=rights))
        assert all((each.page, "can_list") in rights and set(each.needs) <= rights for each in mine), role
        assert {each.page for each in mine} >= EXPECTED.get(role, {"notice"}), role
        assert cards.for_menu(Actor(name=role, rights=rights)) == [], "no count without the page in the menu"


@pytest.mark.parametrize("role", ["phone_supervisor", "guide", "it_manager", "branch_head"])
def test_a_workbench_takes_at_most_twelve_statements(login, make_slip, at, statements, role):
    make_slip(appointed_at=at + timedelta(minutes=5))
    client = login(role)
    client.get("/")
    db.session().info.clear()
    with statements() as told:
        answer = client.get("/")
    assert answer.status_code == 200
    assert len(told) <= MOST_STATEMENTS, (role, len(told), told)


def test_all_counts_are_one_statement_for_every_role(app, person, session, at, statements):
    people = {role: person(role) for role in ("phone_supervisor", "it_manager", "branch_head", "hr")}
    with app.test_request_context():
        for role, by in people.items():
            wanted = cards.cards_of(by)
            assert wanted, role
            with statements() as told:
                counts = cards.counted(session, wanted, by, at)
            assert len(told) == 1, (role, told)
            for each in wanted:
                rows = session.scalars(cards.rows_of(each, by, at)).unique().all()
                assert counts[each][0] == len(rows), (role, each.page, each.tab)
                assert len(counts[each]) == (cards.DAYS if each.shows is Shows.COMPARED else 1), each


def test_todays_number_stands_beside_yesterdays_and_the_weekdays(app, session, make_slip, consultant, at):
    placed = CARDS["appointment_slip", "placed", Shows.COMPARED]
    with app.test_request_context():
        before = cards.counted(session, [placed], consultant, at)[placed]
        today, yesterday, earlier = make_slip(), make_slip(), make_slip()
        make_slip().is_supplement = True
        yesterday.ordered_at = at - timedelta(days=1)
        earlier.ordered_at = at - timedelta(days=7)
        session.flush()
        after = cards.counted(session, [placed], consultant, at)[placed]
    assert [new - old for new, old in zip(after, before, strict=True)] == [1, 1, 0, 0, 0, 0, 0, 1]
    assert today.ordered_at is not None


def test_what_the_menu_counts_is_what_the_page_shows_and_only_for_who_may_open_it(login, make_slip, session, at, app):
    from app.models.appointments import SlipState

    for _each in range(3):
        slip = make_slip()
        slip.state, slip.expired_at = SlipState.EXPIRED, at
    session.flush()
    app.extensions.get("house.waiting", {}).clear()
    client = login("phone_consultant")
    page = client.get("/redo_slips/list/?tab=lapsed&size=100").text
    link = re.search(r'<a href="/redo_slips/list/"[^>]*>.*?</a>', page, re.DOTALL)
    assert link is not None
    count = re.search(r'class="count[^"]*">.*?(\d+)</span>', link.group(0), re.DOTALL)
    assert count is not None
    assert int(count.group(1)) == len(set(re.findall(r"/appointment_slip/show/(\d+)", page))) >= 3
    assert "visually-hidden" in link.group(0), "the number says what it counts"
    assert "/redo_slips/list/" not in login("guide").get("/").text


def test_counts_are_kept_for_some_seconds_and_forgotten_once_one_sends_something(login, statements):
    client = login("phone_consultant")
    client.get("/notice/list/")
    with statements() as first:
        client.get("/notice/list/")
    client.post("/customer/whose", data={"number": "13700000001", "csrf_token": client.token})
    with statements() as second:
        client.get("/notice/list/")
    assert len(second) == len(first) + 1


def test_a_role_without_cards_of_its_own_gets_a_page_that_leads_somewhere(login):
    text = login("doctor").get("/").text
    assert "/notice/list/" in text
    assert 'class="empty' in text or 'class="cards"' in text


def test_a_card_is_declared_once(app):
    with pytest.raises(ValueError, match="declared twice"):
        cards.card("redo_slips", "lapsed", "again")


def test_the_funnel_counts_what_its_report_counts_and_opens_it(
    login, session, do, make_customer, make_slip, consultant, guide, item, at, monkeypatch
):
    """By channel: contacts, those that led to a slip, those that came; the deal only once somebody counts it."""
    register = {"business_category_id": item("business_category").id}
    calls = [do("contact_record.register_call", consultant, **register).record for _each in range(3)]
    for call in calls[:2]:
        slip = make_slip(customer=make_customer(contact_record_id=call.id), contact_record_id=call.id)
    do("appointment_slip.arrive", guide, slip)
    session.commit()
    client = login("phone_supervisor")
    page = client.get("/").text
    section = page[
        page.index("从接触到成交") if "从接触到成交" in page else page.index("From the contact to the deal") :
    ]
    links = {
        html.unescape(url): int(number) for url, number in re.findall(r'href="([^"]*rows[^"]*)">(\d+)</a>', section)
    }
    for measure, count in (("contacts", 3), ("with_slip", 2), ("arrived", 1)):
        of_phone = [url for url in links if f"measure={measure}&" in url and "channel=phone" in url]
        assert [links[url] for url in of_phone] == [count], (measure, links)
        opened = client.get(of_phone[0]).text
        assert len(set(re.findall(r"/contact_record/show/(\d+)", opened))) == count
    assert "measure=deal" not in section
    report = REPORTS["contact_daily"]
    monkeypatch.setattr(type(report), "measures", report.measures)
    report.count_also(Measure("deal", "Deals", ContactRecord, lambda days: ContactRecord.id == calls[0].id))
    assert "measure=deal" in client.get("/").text
    assert "/report/contact_daily/" not in login("phone_consultant").get("/").text
