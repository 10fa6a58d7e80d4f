"""What every test stands on: one database per worker, a small organisation in it, and each test undone after it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask, g, has_request_context
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import event, select, update
from sqlalchemy.orm import Session, scoped_session, sessionmaker
from werkzeug.datastructures import MultiDict

from app.actors import Actor
from app.acts import REGISTRY
from app.models.appointments import AppointmentSlip, Channel, Intention
from app.models.customers import Customer
from app.models.hr import Employee
from app.models.settings import Dictionary, DictionaryItem, Param
from app.models.tasks import BackgroundTask, TaskState
from app.panel import web
from app.services.hr import actor_for_employee
from app.services.runner import Answer, run
from app.services.tasks import perform
from app.unit import tell_actor
from tests.databases import LEAN, worker_database

os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(LEAN), os.environ.get("PYTHONPATH"))))
PASSWORD = "Yimei-demo-2026"
#: Who writes what a test writes by itself, outside any request, job or command.
TEST_ACTOR = "house:test"


@pytest.fixture(scope="session", autouse=True)
def test_actor() -> Iterator[None]:
    """Name an actor for what tests write by themselves; what the application writes is told by the application."""
    from app.panel import person

    told = person.name_for_database
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(person, "name_for_database", lambda: told() if has_request_context() else (TEST_ACTOR, "", ""))
        yield


@pytest.fixture(scope="session")
def database(worker_id: str) -> tuple[str, str]:
    """The addresses (application's, owner's) of this worker's database."""
    return worker_database(worker_id)


@pytest.fixture(scope="session")
def worker_id(request: pytest.FixtureRequest) -> str:
    """xdist's name of this worker, or "master"."""
    return os.environ.get("PYTEST_XDIST_WORKER", "master")


@pytest.fixture(scope="session")
def app(database: tuple[str, str]) -> Iterator[Flask]:
    """The application over this worker's database, with the demo's organisation and no business in it."""
    from app import create_app
    from app.demo import load
    from app.extensions import db

    made = create_app(SQLALCHEMY_DATABASE_URI=database[0], DATABASE_OWNER_URL=database[1])
    load(made, say=lambda _line: None, share=0)
    always_open(made)
    before = made.before_request_funcs.setdefault(None, [])
    before.insert(0, lambda: g.__dict__.clear())
    before.insert(before.index(web._number_request) + 1, tell_anew)
    yield made
    with made.app_context():
        db.engine.dispose()


def tell_anew() -> None:
    """Tell the database at each request who acts, as on a server.

    The session fixture keeps an application context and a transaction open, which the requests of a test client share.
    """
    from app.extensions import db

    opened = db.session()
    if opened.in_transaction():
        tell_actor(opened.connection())


#: What the tests set, so that no branch is ever closed and no hour quiet.
ALWAYS_OPEN = {
    "desk.opens_at": "00:00",
    "desk.closes_at": "00:00",
    "desk.holidays": "none",
    "contact.quiet_from": "09:00",
    "contact.quiet_until": "09:00",
}


def always_open(app: Flask) -> None:
    """Let no branch ever be closed and no hour be quiet, so that tests read the same at any hour and on any holiday."""
    from app.extensions import db

    with app.app_context():
        for key, value in ALWAYS_OPEN.items():
            db.session.execute(update(Param).where(Param.key == key).values(value=value))
        db.session.commit()


@pytest.fixture
def session(app: Flask) -> Iterator[Session]:
    """A session whose every commit is undone after the test, shared by services, views and REST."""
    from app.extensions import db

    with app.app_context():
        connection = db.engine.connect()
        outer = connection.begin()
        connection.name = connection.dialect.name  # the framework asks its session's bind for a name
        maker = sessionmaker(bind=connection, join_transaction_mode="create_savepoint", expire_on_commit=False)
        shared = scoped_session(maker, scopefunc=lambda: 0)
        usual, builder = db.session, app.extensions["appbuilder"]
        db.session = builder._session = shared
        try:
            yield shared()
        finally:
            shared.remove()
            outer.rollback()
            connection.close()
            db.session = builder._session = usual


@pytest.fixture
def at() -> datetime:
    """Now: what acts are told as their clock."""
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def nights(session: Session) -> None:
    """Quiet hours as the house has them, from 21:00 to 09:00: for tests that name their own hour."""
    for key, value in (("contact.quiet_from", "21:00"), ("contact.quiet_until", "09:00")):
        session.execute(update(Param).where(Param.key == key).values(value=value))
    session.commit()


# --- people ------------------------------------------------------------------------------------------------------


@pytest.fixture
def employee(session: Session) -> Callable[[str], Employee]:
    """The demo employee behind a login name, such as ``phone_consultant`` or ``b2_phone_consultant``."""
    from app.models.base import METADATA

    def find(username: str) -> Employee:
        user = METADATA.tables["ab_user"]
        return session.scalars(
            select(Employee).where(
                Employee.user_id == select(user.c.id).where(user.c.username == username).scalar_subquery()
            )
        ).one()

    return find


@pytest.fixture
def person(session: Session, employee: Callable[[str], Employee]) -> Callable[[str], Actor]:
    """The actor behind a login name."""
    return lambda username: actor_for_employee(session, employee(username))


@pytest.fixture
def consultant(person: Callable[[str], Actor]) -> Actor:
    return person("phone_consultant")


@pytest.fixture
def colleague(person: Callable[[str], Actor]) -> Actor:
    return person("phone_consultant_2")


@pytest.fixture
def supervisor(person: Callable[[str], Actor]) -> Actor:
    return person("phone_supervisor")


@pytest.fixture
def guide(person: Callable[[str], Actor]) -> Actor:
    return person("guide")


@pytest.fixture
def admin(person: Callable[[str], Actor]) -> Actor:
    return person("admin")


# --- acts --------------------------------------------------------------------------------------------------------


@pytest.fixture
def do(session: Session, at: datetime) -> Callable[..., Answer]:
    """Run an act by its key (``appointment_slip.void``) on a record or none, with typed values or form inputs."""

    def perform(
        called: str,
        by: Actor,
        record: Any = None,
        /,
        *,
        request_key: str | None = None,
        row_version: int | None = None,
        when: datetime | None = None,
        inputs: dict[str, Any] | None = None,
        is_json: bool = False,
        **values: Any,
    ) -> Answer:
        table, _dot, name = called.partition(".")
        act = REGISTRY.find(table, name)
        assert act is not None, called
        return run(
            session,
            act,
            by=by,
            at=when or at,
            record_id=None if record is None else record.id,
            inputs=None if inputs is None else MultiDict(inputs),
            values=values if inputs is None else None,
            key=request_key,
            row_version=row_version,
            is_json=is_json,
        )

    return perform


@pytest.fixture
def item(session: Session) -> Callable[[str, str], DictionaryItem]:
    """A dictionary item by dictionary and code."""

    def find(dictionary: str, code: str = "") -> DictionaryItem:
        statement = select(DictionaryItem).join(Dictionary).where(Dictionary.code == dictionary)
        if code:
            statement = statement.where(DictionaryItem.code == code)
        return session.scalars(statement.order_by(DictionaryItem.id)).first()  # type: ignore[return-value]

    return find


_next_phone = iter(range(13_900_000_000, 13_999_999_999))


@pytest.fixture
def phone() -> Callable[[], str]:
    """Mobile numbers that nobody has yet."""
    return lambda: str(next(_next_phone))


@pytest.fixture
def make_customer(do: Callable[..., Answer], consultant: Actor, phone: Callable[[], str]) -> Callable[..., Customer]:
    """Open a temporary file."""

    def make(by: Actor | None = None, **values: Any) -> Customer:
        values.setdefault("name", "林小雨")
        values.setdefault("phone", phone())
        return do("customer.register_temporary", by or consultant, **values).record

    return make


@pytest.fixture
def make_slip(
    do: Callable[..., Answer], consultant: Actor, make_customer: Callable[..., Customer], at: datetime
) -> Callable[..., AppointmentSlip]:
    """Place a slip for tomorrow, for a new customer unless one is given."""

    def make(by: Actor | None = None, customer: Customer | None = None, **values: Any) -> AppointmentSlip:
        by = by or consultant
        customer = customer or make_customer(by)
        values.setdefault("appointed_at", at + timedelta(days=1))
        values.setdefault("latest_arrival_at", values["appointed_at"] + timedelta(hours=2))
        values.setdefault("intention", Intention.A)
        values.setdefault("channel", Channel.PHONE)
        return do("appointment_slip.place", by, customer_id=customer.id, **values).record

    return make


@pytest.fixture
def slip_times(at: datetime) -> dict[str, Any]:
    """The inputs that a redone slip must have."""
    return {
        "appointed_at": at + timedelta(days=2),
        "latest_arrival_at": at + timedelta(days=2, hours=2),
        "intention": Intention.B,
    }


@pytest.fixture
def work_off(session: Session, at: datetime) -> Callable[..., list[BackgroundTask]]:
    """Do what waits in the queue, as a worker would; returns the tasks taken up. Commits what the test has done."""

    def go(when: datetime | None = None) -> list[BackgroundTask]:
        session.commit()
        waiting = session.scalars(select(BackgroundTask).where(BackgroundTask.state == TaskState.QUEUED)).all()
        for task_id, job_id in [(task.id, task.job_id) for task in waiting]:
            perform(session, task_id, job_id, clock=lambda: when or at)
        session.expire_all()
        return [session.get_one(BackgroundTask, task.id) for task in waiting]

    return go


# --- the web -----------------------------------------------------------------------------------------------------


def token_of(app: Flask, client: FlaskClient) -> str:
    """Return the CSRF token of a browser's forms, as its pages would have it; logging in makes a new one."""
    with client.session_transaction() as cookie:
        secret = cookie["csrf_token"]
    return str(URLSafeTimedSerializer(app.secret_key, salt="wtf-csrf-token").dumps(secret))  # type: ignore[arg-type]


@pytest.fixture
def login(app: Flask, session: Session) -> Callable[[str], FlaskClient]:
    """A browser-like client with a session cookie; ``client.token`` is its CSRF token."""

    def enter(username: str, password: str = PASSWORD) -> FlaskClient:
        client = app.test_client()
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/login/").text)
        assert token is not None
        answer = client.post("/login/", data={"username": username, "password": password, "csrf_token": token.group(1)})
        assert answer.status_code == 302, answer.text
        client.token = token_of(app, client)  # type: ignore[attr-defined]
        return client

    return enter


@pytest.fixture
def rest(app: Flask, session: Session) -> Callable[[str], Callable[..., Any]]:
    """A REST caller with a person's token: ``call("POST", "appointment_slip/place", {...})``."""

    def enter(username: str) -> Callable[..., Any]:
        client = app.test_client()
        told = client.post(
            "/api/v1/security/login", json={"username": username, "password": PASSWORD, "provider": "db"}
        )
        assert told.status_code == 200, told.text
        bearer = {"Authorization": f"Bearer {told.json['access_token']}"}

        def call(method: str, path: str, body: Any = None, **headers: str) -> Any:
            return client.open(
                f"/api/v1/{path}",
                method=method,
                json=body,
                headers={**bearer, **{name.replace("_", "-"): value for name, value in headers.items()}},
            )

        return call

    return enter


@pytest.fixture
def statements(session: Session) -> Callable[[], AbstractContextManager[list[str]]]:
    """Count the statements that reach the database."""

    @contextmanager
    def counting() -> Iterator[list[str]]:
        told: list[str] = []

        def note(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            if not statement.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK")):
                told.append(statement)

        engine: Any = session.get_bind().engine
        event.listen(engine, "before_cursor_execute", note)
        try:
            yield told
        finally:
            event.remove(engine, "before_cursor_execute", note)

    return counting


# --- real commits ------------------------------------------------------------------------------------------------


class OwnWorld:
    """A copy of the database in which threads really commit."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        with app.app_context():
            session = self.session()
            self.names = {
                name: self.person(session, name).display_name
                for name in ("phone_consultant", "phone_supervisor", "guide")
            }

    def session(self) -> Session:
        from app.extensions import db

        return db.session()

    def person(self, session: Session, username: str) -> Actor:
        from app.models.base import METADATA

        user = METADATA.tables["ab_user"]
        user_id = session.scalar(select(user.c.id).where(user.c.username == username))
        found = session.scalars(select(Employee).where(Employee.user_id == user_id)).one()
        return actor_for_employee(session, found)

    def run(self, session: Session, key: str, by: Actor, record_id: int | None, values: dict[str, Any]) -> Answer:
        table, _dot, name = key.partition(".")
        act = REGISTRY.find(table, name)
        assert act is not None
        return run(session, act, by=by, at=datetime.now(UTC), record_id=record_id, values=values)

    def customer(self) -> tuple[int, dict[str, Any]]:
        """Open a file; return its id and the values of a slip for it."""
        with self.app.app_context():
            session = self.session()
            by = self.person(session, "phone_consultant")
            values = {"name": "林小雨", "phone": str(next(_next_phone))}
            made = self.run(session, "customer.register_temporary", by, None, values).record
            start = datetime.now(UTC) + timedelta(days=1)
            slip = {"customer_id": made.id, "appointed_at": start, "latest_arrival_at": start, "intention": Intention.A}
            return made.id, slip

    def slip(self) -> tuple[int, dict[str, Any]]:
        """Place a slip; return its id and the values of a redo."""
        _customer_id, values = self.customer()
        with self.app.app_context():
            session = self.session()
            by = self.person(session, "phone_consultant")
            made = self.run(session, "appointment_slip.place", by, None, values).record
            return made.id, {name: value for name, value in values.items() if name != "customer_id"}

    def count(self, model: Any, *conditions: Any) -> int:
        from sqlalchemy import func

        with self.app.app_context():
            return self.session().scalar(select(func.count()).select_from(model).where(*conditions)) or 0


@pytest.fixture
def own_world() -> Iterator[OwnWorld]:
    """A database of one's own, for tests in which several people commit at once."""
    from app import create_app
    from app.demo import load
    from app.extensions import db
    from tests.databases import fresh_database

    with fresh_database("world", people=True) as (app_url, owner_url):
        made = create_app(SQLALCHEMY_DATABASE_URI=app_url, DATABASE_OWNER_URL=owner_url)
        load(made, say=lambda _line: None, share=0)
        yield OwnWorld(made)
        with made.app_context():
            db.engine.dispose()
