"""What an act's form tells of its record beforehand: how many of what hang on it, what is to be read and heard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flask import url_for

from app.actors import Actor
from app.acts import Act
from app.extensions import db
from app.models.base import Base, Labelled
from app.panel.describe import may_open_record, record_url, text_of
from app.panel.pages import Cell, FormFact
from app.panel.playing import sound_url


def facts_told(act: Act, record: Any, by: Actor, refused: Mapping[str, str]) -> list[FormFact]:
    """Return what the form tells of its record beforehand, each with the list that shows it if one may see that;
    ``refused`` says by the name of a line why the form came back because of it."""
    if act.tells is None or record is None:
        return []
    return [
        FormFact(
            str(told.label),
            url_for(f"{told.page}.list", **told.query) if told.page and by.may(told.page, "can_list") else "",
            told.count,
            None if told.value is None else told_cell(told.value, by, told.sound, told.then),
            refused.get(told.name, ""),
        )
        for told in act.tells(db.session(), record, by)
    ]


def told_cell(value: Any, by: Actor, sound: Any = None, then: Any = None) -> Cell:
    """Return a value that stands alone: a state as a badge, a record with its address, a text. With the recording of
    ``sound``, and what the cell says once that was played."""
    if isinstance(value, Labelled):
        cell = Cell(str(value.label), tone=value.tone)
    elif isinstance(value, Base):
        cell = Cell(str(value), url=record_url(value.__tablename__, value.id) if may_open_record(value, by) else "")
    else:
        cell = Cell(text_of(value, by), wide=True)
    if sound is None:
        return cell
    return replace(cell, sound=sound_url(sound), then=None if then in (None, value) else told_cell(then, by))
