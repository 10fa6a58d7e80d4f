"""Which files work goes on with. SM-01."""

from __future__ import annotations

from app.models.customers import Customer, FileState
from app.words import _

#: The states in which a file takes slips, traits, contacts and merges.
OPEN_FILES = (FileState.TEMPORARY, FileState.FORMAL)


def closed_file(customer: Customer) -> str | None:
    """Return the sentence that a customer's file is closed, or None if it is open."""
    if customer.state in OPEN_FILES:
        return None
    return _("This customer's file is closed: %(state)s.", state=customer.state.label)
