"""Who is let in: the journey's first step, from the Authorization header to the tenant that a call belongs to."""

import re
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from cds_service.errors import UnauthorizedError
from cds_service.security.key_sets import KeySets
from cds_service.security.tokens import (
    LEEWAY,
    LONGEST_TOKEN,
    Refusal,
    Token,
    expiry,
    take_apart,
    token_id,
    verify,
)
from cds_service.tenants import Tenant, Tenants

_CREDENTIALS: Final = re.compile(r"(?P<scheme>[!-~]+)(?: +(?P<token>[!-~]+))?")
_LONGEST_HEADER: Final = LONGEST_TOKEN + 64
_SEVERITY: Final = tuple(Refusal)


class ReplayStore(Protocol):
    """What remembers every token that was used, for all processes of the service."""

    def claim(self, issuer: str, token_id: str, until: float, now: float) -> bool:
        """True exactly once for an issuer and id, until that time; `now` is the moment of the call.

        Raises UnavailableError if it cannot be known.
        """


class Gate:
    """Admits callers whom a tenant trusts, each token once."""

    def __init__(
        self, tenants: Tenants, replay: ReplayStore, keys: KeySets, now: Callable[[], float]
    ) -> None:
        """`now` is the clock, in seconds since the epoch."""
        self._tenants, self._replay, self._keys, self._now = tenants, replay, keys, now

    @property
    def is_open(self) -> bool:
        """Whether callers are not asked who they are."""
        return self._tenants.open is not None

    def admit(self, authorization: str | None, path: str) -> Tenant:
        """The tenant on whose behalf an endpoint is called. Raises UnauthorizedError.

        Raises UnavailableError when it cannot be told who calls, or whether for the first time: nobody is let in then.
        """
        if self._tenants.open is not None:
            return self._tenants.open
        token = take_apart(_bearer(authorization))
        now = self._now()
        tenant = self._owner(token, path, now)
        # The second leeway is for the clocks of our own replicas: one may still take what another has forgotten.
        if not self._replay.claim(token.issuer or "", token_id(token), expiry(token) + LEEWAY, now):
            raise UnauthorizedError(Refusal.REPLAYED)
        return tenant

    def _owner(self, token: Token, path: str, now: float) -> Tenant:
        """The one tenant for whom the token passes every check."""
        refusals: list[str] = []
        owners = []
        for tenant in self._candidates(token):
            try:
                self._verify(token, tenant, path, now)
            except UnauthorizedError as error:
                refusals.append(error.reason)
            else:
                owners.append(tenant)
        if len(owners) > 1:
            raise UnauthorizedError(Refusal.AMBIGUOUS)
        if not owners:
            raise UnauthorizedError(max(refusals, key=lambda reason: _SEVERITY.index(Refusal(reason))))
        return owners[0]

    def _candidates(self, token: Token) -> tuple[Tenant, ...]:
        """Those who trust the issuer. Where they are many, what the token claims saves asking all for their keys."""
        found = self._tenants.of_issuer(token.issuer or "")
        if not found:
            raise UnauthorizedError(Refusal.ISSUER)
        fitting = tuple(tenant for tenant in found if _claims_to_be(token, tenant))
        return fitting or found[:1]

    def _verify(self, token: Token, tenant: Tenant, path: str, now: float) -> None:
        if tenant.trust is None:
            raise UnauthorizedError(Refusal.ISSUER)
        verify(token, tenant.trust, partial(self._keys.find, tenant.trust), path, now)


def _claims_to_be(token: Token, tenant: Tenant) -> bool:
    trust = tenant.trust
    return trust is not None and all(
        expected is None or token.claims.get(name) == expected
        for name, expected in (("sub", trust.subject), ("tenant", trust.tenant))
    )


def _bearer(authorization: str | None) -> str:
    """The token of an Authorization header: one scheme in any case, one token."""
    if authorization is None or not authorization.strip():
        raise UnauthorizedError(Refusal.MISSING)
    if len(authorization) > _LONGEST_HEADER:
        raise UnauthorizedError(Refusal.TOO_LONG)
    match = _CREDENTIALS.fullmatch(authorization.strip(" "))
    if match is None:
        raise UnauthorizedError(Refusal.MALFORMED)
    if match["scheme"].lower() != "bearer":
        raise UnauthorizedError(Refusal.SCHEME)
    if match["token"] is None:
        raise UnauthorizedError(Refusal.MISSING)
    return match["token"]
