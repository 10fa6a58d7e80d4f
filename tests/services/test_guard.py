"""The second lock: a statement that forgets the scope reads in scope all the same. Decision 0018."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, func, select, text, union_all, update
from sqlalchemy.orm import aliased

from app.actors import house
from app.models.appointments import AppointmentSlip
from app.models.base import models
from app.models.customers import Customer, CustomerContact
from app.models.hr import Branch, Employee
from app.models.settings import Param
from app.services.guard import PURPOSES, OutOfReach, crossing, provide_reader, reading_as
from app.services.scope import in_scope
from tests.canaries import make_canaries

OTHER = aliased(Customer)
SHAPES = {
    "entity": lambda: select(Customer.id, Customer).with_only_columns(Customer.id),
    "column": lambda: select(Customer.id),
    "alias": lambda: select(OTHER.id),
    "subquery": lambda: select(select(Customer.id).subquery().c.id),
    "cte": lambda: select(select(Customer.id).cte().c.id),
    "union": lambda: union_all(select(Customer.id), select(Customer.id)),
    "implicit": lambda: (
        select(Branch.id, Customer.id).where(Customer.branch_id == Branch.id).with_only_columns(Customer.id)
    ),
    "join": lambda: select(CustomerContact.customer_id).join(Customer),
    "aggregate": lambda: select(func.unnest(func.array_agg(Customer.id))),
}


@pytest.fixture
def two_customers(make_customer, person):
    return make_customer(), make_customer(person("b2_phone_consultant"))


@pytest.mark.parametrize("shape", SHAPES)
def test_whatever_its_shape_a_statement_returns_rows_in_scope(session, two_customers, guide, shape):
    mine, foreign = (customer.id for customer in two_customers)
    everything = set(session.scalars(SHAPES[shape]()))
    assert {mine, foreign} <= everything, "outside a request nothing is narrowed"
    with reading_as(guide):
        found = set(session.scalars(SHAPES[shape]()))
        assert mine in found
        assert foreign not in found
        session.expunge_all()
        assert session.get(Customer, foreign) is None
        assert session.scalar(select(func.count()).where(Customer.id == foreign)) == 0
        assert session.query(Customer).filter_by(id=foreign).count() == 0


def test_every_table_is_narrowed_to_what_in_scope_says(session, employee, guide):
    made = make_canaries(session, employee("b2_phone_consultant"), "金丝雀")
    assert len(made.rows) > 20
    for table in made.rows:
        model = models()[table]
        with reading_as(guide):
            assert set(session.scalars(select(model.id))) == set(
                session.scalars(in_scope(model, guide).with_only_columns(model.id))
            ), table


def test_a_row_in_hand_tells_what_it_points_to(session, make_slip, two_customers, person, at):
    """A slip in scope names its customer, though her file is another's."""
    slip = make_slip()
    slip.customer_id = two_customers[1].id
    session.flush()
    session.expunge_all()
    with reading_as(person("guide")):
        found = session.get_one(AppointmentSlip, slip.id)
        assert found.customer.id == two_customers[1].id


def test_changes_at_large_and_statements_past_the_models_are_refused(session, two_customers, guide):
    from app.panel.person import reader_of_request

    provide_reader(lambda: (guide,))
    try:
        for statement in (
            update(Customer).values(address="x"),
            delete(CustomerContact),
            select(Customer.__table__.c.id),
            text("select id from customer"),
        ):
            with pytest.raises(OutOfReach):
                session.execute(statement)
        assert session.scalar(text("select 1")) == 1
        with crossing("act"):
            session.execute(update(Customer).where(Customer.id == two_customers[0].id).values(address="x"))
    finally:
        provide_reader(reader_of_request)


def test_a_task_writes_for_who_asked_and_reads_no_more_than_she_does(session, two_customers, guide):
    with reading_as(guide):
        session.execute(update(Customer).where(Customer.id == two_customers[0].id).values(address="x"))
        with pytest.raises(OutOfReach):
            session.execute(select(Customer.__table__.c.id))


def test_a_stranger_reads_settings_and_no_rows(session, two_customers):
    from app.panel.person import reader_of_request

    provide_reader(lambda: (None,))
    try:
        assert session.scalars(select(Customer.id)).all() == []
        assert session.scalars(select(Employee.id)).all() == []
        assert session.scalars(select(Param.id)).all()
    finally:
        provide_reader(reader_of_request)


def test_a_crossing_has_a_declared_purpose(session, two_customers, guide):
    with pytest.raises(LookupError), crossing("curiosity"):
        pass
    with reading_as(guide), crossing("whose_number"):
        assert two_customers[1].id in set(session.scalars(select(Customer.id)))
    assert all(PURPOSES.values())


def test_the_house_reads_everything(session, two_customers):
    with reading_as(house("job:test")):
        assert {customer.id for customer in two_customers} <= set(session.scalars(select(Customer.id)))
