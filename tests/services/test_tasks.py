"""Long work: asked for with its act, done once, in one transaction or step by step; cancelled, failed, asked again."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.actors import house
from app.errors import IllegalMove, InvalidInput, KeyReused, NotPermitted, OutOfScope, Refusal
from app.models.api_keys import ApiKey
from app.models.audit import Notice
from app.models.base import METADATA
from app.models.customers import Customer
from app.models.files import FilePurpose, StoredFile
from app.models.hr import EmployeeState
from app.models.tasks import BackgroundTask, TaskState
from app.services.api_keys import narrowed
from app.services.files import content_of, readable
from app.services.guard import crossing
from app.services.notices import sentence
from app.services.scope import in_scope
from app.services.tasks import TASKS, Stopped, enqueue, perform, take_up_again, task
from app.services.tasks.attempt import take_up
from app.services.tasks.running import MOST_FAILURES
from app.unit import unit_of_work
from app.words import _l, force_locale

KIND = "test.work"
JOBS = text("select id, args, status::text, scheduled_at from procrastinate_jobs order by id")


@pytest.fixture
def declare():
    """Declare long work for one test."""
    made = []

    def go(work, *, kind=KIND, steps=False):
        task(kind, "Test work", steps=steps)(work)
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


EFFECT = "长工"


def named(run, customer_id):
    """Write as the runner of acts does, which real work goes through."""
    with crossing("act"):
        run.session.execute(update(Customer).where(Customer.id == customer_id).values(name=EFFECT))


@pytest.fixture
def effect(session, make_customer):
    """A row that work may change: ``write(run)`` does, ``happened()`` says whether it stands."""

    class Effect:
        customer_id = make_customer().id

        def write(self, run):
            named(run, self.customer_id)

        def happened(self):
            return session.scalar(select(Customer.name).where(Customer.id == self.customer_id)) == EFFECT

    return Effect()


def hiccup(state):
    """What SQLAlchemy raises when the database breaks a transaction off."""
    return OperationalError("select 1", {}, psycopg.errors.lookup(state)("broken off"))


# --- asked for ---------------------------------------------------------------------------------------------------


def test_a_task_and_its_job_come_with_the_act_and_go_with_it(session, declare, consultant, at):
    declare(lambda run: None)

    def act():
        with unit_of_work(session):
            enqueue(session, KIND, {}, by=consultant, at=at)
            assert len(jobs(session)) == 1
            raise Refusal("no")

    with pytest.raises(Refusal):
        act()
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


def test_work_is_done_with_its_row_as_the_person_who_asked(session, declare, ask, go_on, consultant, effect, at):
    seen = {}

    def work(run):
        seen.update(by=run.by, at=run.at, actor=run.session.scalar(text("select current_setting('app.actor')")))
        effect.write(run)
        return _l("Customer")  # any words that the catalogue has

    declare(work)
    asked = go_on(ask(), worker="here:1")
    assert (asked.state, asked.attempts, asked.ended_at, asked.error) == (TaskState.DONE, 1, at, None)
    assert (asked.said, asked.worker) == ({"zh": "客户", "en": "Customer"}, "here:1")
    assert seen == {"by": consultant, "at": at, "actor": consultant.name}
    assert effect.happened()


def test_work_of_the_house_is_done_under_the_name_that_asked(session, declare, go_on, person, at):
    seen = []
    declare(lambda run: seen.append((run.by.name, run.by.is_house, run.by.branch_id)))
    branch_id = person("guide").branch_id
    with unit_of_work(session):
        asked = enqueue(session, KIND, {}, by=house("job:test", branch_id=branch_id), at=at)
    assert go_on(asked).state is TaskState.DONE
    assert seen == [("house:job:test", True, branch_id)]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (ZeroDivisionError("division by zero\nsecond line with 13900000000"), "ZeroDivisionError: division by zero"),
        (Refusal("Not on a Sunday."), "Not on a Sunday."),
        (InvalidInput({"file": ["It is empty.", "It is broken."]}), "It is empty. It is broken."),
        (NotPermitted(), "The person who asked for this may no longer do it."),
        (OutOfScope(), "What this is about is no longer there, or no longer to be seen by the person who asked."),
    ],
)
def test_work_that_fails_leaves_nothing_and_says_why(session, declare, ask, go_on, effect, consultant, wrong, said):
    def work(run):
        effect.write(run)
        raise wrong

    declare(work)
    with force_locale("en"):
        asked = go_on(ask())
    assert (asked.state, asked.error) == (TaskState.FAILED, said)
    assert not effect.happened()
    notice = session.scalars(select(Notice).where(Notice.table_name == "background_task")).one()
    assert (notice.kind, notice.record_id, notice.employee_id) == ("task_failed", asked.id, consultant.employee_id)
    with force_locale("en"):
        assert sentence(notice) == "Failed in the background: Test work. Open it to see why."


def test_who_asked_is_told_when_it_is_done(session, declare, ask, go_on):
    declare(lambda run: None)
    asked = go_on(ask())
    notice = session.scalars(select(Notice).where(Notice.table_name == "background_task")).one()
    assert (notice.kind, notice.record_id, notice.facts) == ("task_done", asked.id, {"task_kind": KIND})


@pytest.mark.parametrize(
    "gone", [{"login": False}, {"employee": EmployeeState.LEFT}, {"login": False, "employee": EmployeeState.LEFT}]
)
def test_the_work_of_somebody_who_has_left_is_not_done(
    session, declare, ask, go_on, employee, consultant, effect, gone
):
    declare(effect.write)
    asked = ask()
    if "employee" in gone:
        employee("phone_consultant").state = EmployeeState.LEFT
    if "login" in gone:
        user = METADATA.tables["ab_user"]
        session.execute(update(user).where(user.c.id == consultant.user_id).values(active=False))
    session.commit()
    asked = go_on(asked)
    assert asked.state is TaskState.FAILED
    assert "人" in asked.error or "no longer works here" in asked.error
    assert not effect.happened()


def test_a_job_has_its_effect_once_however_often_it_is_given_out(session, declare, ask, go_on, at):
    times = []
    declare(lambda run: times.append(1))
    asked = ask()
    go_on(asked)
    assert perform(session, asked.id, asked.job_id, clock=lambda: at) is None
    assert perform(session, asked.id, 999_999, clock=lambda: at) is None
    assert perform(session, 999_999, asked.job_id, clock=lambda: at) is None
    assert times == [1]


@pytest.mark.parametrize("in_steps", [False, True])
def test_an_attempt_that_lost_its_task_commits_nothing_more(own_world, declare, at, in_steps):
    """While it works another worker takes the task up: what is not committed by then is undone."""
    customer_id, _values = own_world.customer()
    finished = []

    def taken_up_elsewhere():
        with Session(own_world.session().get_bind()) as other, unit_of_work(other):
            assert take_up(other, asked.id, asked.job_id, at=at, worker="other").number == 2

    def work(run):
        with run.step() if in_steps else nullcontext():
            named(run, customer_id)
            taken_up_elsewhere()
        finished.append(in_steps)

    declare(work, steps=in_steps)
    with own_world.app.app_context():
        session = own_world.session()
        with unit_of_work(session):
            asked = enqueue(session, KIND, {}, by=own_world.person(session, "phone_consultant"), at=at)
        assert perform(session, asked.id, asked.job_id, clock=lambda: at, worker="first") is TaskState.RUNNING
        session.expire_all()
        assert session.scalar(select(Customer.name).where(Customer.id == customer_id)) != EFFECT
        left = session.get_one(BackgroundTask, asked.id)
        assert (left.state, left.attempts, left.worker, left.done_count) == (TaskState.RUNNING, 2, "other", 0)
        assert session.scalar(select(func.count(Notice.id))) == 0
    assert finished == ([] if in_steps else [False])


def test_a_kind_that_this_version_does_not_know_fails_with_a_sentence(declare, ask, go_on):
    declare(lambda run: None)
    asked = ask()
    known = TASKS.pop(KIND)
    try:
        assert go_on(asked).state is TaskState.FAILED
    finally:
        TASKS[KIND] = known


def test_a_result_file_is_the_persons_own_and_of_her_task(session, declare, ask, go_on, consultant, colleague, person):
    declare(lambda run: run.result("名单.csv", "text/csv", b"a,b\n"))
    asked = go_on(ask())
    file = session.get_one(StoredFile, asked.result_file_id)
    assert (file.name, file.purpose, file.subject_table, file.subject_id) == (
        "名单.csv",
        FilePurpose.RESULT,
        "background_task",
        asked.id,
    )
    assert content_of(file) == b"a,b\n"
    assert readable(session, file.id, consultant) is file
    assert readable(session, file.id, person("it_manager")) is None, "she sees the task, not what is in its result"
    assert readable(session, file.id, colleague) is None
    assert readable(session, file.id, person("b2_it_manager")) is None


def test_failed_work_leaves_no_result(session, declare, ask, go_on):
    def work(run):
        run.result("half.csv", "text/csv", b"a")
        raise Refusal("no")

    declare(work)
    assert go_on(ask()).result_file_id is None
    assert session.scalar(select(func.count(StoredFile.id))) == 0


# --- a hiccup of the database ------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["40001", "40P01", "08006", "57P01", "53300"])
def test_what_the_database_broke_off_is_done_again_after_a_pause(session, declare, ask, go_on, effect, state):
    tries = []

    def work(run):
        effect.write(run)
        tries.append(run.at)
        if len(tries) < 3:
            raise hiccup(state)

    declare(work)
    asked = ask()
    for failures in (1, 2):
        asked = go_on(asked)
        assert (asked.state, asked.failures, asked.error) == (TaskState.QUEUED, failures, None)
        assert not effect.happened()
        (job,) = [job for job in jobs(session) if job.id == asked.job_id]
        assert job.scheduled_at is not None
    asked = go_on(asked)
    assert (asked.state, asked.failures, asked.attempts) == (TaskState.DONE, 0, 3)
    assert effect.happened()


def test_a_database_that_always_breaks_off_is_a_failure_at_last(session, declare, ask, go_on):
    def work(run):
        raise hiccup("40001")

    declare(work)
    asked = ask()
    for _ in range(MOST_FAILURES):
        assert asked.state is TaskState.QUEUED
        asked = go_on(asked)
    assert (asked.state, asked.error) == (TaskState.FAILED, "OperationalError: broken off")


def test_a_wrong_statement_is_no_hiccup(session, declare, ask, go_on):
    declare(lambda run: run.session.execute(text("select nothing from nowhere")))
    asked = go_on(ask())
    assert (asked.state, asked.attempts) == (TaskState.FAILED, 1)
    assert asked.error.startswith("ProgrammingError: relation")


# --- in steps ----------------------------------------------------------------------------------------------------


@pytest.fixture
def counting(session, make_customer):
    """Work in steps: names one customer after another; breaks off before a step if told."""
    ids = [make_customer(name="林小雨").id for _ in range(5)]

    class Counting:
        broken_at = None
        wrong: BaseException = Refusal("no")
        begun: list[int]

        def __init__(self):
            self.begun = []

        def work(self, run):
            for index in range(run.checkpoint.get("next", 0), len(ids)):
                self.begun.append(index)
                with run.step() as checkpoint:
                    named(run, ids[index])
                    checkpoint["next"] = index + 1
                    if index == self.broken_at:
                        raise self.wrong
            return _l("Customer")

        def effects(self):
            names = dict(session.execute(select(Customer.id, Customer.name).where(Customer.id.in_(ids))).all())
            return [names[one] == EFFECT for one in ids]

    return Counting()


def test_steps_go_on_where_they_stopped(declare, ask, go_on, counting, do, consultant, session):
    declare(counting.work, steps=True)
    counting.broken_at = 3
    asked = go_on(ask(total=5))
    assert (asked.state, asked.done_count, asked.checkpoint) == (TaskState.FAILED, 3, {"next": 3})
    assert counting.effects() == [True, True, True, False, False]
    counting.broken_at = None
    again = do("background_task.retry", consultant, asked).record
    assert (again.state, again.error, again.ended_at) == (TaskState.QUEUED, None, None)
    asked = go_on(again)
    assert (asked.state, asked.done_count, asked.total_count) == (TaskState.DONE, 5, 5)
    assert all(counting.effects())
    assert counting.begun == [0, 1, 2, 3, 3, 4], "no step twice, but the one that was broken off"


def test_what_is_written_outside_a_step_is_undone(declare, ask, go_on, effect):
    def work(run):
        effect.write(run)
        with run.step():
            pass
        effect.write(run)

    declare(work, steps=True)
    assert go_on(ask()).state is TaskState.DONE
    assert not effect.happened()


def test_a_step_that_was_refused_can_be_noted_and_the_next_goes_on(session, declare, ask, go_on):
    def work(run):
        for number in range(3):
            try:
                with run.step() as checkpoint:
                    checkpoint.setdefault("done", []).append(number)
                    if number == 1:
                        raise Refusal("not this one")
            except Refusal as said:
                with run.step() as checkpoint:
                    checkpoint.setdefault("refused", {})[str(number)] = said.sentence

    declare(work, steps=True)
    asked = go_on(ask(total=3))
    assert asked.checkpoint == {"done": [0, 2], "refused": {"1": "not this one"}}
    assert (asked.state, asked.done_count) == (TaskState.DONE, 3)


def test_steps_are_only_for_work_that_says_so(declare, ask, go_on):
    def work(run):
        with run.step():
            pass

    declare(work)
    assert go_on(ask()).error.startswith("RuntimeError: task test.work is not declared with steps")


# --- cancelled, stopped ------------------------------------------------------------------------------------------


def test_a_waiting_task_is_cancelled_at_once(session, declare, ask, go_on, do, consultant, at):
    times = []
    declare(lambda run: times.append(1))
    asked = ask()
    gone = do("background_task.cancel", consultant, asked).record
    assert (gone.state, gone.ended_at) == (TaskState.CANCELLED, at)
    assert jobs(session) == []
    assert go_on(asked).attempts == 0
    assert times == []
    with pytest.raises(IllegalMove):
        do("background_task.cancel", consultant, asked)
    with pytest.raises(IllegalMove):
        do("background_task.retry", consultant, asked)


def test_steps_that_were_done_before_the_cancelling_stay(session, declare, ask, go_on, counting, do, consultant):
    def work(run):
        with run.step() as checkpoint:
            checkpoint["next"] = 1
        do("background_task.cancel", consultant, run.task)
        assert run.stopping()
        return counting.work(run)

    declare(work, steps=True)
    asked = go_on(ask())
    assert (asked.state, asked.done_count, asked.said) == (TaskState.CANCELLED, 1, None)
    assert counting.effects() == [False] * 5
    assert session.scalar(select(func.count(Notice.id)).where(Notice.table_name == "background_task")) == 0


def test_work_in_one_transaction_that_was_cancelled_leaves_nothing(session, declare, ask, go_on, effect, at):
    """Also when it looks at nothing: its end is refused."""

    def work(run):
        effect.write(run)
        with crossing("act"):
            run.session.execute(update(BackgroundTask).values(cancel_requested_at=at))

    declare(work)
    assert go_on(ask()).state in (TaskState.CANCELLED, TaskState.QUEUED)
    assert not effect.happened()


def test_work_stops_when_the_worker_has_to_go_and_waits_for_another(session, declare, ask, go_on, counting):
    declare(counting.work, steps=True)
    looked = iter([False, False, True])
    asked = ask()
    first_job = asked.job_id
    asked = go_on(asked, shutting_down=lambda in_steps: in_steps and next(looked))
    assert (asked.state, asked.done_count, asked.failures) == (TaskState.QUEUED, 2, 0)
    assert asked.job_id != first_job
    assert go_on(asked).state is TaskState.DONE
    assert counting.begun == [0, 1, 2, 2, 3, 4]


def test_no_except_of_the_work_swallows_its_stopping(declare, ask, go_on):
    def work(run):
        try:
            run.progress(1)
        except Exception:  # noqa: BLE001 - what careless work may do
            return "went on"

    declare(work)
    assert go_on(ask(), shutting_down=lambda _in_steps: True).state is TaskState.QUEUED
    assert not issubclass(Stopped, Exception)


# --- the worker is gone ------------------------------------------------------------------------------------------


@pytest.fixture
def left_running(session, declare, ask, at):
    """A task that a worker took up and never brought to an end; its worker's last sign of life is old."""

    def go(silent=60, **told):
        declare(lambda run: None)
        asked = ask()
        worker = session.scalar(text("insert into procrastinate_workers default values returning id"))
        age = {"id": worker, "age": timedelta(seconds=silent)}
        session.execute(text("update procrastinate_workers set last_heartbeat = now() - :age where id = :id"), age)
        session.execute(
            text("update procrastinate_jobs set status = 'doing', worker_id = :worker where id = :job"),
            {"worker": worker, "job": asked.job_id},
        )
        values = {"state": TaskState.RUNNING, "attempts": 1, "started_at": at, **told}
        session.execute(update(BackgroundTask).where(BackgroundTask.id == asked.id).values(**values))
        session.commit()
        session.expire_all()
        return session.get_one(BackgroundTask, asked.id)

    return go


def test_what_a_silent_worker_left_is_taken_up_again_under_a_new_job(session, left_running, go_on, at):
    asked = left_running()
    old = asked.job_id
    assert take_up_again(session, at=at) == 1
    assert (asked.state, asked.failures) == (TaskState.QUEUED, 1)
    assert [(job.id, job.status) for job in jobs(session)] == [(asked.job_id, "todo")]
    assert perform(session, asked.id, old, clock=lambda: at) is None, "the old job can do nothing more"
    assert take_up_again(session, at=at) == 0
    assert go_on(asked).state is TaskState.DONE


def test_the_work_of_a_living_worker_is_left_alone(session, left_running, at):
    asked = left_running(silent=10)
    assert take_up_again(session, at=at) == 0
    assert asked.state is TaskState.RUNNING


def test_a_task_whose_job_vanished_is_taken_up_again(session, declare, ask, go_on, at):
    declare(lambda run: None)
    asked = ask()
    session.execute(text("delete from procrastinate_jobs"))
    assert take_up_again(session, at=at) == 1
    assert go_on(asked).state is TaskState.DONE


def test_what_was_to_be_cancelled_is_cancelled_when_its_worker_is_gone(session, left_running, at):
    asked = left_running(cancel_requested_at=at)
    take_up_again(session, at=at)
    assert (asked.state, asked.ended_at) == (TaskState.CANCELLED, at)
    assert jobs(session) == []


def test_a_task_that_ends_its_workers_fails_at_last(session, left_running, at, consultant):
    asked = left_running(failures=MOST_FAILURES - 1)
    take_up_again(session, at=at)
    assert asked.state is TaskState.FAILED
    assert str(MOST_FAILURES) in asked.error
    notice = session.scalars(select(Notice).where(Notice.table_name == "background_task")).one()
    assert (notice.kind, notice.employee_id) == ("task_failed", consultant.employee_id)


# --- whose -------------------------------------------------------------------------------------------------------


def test_one_sees_ones_own_and_the_it_manager_those_of_the_branch(session, declare, ask, person, consultant):
    declare(lambda run: None)
    asked = ask()

    def sees(name):
        return session.scalars(in_scope(BackgroundTask, person(name)).where(BackgroundTask.id == asked.id)).first()

    seen = {
        name: sees(name)
        for name in ("phone_consultant", "phone_consultant_2", "phone_supervisor", "branch_head", "it_manager",
                     "b2_it_manager", "admin")
    }  # fmt: skip
    assert {name for name, may in seen.items() if may is asked} == {"phone_consultant", "it_manager", "admin"}


def test_nobody_cancels_what_she_does_not_see(declare, ask, do, colleague):
    declare(lambda run: None)
    with pytest.raises(OutOfScope):
        do("background_task.cancel", colleague, ask())


def test_what_a_key_asked_for_is_done_with_the_rights_of_the_key_and_not_after_its_end(
    session, declare, ask, go_on, consultant, at
):
    key = ApiKey(
        name="接口",
        prefix="yk_test",
        key_hash="x" * 40,
        employee_id=consultant.employee_id,
        roles=[],
        rights=["customer.list"],
        issued_at=at,
        expires_at=at + timedelta(days=800),
    )
    session.add(key)
    session.commit()
    seen = []
    declare(lambda run: seen.append(run.by))
    program = narrowed(consultant, key)
    assert go_on(ask(by=program)).state is TaskState.DONE
    assert (seen[0].rights, seen[0].name, seen[0].key_id) == (program.rights, program.name, key.id)
    asked = ask(by=program)
    key.revoked_at = at
    session.commit()
    asked = go_on(asked)
    assert asked.state is TaskState.FAILED
    assert asked.error
    assert len(seen) == 1
    assert go_on(ask()).state is TaskState.DONE, "the person herself goes on"
