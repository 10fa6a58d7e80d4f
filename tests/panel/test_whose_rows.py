"""Out of scope is 404, never 403, wherever a row can be asked for; data-driven, so that a new table is covered too.

Each person here holds every right there is: only the scope stands between her and the rows of another.
"""

from __future__ import annotations

import base64
import html
import io
import json
import re
import zipfile
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pypdfium2
import pytest

from app.acts import REGISTRY
from app.models.files import StoredFile
from app.panel.house_view import views
from app.reports.base import PAPERS, REPORTS
from app.services.files import content_of
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
    seen = set(made.rows) - set(hidden)
    for path in told:
        answer = client.get(path, follow_redirects=True)
        assert answer.status_code in (200, 404), (path, answer.status_code)
        assert not made.leaks_in(answer.text, seen), path
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


# --- what is made of rows: files, pictures, tasks ------------------------------------------------------------------


def told_in(data):
    """Return all texts of a file or page: PDF as it reads, a workbook's parts, the pictures inside a page."""
    if data.startswith(b"%PDF"):
        with pypdfium2.PdfDocument(data) as document:
            return "\n".join(page.get_textpage().get_text_range() for page in document)
    if data.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(data)) as parts:
            return html.unescape("\n".join(parts.read(name).decode("utf-8", "replace") for name in parts.namelist()))
    page = data.decode("utf-8", "replace")
    pictures = re.findall(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)", page)
    return page + "".join(base64.b64decode(picture).decode("utf-8") for picture in pictures)


def test_every_kind_of_file_would_tell_it(session, world, rest):
    """The negative control: in the owner's own exports her word stands, and is found."""
    made = world("phone_consultant", "b2_phone_consultant")
    call, told = rest("b2_phone_consultant"), dict.fromkeys(("csv", "xlsx"), 0)
    for table in ("customer", "appointment_slip", "contact_record", "followup_plan"):
        for file_format in told:
            answer = call("POST", f"{table}/export", {"format": file_format, "reason": "核对核对"})
            assert answer.status_code == 200, (table, answer.text[:200])
            told[file_format] += made.leaks_in(told_in(answer.data))
    assert all(told.values()), told


def test_no_export_of_a_list_tells_of_it(session, world, person, rest, some):
    made = world("phone_consultant", "b2_phone_consultant")
    hidden, call = made.unseen_by(session, person("phone_consultant")), rest("phone_consultant")
    for table in some(sorted(set(hidden) & set(views())), 10):
        for file_format in ("csv", "xlsx"):
            for query in ({}, {"q": made.word}):
                body = {"format": file_format, "reason": "核对核对", "query": query}
                answer = call("POST", f"{table}/export", body)
                assert answer.status_code == 200, (table, answer.text[:200])
                assert not made.leaks_in(told_in(answer.data).replace(f"{made.word}q", "")), (table, file_format)


def test_no_file_picture_or_stored_run_of_a_report_tells_of_it(session, world, employee, login, rest, some):
    """Her branch's reports, the chart drawn in them, and what is kept of a run; her own are refused for another's."""
    made = world("phone_supervisor", "b2_phone_consultant")
    client, call, other = login("phone_supervisor"), rest("phone_supervisor"), employee("b2_phone_consultant").branch_id
    today = datetime.now(UTC).astimezone(ZoneInfo("Asia/Shanghai")).date()
    for name in some(REPORTS, 2):
        day = next(d for d in (today, today.replace(day=1)) if call("GET", f"report/{name}?day={d}").status_code == 200)
        page = client.get(f"/report/{name}/?day={day}")
        assert not made.leaks_in(told_in(page.data)), name
        for file_format in ("pdf", "xlsx", "csv"):
            asked = {"day": str(day), "format": file_format, "reason": "核对核对"}
            answer = call("POST", f"report/{name}/export", asked)
            assert answer.status_code == 200, (name, file_format, answer.text[:200])
            assert not made.leaks_in(told_in(answer.data)), (name, file_format)
            assert call("POST", f"report/{name}/export", {**asked, "branch_id": other}).status_code == 422, name
        kept = call("POST", f"report/{name}/run", {"day": str(day)})
        assert kept.status_code == 201, kept.text[:200]
        assert not made.leaks_in(kept.text)
        assert not made.leaks_in(told_in(client.get(f"/report/{name}/stored/{kept.json['id']}").data))
        assert call("POST", f"report/{name}/run", {"day": str(day), "branch_id": other}).status_code == 422


def test_no_task_in_the_background_touches_it_or_tells_of_it(session, world, person, rest, work_off):
    """Printing and acting on many: what is not hers is left out, and the task's lines and files say nothing of it."""
    made = world("phone_consultant", "b2_phone_consultant")
    hidden, call = made.unseen_by(session, person("phone_consultant")), rest("phone_consultant")
    calls = [(table, f"{table}/batch-print/{name}", {}) for table, name in PAPERS]
    calls += [
        (act.table, f"{act.table}/batch/{act.name}", {"reason": "试试看"})
        for act in REGISTRY
        if act.many and not act.by_system
    ]
    begun = 0
    for table, path, inputs in calls:
        if table not in hidden:
            continue
        answer = call("POST", path, {"ids": [hidden[table]], **inputs})
        assert answer.status_code in (200, 202, 404, 409, 422), (path, answer.status_code)
        assert not made.leaks_in(answer.text), path
        begun += answer.status_code in (200, 202)
    tasks = work_off()
    for task in tasks:
        for path in (f"background_task/{task.id}", f"background_task/{task.id}/rows"):
            assert not made.leaks_in(call("GET", path).text), path
        if task.result_file_id is not None:
            assert not made.leaks_in(told_in(content_of(session.get(StoredFile, task.result_file_id))))
    assert calls
