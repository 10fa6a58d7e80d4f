"""Texts with placeholders: declared once, checked when saved, filled in when sent. REF-8, 1.3 生日短信; decision 0039.

In texts for people a placeholder is ``{称呼}`` or, in English, ``{address}``; in requests to other systems, which are
full of braces themselves, ``{{ number }}``. Behind them is Jinja2 in its sandbox, of which only names are let through:
no loops, no attributes, no calls. An area declares its placeholders with ``placeholder`` and its kinds of text with
``text_kind``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from app.errors import InvalidInput
from app.models.appointments import AppointmentSlip
from app.models.customers import Customer, Sex
from app.models.hr import Branch, Employee
from app.words import _, _l, locale_in_force

#: Two-character family names that are met often enough; every other name has one character before the given name.
DOUBLE_NAMES = frozenset(
    name
    for line in (
        "欧阳 司马 上官 诸葛 东方 皇甫 尉迟 公孙 慕容 令狐",
        "司徒 司空 夏侯 轩辕 长孙 宇文 端木 南宫 独孤 申屠",
    )
    for name in line.split()
)
WEEKDAYS = "一二三四五六日"
FULL_WIDTH = re.compile("[｛｝]")


@dataclass(frozen=True)
class About:
    """What a text is about, as far as whoever fills it in knows; a placeholder of what is missing stays empty.

    ``occasion_on`` is the day wished for, ``more`` what an area's own placeholders read.
    """

    zone: ZoneInfo
    customer: Customer | None = None
    branch: Branch | None = None
    slip: AppointmentSlip | None = None
    executor: Employee | None = None
    occasion_on: date | None = None
    at: datetime | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


Value = Callable[[About], str | None]


@dataclass(frozen=True)
class Placeholder:
    """One placeholder: its English name, its Chinese name, what people are told of it, what it becomes."""

    code: str
    name: str
    label: object
    value: Value

    @property
    def named(self) -> str:
        """Return its name as the reader would type it; requests to other systems know the English one alone."""
        return self.code if locale_in_force() == "en" or not self.name else self.name


@dataclass(frozen=True)
class TextKind:
    """A kind of text and its placeholders. ``doubled``: they stand in ``{{ }}``."""

    code: str
    label: object
    placeholders: Mapping[str, Placeholder]
    doubled: bool = False

    def named(self) -> dict[str, Placeholder]:
        """Return the placeholders by both of their names."""
        found = {each.code: each for each in self.placeholders.values()}
        return {**found, **{each.name: each for each in self.placeholders.values() if each.name}}

    def written(self, each: Placeholder) -> str:
        """Return a placeholder as the reader would type it in such a text."""
        return f"{{{{ {each.named} }}}}" if self.doubled else f"{{{each.named}}}"

    def hint(self) -> str:
        """Return what a form says below such a text: every placeholder with what it becomes."""
        return " · ".join(f"{self.written(each)} {each.label}" for each in self.placeholders.values())


@dataclass(frozen=True)
class Hint:
    """What a form says below a text: its placeholders, in the reader's language. The description of a field."""

    kind: TextKind

    def __str__(self) -> str:
        return self.kind.hint()


def list_in_form(column: Any, kind: TextKind) -> None:
    """Let the form of a plain table list the placeholders below a column's field."""
    column.info["col"] = replace(column.info["col"], hint=Hint(kind))


@dataclass(frozen=True)
class Wrong:
    """What is wrong with a text: in which line, about which name, as a sentence."""

    line: int
    name: str
    sentence: str


@dataclass(frozen=True)
class Filled:
    """A text filled in, and the placeholders (as they stand in it) for which nothing is known."""

    text: str
    missing: tuple[str, ...]


KINDS: dict[str, TextKind] = {}


def text_kind(code: str, label: object, *, doubled: bool = False) -> TextKind:
    """Declare a kind of text; refuses a code that is taken."""
    if code in KINDS:
        raise ValueError(f"the kind of text {code} is declared twice")
    KINDS[code] = TextKind(code, label, {}, doubled)
    return KINDS[code]


def placeholder(kinds: Sequence[TextKind], code: str, name: str, label: object) -> Callable[[Value], Value]:
    """Declare a function as a placeholder of kinds of text; refuses a name that is taken there."""

    def declare(value: Value) -> Value:
        for kind in kinds:
            if code in kind.named() or (name and name in kind.named()):
                raise ValueError(f"the placeholder {code} is declared twice for {kind.code}")
            kind.placeholders[code] = Placeholder(code, name, label, value)  # type: ignore[index]
        return value

    return declare


def told_beside(kind: TextKind, labels: Mapping[str, object]) -> None:
    """Declare the placeholders of a request to another system, whose values ``About.more`` holds by the same names."""
    for code, label in labels.items():
        placeholder([kind], code, "", label)(_beside(code))


def _beside(code: str) -> Value:
    return lambda about: about.more.get(code)


# --- checked and filled in ---------------------------------------------------------------------------------------


def wrong_in(kind: TextKind, text: str) -> list[Wrong]:
    """Return what is broken or unknown in a text, by line; empty if it may be saved."""
    if not kind.doubled and (found := FULL_WIDTH.search(text)):
        line = text.count("\n", 0, found.start()) + 1
        sentence = _("Line %(line)s: “%(what)s” is a full-width brace; please type { and }.", line=line, what=found[0])
        return [Wrong(line, found[0], sentence)]
    try:
        tree = _environment(kind.doubled).parse(text)
    except TemplateSyntaxError as wrong:
        return [_broken(kind, text, wrong.lineno)]
    return list(_judged(kind, text, tree))


def refuse_wrong(kind: TextKind, field_name: str, text: str | None) -> None:
    """Raise ``InvalidInput`` beside a field if something in its text is broken or unknown."""
    wrong = wrong_in(kind, text) if text else []
    if wrong:
        raise InvalidInput({field_name: [each.sentence for each in wrong]})


def fill(kind: TextKind, text: str, about: About, *, escape: Callable[[str], str] | None = None) -> Filled:
    """Return a text with its placeholders filled in. ``escape`` makes a value fit what surrounds it (JSON, an address).

    A text that is broken all the same, because a later version knows less, stays as it is where it is broken.
    """
    known = kind.named()
    if wrong_in(kind, text):
        return Filled(text, ())
    names = [node.name for node in _environment(kind.doubled).parse(text).find_all(nodes.Name)]
    values = {name: known[name].value(about) for name in dict.fromkeys(names)}
    missing = tuple(f"{{{name}}}" for name, value in values.items() if not value)
    told = {name: (escape(value) if escape else value) if value else "" for name, value in values.items()}
    return Filled(_compiled(text, kind.doubled).render(told), missing)


def uses(kind: TextKind, text: str, *codes: str) -> bool:
    """Say whether a text holds one of some placeholders, by either of their names."""
    if wrong_in(kind, text):
        return False
    known = kind.named()
    return any(known[node.name].code in codes for node in _environment(kind.doubled).parse(text).find_all(nodes.Name))


@lru_cache(maxsize=2)
def _environment(doubled: bool) -> ImmutableSandboxedEnvironment:
    """Return an environment in which nothing but a placeholder can be said: blocks and comments have marks that no
    form lets through."""
    opening, closing = ("{{", "}}") if doubled else ("{", "}")
    return ImmutableSandboxedEnvironment(
        variable_start_string=opening,
        variable_end_string=closing,
        block_start_string="\x01%",
        block_end_string="%\x01",
        comment_start_string="\x01#",
        comment_end_string="#\x01",
        keep_trailing_newline=True,
        autoescape=False,
    )


@lru_cache(maxsize=256)
def _compiled(text: str, doubled: bool) -> Any:
    return _environment(doubled).from_string(text)


def _judged(kind: TextKind, text: str, tree: nodes.Template) -> Iterator[Wrong]:
    known = kind.named()
    for part in (part for node in tree.body for part in node.iter_child_nodes()):
        if isinstance(part, nodes.TemplateData):
            stray = part.data.find("}") if not kind.doubled else -1
            if stray >= 0:
                line = part.lineno + part.data.count("\n", 0, stray)
                yield Wrong(line, "}", _("Line %(line)s: a brace is closed that was not opened.", line=line))
        elif not isinstance(part, nodes.Name):
            yield _broken(kind, text, part.lineno)
        elif part.name not in known:
            offered = ", ".join(kind.written(each) for each in kind.placeholders.values())
            sentence = _(
                "Line %(line)s: there is no placeholder “%(name)s”. There are: %(offered)s.",
                line=part.lineno,
                name=part.name[:60],
                offered=offered,
            )
            yield Wrong(part.lineno, part.name, sentence)


def _broken(kind: TextKind, text: str, line: int) -> Wrong:
    """Say that what stands between the braces of a line is no placeholder, or that they are not closed."""
    lines = text.split("\n")
    said = lines[line - 1] if 0 < line <= len(lines) else ""
    opened = said.find("{{" if kind.doubled else "{")
    what = said[opened : opened + 40] if opened >= 0 else said[:40]
    sentence = _("Line %(line)s: “%(what)s” is no placeholder, or its brace is not closed.", line=line, what=what)
    return Wrong(line, what, sentence)


# --- the placeholders of the house -------------------------------------------------------------------------------

MESSAGE_TEXT = text_kind("message", _l("Message to a customer"))
PLAN_TEXT = text_kind("followup_plan", _l("Purpose or content of a follow-up plan"))
BOTH = (MESSAGE_TEXT, PLAN_TEXT)


def family_name(name: str) -> str:
    """Return the family name of a Chinese name; of another its last word."""
    if not re.fullmatch(r"[\u3400-\u9fff·]+", name):
        return name.split()[-1] if name.split() else name
    return name[:2] if name[:2] in DOUBLE_NAMES and len(name) > 2 else name[:1]


@placeholder(BOTH, "customer", "客户", _l("the customer's full name"))
def customer_name(about: About) -> str | None:
    """Return her name, or how she calls herself."""
    return None if about.customer is None else about.customer.name or about.customer.alias


@placeholder(BOTH, "address", "称呼", _l("family name with Ms or Mr"))
def courteous_address(about: About) -> str | None:
    """Return how she is addressed: 林女士; her name alone where her sex is not known, 您 where nothing is."""
    if about.customer is None:
        return None
    titles = {Sex.FEMALE: "女士", Sex.MALE: "先生"}
    name, title = about.customer.name, titles.get(about.customer.sex) if about.customer.sex else None
    if name and title:
        return family_name(name) + title
    return name or about.customer.alias or "您"


@placeholder(BOTH, "age", "年龄", _l("the age that she reaches in the year of the occasion"))
def age(about: About) -> str | None:
    """Return her age, if her year of birth is known."""
    if about.customer is None or about.occasion_on is None:
        return None
    reached = about.customer.age_in(about.occasion_on.year)
    return None if reached is None or reached <= 0 else str(reached)


@placeholder(BOTH, "branch", "分院", _l("the branch's name"))
def branch_name(about: About) -> str | None:
    return None if about.branch is None else about.branch.name


@placeholder(BOTH, "branch_address", "分院地址", _l("the branch's address"))
def branch_address(about: About) -> str | None:
    return None if about.branch is None else about.branch.address


@placeholder(BOTH, "branch_phone", "分院电话", _l("the branch's telephone"))
def branch_phone(about: About) -> str | None:
    return None if about.branch is None else about.branch.phone


@placeholder(BOTH, "appointment_day", "预约日期", _l("the day of the appointment"))
def appointment_day(about: About) -> str | None:
    return None if about.slip is None else written_day(about.slip.appointed_at.astimezone(about.zone).date())


@placeholder(BOTH, "appointment_time", "预约时间", _l("the time of the appointment"))
def appointment_time(about: About) -> str | None:
    return None if about.slip is None else about.slip.appointed_at.astimezone(about.zone).strftime("%H:%M")


@placeholder(BOTH, "executor", "执行人", _l("who calls or writes"))
def executor_name(about: About) -> str | None:
    return None if about.executor is None else about.executor.name


@placeholder(BOTH, "occasion_day", "日期", _l("the day of the occasion"))
def occasion_day(about: About) -> str | None:
    return None if about.occasion_on is None else written_day(about.occasion_on)


def written_day(day: date) -> str:
    """Return a day as it stands in a text to a customer: 11月23日（周一）."""
    return f"{day.month}月{day.day}日（周{WEEKDAYS[day.weekday()]}）"
