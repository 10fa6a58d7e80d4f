"""The printed slip: what stands on it, that it is read by scanners, and that nothing on it can do harm."""

import ctypes
import dataclasses
import io
import random
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pypdfium2
import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import UndefinedError
from PIL import Image, ImageChops
from weasyprint import HTML

from app import words
from app.reports import press
from app.reports.appointment_slip import APPOINTMENT_SLIP, SlipFacts, Superseded
from app.reports.barcodes import scannable
from app.reports.facts import printable
from app.reports.paper import clip, masked, render_html, render_pdf, size_for
from app.reports.press import Sheet
from app.reports.rendering import child
from app.reports.rendering.child import NothingFetched

TEN = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)  # ten o'clock in Shanghai


def slips_pdf(slips: list[SlipFacts], locale: str | None = None) -> bytes:
    sheets = [Sheet(facts, facts.slip_no) for facts in slips]
    return press.printed(APPOINTMENT_SLIP, sheets, locale or words.locale_in_force())


def slip_pdf(facts: SlipFacts, locale: str | None = None) -> bytes:
    return slips_pdf([facts], locale)


def make_facts(**other: Any) -> SlipFacts:
    """Return a filled slip; see the white paper's E.3 for what belongs on it."""
    facts = SlipFacts(
        slip_no="YY01-20261122-0018",
        branch_name="徐汇分院",
        branch_phone="021-6000 0000",
        zone="Asia/Shanghai",
        customer_name="林小雨",
        sex="女",
        age=26,
        phone_masked="****4821",
        appointed_at=TEN,
        latest_arrival_at=TEN + timedelta(hours=2),
        intention_letter="A",
        intention_text="一周内到院",
        items="重睑成形术（切开）",
        target_department="整形中心",
        doctor="陈医生",
        consultant="王敏",
        channel="电话",
        placed_by="周婷",
        department="电话咨询部",
        first_ordered_at=datetime(2026, 11, 20, 8, 42, tzinfo=UTC),
        first_owner="赵蕾",
        need_text="担心恢复期，想在元旦前做完。",
        quoted_text="7,800 元起；免费面诊",
        companion_count=1,
        arrived_at=TEN - timedelta(minutes=5),
        guide="刘导诊",
        supersedes=Superseded("YY01-20261120-0031", "陈静", datetime(2026, 11, 22, 1, 12, tzinfo=UTC)),
        remark="靠窗候诊",
        printed_at=TEN,
        printed_by="何导诊",
    )
    return dataclasses.replace(facts, **other)


TEXTS = [
    field.name
    for field in dataclasses.fields(SlipFacts)
    if field.type == "str" and field.name not in ("slip_no", "zone")
]


def pages_of(pdf: bytes) -> list[str]:
    with pypdfium2.PdfDocument(pdf) as document:
        return [page.get_textpage().get_text_range() for page in document]


def pictures_of(pdf: bytes, dpi: int) -> Iterator[Image.Image]:
    with pypdfium2.PdfDocument(pdf) as document:
        for page in document:
            yield page.render(scale=dpi / 72, grayscale=True).to_pil()


def numbers_on(pdf: bytes, dpi: int) -> list[list[str]]:
    return [[found.text for found in zxingcpp.read_barcodes(picture)] for picture in pictures_of(pdf, dpi)]


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


# --- what stands on it -----------------------------------------------------------------------------------------------


def test_a_slip_is_two_a5_pages_one_for_triage_and_one_for_the_file() -> None:
    pdf = slip_pdf(make_facts())
    with pypdfium2.PdfDocument(pdf) as document:
        sizes = [[round(length / 72 * 25.4) for length in page.get_size()] for page in document]
    assert sizes == [[210, 148], [210, 148]]
    first, second = pages_of(pdf)
    assert "Triage copy" in first
    assert "File copy" not in first
    assert "Page 1 of 2" in first
    assert "File copy" in second
    assert "Triage copy" not in second
    assert "Page 2 of 2" in second


@pytest.mark.parametrize(
    "stands",
    [
        "YY01-20261122-0018", "徐汇分院", "021-60000000", "林小雨", "女", "26", "****4821", "2026-11-23(Mon)10:00",
        "12:00", "A", "一周内到院", "重睑成形术（切开）", "整形中心", "陈医生", "王敏", "电话", "周婷", "电话咨询部",
        "2026-11-2016:42", "赵蕾", "担心恢复期，想在元旦前做完。", "7,800元起；免费面诊", "09:55", "刘导诊",
        "YY01-20261120-0031", "陈静", "2026-11-2209:12", "靠窗候诊", "2026-11-2310:00何导诊", "YX-YY-01",
    ],
)  # fmt: skip
def test_both_copies_carry_every_fact_in_the_branchs_own_time(stands: str) -> None:
    for page in pages_of(whole_slip()):
        assert stands in squeezed(page)


_whole: list[bytes] = []


def whole_slip() -> bytes:
    if not _whole:
        _whole.append(slip_pdf(make_facts(), locale="en"))
    return _whole[0]


def test_days_are_named_in_the_language_of_the_paper() -> None:
    assert "2026-11-23（周一）10:00" in squeezed(pages_of(slip_pdf(make_facts(), locale="zh"))[0])
    assert "2026-11-23(Mon)10:00" in squeezed(pages_of(slip_pdf(make_facts(), locale="en"))[0])


def test_every_word_of_the_form_goes_through_the_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def marking(text: str) -> str:
        asked.append(text)
        return re.sub(r"^", "§", text)

    monkeypatch.setattr(words, "_", marking)
    html = render_html(
        "appointment_slip/page.html",
        make_facts(),
        locale="en",
        zone="Asia/Shanghai",
        title="t",
        form_version="v",
    )
    copies = render_html("copies.html", None, locale="en", zone="Asia/Shanghai", title="t", copies=("one",))
    labels = re.findall(r"<th>(.*?)</th>", html)
    assert len(labels) == 23
    assert all(label.startswith("§") for label in labels)
    assert "§Appointment slip" in html
    assert "§Printed" in html
    assert "§Page 1 of 1" in copies
    assert "%(" not in html + copies


def test_empty_facts_leave_room_for_the_pen() -> None:
    bare = make_facts(
        **dict.fromkeys(set(TEXTS) - {"branch_name", "customer_name"}, ""),
        age=None, latest_arrival_at=None, companion_count=None, arrived_at=None, supersedes=None,
    )  # fmt: skip
    pages = pages_of(slip_pdf(bare))
    assert len(pages) == 2
    assert "None" not in pages[0]
    assert "林小雨" in pages[0]


def test_a_latest_arrival_on_another_day_shows_its_day() -> None:
    page = pages_of(slip_pdf(make_facts(latest_arrival_at=TEN + timedelta(days=1))))[0]
    assert "11-24 10:00" in page


def test_a_slip_that_no_longer_counts_is_marked_across_both_copies() -> None:
    assert all("作废" in squeezed(page) for page in pages_of(slip_pdf(make_facts(mark="作废"))))
    assert not any("作废" in squeezed(page) for page in pages_of(slip_pdf(make_facts())))


def test_a_whole_phone_number_is_masked_even_when_it_comes_in_whole() -> None:
    page = squeezed(pages_of(slip_pdf(make_facts(phone_masked="138 1234 4821")))[0])
    assert "****4821" in page
    assert "1234" not in page
    assert masked("") == ""


def test_the_pdf_knows_its_title_and_its_language() -> None:
    for locale, language in (("zh", "zh-Hans"), ("en", "en")):
        pdf = slip_pdf(make_facts(), locale=locale)
        with pypdfium2.PdfDocument(pdf) as document:
            assert document.get_metadata_value("Title") == "Appointment slip YY01-20261122-0018"
            assert language_of(document) == language


def language_of(document: pypdfium2.PdfDocument) -> str:
    size = pypdfium2.raw.FPDFCatalog_GetLanguage(document.raw, None, 0)
    buffer = ctypes.create_string_buffer(size)
    words_in = ctypes.cast(buffer, ctypes.POINTER(ctypes.c_ushort))
    pypdfium2.raw.FPDFCatalog_GetLanguage(document.raw, words_in, size)
    return buffer.raw[: size - 2].decode("utf-16-le")


def test_slips_print_one_after_another() -> None:
    pages = pages_of(slips_pdf([make_facts(customer_name="甲乙"), make_facts(customer_name="丙丁")]))
    assert len(pages) == 4
    assert ["甲乙" in page for page in pages] == [True, True, False, False]
    assert ["Page 1 of 2" in page for page in pages] == [True, False, True, False]


def test_the_copies_share_one_drawing_of_the_form() -> None:
    one, two = (len(slips_pdf([make_facts()] * number)) for number in (1, 2))
    with pypdfium2.PdfDocument(slip_pdf(make_facts())) as document:
        first, second = (page.render(scale=1).to_pil().convert("L") for page in document)
    differing = ImageChops.difference(first, second).getbbox()
    assert differing is not None
    # only the foot differs: the name of the copy and the number of the page
    assert differing[1] > first.height * 0.85
    assert two < 2 * one


def test_a_form_that_runs_over_its_page_is_not_printed_askew(monkeypatch: pytest.MonkeyPatch) -> None:
    two_pages = "<p>1<p style='break-before: page'>2"
    monkeypatch.setattr(press, "fill_in", lambda _form, sheet, _locale: press.FilledSheet(sheet, two_pages))
    with pytest.raises(ValueError, match="18: 2 pages for a form of one; it ran over"):
        slip_pdf(make_facts())


def test_printing_no_slip_is_refused() -> None:
    with pytest.raises(ValueError, match="no sheet"):
        slips_pdf([])


# --- scanners --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_hundred_slips_scanned_at_150_dpi_give_their_numbers() -> None:
    chance = random.Random(20261122)
    day = date(2026, 1, 1)
    numbers = [
        f"YY{chance.randint(1, 99):02}-{day + timedelta(chance.randrange(3000)):%Y%m%d}-{chance.randrange(10**4):04}"
        for _ in range(100)
    ]
    assert len(set(numbers)) == 100
    for start in range(0, 100, 25):
        batch = numbers[start : start + 25]
        pdf = slips_pdf([make_facts(slip_no=number) for number in batch])
        assert numbers_on(pdf, 150) == [[scannable(number)] for number in batch for _copy in range(2)]


@pytest.mark.parametrize("dpi", [203, 300])
@pytest.mark.parametrize("number", ["YY01-20261122-0018", "YY99-20341231-9999", "YY10-20260101-00001"])
def test_slips_read_on_other_printers_too(dpi: int, number: str) -> None:
    assert numbers_on(slip_pdf(make_facts(slip_no=number)), dpi) == [[scannable(number)]] * 2


def test_a_marked_slip_and_an_overfull_one_still_read() -> None:
    facts = make_facts(mark="作废", **{name: "长" * 10_000 for name in TEXTS if name not in ("mark", "phone_masked")})
    assert numbers_on(slip_pdf(facts), 150) == [["YY01202611220018"]] * 2


# --- monstrous input -------------------------------------------------------------------------------------------------

MONSTERS = {
    "wide words": "W" * 10_000,
    "Chinese": "长" * 10_000,
    "lines": "行\n" * 10_000,
    "blanks": " \n\t" * 10_000,
    "stacked marks": "a" + "\u0301\u0346\u035a" * 3_000,
    "emoji": "😀👩‍⚕️" * 3_000,
    "right to left": "\u202eمرحبا بالعالم " * 900,
    "control characters": "\x00\x01\x07\x08\x0b\x0c\x1b\x7f\x85" * 1_000,
    "lone surrogates": "\ud800\udfff" * 1_000,
    "non-characters": "\ufffe\uffff\ufdd0" * 1_000,
    "markup": "<script>alert(1)</script><table></section><!--" * 300,
    "styles": "</style><style>@page{size:A0}*{display:none}</style>" * 300,
    "entities": "&nbsp;&#0;&#x110000;&lt;b&gt;" * 300,
    "templates": "{{ 7*7 }}{% raw %}{#" * 300,
    "formats": "%s%(page)s%d%%" * 300,
}


@pytest.mark.parametrize("monster", MONSTERS.values(), ids=MONSTERS.keys())
def test_whatever_is_typed_each_copy_stays_on_its_page(monster: str) -> None:
    """The English labels, of two and three lines, are the worse case for the height."""
    pdf = slip_pdf(make_facts(**dict.fromkeys(TEXTS, monster)), locale="en")
    pages = pages_of(pdf)
    assert len(pages) == 2
    # the last line of the form is still there: nothing above has pushed it off the page
    assert "Triage copy" in pages[0]
    assert "File copy" in pages[1]
    assert numbers_on(pdf, 150)[0] == ["YY01202611220018"]


def test_a_note_of_ten_megabytes_is_cut_at_once() -> None:
    assert len(pages_of(slip_pdf(make_facts(need_text="一段话。\n" * 2_000_000)))) == 2


def test_markup_is_printed_as_the_text_that_it_is() -> None:
    page = pages_of(slip_pdf(make_facts(remark="<script>alert(1)</script> {{ 7*7 }} &amp; 100%")))[0]
    assert "<script>alert(1)</script> {{ 7*7 }} &amp; 100%" in page


def test_a_long_note_is_set_smaller_before_anything_is_cut() -> None:
    note = "".join(f"第{number}点。" for number in range(1, 61))
    assert "第60点。" in squeezed(pages_of(slip_pdf(make_facts(need_text=note)))[0])
    page = squeezed(pages_of(slip_pdf(make_facts(need_text=note * 20)))[0])
    assert "第1点。" in page
    assert "…" in page or "⋯" in page


@settings(max_examples=25, deadline=None)
@given(st.text(st.characters(), max_size=200))
def test_no_text_at_all_stops_a_slip(text: str) -> None:
    assert slip_pdf(make_facts(need_text=text, customer_name=text, printed_by=text)).startswith(b"%PDF")


@given(st.text(st.characters()))
def test_printable_text_encodes_and_is_left_alone_the_second_time(text: str) -> None:
    cleaned = printable(text)
    cleaned.encode("utf-8")
    assert printable(cleaned) == cleaned
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202e\ufffe]", cleaned)


@given(st.text(), st.integers(1, 50))
def test_a_clipped_text_is_never_longer_than_asked(text: str, most: int) -> None:
    assert len(clip(text, most)) <= most


def test_a_clipped_text_says_that_it_was_cut() -> None:
    assert clip("abcdef", 6) == "abcdef"
    assert clip("abcdefg", 6) == "abcde…"
    assert clip("a\n\n \n b", 6) == "a\nb"
    assert clip("a" + "\n" * 100, 6).endswith("…")


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("", "fit"),
        ("长" * 20, "fit"),
        ("长" * 21, "fit-small"),
        ("长" * 25, "fit-small"),
        ("长" * 26, "fit-tiny"),
        ("a\n" * 4, "fit"),
        ("a\n" * 9, "fit-tiny"),
    ],
)
def test_a_text_is_set_as_large_as_its_box_of_four_lines_of_five_ems_allows(text: str, size: str) -> None:
    assert size_for(text, 5, 4) == size


# --- nothing leaves, nothing comes in --------------------------------------------------------------------------------


def traps(address: str) -> str:
    return (
        f'<img src="{address}/img"><link rel="stylesheet" href="{address}/css"><style>@import "{address}/import";'
        f'@font-face{{font-family:x;src:url({address}/font)}}body{{background:url("{address}/bg");font-family:x}}</style>'
        f'<object data="{address}/object"></object><embed src="{address}/embed">'
        f'<svg><image href="{address}/svg"/></svg><link rel="attachment" href="{address}/attachment">'
        f'<a rel="attachment" href="{address}/a">a</a>'
    )


def test_addresses_in_the_facts_are_never_asked_for(eavesdropper: tuple[str, list[str]]) -> None:
    address, asked = eavesdropper
    slip_pdf(make_facts(**dict.fromkeys(TEXTS, traps(address))))
    assert asked == []


def test_even_markup_of_a_template_fetches_nothing(
    eavesdropper: tuple[str, list[str]], tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    address, asked = eavesdropper
    secret = tmp_path / "secret.txt"
    secret.write_text("TOP-SECRET")
    page = traps(address) + traps(f"file://{tmp_path}").replace("/attachment", "/secret.txt")
    # the trap works: a stock fetcher walks into it
    HTML(string=traps(address)).write_pdf()
    assert len(asked) >= 5
    asked.clear()
    pdf = HTML(string=page, url_fetcher=NothingFetched()).write_pdf()
    assert asked == []
    assert b"secret.txt" not in pdf or b"EmbeddedFile" not in pdf


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:9/", "https://x/", "ftp://x/", "file:///etc/hostname", "FILE:///x"]
)
def test_the_fetcher_refuses_everything_but_data(address: str) -> None:
    with pytest.raises(ValueError, match="disallowed protocol"):
        NothingFetched().fetch(address)


def test_the_fetcher_opens_what_the_page_itself_carries() -> None:
    assert NothingFetched().fetch("data:text/plain,yes").read() == b"yes"


# --- the press -------------------------------------------------------------------------------------------------------


def test_a_template_that_asks_for_a_missing_fact_fails_loudly() -> None:
    lacking = {name: getattr(make_facts(), name) for name in SlipFacts.__dataclass_fields__ if name != "remark"}
    with pytest.raises(UndefinedError, match="remark"):
        render_pdf(
            "appointment_slip/page.html",
            SimpleNamespace(**lacking),
            css=["base.css"],
            zone="Asia/Shanghai",
            title="t",
            form_version="v",
        )


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        slip_pdf(make_facts(appointed_at=datetime(2026, 11, 23, 10, 0)))


def test_threads_print_side_by_side_without_mixing_slips() -> None:
    names = [f"客户{number}" for number in range(8)]
    with ThreadPoolExecutor(4) as pool:
        pdfs = list(pool.map(lambda name: slip_pdf(make_facts(customer_name=name)), names))
    for name, pdf in zip(names, pdfs, strict=True):
        assert name in squeezed(pages_of(pdf)[0])


def test_style_sheets_are_parsed_once() -> None:
    assert child.style_sheet("p { color: red }") is child.style_sheet("p { color: red }")


def test_the_whole_slip_is_small_enough_to_archive() -> None:
    assert len(whole_slip()) < 150_000
    assert io.BytesIO(whole_slip()).read(5) == b"%PDF-"
