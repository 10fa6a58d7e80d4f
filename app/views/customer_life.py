"""What befalls a customer's file: traits, owners, merges, and what each stage must know. White paper 1.2."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from flask import abort, render_template
from flask_appbuilder import BaseView, expose
from markupsafe import Markup
from sqlalchemy import or_

from app.actors import Actor
from app.extensions import db
from app.models.base import models
from app.models.customers import (
    CollectedField,
    Customer,
    CustomerMergeLog,
    CustomerOwnerHistory,
    CustomerTrait,
    FieldRequirement,
    FileState,
    MergeState,
    Stage,
    TraitState,
)
from app.models.privacy import ConsentPurpose
from app.panel.cards import Shows, card
from app.panel.describe import label_of, may_open, record_url
from app.panel.house_view import HouseView, Tab, views
from app.panel.interface import HouseInterface
from app.panel.pages import Cell, ColumnHead, ListPage, Pager, RelatedTab, Row, TableView
from app.panel.person import me, now
from app.panel.recording import table_of
from app.panel.registry import Registrar
from app.services.customers import missing_by_stage, probable_twin
from app.services.customers.anniversaries import Wish, coming
from app.services.privacy.consents import who_consented
from app.services.scope import find
from app.services.settings import WISHES_SHOWN_DAYS, value_of
from app.words import _, _l, _n, listed

MOST_IDS = 20
MERGE_COLUMNS = ("merged", "kept", "state", "proof", "proposed_by", "proposed_at", "decided_by", "decided_at")


class CustomerTraitView(HouseView):
    """Soft facts, by stage and collector."""

    datamodel = HouseInterface(CustomerTrait)
    list_columns = ("trait_type", "value", "day_text", "customer", "state", "stage", "collected_by", "collected_at")
    labels = {"day_text": _l("Every year on")}
    show_sections = (
        (
            _l("Trait"),
            ("trait_type", "value", "day_text", "customer", "stage", "collected_by", "collected_at"),
        ),
        (_l("What became of it"), ("supersedes", "withdrawn_reason")),
    )
    record_eager = ("supersedes.trait_type",)
    filters = ("state", "stage", "trait_type_id", "collected_at")
    order_columns = ("collected_at",)
    search_through = "customer"
    quick = (
        Tab("current", _l("Holds"), lambda by, now: CustomerTrait.state == TraitState.CURRENT),
        Tab("all", _l("All")),
    )


class CustomerOwnerHistoryView(HouseView):
    """Whose customers were, and by what rule they changed hands."""

    datamodel = HouseInterface(CustomerOwnerHistory)
    list_columns = ("customer", "role", "from_employee", "to_employee", "rule", "given_at", "given_by", "reason")
    filters = ("role", "rule", "given_at")
    order_columns = ("given_at",)
    search_through = "customer"


class FieldRequirementView(HouseView):
    """What each stage must know of a customer."""

    datamodel = HouseInterface(FieldRequirement)
    list_columns = ("stage", "field", "required", "branch")
    form_columns = ("stage", "field", "required", "branch_id")
    add_only = ("stage", "field", "branch_id")
    filters = ("stage", "field", "required")
    order_columns = ("stage", "field")
    default_order = "stage"
    descending = False


class CustomerMergeLogView(HouseView):
    """Files of one person that were put together."""

    datamodel = HouseInterface(CustomerMergeLog)
    list_columns = MERGE_COLUMNS
    show_sections = (
        (_l("Merge"), ("merged", "kept", "proof", "reason", "proposed_by", "proposed_at")),
        (_l("What became of it"), ("decided_by", "decided_at", "decision_note")),
    )
    filters = ("state", "proof", "proposed_at")
    order_columns = ("proposed_at",)
    quick = (
        Tab("open", _l("Proposed"), lambda by, now: CustomerMergeLog.state == MergeState.PROPOSED),
        Tab("all", _l("All")),
    )

    def extra_tabs(self, record: Any, by: Actor) -> list[RelatedTab]:
        """Explain a merge: which rows went over."""
        if not record.moved:
            return []
        heads = [ColumnHead("what", _("What")), ColumnHead("count", _("How many")), ColumnHead("ids", _("Records"))]
        rows = [_moved_row(number, name, ids) for number, (name, ids) in enumerate(sorted(record.moved.items()))]
        return [RelatedTab("moved", _("What went over"), TableView(heads, rows), sum(record.counts.values()))]


def _moved_row(number: int, name: str, ids: list[int]) -> Row:
    table, _dot, column = name.partition(".")
    model = models()[table]
    what = str(model.TITLES)
    if column not in ("customer_id", "record_id"):
        what = f"{what} · {label_of(model, column)}"
    told = ", ".join(f"#{one}" for one in ids[:MOST_IDS]) + (" …" if len(ids) > MOST_IDS else "")
    return Row(number, "", [Cell(what), Cell(str(len(ids)), number=True), Cell(told)], [], what)


class AnniversariesView(BaseView):
    """纪念日: who has a birthday or an anniversary in the next days, in scope. R-1.2-2."""

    class_permission_name = "anniversaries"
    base_permissions = ("can_list",)
    route_base = "/anniversaries"
    default_view = "list"
    title = _l("Birthdays and anniversaries")

    def create_blueprint(self, appbuilder: Any, endpoint: str | None = None, static_folder: str | None = None) -> Any:
        return super().create_blueprint(appbuilder, endpoint or "anniversaries", static_folder)

    @expose("/list/")
    def list(self) -> str:
        by = me()
        if not by.may("anniversaries", "can_list"):
            abort(403)
        session = db.session()
        days = value_of(session, WISHES_SHOWN_DAYS, branch_id=by.branch_id, at=now())
        today = now().astimezone(by.timezone).date()
        wishes = coming(session, by, first=today, days=days)
        agreed = who_consented(session, (wish.customer.id for wish in wishes), ConsentPurpose.MARKETING, now())
        rows = [_wish_row(wish, by, agreed) for wish in wishes]
        page = ListPage(
            title=str(self.title),
            crumbs=[],
            tabs=[],
            search=None,
            search_hint="",
            filters=[],
            keep=[],
            table=TableView(_wish_heads(), rows, empty=_("Nothing here yet.")),
            pager=Pager(_n("%(num)s row", "%(num)s rows", len(wishes)), 1, len(wishes), "", "", []),
            acts=[],
            intro=_(
                "From today to %(day)s. The calls are planned by themselves, in the morning.",
                day=(today + timedelta(days=days)).isoformat(),
            ),
        )
        return render_template("panel/list.html", page=page, appbuilder=self.appbuilder)


def _wish_heads() -> list[ColumnHead]:
    return [
        ColumnHead("customer", _("Customer")),
        ColumnHead("day", _("Day")),
        ColumnHead("what", _("What")),
        ColumnHead("phone", _("Telephone")),
        ColumnHead("developer", _("Developed by")),
        ColumnHead("note", _("Mind when calling")),
        ColumnHead("consent", _("Marketing")),
    ]


def _wish_row(wish: Wish, by: Actor, agreed: set[int]) -> Row:
    customer = wish.customer
    url = record_url("customer", customer.id) if may_open("customer", by) else ""
    what = _("Birthday") if wish.trait is None else f"{wish.trait.trait_type}: {wish.trait.value}"
    cells = [
        Cell(str(customer), url=url),
        Cell(wish.day.isoformat(), number=True),
        Cell(what),
        Cell(customer.phone_masked, number=True),
        Cell(str(customer.developer or "—")),
        Cell(customer.followup_note or "—"),
        Cell(_("Agreed"), tone="ok") if customer.id in agreed else Cell(_("Has not agreed to marketing"), tone="warn"),
    ]
    return Row(customer.id, url, cells, [], str(customer))


# --- on the customer's page --------------------------------------------------------------------------------------


def life_banners(customer: Customer, by: Actor) -> list[tuple[str, str]]:
    """Return what must be seen first: where a merged file went, what reception still needs, a probable duplicate."""
    if customer.merged_into is not None:
        kept = customer.merged_into
        sentence = _("This file was merged into %(number)s; please go on there.", number=kept.customer_no)
        link = Markup('<a href="{}">{}</a>').format(record_url("customer", kept.id), sentence)
        return [("warn", link)]
    session, told = db.session(), []
    twin = probable_twin(session, customer)
    if twin is not None:
        told.append(("warn", _twin_words(twin, by)))
    if customer.state is FileState.TEMPORARY:
        missing = missing_by_stage(session, customer).get(Stage.RECEPTION, [])
        if missing:
            sentence = _(
                "Still missing for %(stage)s: %(fields)s.", stage=Stage.RECEPTION.label, fields=_labels(missing)
            )
            told.append(("info", sentence))
    return told


def _twin_words(twin: Customer, by: Actor) -> str:
    """Name a probable duplicate by its number to who sees that file; to others say only that there is one."""
    if find(db.session(), "customer", twin.id, by) is not None:
        return _("%(number)s bears the same ID number: probably one person.", number=twin.customer_no)
    return _("A file of another branch or colleague bears the same ID number: probably one person.")


def _labels(fields: Sequence[CollectedField]) -> str:
    return listed(field.label for field in fields)


def life_tabs(customer: Customer, by: Actor) -> list[RelatedTab]:
    """Return the tabs that no single foreign key explains: merges either way, what each stage still misses."""
    tabs = []
    if by.may("customer_merge_log", "can_list"):
        tabs += _merge_tab(customer, by)
    if customer.state in (FileState.TEMPORARY, FileState.FORMAL):
        tabs += _missing_tab(customer)
    return tabs


def _merge_tab(customer: Customer, by: Actor) -> list[RelatedTab]:
    view = views()["customer_merge_log"]
    either = or_(CustomerMergeLog.kept_id == customer.id, CustomerMergeLog.merged_id == customer.id)
    statement = view.datamodel.statement(by, [either])
    order = [CustomerMergeLog.id.desc()]
    logs = view.datamodel.page(db.session(), statement, order=order, page=0, size=MOST_IDS, eager=view.eager)
    if not logs:
        return []
    return [RelatedTab("customer_merge_log", _("Merges of files"), table_of(view, logs, by, MERGE_COLUMNS), len(logs))]


def _missing_tab(customer: Customer) -> list[RelatedTab]:
    missing = missing_by_stage(db.session(), customer)
    if not missing:
        return []
    heads = [ColumnHead("stage", _("Stage")), ColumnHead("fields", _("Still missing"))]
    rows = [
        Row(number, "", [Cell(str(stage.label)), Cell(_labels(fields))], [], str(stage.label))
        for number, (stage, fields) in enumerate(missing.items())
    ]
    return [RelatedTab("missing", _("Still missing"), TableView(heads, rows), len(rows))]


card(
    "customer_merge_log",
    "open",
    _l("Merges to carry out"),
    shows=Shows.ROWS,
    order=30,
    columns=MERGE_COLUMNS,
    needs=(("customer_merge_log", "can_carry_out"),),
    menu=True,
)


def register(menu: Registrar) -> None:
    """Register this area's views."""
    menu.page(AnniversariesView, group="customers", icon="balloon")
    menu.page(CustomerMergeLogView, group="customers", label=_l("Merges of files"), icon="union")
    menu.page(FieldRequirementView, group="customers", label=_l("Required fields"), icon="ui-checks")
    menu.page(CustomerTraitView)
    menu.page(CustomerOwnerHistoryView)
