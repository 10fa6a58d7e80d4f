"""Who may do what, on which rows: the one table. It feeds Flask-AppBuilder's roles, the docs and the tests.

White paper part D; the identifiers are those of its list R01-R36, and ``admin``. Rights are written per table as
a line of permission names without ``can_``; menu entries follow from the right to the page behind them. What an
administrator changes on screen lives in ``role_override`` and survives every synchronisation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.actors import Reach
from app.words import _l

OWN, DEPARTMENT, BRANCH, GROUP = Reach.OWN, Reach.DEPARTMENT, Reach.BRANCH, Reach.GROUP
Rights = Mapping[str, str]


@dataclass(frozen=True)
class Role:
    """A role: its name for people, how far it sees (``reaches`` per table where it differs), its rights."""

    label: object
    code: str
    reach: Reach
    rights: Rights = field(default_factory=dict)
    reaches: Mapping[str, Reach] = field(default_factory=dict)


def _together(*parts: Rights) -> dict[str, str]:
    """Add rights up."""
    added: dict[str, set[str]] = {}
    for part in parts:
        for table, names in part.items():
            added.setdefault(table, set()).update(names.split())
    return {table: " ".join(sorted(names)) for table, names in added.items()}


#: Tables that everybody must see to choose from them, whatever her reach over business rows.
DIRECTORY: Mapping[str, Reach] = {"department": BRANCH, "employee": BRANCH, "channel_partner": BRANCH}

#: Of these everybody sees her own, whatever her reach over business rows.
ONES_OWN: Mapping[str, Reach] = {"notice": OWN, "background_task": OWN}
EVERYBODY: Rights = {"notice": "list show mark_read", "background_task": "list show cancel retry"}
READ_SLIPS: Rights = {
    "appointment_slip": "list show print_appointment_slip",
    "department_slips": "list",
    "customer": "list show",
    "customer_contact": "list",
    "contact_record": "list show",
}
READ_DESKS: Rights = {"phone_desk": "list", "web_desk": "list", "partner_desk": "list"}
CONSULTANT: Rights = _together(
    READ_SLIPS,
    {
        "customer": "edit register_temporary add_contact",
        "customer_contact": "reveal",
        "appointment_slip": "place redo",
        "my_slips": "list",
        "redo_slips": "list",
        "followup_plan": "list show execute",
        "my_followups": "list",
    },
)
PHONE_DESK: Rights = {"phone_desk": "list", "contact_record": "register_call"}
WEB_DESK: Rights = {"web_desk": "list", "contact_record": "register_chat"}
PARTNER_DESK: Rights = {
    "partner_desk": "list",
    "contact_record": "register_lead",
    "channel_partner": "list show",
}
SUPERVISOR: Rights = _together(
    CONSULTANT,
    {
        "appointment_slip": "void dispatch",
        "department_followups": "list",
        "report_appointment_daily": "list run export",
        "report_run": "list show",
        "sensitive_view_log": "list",
        "print_job": "list show",
    },
)
#: What is kept per branch and not per department: stored reports, and who looked at what.
BRANCH_BOOKS: Mapping[str, Reach] = {"report_run": BRANCH, "sensitive_view_log": BRANCH}
GUIDE: Rights = _together(READ_SLIPS, READ_DESKS, {"appointment_slip": "arrive", "my_slips": "list"})
ONSITE: Rights = _together(
    READ_SLIPS, {"my_slips": "list", "followup_plan": "list show execute", "my_followups": "list"}
)
PRINT_LOG: Rights = {"print_job": "list show"}
DAILY_REPORT: Rights = {"report_appointment_daily": "list run export", "report_run": "list show"}
DICTIONARIES: Rights = {
    "dictionary": "list show add edit",
    "dictionary_item": "list show add edit retire restore",
}
ORGANISATION: Rights = {
    "branch": "list show",
    "department": "list show add edit",
    "position": "list show add edit",
    "employee": "list show add edit",
}
ACCOUNTS: Rights = {"employee": "list show open_login close_login reopen_login give_roles reset_password"}
SYSTEM: Rights = _together(
    DICTIONARIES,
    ACCOUNTS,
    {
        "branch": "list show edit",
        "department": "list show",
        "position": "list show",
        "param": "list show set_value",
        "branch_day": "list show add edit",
        "number_rule": "list show add edit",
        "number_counter": "list",
        "job_run": "list show",
        "job_heartbeat": "list",
        "report_run": "list show",
        "print_job": "list show",
    },
)
SOURCES: Rights = {
    "source_channel": "list show add edit",
    "channel_partner": "list show add edit end resume",
}


def _role(code: str, label: object, reach: Reach, *rights: Rights, **reaches: Reach) -> Role:
    return Role(
        label,
        code,
        reach,
        _together(EVERYBODY, *rights),
        {**DIRECTORY, "notice": OWN, "background_task": OWN, **reaches},
    )


ROLES: dict[str, Role] = {
    "phone_consultant": _role("R01", _l("Phone consultant"), OWN, CONSULTANT, PHONE_DESK),
    "web_consultant": _role("R02", _l("Web consultant"), OWN, CONSULTANT, WEB_DESK),
    "channel_specialist": _role("R03", _l("Channel specialist"), OWN, CONSULTANT, PARTNER_DESK),
    "phone_supervisor": _role("R04", _l("Phone supervisor"), DEPARTMENT, SUPERVISOR, PHONE_DESK, **BRANCH_BOOKS),
    "web_supervisor": _role("R04", _l("Web supervisor"), DEPARTMENT, SUPERVISOR, WEB_DESK, **BRANCH_BOOKS),
    "channel_supervisor": _role(
        "R04",
        _l("Channel supervisor"),
        DEPARTMENT,
        SUPERVISOR,
        PARTNER_DESK,
        {"channel_partner": "add edit end resume"},
        **BRANCH_BOOKS,
    ),
    "department_head": _role("R05", _l("Head of department"), DEPARTMENT, SUPERVISOR, READ_DESKS, **BRANCH_BOOKS),
    "guide": _role("R06", _l("Guide"), BRANCH, GUIDE),
    "guide_supervisor": _role(
        "R07", _l("Guide supervisor"), BRANCH, GUIDE, PRINT_LOG, {"appointment_slip": "complete undo_arrival"}
    ),
    "triage": _role("R08", _l("Triage"), BRANCH, GUIDE, {"appointment_slip": "complete"}),
    "onsite_consultant": _role("R09", _l("On-site consultant"), OWN, ONSITE),
    "consulting_supervisor": _role(
        "R10", _l("Consulting supervisor"), DEPARTMENT, ONSITE, {"department_followups": "list"}
    ),
    "doctor": _role("R11", _l("Doctor"), OWN),
    "doctor_assistant": _role("R12", _l("Doctor's assistant"), OWN),
    "anaesthetist": _role("R13", _l("Anaesthetist"), OWN),
    "theatre_nurse": _role("R14", _l("Theatre nurse"), DEPARTMENT),
    "ward_nurse": _role("R15", _l("Ward nurse"), DEPARTMENT),
    "therapist": _role("R16", _l("Therapist"), DEPARTMENT),
    "dentist": _role("R17", _l("Dentist"), DEPARTMENT),
    "examiner": _role("R18", _l("Examiner"), DEPARTMENT),
    "cashier": _role("R19", _l("Cashier"), BRANCH),
    "cashier_supervisor": _role("R20", _l("Cashier supervisor"), BRANCH),
    "pharmacist": _role("R21", _l("Pharmacist"), BRANCH),
    "storekeeper": _role("R22", _l("Storekeeper"), BRANCH),
    "finance": _role("R23", _l("Finance"), BRANCH),
    "finance_manager": _role("R24", _l("Finance manager"), GROUP),
    "hr": _role("R25", _l("Human resources"), BRANCH, ORGANISATION),
    "operations": _role(
        "R26",
        _l("Operations"),
        BRANCH,
        DAILY_REPORT,
        SOURCES,
        DICTIONARIES,
        {"branch_day": "list show add edit"},
        appointment_slip=BRANCH,
    ),
    "medical_affairs": _role("R27", _l("Medical affairs"), BRANCH),
    "records_clerk": _role("R28", _l("Records clerk"), BRANCH),
    "member_service": _role("R29", _l("Member service"), BRANCH, READ_DESKS, {"contact_record": "list show"}),
    "service_supervisor": _role(
        "R30", _l("Service supervisor"), BRANCH, READ_DESKS, READ_SLIPS, {"followup_plan": "list show"}
    ),
    "market": _role("R31", _l("Market"), OWN),
    "it_manager": _role("R32", _l("IT manager"), BRANCH, SYSTEM, SOURCES, background_task=BRANCH),
    "branch_head": _role(
        "R33",
        _l("Branch head"),
        BRANCH,
        READ_DESKS,
        READ_SLIPS,
        DAILY_REPORT,
        PRINT_LOG,
        {"followup_plan": "list show", "department_followups": "list"},
    ),
    "hospital_director": _role("R34", _l("Hospital director"), BRANCH, READ_DESKS, READ_SLIPS, DAILY_REPORT),
    "archivist": _role("R35", _l("Archivist"), BRANCH),
    "auditor": _role(
        "R36",
        _l("Auditor"),
        GROUP,
        {"act_run": "list show", "sensitive_view_log": "list", "job_run": "list show", **PRINT_LOG},
    ),
    "admin": _role(
        "—",
        _l("Administrator"),
        GROUP,
        SYSTEM,
        ORGANISATION,
        SOURCES,
        {
            "branch": "add edit",
            "role_override": "list show add edit",
            "act_run": "list show",
            "sensitive_view_log": "list",
        },
        department=GROUP,
        employee=GROUP,
        channel_partner=GROUP,
        background_task=GROUP,
    ),
}


def rights_of(role: str) -> set[tuple[str, str]]:
    """Return the (table, permission) pairs of a role as declared, such as ``("param", "can_set_value")``."""
    return {(table, f"can_{name}") for table, names in ROLES[role].rights.items() for name in names.split()}
