"""Speaks: CDS Hooks 2.0.1 in and out; each step of the journey of one request is one module."""
