"""`milan-net build-sheet`: the page that an EHR's analyst needs, made from what the service itself goes by.

Epic never reads discovery: its analysts type everything in (integration.md 1.1). What they type from has to agree with
the code, so nothing on the page is written twice: it comes from the tenant, the services, the cards and the checks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

import click
import msgspec

from cds_service.advisor import create_advisor
from cds_service.eligibility.policy import Policy
from cds_service.eligibility.verdict import Verdict
from cds_service.errors import DataError, SettingsError
from cds_service.hooks.cards import CARDS, GUIDELINE_URL, OVERRIDE_REASONS, OVERRIDES, TOPICS, topic
from cds_service.hooks.dialects import may_propose, query
from cds_service.hooks.occasions import Indicator
from cds_service.hooks.services import SERVICES, Service
from cds_service.integrator import keys
from cds_service.integrator.sheet_text import as_html, as_markdown
from cds_service.integrator.trials import Trial, trials
from cds_service.samples import WRITTEN_FOR
from cds_service.security.tokens import LEEWAY, LONGEST_LIFE
from cds_service.settings import from_environment
from cds_service.tenants import Tenant, Trust, load_tenants
from fhir_mappings.drafts import drafts
from fhir_mappings.facts import OrderKind
from fhir_mappings.record import PARTS

_NO_TENANT: Final = (
    "No tenant is configured, so there is nobody to make a sheet for: describe the site in a TOML file "
    'and name it in MILAN_NET_TENANTS (README, "Connect an EHR").'
)
PLACEHOLDER: Final = "https://milan-net.example.org"
BRINGS: Final[Mapping[str, str]] = {
    "patient": "birth date, death",
    "conditions": "the tumour, metastases in the liver and elsewhere, other malignancies",
    "observations": "Ki-67, grade, liver involvement, response, stage, resectability",
    "procedures": "resections, embolisation, transplantation",
    "reports": "pathology and imaging with coded conclusions, dates of imaging",
    "specimens": "the tissue on which Ki-67 and grade were measured",
    "orders": "referrals and examinations that are ordered already",
}


class Ehr(msgspec.Struct, frozen=True):
    """What is known of an EHR: the hooks that it fires, and its own names for the moments (`source` says from where)."""

    name: str
    native: Mapping[str, str]
    fires: tuple[str, ...]
    notes: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Call:
    """One service at one base address."""

    hook: str
    url: str
    native: str
    is_fired: bool

    @property
    def feedback(self) -> str:
        """Where feedback on its cards goes."""
        return f"{self.url}/feedback"


@dataclass(frozen=True, slots=True)
class Row:
    """One part of the prefetch, under the names that the site sends it by."""

    names: tuple[str, ...]
    query: str
    kind: str
    brings: str
    is_required: bool


@dataclass(frozen=True, slots=True)
class Order:
    """One order that cards propose, and under which code."""

    kind: str
    label: str
    code: str | None
    usual: str
    is_proposed: bool


@dataclass(frozen=True, slots=True)
class Topic:
    """Under what an EHR remembers that a kind of card was set aside."""

    verdict: str
    code: str
    is_silent: bool


@dataclass(frozen=True, slots=True)
class Sheet:
    """Everything on the page; its template reads it by these names."""

    tenant: Tenant
    ehr: Ehr
    rules: str
    bases: tuple[str, ...]
    calls: tuple[Call, ...]
    rows: tuple[Row, ...]
    orders: tuple[Order, ...]
    topics: tuple[Topic, ...]
    trials: tuple[Trial, ...]
    key: Path | None  # that the trials sign with
    placeholder: str = PLACEHOLDER
    written_for: str = WRITTEN_FOR.isoformat()
    longest_life: int = int(LONGEST_LIFE)
    leeway: int = int(LEEWAY)
    indicators: tuple[str, ...] = tuple(Indicator)
    topic_system: str = TOPICS
    reasons: tuple[Mapping[str, str], ...] = tuple(OVERRIDE_REASONS)
    reason_system: str = OVERRIDES
    guideline: str = GUIDELINE_URL

    @property
    def title(self) -> str:
        """What the page is about."""
        return self.tenant.name or self.tenant.id

    @property
    def trust(self) -> Trust | None:
        """Whose tokens the tenant's calls carry."""
        return self.tenant.trust

    @property
    def has_base(self) -> bool:
        """Whether the addresses are known, and not only their form."""
        return self.bases != (PLACEHOLDER,)

    @property
    def is_epic(self) -> bool:
        """Whether Epic's own words are of use."""
        return self.tenant.dialect == "epic"


@cache
def ehrs() -> Mapping[str, Ehr]:
    """What is known of the EHRs, by the dialect of a tenant."""
    text = (files("cds_service") / "integrator" / "ehrs.json").read_bytes()
    return msgspec.json.decode(text, type=dict[str, Ehr])


def sheet(tenant: Tenant, policy: Policy) -> Sheet:
    """The page of a tenant whose calls are decided by `policy`."""
    ehr = ehrs()[tenant.dialect]
    bases = tenant.trust.audiences if tenant.trust is not None else ()
    calls = tuple(_call(base, service, ehr) for base in bases or (PLACEHOLDER,) for service in SERVICES)
    key = _key(tenant.trust) if tenant.trust is not None else None
    return Sheet(
        tenant=tenant,
        ehr=ehr,
        rules=f"{policy.title}, version {policy.version} ({policy.id})",
        bases=bases or (PLACEHOLDER,),
        calls=calls,
        rows=tuple(_row(tenant, key) for key in PARTS),
        orders=tuple(_order(tenant, kind) for kind in OrderKind),
        topics=tuple(_topic(tenant, verdict) for verdict in CARDS),
        trials=trials(tenant, calls[0].url, key),
        key=key,
    )


def _call(base: str, service: Service, ehr: Ehr) -> Call:
    native = ehr.native.get(service.hook, "")
    return Call(service.hook, f"{base}/cds-services/{service.id}", native, service.hook in ehr.fires)


def _row(tenant: Tenant, key: str) -> Row:
    """A part as any service asks for it: all ask for the same."""
    template = SERVICES[0].prefetch[key]
    asked = query(tenant, template, "{{context.patientId}}")
    names = tuple(tenant.prefetch_aliases.get(key, ())) or (key,)
    return Row(names, asked, PARTS[key], BRINGS[key], key in SERVICES[0].required)


def _order(tenant: Tenant, kind: OrderKind) -> Order:
    own, draft = tenant.orders.get(kind), drafts()[kind]
    return Order(
        kind=kind.value,
        label=draft.label,
        code=f"{own.system} | {own.code}" if own is not None else None,
        usual=str(draft.code.get("text", "")),
        is_proposed=may_propose(tenant, kind),
    )


def _topic(tenant: Tenant, verdict: Verdict) -> Topic:
    return Topic(verdict.value, topic(verdict)["code"], verdict in tenant.silent_verdicts)


def _key(trust: Trust) -> Path | None:
    """A key of `milan-net keys` by an algorithm that the tenant takes."""
    usable = [name for name in keys.ALGORITHMS if name in trust.algorithms]
    return keys.private_key(Path("KEYS"), usable[0]) if usable else None


# --- the command ------------------------------------------------------------------------------------------------------


@click.command("build-sheet")
@click.option("--tenant", "tenant_id", required=True, help="Id of the tenant in the tenants' file.")
@click.option("--html", "is_html", is_flag=True, help="A page for a browser or a printer; else Markdown.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write.")
def build_sheet(tenant_id: str, output: Path | None, *, is_html: bool) -> None:
    """Print what an EHR's analyst has to type in for a tenant of MILAN_NET_TENANTS."""
    settings = from_environment()
    if settings.tenants is None:
        raise SettingsError(_NO_TENANT)
    tenants = load_tenants(settings.tenants)
    tenant = tenants.by_id(tenant_id)
    if tenant is None:
        known = ", ".join(item.id for item in tenants.all)
        raise click.BadParameter(f"there is no such tenant; there are {known}", param_hint="--tenant")
    text = as_markdown(sheet(tenant, create_advisor(settings, tenant).policy))
    _write(as_html(text, f"Build sheet: {tenant.name or tenant.id}") if is_html else text, output)


def _write(text: str, output: Path | None) -> None:
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, "utf-8")
    except OSError as error:
        raise DataError(f"{output}: {(error.strerror or 'cannot be written').lower()}") from None
