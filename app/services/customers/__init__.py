"""Customers: files and contacts, whose they are, what befalls them. White paper 1.2, 2.1.1; SM-01."""

from app.services.customers import anniversaries, closing, identity, merging, traits
from app.services.customers.files import (
    LOOK_UP,
    Ownership,
    log_look_up,
    refuse_known_number,
    refuse_referrer_of_partner,
    search,
    search_clause,
    whose_number,
)
from app.services.customers.identity import fill_id_hashes, probable_twin, take_from_id_number
from app.services.customers.ownership import give_customer, give_customers
from app.services.customers.requirements import missing_by_stage, missing_fields
from app.services.customers.states import closed_file

__all__ = [
    "LOOK_UP",
    "Ownership",
    "anniversaries",
    "closed_file",
    "closing",
    "fill_id_hashes",
    "give_customer",
    "give_customers",
    "identity",
    "log_look_up",
    "merging",
    "missing_by_stage",
    "missing_fields",
    "probable_twin",
    "refuse_known_number",
    "refuse_referrer_of_partner",
    "search",
    "search_clause",
    "take_from_id_number",
    "traits",
    "whose_number",
]
