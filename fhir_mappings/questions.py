"""What a clinician can be asked for: each fact that can be missing and typed, its questions, answers, limits and codes.

The content is data (`questions.json`). An answer with a code is written with it; what an answer means is the value that
the reader of the fact makes of it, so that the form and the readers speak one language.
"""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from functools import cache
from importlib.resources import files

import msgspec

from fhir_mappings.valueset import terminology

FORM_ANSWERS = "urn:milan-net:codesystem:form"


class Kind(StrEnum):
    """What is typed into a field."""

    CHOICE = "choice"
    DECIMAL = "decimal"
    DATE = "date"


class Option(msgspec.Struct, frozen=True):
    """One answer: its code (`system|code`) and the value of the fact that it means.

    An answer without a code of its own has one of the form; `finding` is then what it is written as, if anything.
    """

    id: str
    label: str
    coding: str | None = None
    means: str | None = None
    finding: str | None = None

    @property
    def code(self) -> Mapping[str, str]:
        """The Coding of the answer; one of the form's own code system where no other has it."""
        if self.coding is None:
            return {"system": FORM_ANSWERS, "code": self.id, "display": self.label}
        return {"display": self.label, **coding_of(self.coding)}

    @property
    def finding_code(self) -> Mapping[str, str] | None:
        """The Coding that a finding is written with; none where no finding is made of the answer."""
        written = self.finding or self.coding
        return coding_of(written) if written is not None else None


class Field(msgspec.Struct, frozen=True):
    """One field of a question. `unit` and the limits belong to numbers, `options` to choices."""

    id: str
    label: str
    kind: Kind
    required: bool = False  # once anything of the question is answered
    hint: str = ""
    options: tuple[Option, ...] = ()
    unit: str = ""
    minimum: Decimal | None = None
    maximum: Decimal | None = None

    def option(self, name: str) -> Option | None:
        """The answer of that id."""
        return next((item for item in self.options if item.id == name), None)

    def meaning(self, value: str) -> Option | None:
        """The answer that means a value of the fact."""
        return next((item for item in self.options if item.means == value), None)


class Grading(msgspec.Struct, frozen=True):
    """The grade that an answer states beside its code: no public code says "NET G3" (terminology.md 2 h)."""

    code: str
    of: Mapping[str, str]


class Question(msgspec.Struct, frozen=True):
    """What is asked of one fact; `code` is what the finding is of, `codes` those of single fields."""

    label: str
    ask: str
    code: str
    fields: tuple[Field, ...]
    repeats: bool = False
    codes: Mapping[str, str] = {}
    grade: Grading | None = None

    def field(self, name: str) -> Field:
        """The field of that id; a KeyError where there is none."""
        return {item.id: item for item in self.fields}[name]


@cache
def questions() -> Mapping[str, Question]:
    """Every question by the fact that it is about."""
    text = (files("fhir_mappings") / "questions.json").read_bytes()
    return msgspec.json.decode(text, type=dict[str, Question])


def coding_of(text: str) -> Mapping[str, str]:
    """A Coding of `system|code` under our own label."""
    system, _, code = text.rpartition("|")
    label = terminology().display(system, code)
    return {"system": system, "code": code} | ({"display": label} if label else {})
