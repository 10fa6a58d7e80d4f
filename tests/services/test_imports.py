"""Imports: what a check names, that it changes nothing, and that each row is written once. White paper 1.2, 2.1.1."""

from __future__ import annotations

import csv
import dataclasses
import io
import time
from datetime import date
from itertools import pairwise
from typing import Any

import pytest
from openpyxl import Workbook
from sqlalchemy import func, select, update

from app.errors import InvalidInput, NotPermitted, Refusal
from app.models.appointments import ContactRecord
from app.models.audit import ActRun
from app.models.base import METADATA
from app.models.customers import Customer, CustomerContact, CustomerOwnerHistory, FileState, OwnerRule
from app.models.files import FilePurpose
from app.models.hr import Department, Employee, EmployeeState, Position
from app.models.imports import (
    ImportBatch,
    ImportFinding,
    ImportMapping,
    ImportOf,
    ImportRow,
    ImportState,
    OnDuplicate,
    RowAction,
    Weight,
)
from app.models.tasks import BackgroundTask, TaskState
from app.services.files import XLSX, take_in
from app.services.imports.reading import heading_of
from app.services.imports.table import Asked
from app.services.tasks import perform

HEADS = ["姓名", "手机", "性别", "生日", "来源", "备注"]


def xlsx(*rows: list[Any], title: str = "客户", merge: str = "", more: Any = None) -> bytes:
    book = Workbook()
    sheet = book.active
    sheet.title = title
    for row in rows:
        sheet.append(row)
    if merge:
        sheet.merge_cells(merge)
    if more is not None:
        more(book)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def text(*rows: list[Any], encoding: str = "utf-8", delimiter: str = ",") -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows(rows)
    return out.getvalue().encode(encoding)


@pytest.fixture
def hand_in(do, session, at):
    """Hand a file in and return its batch."""

    def upload(by, kind: ImportOf, content: bytes, name: str = "客户.xlsx", **values: Any) -> ImportBatch:
        file = take_in(session, content, name, purpose=FilePurpose.IMPORT, field="file_id", by=by, at=at)
        return do("import_batch.upload", by, kind=kind, file_id=file.id, **values).record

    return upload


@pytest.fixture
def work(session):
    """Do the newest task of the queue as a worker does."""

    def perform_newest() -> BackgroundTask:
        task = session.scalars(select(BackgroundTask).order_by(BackgroundTask.id.desc())).first()
        perform(session, task.id, task.job_id)
        session.expire_all()
        return session.get(BackgroundTask, task.id)

    return perform_newest


@pytest.fixture
def checked(do, hand_in, work, session):
    """Hand a file in, check it, and return its batch."""

    def run(by, kind, content, **options) -> ImportBatch:
        batch = hand_in(by, kind, content)
        if options:
            columns = [line["field"] for line in batch.columns]
            do(
                "import_batch.map",
                by,
                batch,
                columns=columns,
                **{"on_duplicate": OnDuplicate.SKIP, "all_or_nothing": False, **options},
            )
        do("import_batch.check", by, batch)
        task = work()
        assert task.state is TaskState.DONE, task.error
        return batch

    return run


@pytest.fixture
def imported(do, checked, work):
    """Hand a file in, check it, carry it out, and return its batch."""

    def run(by, kind, content, **options) -> ImportBatch:
        batch = checked(by, kind, content, **options)
        do("import_batch.carry_out", by, batch)
        task = work()
        assert task.state is TaskState.DONE, task.error
        return batch

    return run


@pytest.fixture
def findings(session):
    def of(batch, weight: Weight | None = None) -> list[tuple[str, str]]:
        statement = select(ImportFinding).where(ImportFinding.batch_id == batch.id, ImportFinding.round == batch.round)
        if weight is not None:
            statement = statement.where(ImportFinding.weight == weight)
        return [
            (each.cell or str(each.row_no), each.rule)
            for each in session.scalars(statement.order_by(ImportFinding.row_no, ImportFinding.column_no))
        ]

    return of


@pytest.fixture
def operations(person):
    return person("it_manager")


@pytest.fixture
def hr(person):
    return person("hr")


def count(session, model, *conditions) -> int:
    return session.scalar(select(func.count()).select_from(model).where(*conditions)) or 0


# --- the dry run --------------------------------------------------------------------------------------------------


def test_a_check_names_each_refused_cell_and_changes_nothing(session, operations, checked, findings, phone):
    """Issue 3, item 5; R-2.1.1-2."""
    before = count(session, Customer)
    good = phone()
    batch = checked(
        operations,
        ImportOf.CUSTOMERS,
        xlsx(
            HEADS,
            ["林小雨", good, "女", "1996-05-12", None, None],
            ["王芳", "12345", "女", None, None, None],
            ["李娜", phone(), "不详", None, None, None],
            ["张敏", phone(), "女", "2096/1/1", None, None],
            ["陈静", phone(), "女", "昨天", "天上掉的", None],
            [None, phone(), "女", None, None, None],
            ["刘洋", None, "女", None, None, None],
            ["赵雷", good, "男", None, None, None],
            ["周杰", "=1+1", "男", None, None, None],
            ["吴磊", 1.3912e10 + 0.5, "男", None, None, "注" * 501],
        ),
    )
    assert batch.state is ImportState.CHECKED
    assert findings(batch, Weight.REFUSED) == [
        ("B3", "not_phone"),
        ("C4", "not_choice"),
        ("D5", "future"),
        ("D6", "not_day"),
        ("E6", "nobody"),
        ("A7", "no_name"),
        ("B8", "no_way"),
        ("B9", "twice_in_file"),
        ("B10", "formula"),
        ("B11", "not_phone"),
        ("F11", "too_long"),
    ]
    assert (batch.rows_total, batch.rows_refused) == (10, 9)
    assert count(session, Customer) == before
    assert count(session, ImportRow, ImportRow.batch_id == batch.id) == 0
    shown = session.scalars(select(ImportFinding).where(ImportFinding.cell == "B9")).one()
    assert shown.value == f"{good[:3]}****{good[-4:]}", "a number stays masked"
    assert "2" in shown.sentence


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("1996/5/2", date(1996, 5, 2)),
        ("1996年5月2日", date(1996, 5, 2)),
        ("１９９６－０５－０２", date(1996, 5, 2)),
        (35187, date(1996, 5, 2)),
        ("35187", date(1996, 5, 2)),
        (date(1996, 5, 2), date(1996, 5, 2)),
        ("19960502", date(1996, 5, 2)),
        ("1996.5.2", date(1996, 5, 2)),
    ],
)
def test_a_day_is_read_in_every_dress(session, operations, imported, phone, written, expected):
    number = phone()
    batch = imported(operations, ImportOf.CUSTOMERS, xlsx(HEADS, ["林小雨", number, "女", written, None, None]))
    made = _made(session, batch)[0]
    assert made.birth_on == expected


def _made(session, batch):
    keys = session.scalars(
        select(ImportRow.record_id)
        .where(ImportRow.batch_id == batch.id, ImportRow.action == RowAction.MADE)
        .order_by(ImportRow.row_no)
    ).all()
    model = {
        "customers": Customer,
        "chats": ContactRecord,
        "employees": Employee,
        "departments": Department,
        "positions": Position,
    }
    return [session.get(model[batch.kind.value], key) for key in keys]


@pytest.mark.parametrize(
    ("written", "rule"),
    [("1.3912E+10", "digits_lost"), (2160000000, "zero_lost"), ("abc", "not_phone"), (13912, "not_phone")],
)
def test_a_number_that_a_spreadsheet_spoiled_is_told(operations, checked, findings, written, rule):
    batch = checked(operations, ImportOf.CUSTOMERS, xlsx(HEADS, ["林小雨", written, "女", None, None, None]))
    assert findings(batch) == [("B2", rule)]


@pytest.mark.parametrize(
    "written",
    [13912340001, 13912340001.0, "139 1234 0001", "１３９１２３４０００１", "+86 139-1234-0001", "13912340001.0"],
)
def test_a_telephone_is_read_whatever_the_spreadsheet_made_of_it(session, operations, imported, written):
    batch = imported(operations, ImportOf.CUSTOMERS, xlsx(HEADS, ["林小雨", written, "女", None, None, None]))
    assert _made(session, batch)[0].contacts[0].value == "13912340001"


def test_merged_cells_are_named(operations, checked, findings, phone):
    batch = checked(
        operations,
        ImportOf.CUSTOMERS,
        xlsx(
            HEADS, ["林小雨", phone(), "女", None, None, None], ["王芳", phone(), None, None, None, None], merge="C2:C3"
        ),
    )
    assert findings(batch) == [("C2", "merged"), ("C3", "merged")]


# --- files that cannot be read ------------------------------------------------------------------------------------


def _zip(*names: str) -> bytes:
    import zipfile

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as parts:
        for name in names:
            parts.writestr(name, "<x/>")
    return out.getvalue()


def _bomb() -> bytes:
    import zipfile

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("xl/workbook.xml", "<workbook/>")
        parts.writestr("xl/worksheets/sheet1.xml", b" " * (257 * 1024 * 1024))
    return out.getvalue()


def _entities() -> bytes:
    import zipfile

    out, source = io.BytesIO(), io.BytesIO(xlsx(HEADS))
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith("sheet1.xml"):
                content = b'<!DOCTYPE x [<!ENTITY a "b">]>' + content
            new.writestr(name, content)
    return out.getvalue()


UNREADABLE = {
    "an empty workbook": lambda: xlsx(),
    "an empty text": lambda: b"\r\n , , \r\n",
    "half a workbook": lambda: xlsx(HEADS, ["林小雨"])[:2000],
    "a workbook of nothing": lambda: _zip("xl/workbook.xml"),
    "a Word document": lambda: _zip("word/document.xml"),
    "a Numbers document": lambda: _zip("Index/Document.iwa"),
    "an old workbook": lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600,
    "a locked workbook": lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
    "a web page": lambda: b"<html><table>",
    "a bomb": _bomb,
    "entities": _entities,
    "nothing": lambda: b"",
    "an open quotation mark in the head": lambda: '姓名,手机\n"林小雨,139\n'.encode(),
    "no encoding at all": lambda: "姓名,手机\n".encode("gb18030") + b"\xff\xff\x81\x20\n",
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_a_file_that_cannot_be_read_is_refused_with_a_sentence(session, operations, hand_in, what):
    with pytest.raises(InvalidInput) as said:
        hand_in(operations, ImportOf.CUSTOMERS, UNREADABLE[what]())
    assert len(said.value.errors["file_id"][0]) > 5
    assert count(session, ImportBatch) == 0


def test_a_fault_far_down_in_the_file_is_told_by_its_check(operations, do, hand_in, work, findings):
    rows = "".join(f"客{n},139000{n:05d}\n" for n in range(300))
    batch = hand_in(operations, ImportOf.CUSTOMERS, ("姓名,手机\n" + rows + '"没有结束\n').encode(), "a.csv")
    do("import_batch.check", operations, batch)
    work()
    assert batch.state is ImportState.FAILED
    assert findings(batch) == [("0", "unreadable")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "big5"])
def test_a_text_is_read_in_whatever_encoding(session, operations, imported, phone, encoding):
    heads, names, remark = ["姓名", "手机", "备注"], ["林小雨", "王芳", "李娜"], "从朋友处听说，想了解双眼皮的恢复期"
    if encoding == "big5":
        heads, names = ["姓名", "tel", "說明"], ["林小雨", "王芳", "李安"]
        remark = "朋友介紹，想瞭解雙眼皮手術後的恢復時間"
    rows = [[name, phone(), remark] for name in names]
    batch = imported(operations, ImportOf.CUSTOMERS, text(heads, *rows, encoding=encoding))
    assert [made.name for made in _made(session, batch)] == names
    assert batch.encoding == encoding.removesuffix("-sig")


def test_the_encoding_can_be_chosen_where_the_guess_was_wrong(operations, hand_in, do):
    batch = hand_in(
        operations, ImportOf.CUSTOMERS, text(["姓名", "手机"], ["林小雨", "13912340002"], encoding="gb18030")
    )
    assert batch.encoding == "gb18030"
    with pytest.raises(InvalidInput):
        do("import_batch.read_again", operations, batch, encoding="utf-8")
    assert batch.encoding == "gb18030"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "，", "|"])
def test_the_separator_is_found(operations, hand_in, delimiter):
    batch = hand_in(
        operations,
        ImportOf.CUSTOMERS,
        text(["姓名", "手机", "性别"], ["林小雨", "13912340002", "女"], delimiter=delimiter),
    )
    assert [line["field"] for line in batch.columns] == ["name", "phone", "sex"]


def test_ragged_rows_are_told_by_their_number(operations, checked, findings):
    batch = checked(
        operations, ImportOf.CUSTOMERS, "姓名,手机,备注\n林小雨,13912340003,好,多\n王芳,13912340004\n".encode()
    )
    assert findings(batch) == [("2", "ragged_more"), ("3", "ragged_fewer")]


def test_headers_below_a_title_and_hidden_sheets_are_found(operations, hand_in):
    def more(book: Workbook) -> None:
        book.create_sheet("空表", 0)
        hidden = book.create_sheet("底稿", 0)
        hidden.append(["手机", "姓名"])
        hidden.sheet_state = "hidden"
        book.active = 1

    batch = hand_in(operations, ImportOf.CUSTOMERS, xlsx(["2026 年客户名单"], [], HEADS, ["林小雨"], more=more))
    assert (batch.sheet, batch.header_row, batch.sheets) == ("客户", 3, ["空表", "客户"])


def test_the_top_of_a_large_workbook_is_read_without_the_rest():
    """Handing in answers within two seconds: the rest of the file is the check's work."""
    words = [f"第{number}行的说明，每行都不同" for number in range(60_000)]
    book = Workbook(write_only=True)
    sheet = book.create_sheet("客户")
    sheet.append(["姓名", "手机", "备注"])
    for number, remark in enumerate(words):
        sheet.append([f"客{number}", str(13_900_000_000 + number), remark])
    out = io.BytesIO()
    book.save(out)
    began = time.perf_counter()
    heading = heading_of(out.getvalue(), XLSX, Asked(), {"姓名", "手机", "备注"})
    assert time.perf_counter() - began < 1
    assert heading.heads == ("姓名", "手机", "备注")
    assert heading.examples[2][0] == words[0]


# --- the flow -----------------------------------------------------------------------------------------------------


def test_customers_are_imported_and_each_can_be_explained(session, operations, imported, employee, phone):
    """R-1.2-1, R-2.1.1-2: a file for life, by the same rules as at the desk."""
    developer = employee("web_consultant")
    numbers = [phone(), phone()]
    batch = imported(
        operations,
        ImportOf.CUSTOMERS,
        xlsx(
            [*HEADS, "归属人", "介绍人"],
            ["林小雨", numbers[0], "女", "1996-05-12", None, "好", developer.employee_no, "王芳"],
            ["王芳", numbers[1], "女", None, None, None, None, None],
        ),
    )
    first, second = _made(session, batch)
    assert batch.state is ImportState.DONE
    assert (batch.rows_made, batch.rows_left_out, batch.rows_done) == (2, 0, 2)
    assert first.branch_id == operations.branch_id
    assert (first.developer_id, first.referrer_customer_id) == (developer.id, second.id)
    assert first.search_terms
    assert first.contacts[0].value == numbers[0]
    entry = session.scalars(select(ActRun).where(ActRun.table_name == "customer", ActRun.record_id == first.id)).one()
    assert (entry.result_table, entry.result_id) == ("import_batch", batch.id)
    assert numbers[0] not in str(entry.inputs)


def test_the_same_file_is_refused_with_who_and_when_until_the_first_is_cancelled(
    session, operations, hand_in, do, phone
):
    content = xlsx(HEADS, ["林小雨", phone(), "女", None, None, None])
    first = hand_in(operations, ImportOf.CUSTOMERS, content)
    with pytest.raises(Refusal) as said:
        hand_in(operations, ImportOf.CUSTOMERS, content)
    assert operations.display_name in said.value.sentence
    do("import_batch.cancel", operations, first)
    assert hand_in(operations, ImportOf.CUSTOMERS, content).state is ImportState.UPLOADED


def test_a_file_that_was_imported_is_never_imported_again(operations, imported, hand_in, phone):
    """What was imported cannot be cancelled, so nobody is told to."""
    content = xlsx(HEADS, ["林小雨", phone(), "女", None, None, None])
    imported(operations, ImportOf.CUSTOMERS, content)
    with pytest.raises(Refusal) as said:
        hand_in(operations, ImportOf.CUSTOMERS, content)
    assert operations.display_name in said.value.sentence
    assert "取消" not in said.value.sentence
    assert "ancel" not in said.value.sentence


def test_a_corrected_file_shows_what_stands_and_skips_it(session, operations, imported, checked, findings, phone):
    numbers = [phone(), phone()]
    rows = [["林小雨", numbers[0], "女", None, None, None], ["王芳", numbers[1], "女", None, None, None]]
    imported(operations, ImportOf.CUSTOMERS, xlsx(HEADS, rows[0]))
    batch = imported(operations, ImportOf.CUSTOMERS, xlsx(HEADS, *rows))
    assert findings(batch) == [("B2", "stands")]
    assert (batch.rows_made, batch.rows_skipped) == (1, 1)
    assert count(session, CustomerContact, CustomerContact.value_tail == numbers[0][-4:]) >= 1


def test_only_what_is_empty_is_filled_in(session, operations, imported, phone):
    number = phone()
    first = _made(session, imported(operations, ImportOf.CUSTOMERS, xlsx(["姓名", "手机"], ["林小雨", number])))[0]
    batch = imported(
        operations,
        ImportOf.CUSTOMERS,
        xlsx([*HEADS, "微信"], ["别的名字", number, "女", "1996-05-12", None, None, "linxy"]),
        on_duplicate=OnDuplicate.FILL,
    )
    session.refresh(first)
    assert (first.name, first.birth_on, batch.rows_updated) == ("林小雨", date(1996, 5, 12), 1)
    assert {contact.value for contact in first.contacts} == {number, "linxy"}


def test_one_row_may_be_treated_apart(session, operations, do, checked, work, imported, phone):
    number = phone()
    imported(operations, ImportOf.CUSTOMERS, xlsx(["姓名", "手机"], ["林小雨", number]))
    batch = checked(operations, ImportOf.CUSTOMERS, xlsx(HEADS, ["林小雨", number, "女", None, None, None]))
    finding = session.scalars(select(ImportFinding).where(ImportFinding.batch_id == batch.id)).one()
    do("import_finding.choose", operations, finding, choice=OnDuplicate.FILL)
    do("import_batch.carry_out", operations, batch)
    work()
    assert batch.rows_updated == 1


def test_a_customer_of_another_branch_is_told_by_owner_only(
    session, operations, checked, make_customer, person, findings
):
    """R-2.1.1-2 crosses branches, and gives no name."""
    make_customer(person("b2_phone_consultant"), phone="13912340009", name="慕容雪")
    batch = checked(
        operations, ImportOf.CUSTOMERS, xlsx(["姓名", "手机"], ["林小雨", "13912340009"]), on_duplicate=OnDuplicate.FILL
    )
    finding = session.scalars(select(ImportFinding).where(ImportFinding.batch_id == batch.id)).one()
    assert finding.rule == "known_number"
    assert "慕容雪" not in finding.sentence
    assert person("b2_phone_consultant").display_name in finding.sentence


def test_a_partners_customer_has_no_referrer_in_a_file_either(session, operations, checked, findings, phone):
    """R-2.1.1-5."""
    from app.models.customers import ChannelPartner

    partner = session.scalars(select(ChannelPartner).where(ChannelPartner.branch_id == operations.branch_id)).first()
    batch = checked(
        operations,
        ImportOf.CUSTOMERS,
        xlsx(
            ["姓名", "手机", "渠道", "介绍人"], ["林小雨", phone(), partner.name, "王芳"], ["王芳", phone(), None, None]
        ),
    )
    assert ("D2", "said") in findings(batch)


def test_all_or_nothing_imports_nothing_while_a_row_is_refused(operations, do, checked, phone):
    batch = checked(
        operations, ImportOf.CUSTOMERS, xlsx(["姓名", "手机"], ["林小雨", phone()], ["王芳", "x"]), all_or_nothing=True
    )
    with pytest.raises(Refusal):
        do("import_batch.carry_out", operations, batch)
    assert batch.state is ImportState.CHECKED


def test_only_what_was_checked_is_imported(session, operations, do, checked, phone):
    batch = checked(operations, ImportOf.CUSTOMERS, xlsx(["姓名", "手机"], ["林小雨", phone()]))
    do(
        "import_batch.map",
        operations,
        batch,
        columns=["alias", "phone"],
        on_duplicate=OnDuplicate.SKIP,
        all_or_nothing=False,
    )
    assert batch.state is ImportState.UPLOADED
    with pytest.raises(Refusal):
        do("import_batch.carry_out", operations, batch)


def test_headers_are_remembered(session, operations, do, hand_in, phone):
    first = hand_in(operations, ImportOf.CUSTOMERS, xlsx(["贵姓", "号", "手机"], ["林小雨", "x", phone()]))
    assert [line["field"] for line in first.columns] == ["", "", "phone"]
    do(
        "import_batch.map",
        operations,
        first,
        columns=["name", "", "phone"],
        on_duplicate=OnDuplicate.SKIP,
        all_or_nothing=False,
    )
    assert count(session, ImportMapping) == 1
    second = hand_in(operations, ImportOf.CUSTOMERS, xlsx(["贵姓", "号", "手机"], ["王芳", "y", phone()]))
    assert [line["field"] for line in second.columns] == ["name", "", "phone"]


@pytest.mark.parametrize("columns", [["name"], ["name", "name"], ["name", "nonsense"], ["name", "phone", ""]])
def test_columns_that_make_no_sense_are_refused(operations, do, hand_in, phone, columns):
    batch = hand_in(operations, ImportOf.CUSTOMERS, xlsx(["姓名", "手机"], ["林小雨", phone()]))
    with pytest.raises(InvalidInput) as said:
        do("import_batch.map", operations, batch, inputs={"columns": columns, "on_duplicate": "skip"})
    assert "columns" in said.value.errors


@pytest.mark.parametrize(
    ("who", "kind"),
    [("hr", ImportOf.CUSTOMERS), ("it_manager", ImportOf.EMPLOYEES), ("web_supervisor", ImportOf.DEPARTMENTS)],
)
def test_one_imports_only_what_is_ones_own_business(person, hand_in, who, kind):
    with pytest.raises(Refusal):
        hand_in(person(who), kind, xlsx(HEADS, ["林小雨"]))


def test_a_consultant_imports_nothing(person, hand_in):
    with pytest.raises(NotPermitted):
        hand_in(person("web_consultant"), ImportOf.CUSTOMERS, xlsx(HEADS, ["林小雨"]))


# --- the organisation ---------------------------------------------------------------------------------------------

DEPARTMENT_HEADS = ["部门编码", "部门名称", "部门类型", "上级部门"]


def test_a_tree_of_departments_may_be_given_bottom_up(session, hr, imported):
    """REF-1."""
    rows = [[f"T{n:04d}", f"部门{n}", "业务部门", f"T{n + 1:04d}" if n < 299 else None] for n in range(300)]
    batch = imported(hr, ImportOf.DEPARTMENTS, xlsx(DEPARTMENT_HEADS, *rows))
    made = _made(session, batch)
    assert len(made) == 300
    assert all(each.parent_id == other.id for each, other in pairwise(made))
    assert made[-1].parent_id is None


def test_a_ring_of_a_thousand_departments_is_refused_row_by_row(session, hr, checked, findings):
    rows = [[f"T{n:04d}", f"部门{n}", "业务部门", f"T{(n + 1) % 1000:04d}"] for n in range(1000)]
    rows += [["U1", "支部", "业务部门", "T0500"], ["U2", "独立", "业务部门", None]]
    batch = checked(hr, ImportOf.DEPARTMENTS, xlsx(DEPARTMENT_HEADS, *rows))
    told = findings(batch)
    assert [rule for _cell, rule in told].count("ring") == 1000
    assert told[-1] == ("D1002", "refers_refused")
    assert batch.rows_refused == 1001


def test_a_thousand_colleagues_may_cover_each_other_in_a_ring(session, hr, imported, employee):
    """GL 44-45: partner and successor; two may well stand in for each other."""
    place = employee("phone_consultant").department.name
    rows = [[f"Z{n:04d}", f"员工{n}", place, f"Z{(n + 1) % 1000:04d}", f"Z{(n - 1) % 1000:04d}"] for n in range(1000)]
    batch = imported(hr, ImportOf.EMPLOYEES, xlsx(["工号", "姓名", "部门", "搭档", "继任者"], *rows))
    made = _made(session, batch)
    assert len(made) == 1000
    assert made[0].partner_employee_id == made[1].id
    assert made[0].successor_employee_id == made[-1].id


def test_a_ring_of_referrers_is_refused(session, operations, checked, findings, phone):
    numbers = [phone() for _ in range(3)]
    rows = [[f"客{n}", numbers[n], numbers[(n + 1) % 3]] for n in range(3)]
    batch = checked(operations, ImportOf.CUSTOMERS, xlsx(["姓名", "手机", "介绍人"], *rows))
    assert [rule for _cell, rule in findings(batch)] == ["ring"] * 3


def test_staff_errors_are_told(session, hr, checked, findings, employee):
    known = employee("phone_consultant")
    place = known.department.name
    rows = [
        [known.employee_no, "某人", place, None, None],
        ["Z1", "甲", "没有的部门", None, None],
        ["Z2", "乙", place, None, "11010519491231002X"],
        ["Z3", "丙", place, None, "110105194912310021"],
        ["Z4", "丁", place, "Z4", None],
        ["Z5", "戊", place, "没有的人", None],
        ["Z2", "己", place, None, None],
        [None, "庚", place, None, None],
    ]
    batch = checked(hr, ImportOf.EMPLOYEES, xlsx(["工号", "姓名", "部门", "搭档", "身份证"], *rows))
    assert findings(batch) == [
        ("A2", "stands"),
        ("C3", "nobody"),
        ("E5", "not_id_no"),
        ("D6", "refers_self"),
        ("D7", "refers_nobody"),
        ("A8", "twice_in_file"),
        ("A9", "required"),
    ]


def test_positions_are_imported(session, hr, imported):
    batch = imported(
        hr,
        ImportOf.POSITIONS,
        xlsx(["岗位编码", "岗位名称", "默认角色"], ["p1", "接待", "guide"], ["p2", "督导", "没有"]),
    )
    assert [each.default_role for each in _made(session, batch)] == ["guide"]
    assert batch.rows_left_out == 1


# --- chats --------------------------------------------------------------------------------------------------------


def test_chats_of_another_system_are_imported_with_their_day_in_the_number(
    session, operations, imported, employee, make_customer
):
    """White paper 2.1.1.2; R-2.1.1-1, -2."""
    make_customer(phone="13912340010")
    clerk = employee("web_consultant")
    content = text(
        ["开始时间", "访客名称", "着陆页", "关键词", "对话内容", "客服", "地区", "手机"],
        [
            "2026-01-03 14:30:05",
            "访客1",
            "https://example.com/a",
            "双眼皮",
            "你好\n请问",
            clerk.name,
            "上海",
            "13912340010",
        ],
        ["2026年1月3日 15:00", "访客2", "", "", "在吗", "", "", ""],
        encoding="gb18030",
    )
    batch = imported(operations, ImportOf.CHATS, content)
    first, second = _made(session, batch)
    assert "20260103" in first.record_no
    assert (first.consultant_id, first.keyword, first.chat_text) == (clerk.id, "双眼皮", "你好\n请问")
    assert first.customer_id is not None
    assert second.business_category_id is not None
    again = imported(operations, ImportOf.CHATS, content + b"\r\n")
    assert (again.rows_made, again.rows_skipped) == (0, 2)


# --- breaking off -------------------------------------------------------------------------------------------------


def test_a_killed_worker_leaves_each_row_written_once(session, operations, do, checked, work, phone, monkeypatch):
    from app.services.imports import background, carrying

    monkeypatch.setattr(carrying, "STEP", 3)
    rows = [[f"客{n}", phone()] for n in range(10)]
    batch = checked(operations, ImportOf.CUSTOMERS, xlsx(["姓名", "手机"], *rows))
    do("import_batch.carry_out", operations, batch)
    steps, usual = [], background.carry_rows

    def dies(*args: Any, **kwargs: Any) -> int:
        done = usual(*args, **kwargs)
        steps.append(done)
        if len(steps) == 3:
            raise KeyboardInterrupt
        return done

    monkeypatch.setattr(background, "carry_rows", dies)
    with pytest.raises(KeyboardInterrupt):
        work()
    session.rollback()
    session.expire_all()
    assert batch.rows_done == 6
    monkeypatch.setattr(background, "carry_rows", usual)
    task = batch.task
    task.state = TaskState.QUEUED
    session.commit()
    assert work().state is TaskState.DONE
    assert (batch.state, batch.rows_made) == (ImportState.DONE, 10)
    assert count(session, ImportRow, ImportRow.batch_id == batch.id) == 10
    assert count(session, Customer, Customer.name.in_([row[0] for row in rows])) == 10


def test_a_cancelled_import_stops_and_what_was_made_stays(session, operations, do, checked, work, phone, monkeypatch):
    from app.services.imports import background, carrying

    monkeypatch.setattr(carrying, "STEP", 3)
    batch = checked(operations, ImportOf.CUSTOMERS, xlsx(["姓名", "手机"], *[[f"客{n}", phone()] for n in range(10)]))
    do("import_batch.carry_out", operations, batch)
    usual = background.locked

    def cancels(session: Any, batch_id: int) -> ImportBatch:
        found = usual(session, batch_id)
        if found.rows_done == 6 and found.state is ImportState.IMPORTING:
            do("import_batch.cancel", operations, found)
        return found

    monkeypatch.setattr(background, "locked", cancels)
    work()
    assert (batch.state, batch.rows_made) == (ImportState.CANCELLED, 6)


def test_a_number_registered_between_check_and_import_is_not_doubled(
    session, operations, do, checked, work, make_customer
):
    """R-2.1.1-2."""
    batch = checked(operations, ImportOf.CUSTOMERS, xlsx(["姓名", "手机"], ["林小雨", "13912340077"]))
    make_customer(phone="13912340077")
    do("import_batch.carry_out", operations, batch)
    work()
    assert (batch.rows_made, batch.rows_skipped) == (0, 1)


# --- who may give customers to whom, and who has left meanwhile ---------------------------------------------------

OWNED = ["姓名", "手机", "归属人"]


def test_operations_import_no_customers(person, hand_in):
    """Part D, R26: aggregated reports only."""
    with pytest.raises(NotPermitted):
        hand_in(person("operations"), ImportOf.CUSTOMERS, xlsx(OWNED))


def test_a_supervisor_names_owners_of_her_departments_only(session, person, imported, findings, employee, phone):
    """Part D, R04: as when a customer is handed over."""
    by = person("web_supervisor")
    mine, other = employee("web_consultant"), employee("phone_consultant")
    rows = [["林小雨", phone(), mine.employee_no], ["王芳", phone(), other.employee_no]]
    batch = imported(by, ImportOf.CUSTOMERS, xlsx(OWNED, *rows))
    assert findings(batch) == [("C3", "not_your_department")]
    made = _made(session, batch)
    assert [(each.developer_id, each.developer_rule) for each in made] == [(mine.id, OwnerRule.IMPORTED)]
    line = session.scalars(select(CustomerOwnerHistory).where(CustomerOwnerHistory.customer_id == made[0].id)).one()
    assert line.rule is OwnerRule.IMPORTED


def test_who_sees_the_branch_names_anybody_of_it(session, person, imported, findings, employee, phone):
    rows = ["王芳", phone(), employee("phone_consultant").employee_no]
    batch = imported(person("it_manager"), ImportOf.CUSTOMERS, xlsx(OWNED, rows))
    assert findings(batch) == []
    assert len(_made(session, batch)) == 1


@pytest.fixture
def after_reading(session, monkeypatch):
    """Let something happen between the reading of a file and its first step."""
    from app.services.imports import background

    read = background.examine

    def arrange(change):
        def examine(*given, **named):
            exam = read(*given, **named)
            change()
            session.commit()
            return exam

        monkeypatch.setattr(background, "examine", examine)

    return arrange


def test_a_row_whose_colleague_has_left_meanwhile_is_left_out(
    session, do, person, checked, work, findings, employee, phone, after_reading
):
    """Read as active, left before the step that writes her row: nothing new is hung on a leaver. 4.2.2."""
    by, leaver = person("it_manager"), employee("phone_consultant_2")
    rows = [["林小雨", phone(), leaver.employee_no], ["王芳", phone(), None]]
    batch = checked(by, ImportOf.CUSTOMERS, xlsx(OWNED, *rows))
    do("import_batch.carry_out", by, batch)
    after_reading(lambda: _let_leave(session, leaver.id))
    assert work().state is TaskState.DONE
    assert findings(batch) == [("C2", "left")]
    assert (batch.rows_made, batch.rows_left_out) == (1, 1)
    assert leaver.name in session.scalars(select(ImportFinding).where(ImportFinding.rule == "left")).one().sentence


def _let_leave(session, employee_id):
    leaving = {"state": EmployeeState.LEFT, "left_at": func.now(), "left_reason": "回老家"}
    known = METADATA.tables["employee"].c
    values = {name: value for name, value in leaving.items() if name in known}
    session.execute(update(METADATA.tables["employee"]).where(known.id == employee_id).values(values))


@pytest.mark.parametrize("change", ["login closed", "right taken away", "left"])
def test_an_importer_who_left_or_may_no_longer_import_writes_no_further_row(
    session, do, person, checked, work, phone, after_reading, change
):
    by, tables = person("it_manager"), METADATA.tables
    batch = checked(by, ImportOf.CUSTOMERS, xlsx(OWNED, ["林小雨", phone(), None]))
    do("import_batch.carry_out", by, batch)
    user, held = tables["ab_user"], tables["ab_user_role"]
    changes = {
        "login closed": lambda: session.execute(update(user).where(user.c.id == by.user_id).values(active=False)),
        "right taken away": lambda: session.execute(held.delete().where(held.c.user_id == by.user_id)),
        "left": lambda: _let_leave(session, by.employee_id),
    }
    after_reading(changes[change])
    task = work()
    assert task.state is TaskState.FAILED
    assert len(task.error) > 5
    assert (batch.rows_made, batch.rows_done) == (0, 0)


@pytest.mark.parametrize(("whole", "single"), [(OnDuplicate.REFUSE, None), (OnDuplicate.SKIP, OnDuplicate.REFUSE)])
def test_all_or_nothing_counts_rows_that_stand_and_are_to_be_refused(
    session, operations, do, checked, make_customer, phone, whole, single
):
    number = phone()
    make_customer(phone=number)
    rows = [["林小雨", number, None], ["王芳", phone(), None]]
    batch = checked(operations, ImportOf.CUSTOMERS, xlsx(OWNED, *rows), on_duplicate=whole, all_or_nothing=True)
    assert batch.rows_refused == 0
    if single is not None:
        finding = session.scalars(select(ImportFinding).where(ImportFinding.batch_id == batch.id)).one()
        do("import_finding.choose", operations, finding, choice=single)
    with pytest.raises(Refusal):
        do("import_batch.carry_out", operations, batch)


def test_cancelling_and_choosing_need_the_right_of_the_kind(session, operations, do, checked, make_customer, phone):
    number = phone()
    make_customer(phone=number)
    batch = checked(operations, ImportOf.CUSTOMERS, xlsx(OWNED, ["林小雨", number, None]))
    finding = session.scalars(select(ImportFinding).where(ImportFinding.batch_id == batch.id)).one()
    later = dataclasses.replace(operations, rights=operations.rights - {("customer", "can_import")})
    with pytest.raises(Refusal):
        do("import_batch.cancel", later, batch)
    with pytest.raises(Refusal):
        do("import_finding.choose", later, finding, choice=OnDuplicate.SKIP)


# --- files that were merged ---------------------------------------------------------------------------------------


@pytest.fixture
def doubled(session, make_customer, phone):
    """A merged file and the kept one; both bear the number."""
    number = phone()
    merged = make_customer(phone=number)
    kept = make_customer(name="林雨")
    left = merged.contacts[0]
    kept.contacts.append(
        CustomerContact(kind=left.kind, value=number, value_hash=left.value_hash, value_tail=number[-4:])
    )
    session.flush()
    merged.merged_into_id, merged.state = kept.id, FileState.MERGED
    session.flush()
    return kept, number


def test_a_contact_left_on_a_merged_file_is_not_matched(session, operations, checked, doubled):
    kept, number = doubled
    batch = checked(operations, ImportOf.CUSTOMERS, xlsx(OWNED, ["林雨", number, None]))
    found = session.scalars(select(ImportFinding).where(ImportFinding.batch_id == batch.id)).one()
    assert (found.match_table, found.match_id) == ("customer", kept.id)


def test_a_referrer_named_by_a_number_is_the_kept_file(session, operations, imported, doubled, phone):
    kept, number = doubled
    batch = imported(operations, ImportOf.CUSTOMERS, xlsx(["姓名", "手机", "介绍人"], ["王芳", phone(), number]))
    assert _made(session, batch)[0].referrer_customer_id == kept.id


def test_a_chat_is_linked_to_the_kept_file(session, operations, imported, doubled):
    kept, number = doubled
    batch = imported(operations, ImportOf.CHATS, xlsx(["时间", "手机"], ["2026-01-03 14:30", number]))
    assert _made(session, batch)[0].customer_id == kept.id
