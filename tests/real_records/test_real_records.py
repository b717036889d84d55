"""Records that nobody here wrote: nothing crashes on them, nothing is invented, and what they say is read.

They are read in place: from the folder `shared/records` beside the repository, or the one that
MILAN_NET_RECORDS names, and from `tests/.records` (`make records`). `expectations.json` was written by reading
the records as a clinician does, before the mapping was looked at; rows with `graft`, where the patient is given
a NET beside all else, came later. A row with a `difference` is one that the mapping reads otherwise, with the
reason; it fails as soon as the two agree.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError

from cds_service.eligibility.evaluation import assess
from cds_service.eligibility.policy import policies
from cds_service.eligibility.verdict import Verdict
from fhir_mappings.facts import Fact, Facts, Presence, ResponseCourse
from fhir_mappings.mapping import read_facts
from fhir_mappings.mending import ELEMENTS
from fhir_mappings.record import RecordError, read_file
from fhir_mappings.valueset import is_other_malignancy, terminology
from fhir_mappings.when import PartialDate
from tests import records

HERE = Path(__file__).parent
ON = date(2026, 11, 23)
NONE = "none"

SHARED = records.folder()
FETCHED = records.REPOSITORY / "tests" / ".records"
SAME_FILES = {
    "A_oncology/mcode-4.0.0": "hl7.fhir.us.mcode",
    "D_spec_examples/hl7-r4-examples": "hl7.fhir.r4.examples",
}
"""Folders of the collection whose files `make records` brings under the same names."""

STATED_BY_NO_RECORD = (
    "neuroendocrine_tumour",
    "differentiation",
    "primary_site",
    "ki67_percent",
    "mitotic_count",
    "liver_involvement_percent",
    "liver_resectability",
    "primary_resection",
    "transplant_status",
    "carcinoid_syndrome",
    "carcinoid_heart_disease",
    "end_of_life_care",
    "transplant_refusal",
    "hereditary_syndrome",
)
"""What no file of the collection says of anybody: a value here would be invented."""

PAGES = {
    "Bundle-bundle-example.json": Verdict.INCOMPLETE,
    "sample_fhir_bundle_for_phdc_conversion.json": Verdict.INCOMPLETE,
}
"""A page of a longer result, and a Bundle with an entry that does not say what it is: "no tumour" would be a guess."""


# --- the files ----------------------------------------------------------------------------------------------


def _folders() -> dict[str, Path]:
    """Every folder of records that is here, under a name for the test report."""
    shared = {
        f"{path.parent.name}/{path.name}": path for path in sorted(SHARED.glob("[A-F]_*/*")) if path.is_dir()
    }
    fetched = {path.name: path for path in sorted(FETCHED.glob("hl7.*")) if path.is_dir()}
    return shared | fetched


FOLDERS = _folders()
pytestmark = pytest.mark.skipif(
    not FOLDERS,
    reason="no example records: no ../shared/records, no MILAN_NET_RECORDS, and no `make records` yet",
)
by_folder = pytest.mark.parametrize("folder", FOLDERS or ["no records"])


@dataclass(frozen=True)
class Reading:
    """One file and what became of it: the facts of each patient, a refusal, or an exception."""

    name: str
    path: Path
    facts: tuple[Facts, ...] = ()
    refusal: RecordError | None = None
    crash: str = ""


def _files(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.rglob("*") if path.suffix in (".json", ".ndjson") and path.is_file()
    )


def _read(path: Path, name: str) -> Reading:
    try:
        return Reading(
            name, path, tuple(read_facts(record, on=ON) for record in read_file(path.read_bytes()))
        )
    except RecordError as error:
        return Reading(name, path, refusal=error)
    except Exception as error:  # noqa: BLE001  what may escape is the question
        return Reading(name, path, crash=f"{name}: {type(error).__name__}: {error}")


@cache
def readings(folder: str) -> tuple[Reading, ...]:
    """All files of a folder, read once for all tests."""
    root = FOLDERS[folder]
    return tuple(_read(path, f"{folder}/{path.relative_to(root)}") for path in _files(root))


def _told(problems: list[str]) -> str:
    return f"{len(problems)} problems:\n" + "\n".join(problems[:40])


# --- nothing crashes, nothing is invented -------------------------------------------------------------------


@by_folder
def test_every_file_is_read_or_refused_with_a_sentence(folder: str) -> None:
    problems = [reading.crash for reading in readings(folder) if reading.crash]
    refusals = {reading.name: str(reading.refusal) for reading in readings(folder) if reading.refusal}
    problems += [
        f"{name}: {text!r}" for name, text in refusals.items() if not re.fullmatch(r"\S+( \S+)+", text)
    ]
    assert not problems, _told(problems)


@by_folder
def test_no_record_has_a_neuroendocrine_tumour_or_anything_that_only_its_chart_would_say(folder: str) -> None:
    problems = [
        f"{reading.name}, {facts.patient}: {name} is {getattr(facts, name).value}"
        for reading in readings(folder)
        for facts in reading.facts
        for name in STATED_BY_NO_RECORD
        if getattr(facts, name).value not in (None, Presence.ABSENT)
    ]
    assert not problems, _told(problems)


@by_folder
def test_no_patient_gets_another_verdict_than_not_applicable(folder: str) -> None:
    problems = [
        f"{reading.name}, {facts.patient}: {verdict}"
        for reading in readings(folder)
        for facts in reading.facts
        for verdict in _verdicts(facts)
        if verdict is not PAGES.get(reading.path.name, Verdict.NOT_APPLICABLE)
    ]
    assert not problems, _told(problems)


def _verdicts(facts: Facts) -> list[Verdict]:
    """The verdict under each policy, compared with all the others."""
    return [assess(facts, policy, ON, policies()).verdict for policy in policies()]


# --- what could not be read is named ------------------------------------------------------------------------


@by_folder
def test_a_resource_that_matters_and_is_no_valid_fhir_is_named_or_mended(folder: str) -> None:
    problems = []
    for reading in readings(folder):
        named = {item.reference for facts in reading.facts for item in facts.issues}
        named |= {item.reference for facts in reading.facts for item in facts.mendings}
        for resource in _resources(reading.path) if reading.facts else ():
            reference = f"{resource['resourceType']}/{resource.get('id')}"
            if _matters(resource) and not _is_valid(resource) and reference not in named:
                problems.append(f"{reading.name}: {reference}")
    assert not problems, _told(problems)


@by_folder
def test_the_problem_of_a_resource_is_told_without_its_values(folder: str) -> None:
    problems = []
    for reading in readings(folder):
        issues = {(item.reference, item.problem) for facts in reading.facts for item in facts.issues}
        by_reference = (
            {f"{item['resourceType']}/{item.get('id')}": item for item in _resources(reading.path)}
            if issues
            else {}
        )
        for reference, problem in issues:
            leaks = [value for value in _values(by_reference.get(reference, {})) if _tells(problem, value)]
            problems += [f"{reading.name}: {reference}: {problem!r} tells {value!r}" for value in leaks]
    assert not problems, _told(problems)


def _resources(path: Path) -> Iterator[dict[str, Any]]:
    """The resources of a file (a Bundle's entries, NDJSON lines), read without any code of the project."""
    data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    try:
        documents = [orjson.loads(data)]
    except orjson.JSONDecodeError:
        documents = [orjson.loads(line) for line in data.splitlines() if line.strip()]
    for document in documents:
        entries = (
            document.get("entry") if document.get("resourceType") == "Bundle" else [{"resource": document}]
        )
        for entry in entries if isinstance(entries, list) else [entries]:
            resource = entry.get("resource") if isinstance(entry, dict) else None
            if isinstance(resource, dict) and isinstance(resource.get("resourceType"), str):
                yield resource


def _matters(resource: Mapping[str, Any]) -> bool:
    """Whether the value sets know its code, or a code of its extensions; a Patient always matters."""
    if resource["resourceType"] == "Patient":
        return True
    if resource["resourceType"] not in ELEMENTS or resource["resourceType"] == "Specimen":
        return False
    return any(map(_is_known, _codings(resource.get("code")))) or (
        resource["resourceType"] == "Condition" and any(map(_is_known, _codings(resource.get("extension"))))
    )


def _codings(node: object) -> Iterator[tuple[str, str]]:
    if isinstance(node, list):
        for item in node:
            yield from _codings(item)
    if isinstance(node, dict):
        if isinstance(node.get("system"), str) and isinstance(node.get("code"), str):
            yield node["system"], node["code"]
        yield from _codings([node.get(name) for name in ("coding", "valueCodeableConcept")])


def _is_known(coding: tuple[str, str]) -> bool:
    return bool(terminology().meanings(*coding)) or is_other_malignancy(*coding)


def _is_valid(resource: Mapping[str, Any]) -> bool:
    """Strict validation of the elements, and of the extensions, that readers use."""
    kind = resource["resourceType"]
    model = get_fhir_model_class(kind)
    read = {name: resource[name] for name in ELEMENTS[kind] & resource.keys()}
    if isinstance(extensions := read.get("extension"), list):
        read["extension"] = [item for item in extensions if _is_read(item)]
    try:
        model.model_validate(read)
    except (ValidationError, ValueError, TypeError, AssertionError):
        return False
    return True


def _is_read(extension: object) -> bool:
    url = str(extension.get("url")) if isinstance(extension, dict) else ""
    return any(word in url for word in ("histology", "related", "intent"))


def _values(node: object) -> Iterator[str]:
    """Everything a resource says, except the names of its elements and types."""
    if isinstance(node, dict):
        for name, item in node.items():
            if name not in ("resourceType", "type", "url"):
                yield from _values(item)
    elif isinstance(node, list):
        for item in node:
            yield from _values(item)
    elif isinstance(node, str | int | float) and not isinstance(node, bool):
        yield str(node)


def _tells(problem: str, value: str) -> bool:
    own_words = {"value", "code", "status", "missing", "malformed", "unknown"}
    return (
        len(value) > 2
        and value not in own_words
        and re.search(rf"(?<![\w.]){re.escape(value)}(?![\w.])", problem) is not None
    )


# --- the shapes of real records, with codes that matter -----------------------------------------------------

KNOWN_CODES = {
    "Patient": None,
    "Condition": ("http://hl7.org/fhir/sid/icd-10-cm", "C7A.012"),
    "Observation": ("http://loinc.org", "29593-1"),
    "Procedure": ("http://snomed.info/sct", "359571009"),
    "DiagnosticReport": ("http://loinc.org", "22637-3"),
    "ServiceRequest": ("http://snomed.info/sct", "306316000"),
}
"""A code for each type that makes any resource of that type matter."""


@dataclass(frozen=True)
class Recoded:
    """A real resource that was given a code that matters, and what became of the patient it stands alone with."""

    name: str
    resource: dict[str, Any]
    facts: Facts | None = None
    crash: str = ""

    @property
    def own_issues(self) -> tuple[str, ...]:
        return tuple(item.problem for item in self.facts.issues) if self.facts else ()

    @property
    def is_named(self) -> bool:
        return self.facts is not None and bool(self.facts.issues or self.facts.mendings)


@cache
def recoded(folder: str) -> tuple[Recoded, ...]:
    """Every resource of a folder that has a relevant type, each as the chart of one patient with a known code.

    No public record has a neuroendocrine tumour, so almost nothing in them is validated. Their shapes are real all
    the same: what bends them would bend the chart of a patient who has one.
    """
    return tuple(
        _recoded(f"{reading.name}: {resource['resourceType']}/{resource.get('id')}", resource)
        for reading in readings(folder)
        if not reading.refusal or "no patient" in str(reading.refusal)
        for resource in _resources(reading.path)
        if resource["resourceType"] in KNOWN_CODES
    )


def _recoded(name: str, original: Mapping[str, Any]) -> Recoded:
    resource = dict(original)
    if coding := KNOWN_CODES[resource["resourceType"]]:
        resource["code"] = {"coding": [dict(zip(("system", "code"), coding, strict=True))]}
        resource["subject"] = {"reference": "Patient/recoded"}
        entries = [{"resource": {"resourceType": "Patient", "id": "recoded"}}, {"resource": resource}]
    else:
        resource["id"] = "recoded"
        entries = [{"resource": resource}]
    try:
        (record,) = read_file(
            orjson.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})
        )
        facts = read_facts(record, on=ON)
        _verdicts(facts)
        return Recoded(name, resource, facts)
    except Exception as error:  # noqa: BLE001  what may escape is the question
        return Recoded(name, resource, crash=f"{name}: {type(error).__name__}: {error}")


@by_folder
def test_a_real_resource_with_a_code_that_matters_crashes_nothing(folder: str) -> None:
    problems = [item.crash for item in recoded(folder) if item.crash]
    assert not problems, _told(problems)


@by_folder
def test_a_real_resource_with_a_code_that_matters_is_valid_named_or_mended(folder: str) -> None:
    problems = [item.name for item in recoded(folder) if not item.is_named and not _is_valid(item.resource)]
    assert not problems, _told(problems)


@by_folder
def test_what_is_wrong_with_a_real_resource_is_told_without_its_values(folder: str) -> None:
    problems = [
        f"{item.name}: {problem!r} tells {value!r}"
        for item in recoded(folder)
        for problem in item.own_issues
        for value in _values(item.resource)
        if _tells(problem, value)
    ]
    assert not problems, _told(problems)


# --- what a clinician reads in them -------------------------------------------------------------------------

ROWS: list[dict[str, Any]] = json.loads((HERE / "expectations.json").read_text(encoding="utf-8"))
DIALECTS = sorted({"/".join(row["file"].split("/")[:2]) for row in ROWS})
FACTS = {item.name for item in fields(Facts)}
M_CATEGORIES = {"M0": "tnm-m0", "M1": "tnm-m1"}


def test_the_expectations_name_facts_and_give_reasons() -> None:
    problems = [str(row) for row in ROWS if row["fact"] not in {*FACTS, "m_category"} or not row["reason"]]
    assert not problems, _told(problems)
    asked = {(row["file"], row["subject"], row["fact"], row.get("graft", False)) for row in ROWS}
    assert len(asked) == len(ROWS)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_mapping_reads_what_a_clinician_reads(dialect: str) -> None:
    rows = [row for row in ROWS if row["file"].startswith(f"{dialect}/") and _path(row["file"]) is not None]
    if not rows:
        pytest.skip(f"the records of {dialect} are not here")
    problems = [problem for row in rows for problem in _disagreements(row)]
    assert not problems, _told(problems)


def _disagreements(row: Mapping[str, Any]) -> Iterator[str]:
    said = _said(row)
    agrees = _agrees(said, row["expected"])
    with_net = " beside a NET" if row.get("graft") else ""
    where = f"{row['file']}, {row['subject']}, {row['fact']}{with_net}"
    if not agrees and "difference" not in row:
        yield f"{where}: expected {row['expected']!r} ({row['reason']}), got {said!r}"
    if agrees and "difference" in row:
        yield f"{where}: the difference is gone, take it out of the table"


def _path(file: str) -> Path | None:
    """Where a file or folder of the table is, in the collection or among the fetched records."""
    top = "/".join(file.split("/")[:2])
    candidates = [SHARED / file, FETCHED / SAME_FILES.get(top, "not fetched") / file.removeprefix(f"{top}/")]
    return next((path for path in candidates if path.exists()), None)


def _said(row: Mapping[str, Any]) -> object:
    path = _path(row["file"])
    assert path is not None
    if row["fact"] == "m_category":
        return _m_category(path)
    patients = _facts(path, row["subject"] if row.get("graft") else None)
    asked = [facts for facts in patients if row["subject"] in ("*", facts.patient)]
    if patients and not asked:
        return f"no patient {row['subject']}, only {', '.join(facts.patient for facts in patients)}"
    stated = [said for facts in asked if (said := _plain(getattr(facts, row["fact"]))) != NONE]
    return stated[0] if stated else NONE


@cache
def _facts(path: Path, grafted: str | None) -> tuple[Facts, ...]:
    """The facts of a file, or of all files of a folder as one record; nothing where it is refused.

    `grafted` is a patient who has, beside all that is on record, a neuroendocrine tumour of the ileum.
    """
    data = _with_net(path, grafted) if grafted else _joined(path) if path.is_dir() else path.read_bytes()
    try:
        return tuple(read_facts(record, on=ON) for record in read_file(data))
    except RecordError:
        return ()


def _with_net(path: Path, patient: str) -> bytes:
    """The records of a path as one Bundle, references between them intact, and a NET of the patient."""
    documents = [orjson.loads(path.read_bytes())] if path.suffix == ".json" else []
    is_bundle = bool(documents) and documents[0]["resourceType"] == "Bundle"
    bundle = documents[0] if is_bundle else orjson.loads(_joined(path))
    bundle["entry"].append({"resource": NET | {"subject": {"reference": patient}}})
    return orjson.dumps(bundle)


NET = {
    "resourceType": "Condition",
    "id": "grafted-net",
    "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "C7A.012"}]},
}


def _joined(path: Path) -> bytes:
    files = _files(path) if path.is_dir() else [path]
    entries = [{"resource": resource} for file in files for resource in _resources(file)]
    return orjson.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})


def _plain(fact: Fact[Any]) -> object:
    """The value of a fact as the table writes it."""
    value = fact.value
    if value is None or value == ():
        return NONE
    if isinstance(value, ResponseCourse):
        return [f"{item.response} {item.date}" for item in value.assessments]
    if isinstance(value, PartialDate):
        return value.text
    return value


def _agrees(said: object, expected: object) -> bool:
    """Whether a value is the expected one; of an object, the members that the table names are compared."""
    if isinstance(expected, dict):
        return all(_member(said, name) == value for name, value in expected.items())
    if hasattr(said, "presence"):
        return bool(said.presence == expected)
    return said == expected


def _member(said: object, name: str) -> object:
    value: object = getattr(said, name, None)
    if isinstance(value, tuple):
        return [str(item) for item in value]
    return value.text if isinstance(value, PartialDate) else value


def _m_category(path: Path) -> object:
    """The M category that the value sets understand in a file: no fact, but facts are decided with it."""
    meanings = terminology().meanings
    found = {
        letter
        for resource in _resources(path)
        if any("tnm-m-code" in meanings(*coding) for coding in _codings(resource.get("code")))
        for coding in _codings(resource.get("valueCodeableConcept"))
        for letter, name in M_CATEGORIES.items()
        if name in meanings(*coding)
    }
    return found.pop() if len(found) == 1 else NONE
