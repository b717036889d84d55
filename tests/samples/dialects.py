"""Sample patients as others write them: mCODE, the German and Dutch standards, and diagnosis codes alone."""

from tests.samples.patients import within
from tests.samples.resources import (
    ABSENT,
    DOTATATE_PET,
    EXTRAHEPATIC,
    GRADE,
    GRADE_1,
    HEMOGLOBIN,
    ICD10CM,
    ICDO3,
    ILEAL_CARCINOID_ICD,
    ILEUM,
    INVOLVEMENT,
    KI67_SCT,
    LIVER,
    LIVER_METASTASES_ICD,
    LOINC,
    RIGHT_COLECTOMY,
    SCT,
    WD_NET_G1,
    Chart,
    Coding,
    Json,
    Samples,
    category,
    concept,
    finding,
    quantity,
    registering,
)

ICD10GM = "http://fhir.de/CodeSystem/bfarm/icd-10-gm"
ICD10PCS = "http://www.cms.gov/Medicare/Coding/ICD10"
OPS = "http://fhir.de/CodeSystem/bfarm/ops"
MII = "https://www.medizininformatik-initiative.de/fhir/ext/modul-onko"
MCODE = "http://hl7.org/fhir/us/mcode/StructureDefinition"
TUMOUR_VOLUME = finding("liver-tumour-volume", "Volume of the liver tumours")
LIVER_VOLUME = finding("liver-volume", "Volume of the whole liver, tumours included")

AJCC_8: Coding = (
    SCT,
    "897275008",
    (
        "American Joint Commission on Cancer, Cancer Staging Manual, 8th edition "
        "neoplasm staging system (tumor staging)"
    ),
)

NOT_SEEN: Coding = (SCT, "47492008", "Not seen (qualifier value)")

SAMPLES: Samples = {}
sample = registering(SAMPLES)


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
    return chart.pathology_report(("specimen-primary",), list(neat))


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
