"""The value sets hold real codes, each with one meaning, and are found under any spelling."""

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

import fhir_mappings
from fhir_mappings.labels import display_contradicts
from fhir_mappings.valueset import (
    Concept,
    is_other_malignancy,
    normalise_code,
    normalise_system,
    portal_class,
    terminology,
)

FOLDER = Path(fhir_mappings.__file__).parent / "valuesets"
RESOURCES: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))
}
VALUE_SETS = {name: each for name, each in RESOURCES.items() if each.get("resourceType") == "ValueSet"}
IDS = terminology().value_set_ids()

SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"
ICD_10 = "http://hl7.org/fhir/sid/icd-10"
ICD_10_GM = "http://fhir.de/CodeSystem/bfarm/icd-10-gm"
ICD_10_PCS = "http://www.cms.gov/Medicare/Coding/ICD10"
ICD_O = "http://terminology.hl7.org/CodeSystem/icd-o-3"
CPT = "http://www.ama-assn.org/go/cpt"


def listed(system: str | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every concept in the files with the id of its value set, of one system or all."""
    for name, value_set in VALUE_SETS.items():
        for include in value_set.get("compose", {}).get("include", ()):
            if system in (None, include["system"]):
                yield from ((name, concept) for concept in include.get("concept", ()))


def codes(system: str) -> set[str]:
    return {concept["code"] for name, concept in listed(system) if name != "mislabelled-code"}


def codings(value_set_id: str) -> set[tuple[str, str]]:
    return {(concept.system, concept.code) for concept in terminology().members(value_set_id)}


def starting(*prefixes: str) -> list[str]:
    return sorted(each for each in IDS if each.startswith(prefixes))


def passes_verhoeff(number: str) -> bool:
    """The check digit of SNOMED CT: multiplication in the dihedral group of ten elements, place by place."""

    def times(a: int, b: int) -> int:
        turned = b if a < 5 else -b
        return (a + turned) % 5 + 5 * ((a // 5 + b // 5) % 2)

    once = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
    check = 0
    for place, written in enumerate(reversed(number)):
        digit = int(written)
        for _ in range(place % 8):
            digit = once[digit]
        check = times(check, digit)
    return check == 0


def passes_mod_10(code: str) -> bool:
    """The check digit of LOINC: every second digit doubled, counted from the right."""
    digits, check = code.split("-")
    doubled = (int(each) * (2 if place % 2 == 0 else 1) for place, each in enumerate(reversed(digits)))
    return (sum(each // 10 + each % 10 for each in doubled) + int(check)) % 10 == 0


# --- the files ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", VALUE_SETS)
def test_a_value_set_is_named_after_its_file_and_says_what_membership_means(name: str) -> None:
    value_set = VALUE_SETS[name]
    assert value_set["id"] == name
    assert value_set["url"] == f"urn:milan-net:valueset:{name}"
    assert value_set["description"].endswith(".")
    assert (value_set["status"], value_set["experimental"]) == ("active", False)


@pytest.mark.parametrize("name", VALUE_SETS)
def test_a_value_set_is_sorted_and_repeats_nothing(name: str) -> None:
    includes = VALUE_SETS[name].get("compose", {}).get("include", [])
    lines = [(each["system"], concept["code"]) for each in includes for concept in each.get("concept", ())]
    assert lines == sorted(set(lines))


@pytest.mark.parametrize("name", VALUE_SETS)
def test_a_value_set_never_includes_a_whole_code_system(name: str) -> None:
    includes = VALUE_SETS[name].get("compose", {}).get("include", [])
    assert all(each.get("concept") or each.get("filter") for each in includes)


def test_a_file_is_written_as_an_editor_would_write_it() -> None:
    for path in FOLDER.glob("*.json"):
        written = path.read_text(encoding="utf-8")
        assert written == json.dumps(json.loads(written), indent=2, ensure_ascii=False) + "\n", path.name


def test_every_concept_says_where_it_comes_from_and_what_it_is() -> None:
    for name, concept in listed():
        (source,) = concept["extension"]
        assert source["url"] == "urn:milan-net:extension:code-source"
        assert source["valueString"], (name, concept["code"])
        assert concept["display"], (name, concept["code"])


def test_no_cpt_code_is_shipped() -> None:
    assert not codes(CPT)


# --- the codes ----------------------------------------------------------------------------------------------


def test_every_snomed_id_passes_its_check_digit() -> None:
    assert [code for code in codes(SNOMED) if not passes_verhoeff(code)] == []


def test_every_loinc_number_passes_its_check_digit() -> None:
    numbers = {code for code in codes(LOINC) if not code.startswith("LA")}  # answer ids have another check
    assert [code for code in numbers if not passes_mod_10(code)] == []


def test_the_two_check_digits_reject_the_bad_codes_seen_in_the_wild() -> None:
    assert not passes_verhoeff("1228848002")
    assert not passes_mod_10("88041-7")


@pytest.mark.parametrize("system", [SNOMED, LOINC, ICD_10_CM, ICD_10, ICD_10_PCS, ICD_O])
def test_every_code_is_written_in_its_canonical_form(system: str) -> None:
    assert [code for code in codes(system) if normalise_code(system, code) != (code,)] == []


def test_a_procedure_for_diagnosis_is_not_in_any_value_set() -> None:
    assert codes(ICD_10_PCS)
    assert [code for code in codes(ICD_10_PCS) if code.endswith("X")] == []


def test_removal_through_the_scope_is_local_excision_and_not_a_resection() -> None:
    assert terminology().meanings(ICD_10_PCS, "0DBB8ZZ") == {"procedure-local-excision"}
    assert terminology().meanings(ICD_10_PCS, "0DBB0ZZ") == {"resection-ileum"}
    assert not terminology().meanings(ICD_10_PCS, "0DBB0ZX")


@pytest.mark.parametrize("behaviour", "36")
@pytest.mark.parametrize("histology", [*range(8150, 8154), 8155, 8156, 8158, 8240, 8241, 8242, 8249])
def test_what_the_registries_stage_as_net_is_a_net_here(histology: int, behaviour: str) -> None:
    (meaning,) = terminology().meanings(ICD_O, f"{histology}/{behaviour}")
    assert meaning.startswith("histology-net")


def test_a_code_seen_under_a_wrong_label_has_no_other_meaning() -> None:
    wrong = codings("mislabelled-code")
    assert (LOINC, "85319-2") in wrong
    assert all(terminology().meanings(*each) == {"mislabelled-code"} for each in wrong)


# --- one coding, one meaning --------------------------------------------------------------------------------

RIVALS = [
    [each for each in starting("histology-") if not each.endswith("-code")],
    starting("site-"),
    starting("grade-g", "grade-low", "grade-intermediate", "grade-high"),
    starting("tnm-m0", "tnm-m1"),
    starting("residual-r"),
    starting("presence-"),
    starting("interpretation-"),
    starting("intent-"),
    starting("involvement-"),
    starting("resectability-"),
    starting("ki67-"),
    starting("mitosis-"),
    ["liver-transplant-procedure", "liver-transplant-status", "transplant-donor", "transplant-waitlist"],
    ["no-evidence-of-disease", "distant-metastasis-present-unspecified", "extrahepatic-other"],
    [each for each in starting("response-") if not each.endswith(("-code", "-recist"))],
    ["margin-negative", "margin-status-code"],
    ["procedure-biopsy", "procedure-local-excision"],
    ["liver-metastasis", "liver-metastasis-review", "history-of-liver-metastasis"],
    [
        "liver-metastasis",
        "metastasis-site-liver",
        "body-site-liver",
        "secondary-malignancy-unspecified",
        "nodes-ambiguous",
        *(each for each in starting("extrahepatic-") if not each.endswith(("-code", "-miscoded-primary"))),
    ],
]


@pytest.mark.parametrize("rivals", RIVALS, ids=lambda rivals: rivals[0])
def test_no_coding_has_two_meanings_that_contradict_each_other(rivals: list[str]) -> None:
    for one, other in combinations(rivals, 2):
        assert not codings(one) & codings(other), (one, other)


@pytest.mark.parametrize("resection", starting("resection-"))
def test_no_biopsy_liver_procedure_or_local_excision_is_a_resection(resection: str) -> None:
    for other in ("procedure-biopsy", "procedure-liver", "procedure-local-excision"):
        assert not codings(resection) & codings(other)


def test_every_site_has_a_portal_class_and_every_class_a_site() -> None:
    elements = RESOURCES["portal-drainage"]["group"][0]["element"]
    assert sorted(each["code"] for each in elements) == [
        each.removeprefix("site-") for each in starting("site-")
    ]
    assert {portal_class(each) for each in starting("site-")} == {"portal", "not-portal", "review", "unknown"}
    assert all(each["target"][0]["comment"] for each in elements)


@pytest.mark.parametrize(
    ("site", "expected"),
    [
        ("colon-sigmoid", "portal"),
        ("rectosigmoid", "review"),
        ("rectum", "not-portal"),
        ("stomach-distal", "portal"),
        ("stomach", "review"),
        ("ampulla", "portal"),
        ("large-intestine", "unknown"),
        ("unknown", "unknown"),
    ],
)
def test_portal_drainage_ends_where_the_published_range_ends(site: str, expected: str) -> None:
    assert portal_class(site) == expected


def test_a_site_without_a_portal_class_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        portal_class("elbow")


def test_the_project_s_own_findings_are_all_defined_and_all_in_a_value_set() -> None:
    findings = RESOURCES["codesystem-findings"]
    assert {each["code"] for each in findings["concept"]} == codes(findings["url"])
    assert all(each["definition"] for each in findings["concept"])


# --- spelling -----------------------------------------------------------------------------------------------


def test_every_alias_of_a_system_resolves_to_it() -> None:
    systems = [each for each in RESOURCES["system-aliases"]["systems"] if each["system"]]
    for each in systems:
        for name in (each["system"], *each.get("aliases", ())):
            for spelled in (name, f"{name}/", f" {name} ", name.upper(), name.replace("http://", "https://")):
                assert normalise_system(spelled) == each["system"], spelled


def test_no_two_systems_share_an_alias() -> None:
    systems = RESOURCES["system-aliases"]["systems"]
    names = [name for each in systems for name in (each["system"], *each.get("aliases", ()))]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("system", [None, "", "  "])
def test_a_blank_system_is_no_system(system: str | None) -> None:
    assert normalise_system(system) is None


def test_an_unknown_system_keeps_its_name() -> None:
    assert normalise_system("urn:oid:1.2.840.114350.1") == "urn:oid:1.2.840.114350.1"


@pytest.mark.parametrize(
    ("system", "code"),
    [
        (ICD_10_CM, "C7A.012"),
        (ICD_10_CM, "C7A012"),
        (ICD_10_CM, " c7a.012 "),
        ("ICD10CM", "c7a012"),
        ("urn:oid:2.16.840.1.113883.6.90", "C7A.012"),
        ("URN:OID:2.16.840.1.113883.6.90", "C7A.012"),
        (ICD_10, "C7A.012"),
        (None, "C7A.012"),
        ("", "C7A012"),
        (ICD_O, "8240/3-C17.2"),
        (ICD_O, "82403-C172"),
    ],
)
def test_a_net_of_the_ileum_is_understood_however_it_is_spelled(system: str | None, code: str) -> None:
    assert terminology().meanings(system, code) == {"histology-net", "site-ileum"}


@pytest.mark.parametrize("code", ["8240/3", "82403", "M8240/3", "M-8240/3", "8240/31", " m82403 ", "8240/6"])
def test_an_icd_o_morphology_is_understood_however_it_is_spelled(code: str) -> None:
    assert terminology().meanings(ICD_O, code) == {"histology-net"}


@pytest.mark.parametrize(
    ("system", "code", "meaning"),
    [
        ("http://snomed.info/sct/900000000000207008/version/20240401", "94381002", "liver-metastasis"),
        ("https://snomed.info/sct/", "94381002", "liver-metastasis"),
        ("https://loinc.org/", "29593-1", "ki67-code"),
        ("http://www.radlex.org", "11514", "response-stable"),
        ("https://www.uicc.org/resources/tnm", "M1a", "tnm-m1a"),
        (ICD_10_GM, "C78.7", "liver-metastasis"),
    ],
)
def test_a_system_under_another_name_gives_the_same_meaning(system: str, code: str, meaning: str) -> None:
    assert meaning in terminology().meanings(system, code)


def test_a_german_subdivision_means_what_its_who_parent_means() -> None:
    assert terminology().meanings(ICD_10_GM, "T86.40") == {"liver-transplant-status"}
    assert terminology().meanings(ICD_10_GM, "C34.99") == {"site-lung"}


def test_an_unknown_child_in_icd_10_cm_means_nothing() -> None:
    assert not terminology().meanings(ICD_10_CM, "Z94.49")


@pytest.mark.parametrize(
    ("system", "code"),
    [
        (None, None),
        (None, "94381002"),
        (None, "C17.2"),
        (LOINC, None),
        (LOINC, ""),
        ("urn:oid:1.2.840.114350.1", "94381002"),
        (SNOMED, "73211009"),
        (ICD_10_CM, "E11.9"),
        (ICD_O, "not a code"),
        (CPT, "48150"),
    ],
)
def test_a_coding_that_is_not_ours_means_nothing(system: str | None, code: str | None) -> None:
    assert terminology().meanings(system, code) == frozenset()
    assert terminology().display(system, code) is None


def test_a_who_site_code_is_no_evidence_of_a_net() -> None:
    assert terminology().meanings(ICD_10, "C17.2") == {"site-ileum"}


def test_our_label_is_found_under_any_spelling() -> None:
    assert terminology().display("ICD10CM", "c7a012") == "Malignant carcinoid tumor of the ileum"


# --- a site's own codes -------------------------------------------------------------------------------------


def test_a_site_adds_its_own_codes_and_the_shipped_ones_stay_as_they_were() -> None:
    own = terminology().with_codes({"resection-pancreas": [Concept(CPT, "12345", "Whipple, our number")]})
    assert own.meanings("urn:oid:2.16.840.1.113883.6.12", "12345") == {"resection-pancreas"}
    assert own.display(CPT, "12345") == "Whipple, our number"
    assert own.meanings(SNOMED, "33149006") == {"resection-pancreas"}
    assert not terminology().meanings(CPT, "12345")


def test_a_site_fills_a_value_set_for_which_no_public_code_is_known() -> None:
    assert terminology().members("histology-net-g3") == ()
    own = terminology().with_codes({"histology-net-g3": [Concept("urn:lab", "G3NET", "NET G3")]})
    assert own.meanings("urn:lab", "G3NET") == {"histology-net-g3"}


def test_a_site_file_with_an_unknown_value_set_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="no such value set: histology-nett"):
        terminology().with_codes({"histology-nett": []})


# --- other malignancies -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("system", "code", "expected"),
    [
        (ICD_10_CM, "C50.911", True),
        (ICD_10, "C61", True),
        (ICD_10, "C17.2", True),
        (ICD_10_CM, "c9110", True),
        (ICD_10_CM, "C4A.9", True),
        (ICD_10_CM, "C76.8", True),
        (ICD_10_CM, "C77.0", False),
        (ICD_10_CM, "C7A.012", False),
        (ICD_10_CM, "C7B.02", False),
        (ICD_10_CM, "C44.91", False),
        (ICD_10_CM, "C22.9", False),
        (ICD_10, "C25.4", False),
        (ICD_10_CM, "C80.1", False),
        (ICD_10_CM, "D05.1", False),
        (SNOMED, "C50.911", False),
        (None, "C50.911", False),
    ],
)
def test_another_malignancy_is_a_rubric_of_its_own_organ(system: str, code: str, *, expected: bool) -> None:
    assert is_other_malignancy(system, code) is expected


# --- labels that lie ----------------------------------------------------------------------------------------


def test_no_label_of_ours_contradicts_its_value_set() -> None:
    wrong = [(name, each) for name, each in listed() if display_contradicts({name}, each["display"])]
    assert wrong == []


def test_every_guarded_value_set_exists() -> None:
    assert set(RESOURCES["display-keywords"]["keywords"]) <= IDS


@pytest.mark.parametrize(
    ("value_set_id", "display"),
    [
        ("ki67-code", "Progesterone receptor"),
        ("order-transplant-referral", "Medication reconciliation"),
        ("liver-metastasis", "Secondary malignant neoplasm of brain"),
        ("liver-metastasis", "Cirrhosis of liver"),
        ("liver-transplant-procedure", "Kidney transplantation"),
        ("histology-net", "Adenocarcinoma, NOS"),
        ("histology-net", "Magnetic resonance"),
        ("resection-pancreas", "Biopsy of pancreas"),
        ("extrahepatic-bone", "Metastasis to lung"),
    ],
)
def test_a_display_that_names_something_else_contradicts_its_code(value_set_id: str, display: str) -> None:
    assert display_contradicts({value_set_id}, display)


@pytest.mark.parametrize(
    ("value_set_id", "display"),
    [
        ("ki67-code", "MIB-1 labelling index"),
        ("ki67-code", "KI67"),
        ("liver-metastasis", "Sekundäre bösartige Neubildung der Leber"),
        ("liver-metastasis", "Levermetastasen"),
        ("liver-metastasis", "Liver mets"),
        ("histology-net", "pNET, G2"),
        ("histology-net", "Neuroendokriner Tumor des Ileums"),
        ("histology-net", "goed gedifferentieerde neuro-endocriene tumor"),
        ("histology-net", "Karzinoid"),
        ("resection-colon", "Rechtshemikolektomie"),
        ("resection-pancreas", "PPPD"),
        ("extrahepatic-bone", "Knochenmetastasen"),
        ("liver-transplant-procedure", "Lebertransplantation"),
        ("presence-present", "anything at all"),
        ("ki67-code", ""),
        ("ki67-code", None),
        ("liver-metastasis", "肝転移"),
    ],
)
def test_a_legitimate_display_never_contradicts_its_code(value_set_id: str, display: str | None) -> None:
    assert not display_contradicts({value_set_id}, display)


def test_python_holds_no_code_of_a_terminology() -> None:
    source = (FOLDER.parent / "valueset.py").read_text(encoding="utf-8")
    assert re.findall(r"https?://[a-z]|urn:oid|\b\d{6,18}\b", source) == []
