"""Small builders for the sample patients: codes, data types, and a chart built resource by resource in FHIR R4."""

from collections.abc import Callable
from typing import Any, Self
from uuid import NAMESPACE_URL, uuid5

Json = dict[str, Any]
Coding = tuple[str, str, str | None]  # system, code, display as its publisher writes it, if that is known

# --- systems and codes --------------------------------------------------------------------------------------

SCT = "http://snomed.info/sct"
LOINC = "http://loinc.org"
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
ICDO3 = "http://terminology.hl7.org/CodeSystem/icd-o-3"
FINDINGS = "urn:milan-net:codesystem:findings"
UCUM = "http://unitsofmeasure.org"
HL7 = "http://terminology.hl7.org/CodeSystem"

ILEUM: Coding = (SCT, "34516001", "Ileal structure (body structure)")
LIVER: Coding = (SCT, "10200004", "Liver structure (body structure)")
ILEAL_CARCINOID_ICD: Coding = (ICD10CM, "C7A.012", "Malignant carcinoid tumor of the ileum")
LIVER_METASTASES_ICD: Coding = (ICD10CM, "C7B.02", "Secondary carcinoid tumors of liver")

HISTOLOGY: Coding = (LOINC, "59847-4", "Histology and Behavior ICD-O-3 Cancer")
GRADE: Coding = (LOINC, "33732-9", "Histology grade [Identifier] in Cancer specimen")
KI67: Coding = (LOINC, "29593-1", "Cells.Ki-67 nuclear Ag/cells in Tissue by Immune stain")
KI67_SCT: Coding = (
    SCT,
    "1255078008",
    (
        "Percent of cell nuclei positive for proliferation marker protein Ki-67 "
        "in primary malignant neoplasm by immunohistochemistry (observable entity)"
    ),
)
RESIDUAL: Coding = (LOINC, "84892-9", None)
R0: Coding = (SCT, "258254000", "Residual tumor stage R0 (finding)")

RIGHT_COLECTOMY: Coding = (SCT, "359571009", "Right colectomy (procedure)")

DOTATATE_PET: Coding = (
    SCT,
    "764695006",
    "Positron emission tomography of whole body using gallium (68-Ga) dotatate (procedure)",
)
ABSENT: Coding = (SCT, "2667000", "Absent (qualifier value)")

PROGRESSION_CODE: Coding = (LOINC, "97509-4", "Cancer Disease Progression")
STABLE: Coding = (SCT, "359746009", "Patient's condition stable (finding)")

WD_NET_G1: Coding = (
    SCT,
    "1286769009",
    "Well-differentiated neuroendocrine tumor grade 1 (morphologic abnormality)",
)
GRADE_1: Coding = (SCT, "258351006", "Grade 1 (qualifier value)")

HEMOGLOBIN: Coding = (LOINC, "718-7", "Hemoglobin [Mass/volume] in Blood")


def finding(code: str, display: str) -> Coding:
    """A code of the project's own code system."""
    return FINDINGS, code, display


INVOLVEMENT = finding("liver-involvement-percent", "Liver volume replaced by tumour, percent")
EXTRAHEPATIC = finding("extrahepatic-disease", "Disease outside liver and primary")
RESECTABILITY = finding("liver-metastases-resectability", "Resectability of the liver metastases")


# --- data types ---------------------------------------------------------------------------------------------


def coding(item: Coding) -> Json:
    """A Coding; without display where none is known."""
    system, code, display = item
    return {"system": system, "code": code} | ({"display": display} if display else {})


def concept(*items: Coding, text: str | None = None) -> Json:
    """A CodeableConcept with all the codings, a text, or both."""
    return ({"coding": [coding(item) for item in items]} if items else {}) | ({"text": text} if text else {})


def quantity(value: float, unit: str = "%", comparator: str | None = None) -> Json:
    """A UCUM Quantity."""
    sign = {"comparator": comparator} if comparator else {}
    return {"value": value, **sign, "unit": unit, "system": UCUM, "code": unit}


def category(code: str) -> list[Json]:
    """Observation.category."""
    return [concept((f"{HL7}/observation-category", code, code.title().replace("-", " ")))]


_SPELLED = {"mcode": "mCODE", "mii": "MII", "us": "US", "net": "NET", "men": "MEN"}


def _given(name: str) -> str:
    """The given name of a patient, from what the file is called."""
    return " ".join(_SPELLED.get(word, word[:1].upper() + word[1:]) for word in name.split("-"))


# --- a chart ------------------------------------------------------------------------------------------------


class Chart:
    """One synthetic patient: resources by a short key, in the order in which they were added."""

    def __init__(self, name: str, *, born: str = "1981-03-14", gender: str = "female") -> None:
        self.name = name
        self.resources: dict[str, Json] = {}
        self.add(
            "patient",
            "Patient",
            meta={"tag": [coding((f"{HL7}/v3-ActReason", "HTEST", "test health data"))]},
            name=[{"use": "official", "family": "Sample", "given": [_given(name)]}],
            gender=gender,
            birthDate=born,
        )

    @property
    def subject(self) -> Json:
        return {"reference": f"Patient/{self.name}"}

    def ref(self, key: str) -> Json:
        """A Reference to a resource of this chart."""
        resource = self.resources[key]
        return {"reference": f"{resource['resourceType']}/{resource['id']}"}

    def add(self, key: str, kind: str, **elements: Any) -> Self:
        """Add a resource, or replace the one with that key; its id is the patient's name and the key."""
        identity = self.name if kind == "Patient" else f"{self.name}-{key}"
        self.resources[key] = {"resourceType": kind, "id": identity, **elements}
        return self

    def change(self, key: str, **elements: Any) -> Self:
        """Set elements of a resource that is there."""
        self.resources[key] |= elements
        return self

    def without(self, *keys: str) -> Self:
        """Leave out resources, and what refers to them."""
        gone = [self.ref(key) for key in keys]
        self.resources = {
            key: _unlinked(item, gone) for key, item in self.resources.items() if key not in keys
        }
        return self

    # What a chart says, one method a resource.

    def condition(
        self, key: str, *codes: Coding, onset: str, status: str = "active", site: Coding | None = None
    ) -> Self:
        """A confirmed Condition of the problem list."""
        return self.add(
            key,
            "Condition",
            clinicalStatus=concept((f"{HL7}/condition-clinical", status, status.capitalize())),
            verificationStatus=concept((f"{HL7}/condition-ver-status", "confirmed", "Confirmed")),
            category=[concept((f"{HL7}/condition-category", "problem-list-item", "Problem List Item"))],
            code=concept(*codes),
            **({"bodySite": [concept(site)]} if site else {}),
            subject=self.subject,
            onsetDateTime=onset,
        )

    def observation(self, key: str, code: Json, on: str, **elements: Any) -> Self:
        """A final Observation; the value and everything else by keyword."""
        given = {"status": "final", "code": code, "subject": self.subject, "effectiveDateTime": on}
        return self.add(key, "Observation", **given, **elements)

    def specimen(self, key: str, site: Coding, on: str, text: str) -> Self:
        """A tissue specimen with the site where it was taken."""
        return self.add(
            key,
            "Specimen",
            status="available",
            type=concept((SCT, "119376003", "Tissue specimen (specimen)"), text=text),
            subject=self.subject,
            collection={"collectedDateTime": on, "bodySite": concept(site)},
        )

    def pathology(self, key: str, code: Coding, on: str, specimen: str, **value: Any) -> Self:
        """A laboratory Observation on a specimen."""
        link = {"specimen": self.ref(specimen)}
        return self.observation(key, concept(code), on, category=category("laboratory"), **link, **value)

    def histology(
        self, value: Coding, grade: Coding | None, specimen: str = "specimen-primary", on: str = "2025-10-01"
    ) -> Self:
        """ICD-O-3 morphology and the histologic grade of one specimen."""
        self.pathology("histology", HISTOLOGY, on, specimen, valueCodeableConcept=concept(value))
        if grade:
            self.pathology("grade", GRADE, on, specimen, valueCodeableConcept=concept(grade))
        return self

    def ki67(
        self, percent: float, key: str = "ki67", specimen: str = "specimen-liver", on: str = "2025-10-15"
    ) -> Self:
        """A Ki-67 index in percent."""
        return self.pathology(key, KI67, on, specimen, valueQuantity=quantity(percent))

    def resected(self, code: Coding, on: str, site: Coding) -> Self:
        """The resection of the primary, R0."""
        self.add(
            "resection",
            "Procedure",
            status="completed",
            code=concept(code),
            subject=self.subject,
            performedDateTime=on,
            bodySite=[concept(site)],
            reasonReference=[self.ref("net")],
        )
        r0 = {"valueCodeableConcept": concept(R0), "partOf": [self.ref("resection")]}
        return self.observation("residual", concept(RESIDUAL, text="Residual tumour status"), on, **r0)

    def imaging(self, on: str) -> Self:
        """The liver MRI with volumetry: 30 % of the liver is tumour."""
        return self.observation(
            "involvement", concept(INVOLVEMENT), on, category=category("imaging"), bodySite=concept(LIVER),
            method=concept(text="MRI volumetry"), valueQuantity=quantity(30),
        )  # fmt: skip

    def pet(self, on: str, value: Coding = ABSENT) -> Self:
        """The whole-body somatostatin-receptor PET: what it found outside the liver, and its report."""
        self.observation(
            "extrahepatic", concept(EXTRAHEPATIC), on, category=category("imaging"),
            method=concept(DOTATATE_PET), valueCodeableConcept=concept(value),
        )  # fmt: skip
        said = "No evidence" if value == ABSENT else "Evidence"
        conclusion = f"{said} of metastatic disease outside the liver."
        return self.add(
            "pet-report",
            "DiagnosticReport",
            status="final",
            category=[concept((f"{HL7}/v2-0074", "NMS", "Nuclear Medicine Scan"))],
            code=concept(DOTATATE_PET),
            subject=self.subject,
            effectiveDateTime=on,
            result=[self.ref("extrahepatic")],
            conclusion=conclusion,
            conclusionCode=[concept(text=conclusion.rstrip("."))],
        )

    def response(
        self, on: str, value: Coding = STABLE, code: Coding = PROGRESSION_CODE, **elements: Any
    ) -> Self:
        """One dated assessment of the disease."""
        return self.observation(
            f"response-{on}", concept(code), on, valueCodeableConcept=concept(value), **elements
        )

    def resectability(self, value: str = "unresectable") -> Self:
        """What the tumour board said of the liver metastases."""
        said = concept((FINDINGS, value, value.capitalize()))
        return self.observation(
            "resectability", concept(RESECTABILITY), "2026-10-27", valueCodeableConcept=said
        )

    def pathology_report(self, specimens: tuple[str, ...], results: list[str]) -> Self:
        """The synoptic report of the resection."""
        return self.add(
            "pathology-report",
            "DiagnosticReport",
            status="final",
            category=[concept((f"{HL7}/v2-0074", "SP", "Surgical Pathology"))],
            code=concept((LOINC, "60568-3", "Synoptic report")),
            subject=self.subject,
            effectiveDateTime="2025-10-01",
            specimen=[self.ref(key) for key in specimens],
            result=[self.ref(key) for key in results],
        )

    # What is written.

    def bundle(self) -> Json:
        """The chart as a FHIR R4 transaction."""
        return {
            "resourceType": "Bundle",
            "id": self.name,
            "type": "transaction",
            "entry": [_put(item) for item in self.resources.values()],
        }


def _put(resource: Json) -> Json:
    url = f"{resource['resourceType']}/{resource['id']}"
    return {
        "fullUrl": uuid5(NAMESPACE_URL, f"urn:milan-net:sample:{url}").urn,
        "resource": resource,
        "request": {"method": "PUT", "url": url},
    }


def _unlinked(resource: Json, gone: list[Json]) -> Json:
    """The resource without its references to resources that are gone."""
    kept: Json = {}
    for name, value in resource.items():
        rest = [item for item in value if item not in gone] if isinstance(value, list) else value
        if rest not in (*gone, []):
            kept[name] = rest
    return kept


# --- a folder of samples ------------------------------------------------------------------------------------

Make = Callable[[str], Chart]
Samples = dict[str, Callable[[], Chart]]


def registering(samples: Samples) -> Callable[[str], Callable[[Make], Make]]:
    """Registers a sample under the name of its file; the function is given the name without its number."""

    def sample(file: str) -> Callable[[Make], Make]:
        def register(make: Make) -> Make:
            samples[file] = lambda: make(file.split("-", 1)[1])
            return make

        return register

    return sample
