"""What each stage must know of a customer, and what is still missing. R-1.2-1."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.models.customers import (
    CollectedField,
    ContactKind,
    Customer,
    CustomerTrait,
    FieldRequirement,
    Stage,
    TraitState,
)
from app.models.settings import DictionaryItem

_KNOWN: dict[CollectedField, Callable[[Customer], bool]] = {
    CollectedField.NAME: lambda customer: bool(customer.name),
    CollectedField.NAME_OR_ALIAS: lambda customer: bool(customer.name or customer.alias),
    CollectedField.CONTACT: lambda customer: bool(customer.contacts),
    CollectedField.PHONE: lambda customer: any(one.kind is ContactKind.PHONE for one in customer.contacts),
    CollectedField.SEX: lambda customer: customer.sex is not None,
    CollectedField.AGE: lambda customer: customer.birth_on is not None or customer.birth_year is not None,
    CollectedField.OCCUPATION: lambda customer: bool(customer.occupation),
    CollectedField.AREA: lambda customer: customer.area_id is not None or bool(customer.address),
    CollectedField.ID_NO: lambda customer: bool(customer.id_no),
    CollectedField.SOURCE: lambda customer: customer.source_channel_id is not None,
}

_CARED_FOR = (CollectedField.HOBBY, CollectedField.TEMPER, CollectedField.ANNIVERSARY, CollectedField.ROUTINE)
#: 1.2, group-wide: what each stage has, and whether it must (R-1.2-1). The table's columns are uncertain (U1), so
#: little is demanded: an office adds to it on screen.
REQUIREMENTS: dict[Stage, dict[CollectedField, bool]] = {
    Stage.APPOINTMENT: {
        CollectedField.NAME_OR_ALIAS: True,
        CollectedField.CONTACT: True,
        CollectedField.SEX: False,
        CollectedField.AGE: False,
        CollectedField.AREA: False,
        CollectedField.SOURCE: False,
    },
    Stage.RECEPTION: {
        CollectedField.NAME: True,
        CollectedField.SEX: True,
        CollectedField.AGE: True,
        CollectedField.PHONE: True,
        CollectedField.AREA: True,
        CollectedField.OCCUPATION: False,
    },
    Stage.CONSULTATION: {CollectedField.NAME: True, CollectedField.SEX: True, CollectedField.AGE: True},
    Stage.WARD: dict.fromkeys(_CARED_FOR, False),
    Stage.NURSING: dict.fromkeys(_CARED_FOR, False),
    Stage.SKIN_CARE: dict.fromkeys(_CARED_FOR, False),
    Stage.MEMBER: {
        CollectedField.ID_NO: True,
        CollectedField.CALLING: True,
        CollectedField.EVENTS: False,
        CollectedField.NEEDS: False,
    }
    | dict.fromkeys(_CARED_FOR, False),
    Stage.FOLLOWUP: {CollectedField.CONTACT: True, CollectedField.NEEDS: False},
}


def required_fields(session: Session, branch_id: int) -> dict[Stage, list[CollectedField]]:
    """Return per stage what a branch demands: its own rows, else the group's."""
    rows = session.execute(
        select(FieldRequirement.stage, FieldRequirement.field, FieldRequirement.required)
        .where(or_(FieldRequirement.branch_id.is_(None), FieldRequirement.branch_id == branch_id))
        .order_by(FieldRequirement.branch_id.is_not(None), FieldRequirement.id)
    )
    # The branch's rows come last, so they stand.
    in_force = {(stage, field): required for stage, field, required in rows}
    return {
        stage: [field for field in CollectedField if in_force.get((stage, field))]
        for stage in Stage
        if any(in_force.get((stage, field)) for field in CollectedField)
    }


def missing_by_stage(session: Session, customer: Customer) -> dict[Stage, list[CollectedField]]:
    """Return what is still missing, per stage that demands anything; stages that lack nothing are left out."""
    traits = _trait_codes(session, customer)
    missing = {
        stage: [field for field in fields if not _is_known(field, customer, traits)]
        for stage, fields in required_fields(session, customer.branch_id).items()
    }
    return {stage: fields for stage, fields in missing.items() if fields}


def missing_fields(session: Session, customer: Customer, stage: Stage) -> list[str]:
    """Return the labels of what a stage demands and the file lacks. R-1.2-1."""
    return [str(field.label) for field in missing_by_stage(session, customer).get(stage, [])]


def _is_known(field: CollectedField, customer: Customer, traits: set[str]) -> bool:
    return field.trait_code in traits if field.trait_code else _KNOWN[field](customer)


def _trait_codes(session: Session, customer: Customer) -> set[str]:
    return set(
        session.scalars(
            select(DictionaryItem.code)
            .join(CustomerTrait, CustomerTrait.trait_type_id == DictionaryItem.id)
            .where(CustomerTrait.customer_id == customer.id, CustomerTrait.state == TraitState.CURRENT)
        )
    )


def add_requirements(session: Session) -> int:
    """Add the group's rows that are absent, and return how many; what an office changed stays."""
    standing = set(
        session.execute(
            select(FieldRequirement.stage, FieldRequirement.field).where(FieldRequirement.branch_id.is_(None))
        )
    )
    absent = [
        FieldRequirement(stage=stage, field=field, required=required)
        for stage, fields in REQUIREMENTS.items()
        for field, required in fields.items()
        if (stage, field) not in standing
    ]
    session.add_all(absent)
    session.flush()
    return len(absent)
