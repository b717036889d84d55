"""One patient's record, read and assessed on a day: everything that a page shows comes from here."""

from dataclasses import dataclass
from datetime import date

from cds_service.advisor import Advisor
from cds_service.eligibility.assessment import Assessment
from cds_service.eligibility.policy import Policy
from fhir_mappings.facts import Facts
from fhir_mappings.record import PatientRecord


@dataclass(frozen=True, slots=True)
class Reading:
    """A record with what it says and what follows. `attested` are references of resources that the user typed."""

    record: PatientRecord
    facts: Facts
    assessment: Assessment
    policy: Policy
    attested: frozenset[str] = frozenset()


def read(
    record: PatientRecord, advisor: Advisor, on: date, attested: frozenset[str] = frozenset()
) -> Reading:
    """Read and assess a record, as a hook does."""
    facts, assessment = advisor.advise(record, on)
    return Reading(record, facts, assessment, advisor.policy, attested)
