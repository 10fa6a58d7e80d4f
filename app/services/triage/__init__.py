"""分诊: whose turn it is, and why. White paper 2.3, triage SOP."""
