"""Whose a customer is: the one place that gives her to somebody, with history. Part B, customer_owner_history."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from app.actors import Actor
from app.models.customers import Customer, CustomerOwnerHistory, OwnerRole, OwnerRule
from app.models.hr import Employee


def give_customer(
    session: Session,
    customer: Customer,
    *,
    role: OwnerRole,
    to: Employee | None,
    rule: OwnerRule,
    reason: str | None,
    by: Actor,
    at: datetime,
) -> None:
    """Make a customer somebody's, or nobody's, in one of the two roles, and write the change down.

    The caller holds the customer's lock. Tells nobody; ``transfer_owner`` does.
    """
    if role is OwnerRole.DEVELOPER:
        from_id = customer.developer_id
        customer.developer, customer.developed_at, customer.developer_rule = to, at, rule
    else:
        from_id = customer.owner_consultant_id
        customer.owner_consultant = to
    session.add(
        CustomerOwnerHistory(
            customer=customer,
            role=role,
            from_employee_id=from_id,
            to_employee=to,
            rule=rule,
            reason=reason,
            given_at=at,
            given_by_id=by.employee_id,
        )
    )
    session.flush()
