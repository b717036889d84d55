"""The tenants: who may call, whose FHIR servers may be asked, and how each site wants its cards.

One TOML file holds them all. Everything in it is checked when it is loaded, and every mistake is told at once, by its
place in the file.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from cds_service.addresses import Address, AddressError, parse_base
from cds_service.eligibility.verdict import Verdict
from cds_service.errors import SettingsError
from fhir_mappings.facts import OrderKind
from fhir_mappings.record import PARTS

SIGNATURES: Final = ("RS384", "ES384", "RS256", "ES256", "PS384", "PS256")
"""Signature algorithms that a tenant may use; CDS Hooks recommends the first two, and none symmetric is among them."""

Item = TypeVar("Item")
OPEN_TENANT: Final = "open"
# cds-hooks.md 9.3: the issuer and key set of the public sandbox, whose private key is in its repository
_SANDBOX = re.compile(r"(?i)(^|[/@.])sandbox\.cds-hooks\.org\.?([:/?#]|$)")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,200}")  # RFC 6749 3.3
_SLUG = r"^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$"


def _base(text: str) -> str:
    try:
        return str(parse_base(text))
    except AddressError as error:
        raise ValueError(f"this address cannot be used: {error}") from None


def _secure(text: str) -> str:
    try:
        address = Address.parse(text)
    except AddressError as error:
        raise ValueError(f"this address cannot be used: {error}") from None
    if address.scheme != "https" and not address.is_loopback:
        raise ValueError("this address must be https")
    return text


def _filled(items: tuple[Item, ...]) -> tuple[Item, ...]:
    """Pydantic's own length would also complain of a list that is empty only because its items are wrong."""
    if not items:
        raise ValueError("it is empty; there has to be at least one")
    return items


def _prefetch_key(key: str) -> str:
    if key not in PARTS:
        raise ValueError(f"there is no prefetch key of that name; there are {', '.join(PARTS)}")
    return key


def _origin(text: str) -> str:
    """A place that may frame our pages: scheme, host and port, and https unless it is this machine."""
    address = Address.parse(_secure(text.removesuffix("/")))
    if address.segments or address.query:
        raise ValueError("this is an origin: scheme, host and port, without a path")
    return str(address)


def _scope(text: str) -> str:
    if not _SCOPE.fullmatch(text):
        raise ValueError("this is no scope: one word each, as in patient/Observation.rs")
    return text


def _own_base(text: str) -> str:
    base = _base(text)
    if "cds-services" in base.split("/"):
        raise ValueError("this is the base that the EHR calls, without /cds-services and what follows it")
    return base


Base = Annotated[str, AfterValidator(_base)]
OwnBase = Annotated[str, AfterValidator(_own_base)]
SecureUrl = Annotated[str, AfterValidator(_secure)]
Origin = Annotated[str, AfterValidator(_origin)]
Scope = Annotated[str, AfterValidator(_scope)]
PrefetchKey = Annotated[str, AfterValidator(_prefetch_key)]
Text = Annotated[str, Field(min_length=1, max_length=1000)]
Signature = Literal["RS384", "ES384", "RS256", "ES256", "PS384", "PS256"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Trust(_Part):
    """Whose signed tokens a tenant's calls carry. Nothing of this is ever taken from a token."""

    issuer: Text
    # Where the keys are published; fetched, and the only address that a token's `jku` may name.
    jwks_url: SecureUrl | None = None
    # A file with a JSON Web Key Set; it goes before the address, which is then only compared and never fetched.
    jwks_file: Path | None = None
    # Base addresses under which the EHR calls us; `aud` has to be one of them plus the path of the endpoint.
    audiences: tuple[OwnBase, ...] = ()
    # Values of `aud` that a site has typed instead (Epic leaves them free); they cannot tell endpoints apart.
    fixed_audiences: tuple[Text, ...] = ()
    algorithms: Annotated[tuple[Signature, ...], AfterValidator(_filled)] = ("RS384", "ES384")
    subject: Text | None = None  # the `sub` that the token has to carry, as Epic's do
    tenant: Text | None = None  # the `tenant` claim that the token has to carry

    @field_validator("issuer", "jwks_url")
    @classmethod
    def _is_not_the_sandbox(cls, value: str | None) -> str | None:
        if value is not None and _SANDBOX.search(value):
            raise ValueError(
                "the private key of the CDS Hooks sandbox is public, so that anybody could call; "
                "use it with `milan-net serve --open` only"
            )
        return value

    @model_validator(mode="after")
    def _has_keys_and_audiences(self) -> Self:
        if self.jwks_url is None and self.jwks_file is None:
            raise ValueError("give jwks_url or jwks_file, else no token can be verified")
        if not self.audiences and not self.fixed_audiences:
            raise ValueError(
                "give audiences (or fixed_audiences), else a token for another service would pass here"
            )
        return self


class Smart(_Part):
    """How the pages behind the cards are launched from the EHR (SMART App Launch 2.2): what was registered there."""

    client_id: Text
    private_key_file: (
        Path  # ours: a JWK or PEM that nobody else can read; its public half is at /smart/jwks.json
    )
    kid: Text | None = None  # the id of that key; that of the JWK, else its thumbprint (RFC 7638)
    address: (
        OwnBase  # our public address; the EHR sends users back to {address}/smart/callback/{id of the tenant}
    )
    scopes: tuple[Scope, ...] = ()  # instead of those that we would ask for
    # Whether what a user has attested is offered to the EHR: not at all, resource by resource, or as one transaction.
    write_back: Literal["off", "each", "transaction"] = "off"
    frame_ancestors: tuple[Origin, ...] = ()  # where our pages may be shown within another; nowhere if empty

    @field_validator("scopes")
    @classmethod
    def _is_a_launch(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if value and "launch" not in value:
            raise ValueError("launch is missing among them, without which the EHR names no patient")
        return value

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach us by https; else we are on this machine alone."""
        return self.address.startswith("https:")


class OrderCode(_Part):
    """What a site orders under: a code of its own, such as Epic's preference-list items and order sets."""

    system: Text
    code: Text
    display: Text | None = None


class Link(_Part):
    """A link that a site wants on every card."""

    label: Text
    url: SecureUrl
    type: Literal["absolute", "smart"] = "absolute"
    app_context: Text | None = None  # "auto": an id of ours by which the launch knows the patient of the card

    @model_validator(mode="after")
    def _has_context_only_for_an_app(self) -> Self:
        if self.app_context is not None and self.type != "smart":
            raise ValueError("app_context belongs to a link of type smart")
        return self


class FeedbackRules(_Part):
    """What becomes of feedback, and how long an override keeps a card away."""

    keep_comments: bool = (
        False  # free text, which may hold patient data; stored only where a site asks for it
    )
    quiet_days: int = Field(default=90, ge=0, le=3650)  # 0: cards come back at once


class Tenant(_Part):
    """One site: its EHR, its servers, its wishes."""

    id: str = Field(pattern=_SLUG)
    name: Text | None = None
    dialect: Literal["standard", "epic", "oracle", "athenahealth", "medplum"] = "standard"
    trust: Trust | None = None  # None only in open mode, which no file can ask for
    smart: Smart | None = None  # None: nothing is launched from this EHR
    fhir_servers: tuple[Base, ...] = ()  # bases that may be asked with the token of a call
    allow_private_addresses: bool = False  # the FHIR server stands in the hospital's own network
    allow_loopback: bool = False  # tests and demonstrations only: http on this machine
    allow_anonymous_queries: bool = (
        False  # tests and demonstrations only: a FHIR server that asks for no token
    )
    deadline_ms: int = Field(default=1500, ge=200, le=10_000)  # for a whole call, queries included
    policy: Text | None = None  # id of the policy that decides here; that of the service if not given
    site_profile: Path | None = None
    prefetch_aliases: Mapping[PrefetchKey, tuple[Text, ...]] = Field(default_factory=dict)
    orders: Mapping[OrderKind, OrderCode] = Field(default_factory=dict)
    links: tuple[Link, ...] = ()
    silent_verdicts: frozenset[Verdict] = frozenset()
    feedback: FeedbackRules = FeedbackRules()

    @model_validator(mode="after")
    def _servers_are_safe(self) -> Self:
        for text in self.fhir_servers:
            address = parse_base(text)
            if address.scheme != "https" and not (self.allow_loopback and address.is_loopback):
                raise ValueError("fhir_servers must be https (http is for loopback, with allow_loopback)")
        return self

    @model_validator(mode="after")
    def _keys_come_safely(self) -> Self:
        url = self.trust.jwks_url if self.trust is not None else None
        if url is not None and not self.allow_loopback and Address.parse(url).scheme != "https":
            raise ValueError("trust.jwks_url must be https (http is for loopback, with allow_loopback)")
        return self

    @model_validator(mode="after")
    def _launches_are_safe(self) -> Self:
        if self.smart is None:
            return self
        if not self.fhir_servers:
            raise ValueError("smart needs fhir_servers: a launch names one of them, and no other is believed")
        address = parse_base(self.smart.address)
        if address.scheme != "https" and not (self.allow_loopback and address.is_loopback):
            raise ValueError("smart.address must be https (http is for loopback, with allow_loopback)")
        return self

    @model_validator(mode="after")
    def _names_are_unambiguous(self) -> Self:
        named = [alias for aliases in self.prefetch_aliases.values() for alias in aliases]
        twice = {alias for alias in named if named.count(alias) > 1 or alias in PARTS}
        if twice:
            raise ValueError(f"prefetch_aliases uses {', '.join(sorted(twice))} for more than one key")
        return self

    @property
    def bases(self) -> tuple[Address, ...]:
        """The FHIR servers that may be asked, in parts."""
        return tuple(parse_base(text) for text in self.fhir_servers)


@dataclass(frozen=True, slots=True)
class Tenants:
    """All tenants of a service. Where there is an open one, callers are not asked who they are."""

    all: tuple[Tenant, ...]

    @property
    def open(self) -> Tenant | None:
        """The tenant that stands for every caller in open mode."""
        return next((tenant for tenant in self.all if tenant.trust is None), None)

    def by_id(self, tenant_id: str) -> Tenant | None:
        """The tenant of that id."""
        return next((tenant for tenant in self.all if tenant.id == tenant_id), None)

    def of_launch(self, base: Address) -> Tenant | None:
        """The one that is launched from a FHIR server."""
        return next(
            (tenant for tenant in self.all if tenant.smart is not None and base in tenant.bases), None
        )

    def of_issuer(self, issuer: str) -> tuple[Tenant, ...]:
        """Those who trust an issuer. Several may share one, told apart by `sub`, `tenant` or keys (Oracle Health)."""
        return tuple(
            tenant for tenant in self.all if tenant.trust is not None and tenant.trust.issuer == issuer
        )


def open_tenants(*fhir_servers: str) -> Tenants:
    """A house without a lock: for loopback, tests and demonstrations. Raises ValueError for a server elsewhere."""
    for text in fhir_servers:
        if not parse_base(text).is_loopback:
            raise ValueError("in open mode only FHIR servers on loopback are asked")
    return Tenants(
        (
            Tenant(
                id=OPEN_TENANT,
                fhir_servers=fhir_servers,
                allow_loopback=True,
                allow_private_addresses=True,
                allow_anonymous_queries=True,
            ),
        )
    )


# --- the file ---------------------------------------------------------------------------------------------------------


class _TenantsFile(_Part):
    tenants: Annotated[tuple[Tenant, ...], AfterValidator(_filled)]


def load_tenants(path: Path) -> Tenants:
    """Read the tenants' file. Raises SettingsError that lists every mistake by its place, one on a line.

    Paths in it are relative to the file.
    """
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}.") from None
    except ValueError as error:
        raise SettingsError(f"{path}: it is not TOML in UTF-8: {error}.") from None
    lost = list(_missing_files(content, path.parent))
    try:
        tenants = _TenantsFile.model_validate(content).tenants
    except ValidationError as error:
        raise _told(path, [*mistakes(error), *lost]) from None
    tenants = tuple(_beside(path.parent, tenant) for tenant in tenants)
    found = [*_quarrels(tenants), *lost]
    if found:
        raise _told(path, found)
    return Tenants(tenants)


def _told(path: Path, lines: list[str]) -> SettingsError:
    return SettingsError("\n".join(f"{path}: {line}" for line in lines))


_PLAIN: Final[Mapping[str, str]] = {
    "bool_parsing": "true or false belongs here",
    "bool_type": "true or false belongs here",
    "dict_type": "a table belongs here",
    "extra_forbidden": "there is no key of that name",
    "frozen_set_type": "a list belongs here, in square brackets",
    "greater_than_equal": "it has to be at least {ge}",
    "int_from_float": "a whole number belongs here",
    "int_parsing": "a whole number belongs here",
    "int_type": "a whole number belongs here",
    "less_than_equal": "it has to be at most {le}",
    "mapping_type": "a table belongs here",
    "missing": "it is missing",
    "model_attributes_type": "a table belongs here",
    "model_type": "a table belongs here",
    "path_type": "the name of a file belongs here, in quotation marks",
    "string_pattern_mismatch": "it has to be small letters, digits and hyphens, at most 64, with no hyphen at either end",
    "string_too_long": "it has to be at most {max_length} characters long",
    "string_too_short": "it is empty",
    "string_type": "a text belongs here, in quotation marks",
    "tuple_type": "a list belongs here, in square brackets",
}
_FILES: Final = (("", "site_profile"), ("trust", "jwks_file"), ("smart", "private_key_file"))
_NO_TABLES: Final = "each tenant is a table under [[tenants]], with double brackets"


def mistakes(error: ValidationError) -> Iterator[str]:
    """Each mistake as a line: its place, and what is wrong there; never the value, which may be a secret."""
    for item in error.errors(include_input=False, include_url=False):
        place = re.sub(r"\.(\d+)", r"[\1]", "." + ".".join(str(part) for part in item["loc"])).lstrip(".")
        message = item["msg"].removeprefix("Value error, ").removeprefix("Input should be ").rstrip(".")
        if item["type"] in _PLAIN:
            message = _PLAIN[item["type"]].format_map(item.get("ctx", {}))
        elif item["type"] in ("enum", "literal_error"):
            message = f"it has to be {message}"
        if place == "tenants" and item["type"] in ("missing", "tuple_type"):
            message = _NO_TABLES
        yield f"{place}: {message[:1].lower()}{message[1:]}."


def _beside(folder: Path, tenant: Tenant) -> Tenant:
    """Take the paths of a tenant from the folder of the file."""
    changed: dict[str, Any] = {}
    if tenant.site_profile is not None:
        changed["site_profile"] = folder / tenant.site_profile
    if tenant.smart is not None:
        own_key = folder / tenant.smart.private_key_file
        changed["smart"] = tenant.smart.model_copy(update={"private_key_file": own_key})
    if tenant.trust is not None and tenant.trust.jwks_file is not None:
        changed["trust"] = tenant.trust.model_copy(update={"jwks_file": folder / tenant.trust.jwks_file})
    return tenant.model_copy(update=changed)


def _quarrels(tenants: tuple[Tenant, ...]) -> Iterator[str]:
    """What is wrong between tenants, or beside the file."""
    ids = [tenant.id for tenant in tenants]
    for number, tenant in enumerate(tenants):
        place = f"tenants[{number}]"
        if tenant.id in ids[:number]:
            yield f"{place}.id: another tenant has it."
        if tenant.id == OPEN_TENANT:
            yield f"{place}.id: {OPEN_TENANT} is the name of the open mode."
        if tenant.trust is None:
            yield f"{place}.trust: it is missing; who may call has to be said ([tenants.trust])."
        elif any(_is_same_caller(tenant.trust, other.trust) for other in tenants[:number]):
            yield f"{place}.trust: another tenant trusts the same issuer; tell them apart by subject or tenant."
        if any(_is_same_launch(tenant, other) for other in tenants[:number]):
            yield f"{place}.smart: another tenant is launched from the same FHIR server."


def _is_same_caller(one: Trust, other: Trust | None) -> bool:
    """Whether a token could belong to both."""
    if other is None or one.issuer != other.issuer:
        return False
    differ = [
        mine is not None and theirs is not None and mine != theirs
        for mine, theirs in ((one.subject, other.subject), (one.tenant, other.tenant))
    ]
    return not any(differ)


def _is_same_launch(one: Tenant, other: Tenant) -> bool:
    """Whether a launch, which names nothing but a FHIR server, could be that of both."""
    return one.smart is not None and other.smart is not None and not set(one.bases).isdisjoint(other.bases)


def _missing_files(content: Mapping[str, Any], folder: Path) -> Iterator[str]:
    """The files that a tenants' file names and that are not there, whatever else is wrong in it."""
    listed = content.get("tenants")
    for number, tenant in enumerate(listed if isinstance(listed, list) else ()):
        for part, name in _FILES:
            table = tenant.get(part) if part and isinstance(tenant, dict) else tenant
            named = table.get(name) if isinstance(table, dict) else None
            if isinstance(named, str) and not (folder / named).is_file():
                place = f"{part}.{name}" if part else name
                yield f"tenants[{number}].{place}: {folder / named} is not a file."
