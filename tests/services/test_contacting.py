"""Quiet hours, opt-outs, consent, the day's limits, as decision tables. R-2.22-6, L13."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.errors import Refusal
from app.models.contacting import ContactOptOut, ContactWay, OptOutKind
from app.models.customers import FileState, Stage
from app.models.hr import Branch
from app.models.messages import MessageChannel, MessageState
from app.models.privacy import ConsentPurpose, SignedHow
from app.models.settings import Param
from app.services.contacting import (
    MOST_SMS,
    QUIET_FROM,
    QUIET_UNTIL,
    hindrances,
    is_quiet,
    may_contact,
    not_before,
    tomorrow,
    what_to_mind,
)
from app.unit import acting_as
from app.words import force_locale

CHINA = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 11, 24, 12, tzinfo=CHINA)
PHONE, SMS, WECHAT, ALL = ContactWay.PHONE, ContactWay.SMS, ContactWay.WECHAT, ContactWay.ALL


@pytest.fixture(autouse=True)
def somebody():
    with acting_as("house:test"):
        yield


later = itertools.count()


@pytest.fixture
def put(session):
    def set_to(setting, value, branch_id=None):
        since = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=next(later))
        session.add(Param(key=setting.key, branch_id=branch_id, value=value, effective_at=since))
        session.commit()

    return set_to


@pytest.fixture
def customer(make_customer):
    return make_customer()


def ask(session, customer, way=SMS, at=NOON, *, marketing=False):
    return may_contact(session, customer, way, at, marketing=marketing, zone=CHINA)


@pytest.mark.parametrize(
    ("begins", "ends", "moment", "quiet"),
    [
        ("21:00", "09:00", "20:59", False),
        ("21:00", "09:00", "21:00", True),
        ("21:00", "09:00", "23:59", True),
        ("21:00", "09:00", "00:00", True),
        ("21:00", "09:00", "08:59", True),
        ("21:00", "09:00", "09:00", False),
        ("00:00", "08:00", "23:59", False),
        ("00:00", "08:00", "00:00", True),
        ("12:00", "14:00", "13:00", True),
        ("12:00", "14:00", "14:00", False),
        ("09:00", "09:00", "09:00", False),
    ],
)
def test_which_hours_are_quiet(begins, ends, moment, quiet):
    assert is_quiet(*(time.fromisoformat(each) for each in (moment, begins, ends))) is quiet


@pytest.mark.parametrize(
    ("at", "then"),
    [
        ("2026-11-24T12:00+08:00", "2026-11-24T12:00+08:00"),
        ("2026-11-24T21:00+08:00", "2026-11-25T09:00+08:00"),
        ("2026-11-25T03:00+08:00", "2026-11-25T09:00+08:00"),
        ("2026-12-31T22:30+08:00", "2027-01-01T09:00+08:00"),
        ("2026-12-31T23:30+00:00", "2027-01-01T09:00+08:00"),  # 07:30 of New Year's Day there
        ("2024-02-28T23:00+08:00", "2024-02-29T09:00+08:00"),
    ],
)
def test_what_is_not_done_at_night_is_done_in_the_morning(session, consultant, at, then):
    branch = session.get(Branch, consultant.branch_id)
    assert not_before(session, datetime.fromisoformat(at), branch) == datetime.fromisoformat(then)


def test_the_hours_are_the_branch_s_own_by_its_own_clock(session, consultant, put):
    branch = session.get(Branch, consultant.branch_id)
    put(QUIET_FROM, "22:00", branch.id)
    put(QUIET_UNTIL, "08:00", branch.id)
    at = datetime(2026, 11, 24, 21, 30, tzinfo=CHINA)
    assert not_before(session, at, branch) == at
    branch.zone = "America/Los_Angeles"  # there it is half past five in the morning, at daylight saving's end
    assert not_before(session, at, branch) == datetime(2026, 11, 24, 8, tzinfo=ZoneInfo("America/Los_Angeles"))
    assert tomorrow(session, at, branch) == datetime(2026, 11, 25, 8, tzinfo=ZoneInfo("America/Los_Angeles"))
    put(QUIET_UNTIL, "22:00", branch.id)
    assert not_before(session, at, branch) == at  # the same hour twice: none


def test_at_night_the_answer_names_the_hours_in_the_reader_s_language(session, customer):
    night = NOON.replace(hour=22)
    assert "21:00" in ask(session, customer, PHONE, night)
    with force_locale("en"):
        said = ask(session, customer, PHONE, night)
    assert said == "Quiet hours from 21:00 to 09:00: please do not disturb her now."
    assert ask(session, customer, PHONE) is None


@pytest.mark.parametrize(
    ("opted", "kind", "way", "marketing", "refused"),
    [
        (SMS, OptOutKind.MARKETING, SMS, True, True),
        (SMS, OptOutKind.MARKETING, SMS, False, False),
        (SMS, OptOutKind.MARKETING, PHONE, True, False),
        (SMS, OptOutKind.ALL, SMS, False, True),
        (SMS, OptOutKind.ALL, WECHAT, False, False),
        (ALL, OptOutKind.MARKETING, PHONE, True, True),
        (ALL, OptOutKind.MARKETING, PHONE, False, False),
        (ALL, OptOutKind.ALL, PHONE, False, True),
        (PHONE, OptOutKind.ALL, ALL, False, True),
    ],
)
def test_what_she_does_not_want(session, do, consultant, customer, opted, kind, way, marketing, refused):
    do("customer_consent.sign", consultant, customer_id=_adult(session, customer).id, purpose=ConsentPurpose.MARKETING,
       signed_how=SignedHow.SCREEN, when=NOON - timedelta(days=2))  # fmt: skip
    assert ask(session, customer, way, marketing=marketing) is None
    do("customer.opt_out", consultant, customer, channel=opted, kind=kind, reason="太忙", when=NOON - timedelta(days=1))
    said = ask(session, customer, way, marketing=marketing)
    assert (said is not None) is refused
    assert said is None or "2026-11-23" in said
    assert ask(session, customer, way, NOON - timedelta(days=1, hours=1), marketing=marketing) is None  # not yet then
    with pytest.raises(Refusal):
        do("customer.opt_out", consultant, customer, channel=opted, kind=kind, when=NOON)
    do("customer.opt_in", consultant, customer, channel=opted, reason="来电要求恢复", when=NOON)
    assert ask(session, customer, way, NOON + timedelta(hours=1), marketing=marketing) is None
    assert [row.end_reason for row in session.query(ContactOptOut)] == ["来电要求恢复"]  # kept on file
    with pytest.raises(Refusal):
        do("customer.opt_in", consultant, customer, channel=opted, reason="再次", when=NOON)


def _adult(session, customer):
    customer.birth_year = 1990
    session.commit()
    return customer


def test_marketing_needs_her_consent_and_care_does_not(session, do, consultant, customer):
    assert ask(session, customer, marketing=False) is None
    with force_locale("en"):
        assert ask(session, customer, marketing=True).startswith("She has not agreed to marketing")
    signed = do("customer_consent.sign", consultant, customer_id=_adult(session, customer).id,
                purpose=ConsentPurpose.MARKETING, signed_how=SignedHow.SCREEN, when=NOON).record  # fmt: skip
    assert ask(session, customer, marketing=True) is None
    do("customer_consent.withdraw", consultant, signed, reason="不想再收到", when=NOON + timedelta(hours=1))
    assert ask(session, customer, at=NOON + timedelta(hours=2), marketing=True) is not None


@pytest.mark.parametrize(
    ("state", "open_"),
    [(FileState.TEMPORARY, True), (FileState.FORMAL, True), (FileState.MERGED, False), (FileState.FROZEN, False),
     (FileState.RESTRICTED, False)],
)  # fmt: skip
def test_closed_files_are_not_contacted(session, customer, state, open_):
    customer.state = state
    with session.no_autoflush:
        assert (ask(session, customer) is None) is open_


def test_the_day_has_a_limit_for_each_customer_and_way(session, do, consultant, customer, make_customer, put):
    put(MOST_SMS, "1")
    sent = do("customer.send_message", consultant, customer, content="您好", when=NOON).result
    assert ask(session, customer) is None  # written is not sent
    sent.state, sent.sent_at, sent.sending_at = MessageState.SENT, NOON, NOON
    session.commit()
    assert ask(session, customer) is not None
    assert ask(session, customer, WECHAT) is None
    assert ask(session, customer, at=NOON + timedelta(days=1)) is None
    assert ask(session, make_customer()) is None


def test_two_hundred_are_asked_for_in_a_few_statements(session, do, consultant, make_customer, statements):
    customers = [make_customer() for _number in range(12)]
    do("customer.opt_out", consultant, customers[3], channel=SMS, kind=OptOutKind.ALL, when=NOON)
    with statements() as asked:
        told = hindrances(session, customers, SMS, NOON, marketing=False, zone=CHINA)
    assert set(told) == {customers[3].id}
    assert len(asked) <= 7


def test_what_to_mind_is_told_before_a_call(session, do, consultant, customer, item):
    customer.followup_note = "中午不要打"
    given = {"value": "先发微信", "stage": Stage.WARD}
    do("customer.add_trait", consultant, customer, trait_type_id=item("trait_type", "calling").id, **given)
    do("customer.add_trait", consultant, customer, trait_type_id=item("trait_type", "hobby").id, **given)
    assert what_to_mind(session, customer) == ["中午不要打", "回访注意事项：先发微信"]


def test_rest_opts_out_and_in_and_refuses_nonsense(rest, session, customer):
    call = rest("phone_consultant")
    path = f"customer/{customer.id}"
    assert call("POST", f"{path}/opt_out", {"channel": "pigeon", "kind": "all"}).status_code == 422
    made = call("POST", f"{path}/opt_out", {"channel": "sms", "kind": "all", "reason": "不要短信"})
    assert made.status_code == 200, made.text
    assert made.json["result"]["channel"] == MessageChannel.SMS.value
    assert call("POST", f"{path}/opt_out", {"channel": "sms", "kind": "all"}).status_code == 409
    assert call("POST", f"{path}/send_message", {"content": "您好"}).status_code == 409
    assert call("POST", f"{path}/opt_in", {"channel": "all"}).status_code == 422  # without a reason
    assert call("POST", f"{path}/opt_in", {"channel": "all", "reason": "恢复"}).status_code == 200
    assert call("GET", "contact_opt_out/").json["result"][0]["ended_at"] is not None
