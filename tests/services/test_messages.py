"""Messages: written, looked at, sent once whatever the provider does, reported, withdrawn. 1.3, R-2.22-6."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update

from app.errors import IllegalMove, InvalidInput, Refusal
from app.jobs.declared import JOBS
from app.models.contacting import ContactWay, OptOutKind
from app.models.customers import Customer, FileState, Sex
from app.models.followup import ExecutorKind, FollowupCategory, FollowupPlan, RuleMakes
from app.models.messages import (
    BodyKind,
    HttpMethod,
    Message,
    MessageChannel,
    MessageProvider,
    MessageState,
    MessageTemplate,
    ProviderKind,
    ProviderState,
)
from app.models.privacy import ConsentPurpose, SignedHow
from app.models.tasks import BackgroundTask, TaskState
from app.services.lunar import FESTIVALS
from app.services.messages import providers, queue_by_rule, send_due, settle_interrupted, withdraw_by_rule
from app.services.messages.sending import SEND
from app.services.placeholders import About
from app.services.plain import save
from app.unit import acting_as, unit_of_work


@pytest.fixture(autouse=True)
def night(request):
    """Quiet hours as the house has them; a world of real commits has sessions of its own and none of these."""
    if "own_world" not in request.fixturenames:
        request.getfixturevalue("nights")


CHINA = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 11, 24, 12, tzinfo=CHINA)
S = MessageState


@pytest.fixture(autouse=True)
def somebody():
    with acting_as("house:test"):
        yield


class Gateway:
    """A provider on this machine. ``answers`` are taken one after the other, the last again and again: a status, or
    ``slow``, ``drop`` and ``lost`` (takes the message, then says nothing, hangs up, answers 500)."""

    def __init__(self):
        self.answers, self.requests, self.effects = [200], [], []
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                gateway.requests.append((self.path, dict(self.headers), body.decode()))
                answer = gateway.answers.pop(0) if len(gateway.answers) > 1 else gateway.answers[0]
                key = self.headers["Idempotency-Key"]
                if answer in (200, "slow", "drop", "lost") and key not in gateway.effects:
                    gateway.effects.append(key)
                if answer == "drop":
                    self.connection.close()
                    return
                if answer == "slow":
                    time.sleep(0.6)
                status = {"lost": 500, "slow": 200, "refused": 200}.get(answer, answer)
                said = {"code": 7 if answer == "refused" else 0, "data": {"sid": f"no-{len(gateway.requests)}"}}
                told = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(told)))
                self.end_headers()
                self.wfile.write(told)

            do_GET = do_POST  # noqa: N815

            def log_message(self, *_told):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/sms"


@pytest.fixture
def gateway(monkeypatch):
    made = Gateway()
    monkeypatch.setattr(providers, "READ", 0.3)
    yield made
    made.server.shutdown()
    made.server.server_close()


BODY = '{"mobile": "{{ number }}", "content": "{{ text }}", "uid": "{{ key }}"}'


def connect(session, url, **more):
    session.execute(update(MessageProvider).values(state=ProviderState.OFF))
    session.expire_all()
    told = {"accepted_path": "code", "accepted_value": "0", "id_path": "data.sid", "headers": "X-Token: secret", **more}
    made = MessageProvider(
        name=f"短信网关 {url}", channel=MessageChannel.SMS, kind=ProviderKind.HTTP, state=ProviderState.ACTIVE,
        address=url, body=BODY, **told,
    )  # fmt: skip
    session.add(made)
    session.commit()
    return made


@pytest.fixture
def provider(session, gateway):
    return connect(session, gateway.url)


@pytest.fixture
def customer(session, make_customer):
    made = make_customer(name="林小雨")
    made.sex = Sex.FEMALE
    session.commit()
    return made


@pytest.fixture
def write(do, consultant, customer):
    def go(content="{称呼}您好", by=None, whom=None, **more):
        more.setdefault("when", NOON)
        return do("customer.send_message", by or consultant, whom or customer, content=content, **more).result

    return go


@pytest.fixture
def send(session):
    """Send what is due at a moment, each step in a transaction of its own."""

    def go(at=NOON, **more):
        session.commit()
        count = send_due(session, lambda: unit_of_work(session), lambda: at, **more)
        session.expire_all()
        return count

    return go


# --- written ------------------------------------------------------------------------------------------------------


def test_a_message_is_written_looked_at_changed_and_released(do, consultant, provider, write, send, gateway):
    message = write(look_first=True)
    assert (message.state, message.content) == (S.HELD, "林女士您好")
    assert message.recipient_masked[3:7] == "****"
    assert send() == 0
    do("message.change_text", consultant, message, content="{客户}，明天见", when=NOON)
    assert message.content == "林小雨，明天见"
    do("message.release", consultant, message, when=NOON)
    assert send() == 1
    assert (message.state, message.provider_ref, message.sent_at) == (S.SENT, "no-1", NOON)
    ((path, headers, body),) = gateway.requests
    assert json.loads(body) == {"mobile": message.recipient, "content": "林小雨，明天见", "uid": message.message_key}
    assert (path, headers["X-Token"], headers["Idempotency-Key"]) == ("/sms", "secret", message.message_key)


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        ({"content": "{称乎}"}, InvalidInput),
        ({"content": "{预约日期}"}, InvalidInput),  # she has no appointment
        ({"content": "您" * 500 + "{称呼}"}, InvalidInput),
        ({"is_marketing": True}, Refusal),  # no consent
        ({"channel": MessageChannel.SMS, "send_at": NOON - timedelta(hours=1)}, InvalidInput),
        ({"send_at": NOON + timedelta(days=400)}, InvalidInput),
    ],
)
def test_what_cannot_be_written(session, write, more, wrong):
    with pytest.raises(wrong):
        write(**more)
    assert session.scalars(select(Message)).all() == []


def test_at_night_it_waits_for_the_morning_and_across_the_year_s_end(write, send, provider, gateway):
    message = write(when=datetime(2026, 12, 31, 22, tzinfo=CHINA))
    assert message.due_at == datetime(2027, 1, 1, 9, tzinfo=CHINA)
    assert send(datetime(2027, 1, 1, 8, 59, tzinfo=CHINA)) == 0
    message.due_at = datetime(2026, 12, 31, 22, tzinfo=CHINA)  # it was due before the hours were changed
    assert send(datetime(2026, 12, 31, 23, tzinfo=CHINA)) == 0
    assert (message.state, message.due_at) == (S.WAITING, datetime(2027, 1, 1, 9, tzinfo=CHINA))
    assert send(datetime(2027, 1, 1, 9, tzinfo=CHINA)) == 1
    assert len(gateway.requests) == 1


def test_who_says_no_in_the_meantime_gets_nothing(do, consultant, customer, write, send, provider, gateway):
    message = write()
    do("customer.opt_out", consultant, customer, channel=ContactWay.SMS, kind=OptOutKind.ALL, when=NOON)
    assert send(NOON + timedelta(minutes=1)) == 0
    assert message.state is S.CANCELLED
    assert message.said
    assert gateway.requests == []


# --- sent once ----------------------------------------------------------------------------------------------------

#: What the provider does, attempt by attempt; whether it sends once what bears a key; what becomes of the message.
OUTCOMES = [
    ([200], False, S.SENT, 1, 1),
    ([400], False, S.FAILED, 1, 0),
    (["refused"], False, S.FAILED, 1, 0),
    ([302], False, S.FAILED, 1, 0),
    ([503, 200], False, S.SENT, 2, 1),
    ([429, 429, 200], False, S.SENT, 3, 1),
    ([503], False, S.FAILED, 6, 0),
    ([500], False, S.UNSURE, 1, 0),
    (["lost"], False, S.UNSURE, 1, 1),
    (["slow"], False, S.UNSURE, 1, 1),
    (["drop"], False, S.UNSURE, 1, 1),
    (["slow", 200], True, S.SENT, 2, 1),
    (["drop", "lost", 200], True, S.SENT, 3, 1),
    (["lost"], True, S.UNSURE, 6, 1),
]


@pytest.mark.parametrize(("answers", "idempotent", "state", "attempts", "effects"), OUTCOMES)
def test_whatever_the_provider_does_there_is_one_effect_at_most(
    session, gateway, write, send, answers, idempotent, state, attempts, effects
):
    connect(session, gateway.url, is_idempotent=idempotent)
    gateway.answers = list(answers)
    message, at = write(), NOON
    for _look in range(12):
        send(at)
        at = max(message.due_at, at) + timedelta(minutes=1)
    assert (message.state, message.attempts) == (state, attempts)
    assert len(gateway.requests) == attempts
    assert len(gateway.effects) == effects
    assert {headers["Idempotency-Key"] for _path, headers, _body in gateway.requests} == {message.message_key}
    assert message.recipient not in (message.said or "")


def test_a_provider_that_is_not_there_is_asked_again_later(session, write, send):
    connect(session, "http://127.0.0.1:1/sms")
    message = write()
    assert send() == 1
    assert (message.state, message.attempts, message.due_at) == (S.WAITING, 1, NOON + timedelta(minutes=1))
    assert "ConnectError" in message.said


def test_an_unsure_message_goes_on_by_a_person_only(do, consultant, supervisor, gateway, provider, write, send):
    gateway.answers = ["slow"]
    message = write()
    send()
    assert message.state is S.UNSURE
    assert send(NOON + timedelta(hours=3)) == 0
    gateway.answers = [200]
    do("message.retry", supervisor, message, when=NOON + timedelta(hours=3))
    assert send(NOON + timedelta(hours=3)) == 1
    assert (message.state, len(gateway.effects)) == (S.SENT, 1)
    with pytest.raises(IllegalMove):
        do("message.mark_sent", consultant, message, when=NOON)


def test_what_was_interrupted_is_not_sent_again_unless_its_key_makes_it_safe(
    session, provider, write, send, make_customer
):
    first, second = write(), write()
    for message in (first, second):
        message.become(S.SENDING)
        message.provider, message.sending_at, message.attempts = provider, NOON, 1
    session.commit()
    assert settle_interrupted(session, NOON + timedelta(minutes=4)) == 0
    assert settle_interrupted(session, NOON + timedelta(minutes=6)) == 2
    assert {first.state, second.state} == {S.UNSURE}
    assert send(NOON + timedelta(hours=1)) == 0
    provider.is_idempotent = True
    third = write(whom=make_customer())
    third.become(S.SENDING)
    third.provider, third.sending_at, third.attempts = provider, NOON, 1
    session.commit()
    assert settle_interrupted(session, NOON + timedelta(minutes=6)) == 1
    assert send(NOON + timedelta(hours=1)) == 1
    assert third.state is S.SENT


def test_the_day_s_limits_of_the_provider_and_of_a_customer(
    session, provider, write, send, gateway, make_customer, consultant
):
    provider.daily_cap = 3
    others = [make_customer() for _number in range(3)]
    messages = [write() for _number in range(3)] + [write("您好", whom=one) for one in others]
    assert send() == 3  # two to the first customer, as the branch allows; one more, then the cap
    assert [message.state for message in messages] == [S.SENT, S.SENT, S.WAITING, S.SENT, S.WAITING, S.WAITING]
    tomorrow = datetime(2026, 11, 25, 9, tzinfo=CHINA)
    assert {message.due_at for message in messages if message.state is S.WAITING} == {tomorrow}
    assert send(NOON + timedelta(hours=5)) == 0
    assert send(tomorrow) == 3
    assert {message.state for message in messages} == {S.SENT}
    assert len(set(gateway.effects)) == 6


def test_the_default_provider_sends_nothing_and_says_so(session, do, consultant, admin, write, send, login):
    message = write()
    assert send() == 0
    assert (message.state, message.provider.kind) == (S.HELD, ProviderKind.OUTBOX)
    assert message.said in login("phone_consultant").get(f"/message/show/{message.id}").text
    with pytest.raises(Refusal):
        do("message.release", consultant, message, when=NOON)
    do("message.mark_sent", consultant, message, note="用自己的手机发的", when=NOON)
    assert (message.state, message.sent_at, message.said) == (S.SENT, NOON, "用自己的手机发的")
    wechat = write(channel=MessageChannel.WECHAT)
    assert send() == 0
    assert (wechat.state, wechat.provider.kind) == (S.HELD, ProviderKind.BY_HAND)
    do("message.cancel", consultant, wechat, when=NOON)
    assert wechat.state is S.CANCELLED


@contextmanager
def _own_session(world):
    with world.app.app_context(), acting_as("house:test"):
        yield world.session()


@dataclass
class Killed(BaseException):
    """The worker is gone."""


def test_two_senders_at_once_and_a_killed_one_send_each_message_once(own_world, gateway, monkeypatch):
    """In real transactions: what a killed worker had in hand becomes unsure, everything else goes out once."""
    with _own_session(own_world) as session:
        connect(session, gateway.url)
        keys = []
        for _number in range(8):
            customer_id, _slip = own_world.customer()
            customer = session.get_one(Customer, customer_id)
            by = own_world.person(session, "phone_consultant")
            keys.append(
                own_world.run(session, "customer.send_message", by, customer.id, {"content": "您好"}).result.message_key
            )
        session.execute(update(Message).values(due_at=NOON))
        session.commit()
        asked = providers.ask

        def killed(request):
            asked(request)
            raise Killed

        monkeypatch.setattr("app.services.messages.sending.ask", killed)
        with pytest.raises(Killed):
            send_due(session, lambda: unit_of_work(session), lambda: NOON)
        monkeypatch.setattr("app.services.messages.sending.ask", asked)
    failures = []

    def work():
        try:
            with _own_session(own_world) as session:
                send_due(session, lambda: unit_of_work(session), lambda: NOON)
        except Exception as wrong:  # noqa: BLE001 (told by the test below)
            failures.append(wrong)

    threads = [threading.Thread(target=work) for _number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    with _own_session(own_world) as session, unit_of_work(session):
        assert settle_interrupted(session, NOON + timedelta(minutes=6)) == 1
    assert sorted(headers["Idempotency-Key"] for _path, headers, _body in gateway.requests) == sorted(keys)
    assert own_world.count(Message, Message.state == S.SENT) == 7
    assert own_world.count(Message, Message.state == S.UNSURE) == 1


def test_the_job_hands_what_is_due_to_a_worker_once(session, provider, write, work_off, gateway):
    message = write()
    session.commit()
    job = JOBS["messages.send"]
    for minute in (0, 1):
        at = NOON + timedelta(minutes=minute)
        job.work(session, job.slots(session, at)[-1], at)
    waiting = select(BackgroundTask).where(BackgroundTask.kind == SEND, BackgroundTask.state == TaskState.QUEUED)
    assert len(session.scalars(waiting).all()) == 1
    (done,) = work_off(NOON + timedelta(minutes=1))
    assert done.state is TaskState.DONE, done.error
    assert session.get(Message, message.id).state is S.SENT
    assert len(gateway.effects) == 1
    assert job.work(session, job.slots(session, NOON)[-1], NOON) == "0 due, 0 interrupted"


# --- rules --------------------------------------------------------------------------------------------------------


def _template(session, code):
    return session.scalars(select(MessageTemplate).where(MessageTemplate.code == code)).one()


def test_a_rule_s_message_is_queued_once_per_occasion(session, customer, provider, send, gateway):
    rule = SimpleNamespace(id=7, message_template_id=_template(session, "birthday").id)
    night = datetime(2026, 11, 24, 23, tzinfo=CHINA)
    first = queue_by_rule(session, rule, customer, f"customer:{customer.id}:2026", night)
    again = queue_by_rule(session, rule, customer, f"customer:{customer.id}:2026", night)
    assert (first.is_new, again.is_new, again.message) == (True, False, first.message)
    assert first.message.content.startswith("林女士，您好！今天是您的生日")
    assert first.message.due_at == datetime(2026, 11, 25, 9, tzinfo=CHINA)
    assert first.message.not_after_at == datetime(2026, 11, 26, tzinfo=CHINA)
    assert send(datetime(2026, 11, 26, 9, tzinfo=CHINA)) == 0  # nobody is wished well a day late
    assert first.message.state is S.CANCELLED
    next_year = queue_by_rule(session, rule, customer, f"customer:{customer.id}:2027", NOON)
    assert withdraw_by_rule(session, rule, f"customer:{customer.id}:2027")
    assert next_year.message.state is S.CANCELLED
    assert not withdraw_by_rule(session, rule, "nothing")


def test_a_festival_s_wishes_go_to_those_who_agreed(session, customer, do, consultant):
    """Festival wishes are marketing (L13); birthday wishes that offer nothing are not."""
    rule = SimpleNamespace(id=8, message_template_id=_template(session, "festival").id)
    about = About(CHINA, customer, customer.branch, more={"festival": FESTIVALS["mid_autumn"]})
    refused = queue_by_rule(session, rule, customer, "mid_autumn:2026", NOON, about=about)
    assert (refused.message, bool(refused.why_not)) == (None, True)
    customer.birth_year = 1990
    do("customer_consent.sign", consultant, customer_id=customer.id, purpose=ConsentPurpose.MARKETING,
       signed_how=SignedHow.SCREEN, when=NOON - timedelta(days=1))  # fmt: skip
    made = queue_by_rule(session, rule, customer, "mid_autumn:2026", NOON, about=about)
    assert made.message.content.startswith("林女士，中秋节快乐！")
    unknown = queue_by_rule(session, rule, customer, "nothing:2026", NOON)
    assert "{节日}" in unknown.why_not
    rule.message_template_id = None
    assert queue_by_rule(session, rule, customer, "other", NOON).message is None


def _rule(do, admin, template_id, **more):
    said = {"code": "test_rule", "name": "测试", "name_en": "Test", "trigger": "birthday", "offset_days": [0],
            "category_id": more.pop("category_id"), "executor_kind": ExecutorKind.DEVELOPER, "executor_role": None,
            "branch_id": None, "purpose_template": None, "content_template": None, "makes": RuleMakes.MESSAGE,
            "message_template_id": template_id, "festival": None} | more  # fmt: skip
    return do("followup_rule.write", admin, **said).record


@pytest.fixture
def category(session):
    return session.scalars(select(FollowupCategory).where(FollowupCategory.code == "birthday")).one()


@pytest.mark.parametrize(
    ("more", "fields"),
    [
        ({}, set()),
        ({"purpose_template": "给{称呼}打电话", "makes": "plan", "message_template_id": ""}, set()),
        ({"purpose_template": "第一行", "content_template": "一\n{称乎}"}, {"content_template"}),
        ({"purpose_template": "{客户"}, {"purpose_template"}),
        ({"message_template_id": ""}, {"message_template_id"}),
        ({"makes": "plan"}, {"message_template_id"}),
        ({"makes": ""}, {"message_template_id"}),
        ({"festival": "mid_autumn"}, {"festival"}),
        ({"festival": "no_such_day", "trigger": "festival"}, {"festival"}),
        ({"trigger": "festival", "festival": "mid_autumn"}, set()),
        ({"trigger": "festival", "makes": "plan", "message_template_id": ""}, {"makes"}),
    ],
)
def test_a_rule_is_refused_with_the_line_of_its_broken_text(rest, session, category, more, fields):
    """REF-8: a broken placeholder is refused when the rule is saved."""
    body = {"code": "test_rule", "name": "测试", "name_en": "Test", "trigger": "birthday", "offset_days": "0",
            "category_id": category.id, "executor_kind": "developer", "makes": "message",
            "message_template_id": _template(session, "birthday").id} | more  # fmt: skip
    answer = rest("admin")("POST", "followup_rule/write", {key: value for key, value in body.items() if value != ""})
    assert set(answer.json.get("errors", {})) == fields, answer.text
    assert answer.status_code == (422 if fields else 201)


def test_a_birthday_makes_the_call_and_the_message(session, customer, category):
    """1.3 祝贺生日, 生日短信: one of each, however often the clock looks."""
    customer.birth_on = NOON.date().replace(year=1996)
    session.commit()
    job = JOBS["customers.wishes"]
    for hour in (8, 9, 11):
        at = NOON.replace(hour=hour)
        for slot in job.slots(session, at):
            job.work(session, slot, at)
    (message,) = session.scalars(select(Message).where(Message.customer_id == customer.id)).all()
    assert message.content.startswith("林女士，您好！今天是您的生日")
    assert message.due_at == NOON.replace(hour=10)
    plans = session.scalars(select(FollowupPlan).where(FollowupPlan.customer_id == customer.id)).all()
    assert [plan.trigger for plan in plans] == ["birthday"]


def test_the_wishes_of_a_festival_are_written_once_to_those_who_agreed(
    session, do, consultant, make_customer, work_off
):
    """中秋 2026 is 25 September; nobody is written to on another day, nor twice."""
    eve = datetime(2026, 9, 24, 9, tzinfo=CHINA)
    agreed, not_asked, closed = [make_customer(name=name) for name in ("王芳", "李娜", "赵敏")]
    for one in (agreed, closed):
        one.birth_year = 1990
        do("customer_consent.sign", consultant, customer_id=one.id, purpose=ConsentPurpose.MARKETING,
           signed_how=SignedHow.SCREEN, when=eve)  # fmt: skip
    closed.state = FileState.FROZEN
    session.commit()
    job = JOBS["messages.festival"]
    for day in (0, 1, 1, 2):
        at = eve + timedelta(days=day)
        for slot in job.slots(session, at):
            job.work(session, slot, at)
        work_off(at)
    (message,) = session.scalars(select(Message)).all()
    assert (message.customer_id, message.occasion) == (agreed.id, f"customer:{agreed.id}:mid_autumn:2026")
    assert "中秋节快乐" in message.content
    assert message.due_at == datetime(2026, 9, 25, 10, tzinfo=CHINA)
    assert not_asked.id != message.customer_id


def test_a_reminder_by_message_is_not_sent_for_an_appointment_that_is_off(
    session, do, admin, supervisor, make_slip, category, provider, send, gateway
):
    """REF-8: changes of the underlying slip withdraw the message; in other hands it stays."""
    template = _template(session, "appointment_reminder").id
    _rule(do, admin, template, category_id=category.id, trigger="slip_due", offset_days=[-1])
    later = datetime.now(UTC) + timedelta(days=3)
    kept, voided = make_slip(appointed_at=later), make_slip(appointed_at=later)
    messages = {one.customer_id: one for one in session.scalars(select(Message))}
    assert set(messages) == {kept.customer_id, voided.customer_id}
    do("appointment_slip.void", supervisor, voided, reason="客户取消")
    at = max(one.due_at for one in messages.values())
    assert send(at) == 1
    assert messages[kept.customer_id].state is S.SENT
    assert messages[voided.customer_id].state is S.CANCELLED
    assert kept.appointed_at.astimezone(CHINA).strftime("%H:%M") in messages[kept.customer_id].content


# --- what is kept -------------------------------------------------------------------------------------------------

GOOD = {"name": "网关", "channel": MessageChannel.SMS, "kind": ProviderKind.HTTP,
        "address": "https://sms.test/{{ key }}",
        "body": BODY}  # fmt: skip


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({}, None),
        ({"address": None}, "address"),
        ({"address": "ftp://sms.test/{{ number }}"}, "address"),
        ({"address": "{{ number }}"}, "address"),
        ({"address": "https://sms.test/{{ nobody }}"}, "address"),
        ({"headers": "Authorization: Bearer 1\n\nX-No: 2"}, None),
        ({"headers": "Authorization: a\nno header"}, "headers"),
        ({"body": '{"mobile": "{{ number }}", "text": "{{ text }"}'}, "body"),
        ({"body": '{"mobile": "{{ number }}",\n "text": {{ text }}x}'}, "body"),
        ({"body": '{"text": "{{ text }}"}'}, "body"),
        ({"body": '{"mobile": "{{ number }}"}'}, "body"),
        ({"body": "mobile={{ number }}&c={{ text }}", "body_kind": BodyKind.FORM}, None),
        ({"accepted_value": "0"}, "accepted_path"),
        ({"daily_cap": 0}, "daily_cap"),
        ({"body": None, "address": "https://x.test/?to={{ number }}&t={{ text }}", "method": HttpMethod.GET}, None),
    ],
)
def test_a_provider_is_checked_when_saved(session, admin, at, more, field):
    if field is None:
        save(session, MessageProvider, GOOD | more, by=admin, at=at)
        return
    with pytest.raises(InvalidInput) as refused:
        save(session, MessageProvider, GOOD | more, by=admin, at=at)
    assert set(refused.value.errors) == {field}


def test_one_provider_is_active_for_each_channel_and_branch(session, do, admin, at, gateway):
    made = save(session, MessageProvider, GOOD, by=admin, at=at)
    assert made.state is ProviderState.OFF
    do("message_provider.switch_on", admin, made)
    active = select(MessageProvider).where(
        MessageProvider.state == ProviderState.ACTIVE, MessageProvider.channel == MessageChannel.SMS
    )
    assert [one.name for one in session.scalars(active)] == ["网关"]
    do("message_provider.switch_off", admin, made)
    assert session.scalars(active).all() == []


def test_headers_are_encrypted_and_never_told(rest, session, admin, at):
    made = save(session, MessageProvider, GOOD | {"headers": "Authorization: Bearer t0psecret"}, by=admin, at=at)
    session.commit()
    stored = session.connection().exec_driver_sql("select headers from message_provider where headers is not null")
    assert stored.scalar_one().startswith("gAAAA")
    call = rest("admin")
    assert "t0psecret" not in call("GET", f"message_provider/{made.id}").text
    changed = call("PUT", f"message_provider/{made.id}", {"daily_cap": 9})
    assert changed.status_code == 200, changed.text
    assert session.get(MessageProvider, made.id).headers == "Authorization: Bearer t0psecret"


def test_values_fit_the_request_that_they_are_put_into(session, write, send, gateway):
    """A text of quotes, line ends, ampersands and a would-be header changes nothing around it."""
    said = '他说"好"\\&a=1\r\nX-Evil: 1'
    connect(session, gateway.url + "?to={{ number }}&t={{ text }}", body_kind=BodyKind.FORM)
    session.execute(update(MessageProvider).values(body="a={{ number }}&b={{ text }}"))
    message = write(said.replace("\r\n", "\n"))
    assert send() == 1
    ((path, headers, body),) = gateway.requests
    from urllib.parse import parse_qs, urlsplit

    assert parse_qs(urlsplit(path).query)["t"] == [message.content]
    assert parse_qs(body)["b"] == [message.content]
    assert "X-Evil" not in headers


# --- reports ------------------------------------------------------------------------------------------------------


def test_reports_of_delivery_by_a_key_of_that_right_alone(
    app, session, do, admin, employee, write, send, provider, gateway, at, person
):
    message = write()
    send()
    key = do("api_key.issue", admin, name="短信回执", employee_id=employee("it_manager").id, roles=[],
             rights="message.delivered", expires_on=at.date() + timedelta(days=30)).shown  # fmt: skip
    session.commit()
    client, bearer = app.test_client(), {"Authorization": f"Bearer {key}"}

    def report(**told):
        return client.post("/api/v1/message/delivered", json=told, headers=bearer)

    assert client.get("/api/v1/message/", headers=bearer).status_code == 403
    assert report(provider_ref="no-9", status="delivered").status_code == 422
    assert report(status="delivered").status_code == 422
    assert report(message_key=message.message_key, status="perhaps").status_code == 422
    done = report(provider_ref="no-1", status="delivered", reported_at=(NOON + timedelta(seconds=9)).isoformat())
    if datetime.now(UTC) < NOON:
        assert done.status_code == 422  # the future of this test's clock
        done = report(provider_ref="no-1", status="delivered")
    assert done.status_code == 201, done.text
    told_at = message.delivered_at
    assert message.state is S.DELIVERED
    for status in ("delivered", "failed"):  # twice, and one that was overtaken
        assert report(message_key=message.message_key, status=status).status_code == 201
    assert (message.state, message.delivered_at) == (S.DELIVERED, told_at)


@pytest.mark.parametrize(
    ("state", "status", "then"),
    [
        (S.SENDING, "delivered", S.DELIVERED),
        (S.SENT, "delivered", S.DELIVERED),
        (S.SENT, "failed", S.FAILED),
        (S.UNSURE, "delivered", S.DELIVERED),
        (S.UNSURE, "failed", S.FAILED),
        (S.FAILED, "delivered", S.DELIVERED),
        (S.WAITING, "delivered", S.DELIVERED),  # it was to be asked for again
        (S.WAITING, "failed", S.WAITING),
        (S.DELIVERED, "failed", S.DELIVERED),
        (S.CANCELLED, "delivered", S.CANCELLED),
    ],
)
def test_what_a_report_makes_of_a_message(session, do, person, write, provider, state, status, then):
    from app.services.messages.reports import Report

    message = write()
    message.state, message.sending_at, message.provider = state, NOON, provider
    session.commit()
    do("message.delivered", person("it_manager"), message_key=message.message_key, status=Report(status), when=NOON)
    assert message.state is then


def test_a_report_that_comes_before_our_own_answer_stands(session, do, person, provider, write, gateway, monkeypatch):
    from app.services.messages.reports import Report

    message = write()
    session.commit()
    asked = providers.ask

    def overtaken(request):
        told = asked(request)
        do("message.delivered", person("it_manager"), message_key=message.message_key, status=Report.DELIVERED,
           when=NOON)  # fmt: skip
        return told

    monkeypatch.setattr("app.services.messages.sending.ask", overtaken)
    send_due(session, lambda: unit_of_work(session), lambda: NOON)
    assert (message.state, message.provider_ref) == (S.DELIVERED, "no-1")


# --- pages and REST -----------------------------------------------------------------------------------------------


def test_many_are_written_to_at_once_each_with_her_own_text(rest, session, make_customer, do, consultant):
    customers = [make_customer(name=name) for name in ("王芳", "李娜", "赵敏")]
    do("customer.opt_out", consultant, customers[1], channel=ContactWay.SMS, kind=OptOutKind.ALL)
    session.commit()
    call = rest("phone_consultant")
    ids = [one.id for one in customers]
    done = call("POST", "customer/batch/send_message", {"ids": ids, "content": "{客户}您好", "look_first": True})
    assert done.status_code == 200, done.text
    assert [row["ok"] for row in done.json["result"]] == [True, False, True]
    held = call("GET", "message/").json["result"]
    assert sorted(row["content"] for row in held) == ["王芳您好", "赵敏您好"]
    assert {row["state"] for row in held} == {"held"}
    assert all("****" in row["recipient"] for row in held)


def test_the_pages_stand_and_a_template_is_refused_with_its_line(login, session, customer, write, do, consultant):
    held = write(look_first=True)
    do("customer.opt_out", consultant, customer, channel=ContactWay.PHONE, kind=OptOutKind.ALL)
    session.commit()
    client = login("phone_supervisor")
    shown = client.get("/message/list/").text
    assert held.recipient_masked in shown
    assert "林女士您好" in shown
    assert client.get(f"/customer/show/{customer.id}").status_code == 200
    assert client.get(f"/message/show/{held.id}").status_code == 200
    for path in ("/message/list/", "/message_template/list/", "/contact_opt_out/list/", "/message_template/add",
                 f"/customer/{customer.id}/act/send_message"):  # fmt: skip
        assert client.get(path).status_code == 200, path
    sent = {"code": "test_one", "name": "测试", "channel": "sms", "category": "care", "content": "第一行\n{称乎}",
            "csrf_token": client.token}  # fmt: skip
    refused = client.post("/message_template/add", data=sent)
    assert refused.status_code == 422
    assert "称乎" in refused.text
    assert client.post("/message_template/add", data=sent | {"content": "{称呼}您好"}).status_code == 302
    made = _template(session, "test_one")
    shown = client.post(f"/message_template/{made.id}/act/preview",
                        data={"customer_id": customer.id, "csrf_token": client.token})  # fmt: skip
    assert "林女士您好" in shown.text
    assert login("admin").get("/message_provider/list/").status_code == 200
    assert client.get("/message_provider/list/").status_code == 403
