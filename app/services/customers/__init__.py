"""Customers: files and contacts, whose they are, what befalls them. White paper 1.2, 2.1.1; SM-01."""

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
from app.services.customers.ownership import give_customer

__all__ = [
    "LOOK_UP",
    "Ownership",
    "give_customer",
    "log_look_up",
    "refuse_known_number",
    "refuse_referrer_of_partner",
    "search",
    "search_clause",
    "whose_number",
]
