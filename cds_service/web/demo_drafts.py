"""What can be chosen in the demonstration's EHR: orders, and problems for the problem list."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"


class Choice(msgspec.Struct, frozen=True):
    """One order or problem of the catalogue; the page gives it an id, a status and the patient."""

    id: str
    label: str
    resource: Mapping[str, Any]


class Catalogue(msgspec.Struct, frozen=True):
    """All of them."""

    orders: tuple[Choice, ...]
    problems: tuple[Choice, ...]


def added_problem(choice: Choice, patient: str) -> Mapping[str, Any]:
    """A problem as the page puts it into a call: current, confirmed, and the patient's."""
    return {
        **choice.resource,
        "id": f"added-{choice.id}",
        "clinicalStatus": {"coding": [{"system": _CLINICAL, "code": "active"}]},
        "verificationStatus": {"coding": [{"system": _VERIFICATION, "code": "confirmed"}]},
        "subject": {"reference": f"Patient/{patient}"},
    }


@cache
def catalogue() -> Catalogue:
    """The catalogue as it is shipped."""
    text = (files("cds_service") / "web" / "demo_orders.json").read_bytes()
    return msgspec.json.decode(text, type=Catalogue)
