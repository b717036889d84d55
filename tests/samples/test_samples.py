"""The sample patients: files as generated, valid FHIR, and answered as their table says."""

import json
import random
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

from cds_service.eligibility.assessment import Assessment
from cds_service.eligibility.evaluation import assess
from cds_service.eligibility.policy import DEFAULT_POLICY, policies, policy
from cds_service.eligibility.verdict import Verdict
from cds_service.hooks.prefetch import sent
from cds_service.hooks.request import parse
from cds_service.hooks.services import find
from fhir_mappings.mapping import read_facts
from fhir_mappings.record import read_file
from tests.samples import generate
from tests.samples.generate import BUNDLES, EVALUATED_ON, GOLDEN, REQUESTS

README = (BUNDLES / "README.md").read_text(encoding="utf-8")
FILES = sorted(path.stem for path in BUNDLES.glob("*.json"))
SMALL = [file for file in FILES if "2000" not in file]
UNREADABLE = "Condition/bone-metastasis-unreadable-bone"  # on purpose: the question of sample 20


def table(heading: str) -> list[dict[str, str]]:
    """The rows of the first table below a heading, by the names of its columns."""
    section = README.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    head, _, *rows = [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(head, row, strict=True)) for row in rows]


VERDICTS = {row["file"].removesuffix(".json"): row for row in table("Verdicts")}
REQUEST_ROWS = {row["file"].removesuffix(".json"): row for row in table("Requests")}


@cache
def bundle_text(file: str) -> str:
    return (BUNDLES / f"{file}.json").read_text(encoding="utf-8")


def assessed(bundle: dict[str, Any] | str, policy_id: str = DEFAULT_POLICY) -> Assessment:
    text = bundle if isinstance(bundle, str) else json.dumps(bundle)
    (record,) = read_file(text.encode())
    others = tuple(other for other in policies() if other.id != policy_id)
    return assess(read_facts(record, EVALUATED_ON), policy(policy_id), EVALUATED_ON, others)


# --- the files ---


def test_the_files_are_what_the_generator_makes() -> None:
    assert generate.differences() == []


def test_the_check_of_the_command_line_agrees() -> None:
    assert generate.main(["--check"]) == 0
    assert generate.main(["--unheard-of"]) == 2


def test_the_tables_name_every_file_once_and_no_other() -> None:
    assert [row["file"] for row in table("Verdicts")] == [f"{file}.json" for file in FILES]
    assert {row["file"] for row in table("Requests")} == {path.name for path in REQUESTS.glob("*.json")}


def test_the_tables_use_every_verdict() -> None:
    used = {row[known.id] for row in VERDICTS.values() for known in policies()}
    assert used == {verdict.value for verdict in Verdict}


@pytest.mark.parametrize("file", FILES)
def test_a_bundle_is_a_transaction_whose_references_stay_inside(file: str) -> None:
    bundle = json.loads(bundle_text(file))
    urls = [entry["request"]["url"] for entry in bundle["entry"]]
    assert bundle["type"] == "transaction"
    assert len({*urls}) == len(urls)
    assert len({entry["fullUrl"] for entry in bundle["entry"]}) == len(urls)
    for entry in bundle["entry"]:
        resource = entry["resource"]
        assert entry["request"] == {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"}
    assert set(references(bundle)) <= {*urls}


def test_no_two_samples_share_an_id() -> None:
    urls = [entry["request"]["url"] for file in FILES for entry in json.loads(bundle_text(file))["entry"]]
    assert len({*urls}) == len(urls)


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("reference"), str):
            yield node["reference"]
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from references(item)


@pytest.mark.parametrize("file", FILES)
def test_every_resource_is_valid_except_the_unreadable_one(file: str) -> None:
    resources = [entry["resource"] for entry in json.loads(bundle_text(file))["entry"]]
    invalid = [f"{item['resourceType']}/{item['id']}" for item in resources if not is_valid(item)]
    assert invalid == ([UNREADABLE] if file.startswith("20-") else [])


def is_valid(resource: dict[str, Any]) -> bool:
    try:
        get_fhir_model_class(resource["resourceType"]).model_validate(resource)
    except ValueError:
        return False
    return True


def test_the_large_chart_has_2000_resources_and_one_tumour() -> None:
    entries = json.loads(bundle_text("19-chart-of-2000-resources"))["entry"]
    assert len(entries) == 2000
    assert len([entry for entry in entries if "C7A" in json.dumps(entry)]) == 1


@pytest.mark.parametrize("path", sorted(BUNDLES.rglob("*")), ids=lambda path: path.name)
def test_nothing_looks_like_a_person_or_a_machine(path: Path) -> None:
    if path.suffix == ".json":
        names = re.findall(r'"family": ?"([^"]*)"', path.read_text(encoding="utf-8"))
        assert set(names) == {"Sample"}
    if path.is_file():
        assert not re.search(r"/(home|root|work|Users|tmp)/", path.read_text(encoding="utf-8"))


# --- the verdicts ---


@pytest.mark.parametrize("policy_id", ["milan-net-2016", "milan-net-2007", "optn-nlrb-net"])
@pytest.mark.parametrize("file", FILES)
def test_a_sample_is_answered_as_the_table_says(file: str, policy_id: str) -> None:
    answer = assessed(bundle_text(file), policy_id)
    assert answer.verdict == VERDICTS[file][policy_id], answer.headline


@pytest.mark.parametrize("file", FILES)
def test_an_assessment_names_the_verdicts_of_the_other_policies(file: str) -> None:
    expected = {known.id: VERDICTS[file][known.id] for known in policies() if known.id != DEFAULT_POLICY}
    answer = assessed(bundle_text(file))
    if answer.verdict is not Verdict.NOT_APPLICABLE:
        assert dict(answer.other_verdicts) == expected


@pytest.mark.parametrize("file", FILES)
def test_an_assessment_is_the_golden_one(file: str) -> None:
    wanted = (GOLDEN / f"{file}.json").read_text(encoding="utf-8")
    assert generate.golden(bundle_text(file)) == wanted, (
        "if that is meant: python -m tests.samples.generate --golden"
    )


def test_there_is_no_golden_file_without_a_sample() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == {*FILES}


def test_the_dates_of_the_windows_are_the_ones_of_the_table() -> None:
    window = assessed(bundle_text("23-window-closes-before-it-opens"))
    assert (str(window.resolves_on), str(window.ages_out_on)) == ("2027-03-01", "2027-01-10")
    assert window.warnings
    assert str(assessed(bundle_text("04-progression-in-july")).resolves_on) == "2027-01-01"
    assert str(assessed(bundle_text("09-resected-in-june")).resolves_on) == "2026-12-01"


def test_the_unreadable_resource_is_named() -> None:
    assert UNREADABLE in {
        issue.reference for issue in assessed(bundle_text("20-bone-metastasis-unreadable")).issues
    }


# --- order and repetition ---


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("file", SMALL)
def test_the_order_of_the_entries_does_not_matter(file: str, seed: int) -> None:
    bundle = json.loads(bundle_text(file))
    random.Random(seed).shuffle(bundle["entry"])  # noqa: S311  (not for secrets)
    assert generate.golden(json.dumps(bundle)) == generate.golden(bundle_text(file))


@pytest.mark.parametrize("file", SMALL)
def test_an_entry_that_comes_twice_counts_once(file: str) -> None:
    bundle = json.loads(bundle_text(file))
    bundle["entry"] += bundle["entry"]
    assert generate.golden(json.dumps(bundle)) == generate.golden(bundle_text(file))


# --- forgetting ---

STILL_MEETS = {
    "Observation/meets-histology": "the diagnosis is carcinoid and the grade G1",
    "Observation/meets-grade": "Ki-67 2 % makes the well-differentiated tumour low grade",
    "Observation/meets-ki67": "grade G1 means Ki-67 < 3 %",
    "Specimen/meets-specimen-primary": "the diagnosis and the resection name the ileum",
    "Specimen/meets-specimen-liver": "where the Ki-67 was counted is not known, its value is",
    "DiagnosticReport/meets-pet-report": "the finding names the PET as its method",
    "Observation/meets-response-2026-05-02": "the first and the last assessment still span six months",
    "Observation/meets-resectability": "not stated is asked and does not block",
}


def without_one_resource() -> Iterator[tuple[str, dict[str, Any]]]:
    bundle = json.loads(bundle_text("01-meets"))
    for gone in bundle["entry"]:
        rest = [entry for entry in bundle["entry"] if entry is not gone]
        yield gone["request"]["url"], {**bundle, "entry": rest}


@pytest.mark.parametrize(
    ("gone", "bundle"),
    list(without_one_resource()),
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_forgetting_one_resource_takes_certainty_and_nothing_else(gone: str, bundle: dict[str, Any]) -> None:
    allowed = {Verdict.MEETS} if gone in STILL_MEETS else {Verdict.INCOMPLETE, Verdict.NOT_APPLICABLE}
    assert assessed(bundle).verdict in allowed


# --- the requests ---


@pytest.mark.parametrize("path", sorted(REQUESTS.glob("*.json")), ids=lambda path: path.stem)
def test_a_request_is_a_patient_view_with_our_keys(path: Path) -> None:
    body = json.loads(path.read_text(encoding="utf-8"))
    assert body["hook"] == "patient-view"
    assert body["prefetch"]["patient"]["id"] == body["context"]["patientId"]
    missing = {"observations"} if path.stem == "observations-missing" else set()
    assert {*body["prefetch"]} == {"patient", *generate.KEYS} - missing
    for value in body["prefetch"].values():
        if value is not None and path.stem != "observations-failed":
            assert is_valid(value)


@pytest.mark.parametrize("path", sorted(REQUESTS.glob("*.json")), ids=lambda path: path.stem)
def test_a_request_is_answered_as_the_table_says(path: Path) -> None:
    body = path.read_bytes()
    record = sent(parse(body, find("milan-net-patient-view")), body)
    answer = assess(read_facts(record, EVALUATED_ON), policy(DEFAULT_POLICY), EVALUATED_ON, ())
    assert answer.verdict == REQUEST_ROWS[path.stem][DEFAULT_POLICY], answer.headline
