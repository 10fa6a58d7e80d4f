"""Twelve formulas through every file that leaves the house: each comes back as text, totals as on screen. Target 33."""

from __future__ import annotations

import csv
import io
import re
import zipfile

import pytest
from openpyxl import load_workbook
from sqlalchemy import select

from app.models.hr import Branch
from app.models.privacy import ExportRequest
from app.panel.house_view import views
from app.reports.base import REPORTS
from app.services.files import content_of
from app.services.imports import KINDS
from tests.canaries import NOW, grant_everything, make_canaries
from tests.panel.test_import_pages import send, work  # noqa: F401 - fixtures

PAYLOADS = [
    "=1+1", "+1+1", "-1+1", "@SUM(A1)", '=HYPERLINK("http://x","y")', "=cmd|' /C calc'!A0", "＝1+1", "＋1+1", "－1+1",
    "＠SUM(A1)", "=IMPORTXML(A1,B1)", "-2+3+cmd|' /C calc'!A0",
]  # fmt: skip
RISKY = tuple("=+-@\t\r＝＋－＠")
NUMBER = re.compile(r"[+-]?[\d,]+(\.\d+)?%?")
LOOKER = "branch_head"


def texts_of(data: bytes, file_format: str) -> list[str]:
    """Return every text of a file; fails where a spreadsheet would calculate one."""
    if file_format == "csv":
        cells = [cell for row in csv.reader(io.StringIO(data.decode("utf-8-sig"))) for cell in row]
        for cell in cells:
            assert not cell.lstrip().startswith(RISKY) or NUMBER.fullmatch(cell), cell
        return [cell.removeprefix("'") for cell in cells]
    with zipfile.ZipFile(io.BytesIO(data)) as parts:
        for name in parts.namelist():
            assert b"<f>" not in parts.read(name), name
            assert not re.search(rb"<f[ >]", parts.read(name)), name
            assert "externalLink" not in name
    book = load_workbook(io.BytesIO(data))
    cells = [cell for sheet in book.worksheets for row in sheet.iter_rows() for cell in row]
    assert {cell.data_type for cell in cells} <= {"s", "inlineStr", "n", "d", "b"}
    for cell in cells:
        assert cell.data_type in ("s", "inlineStr") or not str(cell.value or "").startswith("=")
    return [cell.value for cell in cells if isinstance(cell.value, str)]


def test_the_check_sees_a_formula():
    """The negative control: what a careless export would write."""
    from openpyxl import Workbook

    book = Workbook()
    book.active.append(["=1+1"])
    out = io.BytesIO()
    book.save(out)
    with pytest.raises(AssertionError):
        texts_of(out.getvalue(), "xlsx")
    for payload in PAYLOADS:
        with pytest.raises(AssertionError):
            texts_of(payload.encode("utf-8-sig"), "csv")


@pytest.fixture
def looker(app, session, employee):
    grant_everything(app, session, LOOKER)
    return employee(LOOKER)


@pytest.fixture
def exported(rest):
    call = rest(LOOKER)

    def export(table, file_format, **query):
        answer = call("POST", f"{table}/export", {"format": file_format, "reason": "=1+1 核对", "query": query})
        assert answer.status_code == 200, (table, answer.status_code, answer.text[:200])
        return answer.data

    return export


def test_every_list_exports_texts(looker, session, exported, some):
    used = iter(range(10**6))
    made = make_canaries(
        session, looker, "x", text=lambda _named, length: PAYLOADS[next(used) % len(PAYLOADS)][: length or 99]
    )
    session.commit()
    told = 0
    for table in some(sorted(set(made.rows) & set(views())), 8):
        for file_format in ("csv", "xlsx"):
            found = texts_of(exported(table, file_format), file_format)
            told += bool({*PAYLOADS} & {*found})
    assert told >= 4


def test_each_formula_comes_back_as_it_was_written(looker, session, exported, make_customer, person, login):
    for payload in PAYLOADS:
        make_customer(person(LOOKER), name=payload)
    session.commit()
    for file_format in ("csv", "xlsx"):
        found = texts_of(exported("customer", file_format, size="25"), file_format)
        assert {*PAYLOADS} <= {*found}, {*PAYLOADS} - {*found}
    shown = session.scalars(select(ExportRequest).order_by(ExportRequest.id.desc())).first()
    page = login(LOOKER).get("/customer/list/").text
    assert re.search(rf"\b{shown.row_count}\b", page), "as many rows as the screen counts"


def test_reports_export_texts_and_the_totals_of_the_screen(
    looker, session, make_customer, make_slip, item, do, person, rest, some
):
    by = person("phone_consultant")
    hers = session.get(type(looker), by.employee_id)
    hers.name = PAYLOADS[0]
    session.get(Branch, looker.branch_id).name = PAYLOADS[3]
    category = item("business_category", "item_enquiry")
    category.name = PAYLOADS[4]
    session.commit()
    by = person("phone_consultant")
    make_slip(by)
    for _each in range(2):
        do("contact_record.register_call", by, business_category_id=category.id)
    session.commit()
    call, today, told = rest(LOOKER), NOW.astimezone(by.timezone).date(), 0
    for name in some(REPORTS, 3):
        day = next(d for d in (today, today.replace(day=1)) if call("GET", f"report/{name}?day={d}").status_code == 200)
        screen = totals_of(call("GET", f"report/{name}?day={day}").json)
        for file_format in ("csv", "xlsx"):
            asked = {"day": str(day), "format": file_format, "reason": "=1 核对"}
            answer = call("POST", f"report/{name}/export", asked)
            assert answer.status_code == 200, (name, answer.text[:200])
            told += bool({*PAYLOADS} & {*texts_of(answer.data, file_format)})
            if file_format == "csv":
                lines = list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))))
                assert [total for total in screen if total not in lines] == [], name
            else:
                lines = [[_plain(cell.value) for cell in row] for row in _rows_of(answer.data)]
                assert [total for total in screen if [_plain(each) for each in total] not in lines] == [], name
    assert told


def totals_of(facts):
    """Return the totals of each table as a reader over REST is told them, each as a line of a file."""
    return [[_written(each) for each in table["totals"]] for table in facts["tables"] if table["totals"] is not None]


def _written(value):
    if value is None:
        return ""
    if isinstance(value, dict):
        return value["decimal"] if "decimal" in value else value.get("zh", "")
    return str(value)


def _rows_of(data):
    return [row for sheet in load_workbook(io.BytesIO(data)).worksheets for row in sheet.iter_rows()]


def _plain(value):
    try:
        return float(value)
    except (TypeError, ValueError):
        return "" if value is None else str(value)


def test_refused_rows_come_back_as_texts(rest, send, work):  # noqa: F811
    call = rest("it_manager")
    rows = [["姓名", "手机", "备注"], *([payload, "12", payload] for payload in PAYLOADS)]
    upload = {"kind": "customers", "file_id": send("it_manager", _of_texts(rows))}
    key = call("POST", "import_batch/upload", upload).json["id"]
    mapped = {"columns": ["name", "phone", ""], "on_duplicate": "skip"}
    assert call("POST", f"import_batch/{key}/map", mapped).status_code == 200
    assert call("POST", f"import_batch/{key}/check").status_code == 200
    work()
    found = texts_of(call("GET", f"import_batch/{key}/refused").data, "xlsx")
    assert {*PAYLOADS} <= {*found}


def _of_texts(rows):
    """Return a workbook whose cells are texts, as somebody types them with an apostrophe before."""
    from openpyxl import Workbook

    book, out = Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    for row in book.active.iter_rows():
        for cell in row:
            cell.data_type = "s"
    book.save(out)
    return out.getvalue()


def test_templates_and_the_matrix_of_rights_hold_no_formula(looker, session, login):
    session.get(Branch, looker.branch_id).name = PAYLOADS[0]
    session.commit()
    client = login(LOOKER)
    for kind in KINDS:
        answer = client.get(f"/import_batch/template/{kind.value}")
        assert answer.status_code in (200, 404)
        if answer.status_code == 200:
            texts_of(answer.data, "xlsx")
    for page in ("matrix", "conflicts"):
        for file_format in ("csv", "xlsx"):
            data = {"csrf_token": client.token, "reason": PAYLOADS[0] + "核对"}
            answer = client.post(f"/rights/{page}/export/{file_format}", data=data)
            assert answer.status_code == 302, (page, file_format, answer.text[:300])
            session.expire_all()
            request = session.scalars(select(ExportRequest).order_by(ExportRequest.id.desc())).first()
            found = texts_of(content_of(request.file), file_format)
            assert file_format == "csv" or PAYLOADS[0] + "核对" in found
