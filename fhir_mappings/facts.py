"""What can be known about one patient: plain values, each with the resources that say so.

Standard library only (and the interval vocabulary beside it), because what decides sees nothing else of this package.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

from fhir_mappings.interval import Interval
from fhir_mappings.when import PartialDate

T = TypeVar("T")


class GapKind(StrEnum):
    """Why a fact has no value. The kinds lead to different sentences on a card and are never mixed."""

    NOT_RECORDED = "not-recorded"  # the record was read and holds nothing that says so
    NOT_SENT = "not-sent"  # the EHR did not send that part of the record
    UNREADABLE = "unreadable"  # a resource that could have said so could not be read
    CONFLICTING = "conflicting"  # sources disagree, or an unconfirmed one would change the answer
    INDETERMINATE = "indeterminate"  # something is recorded, but it does not settle the question


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where a value was read: one element of one resource, as written there."""

    reference: str  # "Observation/ki67-liver"
    element: str  # "valueQuantity", "code", "extension[mcode-histology-morphology-behavior]"
    date: PartialDate | None = (
        None  # the clinical date: of the specimen, imaging or procedure, never of issue
    )
    code: str | None = None  # "http://loinc.org|29593-1", as written
    display: str | None = None  # our own short label of that code
    value: str | None = None  # "2 %", "< 10 %", "http://snomed.info/sct|359746009"


@dataclass(frozen=True, slots=True)
class Discarded:
    """A datum that was looked at and not used, with the reason: nothing is silently chosen."""

    evidence: Evidence
    reason: str


@dataclass(frozen=True, slots=True)
class Gap:
    """Why a fact has no value, in a sentence for a clinician."""

    kind: GapKind
    reason: str


@dataclass(frozen=True, slots=True)
class Note:
    """Something a clinician should know about a value that is used: a stable flag and a sentence."""

    flag: str  # "primary-tissue-only", "display-mismatch", "mended", "site-from-history", ...
    text: str


@dataclass(frozen=True, slots=True)
class Fact(Generic[T]):
    """A value with the evidence for it, or a named gap; never both, never neither."""

    value: T | None = None
    evidence: tuple[Evidence, ...] = ()
    gap: Gap | None = None
    discarded: tuple[Discarded, ...] = ()
    notes: tuple[Note, ...] = ()

    def __post_init__(self) -> None:
        if (self.value is None) == (self.gap is None):
            raise ValueError("a fact has either a value or a gap")


class Presence(StrEnum):
    """Recorded as there, or recorded as not there. What is not recorded is a gap, never ABSENT."""

    PRESENT = "present"
    ABSENT = "absent"


class Differentiation(StrEnum):
    """What the histology says of the tumour (WHO 2019/2022, clinical.md 3)."""

    NET_G1 = "NET G1"
    NET_G2 = "NET G2"
    NET_G3 = "NET G3"
    NET = "NET, grade not stated"  # well differentiated or "carcinoid"
    NEC = "NEC"  # poorly differentiated
    NEC_OR_NET = "neuroendocrine carcinoma, differentiation not stated"  # 8246/3: words of before 2010
    MINEN = "MiNEN"
    UNSPECIFIED = "neuroendocrine neoplasm, NET or NEC not stated"


class PortalClass(StrEnum):
    """Whether the veins of the primary site drain into the portal vein, as the Milan criteria name it (clinical.md 1.4)."""

    PORTAL = "portal"
    NOT_PORTAL = "not-portal"
    REVIEW = "review"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class PrimarySite:
    """Every primary site on record ("ileum", "pancreas", ids of the value sets `site-*`) and the worst portal class.

    Several sites are several primaries, or a contradiction: each has to pass (clinical.md 7.4).
    `classes` gives each site's own portal class, in the order of `sites`; left out, `portal_class` stands for all.
    """

    sites: tuple[str, ...]
    portal_class: PortalClass
    classes: tuple[PortalClass, ...] = ()


@dataclass(frozen=True, slots=True)
class LiverMetastases:
    """Liver metastases on record, and the first day they are dated on."""

    presence: Presence
    since: PartialDate | None = None


class DiseaseExtent(StrEnum):
    """What kind of disease lies outside the liver: nodes can be cleared, organ metastases count as permanent."""

    NODAL = "distant lymph nodes"
    REVIEW = "mesenteric or peritoneal disease"  # C7B.04: peritoneum or a resectable mesenteric mass
    ORGAN = "organ metastasis"
    UNSPECIFIED = "site not stated"  # "extrahepatic disease: present", no site


@dataclass(frozen=True, slots=True)
class ExtrahepaticDisease:
    """Disease outside liver and primary: present (with its extents), or absent on positive evidence of `as_of`.

    `whole_body_imaging` tells that the absence rests on whole-body somatostatin-receptor imaging.
    """

    presence: Presence
    as_of: PartialDate | None
    extents: tuple[DiseaseExtent, ...] = ()
    sites: tuple[str, ...] = ()  # "bone", "lung": labels for a sentence
    whole_body_imaging: bool = False


class ResidualStatus(StrEnum):
    """Residual tumour after the resection (UICC R classification)."""

    R0 = "R0"
    R1 = "R1"
    R2 = "R2"
    NOT_STATED = "not stated"


class Intent(StrEnum):
    """What an operation was to achieve, as recorded with it."""

    CURATIVE = "curative"
    PALLIATIVE = "palliative or debulking"
    UNREAD = "stated in a form that is not read"
    NOT_STATED = "not stated"


@dataclass(frozen=True, slots=True)
class PrimaryResection:
    """The resection of the primary: done or not, when, how completely."""

    performed: bool
    date: PartialDate | None = None
    residual: ResidualStatus = ResidualStatus.NOT_STATED
    with_transplant: bool = False  # at the same operation as a liver transplant
    local_excision: bool = False  # endoscopic or enucleation: needs review
    sites: tuple[str, ...] = ()
    last_date: PartialDate | None = None  # of the last resection, where several primaries were removed
    intent: Intent = Intent.NOT_STATED  # the least favourable one, where several primaries were removed

    @property
    def leaves_open_what_was_removed(self) -> bool:
        """Whether the intent on record says that it may not have been a curative resection (clinical.md 1.5)."""
        return self.intent in (Intent.PALLIATIVE, Intent.UNREAD)


class Tissue(StrEnum):
    """Where a specimen was taken."""

    PRIMARY = "primary"
    LIVER_METASTASIS = "liver metastasis"
    OTHER_METASTASIS = "other metastasis"
    NOT_STATED = "not stated"


@dataclass(frozen=True, slots=True)
class Ki67Reading:
    """One Ki-67 proliferation index, percent of tumour cells."""

    percent: Interval
    tissue: Tissue
    date: PartialDate | None
    reference: str


@dataclass(frozen=True, slots=True)
class Ki67:
    """The governing Ki-67 index (percent; the highest adequate value governs, clinical.md 3) and every reading."""

    percent: Interval
    readings: tuple[Ki67Reading, ...]
    derived_from_grade: bool = False  # only G1 implies an interval, [0, 3)


class MitosisUnit(StrEnum):
    """What a mitotic count was counted over; the two are not converted (the field diameter is not known)."""

    PER_2_MM2 = "per 2 mm2"
    PER_10_HPF = "per 10 HPF"


@dataclass(frozen=True, slots=True)
class MitoticCount:
    """The highest mitotic count on record and its unit."""

    count: Interval
    unit: MitosisUnit


class Grade(StrEnum):
    """Histologic grade as recorded; a two-tier low/high is not G1/G3."""

    G1 = "G1"
    G2 = "G2"
    G3 = "G3"
    G4 = "G4"


@dataclass(frozen=True, slots=True)
class HistologicGrade:
    """The highest histologic grade on record."""

    grade: Grade
    date: PartialDate | None = None


class InvolvementMethod(StrEnum):
    """How the liver involvement was obtained; volumetry ranks above an estimate (clinical.md 7.4)."""

    VOLUMETRY = "volumetry"
    ESTIMATE = "estimate"
    CATEGORY = "category"


@dataclass(frozen=True, slots=True)
class LiverInvolvement:
    """Percent of the liver volume replaced by tumour, on the day of the imaging."""

    percent: Interval
    date: PartialDate | None
    method: InvolvementMethod


class Response(StrEnum):
    """Trend of the disease at one assessment (RECIST 1.1 words)."""

    COMPLETE = "complete response"
    PARTIAL = "partial response"
    RESPONSE = "response"  # "improved"
    STABLE = "stable disease"
    PROGRESSION = "progressive disease"
    CONFLICTING = "conflicting readings"  # progression and stability on the same study


@dataclass(frozen=True, slots=True)
class ResponseAssessment:
    """One dated disease assessment; `date` is the day of the imaging."""

    response: Response
    date: PartialDate
    reference: str
    confirmed: bool = True  # False: preliminary, can only take certainty away


@dataclass(frozen=True, slots=True)
class ResponseCourse:
    """All dated assessments in the order of their days."""

    assessments: tuple[ResponseAssessment, ...]


class Resectability(StrEnum):
    """Whether the liver metastases can be resected, as stated by a board or surgeon."""

    RESECTABLE = "resectable"
    UNRESECTABLE = "unresectable"
    UNCERTAIN = "uncertain"


class TransplantStatus(StrEnum):
    """How far the patient is on the way to a liver transplant."""

    TRANSPLANTED = "transplanted"
    LISTED = "on a waiting list"


class EndOfLifeCare(StrEnum):
    """Care whose aim is no longer, or not only, the disease; palliative care may go along with treatment."""

    HOSPICE = "hospice care"
    PALLIATIVE = "palliative care"


class OrderKind(StrEnum):
    """Orders that answer a missing criterion; each appears at most once on a card."""

    TRANSPLANT_REFERRAL = "transplant-referral"
    SOMATOSTATIN_RECEPTOR_PET = "somatostatin-receptor-pet"
    LIVER_MRI = "liver-mri"
    KI67 = "ki-67"
    RESTAGING = "restaging"
    ECHOCARDIOGRAM = "echocardiogram"
    SURGICAL_REFERRAL = "surgical-referral"


class OrderState(StrEnum):
    """How far an order is. Only an active or completed one was given for certain."""

    ACTIVE = "active"
    ON_HOLD = "on hold"
    DRAFT = "a draft"  # not signed yet
    COMPLETED = "completed"
    PROPOSED = "proposed or planned"  # nobody ordered it
    DOUBTFUL = "in doubt"  # its status or intent does not say


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order on record that is or may still be open; of the completed ones only referrals, which may still be running.

    `date` is the day it was written on, `doubt` why its state is in doubt. How old it may be, a policy says.
    """

    kind: OrderKind
    reference: str
    date: PartialDate | None = None
    state: OrderState = OrderState.ACTIVE
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class Issue:
    """A resource that could not be read: which, why, and which facts it might have changed."""

    reference: str
    problem: str
    facts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mending:
    """A known bend of real EHR data that was straightened before validation."""

    reference: str
    element: str
    mended: str


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a chart says of one patient. Every field of type Fact is read by the reader of the same name."""

    patient: str  # "Patient/123"
    birth_date: Fact[PartialDate]
    deceased: Fact[bool]
    neuroendocrine_tumour: Fact[Presence]
    differentiation: Fact[Differentiation]
    primary_site: Fact[PrimarySite]
    ki67_percent: Fact[Ki67]
    mitotic_count: Fact[MitoticCount]
    histologic_grade: Fact[HistologicGrade]
    liver_metastases: Fact[LiverMetastases]
    liver_involvement_percent: Fact[LiverInvolvement]
    liver_resectability: Fact[Resectability]
    extrahepatic_disease: Fact[ExtrahepaticDisease]
    primary_resection: Fact[PrimaryResection]
    disease_response: Fact[ResponseCourse]
    transplant_status: Fact[TransplantStatus]
    other_malignancy: Fact[Presence]
    carcinoid_syndrome: Fact[Presence]
    carcinoid_heart_disease: Fact[Presence]
    end_of_life_care: Fact[EndOfLifeCare]
    transplant_refusal: Fact[Presence]
    pregnancy: Fact[Presence]
    hereditary_syndrome: Fact[Presence]
    general_comorbidity: Fact[Presence]
    open_orders: Fact[tuple[OpenOrder, ...]]
    issues: tuple[Issue, ...] = field(default=())
    mendings: tuple[Mending, ...] = field(default=())
    foreign: tuple[str, ...] = field(default=())  # references of what names another patient: left out
    unread_parts: tuple[str, ...] = field(default=())  # a clause for each part that did not arrive whole
