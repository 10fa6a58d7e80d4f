"""接诊: receiving customers, their cards and forms. White paper 2.2."""
