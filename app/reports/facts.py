"""What a report found, in frozen dataclasses: kept as JSON and read back unchanged, in both languages."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal, get_args

from app.words import in_locale

# Control characters, lone surrogates, non-characters, and the marks that turn the reading direction around:
# PDF, XML and JSON columns refuse the first three, and the last can make a line read as another.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)

ChartKind = Literal["grouped", "stacked", "line"]
Number = int | Decimal


def printable(text: str) -> str:
    """Return the text without characters that no paper and no file can hold; line feeds and tabs stay."""
    return _UNPRINTABLE.sub("", text)


def width_in_ems(text: str) -> float:
    """Return how wide a line of text stands, in ems: 1 for a Chinese character, about half for others."""
    return sum(1.0 if unicodedata.east_asian_width(char) in "WF" else 0.55 for char in text)


@dataclass(frozen=True, slots=True)
class Label:
    """Words in both languages, kept with the facts so that a stored report opens again unchanged."""

    zh: str
    en: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "zh", printable(self.zh))
        object.__setattr__(self, "en", printable(self.en))

    def in_(self, locale: str) -> str:
        """Return the words in ``"zh"`` or ``"en"``; the other language where one has none."""
        return (self.en or self.zh) if locale.startswith("en") else (self.zh or self.en)

    @classmethod
    def of(cls, words: object) -> Label:
        """Make a label of lazy words (``_l``), said in both languages now."""
        return cls(zh=in_locale(words, "zh"), en=in_locale(words, "en"))

    @classmethod
    def same(cls, text: str) -> Label:
        """Make a label that reads alike in both languages: a name, a number."""
        return cls(zh=text, en=text)

    def to_json(self) -> dict[str, str]:
        """Return ``{"zh", "en"}``."""
        return {"zh": self.zh, "en": self.en}

    @classmethod
    def from_json(cls, data: Mapping[str, str]) -> Label:
        """Read what ``to_json`` wrote."""
        return cls(zh=data["zh"], en=data["en"])


@dataclass(frozen=True, slots=True)
class Series:
    """One line of the legend and its values, one for each label of the chart; None where there is none."""

    name: Label
    values: tuple[Number | None, ...]


@dataclass(frozen=True, slots=True)
class ChartFacts:
    """What a chart shows. ``kind``: grouped or stacked bars, or a line; ``labels`` stand along the axis."""

    kind: ChartKind
    title: Label
    labels: tuple[Label, ...]
    series: tuple[Series, ...]

    def __post_init__(self) -> None:
        if self.kind not in get_args(ChartKind):
            raise ValueError(f"no such kind of chart: {self.kind!r}")
        for series in self.series:
            if len(series.values) != len(self.labels):
                raise ValueError(f"{series.name.en}: {len(series.values)} values for {len(self.labels)} labels")
            for value in series.values:
                if value is not None and (
                    isinstance(value, bool)
                    or not isinstance(value, int | Decimal)
                    or (isinstance(value, Decimal) and not value.is_finite())
                ):
                    raise ValueError(f"a chart's value is a whole number or a finite decimal, not {value!r}")

    def to_json(self) -> dict[str, Any]:
        """Return plain dictionaries and lists; decimals as ``{"decimal": "1.50"}``, whole numbers as they are."""
        return {
            "kind": self.kind,
            "title": self.title.to_json(),
            "labels": [label.to_json() for label in self.labels],
            "series": [
                {"name": series.name.to_json(), "values": [_number_out(value) for value in series.values]}
                for series in self.series
            ],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ChartFacts:
        """Read what ``to_json`` wrote."""
        return cls(
            kind=data["kind"],
            title=Label.from_json(data["title"]),
            labels=tuple(Label.from_json(label) for label in data["labels"]),
            series=tuple(
                Series(Label.from_json(each["name"]), tuple(_number_in(value) for value in each["values"]))
                for each in data["series"]
            ),
        )


def _number_out(value: Number | None) -> int | dict[str, str] | None:
    return {"decimal": str(value)} if isinstance(value, Decimal) else value


def _number_in(value: int | Mapping[str, str] | None) -> Number | None:
    return Decimal(value["decimal"]) if isinstance(value, Mapping) else value


Kind = Literal["text", "count", "money", "rate", "mean", "day", "instant"]
KINDS: tuple[Kind, ...] = get_args(Kind)
# The type behind each kind; a text may come as a Label when it has two languages.
TYPES: dict[Kind, tuple[type, ...]] = {
    "text": (str, Label),
    "count": (int,),
    "money": (Decimal,),
    "rate": (Decimal,),
    "mean": (Decimal,),
    "day": (date,),
    "instant": (datetime,),
}
Value = str | Label | int | Decimal | date | datetime | None
Row = tuple[Value, ...]

JSON_SHAPE = 1


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name in code, its label, and what kind of value stands in it."""

    name: str
    label: Label
    kind: Kind = "text"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.name}: no such kind of value: {self.kind!r}")


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns, perhaps with a line of totals. Every value is of its column's kind, or None.

    ``keys`` says for each row, as (group, key) pairs, which rows of the database stand behind it; none: nobody knows.
    """

    name: str
    title: Label
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    totals: Row | None = None
    keys: tuple[tuple[tuple[str, str], ...], ...] = ()

    def __post_init__(self) -> None:
        if self.keys and len(self.keys) != len(self.rows):
            raise ValueError(f"{self.name}: {len(self.keys)} keys for {len(self.rows)} rows")
        object.__setattr__(self, "keys", tuple(tuple(sorted(pairs)) for pairs in self.keys))
        lines = [*self.rows, *([self.totals] if self.totals is not None else [])]
        for line in lines:
            if len(line) != len(self.columns):
                raise ValueError(f"{self.name}: {len(line)} values for {len(self.columns)} columns")
        kinds = [column.kind for column in self.columns]
        checked = tuple(tuple(map(checked_value, kinds, line)) for line in self.rows)
        object.__setattr__(self, "rows", checked)
        if self.totals is not None:
            # A totals line starts with words, whatever its columns hold.
            object.__setattr__(self, "totals", tuple(map(_checked_total, kinds, self.totals)))


@dataclass(frozen=True, slots=True)
class Figure:
    """One number that stands above the tables."""

    name: str
    label: Label
    value: Value
    kind: Kind = "count"

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", checked_value(self.kind, self.value))


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """All that a run of a report found: what is stored, shown, charted and exported.

    ``report`` is the report's name in code, ``parameters`` pairs of label and text as chosen, ``zone`` the
    IANA zone in which instants are shown, ``made_by`` a person or the clock.
    """

    report: str
    title: Label
    parameters: tuple[tuple[Label, Label], ...]
    figures: tuple[Figure, ...]
    tables: tuple[Table, ...]
    chart: ChartFacts | None
    made_at: datetime
    made_by: str
    zone: str = "Asia/Shanghai"

    def __post_init__(self) -> None:
        object.__setattr__(self, "made_at", checked_value("instant", self.made_at))
        object.__setattr__(self, "made_by", printable(self.made_by))


def checked_value(kind: Kind, value: Value) -> Value:
    """Return a value fit to be stored: cleaned text, finite decimals, instants in UTC; refuses another kind's.

    Raises TypeError for a value of another kind (a float too) and ValueError for an instant without a zone or
    a decimal that is no number.
    """
    if value is None:
        return None
    wrong = isinstance(value, bool) or not isinstance(value, TYPES[kind])
    if wrong or (kind == "day" and isinstance(value, datetime)):
        raise TypeError(f"not a value of kind {kind}: {value!r}")
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Decimal) and not value.is_finite():
        raise ValueError(f"not a number: {value!r}")
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise ValueError(f"an instant without its zone: {value!r}")
        return value.astimezone(UTC)
    return value


def _checked_total(kind: Kind, value: Value) -> Value:
    return checked_value("text" if isinstance(value, str | Label) else kind, value)


def to_json(facts: ReportFacts) -> dict[str, Any]:
    """Return the facts as plain JSON values, for a JSONB column and for the REST answer."""
    return {
        "shape": JSON_SHAPE,
        "report": facts.report,
        "title": facts.title.to_json(),
        "parameters": [[label.to_json(), text.to_json()] for label, text in facts.parameters],
        "figures": [
            {"name": each.name, "label": each.label.to_json(), "kind": each.kind, "value": _value_out(each.value)}
            for each in facts.figures
        ],
        "tables": [_table_out(table) for table in facts.tables],
        "chart": None if facts.chart is None else facts.chart.to_json(),
        "made_at": _value_out(facts.made_at),
        "made_by": facts.made_by,
        "zone": facts.zone,
    }


def from_json(data: Mapping[str, Any]) -> ReportFacts:
    """Read what ``to_json`` wrote: the same facts. Refuses (ValueError) a shape that it does not know."""
    if data.get("shape") != JSON_SHAPE:
        raise ValueError(f"a report stored in an unknown shape: {data.get('shape')!r}")
    return ReportFacts(
        report=data["report"],
        title=Label.from_json(data["title"]),
        parameters=tuple((Label.from_json(label), Label.from_json(text)) for label, text in data["parameters"]),
        figures=tuple(
            Figure(each["name"], Label.from_json(each["label"]), _value_in(each["kind"], each["value"]), each["kind"])
            for each in data["figures"]
        ),
        tables=tuple(_table_in(table) for table in data["tables"]),
        chart=None if data["chart"] is None else ChartFacts.from_json(data["chart"]),
        made_at=datetime.fromisoformat(data["made_at"]),
        made_by=data["made_by"],
        zone=data["zone"],
    )


def _table_out(table: Table) -> dict[str, Any]:
    return {
        "name": table.name,
        "title": table.title.to_json(),
        "columns": [{"name": each.name, "label": each.label.to_json(), "kind": each.kind} for each in table.columns],
        "rows": [[_value_out(value) for value in row] for row in table.rows],
        "totals": None if table.totals is None else [_total_out(value) for value in table.totals],
        "keys": [dict(pairs) for pairs in table.keys],
    }


def _table_in(data: Mapping[str, Any]) -> Table:
    columns = tuple(Column(each["name"], Label.from_json(each["label"]), each["kind"]) for each in data["columns"])
    kinds = [column.kind for column in columns]
    return Table(
        name=data["name"],
        title=Label.from_json(data["title"]),
        columns=columns,
        rows=tuple(tuple(map(_value_in, kinds, row)) for row in data["rows"]),
        totals=None if data["totals"] is None else tuple(map(_total_in, kinds, data["totals"])),
        keys=tuple(tuple(pairs.items()) for pairs in data.get("keys", ())),
    )


def _value_out(value: Value) -> Any:
    if isinstance(value, Label):
        return value.to_json()
    if isinstance(value, Decimal):
        return str(value)
    return value.isoformat() if isinstance(value, date) else value


def _value_in(kind: Kind, value: Any) -> Value:
    if value is None:
        return None
    if isinstance(value, Mapping):
        return Label.from_json(value)
    if kind in ("money", "rate", "mean"):
        return Decimal(value)
    if kind == "day":
        return date.fromisoformat(value)
    return datetime.fromisoformat(value) if kind == "instant" else value


def _total_out(value: Value) -> Any:
    # Words in a totals line stand apart from the decimals and days, which are strings in JSON too.
    return {"text": value} if isinstance(value, str) else _value_out(value)


def _total_in(kind: Kind, value: Any) -> Value:
    return value["text"] if isinstance(value, Mapping) and "text" in value else _value_in(kind, value)
