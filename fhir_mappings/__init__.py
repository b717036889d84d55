"""Reads: FHIR JSON in, facts about one patient out. No policy, no HTTP."""
