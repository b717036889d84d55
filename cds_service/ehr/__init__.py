"""Asks: the EHR's FHIR server, for what a call did not bring; nowhere else, and in time."""
