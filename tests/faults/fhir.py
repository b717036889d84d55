"""A small FHIR server as a function: a read, or one page of a search by patient."""

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, urlencode

Resource = dict[str, Any]

RESOURCES: tuple[Resource, ...] = (
    {"resourceType": "Patient", "id": "p1", "birthDate": "1981-05-04"},
    *(
        {"resourceType": kind, "id": f"{kind.lower()}-{number}", "subject": {"reference": "Patient/p1"}}
        for kind in (
            "Condition",
            "Observation",
            "Procedure",
            "DiagnosticReport",
            "Specimen",
            "ServiceRequest",
        )
        for number in range(3)
    ),
)


def answer(resources: Sequence[Resource], base: str, target: str, page_size: int) -> tuple[int, Resource]:
    """Status and content for a target below the base: "/Patient/p1", "/Condition?patient=p1&page=2"."""
    path, _, query = target.partition("?")
    kind, _, identifier = path.lstrip("/").partition("/")
    if identifier:
        return _read(resources, kind, identifier)
    asked = {name: values[0] for name, values in parse_qs(query).items()}
    patient = f"Patient/{asked.get('patient', '').removeprefix('Patient/')}"
    found = [
        item
        for item in resources
        if item["resourceType"] == kind and item.get("subject", {}).get("reference") == patient
    ]
    return 200, _page(found, f"{base}/{kind}", asked, page_size)


def _read(resources: Sequence[Resource], kind: str, identifier: str) -> tuple[int, Resource]:
    for item in resources:
        if (item["resourceType"], item["id"]) == (kind, identifier):
            return 200, item
    return 404, {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "not-found"}]}


def _page(found: Sequence[Resource], address: str, asked: dict[str, str], page_size: int) -> Resource:
    number = int(asked.get("page", "1"))
    links = [{"relation": "self", "url": f"{address}?{urlencode(asked)}"}]
    if number * page_size < len(found):
        links.append({"relation": "next", "url": f"{address}?{urlencode(asked | {'page': str(number + 1)})}"})
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": len(found),
        "link": links,
        "entry": [
            {"resource": item, "search": {"mode": "match"}}
            for item in found[(number - 1) * page_size : number * page_size]
        ],
    }


def as_json(content: Any) -> bytes:
    """JSON as it goes over the wire."""
    return json.dumps(content).encode()
