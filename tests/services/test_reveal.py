"""Showing masked values: for a reason, in the book, within a quota. R-2.1.1-4, H.2; trust target 20."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from app.errors import NotPermitted, OutOfScope, Refusal
from app.models.audit import Notice, SensitiveViewLog, Way
from app.models.base import described, models
from app.models.customers import CustomerContact
from app.models.settings import Param
from app.models.trail import AuditLog
from app.services.privacy.reveal import HARD_LIMIT, QUOTA, REVEALED
from app.unit import acting_as


@pytest.fixture(autouse=True)
def somebody():
    with acting_as("house:test"):
        yield


def looks(session):
    session.expire_all()
    return session.scalars(
        select(SensitiveViewLog).where(SensitiveViewLog.way == Way.REVEAL).order_by(SensitiveViewLog.id)
    ).all()


def limit(session, at, **values):
    for setting in (QUOTA, HARD_LIMIT):
        value = values[setting.key.rpartition("_")[2]]
        session.add(Param(key=setting.key, value=str(value), effective_at=at - timedelta(days=1)))
    session.commit()


#: Seen by nobody but the person who wrote them, who has them before her where she changes them.
ONES_OWN = {"report_subscription"}
#: How this house shows itself to machines: taken in, shown to nobody; whoever lost it puts a new one in.
KEYS = {"phone_system", "message_provider"}


def test_every_sensitive_column_can_be_shown_in_full(app):
    for name, model in models().items():
        if name in ONES_OWN | KEYS:
            continue
        sensitive = {
            column.key
            for column in model.__mapper__.column_attrs
            if (said := described(getattr(model, column.key))) is not None and said.sensitive
        }
        assert sensitive == set(REVEALED.get(name, ())), name


def test_a_look_is_one_row_and_one_event(do, consultant, make_customer, session):
    contact = make_customer().contacts[0]
    done = do("customer_contact.reveal", consultant, contact, reason="确认到院时间")
    assert done.shown == contact.value
    [look] = looks(session)
    assert (look.field, look.reason, look.denied) == ("value", "确认到院时间", None)
    event = session.scalars(select(AuditLog).where(AuditLog.operation == "reveal")).one()
    assert (event.table_name, event.record_id, event.after) == ("customer_contact", contact.id, {"field": "value"})
    assert contact.value not in str(event.after)


def test_the_same_request_again_shows_nothing_and_counts_nothing(do, consultant, make_customer, session):
    contact = make_customer().contacts[0]
    for _again in range(2):
        done = do("customer_contact.reveal", consultant, contact, reason="回访", request_key="k1")
    assert done.replayed
    assert done.shown is None
    assert len(looks(session)) == 1


def test_of_several_columns_one_is_asked_for(do, person, employee, session):
    hr, colleague = person("hr"), employee("phone_consultant")
    colleague.phone, colleague.id_no = "13812340001", None
    session.commit()
    done = do("employee.reveal", hr, colleague, inputs={"field": "phone", "reason": "紧急联系"})
    assert done.shown == "13812340001"
    with pytest.raises(Exception, match=r"没有可显示|nothing to show"):
        do("employee.reveal", hr, colleague, inputs={"field": "id_no", "reason": "紧急联系"})


def test_each_denied_look_is_one_row(do, guide, person, make_customer, session, consultant):
    contact = make_customer().contacts[0]
    with pytest.raises(NotPermitted):
        do("customer_contact.reveal", guide, contact, reason="想看")
    with pytest.raises(OutOfScope):
        do("customer_contact.reveal", person("b2_phone_consultant"), contact, reason="想看")
    contact.customer.restriction_asked_by_id = consultant.employee_id
    contact.customer.become("restricted")
    session.commit()
    with pytest.raises(Refusal):
        do("customer_contact.reveal", consultant, contact, reason="想看")
    rows = looks(session)
    assert [row.denied for row in rows[:2]] == ["no_right", "not_in_scope"]
    assert rows[2].denied
    assert len(rows) == 3
    events = session.scalar(select(func.count()).where(AuditLog.operation == "reveal_denied"))
    assert events == 3


def test_denied_looks_over_the_wire_are_kept_too(login, rest, make_customer, session):
    contact = make_customer().contacts[0]
    guide = login("guide")
    url = f"/customer_contact/{contact.id}/act/reveal"
    sent = {"reason": "想看", "csrf_token": guide.token}
    assert guide.get(url).status_code == 403
    assert guide.post(url, data=sent).status_code == 403
    other = login("b2_phone_consultant")
    assert other.post(url, data={"reason": "想看", "csrf_token": other.token}).status_code == 404
    assert (
        rest("b2_phone_consultant")("POST", f"customer_contact/{contact.id}/reveal", {"reason": "x1"}).status_code
        == 404
    )
    assert rest("guide")("POST", f"customer_contact/{contact.id}/reveal", {"reason": "x1"}).status_code == 403
    assert [row.denied for row in looks(session)] == ["no_right", "not_in_scope", "not_in_scope", "no_right"]


def test_after_the_quota_the_supervisor_is_told_and_beyond_the_limit_it_is_refused(
    do, consultant, make_customer, session, at, employee
):
    limit(session, at, told=2, most=4)
    contact = make_customer().contacts[0]
    head = employee("phone_supervisor").id

    def told():
        return [
            notice.kind
            for notice in session.scalars(select(Notice).where(Notice.employee_id == head).order_by(Notice.id))
            if notice.kind.startswith("reveal")
        ]

    for count, expected in enumerate(([], [], ["reveal_quota"], ["reveal_quota", "reveal_limit"])):
        do("customer_contact.reveal", consultant, contact, reason=f"回访{count}", request_key=f"q{count}")
        assert told() == expected
    for _again in range(2):
        with pytest.raises(Refusal):
            do("customer_contact.reveal", consultant, contact, reason="再看")
    assert [bool(row.denied) for row in looks(session)] == [False] * 4 + [True] * 2
    # The next day of the branch begins anew.
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    done = do("customer_contact.reveal", consultant, contact, reason="第二天", when=tomorrow)
    assert done.shown == contact.value


def test_the_limit_holds_under_concurrency(own_world):
    """Sixteen at once on a limit of five: five are shown, eleven are denied, each with its row."""
    customer_id, _slip = own_world.customer()
    with own_world.app.app_context():
        session = own_world.session()
        at = datetime.now(UTC)
        limit(session, at, told=3, most=5)
        contact_id = session.scalar(select(CustomerContact.id).where(CustomerContact.customer_id == customer_id))
    outcomes = []

    def look(number):
        with own_world.app.app_context(), acting_as("user:1"):
            session = own_world.session()
            by = own_world.person(session, "phone_consultant")
            try:
                made = own_world.run(session, "customer_contact.reveal", by, contact_id, {"reason": f"并发{number}"})
                outcomes.append(bool(made.shown))
            except Refusal:
                outcomes.append(False)

    threads = [threading.Thread(target=look, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(outcomes) == 5
    assert own_world.count(SensitiveViewLog, SensitiveViewLog.denied.is_(None)) == 5
    assert own_world.count(SensitiveViewLog, SensitiveViewLog.denied.is_not(None)) == 11
    assert own_world.count(Notice, Notice.kind == "reveal_quota") == 1


def test_looks_are_counted_by_person_whatever_she_comes_in_by(do, consultant, make_customer, session, at):
    """A key of hers is no second quota. H.2."""
    limit(session, at, told=1, most=2)
    contact = make_customer().contacts[0]
    by_key = replace(consultant, name=f"{consultant.name} key:10")
    do("customer_contact.reveal", consultant, contact, reason="回访")
    do("customer_contact.reveal", by_key, contact, reason="回访")
    for by in (consultant, by_key, replace(consultant, name=f"{consultant.name} key:11")):
        with pytest.raises(Refusal):
            do("customer_contact.reveal", by, contact, reason="回访")
