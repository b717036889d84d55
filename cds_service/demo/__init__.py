"""The demonstration: the sample patients on a small FHIR endpoint that is read and never written."""
