"""Customers are received once, cards have one owner, forms one visit. White paper 2.2; R-2.2.3-1 to R-2.2.6-2."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from app.errors import IllegalMove, InvalidInput, Refusal
from app.models.appointments import SlipState
from app.models.audit import Notice
from app.models.customers import Sex, SourceChannel
from app.models.reception import CardState, CardType, CustomerCard, ServiceDesk, Visit, VisitState, VisitType


@pytest.fixture
def receive(do: Callable[..., Any], guide: Any, make_customer: Callable[..., Any]) -> Callable[..., Visit]:
    def go(**values: Any) -> Visit:
        if not {"appointment_slip_id", "card_no", "phone_tail", "customer_id", "name"} & set(values):
            values["customer_id"] = make_customer().id
        return do("visit.receive", guide, **values).record

    return go


@pytest.fixture
def cards(do: Callable[..., Any], person: Callable[..., Any], session: Any) -> Callable[..., list[CustomerCard]]:
    def take_in(card_type: CardType, count: int = 2) -> list[CustomerCard]:
        stock = do("card_stock.take_in", person("guide_supervisor"), card_type=card_type, count=count).record
        found = session.query(CustomerCard).filter_by(stock_id=stock.id).order_by(CustomerCard.card_no).all()
        assert [found[0].card_no, found[-1].card_no] == [stock.first_no, stock.last_no]
        return found

    return take_in


def test_a_slip_is_received_once_and_its_owner_is_told(do, guide, make_slip, receive, session, at):
    slip = make_slip(appointed_at=at, latest_arrival_at=at + timedelta(minutes=30))
    visit = receive(appointment_slip_id=slip.id)
    assert (visit.visit_type, visit.is_late, slip.state) == (VisitType.FIRST, False, SlipState.ARRIVED)
    assert session.query(Notice).filter_by(kind="slip_arrived", record_id=slip.id).count() == 1
    with pytest.raises(Refusal, match=visit.visit_no):
        receive(appointment_slip_id=slip.id)
    do("visit.cancel", guide, visit, reason="有事先走")
    assert visit.closed_at == at
    with pytest.raises(Refusal, match=visit.visit_no):
        receive(appointment_slip_id=slip.id)


def test_who_comes_late_is_flagged_and_found_by_the_end_of_her_number(do, guide, make_slip, make_customer, receive, at):
    """R-2.2.4-2. Two slips whose numbers end alike are named, none is chosen."""
    mine = make_slip(customer=make_customer(phone="13912347788"), appointed_at=at)
    visit = do("visit.receive", guide, when=at + timedelta(hours=3), phone_tail="7788").record
    assert (visit.appointment_slip_id, visit.is_late) == (mine.id, True)
    for phone in ("13912340011", "13912350011"):
        make_slip(customer=make_customer(phone=phone), appointed_at=at)
    with pytest.raises(Refusal, match=r"林小雨.*林小雨"):
        receive(phone_tail="0011")
    with pytest.raises(Refusal):
        receive(phone_tail="9999")
    with pytest.raises(InvalidInput):
        receive(phone_tail="12ab")


def test_walking_in_opens_a_file_and_a_known_number_is_refused(receive, phone, make_customer):
    visit = receive(name="路小过", phone=phone(), sex=Sex.FEMALE)
    assert (visit.customer.state.value, visit.customer.developer_id) == ("temporary", None)
    known = phone()
    make_customer(phone=known)
    with pytest.raises(Refusal):
        receive(name="路小过", phone=known)
    with pytest.raises(InvalidInput):
        receive(name="路小过")


def test_the_referrer_is_a_customer_of_that_name_and_number_and_locked_after_triage(
    do, guide, person, make_customer, receive, phone, session
):
    """R-2.2.6-1; market customers have none (R-S2-6)."""
    number = phone()
    old = make_customer(name="王老客", phone=number)
    visit = receive(referrer_name="王老客", referrer_phone=number)
    assert visit.referrer_customer_id == old.id
    with pytest.raises(Refusal):
        receive(referrer_name="王新客", referrer_phone=number)
    with pytest.raises(Refusal):
        receive(customer_id=old.id, referrer_name="王老客", referrer_phone=number)
    market = session.query(SourceChannel).filter_by(is_market=True).first()
    with pytest.raises(Refusal):
        receive(source_channel_id=market.id, referrer_name="王老客", referrer_phone=number)
    visit.become(VisitState.TRIAGED)
    session.flush()
    with pytest.raises(IllegalMove):
        do("visit.refer", guide, visit, referrer_name=None, referrer_phone=None)
    supervisor = person("guide_supervisor")
    do("visit.correct_referrer", supervisor, visit, referrer_name=None, referrer_phone=None, reason="登记错了")
    assert visit.referrer_customer_id is None


def test_a_design_card_has_one_owner_and_a_lost_one_is_refused(do, guide, make_customer, receive, cards):
    """R-2.2.3-1 to -3."""
    first, second = cards(CardType.DESIGN)
    nobody = make_customer(sex=None)
    with pytest.raises(Refusal):
        do("customer_card.issue", guide, first, customer_id=nobody.id)
    customer = make_customer(sex=Sex.FEMALE)
    do("customer_card.issue", guide, first, customer_id=customer.id)
    with pytest.raises(Refusal, match=first.card_no):
        do("customer_card.issue", guide, second, customer_id=customer.id)
    scanned = receive(card_no=first.card_no.replace("-", "").lower())
    assert scanned.customer_id == customer.id
    do("customer_card.report_lost", guide, first, reason="客人遗失")
    with pytest.raises(Refusal):
        receive(card_no=first.card_no)
    new = do("customer_card.replace", guide, first, new_card_id=second.id).result
    assert (first.state, new.id, new.state, new.customer_id) == (
        CardState.REPLACED,
        second.id,
        CardState.ACTIVE,
        customer.id,
    )
    with pytest.raises(Refusal, match="SJ01-999999"):
        receive(card_no="SJ01-999999")


def test_one_temporary_card_one_open_visit_and_a_scan_finds_it(do, guide, receive, cards, session, person):
    card, other = cards(CardType.VISIT)
    one, two = receive(), receive()
    issue = do("visit_card_issue.hand_out", guide, visit_id=one.id, card_no=card.card_no).record
    with pytest.raises(Refusal, match=one.visit_no):
        do("visit_card_issue.hand_out", guide, visit_id=two.id, card_no=card.card_no)
    with pytest.raises(Refusal):
        do("visit_card_issue.hand_out", guide, visit_id=one.id, card_no=other.card_no)
    desk = ServiceDesk(code="F1", name="一楼前台", branch_id=guide.branch_id)
    session.add(desk)
    session.flush()
    scanned = do("visit_checkpoint.scan", guide, code=card.card_no, desk_id=desk.id).record
    assert scanned.visit_id == one.id
    do("visit_card_issue.take_back", guide, issue)
    assert (card.state, issue.returned_at) == (CardState.ISSUED_TO_DESK, issue.ended_at)
    with pytest.raises(Refusal):
        do("visit_checkpoint.scan", guide, code=card.card_no, desk_id=desk.id)
    issue = do("visit_card_issue.hand_out", guide, visit_id=two.id, card_no=card.card_no).record
    do("customer_card.bring_back", guide, card)
    session.refresh(issue)
    assert (card.state, issue.returned_at) == (CardState.ISSUED_TO_DESK, issue.ended_at), "by the card itself, too"
    do("visit_card_issue.hand_out", guide, visit_id=two.id, card_no=card.card_no)
    do("customer_card.report_lost", guide, card, reason="客人带走")
    with pytest.raises(Refusal):
        do("visit_checkpoint.scan", guide, code=card.card_no, desk_id=desk.id)
    foreign = person("b2_guide")
    with pytest.raises(Refusal):
        do("visit_checkpoint.scan", foreign, code=other.card_no, desk_id=desk.id)


def test_a_form_belongs_to_one_visit_for_good(do, guide, receive, session):
    """R-2.2.6-2, S1."""
    said = {
        "name": "林小雨", "sex": Sex.FEMALE, "age": 28, "phone": "13900001111", "address": "徐汇区",
        "source_channel_id": session.query(SourceChannel).filter_by(code="natural_passing").one().id,
    }  # fmt: skip
    one, two = receive(), receive()
    form = do("reception_form.register", guide, visit_id=one.id, **said).record
    with pytest.raises(Refusal):
        do("reception_form.register", guide, visit_id=two.id, form_no=form.form_no, **said)
    with pytest.raises(Refusal):
        do("reception_form.register", guide, visit_id=one.id, **said)
    with pytest.raises(InvalidInput):
        do("reception_form.register", guide, inputs={"visit_id": str(two.id), "name": "林小雨"})


def test_rest_receives_and_says_what_is_wrong(rest, make_slip, at):
    slip = make_slip(appointed_at=at)
    call = rest("guide")
    made = call("POST", "visit/receive", {"appointment_slip_id": slip.id})
    assert (made.status_code, made.json.get("result", made.json).get("state")) == (201, "registered"), made.text
    assert call("POST", "visit/receive", {"appointment_slip_id": slip.id}).status_code == 409
    assert call("POST", "visit/receive", {"phone_tail": 12}).status_code in (422, 409)
    assert call("POST", "visit/receive", {}).status_code == 422
    assert rest("onsite_consultant")("POST", "visit/receive", {}).status_code == 403
