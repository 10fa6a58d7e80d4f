"""How far roles reach, changed on screen; customers of the group; duties that one person does not unite. Part D."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from werkzeug.datastructures import MultiDict

from app.actors import Reach
from app.acts import REGISTRY
from app.duties import SEPARATIONS
from app.errors import InvalidInput, Refusal, Warned
from app.models.audit import ActRun
from app.models.customers import Customer, CustomerContact
from app.models.settings import ReachChoice, RoleReach
from app.roles import ROLES, rights_of
from app.services.access import conflicts, standing
from app.services.accounts import _set_roles
from app.services.duties import broken_by
from app.services.plain import save
from app.services.runner import run
from app.services.scope import in_scope

#: d-roles.md, column "Scope"; "b/g" and what has no table yet are read as the narrower.
SCOPES = {
    **dict.fromkeys(("R01", "R02", "R03", "R09", "R11", "R12", "R13", "R31"), Reach.OWN),
    **dict.fromkeys(("R04", "R05", "R10", "R14", "R15", "R16", "R17", "R18"), Reach.DEPARTMENT),
    **dict.fromkeys(("R06", "R07", "R08", "R19", "R20", "R21", "R22", "R23", "R25", "R26"), Reach.BRANCH),
    **dict.fromkeys(("R27", "R28", "R29", "R30", "R32", "R33", "R34", "R35"), Reach.BRANCH),
    **dict.fromkeys(("R24", "R36"), Reach.GROUP),
}


def test_every_role_reaches_as_far_as_part_d_says():
    assert {role.code: role.reach for role in ROLES.values() if role.code in SCOPES} == SCOPES


def changed(session, admin, at, table, reach, role="phone_consultant"):
    values = {"role": role, "table_name": table, "reach": reach, "reason": "试行"}
    return save(session, RoleReach, values, by=admin, at=at)


def test_a_changed_reach_is_in_force_at_once_and_retired_no_more(session, make_customer, colleague, person, admin, at):
    hers = make_customer(colleague)
    assert session.scalar(in_scope(Customer, person("phone_consultant")).where(Customer.id == hers.id)) is None
    row = changed(session, admin, at, "customer", ReachChoice.BRANCH)
    by = person("phone_consultant")
    assert by.reach("customer") is Reach.BRANCH
    assert by.reach("appointment_slip") is Reach.OWN
    assert session.scalar(in_scope(Customer, by).where(Customer.id == hers.id)) is hers
    assert session.scalars(select(ActRun).where(ActRun.table_name == "role_reach", ActRun.record_id == row.id)).one()
    save(session, RoleReach, {"retired_at": at}, by=admin, at=at, record_id=row.id)
    assert person("phone_consultant").reach("customer") is Reach.OWN


@pytest.mark.parametrize(
    ("role", "table", "reach", "field"),
    [
        ("nobody", "customer", ReachChoice.OWN, "role"),
        ("guide", "nothing", ReachChoice.OWN, "table_name"),
        ("guide", "param", ReachChoice.OWN, "table_name"),
        ("guide", "customer_contact", ReachChoice.OWN, "table_name"),
        ("guide", "notice", ReachChoice.BRANCH, "reach"),
        ("guide", "branch_day", ReachChoice.OWN, "reach"),
        ("guide", "department", ReachChoice.OWN, "reach"),
    ],
)
def test_a_reach_that_cannot_be_is_refused_beside_its_field(session, admin, at, role, table, reach, field):
    with pytest.raises(InvalidInput) as said:
        changed(session, admin, at, table, reach, role)
    assert list(said.value.errors) == [field]


def test_customers_are_the_branchs_or_the_groups_by_a_setting(session, make_customer, make_slip, person, do, admin, at):
    there = make_customer(person("b2_phone_consultant"))
    make_slip(person("b2_phone_consultant"), there)
    contact = select(CustomerContact.id).where(CustomerContact.customer_id == there.id)

    def seen(name):
        by = person(name)
        return [
            session.scalar(in_scope(Customer, by).where(Customer.id == there.id)) is not None,
            session.scalar(in_scope(CustomerContact, by).where(CustomerContact.id.in_(contact))) is not None,
        ]

    assert seen("guide") == [False, False]
    do("param.set_value", admin, key="customers.shared_by", branch_id=None, value="group", effective_at=None, reason="")
    assert seen("guide") == [True, True], "whoever reaches a branch reaches the group's customers"
    assert seen("phone_consultant") == [False, False], "her own stay her own"
    assert seen("phone_supervisor") == [False, False], "her departments' stay theirs"
    guide = person("guide")
    assert guide.reach("appointment_slip") is Reach.BRANCH, "slips stay out"


# --- duties ------------------------------------------------------------------------------------------------------


def test_every_rule_names_acts_that_exist():
    for rule in SEPARATIONS:
        assert len(rule.steps) >= 2
        for key in (key for step in rule.steps for key in step.acts):
            assert REGISTRY.find(*key.split(".")) is not None, key


@pytest.mark.parametrize("role", list(ROLES))
def test_no_role_alone_breaks_a_rule(role):
    assert broken_by({role: rights_of(role)}) == []


def test_who_did_one_duty_on_a_record_may_not_do_the_other(session, make_customer, do, person, at):
    """SM-01, by person and not by role: the history bars her, although her roles now allow both."""
    customer, asker = make_customer(), person("medical_affairs")
    do("customer.ask_restriction", asker, customer, reason="客户要求")
    customer.restriction_asked_by_id = person("guide").employee_id  # the act's own guard would speak first
    from dataclasses import replace

    both = replace(asker, rights=asker.rights | {("customer", "can_restrict")})
    with pytest.raises(Refusal) as said:
        do("customer.restrict", both, customer)
    assert str(REGISTRY.find("customer", "ask_restriction").label) in said.value.sentence
    with pytest.raises(Refusal):  # a key of hers is she
        do("customer.restrict", replace(both, name=f"{both.name} key:10"), customer)
    do("customer.restrict", person("it_manager"), customer)


def test_roles_that_break_a_rule_together_are_reported_and_warned_of(session, person, employee, admin, at):
    hers = employee("branch_head")
    assert conflicts(session, admin) == []
    inputs = MultiDict([("roles", "branch_head"), ("roles", "it_manager")])
    act = REGISTRY.find("employee", "give_roles")
    with pytest.raises(Warned) as said:
        run(session, act, by=admin, at=at, record_id=hers.id, inputs=inputs)
    assert len(said.value.warnings) == 3
    run(session, act, by=admin, at=at, record_id=hers.id, inputs=inputs, warned=said.value.token)
    found = conflicts(session, admin)
    assert {broken.rule.name for _who, broken in found} == {"supplement", "merge", "keeper_approves"}
    assert {who.id for who, _broken in found} == {hers.id}
    assert all({*broken.first_roles, *broken.second_roles} == {"branch_head", "it_manager"} for _who, broken in found)
    assert conflicts(session, person("b2_hr")) == [], "another branch's people are not hers to see"
    _set_roles(session, hers.user_id, ["branch_head"])
    assert conflicts(session, admin) == []


def test_the_matrix_knows_what_was_changed(session, admin, at):
    changed(session, admin, at, "customer", ReachChoice.BRANCH)
    now = standing(session)
    assert now.is_changed("phone_consultant", ("customer", "can_list"))
    assert not now.is_changed("guide", ("customer", "can_list"))
    assert now.reach("phone_consultant", "customer") is Reach.BRANCH
