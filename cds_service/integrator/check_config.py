"""The configuration, before anybody depends on it: every mistake in a line, else what is in force for each tenant."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import click

from cds_service.addresses import Address
from cds_service.advisor import mistakes as mistakes_of_rules
from cds_service.eligibility.policy import DEFAULT_POLICY
from cds_service.errors import SettingsError
from cds_service.hooks.services import SERVICES
from cds_service.hooks.text import one_line
from cds_service.security.key_sets import download, read_file
from cds_service.security.signing_keys import TEST_KEY, KeySet, KeySetError, read_key_set
from cds_service.settings import PREFIX, Settings, unknown_variables, usable_settings
from cds_service.smart.app_context import AUTOMATIC
from cds_service.smart.client_key import read_client_key
from cds_service.smart.scopes import wanted
from cds_service.storage.database import sqlite_file
from cds_service.storage.opening import ensure_usable
from cds_service.tenants import Smart, Tenant, Tenants, Trust, load_tenants

_RECOMMENDED: Final = frozenset({"RS384", "ES384"})
_NO_TENANT: Final = (
    "No tenant is configured: name the tenants' file here or in MILAN_NET_TENANTS. "
    "To try the service without callers' authentication, on loopback: milan-net serve --open."
)
_USAGE_ERROR: Final = 2
_WRITTEN: Final = {
    "off": "nothing",
    "each": "what users attest, resource by resource",
    "transaction": "what users attest, as one transaction",
}


@click.command("check-config")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option(
    "--fetch", is_flag=True, help="Also ask elsewhere: key sets at their addresses, and PostgreSQL."
)
def check_config(file: Path | None, *, fetch: bool) -> None:
    """Check the settings and the tenants' FILE (that of MILAN_NET_TENANTS if not given).

    Tells every mistake, or what is in force.
    """
    settings, wrong = usable_settings()
    wrong += mistakes_of_rules(settings)
    tenants = _tenants(file or settings.tenants, wrong)
    for tenant in tenants.all if tenants else ():
        wrong += [f"{tenant.id}: {line}" for line in mistakes(tenant, fetch=fetch)]
    if not _speak_of("DATABASE_URL", wrong):
        wrong += _mistakes_of_storage(settings, fetch=fetch)
    unknown = [f"WARNING: {line}" for line in unknown_variables()]
    if wrong or tenants is None:
        for line in (*wrong, *unknown):
            click.echo(one_line(line), err=True)
        raise click.exceptions.Exit(_USAGE_ERROR)
    told = [line for tenant in tenants.all for line in (*in_force(tenant), *warnings(tenant), "")]
    for line in (*told, *for_all(settings), *(f"- {line}" for line in unknown)):
        click.echo(line if line == "" else "  " * line.startswith("-") + one_line(line))


def _speak_of(name: str, lines: Iterable[str]) -> bool:
    """Whether a setting was left out for a mistake that is told: what is there instead is nobody's wish."""
    return any(f"{PREFIX}{name}" in line for line in lines)


def _mistakes_of_storage(settings: Settings, *, fetch: bool) -> Iterator[str]:
    """What would keep the service from remembering; PostgreSQL is only asked with `fetch`."""
    try:
        ensure_usable(settings, ask=fetch)
    except SettingsError as error:
        yield str(error)


def _tenants(path: Path | None, wrong: list[str]) -> Tenants | None:
    if path is None:
        wrong += [] if _speak_of("TENANTS", wrong) else [_NO_TENANT]
        return None
    try:
        return load_tenants(path)
    except SettingsError as error:
        wrong += str(error).splitlines()
        return None


# --- one tenant -------------------------------------------------------------------------------------------------------


def mistakes(tenant: Tenant, *, fetch: bool) -> Iterator[str]:
    """What would stop the service or let the wrong one in, beyond what the form of the file says."""
    yield from mistakes_of_rules(Settings(), tenant)  # those of the settings are told once
    if tenant.smart is not None:
        try:
            read_client_key(tenant.smart)
        except SettingsError as error:
            yield str(error)
    trust = tenant.trust
    if trust is not None and (trust.jwks_file is not None or fetch):
        try:
            yield from _unfit(_keys(trust), trust)
        except KeySetError as error:
            yield f"the key set cannot be used: {error}."


def _keys(trust: Trust) -> KeySet:
    """The keys that a tenant trusts, as they are now. Raises KeySetError."""
    return read_key_set(read_file(trust.jwks_file) if trust.jwks_file else download(trust.jwks_url or ""))


def _unfit(keys: KeySet, trust: Trust) -> Iterator[str]:
    yield from (f"the key set cannot be used: {line}." for line in keys.unsafe)
    if not any(key.algorithms & set(trust.algorithms) for key in keys.keys.values()):
        yield f"the key set has no key for {', '.join(trust.algorithms)}."


def in_force(tenant: Tenant) -> Iterator[str]:
    """What a tenant's calls have to carry and what is done for them. Identifiers of others are not repeated."""
    yield f"{tenant.id}  {tenant.name or ''} ({tenant.dialect})".replace("  (", " (")
    if tenant.trust is not None:
        yield from _trusted(tenant.trust)
    yield f"- FHIR servers that may be asked: {', '.join(tenant.fhir_servers) or 'none, prefetch has to suffice'}"
    yield f"- a call is answered within {tenant.deadline_ms} ms"
    if tenant.policy:
        yield f"- policy: {tenant.policy}"
    if tenant.site_profile:
        yield f"- site profile: {tenant.site_profile}"
    for key, aliases in tenant.prefetch_aliases.items():
        yield f"- prefetch {key}: also read from {', '.join(aliases)}"
    for kind, item in tenant.orders.items():
        yield f"- order {kind}: {item.display or 'no display'} ({item.system}|{item.code})"
    yield from (f"- link on every card: {link.label} ({link.type}, {link.url})" for link in tenant.links)
    if tenant.silent_verdicts:
        yield f"- no card for: {', '.join(sorted(tenant.silent_verdicts))}"
    if tenant.smart is not None:
        yield from _launched(tenant.id, tenant.smart)
    yield f"- an overridden card stays away for {tenant.feedback.quiet_days} days"


def _trusted(trust: Trust) -> Iterator[str]:
    yield f"- issuer: {trust.issuer}"
    yield f"- keys: {trust.jwks_file or trust.jwks_url}"
    if trust.jwks_file:
        yield from (f"- key {kid}: {_names(key.algorithms)}" for kid, key in _keys(trust).keys.items())
    yield f"- algorithms: {', '.join(trust.algorithms)}"
    for base in trust.audiences:
        yield f"- audience: {base}/cds-services, {base}/cds-services/{SERVICES[0].id} and so on: that of the endpoint"
    yield from (f"- audience: {value}" for value in trust.fixed_audiences)
    for claim, value in (("sub", trust.subject), ("tenant", trust.tenant)):
        if value is not None:
            yield f"- claim {claim}: has to be the one in the file"


def _launched(tenant: str, smart: Smart) -> Iterator[str]:
    """What has to be registered in the EHR for launches."""
    key = read_client_key(smart)
    yield f"- launched from the EHR at: {smart.address}/smart/launch"
    yield f"- sent back from its sign-in to: {smart.address}/smart/callback/{tenant}"
    yield f"- our public keys: {smart.address}/smart/jwks.json (key {key.kid}, {key.algorithm})"
    yield f"- scopes: {' '.join(smart.scopes or wanted(smart, has_v2=True))}"
    yield f"- written back to the EHR: {_WRITTEN[smart.write_back]}"
    yield f"- our pages may be framed by: {', '.join(smart.frame_ancestors) or 'nobody'}"


def for_all(settings: Settings) -> Iterator[str]:
    """What is in force for every tenant. Of the database's address only the kind, and the file of SQLite, is told."""
    file = sqlite_file(settings.database)
    yield "For all tenants"
    yield f"- policy: {settings.policy}{'' if settings.policy == DEFAULT_POLICY else f' (default: {DEFAULT_POLICY})'}"
    if settings.site_profile is not None:
        yield f"- site profile: {settings.site_profile}"
    yield f"- browser clients that may call (CORS): {', '.join(settings.cors_origins) or 'none'}"
    yield f"- database: {'PostgreSQL' if file is None else f'SQLite in {file.absolute()}'}"
    if settings.pseudonym_key_file is not None:
        yield f"- key of the pseudonyms: {settings.pseudonym_key_file}"
    yield f"- largest request body: {settings.max_body_bytes} bytes"
    if settings.replicas > 1:
        yield f"- machines that serve together: {settings.replicas}"
    if settings.trusted_hosts:
        yield f"- values of the Host header that are answered: {', '.join(settings.trusted_hosts)}"
    if settings.open_discovery:
        yield "- anybody may read the discovery document"
    if settings.cds_hooks_3:
        yield "- discovery has what the ballot of CDS Hooks 3.0 adds"


def _names(algorithms: frozenset[str]) -> str:
    return ", ".join(sorted(algorithms))


def warnings(tenant: Tenant) -> Iterator[str]:
    """What is allowed and worth a second thought."""
    found = [*_warnings_of_trust(tenant.trust)] if tenant.trust is not None else []
    if tenant.allow_loopback:
        found.append("allow_loopback is for tests: http on this machine would be asked")
    if tenant.allow_anonymous_queries:
        found.append("allow_anonymous_queries is for tests: FHIR servers would be asked without a token")
    if tenant.feedback.keep_comments:
        found.append("keep_comments stores free text, which may hold patient data")
    if any(link.app_context == AUTOMATIC for link in tenant.links) and tenant.smart is None:
        found.append('a link has app_context = "auto", and nothing is launched without [tenants.smart]')
    yield from (f"- WARNING: {line}" for line in found)


def _warnings_of_trust(trust: Trust) -> Iterator[str]:
    if trust.fixed_audiences:
        yield "fixed_audiences cannot tell endpoints apart: a token for one serves at all"
    if any(Address.parse(base).scheme != "https" for base in trust.audiences):
        yield "an audience is http: CDS Hooks wants https, and an EHR signs the address that it calls"
    others = sorted(set(trust.algorithms) - _RECOMMENDED)
    if others:
        yield f"algorithms has {', '.join(others)}: CDS Hooks recommends ES384 and RS384"
    if trust.jwks_file:
        keys = _keys(trust)
        yield from (f"{line}; left out" for line in keys.left_out)
        yield from (
            f"key {kid} was made by milan-net keys, for tests"
            for kid in keys.keys
            if kid.startswith(TEST_KEY)
        )
