"""Two languages, each complete: in the catalogue and in the sources. On the pages: test_translations_on_pages."""

from __future__ import annotations

import ast
import io
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.frontend import CommandLineInterface
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

ROOT = Path(__file__).resolve().parents[1]
CATALOGUE = ROOT / "app/translations/zh/LC_MESSAGES/messages.po"

# --- the catalogue -----------------------------------------------------------------------------------------------

#: What a Chinese reader reads in Latin letters too.
LATIN = {"QQ", "IT", "VIP", "JSON", "XLSX", "CSV", "PDF", "JPEG", "PNG", "WebP", "MB", "GB", "tab", "HTTP", "GET", "OK"}
#: Values of settings, as they are typed.
LATIN |= {"yes", "no", "none", "branch", "group"}
#: Types of files, encodings and programs as they are called everywhere.
LATIN |= {"doc", "xls", "xlsx", "xlsb", "ods", "utf", "UTF", "gb", "big", "Word", "Excel", "Numbers"}
#: Types of recordings.
LATIN |= {"WAV", "MP", "OGG"}
#: Keys as they are written on the keyboard.
LATIN |= {"Ctrl", "Alt", "Enter", "Insert", "Delete", "Esc", "Home", "End", "PgUp", "PgDn"}
#: Commands and examples.
QUOTED = re.compile(
    r"https?://(?:\{\{ [a-z_]+ }}|[!-~])*|\bhttps?\b|\{\{ [a-z_]+ }}|\bPOST\b|\bPUT\b"
    r"|Idempotency-Key|Authorization: Bearer|/export|run\.py [a-z-]+|[a-z_]+(?:\.[a-z_]+)+|\d{4}-\d\d-\d\dT[\d:+]+"
)
PLACEHOLDER = re.compile(r"%\((\w+)\)s")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Every string of the sources, extracted anew as babel.cfg says."""
    out = tmp_path_factory.mktemp("words") / "messages.pot"
    options = ["-q", "extract", "-F", str(ROOT / "babel.cfg"), "-k", "_l", "-k", "_n:1,2", "-o", str(out)]
    CommandLineInterface().run(["pybabel", *options, str(ROOT / "app")])
    with out.open("rb") as file:
        return read_po(file)


@pytest.fixture(scope="module")
def chinese() -> Catalog:
    with CATALOGUE.open("rb") as file:
        return read_po(file, locale="zh")


def said(message: Any) -> list[str]:
    """Return a message's Chinese, each plural form of it."""
    return [message.string] if isinstance(message.string, str) else list(message.string)


def asked(message: Any) -> list[str]:
    return [message.id] if isinstance(message.id, str) else list(message.id)


def entries(catalogue: Catalog) -> list[Any]:
    return [message for message in catalogue if message.id]


def test_every_string_of_the_sources_has_its_chinese(source: Catalog, chinese: Catalog) -> None:
    assert len(source) > 300, "the extraction finds the sources"
    known = {str(message.id): message for message in entries(chinese)}
    lacking = [m.id for m in entries(source) if str(m.id) not in known or not all(said(known[str(m.id)]))]
    assert lacking == [], "babel.cfg says how to bring the catalogue up to date"
    assert [message.id for message in entries(chinese) if message.fuzzy] == []


def test_the_catalogue_keeps_nothing_that_is_gone(source: Catalog, chinese: Catalog) -> None:
    wanted = {str(message.id) for message in entries(source)}
    assert [message.id for message in entries(chinese) if str(message.id) not in wanted] == []
    assert list(chinese.obsolete) == []


def test_the_chinese_fills_in_what_the_english_fills_in(chinese: Catalog) -> None:
    for message in entries(chinese):
        names = {name for text in asked(message) for name in PLACEHOLDER.findall(text)}
        for text in said(message):
            assert Counter(PLACEHOLDER.findall(text)) == Counter(names), message.id
            if names:
                assert text % dict.fromkeys(names, "…"), message.id


def test_the_chinese_holds_no_english_word(chinese: Catalog) -> None:
    for message in entries(chinese):
        for text in said(message):
            bare = QUOTED.sub("", PLACEHOLDER.sub("", text))
            assert set(re.findall(r"[A-Za-z]{2,}", bare)) <= LATIN, message.id


def test_chinese_sentences_are_punctuated_in_chinese(chinese: Catalog) -> None:
    for message in entries(chinese):
        for text in said(message):
            bare = QUOTED.sub("…", text)
            assert not re.search(r"[\u3400-\u9fff)s][,;:?!]|[\u3400-\u9fff]\.(\s|$)", bare), text
            ends = [part.rstrip()[-1:] in ".?" for part in asked(message)]
            if all(ends) and len(text) > 12:
                assert text[-1] in "。？）”", text


def test_the_compiled_catalogue_is_the_one_of_the_text(chinese: Catalog) -> None:
    fresh = io.BytesIO()
    write_mo(fresh, chinese)
    compiled = CATALOGUE.with_suffix(".mo").read_bytes()
    assert fresh.getvalue() == compiled, "run: pybabel compile -d app/translations -l zh"


#: Sentences that people read are handed to these; a bare literal in one of them would stay English.
TELLERS = {"Refusal", "IllegalMove", "KeyReused", "Stale", "InvalidInput", "StopValidation", "ValidationError", "flash"}
#: So are these named arguments.
NAMED = {"label", "title", "intro", "consequence", "description", "help", "empty", "notice"}


def bare_literals(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield (line, text) of literals that reach a reader without passing through the translation."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = getattr(call.func, "id", getattr(call.func, "attr", ""))
        handed = list(call.args) if name in TELLERS else []
        handed += [keyword.value for keyword in call.keywords if keyword.arg in NAMED]
        for argument in handed:
            values = argument.values if isinstance(argument, ast.Dict) else [argument]
            for value in values:
                parts = value.elts if isinstance(value, ast.List) else [value]
                for part in parts:
                    if (
                        isinstance(part, ast.Constant)
                        and isinstance(part.value, str)
                        and re.search("[A-Za-z]{2}", part.value)
                    ):
                        yield part.lineno, part.value


@pytest.mark.parametrize("floor", ["models", "services", "reports", "panel", "views"])
def test_no_sentence_goes_round_the_translation(floor: str) -> None:
    found = []
    for path in sorted((ROOT / "app" / floor).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found += [f"{path.name}:{line} {text}" for line, text in bare_literals(tree)]
    assert [line for line in found if not line.endswith((" success", " info", " warning", " danger"))] == []
