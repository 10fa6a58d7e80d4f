"""分诊: whose turn it is, and why. White paper 2.3, triage SOP."""

from app.services.triage import assigning, handover
from app.services.triage.reference import add_triage_rules

__all__ = ["add_triage_rules", "assigning", "handover"]
