"""Who may not do what with whom: the segregation of duties of part D, declared once.

A rule has steps, each of some acts. On one record nobody does acts of two steps; and no person's roles together should
give her two steps of a rule, which a report names. Rules on tables that come later are added with these tables: issuer,
approver and cashier; drawer of implants and verifier; price maintainer and biller.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.words import _l


@dataclass(frozen=True)
class Step:
    """One duty of a rule: what it is called, and the acts that do it (``table.act``)."""

    label: object
    acts: tuple[str, ...]


@dataclass(frozen=True)
class Separation:
    """Duties that one person does not unite. ``on_record``: not on one record either, whatever her roles are."""

    name: str
    label: object
    source: str
    steps: tuple[Step, ...]
    on_record: bool = True


_REQUEST = "appointment_supplement_request"

SEPARATIONS: tuple[Separation, ...] = (
    Separation(
        "supplement",
        _l("A supplementary slip is asked for, approved and executed by three people"),
        "R-2.1.3-5, SM-33, part D",
        (
            Step(_l("asks for a supplementary slip"), (f"{_REQUEST}.submit",)),
            Step(_l("approves a supplementary slip"), (f"{_REQUEST}.approve",)),
            Step(_l("executes a supplementary slip"), (f"{_REQUEST}.execute",)),
        ),
    ),
    Separation(
        "merge",
        _l("Who proposes to merge files does not carry it out"),
        "SM-01",
        (
            Step(_l("proposes a merge"), ("customer.propose_merge",)),
            Step(_l("carries a merge out"), ("customer_merge_log.carry_out",)),
        ),
    ),
    Separation(
        "restriction",
        _l("Who asks to restrict a file does not carry it out"),
        "SM-01",
        (
            Step(_l("asks for a restriction"), ("customer.ask_restriction",)),
            Step(_l("carries a restriction out"), ("customer.restrict",)),
        ),
    ),
    Separation(
        "keeper_approves",
        _l("Who keeps the logins and the settings approves nothing"),
        "Part D",
        (
            Step(
                _l("keeps logins or settings"),
                ("employee.open_login", "employee.give_roles", "employee.reset_password", "param.set_value"),
            ),
            Step(_l("approves"), (f"{_REQUEST}.approve",)),
        ),
        on_record=False,
    ),
)


def barred_by(act_key: str) -> tuple[tuple[Separation, frozenset[str]], ...]:
    """Return, for an act, the rules that hold on a record with the acts that bar it there."""
    return tuple(
        (rule, frozenset(other for step in rule.steps if act_key not in step.acts for other in step.acts))
        for rule in SEPARATIONS
        if rule.on_record and any(act_key in step.acts for step in rule.steps)
    )
