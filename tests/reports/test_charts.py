"""Charts: still pictures, the same in the browser and on paper, with words for those who do not see them."""

import io
import itertools
import sys
import xml.etree.ElementTree as ET
from base64 import b64decode
from decimal import Decimal
from typing import Any

import pypdfium2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from weasyprint import HTML

from app.reports.charts import PALETTE, alt_text, chart_svg, data_uri
from app.reports.facts import ChartFacts, Label, Series
from app.reports.rendering.child import NothingFetched

SVG = "{http://www.w3.org/2000/svg}"
KINDS = ("grouped", "stacked", "line")


def make_chart(kind: Any = "grouped", **other: Any) -> ChartFacts:
    values: dict[str, Any] = {
        "title": Label("预约日报", "Appointment daily"),
        "labels": (Label("电话", "Phone"), Label("网络", "Web")),
        "series": (
            Series(Label("新下", "Placed"), (12, 30)),
            Series(Label("到院", "Arrived"), (9, None)),
        ),
    }
    return ChartFacts(kind=kind, **{**values, **other})


def texts_in(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize("kind", KINDS)
def test_a_chart_is_a_still_picture_that_asks_for_nothing(kind: str) -> None:
    svg = chart_svg(make_chart(kind), "zh")
    tags = {element.tag for element in ET.fromstring(svg).iter()}
    assert f"{SVG}script" not in tags
    assert not tags & {f"{SVG}image", f"{SVG}foreignObject", f"{SVG}use", f"{SVG}a"}
    for living in ("javascript", "onload", "href", "@import", "url(", "<?xml-stylesheet", "<!--"):
        assert living not in svg
    assert "http" not in svg.replace("http://www.w3.org/2000/svg", "").replace("http://www.w3.org/1999/xlink", "")


@pytest.mark.parametrize("locale", ["zh", "en"])
@pytest.mark.parametrize("kind", KINDS)
def test_labels_and_legend_stand_in_the_language_asked_for(kind: str, locale: str) -> None:
    spoken = {"zh": ("电话", "网络", "新下", "到院"), "en": ("Phone", "Web", "Placed", "Arrived")}
    assert set(spoken[locale]) <= set(texts_in(chart_svg(make_chart(kind), locale)))


def test_values_stand_at_their_bars() -> None:
    assert {"12", "30", "9"} <= set(texts_in(chart_svg(make_chart(), "zh")))


def test_the_accent_comes_first_and_neighbours_differ_on_a_grey_printer() -> None:
    assert PALETTE[0] == "#0b7a75"
    greys = [Image.new("RGB", (1, 1), colour).convert("L").getpixel((0, 0)) for colour in PALETTE]
    assert all(abs(one - other) >= 40 for one, other in itertools.pairwise(greys))


def test_the_font_is_one_that_has_chinese() -> None:
    assert "WenQuanYi Micro Hei" in chart_svg(make_chart(), "zh")


def test_markup_in_labels_stays_text() -> None:
    evil = '<script>alert(1)</script>"&'
    chart = make_chart(labels=(Label.same(evil), Label.same("b")), title=Label.same(evil))
    svg = chart_svg(chart, "zh")
    assert "<script" not in svg
    # pygal shortens long labels on the axis; what stands there is the label's beginning
    assert any(text.startswith("<script>aler") for text in texts_in(svg))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "chart",
    [
        {"labels": (), "series": ()},
        {"labels": (), "series": (Series(Label.same("a"), ()),)},
        {"labels": (Label.same("a"),), "series": ()},
        {"labels": (Label.same("a"),), "series": (Series(Label.same("s"), (None,)),)},
        {"labels": (Label.same("a"),), "series": (Series(Label.same("s"), (0,)),)},
        {"labels": (Label.same("a"),), "series": (Series(Label.same("s"), (-5,)), Series(Label.same("t"), (3,)))},
        {"labels": (Label.same(""),) * 60, "series": (Series(Label.same(""), (Decimal("0.01"),) * 60),) * 9},
    ],
)
def test_a_chart_of_nothing_or_of_much_is_drawn_all_the_same(kind: str, chart: dict[str, Any]) -> None:
    ET.fromstring(chart_svg(make_chart(kind, **chart), "zh"))


numbers = st.none() | st.integers(-(10**9), 10**9) | st.decimals(-(10**9), 10**9, places=2)


@given(st.sampled_from(KINDS), st.lists(st.tuples(st.text(max_size=20), numbers, numbers), max_size=12))
def test_any_facts_give_well_formed_svg(kind: str, points: list[tuple[str, Any, Any]]) -> None:
    chart = make_chart(
        kind,
        labels=tuple(Label.same(point[0]) for point in points),
        series=tuple(Series(Label.same(f"s{at}"), tuple(point[at] for point in points)) for at in (1, 2)),
    )
    ET.fromstring(chart_svg(chart, "en"))


def test_the_same_facts_give_the_same_picture() -> None:
    assert chart_svg(make_chart(), "zh") == chart_svg(make_chart(), "zh")


def test_a_picture_on_a_page_carries_itself() -> None:
    svg = chart_svg(make_chart(), "zh")
    kind, data = data_uri(svg).split(",", 1)
    assert kind == "data:image/svg+xml;base64"
    assert b64decode(data).decode("utf-8") == svg


def test_the_chart_is_drawn_in_a_pdf_in_its_colours() -> None:
    page = f'<img src="{data_uri(chart_svg(make_chart(), "zh"))}" style="width:160mm">'
    pdf = HTML(string=page, url_fetcher=NothingFetched()).write_pdf()
    with pypdfium2.PdfDocument(io.BytesIO(pdf)) as document:
        picture = document[0].render(scale=1).to_pil().convert("RGB")
    colours = {colour for count, colour in picture.getcolors(1_000_000) if count > 100}
    assert (0x0B, 0x7A, 0x75) in colours
    assert (0xA8, 0xD5, 0xBA) in colours


def test_the_alternative_text_says_what_the_bars_show() -> None:
    assert alt_text(make_chart(), "en") == "Appointment daily: Placed Phone 12; Placed Web 30; Arrived Phone 9"
    assert alt_text(make_chart(), "zh").startswith("预约日报: 新下 电话 12")
    assert alt_text(make_chart(labels=(), series=()), "en") == "Appointment daily"


def test_the_alternative_text_ends_before_it_tires() -> None:
    many = make_chart(labels=(Label.same("x"),) * 500, series=(Series(Label.same("s"), (1,) * 500),))
    assert len(alt_text(many, "en")) < 600
    assert alt_text(many, "en").endswith("…")


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "pie"},
        {"series": (Series(Label.same("s"), (1,)),)},
        {"series": (Series(Label.same("s"), (1.5, 2)),)},  # type: ignore[arg-type]
        {"series": (Series(Label.same("s"), (True, 2)),)},
        {"series": (Series(Label.same("s"), (Decimal("NaN"), 2)),)},
    ],
)
def test_facts_that_make_no_chart_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"chart|values"):
        make_chart(**wrong)


def test_a_chart_comes_back_from_json_unchanged() -> None:
    chart = make_chart(series=(Series(Label("甲", "a"), (1, None)), Series(Label("乙", "b"), (Decimal("1.50"), -3))))
    again = ChartFacts.from_json(chart.to_json())
    assert again == chart
    assert str(again.series[1].values[0]) == "1.50"
    assert isinstance(again.series[0].values[0], int)


def test_no_old_fashioned_finder_is_left_among_the_imports() -> None:
    assert not [finder for finder in sys.meta_path if not hasattr(finder, "find_spec")]
