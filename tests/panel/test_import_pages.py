"""Imports on screen and over REST: the same acts, the same scope, files that come back."""

from __future__ import annotations

import io

import pytest
from openpyxl import Workbook, load_workbook
from sqlalchemy import select

from app.models.audit import SensitiveViewLog
from app.models.imports import ImportBatch, ImportFinding, ImportRow
from app.models.tasks import BackgroundTask
from app.services.tasks import perform


def workbook(*rows) -> bytes:
    book = Workbook()
    for row in rows:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


@pytest.fixture
def work(session):
    def newest() -> None:
        task = session.scalars(select(BackgroundTask).order_by(BackgroundTask.id.desc())).first()
        perform(session, task.id, task.job_id)
        session.expire_all()

    return newest


@pytest.fixture
def send(app, session):
    """Send a file over REST with a person's token; the number of its row."""
    from tests.conftest import PASSWORD

    def sent(username: str, content: bytes) -> int:
        client = app.test_client()
        login = {"username": username, "password": PASSWORD, "provider": "db"}
        token = client.post("/api/v1/security/login", json=login).json["access_token"]
        told = client.post(
            "/api/v1/stored_file/",
            data={"purpose": "import", "file": (io.BytesIO(content), "客户.xlsx")},
            headers={"Authorization": f"Bearer {token}"},
        )
        assert told.status_code == 201, told.text
        return told.json["id"]

    return sent


def test_an_import_with_planted_errors_walks_over_rest(rest, send, work, phone, login, session):
    """Issue 3, item 5: from the file to the result, by REST alone; then the same batch on screen."""
    call = rest("it_manager")
    rows = [["姓名", "手机", "备注"], ["林小雨", phone(), "=1+1 不是公式"], ["王芳", "12", "@好"]]
    content = workbook(*rows)
    told = call("POST", "import_batch/upload", {"kind": "customers", "file_id": send("it_manager", content)})
    assert told.status_code == 201, told.text
    key = told.json["id"]
    assert [line["field"] for line in told.json["columns"]] == ["name", "phone", "followup_note"]
    mapped = {"columns": ["name", "phone", ""], "on_duplicate": "skip"}
    assert call("POST", f"import_batch/{key}/map", mapped).status_code == 200
    assert call("POST", f"import_batch/{key}/map", {"columns": ["name"]}).status_code == 422
    assert call("POST", f"import_batch/{key}/carry_out").status_code == 409
    assert call("POST", f"import_batch/{key}/check").status_code == 200
    work()
    found = call("GET", f"import_finding/?q=(filters:!((col:batch_id,opr:eq,value:{key})))").json["result"]
    assert [(each["cell"], each["rule"]) for each in found] == [("B3", "not_phone")]
    assert call("POST", f"import_batch/{key}/carry_out").status_code == 200
    work()
    told = call("GET", f"import_batch/{key}").json["result"]
    assert (told["state"], told["rows_made"], told["rows_left_out"]) == ("done", 1, 1)

    sheet = load_workbook(io.BytesIO(call("GET", f"import_batch/{key}/refused").data)).active
    lines = [[cell.value for cell in row] for row in sheet.iter_rows()]
    assert lines[1][:3] == ["王芳", "12", "@好"]
    assert sheet["C2"].quotePrefix
    assert "B3" in lines[1][3]

    client = login("it_manager")
    page = client.get(f"/import_batch/show/{key}")
    assert page.status_code == 200
    assert "B3" in page.text
    assert client.get(f"/import_finding/list/?batch_id={key}").status_code == 200
    assert client.get(f"/import_row/list/?batch_id={key}").status_code == 200
    assert client.get("/import_batch/list/").status_code == 200
    assert client.get("/import_batch/template/customers").status_code == 200
    assert client.get("/import_batch/template/employees").status_code == 404
    assert client.get("/import_batch/template/nonsense").status_code == 404


def test_the_columns_are_mapped_on_a_page_without_script(login, send, rest, phone, session):
    call = rest("it_manager")
    content = workbook(["姓名", "手机"], ["林小雨", phone()])
    key = call("POST", "import_batch/upload", {"kind": "customers", "file_id": send("it_manager", content)}).json["id"]
    client = login("it_manager")
    page = client.get(f"/import_batch/{key}/act/map")
    assert page.text.count('name="columns"') == 2
    sent = {"csrf_token": client.token, "columns": ["alias", "phone"], "on_duplicate": "skip"}
    assert client.post(f"/import_batch/{key}/act/map", data=sent).status_code == 302
    session.expire_all()
    assert session.get(ImportBatch, key).columns[0]["field"] == "alias"
    wrong = {**sent, "columns": ["phone", "phone"]}
    assert client.post(f"/import_batch/{key}/act/map", data=wrong).status_code == 422


def test_another_persons_import_is_absent(rest, send, phone, session):
    call = rest("it_manager")
    content = workbook(["姓名", "手机"], ["林小雨", phone()])
    key = call("POST", "import_batch/upload", {"kind": "customers", "file_id": send("it_manager", content)}).json["id"]
    assert rest("web_supervisor")("GET", f"import_batch/{key}").status_code == 404
    assert rest("hr")("POST", f"import_batch/{key}/check").status_code == 404
    assert rest("web_consultant")("GET", f"import_batch/{key}").status_code == 403
    assert session.scalars(select(ImportFinding)).first() is None


def test_examples_of_rows_are_told_to_who_may_read_the_file(rest, login, send, person):
    """IT sees that HR handed a list of staff in, and not who stands in it: on screen, in the dialog, over REST."""
    content = workbook(["工号", "姓名", "部门"], ["Z1", "金丝雀丁", "客服部"])
    call = rest("hr")
    key = call("POST", "import_batch/upload", {"kind": "employees", "file_id": send("hr", content)}).json["id"]
    paths = (f"/import_batch/show/{key}", f"/import_batch/{key}/act/map", f"/api/v1/import_batch/{key}")
    for username, told in (("hr", True), ("it_manager", False)):
        client, api = login(username), rest(username)
        texts = [client.get(path).text for path in paths[:2]]
        answer = api("GET", f"import_batch/{key}")
        assert answer.status_code == 200
        listed = api("GET", "import_batch/").json["result"][0]
        texts += [str(answer.json), str(listed)]
        assert ["金丝雀丁" in text for text in texts] == [told] * 4, username
        assert [line["head"] for line in answer.json["result"]["columns"]] == ["工号", "姓名", "部门"]


def test_the_rows_of_anothers_import_are_for_who_may_import_such_and_it_is_logged(
    rest, send, work, phone, login, session, person
):
    """The staff that HR hands in is not IT's to read, the customers of the desk are: both are seen, one is opened."""
    staff, customers = (
        workbook(["工号", "姓名", "部门"], ["Z1", "甲", "没有的部门"]),
        workbook(["姓名", "手机"], ["王芳", "12"]),
    )
    for owner, kind, content, code in (
        ("hr", "employees", staff, 404),
        ("web_supervisor", "customers", customers, 200),
    ):
        call, file_id = rest(owner), send(owner, content)
        key = call("POST", "import_batch/upload", {"kind": kind, "file_id": file_id}).json["id"]
        assert call("POST", f"import_batch/{key}/check").status_code == 200
        work()
        session.commit()
        paths = [f"/import_batch/{key}/refused", f"/stored_file/{file_id}/content"]
        manager, reader = login("it_manager"), rest("it_manager")
        page = manager.get(f"/import_batch/show/{key}")
        assert (page.status_code, paths[0] in page.text) == (200, code == 200)
        assert [manager.get(path).status_code for path in paths] == [code] * 2, owner
        assert [reader("GET", path[1:]).status_code for path in paths] == [code] * 2, owner
        assert [login(owner).get(path).status_code for path in paths] == [200] * 2
        looks = session.scalars(
            select(SensitiveViewLog).where(
                SensitiveViewLog.table_name == "import_batch", SensitiveViewLog.record_id == key
            )
        ).all()
        denied = [look.way for look in looks if look.denied is not None]
        assert (len(looks), len(denied)) == ((4, 0) if code == 200 else (4, 4)), owner
        assert {look.employee_id for look in looks} <= {person("it_manager").employee_id}


def test_a_page_of_findings_with_many_duplicates_takes_at_most_12_statements(
    login, send, rest, work, phone, session, statements
):
    """What stands is looked up at once, however many rows of a page do."""
    call = rest("it_manager")
    rows = [["姓名", "手机"], *([f"客{n}", phone()] for n in range(30))]
    for heads in (["姓名", "手机"], ["客户", "电话"]):
        told = call(
            "POST",
            "import_batch/upload",
            {"kind": "customers", "file_id": send("it_manager", workbook(heads, *rows[1:]))},
        )
        key = told.json["id"]
        assert call("POST", f"import_batch/{key}/check").status_code == 200
        work()
        if heads[0] == "姓名":
            assert call("POST", f"import_batch/{key}/carry_out").status_code == 200
            work()
    client = login("it_manager")
    path = f"/import_finding/list/?batch_id={key}&size=25"
    client.get(path)
    with statements() as told:
        page = client.get(path)
    assert page.text.count("客") >= 50, "each beside what stands"
    assert len(told) <= 12, told
    with statements() as told:
        assert client.get(f"/import_row/list/?batch_id={key - 1}&size=25").status_code == 200
    assert len(told) <= 12, told


def test_an_imported_record_tells_it_in_its_history_with_a_link_to_the_import(
    login, send, rest, work, phone, session, employee
):
    call, clerk = rest("web_supervisor"), employee("web_consultant").employee_no
    content = workbook(["姓名", "手机", "归属人"], ["林小雨", phone(), clerk])
    sent = {"kind": "customers", "file_id": send("web_supervisor", content)}
    key = call("POST", "import_batch/upload", sent).json["id"]
    for act in ("check", "carry_out"):
        assert call("POST", f"import_batch/{key}/{act}").status_code == 200
        work()
    row = session.scalars(select(ImportRow).where(ImportRow.batch_id == key)).one()
    client = login("web_supervisor")
    page = client.get(f"/customer/show/{row.record_id}").text
    story = page[page.index('id="story"') :]
    assert "<li>已导入<" in story
    assert f'href="/import_batch/show/{key}"' in story
    batch = client.get(f"/import_batch/show/{key}").text
    told = batch[batch.index('id="story"') :]
    assert "<li>检查<" in told, "what was done to the import itself"
    assert "<li>已导入<" not in told, "the rows would bury it"
