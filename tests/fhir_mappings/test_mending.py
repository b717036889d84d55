"""Each known bend of real EHR data is straightened and named; nothing else is touched, and what stays wrong is said."""

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_mappings.conformance import _nonconformance, nonconformance
from fhir_mappings.mending import ELEMENTS, mend, needs_mending, selected

Json = dict[str, Any]
VENDOR = Path(__file__).parents[3] / "shared" / "records" / "C_vendor"
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
CODE = {
    "coding": [{"system": "http://loinc.org", "code": "29593-1", "display": "Ki-67"}],
    "text": "Ki-67 index",
}
LIVER = {"coding": [{"system": "http://snomed.info/sct", "code": "10200004"}]}
SUBJECT = {"reference": "Patient/p1"}
HISTOLOGY = {
    "url": "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-histology-morphology-behavior",
    "valueCodeableConcept": {"coding": [{"system": "x", "code": "8240/3"}]},
}

GOOD: dict[str, Json] = {
    "Patient": {"birthDate": "1970-01", "deceasedBoolean": False},
    "Condition": {
        "clinicalStatus": {"coding": [{"system": CLINICAL, "code": "active"}]},
        "verificationStatus": {"coding": [{"system": VERIFICATION, "code": "confirmed"}]},
        "code": CODE,
        "bodySite": [LIVER],
        "subject": SUBJECT,
        "onsetDateTime": "2026-01-02",
        "extension": [HISTOLOGY],
    },
    "Observation": {
        "status": "final",
        "code": CODE,
        "subject": SUBJECT,
        "effectiveDateTime": "2026-01-02T10:00:00Z",
        "specimen": {"reference": "Specimen/s", "identifier": {"system": "x", "value": "20240001"}},
        "valueQuantity": {"value": 5, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"},
        "bodySite": LIVER,
        "component": [{"code": CODE, "valueQuantity": {"value": 2.5, "unit": "%"}}],
        "focus": [{"reference": "Condition/c"}],
    },
    "Procedure": {
        "status": "completed",
        "code": CODE,
        "subject": SUBJECT,
        "performedDateTime": "2026",
        "bodySite": [LIVER],
    },
    "DiagnosticReport": {
        "status": "final",
        "code": CODE,
        "subject": SUBJECT,
        "effectiveDateTime": "2026-01-02",
        "result": [{"reference": "Observation/o"}],
    },
    "Specimen": {
        "status": "available",
        "subject": SUBJECT,
        "collection": {"bodySite": LIVER},
        "parent": [{"reference": "Specimen/t"}],
    },
    "ServiceRequest": {
        "status": "active",
        "intent": "order",
        "doNotPerform": False,
        "code": CODE,
        "subject": SUBJECT,
        "authoredOn": "2026-01-02",
    },
}


def resource(kind: str, **changes: Any) -> Json:
    return {"resourceType": kind, **deepcopy(GOOD[kind]), **changes}


@pytest.mark.parametrize("kind", GOOD)
def test_what_is_straight_is_left_as_it_is(kind: str):
    given = resource(kind)
    before = deepcopy(given)
    assert mend(given) == (GOOD[kind], ())
    assert given == before
    assert selected(given) == GOOD[kind]
    assert not needs_mending(given)
    assert nonconformance(kind, GOOD[kind]) is None


FIVE = GOOD["Observation"]["valueQuantity"]
PART = GOOD["Observation"]["component"][0]
CONDITION, RESULT = {"reference": "Condition/c"}, {"reference": "Observation/o"}
ONE_FOR_LIST = "a single value where a list belongs"
LIST_FOR_ONE = "a list of one where a single value belongs"
PADDED, EMPTY, NUMBER = "padded text", "empty members", "a number written as text"


@pytest.mark.parametrize(
    ("kind", "element", "bent", "straight", "named"),
    [
        ("Condition", "bodySite", LIVER, [LIVER], ("bodySite", ONE_FOR_LIST)),
        ("Condition", "extension", HISTOLOGY, [HISTOLOGY], None),
        ("Observation", "component", PART, [PART], ("component", ONE_FOR_LIST)),
        ("Observation", "focus", CONDITION, [CONDITION], ("focus", ONE_FOR_LIST)),
        ("DiagnosticReport", "result", RESULT, [RESULT], ("result", ONE_FOR_LIST)),
        ("Specimen", "parent", {"reference": "Specimen/t"}, [{"reference": "Specimen/t"}], ("parent", ONE_FOR_LIST)),
        ("Observation", "code", {**CODE, "coding": CODE["coding"][0]}, CODE, ("code.coding", ONE_FOR_LIST)),
        ("Observation", "code", [CODE], CODE, ("code", LIST_FOR_ONE)),
        ("Observation", "bodySite", [LIVER], LIVER, ("bodySite", LIST_FOR_ONE)),
        ("Observation", "status", ["final"], "final", ("status", LIST_FOR_ONE)),
        ("Observation", "valueQuantity", [FIVE], FIVE, ("valueQuantity", LIST_FOR_ONE)),
        ("Observation", "status", " final\n", "final", ("status", PADDED)),
        ("Observation", "status", "Final", "final", ("status", "capitals in a code")),
        ("ServiceRequest", "intent", "ORDER", "order", ("intent", "capitals in a code")),
        ("Observation", "effectiveDateTime", " 2026-01-02 ", "2026-01-02", ("effectiveDateTime", PADDED)),
        ("Observation", "effectiveDateTime", "20260102", "2026-01-02", ("effectiveDateTime", "a date without hyphens")),
        ("Patient", "birthDate", "19700131", "1970-01-31", ("birthDate", "a date without hyphens")),
        ("ServiceRequest", "authoredOn", "20260102", "2026-01-02", ("authoredOn", "a date without hyphens")),
        ("Patient", "deceasedBoolean", "False", False, ("deceasedBoolean", "a boolean written as text")),
        ("ServiceRequest", "doNotPerform", "true", True, ("doNotPerform", "a boolean written as text")),
        ("Observation", "code", {**CODE, "text": ""}, {"coding": CODE["coding"]}, ("code", EMPTY)),
        ("Observation", "code", {**CODE, "coding": [None, {}, *CODE["coding"]]}, CODE, ("code", EMPTY)),
        ("Observation", "valueQuantity", {"value": "5"}, {"value": 5.0}, ("valueQuantity.value", NUMBER)),
        ("Observation", "valueQuantity", {"value": "2,5"}, {"value": 2.5}, ("valueQuantity.value", NUMBER)),
        ("Observation", "valueQuantity", {"value": " -5 "}, {"value": -5.0}, ("valueQuantity.value", NUMBER)),
        (
            *("Condition", "clinicalStatus", "Resolved", {"coding": [{"system": CLINICAL, "code": "resolved"}]}),
            ("clinicalStatus", "a code where a concept belongs"),
        ),
        (
            *("Condition", "verificationStatus", "refuted", {"coding": [{"system": VERIFICATION, "code": "refuted"}]}),
            ("verificationStatus", "a code where a concept belongs"),
        ),
    ],
)  # fmt: skip
def test_a_bend_is_mended_and_named_and_nothing_else_changes(
    kind: str, element: str, bent: Any, straight: Any, named: tuple[str, str] | None
):
    result, mended = mend(resource(kind, **{element: bent}))
    assert result == {**GOOD[kind], element: straight}
    assert named is None or named in mended
    assert {name.split(".")[0] for name, _ in mended} <= {element}
    assert nonconformance(kind, result) is None


@pytest.mark.parametrize(
    "nothing", [None, "", "  ", [], {}, [None], [{}], {"coding": []}, {"text": ""}, [[], [""]]]
)
def test_an_empty_element_is_no_element(nothing: Any):
    result, _ = mend(resource("Observation", bodySite=nothing))
    assert result == {name: value for name, value in GOOD["Observation"].items() if name != "bodySite"}


@pytest.mark.parametrize("element", ["notDone", "notPerformed"])
@pytest.mark.parametrize("flag", [True, "true", "True", " TRUE ", 1, "1"])
@pytest.mark.parametrize("status", ["completed", "in-progress", None])
def test_not_done_of_an_older_version_is_never_lost(element: str, flag: Any, status: str | None):
    given = resource("Procedure", status=status, **{element: flag})
    assert needs_mending(given)
    result, mended = mend(given)
    assert result["status"] == "not-done"
    assert ("status", "not-done of an older FHIR version") in mended
    assert nonconformance("Procedure", result) is None


@pytest.mark.parametrize("flag", [False, "false", 0, None, "", [], "no"])
def test_a_procedure_that_was_done_stays_done(flag: Any):
    given = resource("Procedure", notDone=flag)
    assert not needs_mending(given)
    assert mend(given)[0]["status"] == "completed"


def test_not_done_means_nothing_to_other_types():
    assert mend(resource("Observation", notDone=True)) == (GOOD["Observation"], ())


@pytest.mark.parametrize("status", ["Final", " final", "FINAL "])
def test_a_status_that_hides_behind_its_spelling_needs_mending(status: str):
    assert needs_mending(resource("Observation", status=status))


def test_elements_that_no_reader_uses_are_never_looked_at():
    given = resource(
        "Observation", note=5, category="x", performer=[{"display": None}], meta={"tag": 1}, id="o"
    )
    assert mend(given) == (GOOD["Observation"], ())
    assert selected(given) == GOOD["Observation"]
    assert mend({"resourceType": "Medication", "code": CODE}) == ({}, ())
    assert mend({}) == ({}, ())


def test_only_extensions_that_readers_know_are_kept():
    other = {"url": "http://example.org/histology", "valueString": "x"}
    for extensions in ([other, HISTOLOGY], [None, HISTOLOGY, "x"], HISTOLOGY):
        assert mend(resource("Condition", extension=extensions))[0]["extension"] == [HISTOLOGY]
        assert selected(resource("Condition", extension=extensions))["extension"] == [HISTOLOGY]
    for extensions in ([other], other, "x", 5, []):
        assert "extension" not in mend(resource("Condition", extension=extensions))[0]
        assert "extension" not in selected(resource("Condition", extension=extensions))


@pytest.mark.parametrize(
    ("kind", "element", "wrong"),
    [
        ("Observation", "status", {"a": 1}),
        ("Observation", "status", ["final", "amended"]),
        ("Observation", "code", [CODE, LIVER]),
        ("Observation", "code", "29593-1"),
        ("Observation", "code", {"coding": ["29593-1"]}),
        ("Observation", "valueQuantity", {"value": "about 5", "unit": "%"}),
        ("Observation", "valueQuantity", '{"value": 5, "unit": "%"}'),
        ("Observation", "code", '{"text": "Ki-67"}'),
        ("Observation", "component", ['{"code": {"text": "Ki-67"}}']),
        ("Observation", "effectiveDateTime", 2026),
        ("Patient", "birthDate", 1970),
        ("Patient", "_birthDate", "5"),
        ("Observation", "valueQuantity", {"value": True, "unit": "%"}),
        ("Observation", "valueQuantity", "5 %"),
        ("Observation", "valueBoolean", "yes"),
        ("Observation", "valueBoolean", 1),
        ("Observation", "effectiveDateTime", "2. Januar 2026"),
        ("Observation", "effectiveDateTime", "20261340"),
        ("Patient", "deceasedBoolean", "no"),
        ("Patient", "deceasedBoolean", 0),
        ("Patient", "deceasedBoolean", "f"),
        ("Patient", "birthDate", "70-01-01"),
        ("ServiceRequest", "doNotPerform", "t"),
        ("Condition", "clinicalStatus", 5),
        ("Condition", "subject", [SUBJECT, SUBJECT]),
    ],
)
def test_what_is_no_known_bend_stays_wrong_and_is_named(kind: str, element: str, wrong: Any):
    given = resource(kind, **{element: wrong})
    for data in (selected(given), mend(given)[0]):
        problem = nonconformance(kind, data)
        assert problem is not None
        assert problem.startswith(kind)
        assert names_no_value(problem)


@pytest.mark.parametrize(
    ("kind", "element", "wrong", "words"),
    [
        ("Patient", "birthDate", "1970-02-30", "Patient.birthDate is no day of the calendar"),
        ("Patient", "birthDate", "30.1.1970", "Patient.birthDate is no date as FHIR writes one"),
        ("Patient", "birthDate", ["1970"], "Patient.birthDate is a list where one date belongs"),
        ("Patient", "birthDate", 1970, "Patient.birthDate has another form than FHIR says"),
        ("Patient", "deceasedBoolean", "no", "Patient.deceasedBoolean is neither true nor false"),
        ("Patient", "deceasedBoolean", "", "Patient.deceasedBoolean is neither true nor false"),
        (
            "Observation",
            "effectiveDateTime",
            "2026-01-01T10:00:00",  # without a time zone
            "Observation.effectiveDateTime is no date as FHIR writes one",
        ),
        (
            "Observation",
            "effectiveDateTime",
            "2026-13",
            "Observation.effectiveDateTime is no day of the calendar",
        ),
        ("Observation", "valueInteger", "5 %", "Observation.valueInteger is no whole number"),
        ("Observation", "status", 5, "Observation.status is a number where one code belongs"),
        ("Observation", "component", {}, "Observation.component is an object where a list belongs"),
        (
            "Condition",
            "verificationStatus",
            {"coding": [{"code": ["confirmed"]}]},
            "Condition.verificationStatus.coding.0.code is a list where one code belongs",
        ),
        ("Condition", "subject", None, "Condition.subject is missing"),
    ],
)
def test_a_mistake_is_told_in_plain_words(kind: str, element: str, wrong: Any, words: str):
    data = {**GOOD[kind], element: wrong}
    assert nonconformance(kind, {name: item for name, item in data.items() if item is not None}) == words


def test_mending_twice_mends_no_more():
    bent = resource(
        "Observation",
        status=" Final",
        bodySite=[LIVER],
        focus={"reference": " Condition/c"},
        valueQuantity={"value": "5"},
    )
    once, mended = mend(bent)
    assert len(mended) >= 5
    assert mend({"resourceType": "Observation", **once}) == (once, ())


ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.sampled_from(["", " x ", "5", "2026", "true"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["coding", "code", "system", "value", "url", "text", "extension", "reference"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


@settings(deadline=None)
@given(st.data(), st.sampled_from(sorted(GOOD)))
def test_no_element_of_any_shape_is_an_error_and_no_failure_names_a_value(data: st.DataObject, kind: str):
    changes = data.draw(st.dictionaries(st.sampled_from(sorted(ELEMENTS[kind])), ODD, max_size=3))
    once, _ = mend(resource(kind, **changes))
    assert once.keys() <= ELEMENTS[kind]
    problem = nonconformance(kind, once)
    assert problem is None or names_no_value(problem)


# --- validation remembers forms, and a form is no value ---------------------------------------------------------------


@pytest.mark.parametrize("first", [True, 1, 1.5, "1"])
def test_a_verdict_on_one_value_is_no_verdict_on_another_of_its_form(first: Any):
    for value, is_valid in (
        (first, first is not True),
        (1, True),
        (True, False),
        (5.5, True),
        (0, True),
        (False, False),
    ):
        data = {**GOOD["Observation"], "valueQuantity": {"value": value, "unit": f"remembered {first!r}"}}
        assert (nonconformance("Observation", data) is None) is is_valid


@settings(deadline=None)
@given(
    st.one_of(
        st.dates().map(str),
        st.sampled_from(
            ["2026-02-30", "2026-02-29", "2024-02-29", "2026-13-01", "0000-01-01", "2026-1-1", "2026"]
        ),
    ),
    st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans(),
    st.sampled_from(["", " ", "a", " a", "a ", "a\n", "\u00a0", "Patient/p1"]),
)
def test_what_is_remembered_is_what_validation_would_say(day: str, number: Any, text: str):
    data = {
        **GOOD["Observation"],
        "effectiveDateTime": day,
        "valueQuantity": {"value": number, "unit": text},
        "subject": {"reference": text},
    }
    for _ in range(2):
        assert (nonconformance("Observation", data) is None) is (_nonconformance("Observation", data) is None)


# --- real records -----------------------------------------------------------------------------------------------------

_NAMED = re.compile(
    r"[A-Z][A-Za-z]+(\.[\w.]+)? (is missing|is neither true nor false|is no whole number|is no day of the calendar|"
    r"is no date as FHIR writes one|has another form than FHIR says|"
    r"is (a list|an object|a text|a number|true or false) where (a list|one (text|code|object|date)) belongs)"
)


def names_no_value(problem: str) -> bool:
    """Whether a failure is a list of elements with the kind of mistake in plain words, and nothing else."""
    return all(_NAMED.fullmatch(part) for part in problem.split("; "))


def vendor_resources() -> Iterator[Json]:
    for path in sorted(VENDOR.rglob("*.json")) + sorted(VENDOR.rglob("*.ndjson")):
        text = path.read_text("utf-8-sig", errors="replace")
        documents = text.splitlines() if path.suffix == ".ndjson" else [text]
        for document in documents:
            try:
                yield from resources_in(json.loads(document))
            except ValueError:  # templates and other text
                continue


def resources_in(value: Any) -> Iterator[Json]:
    """Every Observation and Condition in a document, at whatever depth a vendor wraps it."""
    if isinstance(value, list):
        for item in value:
            yield from resources_in(item)
    elif isinstance(value, dict):
        if value.get("resourceType") in ("Observation", "Condition"):
            yield value
        else:
            for item in value.values():
                yield from resources_in(item)


@pytest.mark.skipif(not VENDOR.is_dir(), reason=f"the vendor records are not there: {VENDOR}")
def test_mending_strictly_reduces_what_fails_of_real_vendor_records():
    given = list(vendor_resources())
    raw = [
        nonconformance(
            item["resourceType"],
            {name: value for name, value in item.items() if name in ELEMENTS[item["resourceType"]]},
        )
        for item in given
    ]
    mended = [nonconformance(item["resourceType"], mend(item)[0]) for item in given]
    before, after = (sum(problem is not None for problem in problems) for problems in (raw, mended))
    print(f"vendor records: {before} of {len(given)} fail as they stand, {after} after mending")  # noqa: T201  pytest -rP
    assert after < before
    assert not [
        item for item, was, now in zip(given, raw, mended, strict=True) if was is None and now is not None
    ]
    assert all(names_no_value(problem) for problem in {*raw, *mended} if problem is not None)
