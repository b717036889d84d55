"""Where an EHR signs users in: what it publishes below its FHIR base, believed as far as it can be used safely.

Only a FHIR server that a tenant's configuration names is ever asked (integration.md 2.1).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from cds_service.addresses import Address, AddressError
from cds_service.ehr.query_errors import QueryError
from cds_service.errors import LaunchError
from cds_service.smart.errands import Errands
from cds_service.smart.memory import Memory
from cds_service.smart.problems import Problem
from cds_service.tenants import Tenant

_OK: Final = 200


@dataclass(frozen=True, slots=True)
class SignIn:
    """An EHR's sign-in. Addresses are as it writes them, because it compares them so."""

    authorize: str
    token: str
    issuer: str | None  # of ID tokens
    keys: str | None  # where the issuer's keys are
    has_scopes_v2: bool  # patient/Condition.rs instead of patient/Condition.read
    names_itself: bool  # says on the way back who it is (RFC 9207)


class Discovery:
    """The sign-ins of all EHRs, each asked for when it is first needed."""

    def __init__(self, errands: Errands, memory: Memory[SignIn] | None = None) -> None:
        self._errands, self._memory = errands, memory or Memory()

    def sign_in(self, tenant: Tenant, base: Address) -> SignIn:
        """The sign-in of a tenant's FHIR server. Raises LaunchError."""
        return self._memory.of((tenant.id, base), lambda: self._load(tenant, base))

    def _load(self, tenant: Tenant, base: Address) -> SignIn:
        told = published(self._errands, tenant, Address.parse(f"{base}/.well-known/smart-configuration"))
        _ensure_pkce(told)
        issuer = _address(tenant, told, "issuer")
        return SignIn(
            authorize=_required(_address(tenant, told, "authorization_endpoint")),
            token=_required(_address(tenant, told, "token_endpoint")),
            issuer=issuer,
            keys=_address(tenant, told, "jwks_uri") or self._keys_of(tenant, issuer),
            has_scopes_v2="permission-v2" in _words(told, "capabilities"),
            names_itself=told.get("authorization_response_iss_parameter_supported") is True,
        )

    def _keys_of(self, tenant: Tenant, issuer: str | None) -> str | None:
        """Where older servers say where their keys are: OpenID Connect Discovery 4."""
        if issuer is None:
            return None
        address = Address.parse(f"{issuer.removesuffix('/')}/.well-known/openid-configuration")
        try:
            told = published(self._errands, tenant, address)
        except LaunchError:
            return None
        return _address(tenant, told, "jwks_uri") if told.get("issuer") == issuer else None


def published(errands: Errands, tenant: Tenant, address: Address) -> Mapping[str, Any]:
    """A JSON object that a server publishes. Raises LaunchError."""
    try:
        answer = errands.get(tenant, address)
    except QueryError:
        raise LaunchError(Problem.UNREACHABLE) from None
    if answer.status != _OK:
        raise LaunchError(Problem.UNREACHABLE)
    return json_object(answer.body)


def json_object(data: bytes) -> Mapping[str, Any]:
    """The JSON object that a server answers. Raises LaunchError."""
    try:
        content = orjson.loads(data)
    except ValueError:
        raise LaunchError(Problem.UNUSABLE) from None
    if not isinstance(content, dict):
        raise LaunchError(Problem.UNUSABLE)
    return content


def _ensure_pkce(told: Mapping[str, Any]) -> None:
    """A server that says how it checks codes has to know S256; one that says nothing is sent it all the same."""
    if "code_challenge_methods_supported" in told and "S256" not in _words(
        told, "code_challenge_methods_supported"
    ):
        raise LaunchError(Problem.UNUSABLE)


def _words(told: Mapping[str, Any], name: str) -> list[Any]:
    found = told.get(name)
    return found if isinstance(found, list) else []


def _address(tenant: Tenant, told: Mapping[str, Any], name: str) -> str | None:
    """An address that is https, or http on this machine where the tenant's configuration allows it."""
    text = told.get(name)
    if text is None:
        return None
    try:
        address = Address.parse(text if isinstance(text, str) else "")
    except AddressError:
        raise LaunchError(Problem.UNUSABLE) from None
    if address.scheme != "https" and not (tenant.allow_loopback and address.is_loopback):
        raise LaunchError(Problem.UNUSABLE)
    return str(text)


def _required(address: str | None) -> str:
    if address is None:
        raise LaunchError(Problem.UNUSABLE)
    return address
