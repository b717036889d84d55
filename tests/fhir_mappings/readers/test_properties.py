"""Charts cut and bent at random: reading never fails, and no fact gets better without a named reason."""

import json
import random
from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhir_mappings.facts import (
    Differentiation,
    DiseaseExtent,
    Facts,
    Grade,
    PortalClass,
    Presence,
    ResidualStatus,
    Response,
)
from fhir_mappings.mapping import FACT_NAMES, read_facts
from fhir_mappings.record import read_file
from tests.builders import TODAY, Json, bundle

SAMPLES = Path(__file__).parents[3] / "sample_bundles"
LARGE = "19-chart-of-2000-resources.json"  # 01-meets with noise


def resources_of(path: Path) -> list[Json]:
    """The resources of a sample, all of them of the patient `p`."""
    found = [entry["resource"] for entry in json.loads(path.read_text())["entry"]]
    (patient_id,) = (item["id"] for item in found if item["resourceType"] == "Patient")
    text = json.dumps(found).replace(f'"Patient/{patient_id}"', '"Patient/p"')
    renamed: list[Json] = json.loads(text)
    return [item | {"id": "p"} if item["resourceType"] == "Patient" else item for item in renamed]


CHARTS = {path.stem: resources_of(path) for path in sorted(SAMPLES.glob("*.json")) if path.name != LARGE}
ALL = [item for items in CHARTS.values() for item in items if item["resourceType"] != "Patient"]


def read(resources: list[Json]) -> Facts:
    (record,) = read_file(bundle(*resources))
    return read_facts(record, TODAY)


def reference(item: Json) -> str:
    return f"{item['resourceType']}/{item.get('id')}"


# --- better -----------------------------------------------------------------------------------------------------------

GOOD: Mapping[str, Callable[[Any], bool]] = {
    "differentiation": lambda value: (
        value in (Differentiation.NET_G1, Differentiation.NET_G2, Differentiation.NET)
    ),
    "primary_site": lambda value: value.portal_class is PortalClass.PORTAL,
    "ki67_percent": lambda value: value.percent.high < 10,
    "mitotic_count": lambda value: value.count.high < 20,
    "histologic_grade": lambda value: value.grade in (Grade.G1, Grade.G2),
    "liver_involvement_percent": lambda value: value.percent.high < 50,
    "liver_resectability": lambda value: value == "unresectable",
    "extrahepatic_disease": lambda value: value.presence is Presence.ABSENT,
    "primary_resection": lambda value: (
        value.performed
        and value.residual is ResidualStatus.R0
        and not value.local_excision
        and not value.leaves_open_what_was_removed
    ),
    "disease_response": lambda value: all(
        item.confirmed and item.response not in (Response.PROGRESSION, Response.CONFLICTING)
        for item in value.assessments
    ),
    "neuroendocrine_tumour": lambda value: value is Presence.PRESENT,
    "liver_metastases": lambda value: value.presence is Presence.PRESENT,
}
"""What a candidate for a transplantation would want each fact to say."""


def is_good(facts: Facts, name: str) -> bool:
    value = getattr(facts, name).value
    return value is not None and GOOD[name](value)


SHARED = (
    *("neuroendocrine_tumour", "differentiation", "primary_site"),
    *("histologic_grade", "primary_resection", "other_malignancy"),
)
"""Facts that other facts are read with."""


def named(facts: Facts, *names: str) -> set[str]:
    """Every resource that some of the facts rest on or set aside, and every one that could not be read."""
    found = {issue.reference for issue in facts.issues}
    for name in names or FACT_NAMES:
        fact = getattr(facts, name)
        found |= {item.reference for item in fact.evidence}
        found |= {item.evidence.reference for item in fact.discarded}
    return found


def mixed(seed: int) -> list[Json]:
    """One sample and a few resources of the others."""
    rng = random.Random(seed)  # noqa: S311  a reproducible mixture
    chart = CHARTS[rng.choice(sorted(CHARTS))]
    extra = [
        item | {"id": f"{item['id']}-{index}"}
        for index, item in enumerate(rng.sample(ALL, rng.randint(0, 4)))
    ]
    return deepcopy([*chart, *extra])


FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


@FEW
@given(seed=st.integers(0, 10**6))
def test_dropping_what_a_fact_does_not_name_makes_it_no_better(seed: int) -> None:
    resources, rng = mixed(seed), random.Random(seed + 1)  # noqa: S311
    whole = read(resources)
    for name in [name for name in GOOD if not is_good(whole, name)][:3]:
        kept = named(whole, name, *SHARED)
        rest = [
            item
            for item in resources
            if item["resourceType"] in ("Patient", "Specimen", "DiagnosticReport")
            or reference(item) in kept
            or rng.random() < 0.4
        ]
        assert not is_good(read(rest), name), name


@FEW
@given(seed=st.integers(0, 10**6))
def test_disease_outside_the_liver_is_never_forgotten_by_dropping_something_else(seed: int) -> None:
    resources, rng = mixed(seed), random.Random(seed + 1)  # noqa: S311
    whole = read(resources).extrahepatic_disease
    if (
        whole.value is None
        or whole.value.presence is Presence.ABSENT
        or DiseaseExtent.ORGAN not in whole.value.extents
    ):
        return
    positive = {item.reference for item in whole.evidence}
    kept = [item for item in resources if reference(item) in positive or rng.random() < 0.6]
    rest = [item for item in resources if item in kept or item["resourceType"] == "Patient"]
    found = read(rest).extrahepatic_disease
    assert found.value is None or found.value.presence is Presence.PRESENT


@FEW
@given(seed=st.integers(0, 10**6))
def test_taking_a_confirmation_back_makes_no_fact_better(seed: int) -> None:
    resources, rng = mixed(seed), random.Random(seed + 1)  # noqa: S311
    whole = read(resources)
    candidates = [item for item in resources if item["resourceType"] in ("Observation", "Condition")]
    chosen = rng.choice(candidates)
    adverse = named(whole)
    if chosen["resourceType"] == "Condition":
        chosen["verificationStatus"] = {"coding": [{"code": "provisional"}]}
    else:
        chosen["status"] = "preliminary"
    rest = read(resources)
    for name in GOOD:
        if is_good(rest, name) and not is_good(whole, name):
            assert reference(chosen) in adverse, name


# --- bent -------------------------------------------------------------------------------------------------------------

JUNK = (
    *(None, True, 0, -1, 1e308, "", " ", "x", "2026-02-30", "9999", "urn:uuid:x"),
    *([], {}, [[]], [None], [{}], {"coding": 5}, {"coding": [7]}, {"coding": [{"system": 1, "code": {}}]}),
    *({"reference": []}, {"reference": "Patient/p"}, {"reference": "Condition/none"}, {"value": "1e400"}),
)


def paths(value: Any, prefix: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place inside a resource."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, item in items for place in ((*prefix, key), *paths(item, (*prefix, key)))]


def bend(resource: Json, place: tuple[Any, ...], junk: Any) -> None:
    holder: Any = resource
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = junk


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), seed=st.integers(0, 10**6))
def test_no_bend_of_a_chart_makes_reading_fail(data: st.DataObject, seed: int) -> None:
    resources = mixed(seed)
    for _ in range(data.draw(st.integers(1, 4))):
        item = resources[data.draw(st.integers(1, len(resources) - 1))]
        places = [place for place in paths(item) if place[0] not in ("resourceType", "id")]
        bend(item, data.draw(st.sampled_from(places)), deepcopy(data.draw(st.sampled_from(JUNK))))
    for record in read_file(bundle(*resources)):
        read_facts(record, TODAY)


@pytest.mark.parametrize("name", sorted(CHARTS))
def test_the_order_of_a_sample_and_copies_of_it_change_nothing(name: str) -> None:
    resources = CHARTS[name]
    wanted = read(resources)
    shuffled = [*resources, *resources[1:4]]
    random.Random(name).shuffle(shuffled)  # noqa: S311
    assert read(shuffled) == wanted
