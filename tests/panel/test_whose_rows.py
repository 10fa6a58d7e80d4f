"""Out of scope is 404, never 403, wherever a row can be asked for; data-driven, so that a new table is covered too.

Each person here holds every right there is: only the scope stands between her and the rows of another.
"""

from __future__ import annotations

import json

import pytest

from app.acts import REGISTRY
from app.panel.house_view import views
from app.reports.base import PAPERS, REPORTS
from app.services.runner import form_context
from tests.canaries import NOT_MADE, grant_everything, make_canaries, scoped_models

#: Who looks, and whose rows she must not see.
LOOKERS = [
    ("phone_consultant", "b2_phone_consultant"),
    ("phone_consultant", "web_consultant"),
    ("phone_supervisor", "web_consultant"),
    ("guide", "b2_phone_consultant"),
]
CANARY = "金丝雀"


@pytest.fixture
def world(app, session, employee):
    def make(looker, owner):
        grant_everything(app, session, looker)
        made = make_canaries(session, employee(owner), CANARY)
        session.commit()
        return made

    return make


def test_every_scoped_table_has_a_row_of_another(session, world, person):
    """Without it the tests below would say nothing of that table."""
    made = world("guide", "b2_phone_consultant")
    assert set(scoped_models()) - NOT_MADE - set(made.rows) == set()
    assert set(made.rows) == set(made.unseen_by(session, person("phone_consultant"))), "she reaches another branch"


def test_whoever_may_sees_the_very_same_words(world, login):
    """The negative control: the owner's own pages tell what nobody else's do."""
    made = world("phone_consultant", "b2_phone_consultant")
    client = login("b2_phone_consultant")
    telling = [table for table, key in made.rows.items() if made.leaks_in(client.get(f"/{table}/show/{key}").text)]
    assert len(telling) >= 10, telling


@pytest.mark.parametrize(("looker", "owner"), LOOKERS)
def test_a_row_out_of_scope_is_not_there(app, session, world, person, login, rest, looker, owner):
    made = world(looker, owner)
    hidden = made.unseen_by(session, person(looker))
    assert hidden
    client, call = login(looker), rest(looker)
    for table, key in hidden.items():
        for method, path in paths_of(table, key):
            answer = client.open(path, method=method, data={"csrf_token": client.token})
            assert answer.status_code == 404, (method, path, answer.status_code)
            assert not made.leaks_in(answer.text), path
        for method, path in rest_paths_of(table, key):
            answer = call(method, path, {} if method != "GET" else None)
            assert answer.status_code == 404, (method, path, answer.status_code, answer.text)


def paths_of(table, key):
    """Every address of the panel that names one record of a table."""
    view = views()[table]
    yield "GET", f"/{table}/show/{key}"
    if view.form_columns:
        yield from ((method, f"/{table}/edit/{key}") for method in ("GET", "POST"))
    for act in REGISTRY.of(table):
        if not act.creates and not act.by_system:
            yield from ((method, f"/{table}/{key}/act/{act.name}") for method in ("GET", "POST"))
    for of_table, name in PAPERS:
        if of_table == table:
            yield from ((method, f"/{table}/{key}/print/{name}") for method in ("GET", "POST"))
    for act in REGISTRY:
        if table in act.starts_from:
            yield "GET", f"/{act.table}/act/{act.name}?source={table}:{key}"


def rest_paths_of(table, key):
    """Every call that names one record of a table."""
    view = views()[table]
    yield "GET", f"{table}/{key}"
    if view.form_columns:
        yield "PUT", f"{table}/{key}"
    for act in REGISTRY.of(table):
        if not act.creates and not act.by_system:
            yield "POST", f"{table}/{key}/{act.name}"
    for of_table, name in PAPERS:
        if of_table == table:
            yield "GET", f"{table}/{key}/print/{name}?preview=1"


@pytest.mark.parametrize(("looker", "owner"), LOOKERS)
def test_no_page_list_select_search_report_or_file_tells_of_it(session, world, person, login, rest, looker, owner):
    made = world(looker, owner)
    hidden = made.unseen_by(session, person(looker))
    client, call = login(looker), rest(looker)
    told = {}
    for table in hidden:
        view = views()[table]
        told[f"/{table}/list/?size=100" + ("&tab=all" if "all" in {t.name for t in view.quick} else "")] = None
        told[f"/{table}/list/?q={made.word}"] = None
        told[f"/{table}/options?q={made.word}"] = None
    told |= dict.fromkeys(
        [f"/search?q={made.word}", "/", "/department/tree", "/anniversaries/list/", "/rights/people/"]
    )
    for path in told:
        answer = client.get(path, follow_redirects=True)
        assert answer.status_code in (200, 404), (path, answer.status_code)
        assert not made.leaks_in(answer.text), path
    for table, key in hidden.items():
        answer = call("GET", f"{table}/?q=(page_size:200)")
        assert answer.status_code == 200, (table, answer.text)
        assert key not in answer.json["ids"], table
        assert not made.leaks_in(json.dumps(answer.json, ensure_ascii=False)), table
        assert not made.leaks_in(call("GET", f"options/{table}?q={made.word}").text), table


@pytest.mark.parametrize(("looker", "owner"), LOOKERS[:1] + LOOKERS[3:])
def test_reports_know_only_what_their_reader_may(session, world, person, employee, login, looker, owner):
    made = world(looker, owner)
    client, other = login(looker), employee(owner).branch_id
    for name, report in REPORTS.items():
        day = "2026-11-01"
        for path in (f"/report/{name}/?day={day}", f"/report/{name}/export/csv?day={day}"):
            answer = client.get(path)
            assert answer.status_code == 200, (path, answer.status_code)
            assert not made.leaks_in(answer.text), path
        for path in (
            f"/report/{name}/?day={day}&branch_id={other}",
            f"/report/{name}/export/csv?day={day}&branch_id={other}",
        ):
            assert client.get(path).status_code == 422, path
        for measure in report.measures:
            answer = client.get(f"/report/{name}/rows?measure={measure.name}&day={day}")
            assert answer.status_code == 200, measure.name
            assert not made.leaks_in(answer.text), measure.name


@pytest.mark.parametrize(("looker", "owner"), LOOKERS[:2])
def test_a_foreign_key_out_of_scope_is_no_valid_choice(session, world, person, at, looker, owner):
    """In every form that asks for a record: of acts, of plain tables, of reports."""
    made = world(looker, owner)
    by = person(looker)
    hidden = made.unseen_by(session, by)
    forms = {act.key: act.form for act in REGISTRY if not act.by_system}
    forms |= {f"form {table}": view.form_class(adding=True) for table, view in views().items() if view.form_columns}
    asked = 0
    for name, form in forms.items():
        bound = form(meta={"context": form_context(session, by, now=at)})
        for field in bound:
            table = getattr(field, "table", "")
            if table not in hidden or "table" not in getattr(form, field.short_name).kwargs:
                continue
            asked += 1
            filled = form(_given(field.short_name, hidden[table]), meta={"context": form_context(session, by, now=at)})
            filled.validate()
            assert filled.errors.get(field.short_name), (name, field.short_name)
    assert asked >= 5


def _given(name, key):
    from werkzeug.datastructures import MultiDict

    return MultiDict({name: str(key)})


def test_a_selection_out_of_scope_is_done_to_nobody(session, world, person, login):
    made = world("phone_consultant", "b2_phone_consultant")
    hidden = made.unseen_by(session, person("phone_consultant"))
    client = login("phone_consultant")
    for table, key in hidden.items():
        for act in REGISTRY.many(table):
            answer = client.post(
                f"/{table}/many/{act.name}", data={"csrf_token": client.token, "id": key, "reason": "试试看"}
            )
            assert answer.status_code in (200, 404, 409, 422), (table, act.name, answer.status_code)
            assert not made.leaks_in(answer.text), table


def test_an_account_without_an_employee_sees_no_rows(session, world, person, employee, login):
    """Fails closed: no employee, no rows. The first administrator alone reaches the group without a file."""
    hers = employee("guide")
    made = world("guide", "phone_consultant")
    login_name = "guide"
    hers.user_id = None
    session.commit()
    client = login(login_name)
    for table in made.rows:
        answer = client.get(f"/{table}/list/")
        assert answer.status_code == 200, table
        assert not made.leaks_in(answer.text), table
        assert client.get(f"/{table}/show/{made.rows[table]}").status_code == 404, table
