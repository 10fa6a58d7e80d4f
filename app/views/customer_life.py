"""What befalls a customer's file: traits, owners, merges, and what each stage must know. White paper 1.2."""

from __future__ import annotations

from app.models.customers import CustomerMergeLog, CustomerOwnerHistory, CustomerTrait, FieldRequirement
from app.panel.house_view import HouseView, Tab
from app.panel.interface import HouseInterface
from app.panel.registry import Registrar
from app.words import _l


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
    eager = ("trait_type", "customer", "collected_by")
    record_eager = ("supersedes.trait_type",)
    filters = ("state", "stage", "trait_type_id", "collected_at")
    order_columns = ("collected_at",)
    search_through = "customer"
    quick = (
        Tab("current", _l("Holds"), lambda by, now: CustomerTrait.state == "current"),
        Tab("all", _l("All")),
    )


class CustomerOwnerHistoryView(HouseView):
    """Whose customers were, and by what rule they changed hands."""

    datamodel = HouseInterface(CustomerOwnerHistory)
    list_columns = ("customer", "role", "from_employee", "to_employee", "rule", "given_at", "given_by", "reason")
    show_sections = (
        (
            _l("Change of owner"),
            ("customer", "role", "from_employee", "to_employee", "rule", "given_at", "given_by", "reason"),
        ),
    )
    eager = ("customer", "from_employee", "to_employee", "given_by")
    filters = ("role", "rule", "given_at")
    order_columns = ("given_at",)
    search_through = "customer"


class FieldRequirementView(HouseView):
    """What each stage must know of a customer."""

    datamodel = HouseInterface(FieldRequirement)
    list_columns = ("stage", "field", "required", "branch")
    show_sections = ((_l("Required field"), ("stage", "field", "required", "branch")),)
    form_columns = ("stage", "field", "required", "branch_id")
    add_only = ("stage", "field", "branch_id")
    filters = ("stage", "field", "required")
    order_columns = ("stage", "field")
    default_order = "stage"
    descending = False
    eager = ("branch",)


class CustomerMergeLogView(HouseView):
    """Files of one person that were put together."""

    datamodel = HouseInterface(CustomerMergeLog)
    list_columns = ("merged", "kept", "state", "proof", "proposed_by", "proposed_at", "decided_by", "decided_at")
    show_sections = (
        (_l("Merge"), ("merged", "kept", "proof", "reason", "proposed_by", "proposed_at")),
        (_l("What became of it"), ("decided_by", "decided_at", "decision_note")),
    )
    eager = ("merged", "kept", "proposed_by", "decided_by")
    filters = ("state", "proof", "proposed_at")
    order_columns = ("proposed_at",)


def register(menu: Registrar) -> None:
    """Register this area's views."""
    menu.page(CustomerMergeLogView, group="customers", label=_l("Merges of files"), icon="union")
    menu.page(FieldRequirementView, group="customers", label=_l("Required fields"), icon="ui-checks")
    menu.page(CustomerTraitView)
    menu.page(CustomerOwnerHistoryView)
