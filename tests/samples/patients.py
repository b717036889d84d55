"""The sample patients, a function each: one whose every fact lies within the criteria, and what differs from her."""

from tests.samples.ordinary import ordinary_chart
from tests.samples.resources import (
    FINDINGS,
    GRADE_1,
    HL7,
    ICD10CM,
    ICDO3,
    ILEAL_CARCINOID_ICD,
    ILEUM,
    KI67_SCT,
    LIVER,
    LIVER_METASTASES_ICD,
    LOINC,
    RIGHT_COLECTOMY,
    SCT,
    WD_NET_G1,
    Chart,
    Coding,
    Samples,
    category,
    concept,
    finding,
    quantity,
    registering,
)

ICD10CM_OID = "urn:oid:2.16.840.1.113883.6.90"

CECUM: Coding = (SCT, "32713005", "Cecum structure (body structure)")
PANCREAS: Coding = (SCT, "15776009", "Pancreatic structure (body structure)")
RECTUM: Coding = (SCT, "34402009", "Rectum structure (body structure)")
LUNG: Coding = (SCT, "39607008", "Lung structure (body structure)")

ILEAL_CARCINOID: Coding = (SCT, "192701000119101", "Malignant carcinoid tumor of ileum (disorder)")
LIVER_METASTASES: Coding = (SCT, "94381002", "Metastatic malignant neoplasm to liver (disorder)")

NET_G1: Coding = (ICDO3, "8240/3", "Neuroendocrine tumor, NOS")
NET_G2: Coding = (ICDO3, "8249/3", "Neuroendocrine tumor, grade 2")
LARGE_CELL_NEC: Coding = (ICDO3, "8013/3", "Large cell neuroendocrine carcinoma")
SIGNET_RING: Coding = (ICDO3, "8490/3", "Signet ring cell carcinoma")
G1: Coding = (SCT, "54102005", "G1 grade (finding)")
G2: Coding = (SCT, "1663004", "G2 grade (finding)")
G3: Coding = (SCT, "61026006", "G3 grade (finding)")

ILEOCOLIC: Coding = (SCT, "276190007", "Ileocolic resection (procedure)")
DISTAL_PANCREATECTOMY: Coding = (SCT, "401004", "Distal subtotal pancreatectomy (procedure)")
RECTAL_RESECTION: Coding = (SCT, "87677003", "Resection of rectum (procedure)")
LOBECTOMY: Coding = (SCT, "173171007", "Lobectomy of lung (procedure)")

PRESENT: Coding = (SCT, "52101004", "Present (qualifier value)")
RESPONSE_CODE: Coding = (LOINC, "88040-1", "Response to cancer treatment")
WORSENED: Coding = (SCT, "271299001", "Patient's condition worsened (finding)")
STABLE_LOINC: Coding = (LOINC, "LA28371-5", "Stable disease")
PARTIAL_LOINC: Coding = (LOINC, "LA28369-9", "Partial response")
STABLE_RADLEX: Coding = ("https://radlex.org", "RID11514", "stable disease")
INVOLVEMENT_CATEGORY = finding("liver-involvement-category", "Liver volume replaced by tumour, category")

BONE_METASTASIS: Coding = (ICD10CM, "C7B.03", "Secondary carcinoid tumors of bone")

SAMPLES: Samples = {}
sample = registering(SAMPLES)


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
    return chart.pathology_report(("specimen-cecum", "specimen-primary"), results)


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
    ordinary = ordinary_chart(chart.subject)
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


@sample("36-palliative-resection")
def _palliative(name: str) -> Chart:
    """R0 all the same: that nothing was left does not make it an operation that was meant to cure."""
    intent = (SCT, "363676003", "Palliative - procedure intent")
    url = "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-procedure-intent"
    extension = [{"url": url, "valueCodeableConcept": concept(intent)}]
    return within(name).change("resection", extension=extension)


@sample("37-pregnancy")
def _pregnancy(name: str) -> Chart:
    code = (ICD10CM, "Z33.1", "Pregnant state, incidental")
    return within(name).condition("pregnancy", code, onset="2026-09-14")


@sample("38-men-1-and-heart-failure")
def _caveats(name: str) -> Chart:
    return (
        within(name)
        .condition(
            "men-1", (ICD10CM, "E31.21", "Multiple endocrine neoplasia [MEN] type I"), onset="2019-02-11"
        )
        .condition(
            "heart-failure",
            (ICD10CM, "I50.22", "Chronic systolic (congestive) heart failure"),
            onset="2024-05-06",
        )
    )


@sample("39-palliative-care")
def _palliative_care(name: str) -> Chart:
    code = (ICD10CM, "Z51.5", "Encounter for palliative care")
    return within(name).condition("palliative-care", code, onset="2026-11-09")
