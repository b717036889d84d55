"""One call from its body to its cards: the same seven steps for every hook, and what is noted of them for the log."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from cds_service.advisor import Advisor
from cds_service.eligibility.assessment import Assessment
from cds_service.eligibility.verdict import Verdict
from cds_service.hooks.cards import cards
from cds_service.hooks.dialects import order_lookup, wants_app_context
from cds_service.hooks.fatigue import Fatigue, Withheld
from cds_service.hooks.occasions import Manner, manner, occasion
from cds_service.hooks.prefetch import Ehr, ensure_sufficient, gather
from cds_service.hooks.request import HookRequest, parse
from cds_service.hooks.services import Service
from cds_service.smart.app_context import AppContexts, CardContext
from cds_service.storage.ledger import Ledger, ShownCard
from cds_service.tenants import Tenant
from fhir_mappings.bundle import PartState
from fhir_mappings.record import PatientRecord

_TO_DECIDE = 0.2  # seconds kept of a call's time for what follows the queries
Notes = dict[str, object]
"""What the log line of a call may hold: nothing of a patient."""


@dataclass(frozen=True, slots=True)
class Journey:
    """What a call passes through. `today` and `now` are the only clocks; `advisors` are by the id of the tenant."""

    advisors: Mapping[str, Advisor]
    ehr: Ehr
    ledger: Ledger
    fatigue: Fatigue
    today: Callable[[], date]
    now: Callable[[], datetime]
    app_contexts: AppContexts | None = None  # None where nothing is launched

    def cards_for(
        self, tenant: Tenant, service: Service, body: bytes, started: float, notes: Notes
    ) -> list[dict[str, object]]:
        """The cards for a call that `started` on the monotonic clock. Raises HttpError."""
        hook = parse(body, service)
        notes["hookInstance"] = hook.hook_instance
        advisor = self.advisors[tenant.id]
        found = occasion(hook.context, advisor.terminology, order_lookup(tenant))
        if found is None:
            return []
        deadline = started + tenant.deadline_ms / 1000 - _TO_DECIDE
        record = gather(hook, body, service, tenant=tenant, ehr=self.ehr, deadline=deadline)
        notes["unread"] = _unread(record)
        facts, assessment = advisor.advise(record, self.today())
        ensure_sufficient(record, facts, service)
        notes["verdict"] = assessment.verdict.value
        how = manner(found, assessment)
        if how is None or self._is_withheld(tenant, hook, assessment, how, notes):
            return []
        shown = cards(
            assessment,
            facts,
            advisor.policy,
            hook_instance=hook.hook_instance,
            tenant=tenant,
            how=how,
            app_context=self._app_context(tenant, service, hook, assessment, how),
        )
        for card in shown:
            self.ledger.record_shown(
                _shown(tenant, service, hook, assessment, str(card["uuid"]), how), self.now()
            )
        return shown

    def _app_context(
        self, tenant: Tenant, service: Service, hook: HookRequest, assessment: Assessment, how: Manner
    ) -> str | None:
        """What the links of a card tell the launch that follows one of them, where the tenant wants it."""
        has_card = assessment.verdict is not Verdict.NOT_APPLICABLE
        if self.app_contexts is None or not has_card or not wants_app_context(tenant):
            return None
        patient, day = hook.context.patient_id, self.today()
        return self.app_contexts.make(CardContext(tenant.id, patient, service.id, how.topic, day))

    def _is_withheld(
        self, tenant: Tenant, hook: HookRequest, assessment: Assessment, how: Manner, notes: Notes
    ) -> bool:
        """Whether a clinician has set this very advice aside, or the site does not want it."""
        if assessment.verdict is Verdict.NOT_APPLICABLE:
            return False
        context = hook.context
        decision = self.fatigue.decide(
            tenant, context.patient_id, context.user_id, assessment, self.now(), topic=how.topic
        )
        if isinstance(decision, Withheld):
            notes["withheld"] = decision.reason.value
            self.ledger.record_withheld(tenant.id, assessment.verdict, decision.reason.value, self.now())
            return True
        return False


def _unread(record: PatientRecord) -> str | None:
    """The parts of the record that did not arrive whole."""
    lacking = {kind: state for kind, state in record.parts.items() if state is not PartState.COMPLETE}
    return " ".join(f"{kind}:{state.value}" for kind, state in lacking.items()) or None


def _shown(  # noqa: PLR0913, PLR0917  a row of the ledger
    tenant: Tenant, service: Service, hook: HookRequest, assessment: Assessment, uuid: str, how: Manner
) -> ShownCard:
    context = hook.context
    return ShownCard(
        tenant.id, service.id, uuid, context.patient_id, context.user_id, assessment, topic=how.topic
    )
