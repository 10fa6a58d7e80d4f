"""The demo's reception: its desks, rotation lines and their seats. White paper 2.2, 2.3."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import select

from app.models.reception import ServiceDesk
from app.models.settings import Dictionary, DictionaryItem
from app.models.triage import LineKind, RotationLine, RotationSeat, RotationSeatItem

#: Code, name, floor, department, whether visitors see its screen.
DESKS: tuple[tuple[str, str, str, str, bool], ...] = (
    ("QT1", "一楼前台", "1F", "D12-1", True),
    ("FZ3", "三楼分诊台", "3F", "D12-3", True),
    ("SF1", "一楼收费处", "1F", "D03-1", True),
    ("PF2", "二楼皮肤中心", "2F", "D15", False),
)
#: Kind, name, who receives when nobody else may.
LINES: tuple[tuple[LineKind, str, str], ...] = (
    (LineKind.CONSULTANT, "咨询医生", "consulting_supervisor"),
    (LineKind.SURGEON, "外科医生", "doctor"),
    (LineKind.DENTAL, "口腔外科", "dentist"),
)
#: Line, login, office, whether for the market department's customers, the items received (none named: all).
SEATS: tuple[tuple[LineKind, str, str, bool, tuple[str, ...]], ...] = (
    (LineKind.CONSULTANT, "onsite_consultant", "301", False, ()),
    (LineKind.CONSULTANT, "onsite_consultant_2", "302", True, ()),
    (LineKind.CONSULTANT, "onsite_consultant_3", "303", False, ()),
    (
        LineKind.CONSULTANT,
        "onsite_consultant_4",
        "305",
        False,
        ("skin", "injection", "anti_ageing", "hair_removal", "eyes"),
    ),
    (LineKind.SURGEON, "doctor", "311", False, ()),
    (LineKind.SURGEON, "doctor_2", "312", False, ("eyes", "nose", "contour", "fat_grafting", "hair", "intimate")),
    (LineKind.SURGEON, "doctor_3", "313", False, ()),
    (LineKind.DENTAL, "dentist", "217", False, ("dental",)),
)


@dataclass(frozen=True)
class Reception:
    """The lines of a branch by kind, and the seats by login."""

    desks: Mapping[str, int] = field(default_factory=dict)
    lines: Mapping[LineKind, int] = field(default_factory=dict)
    seats: Mapping[str, int] = field(default_factory=dict)


class Founding(Protocol):
    """What saves the rows of a branch under keys of their own."""

    @property
    def session(self) -> Any: ...

    def save(self, model: Any, key: str, values: Mapping[str, Any], record_id: int | None = None) -> Any: ...


def found_reception(founding: Founding, departments: Mapping[str, Any], people: Mapping[str, Any]) -> Reception:
    """Enter desks, lines and seats of a branch."""
    desks = {
        code: founding.save(
            ServiceDesk,
            f"desk:{code}",
            {"code": code, "name": name, "floor": floor, "department_id": departments[at].id, "is_public": is_public},
        ).id
        for code, name, floor, at, is_public in DESKS
    }
    lines = {
        kind: founding.save(
            RotationLine,
            f"line:{kind.value}",
            {"kind": kind, "name": name, "supervisor_id": people[login].id, "position": place},
        ).id
        for place, (kind, name, login) in enumerate(LINES, start=1)
    }
    listed = (
        select(DictionaryItem.code, DictionaryItem.id).join(Dictionary).where(Dictionary.code == "appointment_item")
    )
    items = dict(founding.session.execute(listed).all())
    seats: dict[str, int] = {}
    for order, (kind, login, office, is_designated, for_items) in enumerate(SEATS, start=1):
        values = {
            "line_id": lines[kind], "employee_id": people[login].id, "office": office, "office_order": order,
            "is_designated": is_designated,
        }  # fmt: skip
        seats[login] = founding.save(RotationSeat, f"seat:{login}", values).id
        for code in for_items:
            told = {"seat_id": seats[login], "item_id": items[code]}
            founding.save(RotationSeatItem, f"seat:{login}:{code}", told)
    return Reception(desks, lines, seats)
