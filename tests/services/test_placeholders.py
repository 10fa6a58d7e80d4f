"""Texts with placeholders: what is refused when saved, with its line and name; what they become. REF-8."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from app.errors import InvalidInput
from app.models.customers import Customer, Sex
from app.models.hr import Branch, Employee
from app.services.placeholders import (
    MESSAGE_TEXT,
    About,
    family_name,
    fill,
    placeholder,
    refuse_wrong,
    text_kind,
    uses,
    wrong_in,
)
from app.words import force_locale

CHINA = ZoneInfo("Asia/Shanghai")


@pytest.fixture(autouse=True)
def words(app):
    with app.app_context():
        yield


@pytest.fixture
def about():
    return About(
        CHINA,
        Customer(name="欧阳小雨", sex=Sex.FEMALE, birth_on=date(1996, 2, 29)),
        Branch(name="逸美上海", address="淮海路 1 号", phone="021-60000000"),
        SimpleNamespace(appointed_at=datetime(2026, 12, 31, 16, 30, tzinfo=UTC)),  # type: ignore[arg-type]
        Employee(name="周宁"),
        date(2026, 2, 28),
    )


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("您好", []),
        ("{称呼}您好", []),
        ("{ 称呼 }，{address}", []),
        ("一\n二 {称乎}", [(2, "称乎")]),
        ("{nobody}\n\n{称呼} {客}", [(1, "nobody"), (3, "客")]),
        ("一\n{称呼", [(2, "{称呼")]),
        ("{}", [(1, "{}")]),
        ("称呼}", [(1, "}")]),
        ("一\n二\n称呼}您好", [(3, "}")]),
        ("｛称呼｝", [(1, "｛")]),
        ("{称呼.name}", [(1, "{称呼.name}")]),
        ("{客户 | upper}", [(1, "{客户 | upper}")]),
        ("{客户()}", [(1, "{客户()}")]),
        ("{{客户}}", [(1, "{{客户}}")]),
        ("{% for x in y %}", [(1, "{% for x in y %}")]),
        ("{1}", [(1, "{1}")]),
        ("{客户 客户}", [(1, "{客户 客户}")]),
    ],
)
def test_what_is_broken_or_unknown_is_named_with_its_line(text, wrong):
    assert [(each.line, each.name) for each in wrong_in(MESSAGE_TEXT, text)] == wrong
    if not wrong:
        refuse_wrong(MESSAGE_TEXT, "text", text)
        return
    with pytest.raises(InvalidInput) as refused:
        refuse_wrong(MESSAGE_TEXT, "text", text)
    assert all(str(line) in said for said, (line, _name) in zip(refused.value.errors["text"], wrong, strict=True))


def test_an_unknown_placeholder_is_answered_with_those_that_there_are():
    with force_locale("en"):
        (wrong,) = wrong_in(MESSAGE_TEXT, "Dear {addres}")
    assert wrong.sentence.startswith("Line 1: there is no placeholder “addres”. There are: {customer}, {address}, ")


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("{客户}，{称呼}", "欧阳小雨，欧阳女士"),
        ("{customer} {address}", "欧阳小雨 欧阳女士"),
        ("{分院} {分院地址} {分院电话}", "逸美上海 淮海路 1 号 021-60000000"),
        ("{预约日期} {预约时间}", "1月1日（周五） 00:30"),
        ("{执行人} {日期} {年龄}岁", "周宁 2月28日（周六） 30岁"),
        ("第一行\n第二行\n", "第一行\n第二行\n"),
    ],
)
def test_what_a_text_becomes(about, text, becomes):
    """Days and times are the branch's: half past four in the afternoon of 31 December UTC is New Year there."""
    filled = fill(MESSAGE_TEXT, text, about)
    assert (filled.text, filled.missing) == (becomes, ())


def test_what_is_not_known_stays_empty_and_is_named():
    nobody = About(CHINA, Customer(alias="小雨"))
    filled = fill(MESSAGE_TEXT, "{称呼}，{预约日期}{执行人}{age}", nobody)
    assert (filled.text, filled.missing) == ("小雨，", ("{预约日期}", "{执行人}", "{age}"))
    assert uses(MESSAGE_TEXT, "{预约时间}", "appointment_time")
    assert not uses(MESSAGE_TEXT, "{称呼}", "appointment_time")


def test_what_a_value_says_is_no_placeholder():
    """A customer who is called {分院} is called so in her message."""
    named = About(CHINA, Customer(name="{分院}{{7*7}}"), Branch(name="逸美"))
    assert fill(MESSAGE_TEXT, "{客户}", named).text == "{分院}{{7*7}}"


@pytest.mark.parametrize(
    ("name", "family"), [("林小雨", "林"), ("欧阳雪", "欧阳"), ("欧阳", "欧"), ("Ann Lee", "Lee"), ("林", "林")]
)
def test_family_names(name, family):
    assert family_name(name) == family


def test_requests_have_doubled_braces_and_values_that_fit_their_surroundings():
    kind = text_kind("test_request", "a request", doubled=True)
    placeholder([kind], "text", "", "the text")(lambda about: about.more["text"])
    body = '{"a": {"text": "{{ text }}"}}'
    assert wrong_in(kind, body) == []
    said = 'he said "no"\n\\'
    filled = fill(kind, body, About(CHINA, more={"text": said}), escape=lambda value: json.dumps(value)[1:-1])
    assert json.loads(filled.text) == {"a": {"text": said}}
    assert [(each.line, each.name) for each in wrong_in(kind, '{\n"a": "{{ number }}"}')] == [(2, "number")]
    assert wrong_in(kind, '{"a": "{{ text }"}')[0].line == 1
    with pytest.raises(ValueError, match="twice"):
        placeholder([kind], "text", "", "again")(lambda about: None)
