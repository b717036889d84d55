"""Every FHIR resource that leaves this house is valid R4 for two validators that know nothing of each other."""

import json
from collections.abc import Iterator
from importlib.resources import files
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.demo.fhir import PREFIX, demo_app
from cds_service.errors import HttpError, UnauthorizedError
from cds_service.hooks.services import SERVICES
from cds_service.settings import Settings
from cds_service.tenants import OrderCode, Tenant, Tenants
from fhir_mappings.facts import OrderKind
from tests.hooks.calls import ON, bundle, cards_of, client
from tests.node import Node
from tests.samples.generate import SAMPLES, request

Json = dict[str, Any]
Named = Iterator[tuple[str, Json]]
ROOT = Path(__file__).parents[2]
DRAFTED = ("306316000", "61326000", "764695006")  # a transplant referral, a liver resection, receptor imaging
UNREADABLE = "Condition/bone-metastasis-unreadable-bone"  # which is what this sample asks about


# --- what leaves the house --------------------------------------------------------------------------------------------


def suggested() -> Named:
    """The draft orders on the cards of every sample patient and hook, by public codes and by those of a site."""
    everywhere, on_site = client(), site().test_client()
    for file in SAMPLES:
        body = request(file)
        for service, call in calls(body):
            yield from orders_on(f"{file} {service}", everywhere, service, call)
        yield from orders_on(f"{file} on-site", on_site, SERVICES[0].id, body)


def site() -> Flask:
    """A site that orders everything under codes of its own."""
    own = {kind: OrderCode(system="urn:example:orders", code=kind.value) for kind in OrderKind}
    return create_app(Settings(), Tenants((Tenant(id="site", dialect="epic", orders=own),)), today=lambda: ON)


def calls(body: Json) -> Iterator[tuple[str, Json]]:
    """A call of patient-view as every hook sends it; the hooks of orders with a draft of each kind."""
    for service in SERVICES:
        for context in contexts(service.hook, body["prefetch"]["conditions"]):
            yield service.id, body | {"hook": service.hook, "context": body["context"] | context}


def contexts(hook: str, conditions: Json) -> Iterator[Json]:
    drafts = (draft(code) for code in DRAFTED)
    match hook:
        case "order-sign" | "order-select":
            yield from ({"draftOrders": bundle(it), "selections": ["ServiceRequest/d1"]} for it in drafts)
        case "problem-list-item-create":
            yield {"conditions": conditions}
        case "appointment-book":
            yield {"appointments": bundle({"resourceType": "Appointment", "status": "proposed"})}
        case _:
            yield {"encounterId": "e1"}


def draft(code: str) -> Json:
    coded = {"coding": [{"system": "http://snomed.info/sct", "code": code}]}
    return {"resourceType": "ServiceRequest", "id": "d1", "status": "draft", "intent": "order", "code": coded}


def orders_on(name: str, ehr: FlaskClient, service: str, call: Json) -> Named:
    for card in cards_of(ehr.post(f"/cds-services/{service}", json=call)):
        for suggestion in card.get("suggestions", ()):
            for action in suggestion["actions"]:
                yield f"{name}: {suggestion['label']}", action["resource"]


def errors() -> Named:
    """An OperationOutcome of every kind of error that has one, with and without a path."""
    kinds = [HttpError]
    for kind in kinds:
        kinds.extend(kind.__subclasses__())
        if hasattr(kind, "status") and kind is not UnauthorizedError:
            for paths in ((), ("context.patientId", "prefetch.conditions.entry[0].resource")):
                yield f"{kind.__name__}{paths}", kind("What is wrong.", *paths).as_outcome()


def published() -> Named:
    """The code system, value sets and maps that are FHIR resources; beside them lie lists of words, which are not."""
    for file in (files("fhir_mappings") / "valuesets").iterdir():
        content = json.loads(file.read_text("utf-8"))
        if "resourceType" in content:
            yield file.name, content


def samples() -> Named:
    """The sample patients: each resource, and a small chart as the Bundle that it is."""
    for file, make in SAMPLES.items():
        chart = make().bundle()
        for entry in chart["entry"]:
            found = entry["resource"]
            yield f"{found['resourceType']}/{found['id']}", found
        if len(chart["entry"]) < 50 and file != "20-bone-metastasis-unreadable":
            yield file, chart


def demonstrated() -> Named:
    """What the demonstration's endpoint answers: its CapabilityStatement, searches with and without results, errors."""
    server = demo_app(ROOT / "sample_bundles").test_client()
    for address in (
        "metadata",
        "Condition?patient=meets",
        "Observation?patient=chart-of-2000-resources&_count=3",
        "Specimen?patient=no-such-patient",
        "Condition?code=x",
        "Patient/no-such-patient",
    ):
        yield f"demo {address}", server.get(f"{PREFIX}/{address}").get_json(force=True)


# --- what is said of it -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def emitted() -> dict[str, Json]:
    return dict(chain(suggested(), errors(), published(), samples(), demonstrated()))


def test_two_validators_find_every_resource_valid_that_we_emit(node: Node, emitted: dict[str, Json]) -> None:
    found = node.run("validate.mjs", emitted)
    mistake = "/".join(problem.partition(":")[0] for problem in found.pop(UNREADABLE))
    assert mistake == "medplum/fhir"
    assert found == {}


def test_what_is_validated_is_of_every_kind_that_we_emit(emitted: dict[str, Json]) -> None:
    kinds = {resource["resourceType"] for resource in emitted.values()}
    assert {"ServiceRequest", "OperationOutcome", "CodeSystem", "ValueSet", "ConceptMap", "Bundle"} <= kinds
    assert "CapabilityStatement" in kinds
    orders = [name for name, resource in emitted.items() if resource.get("intent") == "proposal"]
    assert {name.partition(":")[0].split()[1] for name in orders} == {
        "on-site",
        *(service.id for service in SERVICES),
    }


def test_the_validators_see_what_is_wrong(node: Node) -> None:
    order = draft("306316000")
    sound = order | {"subject": {"reference": "Patient/1"}}
    absent = {"valueString": "3 %", "dataAbsentReason": {"text": "not done"}}
    found = node.run(
        "validate.mjs",
        {
            "sound": sound,
            "without its subject": order,
            "with a member that FHIR does not know": sound | {"urgent": True},
            "with a code that FHIR does not know": sound | {"status": "drafted"},
            "against an invariant": {
                "resourceType": "Observation",
                "status": "final",
                "code": {"text": "Ki-67"},
            }
            | absent,
        },
    )
    seen = {name: {problem.partition(":")[0] for problem in problems} for name, problems in found.items()}
    assert seen == {
        "without its subject": {"fhir", "medplum"},
        "with a member that FHIR does not know": {"fhir", "medplum"},
        "with a code that FHIR does not know": {"fhir"},
        "against an invariant": {"medplum"},
    }
