"""Where the EHRs differ in what they accept on a card (integration.md 1.1 to 1.6)."""

from typing import Final

from cds_service.smart.app_context import AUTOMATIC
from cds_service.tenants import Tenant
from fhir_mappings.drafted import Lookup
from fhir_mappings.facts import OrderKind

_WITHOUT_APP_CONTEXT: Final = ("oracle",)  # Oracle Health does not pass appContext on
_OWN_ORDERS_ONLY: Final = (
    "epic",
)  # Epic places preference-list items and order sets, known by a key of the site


# Epic refuses a search for Observations without a category (integration.md 0); vital signs and habits are not read.
_OBSERVATIONS: Final = "laboratory,imaging,procedure,exam,therapy,survey"
_CATEGORISED: Final = ("epic",)


def query(tenant: Tenant, template: str, patient: str) -> str:
    """The read or search that a prefetch template stands for, as the tenant's server takes it."""
    asked = template.replace("{{context.patientId}}", patient)
    is_refused = tenant.dialect in _CATEGORISED and asked.startswith("Observation?")
    return f"{asked}&category={_OBSERVATIONS}" if is_refused else asked


def order_lookup(tenant: Tenant) -> Lookup:
    """What the tenant orders under a code of its own."""
    own = {(item.system, item.code): kind for kind, item in tenant.orders.items()}
    return lambda system, code: own.get((system or "", code or ""))


def may_propose(tenant: Tenant, kind: OrderKind) -> bool:
    """Whether an order can be proposed there: some EHRs place only what the site has a code for."""
    return kind in tenant.orders or tenant.dialect not in _OWN_ORDERS_ONLY


def coded_for(tenant: Tenant, kind: OrderKind, order: dict[str, object]) -> dict[str, object]:
    """A draft order under the site's own code, where it has one: that code alone, since the EHR looks it up."""
    own = tenant.orders.get(kind)
    if own is None:
        return order
    coding = {"system": own.system, "code": own.code} | ({"display": own.display} if own.display else {})
    code = order.get("code")
    text = code.get("text") if isinstance(code, dict) else None
    return order | {"code": {"coding": [coding]} | ({"text": text} if text else {})}


def wants_app_context(tenant: Tenant) -> bool:
    """Whether a link of the tenant's cards carries an app context that we make."""
    has_automatic = any(link.app_context == AUTOMATIC for link in tenant.links)
    return has_automatic and tenant.dialect not in _WITHOUT_APP_CONTEXT


def links(tenant: Tenant, own_context: str | None = None) -> list[dict[str, str]]:
    """The links that the tenant wants on every card; `own_context` is what we made for this one."""
    found = []
    for link in tenant.links:
        shown = {"label": link.label, "url": link.url, "type": link.type}
        told = own_context if link.app_context == AUTOMATIC else link.app_context
        if told is not None and tenant.dialect not in _WITHOUT_APP_CONTEXT:
            shown["appContext"] = told
        found.append(shown)
    return found
