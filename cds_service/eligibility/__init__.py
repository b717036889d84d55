"""Decides: facts, a policy and a day in, one explained assessment out. Pure: no clock, no network, no files at run time."""
