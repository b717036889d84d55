"""Record to assessment: steps 5 and 6 of the journey, the same for hooks, command line and screening."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

from cds_service.eligibility.assessment import Assessment
from cds_service.eligibility.evaluation import assess
from cds_service.eligibility.policy import Policy, PolicyError, policies, policy
from cds_service.errors import SettingsError
from cds_service.settings import Settings
from cds_service.tenants import Tenant
from fhir_mappings.facts import Facts
from fhir_mappings.mapping import read_facts
from fhir_mappings.record import PatientRecord
from fhir_mappings.site_profile import SiteProfile, load_site_profile
from fhir_mappings.valueset import Terminology, terminology


@dataclass(frozen=True, slots=True)
class Advisor:
    """The rules that decide, those that are shown where they differ, and the site's own codes."""

    policy: Policy
    others: tuple[Policy, ...]
    site_profile: SiteProfile | None = None

    @property
    def terminology(self) -> Terminology:
        """The codes that are known: those shipped, and the site's own."""
        return terminology() if self.site_profile is None else self.site_profile.terminology

    def advise(self, record: PatientRecord, on: date) -> tuple[Facts, Assessment]:
        """What the record says, and what follows from it on a day."""
        facts = read_facts(record, on, self.site_profile)
        return facts, assess(facts, self.policy, on, self.others)


def create_advisor(settings: Settings, tenant: Tenant | None = None) -> Advisor:
    """The advisor that a tenant asks for, and where it does not say, the settings. Raises SettingsError."""
    policy_id, profile = _asked_for(settings, tenant)
    chosen = _policy(policy_id)
    return Advisor(
        chosen, tuple(other for other in policies() if other.id != chosen.id), _site_profile(profile)
    )


def mistakes(settings: Settings, tenant: Tenant | None = None) -> Iterator[str]:
    """Everything that keeps `create_advisor` from making one, where that would only tell the first."""
    policy_id, profile = _asked_for(settings, tenant)
    for load in (partial(_policy, policy_id), partial(_site_profile, profile)):
        try:
            load()
        except SettingsError as error:
            yield str(error)


def _asked_for(settings: Settings, tenant: Tenant | None) -> tuple[str, Path | None]:
    policy_id = tenant.policy if tenant is not None and tenant.policy else settings.policy
    profile = tenant.site_profile if tenant is not None and tenant.site_profile else settings.site_profile
    return policy_id, profile


def _policy(policy_id: str) -> Policy:
    try:
        return policy(policy_id)
    except PolicyError as error:
        raise SettingsError(f"The policy cannot be used: {error}.") from error


def _site_profile(path: Path | None) -> SiteProfile | None:
    if path is None:
        return None
    try:
        return load_site_profile(path)
    except ValueError as error:
        raise SettingsError(f"The site profile cannot be used: {error}") from error
