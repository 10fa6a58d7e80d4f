"""Customers, their contacts, where they come from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from flask import abort, jsonify, request
from flask_appbuilder import expose
from werkzeug.wrappers import Response

from app.actors import Actor
from app.acts import REGISTRY
from app.extensions import db
from app.fields import normal_phone
from app.models.customers import (
    ChannelPartner,
    ContactKind,
    Customer,
    CustomerContact,
    FileState,
    PartnerState,
    SourceChannel,
)
from app.panel import acting
from app.panel.cards import card
from app.panel.codes import Code
from app.panel.describe import record_url
from app.panel.finding import OFFERS
from app.panel.house_view import HouseView, Related, Tab
from app.panel.interface import HouseInterface
from app.panel.pages import ActButton, RelatedTab
from app.panel.person import me, now
from app.panel.registry import Registrar
from app.services.contacting import opt_out_banners
from app.services.customers import log_look_up, whose_number
from app.services.scope import find
from app.unit import unit_of_work
from app.views.appointments import SLIP_EAGER
from app.views.consultation import consultation_tabs
from app.views.customer_life import life_banners, life_tabs
from app.views.messages import CUSTOMER_TABS
from app.words import _, _l


class CustomerView(HouseView):
    """One person, one file."""

    datamodel = HouseInterface(Customer)
    barcode = "customer_no"
    codes = (Code("customer_no"),)
    list_columns = (
        "customer_no",
        "display_name",
        "phone_masked",
        "state",
        "sex",
        "source_channel",
        "developer",
        "developed_at",
    )
    labels = {"phone_masked": _l("Telephone"), "display_name": _l("Full name")}
    show_sections = (
        (
            _l("Person"),
            (
                "customer_no",
                "name",
                "alias",
                "sex",
                "birth_on",
                "birth_year",
                "birth_calendar",
                "occupation",
                "id_no",
                "area",
                "address",
            ),
        ),
        (_l("Source"), ("source_channel", "channel_partner", "referrer")),
        (_l("Attribution"), ("developer", "developed_at", "developer_rule", "owner_consultant")),
        (_l("Service"), ("first_visit_at", "last_visit_at", "followup_note")),
        (_l("Merge"), ("merged_into",)),
        (_l("Restriction"), ("restriction_asked_at", "restriction_asked_by", "restriction_reason")),
    )
    form_columns = (
        "name",
        "alias",
        "sex",
        "birth_on",
        "birth_year",
        "birth_calendar",
        "id_no",
        "occupation",
        "area_id",
        "address",
        "source_channel_id",
        "channel_partner_id",
        "referrer_customer_id",
        "followup_note",
    )
    order_columns = ("customer_no", "developed_at")
    filters = ("state", "sex", "source_channel_id", "developer_id", "developed_at")
    eager = ("contacts", "source_channel", "developer")
    record_eager = (
        "area",
        "channel_partner",
        "referrer",
        "owner_consultant",
        "merged_into",
        "restriction_asked_by",
    )
    quick = (
        Tab("all", _l("All")),
        Tab("mine", _l("Mine"), lambda by, now: Customer.developer_id == by.employee_id),
        Tab(
            "incomplete",
            _l("Mine, still temporary"),
            lambda by, now: (Customer.state == FileState.TEMPORARY) & (Customer.developer_id == by.employee_id),
        ),
    )
    related = (
        Related("customer_contact", "customer_id", _l("Contacts"), ("kind", "value", "relation"), ("customer",)),
        Related(
            "appointment_slip",
            "customer_id",
            _l("Appointment slips"),
            ("slip_no", "state", "appointed_at", "owner"),
            SLIP_EAGER,
        ),
        Related(
            "visit",
            "customer_id",
            _l("Visits"),
            ("visit_no", "visit_type", "state", "arrived_at", "consultant", "left_at"),
            ("consultant", "customer"),
        ),
        Related(
            "contact_record",
            "customer_id",
            _l("Contact records"),
            ("record_no", "contacted_at", "channel", "business_category", "consultant"),
            ("business_category", "consultant", "customer"),
        ),
        Related(
            "followup_plan",
            "customer_id",
            _l("Follow-up plans"),
            ("category", "planned_at", "state", "executor"),
            ("category", "executor", "customer"),
        ),
        Related(
            "phone_call",
            "customer_id",
            _l("Telephone calls"),
            ("began_at", "direction", "state", "employee", "ring_count", "recording_state"),
            ("employee", "customer"),
        ),
        Related(
            "customer_trait",
            "customer_id",
            _l("Traits"),
            ("trait_type", "value", "day_text", "state", "stage", "collected_by", "collected_at"),
            ("trait_type", "collected_by", "customer"),
        ),
        Related(
            "customer_consent",
            "customer_id",
            _l("Consents"),
            ("purpose", "state", "signed_at", "signed_how", "scope_note", "withdrawn_at"),
            ("customer",),
        ),
        *CUSTOMER_TABS,
        Related(
            "subject_request",
            "customer_id",
            _l("Requests on personal data"),
            ("kind", "state", "due_on", "opened_by", "decided_by", "ended_at"),
            ("customer",),
        ),
        Related(
            "customer_owner_history",
            "customer_id",
            _l("Owners"),
            ("role", "from_employee", "to_employee", "rule", "given_at", "given_by", "reason"),
            ("from_employee", "to_employee", "given_by"),
        ),
    )

    def banners(self, record: Any, by: Actor) -> list[tuple[str, str]]:
        return [*life_banners(record, by), *opt_out_banners(db.session(), record, now())]

    def extra_tabs(self, record: Any, by: Actor) -> list[RelatedTab]:
        return [*life_tabs(record, by), *consultation_tabs(record, by)]

    @expose("/whose", methods=["POST"])
    def whose(self) -> Response:
        """Answer whose customer a number is, while it is being typed: owner, since when, by what rule. R-2.1.1-2."""
        by = me()
        if not by.may("customer", "can_register_temporary"):
            abort(403)
        number = normal_phone(request.form.get("value", "")[:40])
        session = db.session()
        known = whose_number(session, ContactKind.PHONE, number) if number else None
        if known is None:
            return jsonify(known=False, sentence=_("This number is not known yet.") if number else "", url="")
        with unit_of_work(session):
            log_look_up(session, known, by)
        mine = find(session, "customer", known.customer_id, by) is not None
        return jsonify(
            known=True, sentence=known.sentence(by), url=record_url("customer", known.customer_id) if mine else ""
        )

    def _record_rights(self) -> list[str]:
        """Customers are opened by their act, which matches the number first; the form only edits."""
        return ["can_show", "can_edit"]


class CustomerContactView(HouseView):
    """Ways to reach customers, masked."""

    datamodel = HouseInterface(CustomerContact)
    list_columns = ("customer", "kind", "value", "relation")
    filters = ("kind",)
    search_through = "customer"


class SourceChannelView(HouseView):
    """来源途径, REF-2."""

    datamodel = HouseInterface(SourceChannel)
    codes = (Code("code", ruled=False),)
    list_columns = ("code", "name", "name_en", "parent", "is_referral", "is_partner", "is_market", "retired_at")
    form_columns = ("code", "name", "name_en", "parent_id", "is_referral", "is_partner", "is_market", "retired_at")
    order_columns = ("code", "name")
    default_order = "code"
    descending = False


class ChannelPartnerView(HouseView):
    """渠道."""

    datamodel = HouseInterface(ChannelPartner)
    codes = (Code("contract_no", ruled=False),)
    list_columns = ("name", "state", "contract_no", "manager", "branch")
    form_columns = ("branch_id", "name", "contract_no", "manager_id")
    order_columns = ("name",)
    filters = ("state",)
    quick = (
        Tab("all", _l("All")),
        Tab("active", _l("Under contract"), lambda by, now: ChannelPartner.state == PartnerState.ACTIVE),
    )
    related = (
        Related(
            "contact_record",
            "channel_partner_id",
            _l("Contact records"),
            ("record_no", "contacted_at", "business_category", "customer", "consultant"),
            ("business_category", "customer", "consultant"),
        ),
    )


def _file_with_number(text: str, by: Actor) -> ActButton | None:
    """Offer to open a file with a telephone number that nobody in sight has; the act matches it in the whole house."""
    act = REGISTRY.find("customer", "register_temporary")
    number = normal_phone(text)
    if act is None or number is None or not by.may(act.table, act.permission):
        return None
    button = acting.button(act)
    return replace(button, label=_("Open a file with this number"), url=f"{button.url}?{urlencode({'phone': number})}")


OFFERS.append(_file_with_number)
card("customer", "incomplete", _l("My files to complete"), order=55, needs=(("customer", "can_register_temporary"),))
card("channel_partner", "active", _l("Partners under contract"), order=60, needs=(("channel_partner", "can_add"),))


def register(menu: Registrar) -> None:
    """Register this area's views."""
    menu.page(CustomerView, group="customers", label=_l("Customers"), icon="person-vcard")
    menu.page(ChannelPartnerView, group="customers", label=_l("Channel partners"), icon="shop")
    menu.page(SourceChannelView, group="customers", label=_l("Source channels"), icon="signpost-split")
    menu.page(CustomerContactView)
