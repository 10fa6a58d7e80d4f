"""Reports that come by themselves: when they are due, as whom they are made, when they end; the mail about them."""

from __future__ import annotations

import asyncio
import email
import socket
import ssl
import threading
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from email.policy import SMTP
from zoneinfo import ZoneInfo

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import select, update

from app.errors import InvalidInput, Refusal
from app.models.audit import Notice, ReportRun
from app.models.base import METADATA
from app.models.privacy import ExportRequest, FileFormat
from app.models.settings import Param
from app.models.subscriptions import (
    DeliveryState,
    MailState,
    Period,
    ReportDelivery,
    ReportSubscription,
    Stopping,
    Weekday,
)
from app.models.tasks import BackgroundTask, TaskState
from app.models.trail import AuditLog
from app.reports import delivering
from app.reports.delivering import business_day, deliver_due, due_days
from app.services import mail, notices
from app.unit import acting_as

ZONE = ZoneInfo("Asia/Shanghai")
HOUSE_AT = time(21)
EVERY_DAY = [day.value for day in Weekday]


@pytest.fixture(autouse=True)
def somebody():
    with acting_as("house:test"):
        yield


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


def wish(**more) -> ReportSubscription:
    told = {
        "weekdays": EVERY_DAY, "send_at": time(8), "active_from": date(2026, 1, 1), "active_until": None,
        "wanted_since": local("2026-01-01 00:00"), "stopped_at": None,
    }  # fmt: skip
    return ReportSubscription(report="contact_daily", period=Period.YESTERDAY, **{**told, **more})


# 2026-11-22 is a Sunday.
@pytest.mark.parametrize(
    ("now", "more", "due"),
    [
        ("2026-11-22 07:59", {}, ["2026-11-21"]),
        ("2026-11-22 08:00", {}, ["2026-11-21", "2026-11-22"]),
        ("2026-11-22 23:59", {}, ["2026-11-21", "2026-11-22"]),
        ("2026-11-23 00:01", {}, ["2026-11-22"]),
        ("2026-11-22 09:00", {"weekdays": ["7"]}, ["2026-11-22"]),
        ("2026-11-22 09:00", {"weekdays": ["1", "2", "3", "4", "5"]}, []),
        ("2026-11-23 09:00", {"weekdays": ["1", "2", "3", "4", "5"]}, ["2026-11-23"]),
        ("2026-11-22 13:00", {"wanted_since": local("2026-11-22 12:00")}, []),
        ("2026-11-23 08:00", {"wanted_since": local("2026-11-22 12:00")}, ["2026-11-23"]),
        ("2026-11-22 13:00", {"wanted_since": local("2026-11-22 12:00"), "send_at": time(12, 30)}, ["2026-11-22"]),
        ("2026-12-01 08:00", {}, ["2026-11-30", "2026-12-01"]),
        ("2026-11-22 09:00", {"active_from": date(2026, 11, 22)}, ["2026-11-22"]),
        ("2026-11-22 09:00", {"active_from": date(2026, 11, 23)}, []),
        ("2026-11-22 09:00", {"active_until": date(2026, 11, 21)}, ["2026-11-21"]),
        ("2026-11-24 09:00", {"active_until": date(2026, 11, 21)}, []),
        ("2026-11-22 09:00", {"stopped_at": local("2026-11-20 10:00")}, []),
        ("2026-11-22 20:59", {"send_at": None}, ["2026-11-21"]),
        ("2026-11-22 21:00", {"send_at": None}, ["2026-11-21", "2026-11-22"]),
    ],
)
def test_when_a_subscription_is_due(now, more, due):
    found = due_days(wish(**more), local(now).astimezone(UTC), ZONE, HOUSE_AT)
    assert [each.on.isoformat() for each in found] == due


@pytest.mark.parametrize(
    ("period", "on", "about"),
    [
        (Period.TODAY, "2026-03-01", "2026-03-01"),
        (Period.YESTERDAY, "2026-03-01", "2026-02-28"),
        (Period.YESTERDAY, "2024-03-01", "2024-02-29"),
        (Period.YESTERDAY, "2027-01-01", "2026-12-31"),
        (Period.THIS_MONTH, "2026-10-31", "2026-10-01"),
        (Period.LAST_MONTH, "2026-10-31", "2026-09-01"),
        (Period.LAST_MONTH, "2027-01-01", "2026-12-01"),
    ],
)
def test_which_day_a_report_is_about(period, on, about):
    assert business_day(period, date.fromisoformat(on)) == date.fromisoformat(about)


# --- as whom, how often ------------------------------------------------------------------------------------------

WANTED = {"report": "contact_daily", "period": Period.YESTERDAY, "weekdays": [*Weekday], "send_at": time(8)}
NOTHING_MORE = {
    "branch_id": None, "active_from": None, "active_until": None, "file_format": None, "reason": None, "mail_to": None,
}  # fmt: skip


@pytest.fixture
def subscribe(do, person, session, at):
    """Subscribe as somebody, as of the day before ``at``."""

    def made(username="phone_supervisor", **more) -> ReportSubscription:
        values = {**NOTHING_MORE, **WANTED, **more}
        wanted = do("report_subscription.subscribe", person(username), **values).record
        wanted.wanted_since, wanted.active_from = at - timedelta(days=3), at.date() - timedelta(days=3)
        wanted.weekdays = [str(at.astimezone(ZONE).isoweekday())]
        session.commit()
        return wanted

    return made


@pytest.fixture
def morning(at):
    return datetime.combine(at.astimezone(ZONE).date(), time(8, 5), ZONE).astimezone(UTC)


def of(session, model):
    session.expire_all()
    return session.scalars(select(model).order_by(model.id)).all()


def told(session, employee_id, kind):
    session.expire_all()
    found = session.scalars(select(Notice).where(Notice.employee_id == employee_id, Notice.kind == kind)).all()
    return [notices.sentence(notice) for notice in found]


def test_it_comes_once_as_the_subscriber_into_her_list_and_to_the_bell(subscribe, session, morning, work_off):
    wanted = subscribe()
    assert deliver_due(session, now=morning - timedelta(hours=1)) == (0, 0)
    assert deliver_due(session, now=morning) == (1, 0)
    assert deliver_due(session, now=morning + timedelta(hours=5)) == (0, 0)
    assert [task.state for task in work_off(morning)] == [TaskState.DONE]
    [came] = of(session, ReportDelivery)
    assert (came.state, came.due_on, came.business_on) == (
        DeliveryState.MADE, morning.astimezone(ZONE).date(), morning.astimezone(ZONE).date() - timedelta(days=1)
    )  # fmt: skip
    [run] = of(session, ReportRun)
    assert (run.id, run.employee_id, run.business_on) == (came.report_run_id, wanted.employee_id, came.business_on)
    assert run.made_by.startswith("user:")
    [sentence] = told(session, wanted.employee_id, "report_came")
    assert came.business_on.isoformat() in sentence
    assert told(session, wanted.employee_id, "task_done") == []
    assert came.mail_state is None


def test_a_missed_day_is_made_up_once(subscribe, session, morning, work_off):
    wanted = subscribe()
    wanted.weekdays = EVERY_DAY
    session.commit()
    assert deliver_due(session, now=morning) == (2, 0)
    assert deliver_due(session, now=morning) == (0, 0)
    work_off(morning)
    assert len(of(session, ReportRun)) == 2


def test_what_comes_after_the_house_s_own_run_waits_for_it_but_not_for_ever(subscribe, session, at, work_off):
    wanted = subscribe(send_at=None, period=Period.TODAY)
    evening = datetime.combine(at.astimezone(ZONE).date(), time(21, 1), ZONE).astimezone(UTC)
    assert deliver_due(session, now=evening) == (0, 0)
    with session.begin_nested() as waited:
        assert deliver_due(session, now=evening + timedelta(hours=2, minutes=1)) == (1, 0)
        waited.rollback()
    day = evening.astimezone(ZONE).date()
    made = {"report": "contact_daily", "branch_id": wanted.branch_id, "business_on": day, "parameters": {}, "facts": {}}
    session.add(ReportRun(**made, made_at=evening, made_by="house:job:x", made_by_job="reports.daily"))
    session.commit()
    assert deliver_due(session, now=evening) == (1, 0)


def lose_right(session, wanted):
    table = METADATA.tables["ab_user_role"]
    session.execute(table.delete().where(table.c.user_id == wanted.employee.user_id))


def close_login(session, wanted):
    user = METADATA.tables["ab_user"]
    session.execute(update(user).where(user.c.id == wanted.employee.user_id).values(active=False))


def forget_report(_session, wanted):
    wanted.report = "gone_daily"


@pytest.mark.parametrize(
    ("change", "why"),
    [(lose_right, Stopping.RIGHTS), (close_login, Stopping.LEFT), (forget_report, Stopping.REPORT)],
)
def test_it_stops_and_says_why_when_it_can_be_made_no_more(subscribe, session, morning, change, why):
    wanted = subscribe()
    change(session, wanted)
    session.commit()
    assert deliver_due(session, now=morning) == (0, 1)
    session.commit()
    [ended] = of(session, ReportSubscription)
    assert (ended.stopped_at, ended.stopped_why) == (morning, why)
    assert [came.state for came in of(session, ReportDelivery)] == [DeliveryState.STOPPED]
    [sentence] = told(session, wanted.employee_id, "subscription_stopped")
    assert str(why.label) in sentence
    assert of(session, ReportRun) == []
    assert deliver_due(session, now=morning + timedelta(days=7)) == (0, 0)


def test_rights_lost_between_the_clock_and_the_worker_stop_it_too(subscribe, session, morning, work_off):
    wanted = subscribe()
    deliver_due(session, now=morning)
    lose_right(session, wanted)
    work_off(morning)
    assert of(session, ReportSubscription)[0].stopped_why is Stopping.RIGHTS
    assert of(session, ReportRun) == []


def test_a_file_is_an_export_like_any_other(subscribe, session, morning, work_off):
    subscribe(file_format=FileFormat.XLSX, reason="每日核对")
    deliver_due(session, now=morning)
    work_off(morning)
    [request] = of(session, ExportRequest)
    [came] = of(session, ReportDelivery)
    assert came.export_request_id == request.id
    assert request.file.expires_at == request.expires_at
    [event] = session.scalars(select(AuditLog).where(AuditLog.operation == "export")).all()
    assert event.after["reason"] == "每日核对"


def test_what_cannot_be_subscribed_to_is_refused_beside_its_field(do, person, rest, session):
    who = person("phone_supervisor")

    def refused(**more):
        with pytest.raises(InvalidInput) as said:
            do("report_subscription.subscribe", who, **{**NOTHING_MORE, **WANTED, **more})
        session.rollback()
        return set(said.value.errors)

    assert refused(period=Period.LAST_MONTH) == {"period"}
    assert refused(mail_to="kein") == {"mail_to"}
    assert refused(mail_to="a@example.com") == {"mail_to"}, "mail is not set up"
    assert refused(file_format=FileFormat.CSV) == {"reason"}
    assert refused(active_from=date(2026, 5, 2), active_until=date(2026, 5, 1)) == {"active_until"}
    do("report_subscription.subscribe", who, **NOTHING_MORE, **WANTED)
    with pytest.raises(Refusal):
        do("report_subscription.subscribe", who, **NOTHING_MORE, **WANTED)
    call = rest("phone_supervisor")
    body = {"report": "appointment_daily", "period": "today", "weekdays": ["1", "7"], "send_at": "07:30"}
    assert call("POST", "report_subscription/subscribe", {**body, "report": "supplement_ledger"}).status_code == 422
    assert call("POST", "report_subscription/subscribe", {**body, "employee_id": 1}).status_code == 422
    assert call("POST", "report_subscription/subscribe", {**body, "weekdays": ["8"]}).status_code == 422
    made = call("POST", "report_subscription/subscribe", body)
    assert made.status_code == 201, made.text
    key = made.json["id"]
    assert rest("branch_head")("GET", f"report_subscription/{key}").status_code == 404, "hers alone"
    assert rest("guide")("POST", "report_subscription/subscribe", body).status_code == 403
    assert call("POST", f"report_subscription/{key}/stop", {}).status_code == 200
    assert call("POST", f"report_subscription/{key}/stop", {}).status_code == 409


# --- the mail ----------------------------------------------------------------------------------------------------


class Postman:
    """What a mail server does with what it is told."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.answer = "250 taken"
        self.rcpt = "250 fine"
        self.asleep = threading.Event()

    async def handle_RCPT(self, _server, _session, envelope, address, _options):  # noqa: N802
        if self.rcpt.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.rcpt

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802
        self.messages.append(envelope.content)
        if self.asleep.is_set():
            await asyncio.sleep(1.5)
        return self.answer


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def postman():
    """A mail server, and the house set up to use it."""
    handler = Postman()
    controller = Controller(handler, hostname="127.0.0.1", port=free_port(), ready_timeout=20)
    controller.start()
    server = mail.Server("127.0.0.1", controller.port, "Yimei <panel@example.com>", security="none", timeout=0.6)
    mail.configure(server, "https://panel.example.com/")
    handler.server = server
    yield handler
    mail.configure(None)
    controller.stop()


def test_a_mail_brings_the_name_and_a_link_once(subscribe, session, morning, work_off, postman, login):
    wanted = subscribe(mail_to="lin@example.com", file_format=FileFormat.CSV, reason="每日核对")
    deliver_due(session, now=morning)
    work_off(morning)
    assert [task.state for task in work_off(morning)] == [TaskState.DONE]
    [came] = of(session, ReportDelivery)
    assert (came.mail_state, came.mail_said) == (MailState.SENT, None)
    [content] = postman.messages
    assert came.message_id.encode() in content

    message = email.message_from_bytes(content, policy=SMTP)
    text = message.get_content()
    assert f"https://panel.example.com/report/contact_daily/stored/{came.report_run_id}" in text
    assert [*message.iter_attachments()] == []
    session.add(Param(key=mail.ATTACHES.key, value="yes", effective_at=morning - timedelta(days=30)))
    task = session.scalars(select(BackgroundTask).where(BackgroundTask.kind == delivering.MAIL)).one()
    page = login("phone_supervisor").get("/report_delivery/list/")
    assert page.status_code == 200
    assert str(MailState.SENT.label) in page.text
    assert "lin@example.com" not in login("phone_supervisor").get(f"/report_subscription/show/{wanted.id}").text
    assert task.state is TaskState.DONE


def test_a_branch_may_have_the_file_attached(subscribe, session, morning, work_off, postman):
    session.add(Param(key=mail.ATTACHES.key, value="yes", effective_at=morning - timedelta(days=30)))
    subscribe(mail_to="lin@example.com", file_format=FileFormat.CSV, reason="每日核对")
    deliver_due(session, now=morning)
    work_off(morning)
    work_off(morning)

    [part] = email.message_from_bytes(postman.messages[0], policy=SMTP).iter_attachments()
    assert part.get_filename().endswith(".csv")
    assert part.get_content()


@pytest.mark.parametrize(
    ("set_up", "sent", "state", "task_state", "failures"),
    [
        (lambda p: setattr(p, "rcpt", "550 nobody here"), 0, MailState.REFUSED, TaskState.DONE, 0),
        (lambda p: setattr(p, "rcpt", "450 later"), 0, MailState.WAITING, TaskState.QUEUED, 1),
        (lambda p: setattr(p, "answer", "554 no"), 1, MailState.REFUSED, TaskState.DONE, 0),
        (lambda p: p.asleep.set(), 1, MailState.UNSURE, TaskState.DONE, 0),
        (lambda p: mail.configure(replace(p.server, port=1)), 0, MailState.WAITING, TaskState.QUEUED, 1),
        (lambda p: mail.configure(replace(p.server, security="starttls")), 0, MailState.REFUSED, TaskState.DONE, 0),
    ],
    ids=["refused", "not now", "refused after reading", "no answer", "no server", "no encryption"],
)
def test_what_the_server_does_not_take(
    subscribe, session, morning, work_off, postman, set_up, sent, state, task_state, failures
):
    wanted = subscribe(mail_to="lin@example.com")
    deliver_due(session, now=morning)
    work_off(morning)
    set_up(postman)
    [task] = work_off(morning)
    [came] = of(session, ReportDelivery)
    assert (came.mail_state, task.state, task.failures) == (state, task_state, failures)
    assert len(postman.messages) == sent
    assert len(told(session, wanted.employee_id, "report_mail_failed")) == (state is MailState.REFUSED)
    again = work_off(morning) if state is not MailState.WAITING else []
    assert again == [], "what was perhaps sent is not sent again"


def test_a_worker_lost_between_telling_and_writing_down_sends_nothing_twice(
    subscribe, session, morning, work_off, postman
):
    subscribe(mail_to="lin@example.com")
    deliver_due(session, now=morning)
    work_off(morning)
    session.execute(update(ReportDelivery).values(mail_state=MailState.SENDING))
    work_off(morning)
    assert of(session, ReportDelivery)[0].mail_state is MailState.UNSURE
    assert postman.messages == []


def test_a_mail_travels_encrypted_and_only_to_whom_it_trusts(tmp_path):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    _self_signed(certificate, key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    handler = Postman()
    controller = Controller(
        handler, hostname="127.0.0.1", port=free_port(), tls_context=context, require_starttls=True, ready_timeout=20
    )
    controller.start()
    try:
        trusting = mail.Server("localhost", controller.port, "panel@example.com", ca_file=str(certificate), timeout=5)
        mail.configure(trusting)
        mail.send(mail.letter("lin@example.com", "日报", "已到", "<1@yimei>"))
        assert len(handler.messages) == 1
        mail.configure(replace(trusting, ca_file=""))
        with pytest.raises(mail.Unsent) as said:
            mail.send(mail.letter("lin@example.com", "日报", "已到", "<2@yimei>"))
        assert not said.value.later
        assert len(handler.messages) == 1
    finally:
        mail.configure(None)
        controller.stop()


def _self_signed(certificate, key):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(private.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(private, hashes.SHA256())
    )  # fmt: skip
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
