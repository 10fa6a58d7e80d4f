"""Every column of every table sent to every form and act: only what is declared changes. Trust target 24.

A column that no form offers gets a value that the row does not have; whatever the answer, no row may have it after.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum

import pytest
import tinyhtml5
from sqlalchemy import Boolean, Date, Integer, Numeric, Time, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from app.acts import REGISTRY
from app.models.base import Choice, Instant, column_names, models
from app.panel.house_view import views
from tests.canaries import grant_everything, make_canaries

LOOKER = "branch_head"
#: What saving itself writes.
BY_THE_HOUSE = {"updated_at", "updated_by_id", "row_version", "search_terms"}
#: Columns that the house derives from one that a form offers, so that they follow it: table.column -> its source.
FOLLOWS = {
    "customer.birth_year": "birth_date",
    "customer.sex": "id_number",
    "customer.birth_date": "id_number",
    "customer.name_pinyin": "name",
}
SENT = datetime(2001, 2, 3, 4, 5, tzinfo=UTC)


def other_value(column, standing):
    """Return a value of the column's kind that the row does not have, and how a form or JSON says it."""
    kind = column.type
    if isinstance(kind, Choice):
        value = next(member for member in [*kind.options, *kind.options] if member != standing)
        return value, value.value
    plain = {Boolean: not standing, Date: date(2001, 2, 3), Time: time(4, 5), Numeric: Decimal("77.25")}
    if isinstance(kind, Instant):
        return SENT, SENT.isoformat()
    for sort, value in plain.items():
        if isinstance(kind, sort):
            return value, str(value).lower()
    if isinstance(kind, Integer):
        value = 77 if column.foreign_keys == set() else 1
        value = value + 1 if value == standing else value
        return value, str(value)
    if isinstance(kind, ARRAY | JSONB):
        return ["sent"], "sent"
    return "sent by nobody", "sent by nobody"


@pytest.fixture
def world(app, session, employee):
    """A row of hers in every table, and every right there is."""
    grant_everything(app, session, LOOKER)
    made = make_canaries(session, employee(LOOKER), "格")
    session.commit()
    return made.rows


@pytest.fixture
def undone(session):
    """Do something and undo it, so that the next case finds the same world."""

    def do(what):
        session.commit()
        point = session.get_bind().begin_nested()
        try:
            return what()
        finally:
            session.rollback()
            point.rollback()
            session.expire_all()

    return do


def state_of(session, table, key):
    """Return a row as the database has it, past everything that the session remembers."""
    model = models()[table]
    session.expire_all()
    record = session.scalars(select(model).where(model.id == key)).one()
    return {name: getattr(record, name) for name in columns_of(table)}


def columns_of(table):
    """Return the columns that a table has; what SQL reckons beside them is none."""
    return [name for name in column_names(models()[table]) if name in models()[table].__table__.columns]


def fields_of(form):
    return {name for name in dir(form) if hasattr(getattr(form, name), "field_class")}


def hostile(session, table, key):
    """Return column -> (value, as said) that differs from what stands."""
    model, standing = models()[table], state_of(session, table, key)
    return {name: other_value(model.__table__.columns[name], standing[name]) for name in standing if name != "id"}


def filled_in(html):
    """Return what a browser would send of a page's form, as it was prefilled, and something in what stands empty."""
    given = {}
    for node in tinyhtml5.parse(html, namespace_html_elements=False).iter():
        name, kind = node.get("name"), node.get("type", "text")
        if (
            node.tag not in ("input", "textarea", "select")
            or not name
            or kind in ("file", "submit", "checkbox", "radio")
        ):
            continue
        if node.tag == "select":
            options = [option for option in node.iter("option") if option.get("value")]
            chosen = next((option for option in options if option.get("selected") is not None), None)
            chosen = chosen if chosen is not None else next(iter(options), None)
            given[name] = "" if chosen is None else chosen.get("value")
        elif node.tag == "textarea":
            given[name] = (node.text or "").strip() or "试试看的理由"
        else:
            given[name] = node.get("value") or ("试试看" if kind == "text" and "required" in node.attrib else "")
    return given


def test_a_filled_in_form_does_change_its_row(world, session, login, undone):
    """The negative control: what a form declares, the same hand does change by it."""
    client, changed = login(LOOKER), set()
    for table, view in views().items():
        if not view.form_columns or table not in world or len(changed) >= 5:
            continue
        path, before = f"/{table}/edit/{world[table]}", state_of(session, table, world[table])

        def sent(path=path, table=table):
            given = filled_in(client.get(path).text)
            texts = {name: f"{value}改" for name, value in given.items() if name in ("name", "remark", "note", "label")}
            client.post(path, data={**given, **texts, "csrf_token": client.token})
            return state_of(session, table, world[table])

        after = undone(sent)
        changed |= {table} if any(after[name] != before[name] for name in view.form_columns) else set()
    assert len(changed) >= 3, changed


def test_an_edit_form_changes_only_what_it_offers(world, session, login, undone, some):
    client = login(LOOKER)
    for table in some([table for table, view in sorted(views().items()) if view.form_columns and table in world], 8):
        view, key = views()[table], world[table]
        offered = fields_of(view.form_class(adding=False))
        sent, before = hostile(session, table, key), state_of(session, table, key)

        def post(table=table, key=key, sent=sent, offered=offered):
            given = filled_in(client.get(f"/{table}/edit/{key}").text)
            extra = {name: said for name, (_value, said) in sent.items() if name not in offered | {"row_version"}}
            answer = client.post(f"/{table}/edit/{key}", data={**given, **extra, "csrf_token": client.token})
            assert answer.status_code in (302, 409, 422), (table, answer.status_code)
            return state_of(session, table, key)

        after = undone(post)
        wrong = {name for name in before if after[name] != before[name]} - offered - BY_THE_HOUSE
        assert {name for name in wrong if FOLLOWS.get(f"{table}.{name}") not in offered} == set(), table


def test_an_add_form_writes_only_what_it_offers(world, session, login, undone, some):
    client = login(LOOKER)
    for table in some([table for table, view in sorted(views().items()) if view.form_columns and table in world], 8):
        view, model = views()[table], models()[table]
        offered, sent = fields_of(view.form_class(adding=True)), hostile(session, table, world[table])

        def post(table=table, model=model, sent=sent, offered=offered):
            page = client.get(f"/{table}/add")
            given = filled_in(page.text) if page.status_code == 200 else {}
            extra = {name: said for name, (_value, said) in sent.items() if name not in offered}
            newest = session.scalar(select(model.id).order_by(model.id.desc()).limit(1)) or 0
            answer = client.post(f"/{table}/add", data={**given, **extra, "id": "77", "csrf_token": client.token})
            assert answer.status_code in (302, 409, 422, 403), (table, answer.status_code)
            made = session.scalars(select(model).where(model.id > newest)).all()
            return [{name: getattr(each, name) for name in sent} for each in made]

        for row in undone(post):
            taken = {name for name, (value, _said) in sent.items() if name not in offered and row[name] == value}
            accidental = {name for name in taken if isinstance(row[name], bool | int | Enum)}
            assert taken - accidental - BY_THE_HOUSE == set(), table


def test_rest_refuses_each_undeclared_column_by_name(world, session, rest, some):
    call = rest(LOOKER)
    tables = [table for table, view in sorted(views().items()) if view.form_columns and table in world]
    for table in some(tables, 10):
        view, key, sent = views()[table], world[table], hostile(session, table, world[table])
        before = state_of(session, table, key)
        for adding, method, path in ((False, "PUT", f"{table}/{key}"), (True, "POST", f"{table}/")):
            undeclared = {*sent, "id"} - fields_of(view.form_class(adding=adding)) - {"row_version"}
            whole = {name: said for name, (_value, said) in sent.items() if name in undeclared}
            answer = call(method, path, {**whole, "id": 77})
            if answer.status_code == 403:  # nobody adds these by a plain form
                continue
            assert answer.status_code == 422, (method, path, answer.status_code)
            assert set(answer.json["errors"]) == undeclared, (method, path)
        assert state_of(session, table, key) == before, table


def acts_on(world):
    return [act for act in REGISTRY if not act.by_system and not act.creates and act.table in world]


def test_no_act_takes_a_column_over_rest_that_it_does_not_declare(world, session, rest, some):
    call = rest(LOOKER)
    for act in some(acts_on(world), 20):
        key, sent = world[act.table], hostile(session, act.table, world[act.table])
        undeclared = {*sent, "id"} - fields_of(act.form)
        before = state_of(session, act.table, key)
        answer = call("POST", f"{act.table}/{key}/{act.name}", dict.fromkeys(undeclared, "1"))
        assert answer.status_code in (404, 409, 422), (act.key, answer.status_code, answer.text[:200])
        if answer.status_code == 422:
            assert undeclared - {"warned"} <= set(answer.json["errors"]), act.key
        assert state_of(session, act.table, key) == before, act.key


def test_no_act_takes_a_column_on_screen_that_it_does_not_declare(world, session, login, undone, some):
    """What the act changes on purpose is its own; no column takes the value that was sent for it."""
    client, done = login(LOOKER), 0
    for act in some(acts_on(world), 16):
        key, path = world[act.table], f"/{act.table}/{world[act.table]}/act/{act.name}"
        sent, before = hostile(session, act.table, key), state_of(session, act.table, key)
        undeclared = {name: said for name, (_value, said) in sent.items() if name not in fields_of(act.form)}
        undeclared.pop("row_version", None)  # an input of every form: it guards against lost changes

        def outcome(extra, path=path, act=act, key=key):
            page = client.get(path, headers={"X-Dialog": "1"})
            given = filled_in(page.text) if page.status_code == 200 else {}
            data = {**extra, **given, "csrf_token": client.token}
            status = client.post(path, data=data, headers={"X-Dialog": "1"}).status_code
            assert status < 500, (act.key, status)
            return status, state_of(session, act.table, key)

        plain_status, plainly = undone(lambda run=outcome: run({}))
        status, after = undone(lambda run=outcome, extra=undeclared: run(extra))
        assert status == plain_status, act.key
        for name in undeclared:
            if plainly[name] == before[name]:
                assert after[name] == before[name], (act.key, name)
            elif not isinstance(plainly[name], bool | Enum):
                assert after[name] != sent[name][0], (act.key, name)
        done += status in (200, 302)
    assert done, "no act was done: this test would say nothing"


def test_no_making_act_takes_a_column_that_it_does_not_declare(world, session, rest, some):
    call = rest(LOOKER)
    for act in some([act for act in REGISTRY if act.creates and not act.by_system], 12):
        undeclared = {*columns_of(act.table)} - fields_of(act.form)
        answer = call("POST", f"{act.table}/{act.name}", dict.fromkeys(undeclared, "1"))
        assert answer.status_code == 422, (act.key, answer.status_code)
        assert undeclared - {"warned"} <= set(answer.json["errors"]), act.key
