"""What administrators keep: settings, dictionaries, numbers, changes to roles."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from app.actors import Actor
from app.models.settings import Dictionary, DictionaryItem, NumberCounter, NumberRule, Param, RoleOverride, RoleReach
from app.panel.house_view import HouseView, Related, Tab
from app.panel.interface import HouseInterface
from app.panel.registry import Registrar
from app.services.settings import SETTINGS
from app.words import _l


def _in_force(_by: Actor, now: Any) -> Any:
    """The newest row of each setting and branch that has come into force."""
    other = Param.__table__.alias()
    newest = (
        select(func.max(other.c.effective_at))
        .where(other.c.key == Param.key, other.c.branch_id.is_not_distinct_from(Param.branch_id))
        .where(other.c.effective_at <= now)
        .scalar_subquery()
    )
    return Param.effective_at == newest


class ParamView(HouseView):
    """设置: every [J] number, its range, its help, its history."""

    datamodel = HouseInterface(Param)
    list_columns = ("key", "setting_label", "value", "range_text", "branch", "effective_at")
    labels = {
        "setting_label": _l("Meaning"),
        "range_text": _l("Range"),
        "help_text": _l("Help"),
        "default_text": _l("Default"),
        "source_text": _l("Based on"),
    }
    computed = {
        "setting_label": lambda param: SETTINGS[param.key].label if param.key in SETTINGS else "—",
        "range_text": lambda param: SETTINGS[param.key].range_text if param.key in SETTINGS else "—",
        "help_text": lambda param: SETTINGS[param.key].help if param.key in SETTINGS else "—",
        "default_text": lambda param: SETTINGS[param.key].default if param.key in SETTINGS else "—",
        "source_text": lambda param: SETTINGS[param.key].source if param.key in SETTINGS else "—",
    }
    show_sections = (
        (_l("Setting"), ("key", "setting_label", "value", "branch", "effective_at", "reason")),
        (_l("What may be set"), ("range_text", "default_text", "help_text", "source_text")),
    )
    order_columns = ("key", "effective_at")
    default_order = "key"
    descending = False
    filters = ("branch_id",)
    quick = (Tab("now", _l("In force"), _in_force), Tab("all", _l("With history")))


class DictionaryView(HouseView):
    """字典."""

    datamodel = HouseInterface(Dictionary)
    list_columns = ("code", "name", "name_en")
    form_columns = ("code", "name", "name_en")
    add_only = ("code",)
    order_columns = ("code", "name")
    default_order = "code"
    descending = False
    related = (
        Related(
            "dictionary_item",
            "dictionary_id",
            _l("Dictionary items"),
            ("code", "name", "name_en", "state"),
            ("dictionary",),
        ),
    )


class DictionaryItemView(HouseView):
    """字典项."""

    datamodel = HouseInterface(DictionaryItem)
    list_columns = ("dictionary", "position", "code", "name", "name_en", "state")
    show_sections = ((_l("Dictionary item"), ("dictionary", "code", "name", "name_en", "position", "retired_at")),)
    form_columns = ("dictionary_id", "code", "name", "name_en", "position")
    add_only = ("dictionary_id", "code")
    order_columns = ("position", "code", "name")
    default_order = "dictionary_id"
    descending = False
    filters = ("dictionary_id", "state")


class NumberRuleView(HouseView):
    """单号规则."""

    datamodel = HouseInterface(NumberRule)
    list_columns = ("doc_type", "prefix", "with_branch", "with_date", "width")
    form_columns = ("doc_type", "prefix", "with_branch", "with_date", "width")
    add_only = ("doc_type",)
    order_columns = ("doc_type",)
    default_order = "doc_type"
    descending = False
    related = (Related("number_counter", "rule_id", _l("Numbers given"), ("branch_code", "period", "last"), ("rule",)),)


class NumberCounterView(HouseView):
    """Where each counter stands."""

    datamodel = HouseInterface(NumberCounter)
    list_columns = ("rule", "branch_code", "period", "last")


class RoleOverrideView(HouseView):
    """What an administrator gave to a role or took from it."""

    datamodel = HouseInterface(RoleOverride)
    list_columns = ("role", "table_name", "permission", "effect", "retired_at")
    show_sections = ((_l("Change to a role"), ("role", "table_name", "permission", "effect", "reason", "retired_at")),)
    form_columns = ("role", "table_name", "permission", "effect", "reason", "retired_at")
    order_columns = ("role", "table_name")
    filters = ("effect",)
    intro = _l("Changes take effect with the next synchronisation (run.py sync-security).")


class RoleReachView(HouseView):
    """How far roles reach, where an administrator changed it."""

    datamodel = HouseInterface(RoleReach)
    list_columns = ("role", "table_name", "reach", "reason", "retired_at")
    form_columns = ("role", "table_name", "reach", "reason", "retired_at")
    add_only = ("role", "table_name")
    order_columns = ("role", "table_name")
    filters = ("reach",)
    intro = _l("In force from the next request on. Retired, what the table of roles declares counts again.")


def register(menu: Registrar) -> None:
    """Register this area's views."""
    menu.page(ParamView, group="system", label=_l("Settings"), icon="sliders")
    menu.page(DictionaryView, group="system", label=_l("Dictionaries"), icon="book")
    menu.page(DictionaryItemView, group="system", label=_l("Dictionary items"), icon="list-ul")
    menu.page(NumberRuleView, group="system", label=_l("Number rules"), icon="123")
    menu.page(RoleOverrideView, group="system", label=_l("Changes to roles"), icon="shield-check")
    menu.page(RoleReachView, group="system", label=_l("Reaches of roles"), icon="bullseye")
    menu.page(NumberCounterView)
