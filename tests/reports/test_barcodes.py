"""Bars that scanners read: encoding, size, and the text below."""

import re

import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from app.reports.barcodes import LABEL_MODULE_MM, MODULE_MM, code128_modules, code128_svg, scannable

SHORTEST_A_SYMBOL = 11
STOP = 13


def decoded(modules: str) -> list[str]:
    """Read bars of three pixels a module, with ten modules of white around them."""
    row = [255] * 30 + [0 if module == "1" else 255 for module in modules for _ in range(3)] + [255] * 30
    picture = Image.new("L", (len(row), 40))
    picture.putdata(row * 40)
    return [found.text for found in zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormat.Code128)]


def fewest_symbols(text: str) -> int:
    """Count the symbols of the shortest encoding with sets B and C: start, characters, switches, check."""
    far = 10**6
    best = {"B": [far] * (len(text) + 1), "C": [far] * (len(text) + 1)}
    best["B"][0] = best["C"][0] = 1
    for at in range(len(text) + 1):
        for here, there in (("B", "C"), ("C", "B")):
            best[there][at] = min(best[there][at], best[here][at] + (1 if at else 0))
        if at < len(text):
            best["B"][at + 1] = min(best["B"][at + 1], best["B"][at] + 1)
        if at + 1 < len(text) and text[at : at + 2].isdigit():
            best["C"][at + 2] = min(best["C"][at + 2], best["C"][at] + 1)
    return min(best["B"][-1], best["C"][-1]) + 1


@pytest.mark.parametrize(
    ("typed", "scanned"),
    [
        ("YY01-20261122-0018", "YY01202611220018"),
        (" YY01 20261122 0018\n", "YY01202611220018"),
        ("YY01\uff0d20261122\u20130018", "YY01202611220018"),
        ("JZ/2026.11_22", "JZ20261122"),
        ("YY01202611220018", "YY01202611220018"),
        ("", ""),
    ],
)
def test_a_number_is_scanned_and_typed_with_or_without_its_separators(typed: str, scanned: str) -> None:
    assert scannable(typed) == scanned


def test_digit_pairs_of_a_slip_number_share_a_symbol() -> None:
    # start B, Y, Y, to C, seven pairs, check: 12 symbols and the stop
    assert len(code128_modules("YY01202611220018")) == 12 * SHORTEST_A_SYMBOL + STOP
    assert len(code128_modules("YY01-20261122-0018")) > 12 * SHORTEST_A_SYMBOL + STOP


@given(st.from_regex(r"[A-Z]{1,4}[0-9]{4,18}", fullmatch=True))
def test_no_document_number_could_be_encoded_shorter(number: str) -> None:
    assert len(code128_modules(number)) == fewest_symbols(number) * SHORTEST_A_SYMBOL + STOP


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=24))
def test_whatever_is_encoded_reads_back(text: str) -> None:
    assert decoded(code128_modules(text)) == [text]


@pytest.mark.parametrize("text", ["", "-", " - ", "单号", "YY²", "😀"])
def test_a_text_without_bars_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"barcode|Code 128"):
        code128_svg(text)


@pytest.mark.parametrize("too_small", [{"module_mm": 0.32}, {"height_mm": 9.9}, {"quiet": 9}])
def test_a_code_too_small_for_a_scanner_is_refused(too_small: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="small"):
        code128_svg("YY01-20261122-0018", **too_small)


def test_the_picture_is_one_path_with_ten_white_modules_on_both_sides() -> None:
    svg = code128_svg("YY01-20261122-0018")
    assert svg.count("<path") == 1
    assert "<rect" not in svg
    modules = len(code128_modules("YY01202611220018"))
    assert f'viewBox="0 0 {modules + 20} 10"' in svg
    strokes = [(int(x), int(width)) for x, width in re.findall(r"M(\d+) 0h(\d+)", svg)]
    assert strokes[0][0] == 10
    assert sum(strokes[-1]) == modules + 10
    width = re.search(r'width="([\d.]+)mm"', svg)
    assert width
    assert float(width[1]) == pytest.approx((modules + 20) * MODULE_MM, abs=0.001)


def test_the_modules_are_wide_enough_and_whole_dots_on_the_usual_printers() -> None:
    assert MODULE_MM >= 0.33
    for dpi in (150, 300, 600):
        assert MODULE_MM / 25.4 * dpi == pytest.approx(round(MODULE_MM / 25.4 * dpi))
    assert pytest.approx(3) == LABEL_MODULE_MM / 25.4 * 203


def test_the_text_below_keeps_its_separators_and_is_escaped() -> None:
    assert '<div class="barcode-text">YY01-20261122-0018</div>' in code128_svg("YY01-20261122-0018")
    assert "<b>" not in code128_svg("<b>1</b>")
