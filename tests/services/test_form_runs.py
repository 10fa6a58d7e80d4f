"""Blank forms have numbers of a run; one is bound once, and only if the branch took it. R-2.2.6-2, 5.1.3."""

from __future__ import annotations

from decimal import Decimal

import pytest

from app.errors import NotPermitted, Refusal
from app.models.customers import Sex, SourceChannel
from app.models.settings import Param
from app.services.reception.labels import COLUMNS, LABEL_WIDTH, layout_of
from app.services.reception.runs import numbers_of


@pytest.fixture
def visit(do, guide, make_customer):
    """A new customer in the house."""
    return lambda: do("visit.receive", guide, customer_id=make_customer().id).record


@pytest.fixture
def said(session):
    return {
        "name": "林小雨", "sex": Sex.FEMALE, "age": 28, "phone": "13900001111", "address": "徐汇区",
        "source_channel_id": session.query(SourceChannel).filter_by(code="natural_passing").one().id,
    }  # fmt: skip


def test_a_scanned_form_is_bound_to_one_visit_and_keeps_the_runs_own_spelling(do, guide, visit, said):
    run = do("reception_form_run.take", guide, count=3).record
    first, second, third = numbers_of(run.first_no, 3)
    assert (first, third) == (run.first_no, run.last_no)
    # as a scanner sends it, as it is typed, as it stands
    for said_as, number in ((second.replace("-", "").lower(), second), (f" {third} ", third), (first, first)):
        form = do("reception_form.register", guide, visit_id=visit().id, form_no=said_as, **said).record
        assert form.form_no == number
    with pytest.raises(Refusal, match=second):
        do("reception_form.register", guide, visit_id=visit().id, form_no=second, **said)


@pytest.mark.parametrize("wrong", ["JB01-20200101-0001", "nonsense", "", "0", "JB01", "JB01-20261123-00010"])
def test_a_number_that_was_never_taken_is_refused_and_none_at_all_gets_a_new_one(do, guide, visit, said, wrong):
    run = do("reception_form_run.take", guide, count=2).record
    if not wrong:
        form = do("reception_form.register", guide, visit_id=visit().id, form_no="", **said).record
        assert form.form_no > run.last_no
        return
    with pytest.raises(Refusal) as refused:
        do("reception_form.register", guide, visit_id=visit().id, form_no=wrong, **said)
    assert refused.value.field == "form_no"


def test_another_branchs_form_is_refused_and_beyond_the_run_is_unknown(do, guide, person, visit, said):
    foreign = do("reception_form_run.take", person("b2_guide"), count=1).record
    with pytest.raises(Refusal):
        do("reception_form.register", guide, visit_id=visit().id, form_no=foreign.first_no, **said)
    run = do("reception_form_run.take", guide, count=1).record
    beyond = next(number for number in numbers_of(run.first_no, 2) if number != run.first_no)
    with pytest.raises(Refusal):
        do("reception_form.register", guide, visit_id=visit().id, form_no=beyond, **said)


def test_who_takes_no_numbers_is_refused_and_rest_says_what_is_wrong(do, consultant, rest):
    with pytest.raises(NotPermitted):
        do("reception_form_run.take", consultant, count=1)
    call = rest("guide")
    assert call("POST", "reception_form_run/take", {"count": 201}).status_code == 422
    assert call("POST", "reception_form_run/take", {"count": 2}).status_code == 201


def test_the_slips_paper_opens_as_it_is_received_if_the_setting_says_so(do, guide, make_slip, session, at, rest):
    """R-2.1-1: over the screen and over REST; the copy is the slip's own."""
    slip = make_slip(appointed_at=at, latest_arrival_at=at)
    told = rest("guide")("POST", "visit/receive", {"appointment_slip_id": slip.id}, Idempotency_Key="once")
    assert told.json["paper"] == f"appointment_slip/{slip.id}/appointment_slip"
    other = make_slip(appointed_at=at, latest_arrival_at=at)
    session.add(Param(key="appointments.print_on_arrival", value="no", branch_id=guide.branch_id, effective_at=at))
    session.flush()
    assert do("visit.receive", guide, appointment_slip_id=other.id).paper is None


def test_labels_that_do_not_fit_on_their_sheet_are_refused(session, guide, at, do, person):
    layout = layout_of(session, guide.branch_id, at)
    assert (layout.per_sheet, layout.place(4)) == (39, (Decimal(80), Decimal("38.5")))
    supervisor = person("it_manager")
    do("param.set_value", supervisor, key=LABEL_WIDTH.key, branch_id=guide.branch_id, value="62.5", effective_at=None,
       reason=None)  # fmt: skip
    with pytest.raises(Refusal):
        layout_of(session, guide.branch_id, at)
    do("param.set_value", supervisor, key=COLUMNS.key, branch_id=guide.branch_id, value="2", effective_at=None,
       reason=None)  # fmt: skip
    assert layout_of(session, guide.branch_id, at).columns == 2
