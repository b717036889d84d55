"""Sessions: what a launch brought, kept on the server; the browser holds a cookie that says nothing.

Each launch has a session of its own, named in the addresses of its pages by a handle: two charts that are open side by
side never get into each other's forms. The handle is no secret; the cookie of that name is.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from cds_service.addresses import Address, parse_base
from cds_service.errors import LaunchError
from cds_service.smart.problems import Problem
from cds_service.storage.pseudonyms import keyed_digest
from cds_service.storage.safe import Kind, Safe
from cds_service.tenants import Tenant, Tenants

IDLE: Final = 15 * 60.0
"""Seconds without a page after which a session is over: a chart that was left open is not an invitation."""

GRACE: Final = 4 * 3600.0
"""Seconds after the end during which it is still known whose session it was, so that a form sent late is not lost."""

_TOUCH_EVERY: Final = 60.0


@dataclass(frozen=True, slots=True)
class Session:
    """A launch that succeeded: whose EHR, which patient, who looks, and the token to read with."""

    handle: str  # in addresses; no secret
    secret: str = field(repr=False)  # in the cookie
    tenant: Tenant = field(repr=False)
    base: Address
    token: str = field(repr=False)  # empty once the session is over
    patient: str = field(repr=False)  # a bare id
    encounter: str | None = field(repr=False)
    user: str | None = field(repr=False)  # "Practitioner/7"; None if the EHR does not say
    subject: str | None = field(repr=False)  # the user for the EHR's sign-in; None if it does not say
    scopes: tuple[str, ...]  # granted
    needs_banner: bool
    expires: float  # when the token does, in seconds since 1970
    idle_at: float  # when the session is over if no page is asked for

    @property
    def form_token(self) -> str:
        """What every form of this session's pages has to send back; no other site can know it."""
        return keyed_digest(self.secret.encode(), "form", self.handle).hex()

    @property
    def ends(self) -> float:
        """When it is over."""
        return min(self.expires, self.idle_at)


class SessionOverError(LaunchError):
    """The session has ended. Whose it was is still known for a while: `session`, without its token.

    `is_form_kept` says that what was sent with it waits for the next launch.
    """

    def __init__(self, session: Session | None = None, *, is_form_kept: bool = False) -> None:
        super().__init__(Problem.EXPIRED)
        self.session, self.is_form_kept = session, is_form_kept


class _Kept(msgspec.Struct, frozen=True):
    """A session as it is put away."""

    tenant: str
    base: str
    token: str
    patient: str
    encounter: str | None
    user: str | None
    subject: str | None
    scopes: tuple[str, ...]
    needs_banner: bool
    expires: float
    idle_at: float


_KEPT: Final = msgspec.json.Decoder(_Kept)


class Sessions:
    """All sessions. Every method raises StorageError besides what it says."""

    def __init__(self, tenants: Tenants, safe: Safe, now: Callable[[], float]) -> None:
        """`now` is the clock, in seconds since 1970."""
        self._tenants, self._safe, self._now = tenants, safe, now

    def begin(self, session: Session) -> Session:
        """Keep a new session, under a handle and a secret that nobody knew before."""
        begun = replace(
            session,
            handle=secrets.token_hex(8),
            secret=secrets.token_urlsafe(32),
            idle_at=self._now() + IDLE,
        )
        self._keep(begun)
        return begun

    def find(self, handle: str, secret: str | None) -> Session:
        """The session of a handle, for the browser that has its secret. Raises SessionOverError."""
        session = self._known(handle, secret or "")
        now = self._now()
        if session is None:
            raise SessionOverError
        if now >= session.ends or not session.token:
            over = replace(session, token="", expires=min(session.expires, session.ends))
            if session.token:
                self._keep(over)
            raise SessionOverError(over)
        if now + IDLE - session.idle_at < _TOUCH_EVERY:
            return session
        touched = replace(session, idle_at=now + IDLE)
        self._keep(touched)
        return touched

    def end(self, session: Session) -> None:
        """Forget a session and its token."""
        self._safe.remove(Kind.SESSION, _name(session.handle, session.secret))

    def _known(self, handle: str, secret: str) -> Session | None:
        found = self._safe.look(Kind.SESSION, _name(handle, secret), self._now())
        if found is None:
            return None
        kept = _KEPT.decode(found)
        tenant, base = self._tenants.by_id(kept.tenant), parse_base(kept.base)
        if tenant is None or tenant.smart is None or base not in tenant.bases:
            return None  # no longer one of ours
        told = {name: getattr(kept, name) for name in kept.__struct_fields__}
        return Session(**told | {"handle": handle, "secret": secret, "tenant": tenant, "base": base})

    def _keep(self, session: Session) -> None:
        told = {name: getattr(session, name) for name in _Kept.__struct_fields__}
        kept = _Kept(**told | {"tenant": session.tenant.id, "base": str(session.base)})
        name = _name(session.handle, session.secret)
        self._safe.put(Kind.SESSION, name, msgspec.json.encode(kept), session.ends + GRACE, self._now())


def _name(handle: str, secret: str) -> str:
    return f"{handle} {secret}"
