"""Whose a customer is: the one place that gives her to somebody, with history. Part B, customer_owner_history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from app.actors import Actor, Reach
from app.acts import act
from app.errors import InvalidInput, Refusal
from app.fields import Choose, HouseForm, Pick, Words
from app.models.customers import (
    ChannelPartner,
    Customer,
    CustomerOwnerHistory,
    FileState,
    OwnerRole,
    OwnerRule,
    PartnerState,
)
from app.models.hr import Employee
from app.services.hr import HandingOver, Holding, declare_holding, unseen, working
from app.services.notices import tell
from app.words import _, _l


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


class Transfer(HouseForm):
    """To whom, as what, and why."""

    role = Choose(_l("Role of the owner"), options=OwnerRole, required=True)
    to_id = Pick(_l("Hand over to"), table="employee", required=True)
    reason = Words(_l("Reason"), required=True, least=2, most=500, multiline=True)


def _only_a_supervisor(customer: Any, by: Actor) -> object | None:
    if by.is_house or by.reach("customer") >= Reach.DEPARTMENT:
        return None
    return _("Only a supervisor can hand a customer to another.")


@act(
    Customer,
    "transfer_owner",
    _l("Hand the customer over"),
    form=Transfer,
    moves=dict.fromkeys((FileState.TEMPORARY, FileState.FORMAL, FileState.FROZEN)),
    guard=_only_a_supervisor,
    icon="people",
    consequence=_l("Both are told. Slips that stand keep their owner; hand them over by redoing them."),
)
def transfer_owner(
    session: Session, customer: Customer, *, role: OwnerRole, to_id: int, reason: str, by: Actor, at: datetime
) -> None:
    """Hand a customer from one employee to another, for a reason; both are told, the history keeps it. Part D, R04.

    A supervisor does so within her departments, on either side; who sees the branch, within the branch. Refuses
    somebody who left, another branch, and who has her already.
    """
    holder = customer.developer if role is OwnerRole.DEVELOPER else customer.owner_consultant
    to = working(session, to_id, customer.branch_id, "to_id")
    if holder is not None and holder.id == to.id:
        raise InvalidInput({"to_id": [_("She is this colleague's customer already.")]})
    if by.reach("customer") is Reach.DEPARTMENT:
        if to.department_id not in by.department_ids:
            raise InvalidInput({"to_id": [_("This colleague is not in your department.")]})
        if holder is not None and holder.department_id not in by.department_ids:
            raise Refusal(_("She is the customer of %(owner)s, who is not in your department.", owner=holder))
    give_customer(session, customer, role=role, to=to, rule=OwnerRule.TRANSFERRED, reason=reason, by=by, at=at)
    facts = {"by": by.display_name, "customer": str(customer), "owner": str(to), "reason": reason}
    for told, kind in ((holder, "customer_given_away"), (to, "customer_received")):
        if told is not None and told.id != by.employee_id:
            tell(session, told.id, kind, customer, **facts)


def give_customers(
    session: Session,
    ids: Sequence[int],
    *,
    role: OwnerRole,
    to: Employee | None,
    rule: OwnerRule,
    reason: str | None,
    by: Actor,
    at: datetime,
) -> None:
    """Do what ``give_customer`` does to many customers at once, in two statements; for a leaver's hundreds.

    Locks them in the order of their ids.
    """
    session.flush()
    owner = Customer.developer_id if role is OwnerRole.DEVELOPER else Customer.owner_consultant_id
    chosen = Customer.id.in_(ids)
    found = session.execute(select(Customer.id, owner).where(chosen).order_by(Customer.id).with_for_update()).all()
    if not found:
        return
    values: dict[Any, Any] = {owner: None if to is None else to.id, Customer.updated_by_id: by.user_id}
    if role is OwnerRole.DEVELOPER:
        values |= {Customer.developed_at: at, Customer.developer_rule: rule}
    # The version counts on, so that a form opened before is seen to be old.
    values[Customer.row_version] = Customer.row_version + 1
    session.execute(update(Customer).where(chosen).values(values), execution_options={"synchronize_session": False})
    session.execute(
        insert(CustomerOwnerHistory),
        [
            {
                "customer_id": customer_id,
                "role": role,
                "from_employee_id": from_id,
                "to_employee_id": None if to is None else to.id,
                "rule": rule,
                "reason": reason,
                "given_at": at,
                "given_by_id": by.employee_id,
            }
            for customer_id, from_id in found
        ],
    )
    for known in list(session.identity_map.values()):
        if isinstance(known, Customer):
            session.expire(known)


def _developed_by(employee: Employee) -> Any:
    return select(Customer.id).where(Customer.developer_id == employee.id, Customer.state != FileState.MERGED)


def _advised_by(employee: Employee) -> Any:
    return select(Customer.id).where(Customer.owner_consultant_id == employee.id, Customer.state != FileState.MERGED)


def _inherit(role: OwnerRole) -> Any:
    """Return the hand-over of a leaver's customers in one of the two roles. White paper 4.2.2, GL 45."""

    def hand_over(handing: HandingOver, ids: Sequence[int]) -> None:
        give_customers(
            handing.session,
            ids,
            role=role,
            to=handing.to,
            rule=OwnerRule.INHERITED,
            reason=handing.reason,
            by=handing.by,
            at=handing.at,
        )

    return hand_over


declare_holding(
    Holding(
        "customers_developed",
        _l("Customers whom she developed"),
        "customer",
        _developed_by,
        _inherit(OwnerRole.DEVELOPER),
        refuses=unseen("customer", _l("Customers whom she developed")),
        page="customer",
        query={"developer_id": "employee"},
        customers=_developed_by,
        rank=10,
    )
)
declare_holding(
    Holding(
        "customers_advised",
        _l("Customers whom she advises on site"),
        "customer",
        _advised_by,
        _inherit(OwnerRole.CONSULTANT),
        customers=_advised_by,
        refuses=unseen("customer", _l("Customers whom she advises on site")),
        rank=20,
    )
)


def _partners_of(employee: Employee) -> Any:
    return select(ChannelPartner.id).where(
        ChannelPartner.manager_id == employee.id, ChannelPartner.state == PartnerState.ACTIVE
    )


def _hand_over_partners(handing: HandingOver, ids: Sequence[int]) -> None:
    """Give the channel partners that the leaver looks after to the successor."""
    partners = select(ChannelPartner).where(ChannelPartner.id.in_(ids)).order_by(ChannelPartner.id)
    for partner in handing.session.scalars(partners.with_for_update(of=ChannelPartner)):
        partner.manager_id = None if handing.to is None else handing.to.id


declare_holding(
    Holding(
        "channel_partners",
        _l("Channel partners whom she looks after"),
        "channel_partner",
        _partners_of,
        _hand_over_partners,
        rank=30,
    )
)
