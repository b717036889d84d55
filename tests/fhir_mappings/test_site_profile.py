"""A hospital adds its own codes in a file; a file that is wrong is one sentence that says where."""

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from fhir_mappings.mapping import read_facts
from fhir_mappings.record import PatientRecord, read_file
from fhir_mappings.site_profile import load_site_profile
from fhir_mappings.valueset import terminology

ON = date(2026, 11, 23)
CPT = "http://www.ama-assn.org/go/cpt"
COLECTOMY = {"system": CPT, "code": "44160", "display": "removal of the right colon with the last ileum"}


def written(folder: Path, content: Any) -> Path:
    path = folder / "our-hospital.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


def profile(**codes: Any) -> dict[str, Any]:
    return {"codes": {name.replace("_", "-"): items for name, items in codes.items()}}


def operated(coding: dict[str, str]) -> PatientRecord:
    subject = {"reference": "Patient/p1"}
    net = {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "C7A.012"}]}
    operation = {"status": "completed", "performedDateTime": "2025-10-01", "code": {"coding": [coding]}}
    resources = [
        {"resourceType": "Patient", "id": "p1"},
        {"resourceType": "Condition", "id": "net", "subject": subject, "code": net},
        {"resourceType": "Procedure", "id": "operation", "subject": subject, **operation},
    ]
    [record] = read_file("\n".join(map(json.dumps, resources)).encode())
    return record


def test_a_cpt_number_counts_as_a_resection_only_where_the_site_says_so(tmp_path: Path):
    record = operated({"system": CPT, "code": "44160"})
    assert read_facts(record, ON).primary_resection.value is None
    site = load_site_profile(written(tmp_path, profile(resection_ileocolic=[COLECTOMY])))
    resection = read_facts(record, ON, site).primary_resection
    assert resection.value is not None
    assert resection.value.performed
    assert str(resection.value.date) == "2025-10-01"
    assert resection.evidence[0].reference == "Procedure/operation"
    assert read_facts(record, ON).primary_resection.value is None


@pytest.mark.parametrize("system", [CPT, "urn:oid:2.16.840.1.113883.6.12", f"{CPT}/"])
def test_a_sites_code_is_found_under_every_spelling_of_its_system(tmp_path: Path, system: str):
    site = load_site_profile(written(tmp_path, profile(resection_ileocolic=[COLECTOMY])))
    assert site.terminology.meanings(system, "44160") == {"resection-ileocolic"}


def test_a_site_adds_and_takes_nothing_away(tmp_path: Path):
    local = {"system": "urn:our-hospital", "code": "KI", "display": "Ki-67 in percent"}
    site = load_site_profile(written(tmp_path, profile(ki67_code=[local], resection_ileocolic=[])))
    assert site.name == "our-hospital"
    assert site.terminology.value_set_ids() == terminology().value_set_ids()
    for name in terminology().value_set_ids():
        assert site.terminology.members(name)[: len(terminology().members(name))] == terminology().members(
            name
        )
    assert site.terminology.meanings("urn:our-hospital", "KI") == {"ki67-code"}
    assert site.terminology.meanings("http://loinc.org", "29593-1") == {"ki67-code"}
    assert terminology().meanings("urn:our-hospital", "KI") == frozenset()


def test_an_empty_profile_changes_nothing(tmp_path: Path):
    site = load_site_profile(written(tmp_path, {"codes": {}}))
    assert site.terminology.meanings(CPT, "44160") == frozenset()


FORM = 'expected {"codes": {"<value set>": [{"system": "...", "code": "...", "display": "..."}]}}'


@pytest.mark.parametrize(
    ("content", "mistake"),
    [
        (profile(resection_spleen=[COLECTOMY]), "no such value set: resection-spleen"),
        (profile(b_c=[], a_b=[], ki67_code=[]), "no such value set: a-b, b-c"),
        *[
            (wrong, FORM)
            for wrong in (
                *(
                    {},
                    [],
                    "5",
                    "null",
                    '"x"',
                    {"code": {}},
                    {"codes": []},
                    {"codes": None},
                    {"codes": {"ki67-code": {}}},
                ),
                *(
                    profile(ki67_code="44160"),
                    profile(ki67_code=["44160"]),
                    profile(ki67_code=[{}]),
                    profile(ki67_code=None),
                ),
                *(
                    profile(ki67_code=[{**COLECTOMY, name: value}])
                    for name in COLECTOMY
                    for value in ("", None, 5, ["x"])
                ),
                *(
                    profile(ki67_code=[{name: "x" for name in COLECTOMY if name != left_out}])
                    for left_out in COLECTOMY
                ),
                profile(ki67_code=[COLECTOMY, "44160"]),
            )
        ],
    ],
)
def test_a_wrong_file_is_one_sentence_with_its_name_and_the_mistake(
    tmp_path: Path, content: Any, mistake: str
):
    path = written(tmp_path, content)
    with pytest.raises(ValueError, match="site profile") as caught:
        load_site_profile(path)
    assert str(caught.value) == f"site profile {path}: {mistake}"
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("content", ["", "{", "codes: x", '{"codes": {"a": ]}}', "[" * 100_000])
def test_a_file_that_is_no_json_is_one_sentence(tmp_path: Path, content: str):
    path = written(tmp_path, content)
    with pytest.raises(ValueError, match="site profile") as caught:
        load_site_profile(path)
    problem = str(caught.value).removeprefix(f"site profile {path}: ")
    assert problem == "nested too deeply" or re.fullmatch(
        r"this is not JSON from line 1, column \d+, on", problem
    )


def test_a_file_that_is_no_text_is_one_sentence(tmp_path: Path):
    path = tmp_path / "x.json"
    path.write_bytes(b"\xff\xfe{}")
    with pytest.raises(ValueError, match=r"site profile .*x\.json: this is no text in UTF-8$"):
        load_site_profile(path)


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path):
    site = load_site_profile(written(tmp_path, "\ufeff" + json.dumps(profile(ki67_code=[COLECTOMY]))))
    assert site.terminology.meanings(CPT, "44160") == {"ki67-code"}


def test_a_missing_file_is_one_sentence(tmp_path: Path):
    path = tmp_path / "none.json"
    with pytest.raises(ValueError, match="site profile") as caught:
        load_site_profile(path)
    assert str(caught.value) == f"site profile {path}: No such file or directory"
    with pytest.raises(ValueError, match="Is a directory"):
        load_site_profile(tmp_path)
