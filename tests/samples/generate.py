"""Makes the synthetic patients of `sample_bundles`: a chart is built resource by resource, in plain FHIR R4.

    python -m tests.samples.generate            write the samples and the requests
    python -m tests.samples.generate --check    exit code 1 if the files differ from what would be written
    python -m tests.samples.generate --golden   write the assessments of the samples to tests/golden

Nothing here knows a criterion: the answer that each sample should get stands, derived by hand, in
sample_bundles/README.md.
"""

import json
import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Self
from uuid import NAMESPACE_URL, uuid5

Json = dict[str, Any]
Coding = tuple[str, str, str | None]  # system, code, display as its publisher writes it, if that is known

ROOT = Path(__file__).parents[2]
BUNDLES = ROOT / "sample_bundles"
REQUESTS = BUNDLES / "requests"
GOLDEN = ROOT / "tests" / "golden"
EVALUATED_ON = date(2026, 11, 23)

# --- systems and codes --------------------------------------------------------------------------------------

SCT = "http://snomed.info/sct"
LOINC = "http://loinc.org"
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
ICD10CM_OID = "urn:oid:2.16.840.1.113883.6.90"
ICD10GM = "http://fhir.de/CodeSystem/bfarm/icd-10-gm"
ICD10PCS = "http://www.cms.gov/Medicare/Coding/ICD10"
ICDO3 = "http://terminology.hl7.org/CodeSystem/icd-o-3"
OPS = "http://fhir.de/CodeSystem/bfarm/ops"
FINDINGS = "urn:milan-net:codesystem:findings"
MII = "https://www.medizininformatik-initiative.de/fhir/ext/modul-onko"
MCODE = "http://hl7.org/fhir/us/mcode/StructureDefinition"
UCUM = "http://unitsofmeasure.org"
HL7 = "http://terminology.hl7.org/CodeSystem"

ILEUM: Coding = (SCT, "34516001", "Ileal structure (body structure)")
CECUM: Coding = (SCT, "32713005", "Cecum structure (body structure)")
PANCREAS: Coding = (SCT, "15776009", "Pancreatic structure (body structure)")
RECTUM: Coding = (SCT, "34402009", "Rectum structure (body structure)")
LUNG: Coding = (SCT, "39607008", "Lung structure (body structure)")
LIVER: Coding = (SCT, "10200004", "Liver structure (body structure)")

ILEAL_CARCINOID: Coding = (SCT, "192701000119101", "Malignant carcinoid tumor of ileum (disorder)")
ILEAL_CARCINOID_ICD: Coding = (ICD10CM, "C7A.012", "Malignant carcinoid tumor of the ileum")
LIVER_METASTASES_ICD: Coding = (ICD10CM, "C7B.02", "Secondary carcinoid tumors of liver")
LIVER_METASTASES: Coding = (SCT, "94381002", "Metastatic malignant neoplasm to liver (disorder)")

NET_G1: Coding = (ICDO3, "8240/3", "Neuroendocrine tumor, NOS")
NET_G2: Coding = (ICDO3, "8249/3", "Neuroendocrine tumor, grade 2")
LARGE_CELL_NEC: Coding = (ICDO3, "8013/3", "Large cell neuroendocrine carcinoma")
SIGNET_RING: Coding = (ICDO3, "8490/3", "Signet ring cell carcinoma")
G1: Coding = (SCT, "54102005", "G1 grade (finding)")
G2: Coding = (SCT, "1663004", "G2 grade (finding)")
G3: Coding = (SCT, "61026006", "G3 grade (finding)")

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
ILEOCOLIC: Coding = (SCT, "276190007", "Ileocolic resection (procedure)")
DISTAL_PANCREATECTOMY: Coding = (SCT, "401004", "Distal subtotal pancreatectomy (procedure)")
RECTAL_RESECTION: Coding = (SCT, "87677003", "Resection of rectum (procedure)")
LOBECTOMY: Coding = (SCT, "173171007", "Lobectomy of lung (procedure)")

DOTATATE_PET: Coding = (
    SCT,
    "764695006",
    "Positron emission tomography of whole body using gallium (68-Ga) dotatate (procedure)",
)
PRESENT: Coding = (SCT, "52101004", "Present (qualifier value)")
ABSENT: Coding = (SCT, "2667000", "Absent (qualifier value)")

PROGRESSION_CODE: Coding = (LOINC, "97509-4", "Cancer Disease Progression")
RESPONSE_CODE: Coding = (LOINC, "88040-1", "Response to cancer treatment")
IMPROVED: Coding = (SCT, "268910001", "Patient's condition improved (finding)")
STABLE: Coding = (SCT, "359746009", "Patient's condition stable (finding)")
WORSENED: Coding = (SCT, "271299001", "Patient's condition worsened (finding)")
STABLE_LOINC: Coding = (LOINC, "LA28371-5", "Stable disease")
PARTIAL_LOINC: Coding = (LOINC, "LA28369-9", "Partial response")
STABLE_RADLEX: Coding = ("https://radlex.org", "RID11514", "stable disease")


def finding(code: str, display: str) -> Coding:
    """A code of the project's own code system."""
    return FINDINGS, code, display


INVOLVEMENT = finding("liver-involvement-percent", "Liver volume replaced by tumour, percent")
INVOLVEMENT_CATEGORY = finding("liver-involvement-category", "Liver volume replaced by tumour, category")
TUMOUR_VOLUME = finding("liver-tumour-volume", "Volume of the liver tumours")
LIVER_VOLUME = finding("liver-volume", "Volume of the whole liver, tumours included")
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
            name=[{"use": "official", "family": "Sample", "given": [name.replace("-", " ").title()]}],
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


def within(
    name: str, *, born: str = "1981-03-14", resected: str = "2025-10-01", scanned: str = "2026-10-20"
) -> Chart:
    """Vector A of clinical.md 7.6: every fact is there and lies within the criteria."""
    return (
        Chart(name, born=born)
        .condition("net", ILEAL_CARCINOID, ILEAL_CARCINOID_ICD, onset="2025-08-18", site=ILEUM)
        .condition("liver-metastases", LIVER_METASTASES, LIVER_METASTASES_ICD, onset="2025-08-18")
        .specimen("specimen-primary", ILEUM, resected, "Resection of the primary tumour")
        .specimen("specimen-liver", LIVER, "2025-10-15", "Core biopsy of a liver metastasis")
        .histology(NET_G1, G1, on=resected)
        .ki67(2)
        .resected(ILEOCOLIC, resected, ILEUM)
        .imaging(scanned)
        .pet(scanned)
        .response("2026-01-10")
        .response("2026-05-02")
        .response(scanned)
        .resectability()
    )


# --- the samples --------------------------------------------------------------------------------------------

SAMPLES: dict[str, Callable[[], Chart]] = {}


def sample(file: str) -> Callable[[Callable[[str], Chart]], Callable[[str], Chart]]:
    """Register a sample under the name of its file; the function is given the name without its number."""

    def register(make: Callable[[str], Chart]) -> Callable[[str], Chart]:
        SAMPLES[file] = lambda: make(file.split("-", 1)[1])
        return make

    return register


@sample("01-meets")
def _meets(name: str) -> Chart:
    return within(name)


@sample("02-ki67-12-percent")
def _ki67_12(name: str) -> Chart:
    return within(name).histology(NET_G2, G2, "specimen-liver", "2025-10-15").ki67(12)


@sample("03-burden-26-to-50-percent")
def _burden_category(name: str) -> Chart:
    said = concept((FINDINGS, "26-50", "26 to 50 percent"))
    return (
        within(name)
        .without("involvement")
        .observation(
            "involvement",
            concept(INVOLVEMENT_CATEGORY),
            "2026-10-20",
            category=category("imaging"),
            valueCodeableConcept=said,
        )
    )


@sample("04-progression-in-july")
def _progression(name: str) -> Chart:
    return within(name).response("2026-07-01", WORSENED)


@sample("05-imaging-stale")
def _stale(name: str) -> Chart:
    return within(name, scanned="2026-02-01").without("response-2026-05-02")


@sample("06-lung-carcinoid")
def _lung(name: str) -> Chart:
    code = (ICD10CM_OID, "C7A.090", "Malignant carcinoid tumor of the bronchus and lung")
    return (
        within(name)
        .condition("net", code, onset="2025-08-18", site=LUNG)
        .specimen("specimen-primary", LUNG, "2025-10-01", "Resection of the primary tumour")
        .resected(LOBECTOMY, "2025-10-01", LUNG)
    )


@sample("07-pancreas-primary-in-situ")
def _primary_in_situ(name: str) -> Chart:
    code = (SCT, "1287665004", "Primary well-differentiated neuroendocrine tumor of pancreas (disorder)")
    return (
        within(name)
        .condition("net", code, onset="2025-08-18", site=PANCREAS)
        .specimen("specimen-primary", PANCREAS, "2025-09-02", "Fine needle biopsy of the primary tumour")
        .histology((ICDO3, "8150/3", "Islet cell carcinoma"), G1, on="2025-09-02")
        .resected(DISTAL_PANCREATECTOMY, "2026-09-15", PANCREAS)
        .without("residual")
        .change(
            "resection",
            status="not-done",
            statusReason=concept(text="Put off after discussion with the patient"),
        )
    )


@sample("08-born-1965-only")
def _birth_year(name: str) -> Chart:
    return within(name, born="1965").condition(
        "net", (ICD10CM, "C7A012", "Malignant carcinoid tumor of the ileum"), onset="2025-08", site=None
    )


@sample("09-resected-in-june")
def _recently_resected(name: str) -> Chart:
    return within(name, resected="2026-06-01").response("2026-11-20")


@sample("10-resected-six-months-ago")
def _six_months(name: str) -> Chart:
    chart = within(name, resected="2026-05-20")
    for on in ("2026-01-10", "2026-05-02", "2026-10-20", "2026-11-20"):
        chart.response(on, PARTIAL_LOINC if on == "2026-01-10" else STABLE_LOINC, RESPONSE_CODE)
    return chart


@sample("11-rectum")
def _rectum(name: str) -> Chart:
    codes = (
        (SCT, "1290068000", "Well-differentiated neuroendocrine tumor of rectum (disorder)"),
        (ICD10CM, "C7A.026", "Malignant carcinoid tumor of the rectum"),
    )
    return (
        within(name)
        .condition("net", *codes, onset="2025-08-18", site=RECTUM)
        .specimen("specimen-primary", RECTUM, "2025-10-01", "Resection of the primary tumour")
        .resected(RECTAL_RESECTION, "2025-10-01", RECTUM)
    )


@sample("12-breast-cancer-too")
def _breast_cancer(name: str) -> Chart:
    code = (ICD10CM, "C50.911", "Malignant neoplasm of unspecified site of right female breast")
    return within(name).condition("breast-cancer", code, onset="2026-06-30")


@sample("13-deceased")
def _deceased(name: str) -> Chart:
    return within(name).change("patient", deceasedDateTime="2026-11-02")


@sample("14-ki67-exactly-10-percent")
def _ki67_10(name: str) -> Chart:
    return within(name).histology(NET_G2, G2, "specimen-liver", "2025-10-15").ki67(10)


@sample("15-burden-exactly-50-percent")
def _burden_50(name: str) -> Chart:
    return within(name).change("involvement", valueQuantity=quantity(50))


@sample("16-born-1966-only")
def _born_1966(name: str) -> Chart:
    chart = within(name, born="1966")
    for on in ("2026-01-10", "2026-05-02", "2026-10-20"):
        chart.response(on, STABLE_RADLEX)
    return chart


@sample("17-two-tumours-one-report")
def _two_tumours(name: str) -> Chart:
    """After a Dutch report: signet ring cell carcinoma of the cecum and NET of the ileum, by specimen."""
    chart = (
        within(name)
        .without("histology", "grade", "ki67")
        .condition(
            "cecal-carcinoma",
            (ICD10CM, "C18.0", "Malignant neoplasm of cecum"),
            onset="2025-08-18",
            site=CECUM,
        )
        .specimen("specimen-cecum", CECUM, "2025-10-01", "Resection: tumour A, cecum")
        .specimen("specimen-primary", ILEUM, "2025-10-01", "Resection: tumour B, ileum")
        .resected(RIGHT_COLECTOMY, "2025-10-01", ILEUM)
    )
    histology = (SCT, "512001000004108", "Histologic type of primary malignant neoplasm")
    grade = (SCT, "371469007", "Histologic grade (observable entity)")
    net_grade = (SCT, "490401000146101", "histologic grade of neuroendocrine neoplasm")
    for key, code, specimen, value in (
        ("a-histology", histology, "specimen-cecum", {"valueCodeableConcept": concept(SIGNET_RING)}),
        ("a-grade", grade, "specimen-cecum", {"valueCodeableConcept": concept(G3)}),
        ("a-ki67", KI67_SCT, "specimen-cecum", {"valueString": "85 %"}),
        ("b-histology", histology, "specimen-primary", {"valueCodeableConcept": concept(WD_NET_G1)}),
        ("b-grade", net_grade, "specimen-primary", {"valueCodeableConcept": concept(GRADE_1)}),
        ("b-ki67", KI67_SCT, "specimen-primary", {"valueString": "2 %"}),
    ):
        chart.pathology(key, code, "2025-10-01", specimen, **value)
    for key in [key for key in chart.resources if key.startswith("response-")]:
        chart.change(key, focus=[chart.ref("net")])
    results = [key for key in chart.resources if key.startswith(("a-", "b-"))]
    return _pathology_report(chart, ("specimen-cecum", "specimen-primary"), results)


WD_NET_G1: Coding = (
    SCT,
    "1286769009",
    "Well-differentiated neuroendocrine tumor grade 1 (morphologic abnormality)",
)
GRADE_1: Coding = (SCT, "258351006", "Grade 1 (qualifier value)")


def _pathology_report(chart: Chart, specimens: tuple[str, ...], results: list[str]) -> Chart:
    return chart.add(
        "pathology-report",
        "DiagnosticReport",
        status="final",
        category=[concept((f"{HL7}/v2-0074", "SP", "Surgical Pathology"))],
        code=concept((LOINC, "60568-3", "Synoptic report")),
        subject=chart.subject,
        effectiveDateTime="2025-10-01",
        specimen=[chart.ref(key) for key in specimens],
        result=[chart.ref(key) for key in results],
    )


@sample("18-ki67-primary-3-metastasis-12")
def _ki67_conflict(name: str) -> Chart:
    """The lower value is the newer one: the higher governs all the same."""
    return (
        within(name)
        .histology(NET_G2, G2)
        .specimen("specimen-liver", LIVER, "2025-09-04", "Core biopsy of a liver metastasis")
        .ki67(12, "ki67-metastasis", on="2025-09-04")
        .ki67(3, "ki67-primary", specimen="specimen-primary", on="2025-10-01")
        .without("ki67")
    )


@sample("19-chart-of-2000-resources")
def _large(name: str) -> Chart:
    chart = within(name)
    ordinary = _ordinary_chart(chart.subject)
    while len(chart.resources) < 2000:
        key, kind, elements = next(ordinary)
        chart.add(key, kind, **elements)
    return chart


@sample("20-bone-metastasis-unreadable")
def _unreadable(name: str) -> Chart:
    """Two codes where one belongs: nobody can tell whether the bone metastasis is confirmed or refuted."""
    both = {"coding": [{"system": f"{HL7}/condition-ver-status", "code": ["refuted", "confirmed"]}]}
    return (
        within(name)
        .condition("bone", BONE_METASTASIS, onset="2026-09-30")
        .change("bone", verificationStatus=both)
    )


BONE_METASTASIS: Coding = (ICD10CM, "C7B.03", "Secondary carcinoid tumors of bone")


@sample("21-resectable")
def _resectable(name: str) -> Chart:
    return within(name).resectability("resectable")


@sample("22-61st-birthday-today")
def _age_61(name: str) -> Chart:
    return within(name, born="1965-11-23")


@sample("23-window-closes-before-it-opens")
def _window(name: str) -> Chart:
    return within(name, born="1966-01-10").response("2026-09-01", WORSENED)


@sample("24-neuroendocrine-carcinoma")
def _nec(name: str) -> Chart:
    codes = (
        (SCT, "123631000119103", "Malignant poorly differentiated neuroendocrine carcinoma (disorder)"),
        (ICD10CM, "C7A.1", "Malignant poorly differentiated neuroendocrine tumors"),
    )
    return (
        within(name)
        .condition("net", *codes, onset="2025-08-18", site=PANCREAS)
        .specimen("specimen-primary", PANCREAS, "2025-10-01", "Resection of the primary tumour")
        .histology(LARGE_CELL_NEC, G3)
        .ki67(70)
        .resected(DISTAL_PANCREATECTOMY, "2025-10-01", PANCREAS)
    )


@sample("25-mcode")
def _mcode(name: str) -> Chart:
    chart = within(name).without("involvement", "resectability", "histology", "grade", "pet-report")
    _mcode_conditions(chart)
    _mcode_measurements(chart)
    for key, profile in {
        "patient": "mcode-cancer-patient",
        "net": "mcode-primary-cancer-condition",
        "liver-metastases": "mcode-secondary-cancer-condition",
        "ki67": "mcode-tumor-marker-test",
        "grade": "mcode-histologic-grade",
        "m-category": "mcode-tnm-distant-metastases-category",
        "resection": "mcode-cancer-related-surgical-procedure",
        "specimen-primary": "mcode-tumor-specimen",
        "specimen-liver": "mcode-tumor-specimen",
        "response-2026-01-10": "mcode-cancer-disease-status",
        "response-2026-05-02": "mcode-cancer-disease-status",
        "response-2026-10-20": "mcode-cancer-disease-status",
    }.items():
        meta = chart.resources[key].get("meta", {})
        chart.change(key, meta={"profile": [f"{MCODE}/{profile}"], **meta})
    return chart


def _mcode_conditions(chart: Chart) -> None:
    code = (SCT, "1290067005", "Well-differentiated neuroendocrine tumor of small intestine (disorder)")
    chart.condition("net", code, onset="2025-08-18", site=ILEUM)
    morphology = {
        "url": f"{MCODE}/mcode-histology-morphology-behavior",
        "valueCodeableConcept": concept(WD_NET_G1),
    }
    chart.change("net", extension=[morphology])
    chart.condition(
        "liver-metastases",
        (SCT, "128462008", "Metastatic malignant neoplasm (disorder)"),
        onset="2025-08-18",
        site=LIVER,
    )
    related = {
        "url": "http://hl7.org/fhir/StructureDefinition/condition-related",
        "valueReference": chart.ref("net"),
    }
    chart.change("liver-metastases", extension=[related])
    intent = concept((SCT, "373808002", "Curative - procedure intent"))
    chart.change(
        "resection", extension=[{"url": f"{MCODE}/mcode-procedure-intent", "valueCodeableConcept": intent}]
    )


def _mcode_measurements(chart: Chart) -> None:
    about = {"extension": [{"url": f"{MCODE}/mcode-related-condition", "valueReference": chart.ref("net")}]}
    chart.change("ki67", valueQuantity=quantity(3, comparator="<"), **about)
    grade = ("http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl", "C18000", "Histologic Grade")
    g1 = concept((SCT, "1228848004", "American Joint Committee on Cancer grade G1 (qualifier value)"))
    chart.pathology("grade", grade, "2025-10-01", "specimen-primary", valueCodeableConcept=g1, **about)
    cm1a = concept((SCT, "1229904003", "American Joint Committee on Cancer cM1a (qualifier value)"))
    chart.observation(
        "m-category", concept((SCT, "399387003", "cM category (observable entity)")), "2026-10-20",
        focus=[chart.ref("net")], method=concept(AJCC_8), valueCodeableConcept=cm1a,
    )  # fmt: skip
    done = {"status": "completed", "performedDateTime": "2026-10-20"}
    chart.add("pet", "Procedure", code=concept(DOTATATE_PET), subject=chart.subject, **done)
    chart.observation(
        "extrahepatic",
        concept(EXTRAHEPATIC),
        "2026-10-20",
        partOf=[chart.ref("pet")],
        valueCodeableConcept=concept(ABSENT),
    )
    chart.observation(
        "tumour-volume", concept(TUMOUR_VOLUME), "2026-10-20", valueQuantity=quantity(420, "mL")
    )
    chart.observation("liver-volume", concept(LIVER_VOLUME), "2026-10-20", valueQuantity=quantity(1680, "mL"))
    volumes = {
        "result": [chart.ref("tumour-volume"), chart.ref("liver-volume")],
        "effectiveDateTime": "2026-10-20",
    }
    mri = concept((LOINC, "36046-1", "MR Liver"))
    chart.add("mri-report", "DiagnosticReport", status="final", code=mri, subject=chart.subject, **volumes)


AJCC_8: Coding = (
    SCT,
    "897275008",
    (
        "American Joint Commission on Cancer, Cancer Staging Manual, 8th edition "
        "neoplasm staging system (tumor staging)"
    ),
)


@sample("26-german-mii")
def _german(name: str) -> Chart:
    chart = within(name).without("liver-metastases", "involvement", "grade", "ki67")
    for on in ("2026-01-10", "2026-05-02", "2026-10-20"):
        chart.without(f"response-{on}")
    _german_tumour(chart)
    _german_course(chart)
    return chart


def _german_tumour(chart: Chart) -> None:
    chart.condition("net", (ICD10GM, "C17.2", "Bösartige Neubildung: Ileum"), onset="2025-08-18")
    chart.change("net", bodySite=[concept((ICDO3, "C17.2", "Ileum"))])
    chart.change("histology", focus=[chart.ref("net")])
    chart.pathology(
        "grade", GRADE, "2025-10-01", "specimen-primary", valueCodeableConcept=_mii("grading", "1", None)
    )
    metastasis = (SCT, "385421009", "Site of distant metastasis")
    chart.observation(
        "liver-metastases",
        concept(metastasis),
        "2025-08-18",
        valueCodeableConcept=_mii("fernmetastasen", "HEP", "Leber"),
    )
    gene = concept((LOINC, "48018-6", "Gene studied [ID]"))
    mki67 = concept(("http://www.genenames.org", "HGNC:7107", "MKI67"))
    immunohistochemistry = (SCT, "1234806008", "Observation using immunohistochemistry (observable entity)")
    chart.pathology(
        "ki67", immunohistochemistry, "2025-10-15", "specimen-liver",
        valueQuantity=quantity(2), component=[{"code": gene, "valueCodeableConcept": mki67}],
    )  # fmt: skip


def _german_course(chart: Chart) -> None:
    hemicolectomy = (OPS, "5-455.41", None)
    chart.change(
        "resection",
        code=concept(hemicolectomy, RIGHT_COLECTOMY),
        outcome=_mii("residualstatus", "R0", "Kein Residualtumor"),
    )
    chart.change("residual", valueCodeableConcept=_mii("residualstatus", "R0", "Kein Residualtumor"))
    chart.observation(
        "involvement",
        concept(INVOLVEMENT),
        "2026-10-20",
        valueRange={"low": quantity(20), "high": quantity(30)},
    )
    course = (SCT, "396432002", "Status of regression of tumor (observable entity)")
    for on, letter, display in (
        ("2026-01-10", "K", "keine Änderung (NC) = stable disease"),
        ("2026-05-02", "T", "Teilremission (PR)"),
        ("2026-10-20", "K", "keine Änderung (NC) = stable disease"),
    ):
        chart.observation(
            f"response-{on}",
            concept(course),
            on,
            valueCodeableConcept=_mii("verlauf-gesamtbeurteilung", letter, display),
        )


def _mii(system: str, code: str, display: str | None) -> Json:
    return concept((f"{MII}/CodeSystem/mii-cs-onko-{system}", code, display))


@sample("27-dutch-pathology")
def _dutch(name: str) -> Chart:
    chart = within(name).without("histology", "grade", "ki67")
    chart.condition("net", (SCT, "255046005", "Neuroendocrine tumor"), onset="2025-08-18")
    neat: dict[str, tuple[Coding, Json]] = {
        "resection-type": (
            (SCT, "2620001000004108", "Specimen collection procedure"),
            {"valueCodeableConcept": concept(RIGHT_COLECTOMY)},
        ),
        "histology": (
            (SCT, "512001000004108", "Histologic type of primary malignant neoplasm"),
            {"valueCodeableConcept": concept(WD_NET_G1)},
        ),
        "primary-site": ((SCT, "399687005", "Primary tumor site"), {"valueCodeableConcept": concept(ILEUM)}),
        "grade": (
            (SCT, "490401000146101", "histologic grade of neuroendocrine neoplasm"),
            {"valueCodeableConcept": concept(GRADE_1)},
        ),
        "ki67": (KI67_SCT, {"valueString": "1,5 %"}),
        "mitoses": (
            (SCT, "405920001", "Mitotic count score per 10 high power fields, 40x objective"),
            {"valueString": "1 /2mm2"},
        ),
        "margin-proximal": (
            (SCT, "372439002", "Status of proximal surgical margin tumor involvement"),
            {"valueCodeableConcept": concept(NOT_SEEN)},
        ),
        "margin-distal": (
            (SCT, "372440000", "Status of distal surgical margin tumor involvement"),
            {"valueCodeableConcept": concept(NOT_SEEN)},
        ),
    }
    for key, (code, value) in neat.items():
        chart.pathology(key, code, "2025-10-01", "specimen-primary", **value)
    chart.change(
        "residual", code=concept((SCT, "445200009", "Status of residual neoplasm (observable entity)"))
    )
    return _pathology_report(chart, ("specimen-primary",), list(neat))


NOT_SEEN: Coding = (SCT, "47492008", "Not seen (qualifier value)")


@sample("28-us-core-diagnosis-codes-only")
def _plain(name: str) -> Chart:
    """What most charts hold: diagnoses and an operation, and nothing of the rest that can be read."""
    chart = Chart(name, born="1971-05-02", gender="male")
    chart.condition("net", ILEAL_CARCINOID_ICD, onset="2025-08-18")
    chart.condition("liver-metastases", LIVER_METASTASES_ICD, onset="2025-08-18")
    chart.condition("hypertension", (ICD10CM, "I10", "Essential (primary) hypertension"), onset="2014-02")
    code = (ICD10PCS, "0DTF0ZZ", "Resection of Right Large Intestine, Open Approach")
    chart.add(
        "resection",
        "Procedure",
        status="completed",
        code=concept(code),
        subject=chart.subject,
        performedDateTime="2025-10-01",
    )
    chart.observation(
        "hemoglobin",
        concept(HEMOGLOBIN),
        "2026-11-02",
        category=category("laboratory"),
        valueQuantity=quantity(13.1, "g/dL"),
    )
    return chart


@sample("29-no-net")
def _no_net(name: str) -> Chart:
    """Liver metastases of an ordinary adenocarcinoma of the colon."""
    return (
        Chart(name, born="1962-01-30", gender="male")
        .condition(
            "colon-cancer", (ICD10CM, "C18.2", "Malignant neoplasm of ascending colon"), onset="2025-01-12"
        )
        .condition(
            "liver-metastases",
            (ICD10CM, "C78.7", "Secondary malignant neoplasm of liver and intrahepatic bile duct"),
            onset="2025-02-03",
        )
        .specimen(
            "specimen-primary",
            (SCT, "9040008", "Ascending colon structure (body structure)"),
            "2025-02-10",
            "Resection",
        )
        .histology((ICDO3, "8140/3", "Adenocarcinoma, NOS"), G2, on="2025-02-10")
    )


@sample("30-carcinoid-heart-disease")
def _heart(name: str) -> Chart:
    codes = (
        (SCT, "36222008", "Carcinoid heart disease (disorder)"),
        (ICD10CM, "E34.01", "Carcinoid heart syndrome"),
    )
    return within(name).condition("heart", *codes, onset="2026-08-11")


@sample("31-referral-already-active")
def _referred(name: str) -> Chart:
    chart = within(name)
    code = concept(
        (SCT, "306316000", "Referral to transplant surgeon (procedure)"), text="Liver transplant evaluation"
    )
    return chart.add(
        "referral",
        "ServiceRequest",
        status="active",
        intent="order",
        code=code,
        subject=chart.subject,
        authoredOn="2026-11-03",
    )


@sample("32-bone-metastasis")
def _bone(name: str) -> Chart:
    return within(name).pet("2026-10-20", PRESENT).condition("bone", BONE_METASTASIS, onset="2026-10-20")


@sample("33-supraclavicular-nodes")
def _nodes(name: str) -> Chart:
    code = (
        ICD10CM,
        "C77.0",
        "Secondary and unspecified malignant neoplasm of lymph nodes of head, face and neck",
    )
    return within(name).without("pet-report", "extrahepatic").condition("nodes", code, onset="2026-10-20")


@sample("34-bone-metastasis-refuted")
def _refuted(name: str) -> Chart:
    status = concept((f"{HL7}/condition-ver-status", "refuted", "Refuted"))
    return (
        within(name)
        .condition("bone", BONE_METASTASIS, onset="2026-09-30")
        .change("bone", verificationStatus=status)
    )


@sample("35-preliminary-ki67-12-percent")
def _preliminary(name: str) -> Chart:
    return (
        within(name)
        .specimen("specimen-rebiopsy", LIVER, "2026-11-18", "Second core biopsy of a liver metastasis")
        .ki67(12, "ki67-rebiopsy", "specimen-rebiopsy", "2026-11-18")
        .change("ki67-rebiopsy", status="preliminary")
    )


# --- an ordinary chart --------------------------------------------------------------------------------------

HEMOGLOBIN: Coding = (LOINC, "718-7", "Hemoglobin [Mass/volume] in Blood")
_LABORATORY = (
    (HEMOGLOBIN, "g/dL", 12.4),
    ((LOINC, "2160-0", "Creatinine [Mass/volume] in Serum or Plasma"), "mg/dL", 0.8),
    ((LOINC, "2823-3", "Potassium [Moles/volume] in Serum or Plasma"), "mmol/L", 4.1),
    ((LOINC, "770-8", "Neutrophils/100 leukocytes in Blood by Automated count"), "%", 58.0),
    ((LOINC, "4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood"), "%", 5.4),
    ((LOINC, "29463-7", "Body weight"), "kg", 71.0),
)
_EVERY = 10  # each tenth resource is no Observation


def _ordinary_chart(subject: Json) -> Iterator[tuple[str, str, Json]]:
    """Laboratory values, visits, prescriptions and colds, every second day from 2014 on, without end."""
    day = date(2014, 1, 2)
    for number in range(10_000):
        on = (day + timedelta(days=2 * (number // 6) % 4600)).isoformat()
        if number % _EVERY:
            yield f"lab-{number}", "Observation", _laboratory(subject, number, on)
        else:
            yield _visit(subject, number, on)


def _laboratory(subject: Json, number: int, on: str) -> Json:
    code, unit, typical = _LABORATORY[number % len(_LABORATORY)]
    return {
        "status": "final",
        "category": category("laboratory" if unit != "kg" else "vital-signs"),
        "code": concept(code),
        "subject": subject,
        "effectiveDateTime": f"{on}T07:30:00Z",
        "valueQuantity": quantity(round(typical * (1 + number % 7 / 50), 1), unit),
    }


def _visit(subject: Json, number: int, on: str) -> tuple[str, str, Json]:
    ambulatory = coding((f"{HL7}/v3-ActCode", "AMB", "ambulatory"))
    lisinopril = ("http://www.nlm.nih.gov/research/umls/rxnorm", "314076", "lisinopril 10 MG Oral Tablet")
    cold = (ICD10CM, "J00", "Acute nasopharyngitis [common cold]")
    kind = number // _EVERY % 3
    if kind == 0:
        return (
            f"visit-{number}",
            "Encounter",
            {"status": "finished", "class": ambulatory, "subject": subject, "period": {"start": on}},
        )
    if kind == 1:
        given = {"status": "completed", "intent": "order", "medicationCodeableConcept": concept(lisinopril)}
        return f"drug-{number}", "MedicationRequest", {**given, "subject": subject, "authoredOn": on}
    status = concept((f"{HL7}/condition-clinical", "resolved", "Resolved"))
    return (
        f"cold-{number}",
        "Condition",
        {"clinicalStatus": status, "code": concept(cold), "subject": subject, "onsetDateTime": on},
    )


# --- requests -----------------------------------------------------------------------------------------------

KEYS = {
    "conditions": "Condition",
    "observations": "Observation",
    "procedures": "Procedure",
    "reports": "DiagnosticReport",
    "specimens": "Specimen",
    "orders": "ServiceRequest",
}


def request(file: str) -> Json:
    """A CDS Hooks patient-view request with the sample's chart as prefetch."""
    chart = SAMPLES[file]()
    found = {
        key: [item for item in chart.resources.values() if item["resourceType"] == kind]
        for key, kind in KEYS.items()
    }
    prefetch = {"patient": chart.resources["patient"]} | {
        key: _searchset(items) for key, items in found.items()
    }
    return {
        "hook": "patient-view",
        "hookInstance": str(uuid5(NAMESPACE_URL, f"urn:milan-net:request:{file}")),
        "context": {"userId": "Practitioner/example", "patientId": chart.name},
        "prefetch": prefetch,
    }


def _searchset(resources: list[Json]) -> Json:
    entries = [{"resource": item, "search": {"mode": "match"}} for item in resources]
    return {"resourceType": "Bundle", "type": "searchset", "total": len(entries)} | (
        {"entry": entries} if entries else {}
    )


def _observations_missing() -> Json:
    body = request("01-meets")
    del body["prefetch"]["observations"]
    return body


def _observations_failed() -> Json:
    body = request("01-meets")
    text = "The search for Observations took too long."
    issue = {"severity": "error", "code": "timeout", "diagnostics": text}
    body["prefetch"]["observations"] = {"resourceType": "OperationOutcome", "issue": [issue]}
    return body


def _incomplete() -> Json:
    """From a client that says null where it found nothing."""
    body = request("28-us-core-diagnosis-codes-only")
    body["prefetch"] = {
        key: None if value.get("total") == 0 else value for key, value in body["prefetch"].items()
    }
    return body


REQUEST_FILES: dict[str, Callable[[], Json]] = {
    "meets": lambda: request("01-meets"),
    "outside": lambda: request("02-ki67-12-percent"),
    "not-yet": lambda: request("04-progression-in-july"),
    "incomplete": _incomplete,
    "no-net": lambda: request("29-no-net"),
    "observations-missing": _observations_missing,
    "observations-failed": _observations_failed,
}


# --- files --------------------------------------------------------------------------------------------------

_LARGE = 500  # entries; a larger chart is written one entry a line


def written(bundle: Json) -> str:
    """The text of a file."""
    if len(bundle.get("entry", [])) < _LARGE:
        return json.dumps(bundle, indent=2, ensure_ascii=False) + "\n"
    head = json.dumps({**bundle, "entry": []}, ensure_ascii=False).removesuffix("]}")
    lines = (json.dumps(entry, ensure_ascii=False, separators=(",", ":")) for entry in bundle["entry"])
    return head + "\n" + ",\n".join(lines) + "\n]}\n"


def files() -> dict[Path, str]:
    """Every file that belongs to `sample_bundles`, except its README, with its text."""
    bundles = {BUNDLES / f"{file}.json": written(make().bundle()) for file, make in SAMPLES.items()}
    return bundles | {REQUESTS / f"{file}.json": written(make()) for file, make in REQUEST_FILES.items()}


def golden_files() -> dict[Path, str]:
    """The assessment of every sample under the default policy, as the real code renders it."""
    return {GOLDEN / f"{file}.json": golden(written(make().bundle())) for file, make in SAMPLES.items()}


def golden(text: str) -> str:
    """What the default policy says of one chart on the day of evaluation, as JSON."""
    # Imported here because charts are made without anything that reads or decides.
    from cds_service.eligibility.evaluation import assess  # noqa: PLC0415
    from cds_service.eligibility.policy import policies  # noqa: PLC0415
    from cds_service.eligibility.rendering import as_json  # noqa: PLC0415
    from fhir_mappings.mapping import read_facts  # noqa: PLC0415
    from fhir_mappings.record import read_file  # noqa: PLC0415

    chosen, *others = policies()
    (record,) = read_file(text.encode())
    assessment = assess(read_facts(record, EVALUATED_ON), chosen, EVALUATED_ON, tuple(others))
    rendered = as_json(assessment)
    document = json.loads(rendered) if isinstance(rendered, str | bytes) else rendered
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def differences() -> list[str]:
    """The files that are missing, stale, or not made here."""
    wanted = files()
    present = {*BUNDLES.glob("*.json"), *REQUESTS.glob("*.json")}
    stale = {
        path
        for path, text in wanted.items()
        if path not in present or path.read_text(encoding="utf-8") != text
    }
    return sorted(str(path.relative_to(ROOT)) for path in stale | (present - wanted.keys()))


def write(texts: dict[Path, str]) -> None:
    """Write files, and their folders where they are missing."""
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")


def main(arguments: list[str]) -> int:
    """Do what the command line asks; the exit code."""
    if arguments == ["--check"]:
        stale = differences()
        sys.stderr.writelines(f"{name} differs: run python -m tests.samples.generate\n" for name in stale)
        return bool(stale)
    if arguments == ["--golden"]:
        write(golden_files())
        return 0
    if arguments:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    write(files())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
