"""A desk's day, slip by slip and contact by contact, for the reports that count it."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import select, update

from app.actors import house
from app.models.appointments import Answered, AppointmentSlip, Channel, Intention
from app.models.customers import ChannelPartner, SourceChannel
from tests.reports.days import on


@pytest.fixture
def promise(make_slip):
    """Place a slip at an instant for an hour that begins at another."""

    def place(by, placed, start, **values):
        return make_slip(by, when=placed, appointed_at=start, latest_arrival_at=start + timedelta(hours=1), **values)

    return place


@pytest.fixture
def writer(person):
    return person("web_consultant")


@pytest.fixture
def a_day(session, promise, do, consultant, colleague, writer, supervisor, guide, person):
    """The desk's day, slip by slip. What each counts for stands beside it."""
    lapse = house("test", branch_id=consultant.branch_id)
    # Placed the day before, came in time: due and arrived.
    came = promise(consultant, on(10, days=-1), on(10))
    do("appointment_slip.arrive", guide, came, when=on(10, 5))
    # Placed, lapsed, came after all: placed, lapsed, arrived, due and arrived.
    late = promise(consultant, on(9), on(14))
    do("appointment_slip.expire", lapse, late, when=on(16))
    do("appointment_slip.arrive", guide, late, when=on(17))
    # Placed for tomorrow: placed.
    promise(consultant, on(9, 30), on(9, 30, days=1))
    # Placed two days ago for today, redone for another day: redone, and due no longer.
    old = promise(colleague, on(10, days=-2), on(11))
    again = {"appointed_at": on(11, days=2), "latest_arrival_at": on(12, days=2), "intention": Intention.B}
    do("appointment_slip.redo", colleague, old, when=on(9, 40), **again)
    # Placed for today and voided: placed, voided, not due.
    gone = promise(colleague, on(10), on(18))
    do("appointment_slip.void", supervisor, gone, when=on(12), reason="客户取消")
    # Web chat, placed for today, did not come: placed, lapsed, due.
    missed = promise(writer, on(10, 30), on(19), channel=Channel.WEB_CHAT)
    do("appointment_slip.expire", lapse, missed, when=on(21))
    # Web chat, written afterwards for one who stood there: supplementary, and counted apart:
    # neither due nor arrived (R-2.1.3-5).
    walked_in = promise(writer, on(13), on(13), channel=Channel.WEB_CHAT)
    do("appointment_slip.arrive", guide, walked_in, when=on(13, 1))
    session.execute(update(AppointmentSlip).where(AppointmentSlip.id == walked_in.id).values(is_supplement=True))
    # Another branch: nothing here.
    promise(person("b2_phone_consultant"), on(9), on(15))
    # Voided the day before, though it was for today; lapsed tomorrow: nothing today.
    void_before = promise(colleague, on(10, days=-3), on(9))
    do("appointment_slip.void", supervisor, void_before, when=on(12, days=-1), reason="客户取消")
    session.commit()


@pytest.fixture
def contacts(session, do, person, item, make_customer, consultant, colleague, writer):
    """Register contacts; what each counts for stands beside it."""
    category, quality = (lambda code: item("business_category", code).id), (lambda code: item("lead_quality", code).id)
    partner = session.scalars(select(ChannelPartner).where(ChannelPartner.branch_id == consultant.branch_id)).first()

    def call(by, when, what="item_enquiry", **values):
        return do("contact_record.register_call", by, when=when, business_category_id=category(what), **values).record

    def chat(when, what="item_enquiry", lead="strong", **values):
        said = {"business_category_id": category(what), "lead_quality_id": lead and quality(lead)}
        return do("contact_record.register_chat", writer, when=when, **said, **values).record

    def lead(when, **values):
        said = {"business_category_id": category("booking"), "channel_partner_id": partner.id}
        return do("contact_record.register_lead", person("channel_specialist"), when=when, **said, **values).record

    return SimpleNamespace(call=call, chat=chat, lead=lead)


@pytest.fixture
def a_day_of_contacts(session, contacts, promise, do, make_customer, consultant, colleague, writer, guide, person):
    """What the desk heard on the day, contact by contact."""
    source = session.scalars(select(SourceChannel).where(SourceChannel.code == "web_search")).one().id
    call, chat, lead = contacts.call, contacts.chat, contacts.lead

    def file(by, when, record, **values):
        return make_customer(by, when=when, contact_record_id=record.id, **values)

    # 9 o'clock: after one ring; a file is opened, a slip placed, and she comes next week.
    first = call(consultant, on(9, 10), ring_count=1)
    known = file(consultant, on(9, 12), first, source_channel_id=source)
    slip = promise(consultant, on(9, 15), on(15, days=7), customer=known, contact_record_id=first.id)
    do("appointment_slip.arrive", guide, slip, when=on(15, days=7))
    # 9 o'clock: at the second ring, which is too late; nobody known.
    call(consultant, on(9, 40), "wrong_number", ring_count=2)
    # 10 o'clock: missed, by the colleague.
    call(colleague, on(10), "silent", ring_count=5, missed=Answered.MISSED)
    # 10 o'clock: answered, nobody counted the rings; the customer of nine o'clock again, a slip would be her second.
    call(colleague, on(10, 30), "booking", customer_id=known.id)
    # 11 o'clock: two chats, one worth something; her slip is voided again, but she had one.
    good = chat(on(11), "price_enquiry")
    wanted = file(writer, on(11, 5), good)
    promise(writer, on(11, 10), on(12, days=3), customer=wanted, contact_record_id=good.id, channel=Channel.WEB_CHAT)
    chat(on(11, 30), lead="invalid")
    # 23:59 of the day, a partner's lead without a file.
    lead(on(23, 59))
    # A file without a contact: new, and of no source.
    make_customer(consultant, when=on(12))
    # Not this day, not this branch.
    call(consultant, on(23, 59, days=-1))
    call(consultant, on(0, days=1))
    make_customer(consultant, when=on(0, days=1))
    call(person("b2_phone_consultant"), on(9))
    session.commit()


@pytest.fixture
def eavesdropper() -> Iterator[tuple[str, list[str]]]:
    """Listen on a local port; yields its address and the paths that were asked for."""
    asked: list[str] = []

    class Listener(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"body { color: red }")

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()
