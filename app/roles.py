"""Who may do what, on which rows: the one table. It feeds Flask-AppBuilder's roles, the docs and the tests.

White paper part D; the identifiers are those of its list R01-R36, and ``admin``. Rights are written per table as
a line of permission names without ``can_``; menu entries follow from the right to the page behind them. What an
administrator changes on screen lives in ``role_override`` and survives every synchronisation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

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
DIRECTORY: Mapping[str, Reach] = {
    "department": BRANCH,
    "employee": BRANCH,
    "channel_partner": BRANCH,
    "process_remark": BRANCH,
}

#: Of these everybody sees her own, whatever her reach over business rows.
ONES_OWN: Mapping[str, Reach] = {
    "notice": OWN,
    "background_task": OWN,
    "handover_batch": OWN,
    "export_request": OWN,
    "saved_filter": OWN,
    "list_columns": OWN,
    "stored_file": OWN,
    "report_subscription": OWN,
    "report_delivery": OWN,
}
EVERYBODY: Rights = {
    "notice": "list show mark_read",
    "handover_batch": "show",
    "background_task": "list show cancel retry",
    "export_request": "list show",
    "saved_filter": "list show save rename replace make_default no_default retire",
    "list_columns": "list show choose reset",
    "guide_book": "list",
    "process_guide": "list show",
    "process_step": "list show",
    "process_remark": "list show",
    "my_files": "list",
}
#: Reports that come by themselves: for who reads reports; each sees and changes her own alone.
SUBSCRIBE: Rights = {"report_subscription": "list show subscribe change stop", "report_delivery": "list show"}
READ_SLIPS: Rights = {
    "appointment_slip": "list show print_appointment_slip",
    "department_slips": "list",
    "customer": "list show",
    "customer_contact": "list",
    "contact_record": "list show",
    "customer_trait": "list show",
    "customer_owner_history": "list show",
    "customer_merge_log": "list show",
}
#: Who speaks with customers writes to them, and notes what they do not want. R-2.22-6.
MESSAGES: Rights = {
    "message": "list show release change_text mark_sent cancel reveal",
    "message_template": "list show preview",
    "contact_opt_out": "list show",
    "customer": "send_message opt_out opt_in",
}
RETRY_MESSAGES: Rights = {"message": "retry"}
MESSAGE_TEXTS: Rights = {"message_template": "list show add edit preview retire restore"}
MESSAGE_PROVIDERS: Rights = {
    "message_provider": "list show add edit switch_on switch_off",
    "message": "delivered",
}
#: Soft facts are learned at every contact point (1.2).
TRAITS: Rights = {"customer": "add_trait", "customer_trait": "list show correct withdraw"}
WISHES: Rights = {"anniversaries": "list"}
#: A supervisor hands customers over and proposes merges; SM-01, part D.
OWNERS: Rights = {"customer": "transfer_owner propose_merge"}
#: What customers write of themselves, illnesses among it, word for word; guides read the rest ("non-medical"). Part D.
WORDS: Rights = {"contact_record": "see_medical"}
#: Who takes an ID number in, compares two files or keeps the people's files.
ID_NUMBERS: Rights = {"customer": "see_id_no"}
PEOPLES_FILES: Rights = {"employee": "see_id_no see_phone"}
#: The board of the day's arrivals, for the desk and for those who answer for it.
ARRIVALS: Rights = {"arrivals_board": "list"}
READ_DESKS: Rights = {"phone_desk": "list", "web_desk": "list", "partner_desk": "list"}
ASK_SUPPLEMENTS: Rights = {"appointment_supplement_request": "list show submit withdraw"}
#: One's own calls by telephone, those of one's department or branch as far as one sees: 2.1.1.1, 2.1.4.
CALLS: Rights = {"phone_call": "list show dial listen", "customer_contact": "dial"}
TAKE_CALLS: Rights = {"phone_call": "register add_recording reveal", "incoming_calls": "list"}
READ_CALLS: Rights = {"phone_call": "list show", "incoming_calls": "list"}
#: Who follows customers up: every executor of 2.22 (F5), each her own.
FOLLOW_UP: Rights = {
    "followup_plan": "list show draft revise submit execute reschedule cancel dial",
    "my_followups": "list",
    "followup_desk": "list",
    "followup_execution": "list show",
    "followup_review": "list show",
    "followup_category": "list show",
    "followup_case": "list show",
    "followup_cover": "list show arrange end",
}
#: RPT-07, and the runs of it that were kept.
FOLLOW_UP_FIGURES: Rights = {"report_followup_stats": "list run export", "report_run": "list show"}
#: Who answers for it: approves, reviews, hands over, makes cases.
LEAD_FOLLOW_UP: Rights = _together(
    FOLLOW_UP,
    {
        "followup_plan": "approve send_back review rework hand_over",
        "phone_call": "show listen",  # R-2.22-3: who reviews hears the recording
        "department_followups": "list",
        "followup_case": "revise publish retire",
        **FOLLOW_UP_FIGURES,
    },
)
FOLLOW_UP_RULES: Rights = {
    "followup_category": "list show add edit retire restore",
    "followup_rule": "list show write change retire restore",
}
CONSULTANT: Rights = _together(
    READ_SLIPS,
    CALLS,
    TAKE_CALLS,
    FOLLOW_UP,
    WORDS,
    TRAITS,
    WISHES,
    MESSAGES,
    ASK_SUPPLEMENTS,
    {
        "customer": "edit register_temporary add_contact",
        "customer_contact": "reveal",
        "contact_record": "reveal",
        "customer_consent": "list show sign withdraw reveal",
        "appointment_slip": "place redo",
        "my_slips": "list",
        "redo_slips": "list",
    },
)
#: Rows leave the house by those who answer for a department or branch; finance takes figures. H.2, part D.
EXPORTS: Rights = {
    "customer": "export",
    "contact_record": "export",
    "appointment_slip": "export",
    "department_slips": "export",
    "department_followups": "export",
}
#: Who decides on an export beyond the limit, never on her own. H.2.
DECIDE_EXPORTS: Rights = {"export_request": "approve refuse"}
#: The file of a person: consents, and what she demands of the data held on her. Decision 0026.
CONSENTS: Rights = {
    "customer_consent": "list show sign withdraw reveal",
    "consent_text": "list show",
    "customer": "print_consent_form",
}
CONSENT_TEXTS: Rights = {"consent_text": "list show add edit export"}
TAKE_REQUESTS: Rights = {"subject_request": "list show open"}
DECIDE_REQUESTS: Rights = {"subject_request": "list show approve refuse"}
CARRY_OUT_REQUESTS: Rights = {"subject_request": "list show carry_out refuse"}
PHONE_DESK: Rights = {"phone_desk": "list", "contact_record": "register_call"}
WEB_DESK: Rights = {"web_desk": "list", "contact_record": "register_chat"}
PARTNER_DESK: Rights = {
    "partner_desk": "list",
    "contact_record": "register_lead",
    "channel_partner": "list show",
}
SUPERVISOR: Rights = _together(
    CONSULTANT,
    RETRY_MESSAGES,
    MESSAGE_TEXTS,
    LEAD_FOLLOW_UP,
    ID_NUMBERS,
    OWNERS,
    EXPORTS,
    ARRIVALS,
    SUBSCRIBE,
    {
        "appointment_slip": "void dispatch",
        "report_contact_daily": "list run export",
        "report_appointment_daily": "list run export",
        "report_run": "list show",
        "sensitive_view_log": "list",
        "print_job": "list show",
    },
)
#: What is kept per branch and not per department: stored reports, and who looked at what.
BRANCH_BOOKS: Mapping[str, Reach] = {"report_run": BRANCH, "sensitive_view_log": BRANCH}
#: 接诊信息查询: who is in the house, to who receives and who answers for it; nothing medical to guides. R-2.2.1-1.
READ_VISITS: Rights = {
    "visit": "list show",
    "visit_item": "list show",
    "visit_checkpoint": "list show",
    "triage_assignment": "list show",
    "rotation_line": "list show",
    "rotation_seat": "list show",
    "rotation_turn": "list show",
}
RECEIVE: Rights = {
    **READ_VISITS,
    "visit": "list show receive refer cancel finish escort_out",
    "visit_checkpoint": "list show scan",
    "reception_form": "list show register print_reception_form",
    "reception_form_run": "list show take print_forms print_labels",
    "customer_card": "list show issue report_lost report_damaged replace withdraw bring_back print_card",
    "visit_card_issue": "list show hand_out take_back",
    "service_desk": "list show close_day",
    "closing_checklist": "list show",
    "closing_line": "show",
    "inspection_visit": "list show register notify",
    "triage_assignment": "list show bring_in",
}
#: S5, S6: figures of the day, kept and signed by who is on duty; whoever answers for the branch reads them.
TRIAGE_FIGURES: Rights = {
    "report_onsite_daily": "list run export",
    "report_triage_log": "list run export",
    "report_rotation_sheet": "list run export",
    "report_waiting_times": "list run export",
    "report_consulting_success": "list run export",
    "report_run": "list show",
    "report_signature": "list show",
}
SIGN_FIGURES: Rights = {"report_signature": "list show sign"}
#: Telephone and address stand in the triage log for these alone. S6.
FULL_LOG: Rights = {"report_triage_log": "see_phone"}
#: R08: 分诊, 轮排. Reassigning is the supervisors'.
TRIAGE: Rights = {
    "triage_assignment": "assign accept skip bring_in finish leave_unseen",
    "visit": "serve",
    "rotation_seat": "come_on pause go_off",
    "evening_duty": "list show add edit",
    "triage_rule": "list show",
}
#: 交接班: triage, and the guides' supervisor who stands in for it. F41.
HAND_OVER: Rights = {
    "shift_handover": "list show hand_over confirm withdraw",
    "shift_handover_visit": "list show",
}
#: Supervisors: 改派, with a reason; the referrer after triage (R-2.2.6-1).
REASSIGN: Rights = {"triage_assignment": "list show reassign leave_unseen", "visit": "correct_referrer"}
#: R07: the stock of cards and the desks.
CARD_STOCK: Rights = {
    "card_stock": "list show take_in print_cards print_labels",
    "customer_card": "issue_to_desk spoil",
    "service_desk": "list show add edit",
}
#: Who sits in which line, who has evening duty, how the rules apply: supervisors. Triage SOP S2, S7.
ROTATION: Rights = {
    "rotation_line": "list show add edit",
    "rotation_seat": "list show add edit come_on pause go_off",
    "rotation_seat_item": "list show add edit",
    "evening_duty": "list show add edit",
    "triage_rule": "list show edit",
    "shift_handover": "list show",
    "shift_handover_visit": "list show",
}
#: What the customer wrote of her health is the doctor's to read. E.2.
DOCTORS_FORM: Rights = {"reception_form": "list show see_medical"}
#: Who answers for a branch opens what its figures count.
READ_CONSULTATIONS: Rights = {"consultation": "list show", "consultation_item": "show"}
#: R09: 接诊 CE, of visits that she accepted. White paper 2.4.
CONSULT: Rights = {
    "visit": "list show start serve",
    "my_visits": "list",
    "consultation": "list show note conclude take_over",
    "consultation_item": "show",
}
#: What inspections found is put right by whom the director names, each her own. SM-31.
MEND: Rights = {"inspection_task": "list show mend"}
#: 检查接待: who holds this duty of the branch is told, accompanies and hands over. Triage SOP S4: a role, not names.
INSPECTIONS: Rights = _together(
    MEND,
    {
        "inspection_visit": "list show register notify accompany document leave rectify",
        "inspection_document": "list show",
    },
)
CLOSE_INSPECTIONS: Rights = {"inspection_visit": "close"}
#: Who may have a seat in a line of surgeons or dentists: her own calls. R-S2-7.
SEATED: Rights = {"triage_assignment": "list show accept complain"}
#: 分诊台, for whoever receives, brings in or answers for the triage; never for who has a seat. R-S2-9.
TRIAGE_BOARD: Rights = {"triage_board": "list"}
#: A consultant sees the turns of her line, whoever's they were; a supervisor the whole triage of her branch.
TURNS_OF_ALL: Mapping[str, Reach] = dict.fromkeys(("rotation_turn", "rotation_line", "rotation_seat"), BRANCH)
TRIAGE_BOOKS: Mapping[str, Reach] = {
    **TURNS_OF_ALL,
    **dict.fromkeys(("visit", "visit_item", "visit_checkpoint", "triage_assignment", "rotation_seat_item"), BRANCH),
    **dict.fromkeys(("evening_duty", "triage_rule", "shift_handover", "shift_handover_visit"), BRANCH),
}
GUIDE: Rights = _together(
    RECEIVE,
    READ_SLIPS,
    ID_NUMBERS,
    READ_DESKS,
    ARRIVALS,
    TRIAGE_BOARD,
    TRAITS,
    CONSENTS,
    {"appointment_slip": "arrive", "my_slips": "list", "customer": "confirm_identity"},
)
ONSITE: Rights = _together(
    READ_SLIPS,
    CALLS,
    WORDS,
    TRAITS,
    WISHES,
    MESSAGES,
    FOLLOW_UP,
    CONSULT,
    {
        "my_slips": "list",
        "visit": "list show",
        "visit_item": "show",
        "triage_assignment": "list show accept finish complain",
        "rotation_turn": "list show",
        "rotation_line": "show",
        "rotation_seat": "show",
    },
)
PRINT_LOG: Rights = {"print_job": "list show"}
DAILY_REPORT: Rights = {
    "report_contact_daily": "list run export",
    "report_appointment_daily": "list run export",
    "report_run": "list show",
    **SUBSCRIBE,
}
DICTIONARIES: Rights = {
    **FOLLOW_UP_RULES,
    "dictionary": "list show add edit",
    "dictionary_item": "list show add edit retire restore",
}
ORGANISATION: Rights = {
    "branch": "list show",
    "department": "list show add edit move name_head add_post close_department reopen",
    "department_tree": "list",
    "department_move": "list",
    "position": "list show add edit",
    "position_department": "list show edit end_post",
    "employee": "list show add edit hire change_post leave return_to_work reveal export",
    "post_change": "list",
    "handover_batch": "list",
}
#: 组织/员工 R: the tree and the people's files, read only.
READ_ORGANISATION: Rights = {
    "department": "list show",
    "department_tree": "list",
    "position": "list show",
    "position_department": "list show",
    "employee": "list show",
}
#: R05: her departments and the people in them; who may not list employees opens only those.
OWN_PEOPLE: Rights = {
    "department": "show",
    "department_tree": "list",
    "department_people": "list",
    "position_department": "list show",
    "employee": "show",
    "handover_batch": "list",
}
ACCOUNTS: Rights = {
    "employee": "list show open_login close_login reopen_login give_roles reset_password unlock_login hand_out_code"
    " reset_second_factor end_sessions",
    "login_session": "list show",
}
#: The screens of rights: who may do what, whose roles break a rule.
ACCESS: Rights = {"role_matrix": "list export", "employee_rights": "list", "role_conflicts": "list export"}
SYSTEM: Rights = _together(
    ACCESS,
    DICTIONARIES,
    ACCOUNTS,
    MESSAGE_PROVIDERS,
    MESSAGE_TEXTS,
    {
        "branch": "list show edit",
        "department": "list show",
        "department_tree": "list",
        "position": "list show",
        "position_department": "list show",
        "param": "list show set_value",
        "branch_day": "list show add edit",
        "number_rule": "list show add edit",
        "number_counter": "list",
        "phone_system": "list show add edit retire use_again",
        "phone_extension": "list show add edit",
        "call_event": "list show",
        "api_key": "list show issue revoke",
        "job": "list",
        "job_run": "list show run_now",
        "job_heartbeat": "list",
        "report_run": "list show",
        "print_job": "list show",
    },
)
REQUIREMENTS: Rights = {"field_requirement": "list show add edit"}
#: The white paper's headings, and what a branch adds to them. `process_guide`.
PROCESSES: Rights = {
    "process_guide": "list show add edit",
    "process_step": "list show add edit",
    "process_remark": "list show add edit",
}
#: The information centre carries out what supervisors and medical affairs decided. SM-01.
MERGES: Rights = {
    "customer": "list show restrict",
    "customer_merge_log": "list show carry_out reject",
    "customer_owner_history": "list show",
}
SOURCES: Rights = {
    "source_channel": "list show add edit",
    "channel_partner": "list show add edit end resume",
}


#: Handing files in; which kinds of rows follows from the right ``import`` on their tables.
IMPORTS: Rights = {
    "import_batch": "list show upload read_again map check carry_out resume cancel",
    "import_finding": "list show choose",
    "import_row": "list",
}
IMPORT_CUSTOMERS: Rights = _together(IMPORTS, {"customer": "import", "contact_record": "import"})
IMPORT_STAFF: Rights = _together(IMPORTS, {"employee": "import", "department": "import", "position": "import"})


def _role(code: str, label: object, reach: Reach, *rights: Rights, **reaches: Reach) -> Role:
    return Role(
        label,
        code,
        reach,
        _together(EVERYBODY, *rights),
        {**DIRECTORY, **ONES_OWN, **reaches},
    )


ROLES: dict[str, Role] = {
    "phone_consultant": _role("R01", _l("Phone consultant"), OWN, CONSULTANT, PHONE_DESK),
    "web_consultant": _role("R02", _l("Web consultant"), OWN, CONSULTANT, WEB_DESK),
    "channel_specialist": _role("R03", _l("Channel specialist"), OWN, CONSULTANT, PARTNER_DESK),
    "phone_supervisor": _role("R04", _l("Phone supervisor"), DEPARTMENT, SUPERVISOR, PHONE_DESK, **BRANCH_BOOKS),
    "web_supervisor": _role(
        "R04",
        _l("Web supervisor"),
        DEPARTMENT,
        SUPERVISOR,
        WEB_DESK,
        IMPORT_CUSTOMERS,
        **BRANCH_BOOKS,
        import_batch=OWN,
    ),
    "channel_supervisor": _role(
        "R04",
        _l("Channel supervisor"),
        DEPARTMENT,
        SUPERVISOR,
        PARTNER_DESK,
        {"channel_partner": "add edit end resume"},
        **BRANCH_BOOKS,
    ),
    "department_head": _role(
        "R05",
        _l("Head of department"),
        DEPARTMENT,
        MEND,
        SUPERVISOR,
        READ_DESKS,
        {"customer": "freeze unfreeze"},
        OWN_PEOPLE,
        DECIDE_EXPORTS,
        export_request=DEPARTMENT,
        handover_batch=DEPARTMENT,
        **BRANCH_BOOKS,
    ),
    "guide": _role("R06", _l("Guide"), BRANCH, GUIDE),
    "guide_supervisor": _role(
        "R07",
        _l("Guide supervisor"),
        BRANCH,
        MEND,
        GUIDE,
        PRINT_LOG,
        TRIAGE_FIGURES,
        SIGN_FIGURES,
        FULL_LOG,
        CARD_STOCK,
        ROTATION,
        REASSIGN,
        HAND_OVER,
        {"appointment_slip": "complete undo_arrival", "customer": "propose_merge", "reception_form": "reveal"},
    ),
    "triage": _role(
        "R08",
        _l("Triage"),
        BRANCH,
        GUIDE,
        TRIAGE,
        TRIAGE_FIGURES,
        SIGN_FIGURES,
        HAND_OVER,
        {"appointment_slip": "complete"},
    ),
    "onsite_consultant": _role("R09", _l("On-site consultant"), OWN, ONSITE, **TURNS_OF_ALL),
    "consulting_supervisor": _role(
        "R10",
        _l("Consulting supervisor"),
        DEPARTMENT,
        MEND,
        ONSITE,
        OWNERS,
        ASK_SUPPLEMENTS,
        LEAD_FOLLOW_UP,
        READ_VISITS,
        TRIAGE_FIGURES,
        TRIAGE_BOARD,
        ROTATION,
        REASSIGN,
        report_run=BRANCH,
        report_signature=BRANCH,
        **TRIAGE_BOOKS,
    ),
    "doctor": _role("R11", _l("Doctor"), OWN, FOLLOW_UP, DOCTORS_FORM, SEATED),
    "doctor_assistant": _role("R12", _l("Doctor's assistant"), OWN, FOLLOW_UP, DOCTORS_FORM),
    "anaesthetist": _role("R13", _l("Anaesthetist"), OWN),
    "theatre_nurse": _role("R14", _l("Theatre nurse"), DEPARTMENT),
    "ward_nurse": _role("R15", _l("Ward nurse"), DEPARTMENT, FOLLOW_UP),
    "therapist": _role("R16", _l("Therapist"), DEPARTMENT, FOLLOW_UP),
    "dentist": _role("R17", _l("Dentist"), DEPARTMENT, SEATED, triage_assignment=OWN),
    "examiner": _role("R18", _l("Examiner"), DEPARTMENT),
    "cashier": _role("R19", _l("Cashier"), BRANCH),
    "cashier_supervisor": _role("R20", _l("Cashier supervisor"), BRANCH),
    "pharmacist": _role("R21", _l("Pharmacist"), BRANCH),
    "storekeeper": _role("R22", _l("Storekeeper"), BRANCH),
    "finance": _role("R23", _l("Finance"), BRANCH, READ_ORGANISATION),
    "finance_manager": _role("R24", _l("Finance manager"), GROUP, READ_ORGANISATION),
    "hr": _role(
        "R25",
        _l("Human resources"),
        BRANCH,
        ORGANISATION,
        PEOPLES_FILES,
        IMPORT_STAFF,
        handover_batch=BRANCH,
        import_batch=OWN,
    ),
    "operations": _role(
        "R26",
        _l("Operations"),
        BRANCH,
        MEND,
        DAILY_REPORT,
        TRIAGE_FIGURES,
        SOURCES,
        DICTIONARIES,
        REQUIREMENTS,
        PROCESSES,
        FOLLOW_UP_FIGURES,
        MESSAGE_TEXTS,
        {"branch_day": "list show add edit"},
        **dict.fromkeys(("appointment_slip", "contact_record", "customer", "followup_plan"), BRANCH),
    ),
    "medical_affairs": _role(
        "R27",
        _l("Medical affairs"),
        BRANCH,
        INSPECTIONS,
        CONSENTS,
        CONSENT_TEXTS,
        TAKE_REQUESTS,
        DECIDE_REQUESTS,
        {"customer": "list show ask_restriction reveal"},
    ),
    "records_clerk": _role("R28", _l("Records clerk"), BRANCH),
    "member_service": _role(
        "R29",
        _l("Member service"),
        BRANCH,
        READ_DESKS,
        TRAITS,
        WISHES,
        MESSAGES,
        FOLLOW_UP,
        {"contact_record": "list show", "customer": "list show", "customer_contact": "list"},
        followup_plan=OWN,
    ),
    "service_supervisor": _role(
        "R30",
        _l("Service supervisor"),
        BRANCH,
        MEND,
        READ_DESKS,
        READ_SLIPS,
        TRAITS,
        WISHES,
        MESSAGES,
        RETRY_MESSAGES,
        MESSAGE_TEXTS,
        OWNERS,
        CONSENTS,
        TAKE_REQUESTS,
        LEAD_FOLLOW_UP,
        {"customer": "export reveal", "customer_contact": "reveal"},
    ),
    "market": _role("R31", _l("Market"), OWN),
    "it_manager": _role(
        "R32",
        _l("IT manager"),
        BRANCH,
        {"appointment_supplement_request": "list show execute"},
        MEND,
        SYSTEM,
        SOURCES,
        REQUIREMENTS,
        MERGES,
        ID_NUMBERS,
        IMPORT_CUSTOMERS,
        CARRY_OUT_REQUESTS,
        {"import_mapping": "list", "key_rotation": "list show"},
        background_task=BRANCH,
    ),
    "branch_head": _role(
        "R33",
        _l("Branch head"),
        BRANCH,
        INSPECTIONS,
        ARRIVALS,
        READ_DESKS,
        READ_SLIPS,
        READ_CALLS,
        READ_VISITS,
        READ_CONSULTATIONS,
        DAILY_REPORT,
        TRIAGE_FIGURES,
        FULL_LOG,
        OWNERS,
        WISHES,
        READ_ORGANISATION,
        PRINT_LOG,
        EXPORTS,
        DECIDE_EXPORTS,
        CONSENTS,
        DECIDE_REQUESTS,
        {
            "customer": "reveal",
            **FOLLOW_UP_FIGURES,
            "followup_plan": "list show",
            "department_followups": "list",
            "handover_batch": "list",
            "appointment_supplement_request": "list show approve reject close",
            "report_supplement_ledger": "list run export",
        },
        handover_batch=BRANCH,
        export_request=BRANCH,
    ),
    "hospital_director": _role(
        "R34",
        _l("Hospital director"),
        BRANCH,
        CLOSE_INSPECTIONS,
        INSPECTIONS,
        READ_DESKS,
        READ_SLIPS,
        READ_CALLS,
        READ_VISITS,
        DAILY_REPORT,
        TRIAGE_FIGURES,
        READ_ORGANISATION,
        DECIDE_EXPORTS,
        CONSENTS,
        export_request=BRANCH,
    ),
    "archivist": _role("R35", _l("Archivist"), BRANCH),
    "auditor": _role(
        "R36",
        _l("Auditor"),
        GROUP,
        {
            "audit_log": "list show",
            "audit_seal": "list show",
            "audit_prune": "list show",
            "act_run": "list show",
            "sensitive_view_log": "list export",
            "key_rotation": "list show",
            "job": "list",
            "job_run": "list show",
            **PRINT_LOG,
            **ACCESS,
            "employee": "see_as",
        },
        employee=GROUP,
        export_request=GROUP,
    ),
    # A duty that an administrator gives beside somebody's own role: 院长, 医务科主任, 行政. Triage SOP S4.
    "inspection_contact": _role("—", _l("Contact for inspections"), BRANCH, INSPECTIONS),
    # No person: the login under whose API key a telephone system tells of calls, and may nothing else.
    "telephone": _role("—", _l("Telephone system (program)"), BRANCH, {"call_event": "post"}),
    "admin": _role(
        "—",
        _l("Administrator"),
        GROUP,
        SYSTEM,
        ORGANISATION,
        PEOPLES_FILES,
        SOURCES,
        REQUIREMENTS,
        PROCESSES,
        IMPORT_STAFF,
        {
            "branch": "add edit",
            "role_override": "list show add edit",
            "role_reach": "list show add edit",
            "act_run": "list show",
            "sensitive_view_log": "list",
            "key_rotation": "list show",
        },
        department=GROUP,
        employee=GROUP,
        channel_partner=GROUP,
        process_remark=GROUP,
        handover_batch=GROUP,
        background_task=GROUP,
        import_batch=OWN,
    ),
}


class _RoleName(StrEnum):
    @property
    def label(self) -> object:
        return ROLES[self.value].label


#: The roles as one chooses them: by their label.
RoleName: type[StrEnum] = _RoleName("RoleName", {name: name for name in ROLES})  # type: ignore[call-arg, assignment]


def rights_of(role: str) -> set[tuple[str, str]]:
    """Return the (table, permission) pairs of a role as declared, such as ``("param", "can_set_value")``."""
    return {(table, f"can_{name}") for table, names in ROLES[role].rights.items() for name in names.split()}
