"""A report's facts and files: stored and opened unchanged, and nothing in a file does what a text says."""

import csv
import io
import json
import zipfile
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pypdfium2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from app.reports import sheets
from app.reports.facts import (
    KINDS,
    ChartFacts,
    Column,
    Figure,
    Kind,
    Label,
    ReportFacts,
    Series,
    Table,
    checked_value,
    from_json,
    to_json,
)
from app.reports.sheets import csv_bytes, report_pdf, shown, xlsx_bytes

NINE_PM = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)  # in Shanghai
PAYLOADS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    " =1+1",
    "＝1+1",
    "＋1",
    "－1",
    "＠a",
    '=HYPERLINK("http://x","y")',
    "=cmd|' /C calc'!A0",
    "#N/A",
]

COLUMNS = (
    Column("channel", Label("渠道", "Channel")),
    Column("placed", Label("新下", "Placed"), "count"),
    Column("quoted", Label("报价", "Quoted"), "money"),
    Column("rate", Label("到院率", "Arrival rate"), "rate"),
    Column("on", Label("日期", "Day"), "day"),
    Column("at", Label("时间", "At"), "instant"),
)
ROW = (Label("电话", "Phone"), 1200, Decimal("-7800.50"), Decimal("0.3456"), date(2026, 11, 22), NINE_PM)


def make_table(**other: Any) -> Table:
    values: dict[str, Any] = {
        "name": "by_channel",
        "title": Label("按渠道", "By channel"),
        "columns": COLUMNS,
        "rows": (ROW, ("王敏", None, None, None, None, None)),
        "totals": (Label("合计", "Total"), 1200, Decimal("-7800.50"), Decimal("0.3456"), None, None),
    }
    return Table(**{**values, **other})


def make_facts(**other: Any) -> ReportFacts:
    values: dict[str, Any] = {
        "report": "appointment_daily",
        "title": Label("预约日报", "Appointment daily"),
        "parameters": ((Label("分院", "Branch"), Label.same("徐汇分院")),),
        "figures": (
            Figure("placed", Label("新下", "Placed"), 1200),
            Figure("rate", Label("到院率", "Arrival rate"), Decimal("0.3456"), "rate"),
            Figure("quoted", Label("报价", "Quoted"), Decimal("1234.50"), "money"),
        ),
        "tables": (make_table(),),
        "chart": ChartFacts(
            "stacked",
            Label("每日", "By day"),
            (Label.same("a"),),
            (Series(Label("新下", "Placed"), (Decimal("1.50"),)),),
        ),
        "made_at": NINE_PM,
        "made_by": "定时",
    }
    return ReportFacts(**{**values, **other})


def texts_only(*texts: str) -> ReportFacts:
    table = Table("t", Label.same("t"), (Column("text", Label.same("text")),), tuple((text,) for text in texts))
    return make_facts(tables=(table,))


def read_csv(data: bytes) -> list[list[str]]:
    assert data.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def read_xlsx(data: bytes) -> Any:
    return load_workbook(io.BytesIO(data))


# --- the facts -------------------------------------------------------------------------------------------------------

any_text = st.text(st.characters(), max_size=30)
labels = st.builds(Label, zh=any_text, en=any_text)
decimals = st.decimals(allow_nan=False, allow_infinity=False)
zones = st.sampled_from([UTC, timezone(timedelta(hours=8)), timezone(timedelta(hours=-5, minutes=-30))])
values_of: dict[Kind, st.SearchStrategy[Any]] = {
    "text": any_text | labels,
    "count": st.integers(),
    "money": decimals,
    "rate": decimals,
    "mean": decimals,
    "day": st.dates(),
    "instant": st.datetimes(datetime(1900, 1, 2), datetime(9000, 1, 1), timezones=zones),
}


@st.composite
def tables(draw: st.DrawFn) -> Table:
    kinds: list[Kind] = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=6))
    columns = tuple(Column(f"c{at}", draw(labels), kind) for at, kind in enumerate(kinds))
    row = st.tuples(*(st.none() | values_of[kind] for kind in kinds))
    totals = st.tuples(*(st.none() | any_text | labels | values_of[kind] for kind in kinds))
    return Table("t", draw(labels), columns, tuple(draw(st.lists(row, max_size=5))), draw(st.none() | totals))


@st.composite
def reports(draw: st.DrawFn) -> ReportFacts:
    kinds: list[Kind] = draw(st.lists(st.sampled_from(KINDS), max_size=3))
    axis = tuple(draw(st.lists(labels, max_size=3)))
    numbers = st.none() | st.integers() | decimals
    series = st.builds(Series, labels, st.tuples(*(numbers for _ in axis)))
    chart = st.builds(
        ChartFacts,
        st.sampled_from(["grouped", "stacked", "line"]),
        labels,
        st.just(axis),
        st.lists(series, max_size=2).map(tuple),
    )
    return make_facts(
        title=draw(labels),
        parameters=tuple(draw(st.lists(st.tuples(labels, labels), max_size=3))),
        figures=tuple(Figure("f", draw(labels), draw(st.none() | values_of[kind]), kind) for kind in kinds),
        tables=tuple(draw(st.lists(tables(), max_size=2))),
        chart=draw(st.none() | chart),
        made_at=draw(values_of["instant"]),
        made_by=draw(any_text),
        zone=draw(st.sampled_from(["Asia/Shanghai", "America/New_York"])),
    )


slowly = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)


@slowly
@given(reports())
def test_a_stored_report_opens_again_unchanged(facts: ReportFacts) -> None:
    stored = json.dumps(to_json(facts), allow_nan=False)
    assert "\\u0000" not in stored  # which PostgreSQL's jsonb refuses
    stored.encode("utf-8")
    again = from_json(json.loads(stored))
    assert again == facts
    assert json.dumps(to_json(again)) == stored


@slowly
@given(reports(), st.sampled_from(["zh", "en"]))
def test_every_report_becomes_a_spreadsheet_and_a_csv(facts: ReportFacts, locale: str) -> None:
    assert zipfile.ZipFile(io.BytesIO(xlsx_bytes(facts, locale))).testzip() is None
    csv_bytes(facts, locale).decode("utf-8")


def test_decimals_keep_their_places_and_instants_their_moment_when_stored() -> None:
    again = from_json(json.loads(json.dumps(to_json(make_facts()))))
    quoted, at = again.tables[0].rows[0][2], again.tables[0].rows[0][5]
    assert str(quoted) == "-7800.50"
    assert at == NINE_PM
    assert again.figures[0].value == 1200
    assert isinstance(again.figures[0].value, int)


def test_both_languages_are_stored() -> None:
    stored = to_json(make_facts())
    assert stored["title"] == {"zh": "预约日报", "en": "Appointment daily"}
    assert from_json(stored).title.in_("en") == "Appointment daily"
    assert from_json(stored).title.in_("zh") == "预约日报"


def test_a_label_falls_back_on_its_other_language() -> None:
    assert Label("中", "").in_("en") == "中"
    assert Label("", "en").in_("zh_Hans_CN") == "en"


def test_an_unknown_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        from_json({**to_json(make_facts()), "shape": 99})


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("count", 1.5), ("count", True), ("count", "1"), ("count", Decimal(1)), ("money", 1.5), ("money", 1),
        ("rate", 0.5), ("day", NINE_PM), ("day", "2026-11-22"), ("instant", date(2026, 11, 22)),
        ("text", 1), ("text", b"x"),
    ],
)  # fmt: skip
def test_a_value_of_another_kind_is_refused(kind: Kind, value: Any) -> None:
    with pytest.raises(TypeError, match=kind):
        checked_value(kind, value)


@pytest.mark.parametrize(
    ("kind", "value"), [("money", Decimal("NaN")), ("rate", Decimal("Infinity")), ("instant", datetime(2026, 1, 1))]
)
def test_no_number_and_no_zone_are_refused(kind: Kind, value: Any) -> None:
    with pytest.raises(ValueError, match=r"number|zone"):
        checked_value(kind, value)


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="1 values for 6 columns"):
        make_table(rows=(("a",),))
    with pytest.raises(ValueError, match="1 values for 6 columns"):
        make_table(totals=("a",))


def test_an_unknown_kind_of_column_is_refused() -> None:
    with pytest.raises(ValueError, match="kind"):
        Column("x", Label.same("x"), "float")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (1234567, "count", "1,234,567"),
        (Decimal("7800"), "money", "7,800.00"),
        (Decimal("-0.5"), "money", "-0.50"),
        (Decimal("0.3456"), "rate", "34.6%"),
        (Decimal(1), "rate", "100.0%"),
        (date(2026, 11, 2), "day", "2026-11-02"),
        (NINE_PM, "instant", "2026-11-22 21:00"),
        (Label("电话", "Phone"), "text", "Phone"),
        ("x", "text", "x"),
        (None, "text", ""),
        (None, "count", "–"),
    ],
)
def test_values_are_shown_as_people_read_them(value: Any, kind: Kind, text: str) -> None:
    assert shown(value, "en", "Asia/Shanghai", kind) == text


# --- CSV -------------------------------------------------------------------------------------------------------------


def test_a_csv_holds_heads_rows_and_totals_with_plain_numbers() -> None:
    assert read_csv(csv_bytes(make_facts(), "zh")) == [
        ["渠道", "新下", "报价", "到院率", "日期", "时间"],
        ["电话", "1200", "-7800.50", "0.3456", "2026-11-22", "2026-11-22 21:00:00"],
        ["王敏", "", "", "", "", ""],
        ["合计", "1200", "-7800.50", "0.3456", "", ""],
    ]
    assert read_csv(csv_bytes(make_facts(), "en"))[0][0] == "Channel"


def test_a_csv_of_one_table_or_of_all() -> None:
    facts = make_facts(tables=(make_table(), make_table(name="by_person", title=Label("按人", "By person"), rows=())))
    rows = read_csv(csv_bytes(facts, "en"))
    assert ["By channel"] in rows
    assert ["By person"] in rows
    assert [] in rows
    alone = read_csv(csv_bytes(facts, "en", "by_person"))
    assert [row[0] for row in alone] == ["Channel", "Total"]
    with pytest.raises(KeyError):
        csv_bytes(facts, "en", "by_nobody")


@pytest.mark.parametrize("payload", [payload for payload in PAYLOADS if payload != "#N/A"])
def test_no_formula_leaves_in_a_csv(payload: str) -> None:
    cell = read_csv(csv_bytes(texts_only(payload), "zh"))[1][0]
    assert cell == "'" + payload


def test_plain_texts_with_commas_quotes_and_lines_come_back_from_a_csv() -> None:
    texts = ["a,b", 'say "yes"', "two\nlines", "王敏", "1-2", "a=b", "😀"]
    assert [row[0] for row in read_csv(csv_bytes(texts_only(*texts), "zh"))[1:]] == texts


# --- XLSX ------------------------------------------------------------------------------------------------------------


def test_numbers_and_days_are_numbers_and_days_in_a_spreadsheet() -> None:
    sheet = read_xlsx(xlsx_bytes(make_facts(), "zh"))["按渠道"]
    assert [cell.value for cell in sheet[1]] == ["渠道", "新下", "报价", "到院率", "日期", "时间"]
    text, count, money, rate, day, instant = sheet[2]
    assert (text.value, text.data_type) == ("电话", "s")
    assert (count.value, count.data_type, count.number_format) == (1200, "n", "#,##0")
    assert (money.value, money.data_type, money.number_format) == (-7800.5, "n", "#,##0.00")
    assert (rate.value, rate.data_type, rate.number_format) == (0.3456, "n", "0.0%")
    assert day.is_date
    assert day.value == datetime(2026, 11, 22)
    assert day.number_format == "yyyy-mm-dd"
    assert instant.is_date
    assert instant.value == datetime(2026, 11, 22, 21, 0)
    assert [cell.value for cell in sheet[3]] == ["王敏", None, None, None, None, None]
    assert sheet[4][0].value == "合计"
    assert sheet[4][0].font.bold


def test_heads_are_bold_and_stay_in_sight() -> None:
    sheet = read_xlsx(xlsx_bytes(make_facts(), "zh"))["按渠道"]
    assert all(cell.font.bold for cell in sheet[1])
    assert sheet.freeze_panes == "A2"


def test_columns_are_as_wide_as_their_chinese_texts() -> None:
    long = "一二三四五六七八九十"
    facts = make_facts(tables=(make_table(rows=((long, *ROW[1:]),)),))
    widths = read_xlsx(xlsx_bytes(facts, "zh"))["按渠道"].column_dimensions
    assert 2 * len(long) * 0.9 <= widths["A"].width <= 50
    assert widths["F"].width >= len("2026-11-22 21:00")


def test_parameters_and_figures_stand_on_the_first_sheet() -> None:
    book = read_xlsx(xlsx_bytes(make_facts(), "zh"))
    rows = [[cell.value for cell in row] for row in book.worksheets[0]]
    assert rows[0][0] == "预约日报"
    assert ["分院", "徐汇分院"] in rows
    assert ["新下", 1200] in rows
    assert ["到院率", 0.3456] in rows
    assert ["Made at", datetime(2026, 11, 22, 21, 0)] in rows
    assert ["Made by", "定时"] in rows


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_text_becomes_a_formula_in_a_spreadsheet(payload: str) -> None:
    facts = make_facts(
        title=Label.same(payload),
        parameters=((Label.same(payload), Label.same(payload)),),
        figures=(Figure("f", Label.same(payload), payload, "text"),),
        tables=(
            Table("t", Label.same("t"), (Column("x", Label.same(payload)),), ((payload,),), (payload,)),
        ),
        made_by=payload,
    )  # fmt: skip
    data = xlsx_bytes(facts, "zh")
    book = read_xlsx(data)
    kept = [cell for sheet in book for row in sheet for cell in row if isinstance(cell.value, str)]
    assert [cell.data_type for cell in kept] == ["s"] * len(kept)
    expected = payload.replace("\r", "\n")  # XML's own rule for line ends
    assert sum(cell.value in (payload, expected) for cell in kept) == 9
    for name in zipfile.ZipFile(io.BytesIO(data)).namelist():
        assert b"<f>" not in zipfile.ZipFile(io.BytesIO(data)).read(name)


def test_control_characters_and_long_texts_do_not_spoil_the_file() -> None:
    sheet = read_xlsx(xlsx_bytes(texts_only("a\x00\x07\x1b\ud800b", "长" * 40_000), "zh"))["t"]
    assert sheet["A2"].value == "ab"
    assert len(sheet["A3"].value) == 32_767


def test_days_before_1900_stay_readable() -> None:
    table = make_table(rows=(("a", 1, None, None, date(1899, 12, 31), datetime(1800, 1, 1, tzinfo=UTC)),), totals=None)
    sheet = read_xlsx(xlsx_bytes(make_facts(tables=(table,)), "zh"))["按渠道"]
    assert sheet["E2"].value == "1899-12-31"
    assert str(sheet["F2"].value).startswith("1800-01-01")


def test_sheets_get_names_that_excel_accepts() -> None:
    titles = ["a/b:c*[d]?\\", "", "x" * 60, "X" * 60, "Summary", "'quoted'"]
    facts = make_facts(
        tables=tuple(make_table(name=str(at), title=Label.same(title)) for at, title in enumerate(titles))
    )
    names = read_xlsx(xlsx_bytes(facts, "zh")).sheetnames
    assert len(names) == len({name.casefold() for name in names}) == len(titles) + 1
    assert all(0 < len(name) <= 31 for name in names)
    assert not any(set(name) & set("[]:*?/\\'") for name in names)


# --- PDF -------------------------------------------------------------------------------------------------------------


def pages_of(pdf: bytes) -> list[str]:
    with pypdfium2.PdfDocument(pdf) as document:
        return [page.get_textpage().get_text_range() for page in document]


def size_of(pdf: bytes) -> list[int]:
    with pypdfium2.PdfDocument(pdf) as document:
        return [round(length / 72 * 25.4) for length in document[0].get_size()]


def test_a_report_on_paper_shows_all_of_it_on_a4() -> None:
    pdf = report_pdf(make_facts(), "zh")
    assert size_of(pdf) == [210, 297]
    page = "".join(pages_of(pdf)).replace(" ", "")
    for stands in (
        "预约日报",
        "徐汇分院",
        "1,200",
        "34.6%",
        "1,234.50",
        "按渠道",
        "-7,800.50",
        "2026-11-2221:00",
        "合计",
        "定时",
    ):
        assert stands in page


def test_the_heads_of_a_long_table_repeat_on_every_page() -> None:
    pages = pages_of(report_pdf(make_facts(tables=(make_table(rows=(ROW,) * 90),), chart=None), "zh"))
    assert len(pages) >= 3
    assert all("到院率" in page for page in pages)
    assert f"{len(pages)} / {len(pages)}" in pages[-1]


def test_a_wide_table_lies_down() -> None:
    columns = tuple(Column(f"c{at}", Label.same(f"c{at}")) for at in range(9))
    wide = Table("t", Label.same("t"), columns, (("x",) * 9,))
    assert size_of(report_pdf(make_facts(tables=(wide,)), "zh")) == [297, 210]


def test_a_table_too_long_for_paper_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "PDF_CELLS", 60)
    page = "".join(pages_of(report_pdf(make_facts(tables=(make_table(rows=(ROW,) * 25),)), "en")))
    assert page.count("Phone") == 10
    assert "15 more rows stand in the spreadsheet." in page
    assert "Total" in page


def test_a_report_without_anything_still_prints() -> None:
    bare = make_facts(parameters=(), figures=(), chart=None, tables=(make_table(rows=(), totals=None),))
    assert "No data" in "".join(pages_of(report_pdf(bare, "en")))
    assert pages_of(report_pdf(make_facts(parameters=(), figures=(), chart=None, tables=()), "en"))


def test_markup_and_monsters_in_a_report_stay_text() -> None:
    evil = "<script>alert(1)</script>" + "\x00" + "W" * 10_000
    facts = make_facts(
        title=Label.same("<b>t</b>"),
        tables=(make_table(rows=((evil, *ROW[1:]),)),),
        figures=(Figure("f", Label.same(evil), evil, "text"),),
        parameters=((Label.same(evil), Label.same(evil)),),
        made_by=evil,
    )
    text = "".join(pages_of(report_pdf(facts, "en")))
    assert "<script>alert(1)</script>" in text.replace("\r\n", "").replace("\n", "")
    assert "<b>t</b>" in text
