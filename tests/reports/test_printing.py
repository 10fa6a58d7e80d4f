"""Printing that counts: copies, two people at once, double clicks, failures, batches. White paper R-2.1-1, 5.1, E.3."""

from __future__ import annotations

import dataclasses
import re
import threading
from datetime import UTC, datetime, timedelta

import pypdfium2
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from app.errors import InvalidInput, KeyReused, NotPermitted, OutOfScope
from app.models.appointments import AppointmentSlip, SlipState
from app.models.audit import ActRun
from app.models.printing import PrintJob
from app.models.tasks import BackgroundTask, TaskState
from app.panel.history import history_of
from app.reports import press, printing
from app.reports.appointment_slip import APPOINTMENT_SLIP
from app.reports.printing import MOST_SHEETS, ask_batch, preview, print_record
from app.services.files import content_of, readable
from app.services.printing import Form, enter
from app.services.tasks import perform
from app.services.tasks.results import drop_old_results
from app.unit import unit_of_work
from app.words import force_locale
from tests.reports.test_paper import make_facts, numbers_on, pages_of, squeezed

SLIP = Form("appointment_slip", "appointment_slip")


@pytest.fixture
def put(session, at):
    """Print a slip as somebody, and return the printing."""
    keys = iter(range(10**6))

    def go(by, slip, *, key=None, locale="zh"):
        key = key or f"print-{next(keys)}"
        return print_record(session, APPOINTMENT_SLIP, slip.id, by=by, at=at, key=key, locale=locale)

    return go


@pytest.fixture
def batch(session, at, work_off):
    """Print slips in the background; return the task as it then stands."""

    def go(by, slips, **told):
        asked = ask_batch(session, APPOINTMENT_SLIP, [slip.id for slip in slips], by=by, at=at, **told)
        work_off()
        return session.get_one(BackgroundTask, asked.id)

    return go


def copies(session, *slips):
    """The copies that the log has of slips, as (record, copy)."""
    rows = session.execute(
        select(PrintJob.record_id, PrintJob.copy_no).where(PrintJob.record_id.in_([slip.id for slip in slips]))
    )
    return sorted(tuple(row) for row in rows)


# --- which copy it is ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("locale", "first", "second"), [("zh", "副本1", "副本2"), ("en", "Copy1", "Copy2")])
def test_from_the_second_printing_on_every_page_says_which_duplicate_it_is(
    put, consultant, make_slip, locale, first, second
):
    """The first printing is the original and says nothing; the second is 副本 1. Both halves of the form say it."""
    slip = make_slip()
    printings = [put(consultant, slip, locale=locale) for _ in range(3)]
    texts = [[squeezed(page) for page in pages_of(made.pdf)] for made in printings]
    assert [len(pages) for pages in texts] == [2, 2, 2]
    assert not any("副本" in page or "Copy1" in page for page in texts[0])
    assert all(first in page for page in texts[1])
    assert all(second in page and first not in page for page in texts[2])
    assert [made.job.copy_no for made in printings] == [1, 2, 3]


def test_the_log_keeps_who_when_which_copy_and_where(session, put, consultant, make_slip, at):
    slip = make_slip()
    job = put(consultant, slip).job
    assert (job.table_name, job.record_id, job.record_name, job.paper) == (
        "appointment_slip",
        slip.id,
        slip.slip_no,
        "appointment_slip",
    )
    assert (job.employee_id, job.actor, job.printed_at) == (consultant.employee_id, consultant.name, at)
    assert (job.branch_id, job.department_id, job.locale, job.pages, job.task_id) == (
        slip.branch_id,
        slip.department_id,
        "zh",
        2,
        None,
    )


def test_a_printing_stands_in_the_records_history_with_its_copy(session, put, consultant, make_slip):
    slip = make_slip()
    put(consultant, slip)
    put(consultant, slip)
    with force_locale("en"):
        newest, older, *_rest = history_of(session, slip, consultant)
    assert [newest.label, older.label] == ["Printed", "Printed"]
    assert [dict(line.details)["Copy"] for line in (newest, older)] == ["Copy 1", "Original"]
    assert newest.who == consultant.display_name


def test_a_double_click_and_a_reload_give_the_same_copy_again(session, put, consultant, make_slip):
    slip = make_slip()
    first, again = put(consultant, slip, key="once"), put(consultant, slip, key="once")
    assert first.job.id == again.job.id
    assert pages_of(first.pdf) == pages_of(again.pdf)
    assert copies(session, slip) == [(slip.id, 1)]


def test_a_key_stands_for_one_printing(put, consultant, make_slip):
    put(consultant, make_slip(), key="once")
    with pytest.raises(KeyReused):
        put(consultant, make_slip(), key="once")


def test_what_fails_to_print_is_not_counted(session, put, consultant, make_slip, monkeypatch):
    slip = make_slip()

    def broken(*_args, **_more):
        raise ValueError("out of ink")

    monkeypatch.setattr(printing, "bind", broken)
    with pytest.raises(ValueError, match="out of ink"):
        put(consultant, slip, key="once")
    monkeypatch.undo()
    assert copies(session, slip) == []
    assert session.scalar(select(func.count(ActRun.id)).where(ActRun.act == "print")) == 0
    assert put(consultant, slip, key="once").job.copy_no == 1


def test_a_preview_says_so_on_every_page_and_is_not_counted(session, consultant, make_slip, at):
    slip = make_slip()
    for locale, word in (("zh", "预览"), ("en", "Preview")):
        pdf = preview(session, APPOINTMENT_SLIP, slip, by=consultant, at=at, locale=locale)
        assert all(word in squeezed(page) for page in pages_of(pdf))
    assert copies(session, slip) == []


def test_nobody_prints_without_the_right_or_beyond_her_scope(put, person, make_slip):
    slip = make_slip()
    with pytest.raises(NotPermitted):
        put(person("hr"), slip)
    with pytest.raises(OutOfScope):
        put(person("b2_phone_consultant"), slip)


@pytest.mark.slow
def test_two_people_who_print_at_once_get_one_copy_after_the_other(own_world):
    slip_id, _values = own_world.slip()
    outcomes = []
    ready = threading.Barrier(6)

    def attempt(name, number):
        with own_world.app.app_context():
            session = own_world.session()
            by = own_world.person(session, name)
            ready.wait(60)
            made = print_record(
                session, APPOINTMENT_SLIP, slip_id, by=by, at=datetime.now(UTC), key=f"{name} {number}", locale="zh"
            )
            outcomes.append((made.job.copy_no, squeezed(pages_of(made.pdf)[0])))

    names = [("phone_consultant", 1), ("phone_supervisor", 1), ("guide", 1)] * 2
    threads = [threading.Thread(target=attempt, args=(name, at)) for at, (name, _n) in enumerate(names)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert sorted(copy_no for copy_no, _page in outcomes) == [1, 2, 3, 4, 5, 6]
    said = {copy_no: re.findall(r"副本\d+", page) for copy_no, page in outcomes}
    assert said == {1: [], **{number: [f"副本{number - 1}"] for number in range(2, 7)}}, (
        "the paper says what the log says"
    )


def test_the_schema_gives_a_copy_number_once(session, put, consultant, make_slip, at):
    slip = make_slip()
    put(consultant, slip)
    with pytest.raises(IntegrityError, match="uq_print_job"), session.begin_nested():
        enter(session, SLIP, slip, copy_no=1, pages=2, locale="zh", by=consultant, at=at, key="other")


@pytest.mark.parametrize(
    "statement", ["update print_job set copy_no = 9", "delete from print_job", "truncate print_job"]
)
def test_the_log_can_only_be_added_to(session, put, consultant, make_slip, statement):
    put(consultant, make_slip())
    with pytest.raises(ProgrammingError, match="permission denied"), session.begin_nested():
        session.execute(text(statement))


def test_the_file_of_a_batch_is_removed_when_its_days_are_over_and_the_log_stays(
    session, batch, supervisor, make_slip, at
):
    slip = make_slip()
    task = batch(supervisor, [slip])
    assert drop_old_results(session, at=at + timedelta(days=29)) == 0
    assert drop_old_results(session, at=at + timedelta(days=31)) == 1
    session.expire_all()
    assert readable(session, task.result_file_id, supervisor) is None
    assert copies(session, slip) == [(slip.id, 1)]


# --- many sheets, one file -------------------------------------------------------------------------------------------


def test_a_selection_becomes_one_file_in_its_order_each_with_its_own_copy(
    session, put, batch, supervisor, make_slip, at
):
    slips = [make_slip() for _ in range(4)]
    put(supervisor, slips[2])
    order = [slips[3], slips[2], slips[0], slips[1]]
    task = batch(supervisor, order)
    assert (task.state, task.error, task.done_count) == (TaskState.DONE, None, 4)
    assert task.said == {"zh": "已打印 4 张", "en": "4 printed"} or task.said["en"] == "4 printed"
    pdf = content_of(task.result_file)
    numbers = [found for page in numbers_on(pdf, 150) for found in page]
    assert numbers == [slip.slip_no.replace("-", "") for slip in order for _half in range(2)]
    said = ["副本1" in squeezed(page) for page in pages_of(pdf)]
    assert said == [False, False, True, True, False, False, False, False]
    assert copies(session, *slips) == sorted([(slips[2].id, 2), *((slip.id, 1) for slip in slips)])
    jobs = session.scalars(select(PrintJob).where(PrintJob.task_id == task.id)).all()
    assert {job.employee_id for job in jobs} == {supervisor.employee_id}
    assert session.scalar(select(func.count(ActRun.id)).where(ActRun.act == "print")) == 5


def test_what_no_longer_counts_or_is_not_ones_own_is_left_out_and_named(
    session, do, batch, supervisor, person, make_slip
):
    good, voided, foreign = make_slip(), make_slip(), make_slip(person("b2_phone_consultant"))
    do("appointment_slip.void", supervisor, voided, reason="客户取消")
    task = batch(supervisor, [voided, good, foreign])
    assert task.state is TaskState.DONE
    assert task.said["en"].startswith("1 printed, 2 not: ")
    assert voided.slip_no in task.said["en"]
    assert foreign.slip_no not in task.said["en"], "what one may not see is not named"
    assert str(foreign.id) in task.said["en"]
    assert copies(session, good, voided, foreign) == [(good.id, 1)]


def test_a_slip_that_is_void_while_the_batch_is_being_set_is_left_out(
    session, do, batch, supervisor, make_slip, monkeypatch
):
    slips = [make_slip() for _ in range(3)]
    filled = press.fill_in

    def and_void(form, sheet, locale):
        if sheet.name == slips[2].slip_no and slips[0].state is SlipState.PENDING:
            do("appointment_slip.void", supervisor, slips[0], reason="客户取消")
        return filled(form, sheet, locale)

    monkeypatch.setattr(press, "fill_in", and_void)
    task = batch(supervisor, slips)
    assert copies(session, *slips) == [(slips[1].id, 1), (slips[2].id, 1)]
    assert slips[0].slip_no in task.said["zh"]
    assert numbers_on(content_of(task.result_file), 150)[0] == [slips[1].slip_no.replace("-", "")]


def test_a_copy_that_somebody_printed_meanwhile_is_not_given_twice(
    session, put, batch, supervisor, consultant, make_slip, monkeypatch
):
    slips = [make_slip() for _ in range(2)]
    filled, meanwhile = press.fill_in, []

    def and_print(form, sheet, locale):
        if not meanwhile:
            meanwhile.append(None)
            put(consultant, slips[0])
        return filled(form, sheet, locale)

    monkeypatch.setattr(press, "fill_in", and_print)
    task = batch(supervisor, slips)
    assert copies(session, *slips) == [(slips[0].id, 1), (slips[0].id, 2), (slips[1].id, 1)]
    assert "副本1" in squeezed(pages_of(content_of(task.result_file))[0])


def test_a_batch_of_nothing_but_void_slips_fails_and_says_why(do, batch, supervisor, make_slip):
    slip = make_slip()
    do("appointment_slip.void", supervisor, slip, reason="客户取消")
    task = batch(supervisor, [slip])
    assert task.state is TaskState.FAILED
    assert slip.slip_no in task.error


def test_a_worker_that_dies_in_the_middle_leaves_no_copy_counted_twice(
    session, batch, supervisor, make_slip, at, monkeypatch
):
    slips = [make_slip() for _ in range(2)]
    asked = ask_batch(session, APPOINTMENT_SLIP, [slip.id for slip in slips], by=supervisor, at=at)
    session.commit()
    finish = printing.TaskRun.finish

    def killed(*_args):
        raise SystemExit("killed")

    monkeypatch.setattr(printing.TaskRun, "finish", killed)
    with pytest.raises(SystemExit):
        perform(session, asked.id, asked.job_id, clock=lambda: at)
    assert copies(session, *slips) == []
    monkeypatch.setattr(printing.TaskRun, "finish", finish)
    assert perform(session, asked.id, asked.job_id, clock=lambda: at) is TaskState.DONE
    assert copies(session, *slips) == [(slip.id, 1) for slip in slips]


def test_a_batch_is_asked_for_once_and_within_bounds(session, supervisor, person, make_slip, at):
    slip = make_slip()
    first, again = (
        ask_batch(session, APPOINTMENT_SLIP, [slip.id], by=supervisor, at=at, key="once") for _click in range(2)
    )
    assert first.id == again.id
    with pytest.raises(InvalidInput):
        ask_batch(session, APPOINTMENT_SLIP, [], by=supervisor, at=at)
    with pytest.raises(InvalidInput):
        ask_batch(session, APPOINTMENT_SLIP, range(1, MOST_SHEETS + 2), by=supervisor, at=at)
    with pytest.raises(NotPermitted):
        ask_batch(session, APPOINTMENT_SLIP, [slip.id], by=person("hr"), at=at)


def test_a_right_that_was_taken_away_meanwhile_stops_the_batch(session, supervisor, make_slip, at, monkeypatch):
    asked = ask_batch(session, APPOINTMENT_SLIP, [make_slip().id], by=supervisor, at=at)
    session.commit()
    monkeypatch.setattr(type(supervisor), "may", lambda *_args: False)
    assert perform(session, asked.id, asked.job_id, clock=lambda: at) is TaskState.FAILED


@pytest.mark.slow
def test_a_hundred_slips_in_one_file_give_their_numbers():
    """Issue 3, item 6: a selection of 100 slips in one PDF."""
    sheets = [press.Sheet(make_facts(slip_no=f"YY01-20261122-{number:04}"), str(number), 1) for number in range(100)]
    pdf = press.printed(APPOINTMENT_SLIP, sheets, "zh")
    numbers = numbers_on(pdf, 150)
    assert [page[0] for page in numbers] == [f"YY0120261122{number:04}" for number in range(100) for _half in range(2)]
    assert len(pdf) < 100 * 15_000, "each font is embedded once"


def numbered(count):
    return [press.Sheet(make_facts(slip_no=f"YY01-20261122-{number:04}"), str(number), 1) for number in range(count)]


def test_pieces_are_joined_in_order_with_title_and_language(monkeypatch):
    """A batch is written in pieces, so that only so many sheets are laid out at a time; the file is one."""
    monkeypatch.setattr(press, "PIECE", 3)
    waiting, real = [], press.bind

    def counting(form, filled, *args, **told):
        waiting.append(len(filled))
        return real(form, filled, *args, **told)

    monkeypatch.setattr(press, "bind", counting)
    written = list(press.set_sheets(APPOINTMENT_SLIP, numbered(8), "zh"))
    assert waiting == [3, 3, 2]
    pdf = press.join(written)
    numbers = [found for page in numbers_on(pdf, 150) for found in page]
    assert numbers == [f"YY0120261122{number:04}" for number in range(8) for _half in range(2)]
    with pypdfium2.PdfDocument(pdf) as document:
        assert document.get_metadata_dict()["Title"] == APPOINTMENT_SLIP.title_in("zh")
        assert document.get_metadata_dict()["Title"]
    assert b"/Lang" in pdf
    with pytest.raises(ValueError, match="no sheet"):
        press.join([])


def test_sheets_that_were_set_anew_or_left_out_stand_in_the_lists_order(monkeypatch):
    monkeypatch.setattr(press, "PIECE", 3)
    sheets = numbered(7)
    written = list(press.set_sheets(APPOINTMENT_SLIP, sheets, "zh"))
    anew = list(press.set_sheets(APPOINTMENT_SLIP, [dataclasses.replace(sheets[n], copy_no=2) for n in (0, 4)], "zh"))
    order = [anew[0], written[2], written[3], anew[1], written[5], written[6]]
    pdf = press.join(order)
    numbers = [found for page in numbers_on(pdf, 150) for found in page]
    assert numbers == [f"YY0120261122{number:04}" for number in (0, 2, 3, 4, 5, 6) for _half in range(2)]
    said = [re.search("副本1|Copy1", squeezed(page)) is not None for page in pages_of(pdf)]
    assert said == [True] * 2 + [False] * 4 + [True] * 2 + [False] * 4


def test_the_slips_of_a_batch_look_as_they_do_alone():
    sheets = [press.Sheet(make_facts(customer_name=name), name, 2) for name in ("林小雨", "周雨")]
    together = pages_of(press.printed(APPOINTMENT_SLIP, sheets, "zh"))
    alone = [page for sheet in sheets for page in pages_of(press.printed(APPOINTMENT_SLIP, [sheet], "zh"))]
    assert together == alone


def test_unit_of_work_is_the_one_commit(session, supervisor, make_slip, at):
    """A printing joins the transaction it stands in: what is undone around it was never counted."""
    slip = make_slip()
    with pytest.raises(RuntimeError), unit_of_work(session):
        _print_and_fail(session, supervisor, slip, at)
    assert copies(session, slip) == []
    assert session.get(AppointmentSlip, slip.id) is not None


def _print_and_fail(session, by, slip, at):
    print_record(session, APPOINTMENT_SLIP, slip.id, by=by, at=at, key="k", locale="zh")
    raise RuntimeError
