"""Whose a customer is: the one place that gives her to somebody, with history. Part B, customer_owner_history."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.actors import Actor, Reach
from app.acts import act
from app.errors import InvalidInput, Refusal
from app.fields import Choose, HouseForm, Pick, Words
from app.models.customers import Customer, CustomerOwnerHistory, FileState, OwnerRole, OwnerRule
from app.models.hr import Employee, EmployeeState
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
    to = session.get(Employee, to_id)
    if to is None or to.state is not EmployeeState.ACTIVE or to.branch_id != customer.branch_id:
        raise InvalidInput({"to_id": [_("Not a valid choice.")]})
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
