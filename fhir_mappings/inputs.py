"""What each fact is read from. An unreadable resource makes every fact unknown whose value sets hold its code."""

from collections.abc import Mapping
from functools import cache

from fhir_mappings.chart import Input
from fhir_mappings.relevance import (
    LABELLED_MALIGNANCY,
    LABELLED_METASTASIS,
    LABELLED_TUMOUR,
    OTHER_MALIGNANCY,
)
from fhir_mappings.valueset import terminology

NET_HISTOLOGY = frozenset(
    {
        "histology-net-g1",
        "histology-net-g2",
        "histology-net-g3",
        "histology-net",
        "histology-nec",
        "histology-nec-or-net",
    }
    | {"histology-minen", "histology-nen-unspecified"}
)
METASTATIC_NET = frozenset({"liver-metastasis-net", "histology-metastatic-net"})
HISTOLOGY_CODES = frozenset({"histology-code"})
METASTASIS_SITE_CODES = frozenset({"metastasis-site-code"})
M_CATEGORY_CODES = frozenset({"tnm-m-code"})
UNSITED_METASTASIS = frozenset(
    {"secondary-malignancy-unspecified", "histology-metastatic-net", "distant-metastasis-present-unspecified"}
)
FINDING_CODES = frozenset({"finding-code"})
KI67_CODES = frozenset(
    {"ki67-code", "ki67-code-breast", "ki67-ordinal-code", "ki67-naaccr-code", "immunohistochemistry-code"}
)


def prefixed(*prefixes: str) -> frozenset[str]:
    """The ids of all shipped value sets that start with one of the prefixes."""
    return frozenset(name for name in terminology().value_set_ids() if name.startswith(prefixes))


METASTASIS = (
    prefixed("extrahepatic-", "nodes-")
    | METASTATIC_NET
    | UNSITED_METASTASIS
    | {"liver-metastasis", "liver-metastasis-review"}
) - {"extrahepatic-disease-code"}
"""The codes that are themselves a metastasis, here or there."""


@cache
def inputs() -> Mapping[str, Input]:
    """The inputs of every fact, by its name."""
    sites = prefixed("site-") | {"primary-occult"}
    resections = prefixed("resection-") - {"resection-type-code"} | {"procedure-local-excision"}
    tumour = NET_HISTOLOGY | METASTATIC_NET | HISTOLOGY_CODES
    extrahepatic = prefixed("extrahepatic-", "nodes-")
    pathology = ("Condition", "Observation")
    diagnoses = (*pathology, "DiagnosticReport")
    stages = frozenset({"tnm-m1a", "tnm-m1b", "tnm-m1c"})
    elsewhere = FINDING_CODES | stages | {LABELLED_METASTASIS}
    return {
        "birth_date": Input("Date of birth", ("Patient",), frozenset()),
        "deceased": Input("Vital status", ("Patient",), frozenset()),
        "neuroendocrine_tumour": Input(
            "Neuroendocrine tumour",
            diagnoses,
            tumour | {"history-of-net", "carcinoid-syndrome", LABELLED_TUMOUR} | FINDING_CODES,
        ),
        "differentiation": Input("Differentiation", diagnoses, tumour | FINDING_CODES),
        "primary_site": Input(
            "Primary site", pathology, tumour | sites | {"primary-site-code", "history-of-net"}
        ),
        "ki67_percent": Input(
            "Ki-67 index", ("Observation",), KI67_CODES | HISTOLOGY_CODES | {"grade-code", "mislabelled-code"}
        ),
        "mitotic_count": Input(
            "Mitotic count", ("Observation",), frozenset({"mitosis-code", "mitosis-code-per-10-hpf"})
        ),
        "histologic_grade": Input(
            "Histologic grade", pathology, frozenset({"grade-code"}) | NET_HISTOLOGY | HISTOLOGY_CODES
        ),
        "liver_metastases": Input(
            "Liver metastases",
            diagnoses,
            frozenset({"liver-metastasis", "liver-metastasis-review", "history-of-liver-metastasis"})
            | METASTATIC_NET
            | UNSITED_METASTASIS
            | METASTASIS_SITE_CODES
            | M_CATEGORY_CODES
            | elsewhere,
        ),
        "liver_involvement_percent": Input(
            "Liver involvement",
            ("Observation",),
            frozenset(
                {
                    "liver-involvement-percent-code",
                    "liver-involvement-category-code",
                    "liver-tumour-volume-code",
                    "liver-volume-code",
                }
            ),
        ),
        "liver_resectability": Input(
            "Resectability",
            ("Observation",),
            frozenset({"liver-resectability-code", "resectability-unresectable"}),
        ),
        "extrahepatic_disease": Input(
            "Extrahepatic disease",
            diagnoses,
            extrahepatic | UNSITED_METASTASIS | METASTASIS_SITE_CODES | M_CATEGORY_CODES | elsewhere,
        ),
        "primary_resection": Input(
            "Resection of the primary",
            ("Procedure",),
            resections | {"liver-transplant-procedure"},
            details=frozenset({"residual-status-code", "margin-status-code"}),
        ),
        "disease_response": Input("Disease response", ("Observation",), frozenset({"response-code"})),
        "transplant_status": Input(
            "Transplant status",
            ("Procedure", "Condition", "Observation"),
            frozenset({"liver-transplant-procedure", "liver-transplant-status", "transplant-waitlist"}),
        ),
        "other_malignancy": Input(
            "Other malignancy", ("Condition",), frozenset({OTHER_MALIGNANCY, LABELLED_MALIGNANCY})
        ),
        "carcinoid_syndrome": Input("Carcinoid syndrome", ("Condition",), frozenset({"carcinoid-syndrome"})),
        "carcinoid_heart_disease": Input(
            "Carcinoid heart disease", ("Condition",), frozenset({"carcinoid-heart-disease"})
        ),
        "end_of_life_care": Input(
            "Hospice or palliative care", ("Condition",), frozenset({"hospice-care", "palliative-care"})
        ),
        "transplant_refusal": Input(
            "Decision against a transplantation",
            ("Procedure", "ServiceRequest"),
            frozenset({"liver-transplant-procedure", "order-transplant-referral"}),
        ),
        "pregnancy": Input("Pregnancy", ("Condition",), frozenset({"pregnancy"})),
        "hereditary_syndrome": Input(
            "Hereditary tumour syndrome", ("Condition",), frozenset({"hereditary-tumour-syndrome"})
        ),
        "general_comorbidity": Input(
            "General comorbidity", ("Condition",), frozenset({"general-comorbidity"})
        ),
        "open_orders": Input(
            "Orders", ("ServiceRequest",), prefixed("imaging-", "order-") | {"referral-hpb-surgery"}
        ),
    }
