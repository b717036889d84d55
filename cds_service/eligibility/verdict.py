"""The vocabulary of answers: what one criterion answers, and what an assessment concludes."""

from enum import StrEnum


class Answer(StrEnum):
    """What one criterion answers. UNKNOWN is a value of its own: a gap in the record is never a "no"."""

    MET = "met"
    NOT_MET = "not-met"
    UNKNOWN = "unknown"


class Nature(StrEnum):
    """How a criterion that is not met can change (clinical.md 7.2, "changes with time", "class")."""

    PERMANENT = "permanent"
    ACTIONABLE = "actionable"
    TIME_RESOLVING = "time-resolving"
    RELATIVE = "relative"


class Verdict(StrEnum):
    """What an assessment concludes; the first that holds, in this order (clinical.md 7.3)."""

    NOT_APPLICABLE = "not-applicable"
    OUTSIDE = "outside"
    NOT_YET = "not-yet"
    BORDERLINE = "borderline"
    RESECTION_FIRST = "resection-first"
    INCOMPLETE = "incomplete"
    MEETS = "meets"

    @property
    def heading(self) -> str:
        """The verdict over a page, in a list or on a screen; a card says it in a sentence of its own."""
        return _HEADINGS[self]


_HEADINGS = {
    Verdict.NOT_APPLICABLE: "Not applicable",
    Verdict.OUTSIDE: "Outside the criteria",
    Verdict.NOT_YET: "Not yet",
    Verdict.BORDERLINE: "Borderline",
    Verdict.RESECTION_FIRST: "Resection first",
    Verdict.INCOMPLETE: "Possible candidate, data missing",
    Verdict.MEETS: "Meets the recorded criteria",
}


class Flag(StrEnum):
    """What a clinician should know about an answer at a glance."""

    BORDERLINE = "borderline"
    STALE = "stale"
    CONFLICTING = "conflicting"
    RELATIVE = "relative"
    UNREADABLE = "unreadable"
    NOT_SENT = "not-sent"
    LOW_CONFIDENCE = "low-confidence"
    DERIVED = "derived"
