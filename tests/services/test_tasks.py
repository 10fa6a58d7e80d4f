"""Long work: asked for with its act, done once, in one transaction or step by step; cancelled, failed, asked again."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select, text, update

from app.errors import KeyReused, Refusal
from app.models.audit import Notice
from app.models.customers import Customer
from app.models.tasks import BackgroundTask, TaskState
from app.services.tasks import TASKS, TaskRun, enqueue, perform, task
from app.unit import unit_of_work
from app.words import _l

KIND = "test.work"
JOBS = text("select id, args, status::text, scheduled_at from procrastinate_jobs order by id")


@pytest.fixture
def declare():
    """Declare long work for one test."""
    made = []

    def go(work, *, kind=KIND, steps=False):
        task(kind, _l("Import"), steps=steps)(work)
        made.append(kind)

    yield go
    for kind in made:
        del TASKS[kind]


@pytest.fixture
def ask(session, consultant, at):
    """Ask for the work as the consultant, and commit."""

    def go(parameters=None, *, by=consultant, **told):
        with unit_of_work(session):
            return enqueue(session, KIND, parameters or {}, by=by, at=at, **told)

    return go


@pytest.fixture
def go_on(session, at):
    """Take a task up as a worker would; return it as it then stands."""

    def go(asked, **told):
        perform(session, asked.id, asked.job_id, clock=lambda: at, **told)
        session.expire_all()
        return session.get_one(BackgroundTask, asked.id)

    return go


def jobs(session):
    return session.execute(JOBS).all()


def regions(session):
    """The effect of the works below: how often they wrote."""
    return session.scalar(select(func.count()).where(Customer.name == "长工"))


def write(run, at=None):
    """The effect that the tests count."""
    run.session.execute(update(Customer).where(Customer.id == run.parameters["customer"]).values(name="长工"))


# --- asked for ---------------------------------------------------------------------------------------------------


def test_a_task_and_its_job_come_with_the_act_and_go_with_it(session, declare, consultant, at):
    declare(lambda run: None)
    with pytest.raises(Refusal), unit_of_work(session):
        enqueue(session, KIND, {}, by=consultant, at=at)
        assert len(jobs(session)) == 1
        raise Refusal("no")
    assert jobs(session) == []
    assert session.scalar(select(func.count(BackgroundTask.id))) == 0
    with unit_of_work(session):
        asked = enqueue(session, KIND, {"file": 7}, by=consultant, at=at, subject=("customer", 3), total=12)
    (job,) = jobs(session)
    assert (job.id, job.args, job.status) == (asked.job_id, {"task_id": asked.id}, "todo")
    assert (asked.state, asked.parameters, asked.employee_id, asked.branch_id, asked.total_count, asked.queued_at) == (
        TaskState.QUEUED,
        {"file": 7},
        consultant.employee_id,
        consultant.branch_id,
        12,
        at,
    )
    assert (asked.subject_table, asked.subject_id, asked.created_by_id) == ("customer", 3, consultant.user_id)


def test_a_double_click_asks_once_and_a_key_stands_for_one_thing(session, declare, ask, colleague):
    declare(lambda run: None)
    first = ask({"file": 7}, key="once")
    assert ask({"file": 7}, key="once").id == first.id
    assert len(jobs(session)) == 1
    with pytest.raises(KeyReused):
        ask({"file": 8}, key="once")
    assert ask({"file": 7}, key="once", by=colleague).id != first.id, "another person's key is another key"


def test_nobody_asks_for_work_that_is_not_declared(ask):
    with pytest.raises(ValueError, match="unknown task"):
        ask()


def test_a_kind_is_declared_once(declare):
    declare(lambda run: None)
    with pytest.raises(ValueError, match="declared twice"):
        declare(lambda run: None)


# --- in one transaction ------------------------------------------------------------------------------------------


def test_work_is_done_with_its_row_as_the_person_who_asked(session, declare, ask, go_on, consultant, make_customer, at):
    seen = {}

    def work(run: TaskRun):
        seen.update(by=run.by, at=run.at, actor=run.session.scalar(text("select current_setting('app.actor')")))
        write(run)
        return _l("Customer")  # any words that the catalogue has

    declare(work)
    asked = go_on(ask({"customer": make_customer().id}), worker="here:1")
    assert (asked.state, asked.attempts, asked.ended_at, asked.error) == (TaskState.DONE, 1, at, None)
    assert (asked.said, asked.worker) == ({"zh": "客户", "en": "Customer"}, "here:1")
    assert seen == {"by": consultant, "at": at, "actor": consultant.name}
    assert regions(session) == 1


def test_work_that_fails_leaves_nothing_and_says_why(session, declare, ask, go_on, make_customer, consultant):
    def work(run):
        write(run)
        raise ZeroDivisionError("division by zero\nsecond line with 13900000000")

    declare(work)
    asked = go_on(ask({"customer": make_customer().id}))
    assert (asked.state, asked.error) == (TaskState.FAILED, "ZeroDivisionError: division by zero")
    assert regions(session) == 0
    notice = session.scalars(select(Notice).where(Notice.table_name == "background_task")).one()
    assert (notice.kind, notice.record_id, notice.employee_id) == ("task_failed", asked.id, consultant.employee_id)
