"""The schema's refusals as sentences: the last guard speaks the user's language too."""

from __future__ import annotations

from sqlalchemy.exc import IntegrityError

from app.words import _, _l

SENTENCES: dict[str, object] = {
    "uq_visit_open_customer": _l("This customer is in the house already; please look for her open visit."),
    "uq_visit_appointment_slip_id": _l("This slip was received already."),
    "ck_visit_no_own_referrer": _l("A customer cannot refer herself."),
    "uq_customer_card_active": _l("This customer has a card in use already."),
    "uq_visit_card_issue_card": _l("This card is out with another visit."),
    "uq_visit_card_issue_visit": _l("This visit has a temporary card already."),
    "uq_rotation_seat_order": _l("Another seat of this line has this office order."),
    "uq_rotation_seat_employee": _l("She has a seat in this line already."),
    "uq_triage_assignment_visit_line": _l("This visit is assigned in this line already."),
    "uq_rotation_turn_visit_seat": _l("This seat had its turn for this visit already."),
    "uq_consultation_open": _l("A consultation of this visit is open already."),
    "uq_closing_checklist_desk_id_closed_on": _l("This desk was closed today already."),
    "uq_inspection_visit_signed_file_id": _l("This file belongs to another official visit already."),
    "uq_inspection_visit_result_file_id": _l("This file belongs to another official visit already."),
    "uq_reception_form_visit_id": _l("This visit has its form already."),
    "uq_reception_form_form_no": _l("This form belongs to another visit."),
    "uq_appointment_slip_supersedes_id": _l("This slip has been redone already; a slip can be redone once."),
    "uq_appointment_supplement_request_open": _l("There is an open request for this customer and day already."),
    "uq_appointment_supplement_request_evidence_file_id": _l("This file is the evidence of another request already."),
    "ck_appointment_slip_latest_after_appointed": _l("The latest arrival cannot lie before the appointment."),
    "ck_contact_record_partner_contact_has_no_referrer": _l("A partner's customer has no referrer."),
    "ck_customer_partner_customer_has_no_referrer": _l("A partner's customer has no referrer."),
    "ck_contact_record_partner_named": _l("A partner's customer names the partner."),
    "ck_customer_no_own_referrer": _l("A customer cannot refer herself."),
    "ck_customer_merge_log_two_files": _l("A file cannot be merged into itself."),
    "ck_customer_merge_log_two_people": _l("Who proposed a merge cannot carry it out or reject it."),
    "uq_customer_merge_log_merged": _l("A merge of this file is proposed already."),
    "tg_customer_not_merged": _l("This file was merged into another just now. Please look for the customer again."),
    "uq_field_requirement_branch_stage_field": _l("This field of this stage stands already; please change that row."),
    "ck_customer_trait_day_exists": _l("There is no such day."),
    "uq_customer_trait_supersedes_id": _l("This trait has been corrected already."),
    "uq_customer_contact_customer_id_kind_value_hash": _l("This customer has this contact already."),
    "ck_employee_partner_is_another": _l("The partner must be somebody else."),
    "ck_employee_successor_is_another": _l("The successor must be somebody else."),
    "ck_department_no_own_parent": _l("A department cannot be part of itself."),
    "ck_department_no_cycle": _l("A department cannot be part of itself."),
    "ck_department_parent_of_branch": _l("This department belongs to another branch."),
    "uq_position_department_department_id_position_id": _l("This department has this post already."),
    "ck_handover_batch_to_another": _l("The successor must be somebody else."),
    "ck_branch_code_two_digits": _l("A branch code has two digits."),
    "ck_number_rule_prefix_letters": _l("A prefix has one to four capital letters."),
    "uq_number_rule_prefix": _l("Another document type has this prefix already."),
    "uq_branch_day_branch_id_day_on": _l("This day is entered already; please edit it."),
    "uq_phone_system_in_use": _l("This branch has a telephone system in use already; please retire that one first."),
    "uq_phone_extension_branch_id_extension": _l("This extension is entered already."),
    "uq_phone_call_recording_file_id": _l("This file is the recording of another call already."),
    "ck_number_rule_width_bounds": _l("A counter has three to ten digits."),
}


def constraint_of(wrong: IntegrityError) -> str:
    """Return the name of the constraint that refused, or an empty string."""
    diagnosis = getattr(wrong.orig, "diag", None)
    return getattr(diagnosis, "constraint_name", None) or ""


def sentence_for(wrong: IntegrityError) -> str:
    """Return what to tell the user; never SQL, never values."""
    name = constraint_of(wrong)
    known = SENTENCES.get(name)
    if known is not None:
        return str(known)
    if name.startswith("uq_"):
        return _("A record with these values exists already.")
    return _("This conflicts with another record. Please check what you typed.")
