"""Admits: who calls, told from a signed token that is taken once."""
