"""Pseudonymisation: what identifies a person is replaced for good; what the law keeps stays, and is listed. L06, L13.

``RULES`` says of every column with text or JSON in every table that holds data on a person what becomes of it; a column
that it does not name fails a test. Decision 0026.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Text, cast, func, inspect, or_, select, update
from sqlalchemy.orm import Session

from app.actors import Actor
from app.errors import Refusal
from app.keyring import ring
from app.models.audit import ReportRun
from app.models.base import Choice, models
from app.models.customers import Customer, FileState, search_terms_of
from app.models.files import FilePurpose, StoredFile
from app.services.customers.closing import awaited_slip
from app.services.guard import crossing
from app.services.privacy.holdings import NAMING_RECORDS, events_of, files_of, ids_held
from app.services.trail import note
from app.words import _, _l

OUTPATIENT_YEARS = 15
GONE = "—"


@dataclass(frozen=True)
class Keep:
    """A column that stays. ``why`` is a code of ``WHY``; ``until`` says how long, None: no fixed day."""

    why: str
    until: Callable[[Customer], date | None] = lambda _customer: None


def _records_end(customer: Customer) -> date:
    """Return until when outpatient records are kept: 15 years from the last visit or the file's beginning. L06."""
    last = customer.last_visit_at or customer.first_visit_at or customer.created_at
    return last.date().replace(day=1, year=last.year + OUTPATIENT_YEARS)


#: Why something stays, by the code that a settled request keeps.
WHY: dict[str, object] = {
    "nothing": _l("says nothing of her"),
    "medical": _l("medical record and its proof (outpatient 15 years, inpatient 30)"),
    "trail": _l("the trail of changes and looks; it cannot be altered and ends with its retention"),
    "history": _l(
        "what was done, printed and reported: proof that cannot be altered, kept with the records and otherwise unused "
        "(L06, L14; PIPL art. 47)"
    ),
    "calls": _l(
        "the book of what telephone systems told, encrypted: proof that cannot be altered and is otherwise unused "
        "(L14; PIPL art. 47)"
    ),
    "proof": _l("proof that her request was settled"),
    "staff": _l("the house's own work, not about her"),
}
NOTHING_OF_HER = Keep("nothing")
MEDICAL = Keep("medical", _records_end)
TRAIL = Keep("trail")
HISTORY = Keep("history")
CALLS = Keep("calls")
PROOF = Keep("proof")
STAFF = Keep("staff")

#: A new value for all rows, a function (row) to one, or that it stays.
Rule = Keep | Callable[[Any], Any] | str | None | dict[str, Any]


def _emptied_json(_row: Any) -> dict[str, Any]:
    return {}


def _facts_without_words(row: Any) -> dict[str, Any]:
    """A notice keeps its sentence, and of its facts none that could name her."""
    return dict.fromkeys(row.facts, GONE)


def _pseudonym(row: Any) -> str:
    return f"P-{row.id}"


RULES: dict[str, dict[str, Rule]] = {
    "customer": {
        "customer_no": NOTHING_OF_HER,
        "name": _pseudonym,
        "alias": None,
        "id_no": None,
        "id_hash": None,
        "birth_on": None,
        "birth_calendar": None,
        "occupation": None,
        "address": None,
        "followup_note": None,
        "restriction_reason": None,
        "search_terms": lambda row: search_terms_of(row),
    },
    "customer_contact": {
        "value": GONE,
        "value_hash": lambda row: ring().digest("gone", str(row.id)),
        "value_tail": "",
        "relation": None,
    },
    "customer_trait": {"value": GONE, "withdrawn_reason": lambda row: GONE if row.withdrawn_reason else None},
    "customer_owner_history": {"reason": None},
    "customer_merge_log": {
        "reason": GONE,
        "decision_note": lambda row: GONE if row.decision_note else None,
        "counts": NOTHING_OF_HER,
        "moved": NOTHING_OF_HER,
    },
    "customer_consent": {
        "scope_note": None,
        "guardian_name": lambda row: GONE if row.guardian_name else None,
        "guardian_relation": lambda row: GONE if row.guardian_relation else None,
        "withdrawn_reason": lambda row: GONE if row.withdrawn_reason else None,
    },
    "subject_request": {"identity_checked": PROOF, "wish": None, "note": PROOF, "outcome": NOTHING_OF_HER},
    "contact_record": {
        "record_no": NOTHING_OF_HER,
        "content": None,
        "outcome": None,
        "caller_no": None,
        "caller_hash": None,
        "call_id": None,
        "recording_url": None,
        "chat_id": None,
        "landing_page": None,
        "keyword": None,
        "chat_text": None,
    },
    "appointment_slip": {
        "slip_no": NOTHING_OF_HER,
        "need_text": None,
        "quoted_text": None,
        "remark": None,
        "void_reason": lambda row: GONE if row.void_reason else None,
    },
    "appointment_slip_item": {},
    "appointment_supplement_request": {
        "request_no": NOTHING_OF_HER,
        "need_text": None,
        "evidence_kinds": NOTHING_OF_HER,
        "reason": GONE,
        "decision_note": lambda row: GONE if row.decision_note else None,
        "rejection_note": lambda row: GONE if row.rejection_note else None,
    },
    "visit": {
        "visit_no": NOTHING_OF_HER,
        "remark": None,
        "exit_checklist": NOTHING_OF_HER,
        "cancel_reason": lambda row: GONE if row.cancel_reason else None,
    },
    "visit_item": {},
    "visit_checkpoint": {},
    "visit_card_issue": {},
    "customer_card": {"card_no": NOTHING_OF_HER, "end_reason": lambda row: GONE if row.end_reason else None},
    "reception_form": {
        "form_no": NOTHING_OF_HER,
        "name": GONE,
        "phone": GONE,
        "address": GONE,
        "occupation": None,
        "referrer_name": None,
        "referrer_phone": None,
        "expectation": None,
        "health_note": MEDICAL,
    },
    "triage_assignment": {
        "skip_reason": lambda row: GONE if row.skip_reason else None,
        "reason": lambda row: GONE if row.reason else None,
        "complaint": lambda row: GONE if row.complaint else None,
        "rule": STAFF,
        "why": STAFF,
    },
    "rotation_turn": {"rule": STAFF, "reason": HISTORY},
    "shift_handover_visit": {"needs": HISTORY},
    "consultation": {"need_text": None, "concern_text": None, "next_action": None},
    "consultation_item": {},
    "followup_plan": {
        "plan_no": NOTHING_OF_HER,
        "trigger": NOTHING_OF_HER,
        "occasion": NOTHING_OF_HER,
        "purpose": lambda row: GONE if row.purpose else None,
        "content": None,
        "guidance": None,
        "send_back_reason": None,
        "end_note": lambda row: GONE if row.end_note else None,
        "cancel_reason": lambda row: GONE if row.cancel_reason else None,
    },
    "contact_opt_out": {
        "channel": NOTHING_OF_HER,
        "kind": NOTHING_OF_HER,
        "reason": lambda row: GONE if row.reason else None,
        "end_reason": lambda row: GONE if row.end_reason else None,
    },
    "message": {
        "recipient": None,
        "content": GONE,
        "rule": NOTHING_OF_HER,
        "occasion": NOTHING_OF_HER,
        "message_key": NOTHING_OF_HER,
        "provider_ref": None,
        "said": lambda row: GONE if row.said else None,
    },
    "phone_call": {
        "call_id": lambda row: f"gone-{row.id}",
        "number": None,
        "number_hash": None,
        "extension": STAFF,
        "dial_key": STAFF,
        "dial_said": STAFF,
        "recording_url": None,
        "recording_said": None,
    },
    "call_event": {
        "call_id": STAFF,
        "event_id": STAFF,
        "extension": STAFF,
        "payload": CALLS,
    },
    "followup_execution": {"feedback": lambda row: GONE},
    "followup_review": {"comment": lambda row: GONE if row.comment else None},
    "act_run": {
        "actor": STAFF,
        "request_key": STAFF,
        "table_name": STAFF,
        "act": STAFF,
        "from_state": STAFF,
        "to_state": STAFF,
        "inputs": HISTORY,
        "inputs_hash": STAFF,
        "result_table": STAFF,
        "notice": HISTORY,
        "paper": STAFF,
    },
    "notice": {"kind": STAFF, "table_name": STAFF, "facts": _facts_without_words},
    "print_job": {
        "table_name": STAFF,
        "record_name": HISTORY,
        "paper": STAFF,
        "actor": STAFF,
        "locale": STAFF,
    },
    "stored_file": {
        "file_key": STAFF,
        "name": lambda row: f"{GONE}{row.name[row.name.rfind('.') :] if '.' in row.name else ''}",
        "media_type": STAFF,
        "digest": STAFF,
        "subject_table": STAFF,
    },
    "sensitive_view_log": dict.fromkeys(("actor", "table_name", "field", "reason", "denied"), TRAIL),
    "audit_log": dict.fromkeys(("actor", "request", "address", "table_name", "operation", "before", "after"), TRAIL),
    "background_task": {
        **dict.fromkeys(("kind", "actor", "request_key", "locale", "subject_table", "worker"), STAFF),
        "parameters": _emptied_json,
        "said": None,
        "error": lambda row: GONE if row.error else None,
        "checkpoint": None,
    },
    "report_run": {"facts": HISTORY},
    "import_row": {"table_name": STAFF},
    "import_finding": {
        **dict.fromkeys(("cell", "heading", "rule", "match_table"), STAFF),
        "value": None,
        "facts": lambda row: dict.fromkeys(row.facts, GONE),
    },
}


#: What columns hold that can hold words; JSONB says ``object`` of itself.
WORDED = (str, dict, list, object)


def worded(model: Any) -> list[str]:
    """Return the columns of a table that can hold words: text, lists, JSON, encrypted or not; no enumerations."""
    return [
        column.key
        for column in inspect(model).columns
        if column.key is not None and not isinstance(column.type, Choice) and column.type.python_type in WORDED
    ]


# --- what would happen -------------------------------------------------------------------------------------------


def plan_of(session: Session, customer: Customer) -> list[dict[str, Any]]:
    """Return the dry run: per table and column how many rows change or stay, why and until when. Changes nothing.

    Entries are ``{"table", "column", "rows", "change": "replaced"|"kept", "why", "until"}``; a column in which nothing
    stands is left out. Rows of all branches count: she is the person of one branch, and is told of by others.
    """
    with crossing("subject_plan"):
        return _planned(session, customer)


def _planned(session: Session, customer: Customer) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    held = ids_held(session, customer)
    beside = {
        "call_event": events_of(session, held["phone_call"]),
        "report_run": _reports_naming(session, customer),
    }
    for table, ids in {**held, **beside}.items():
        if not ids:
            continue
        for column, rule in RULES[table].items():
            rows = _standing(session, table, column, ids)
            if not rows or rule is NOTHING_OF_HER or rule is STAFF:
                continue
            kept = isinstance(rule, Keep)
            told.append(
                {
                    "table": table,
                    "column": column,
                    "rows": rows,
                    "change": "kept" if kept else "replaced",
                    "why": rule.why if isinstance(rule, Keep) else "",
                    "until": _until(rule, customer),
                }
            )
    dropped, kept_files = _files(session, customer)
    for files, change, why, until in (
        (dropped, "replaced", "", None),
        (kept_files, "kept", MEDICAL.why, _records_end(customer).isoformat()),
    ):
        if files:
            told.append(
                {"table": "stored_file", "column": "", "rows": len(files), "change": change, "why": why, "until": until}
            )
    return told


def _until(rule: Rule, customer: Customer) -> str | None:
    day = rule.until(customer) if isinstance(rule, Keep) else None
    return None if day is None else day.isoformat()


def _standing(session: Session, table: str, column: str, ids: Sequence[int]) -> int:
    """Return in how many rows a column holds something."""
    model: Any = models()[table]
    statement = select(model.id).where(model.id.in_(list(ids)), getattr(model, column).is_not(None))
    return len(session.scalars(statement).all())


def _reports_naming(session: Session, customer: Customer) -> list[int]:
    """Return the stored reports in which her name stands, or a name like it: they have no key to persons."""
    names = {name for file in files_of(session, customer) for name in (file.name, file.alias) if name}
    told = cast(ReportRun.facts, Text)
    ways = [func.strpos(told, json.dumps(name, ensure_ascii=False)[1:-1]) > 0 for name in sorted(names)]
    return sorted(session.scalars(select(ReportRun.id).where(or_(*ways)))) if ways else []


def _files(session: Session, customer: Customer) -> tuple[list[StoredFile], list[StoredFile]]:
    """Return a person's files that go, and those that the law keeps: signed consents."""
    held = ids_held(session, customer)["stored_file"]
    files = session.scalars(
        select(StoredFile).where(StoredFile.id.in_(held), StoredFile.dropped_at.is_(None)).order_by(StoredFile.id)
    ).all()
    kept = [file for file in files if file.subject_table == "customer_consent"]
    going = [file for file in files if file not in kept and file.purpose is not FilePurpose.IMPORT]
    return going, kept


# --- doing it ----------------------------------------------------------------------------------------------------


def pseudonymise(session: Session, customer: Customer, *, by: Actor, at: datetime) -> list[dict[str, Any]]:
    """Replace for good what identifies a person, in her file and those merged into it; return what was done.

    Refuses a file that is not restricted, one done already, and one for which a slip is awaited. What tables hold whose
    rows never change (the trail, history, printings, stored reports) stays and is listed as kept.
    """
    if customer.pseudonymised_at is not None:
        raise Refusal(_("This file is pseudonymised already."))
    if customer.state is not FileState.RESTRICTED:
        raise Refusal(
            _("Please restrict the file first: “Ask for restriction” and “Restrict” stand on the customer's page.")
        )
    for file in files_of(session, customer):
        if awaited_slip(session, file.id) is not None:
            raise Refusal(_("A slip of this customer is still awaited. Please void it first."))
    done = plan_of(session, customer)
    held = ids_held(session, customer)
    for file in _files(session, customer)[0]:
        file.dropped_at = at
    session.flush()
    for table in [*(name for name in held if name not in NAMING_RECORDS and name != "customer"), *NAMING_RECORDS]:
        _replace(session, table, held[table])
    _findings_of_rows(session, held["import_row"])
    _replace(session, "customer", held["customer"])
    session.expire_all()
    for file in files_of(session, customer):
        file.pseudonymised_at = at
    note(session, "pseudonymised", customer, tables=sorted({str(entry["table"]) for entry in done}))
    return done


def _replace(session: Session, table: str, ids: Sequence[int]) -> None:
    """Write the new values into rows, passing by what computes search terms and versions."""
    model: Any = models()[table]
    changed = {name: rule for name, rule in RULES[table].items() if not isinstance(rule, Keep)}
    if not changed or not ids:
        return
    fixed = {name: rule for name, rule in changed.items() if not callable(rule)}
    if fixed:
        session.execute(_update(model, ids, fixed))
    computed = {name: rule for name, rule in changed.items() if callable(rule)}
    for row in session.scalars(select(model).where(model.id.in_(list(ids))).execution_options(populate_existing=True)):
        with session.no_autoflush:
            values = {name: rule(row) for name, rule in computed.items() if name != "search_terms"}
        if values:
            session.execute(_update(model, [row.id], values))
        if "search_terms" in computed:
            session.flush()
            session.refresh(row)
            with session.no_autoflush:
                terms = [term for term in search_terms_of(row) if not term.startswith(("f:", "l:", "x:"))]
            session.execute(_update(model, [row.id], {"search_terms": terms}))


def _update(model: Any, ids: Sequence[int], values: Mapping[str, Any]) -> Any:
    return update(model).where(model.id.in_(list(ids))).values(**values).execution_options(synchronize_session=False)


def _findings_of_rows(session: Session, row_ids: Sequence[int]) -> None:
    """Empty what checks said of the lines that her records came from."""
    row: Any = models()["import_row"]
    finding: Any = models()["import_finding"]
    lines = session.execute(select(row.batch_id, row.row_no).where(row.id.in_(list(row_ids)))).all()
    for batch_id, row_no in lines:
        ids = session.scalars(select(finding.id).where(finding.batch_id == batch_id, finding.row_no == row_no)).all()
        _replace(session, "import_finding", ids)
