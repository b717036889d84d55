"""Keeps: used tokens, cards shown and feedback on them; no patient, no user and no comment in clear."""
