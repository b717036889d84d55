"""Record to assessment: steps 5 and 6 of the journey, the same for hooks, command line and screening."""

from dataclasses import dataclass
from datetime import date

from cds_service.eligibility.assessment import Assessment
from cds_service.eligibility.evaluation import assess
from cds_service.eligibility.policy import Policy, PolicyError, policies, policy
from cds_service.errors import SettingsError
from cds_service.settings import Settings
from fhir_mappings.facts import Facts
from fhir_mappings.mapping import read_facts
from fhir_mappings.record import PatientRecord
from fhir_mappings.site_profile import SiteProfile, load_site_profile


@dataclass(frozen=True, slots=True)
class Advisor:
    """The rules that decide, those that are shown where they differ, and the site's own codes."""

    policy: Policy
    others: tuple[Policy, ...]
    site_profile: SiteProfile | None = None

    def advise(self, record: PatientRecord, on: date) -> tuple[Facts, Assessment]:
        """What the record says, and what follows from it on a day."""
        facts = read_facts(record, on, self.site_profile)
        return facts, assess(facts, self.policy, on, self.others)


def create_advisor(settings: Settings) -> Advisor:
    """The advisor that the settings ask for. Raises SettingsError with a sentence."""
    chosen = _policy(settings.policy)
    return Advisor(
        chosen, tuple(other for other in policies() if other.id != chosen.id), _site_profile(settings)
    )


def _policy(policy_id: str) -> Policy:
    try:
        return policy(policy_id)
    except PolicyError as error:
        raise SettingsError(f"The policy cannot be used: {error}.") from error


def _site_profile(settings: Settings) -> SiteProfile | None:
    if settings.site_profile is None:
        return None
    try:
        return load_site_profile(settings.site_profile)
    except ValueError as error:
        raise SettingsError(f"The site profile cannot be used: {error}") from error
