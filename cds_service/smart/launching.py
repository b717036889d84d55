"""A launch from its two ends: away to the EHR's sign-in, and back with a session, or with a problem and a way on."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from cds_service.addresses import Address, AddressError, parse_base
from cds_service.ehr.query_errors import QueryError
from cds_service.errors import LaunchError
from cds_service.smart import oauth
from cds_service.smart.app_context import AppContexts, is_ours
from cds_service.smart.client_key import ClientKey, client_keys
from cds_service.smart.discovery import Discovery, SignIn
from cds_service.smart.errands import Errands
from cds_service.smart.identity import Expected, Identity, verify
from cds_service.smart.issuer_keys import IssuerKeys
from cds_service.smart.problems import Problem
from cds_service.smart.scopes import wanted
from cds_service.smart.sessions import Session, Sessions
from cds_service.smart.token_answer import TokenAnswer, read_answer
from cds_service.storage.safe import Kind, Safe
from cds_service.tenants import Smart, Tenant, Tenants

CALLBACK: Final = "/smart/callback"
AWAY: Final = 600
"""Seconds that a user may take to sign in."""

_LONGEST: Final = 8192
_LAUNCH: Final = re.compile(r"[\x21-\x7e]{1,8192}")
_ERRORS: Final[Mapping[str, Problem]] = {
    "access_denied": Problem.DECLINED,
    "login_required": Problem.DECLINED,
    "consent_required": Problem.DECLINED,
    "interaction_required": Problem.DECLINED,
    "invalid_scope": Problem.SCOPES,
    "server_error": Problem.UNREACHABLE,
    "temporarily_unavailable": Problem.UNREACHABLE,
}


@dataclass(frozen=True, slots=True)
class Departure:
    """A user who goes away to sign in: where to, and what they have to bring back."""

    tenant: Tenant
    address: str = field(repr=False)
    state: str = field(repr=False)
    browser: str = field(repr=False)  # for a cookie


class _Away(msgspec.Struct, frozen=True):
    """What is remembered of a user who is away."""

    tenant: str
    base: str
    sign_in: SignIn
    scopes: tuple[str, ...]
    nonce: str
    verifier: str


_AWAY: Final = msgspec.json.Decoder(_Away)


@dataclass(frozen=True, slots=True)
class Launching:
    """What launches need. `now` is the clock, in seconds since 1970; `keys` are by the id of the tenant."""

    tenants: Tenants
    keys: Mapping[str, ClientKey]
    errands: Errands
    discovery: Discovery
    issuer_keys: IssuerKeys
    sessions: Sessions
    app_contexts: AppContexts
    safe: Safe
    now: Callable[[], float]

    # --- away ---------------------------------------------------------------------------------------------------------

    def tenant_of(self, iss: str) -> tuple[Tenant, Address]:
        """The tenant whose FHIR server a launch names. Nothing has been fetched so far. Raises LaunchError."""
        try:
            base = parse_base(iss)
        except AddressError:
            raise LaunchError(Problem.FOREIGN) from None
        tenant = self.tenants.of_launch(base)
        if tenant is None:
            raise LaunchError(Problem.FOREIGN)
        return tenant, base

    def depart(self, tenant: Tenant, base: Address, iss: str, launch: str) -> Departure:
        """Where to send the user. `iss` goes back as it was written, because servers compare it. Raises LaunchError."""
        if not _LAUNCH.fullmatch(launch):
            raise LaunchError(Problem.INCOMPLETE)
        smart = _smart(tenant)
        sign_in = self.discovery.sign_in(tenant, base)
        scopes = wanted(smart, has_v2=sign_in.has_scopes_v2)
        away = _Away(tenant.id, str(base), sign_in, scopes, oauth.secret(), oauth.secret())
        state, browser, now = oauth.secret(), oauth.secret(), self.now()
        self.safe.put(Kind.LAUNCH, _name(state, browser), msgspec.json.encode(away), now + AWAY, now)
        address = oauth.sign_in_address(
            sign_in.authorize,
            client_id=smart.client_id,
            redirect_uri=redirect_uri(tenant),
            scopes=scopes,
            state=state,
            nonce=away.nonce,
            verifier=away.verifier,
            audience=iss,
            launch=launch,
        )
        return Departure(tenant, address, state, browser)

    # --- back ---------------------------------------------------------------------------------------------------------

    def arrive(self, tenant: Tenant, told: Mapping[str, str], browser: str) -> Session:
        """The session of a user who comes back with what the EHR `told`. Raises LaunchError; there is one try."""
        found = self.safe.take(Kind.LAUNCH, _name(told.get("state", ""), browser), self.now())
        if found is None:
            raise LaunchError(Problem.LOST)
        away = _AWAY.decode(found)
        _ensure_same_server(away, tenant, told.get("iss"))
        if "error" in told:
            raise LaunchError(_ERRORS.get(told["error"], Problem.REFUSED))
        code = told.get("code", "")
        if not 0 < len(code) <= _LONGEST:
            raise LaunchError(Problem.REFUSED)
        answer = self._redeemed(tenant, away, code)
        user = self._user(tenant, away, answer)
        self._ensure_same_patient(tenant, answer)
        return self.sessions.begin(self._session(tenant, away, answer, user))

    def _redeemed(self, tenant: Tenant, away: _Away, code: str) -> TokenAnswer:
        """The token for a code."""
        smart, endpoint = _smart(tenant), away.sign_in.token
        assertion = oauth.client_assertion(self.keys[tenant.id], smart.client_id, endpoint, self.now())
        form = oauth.token_request(code, redirect_uri(tenant), away.verifier, assertion)
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        try:
            answer = self.errands.post(tenant, Address.parse(endpoint), headers, form)
        except QueryError:
            raise LaunchError(Problem.UNREACHABLE) from None
        return read_answer(answer, tenant.id)

    def _user(self, tenant: Tenant, away: _Away, answer: TokenAnswer) -> Identity | None:
        """Who looks, where the EHR was allowed to say so."""
        granted = answer.scopes if answer.scopes is not None else away.scopes
        sign_in = away.sign_in
        if answer.id_token is None:
            if "openid" in granted:
                raise LaunchError(Problem.IDENTITY)
            return None
        if sign_in.issuer is None or sign_in.keys is None:
            raise LaunchError(Problem.IDENTITY)
        expected = Expected(sign_in.issuer, _smart(tenant).client_id, away.nonce)
        find_key = self.issuer_keys.finder(tenant, sign_in.keys)
        return verify(answer.id_token, expected, find_key, self.now())

    def _ensure_same_patient(self, tenant: Tenant, answer: TokenAnswer) -> None:
        """Raise LaunchError unless the launch is for the patient of the card from which it came, if it came from one."""
        if answer.app_context is None or not is_ours(answer.app_context):
            return
        card = self.app_contexts.resolve(tenant.id, answer.app_context)
        if card is None:
            raise LaunchError(Problem.OLD_CARD)
        if card.patient != answer.patient:
            raise LaunchError(Problem.OTHER_PATIENT)

    def _session(self, tenant: Tenant, away: _Away, answer: TokenAnswer, user: Identity | None) -> Session:
        return Session(
            handle="",
            secret="",
            tenant=tenant,
            base=parse_base(away.base),
            token=answer.token,
            patient=answer.patient,
            encounter=answer.encounter,
            user=user.reference if user is not None else None,
            subject=user.subject if user is not None else None,
            scopes=answer.scopes if answer.scopes is not None else away.scopes,
            needs_banner=answer.needs_banner,
            expires=self.now() + answer.seconds,
            idle_at=0.0,
        )


def redirect_uri(tenant: Tenant) -> str:
    """Where a tenant's EHR sends users back to: each has its own, so that no server's answer passes for another's."""
    return f"{_smart(tenant).address}{CALLBACK}/{tenant.id}"


def _ensure_same_server(away: _Away, tenant: Tenant, issuer: str | None) -> None:
    """Raise LaunchError where another server answers than the one that was asked (RFC 9207, RFC 9700 4.4)."""
    is_named = issuer is not None or away.sign_in.names_itself
    if away.tenant != tenant.id or (is_named and issuer != away.sign_in.issuer):
        raise LaunchError(Problem.LOST)


def _smart(tenant: Tenant) -> Smart:
    if tenant.smart is None:
        raise LaunchError(Problem.FOREIGN)
    return tenant.smart


def _name(state: str, browser: str) -> str:
    return f"{state} {browser}"


def prepare(
    tenants: Tenants, safe: Safe, now: Callable[[], float], errands: Errands | None = None
) -> Launching:
    """What launches need, for these tenants. Raises SettingsError where one of our keys cannot be used."""
    errands = errands or Errands()
    return Launching(
        tenants=tenants,
        keys=client_keys(tenants),
        errands=errands,
        discovery=Discovery(errands),
        issuer_keys=IssuerKeys(errands),
        sessions=Sessions(tenants, safe, now),
        app_contexts=AppContexts(safe, now),
        safe=safe,
        now=now,
    )
