"""Our cookies: out of reach of scripts, sent to us alone, and in frames kept apart for each site that frames us."""

import hashlib
from typing import Any, Final

from flask import Request, Response

from cds_service.smart.launching import AWAY, Departure
from cds_service.smart.sessions import GRACE, Session
from cds_service.tenants import Smart

_SECURE: Final = "__Host-"  # a browser takes such a name only from us, over https, for this host


def session_cookie(smart: Smart, handle: str) -> str:
    """The name of the cookie that holds the secret of a session."""
    return f"{_prefix(smart)}milan-net-session-{handle}"


def launch_cookie(smart: Smart, state: str) -> str:
    """The name of the cookie that a user who is away brings back: launches in two windows do not meet."""
    return f"{_prefix(smart)}milan-net-launch-{hashlib.sha256(state.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def set_launch(response: Response, smart: Smart, departure: Departure) -> None:
    """Let the browser remember that a launch began in it."""
    name = launch_cookie(smart, departure.state)
    response.set_cookie(name, departure.browser, max_age=AWAY, **_attributes(smart))


def forget_launch(response: Response, smart: Smart, state: str) -> None:
    """The launch has come back, or failed."""
    response.set_cookie(launch_cookie(smart, state), "", max_age=0, **_attributes(smart))


def set_session(response: Response, smart: Smart, session: Session, now: float) -> None:
    """Give the browser the secret of its session, for as long as the token lasts and no form could come late."""
    name, seconds = session_cookie(smart, session.handle), int(session.expires - now)
    response.set_cookie(name, session.secret, max_age=seconds + int(GRACE), **_attributes(smart))


def forget_session(response: Response, smart: Smart, handle: str) -> None:
    """The session has ended."""
    response.set_cookie(session_cookie(smart, handle), "", max_age=0, **_attributes(smart))


def secret_of(request: Request, handle: str) -> str | None:
    """The secret that a browser brings for a session, over https or, on this machine, without."""
    found = (request.cookies.get(f"{prefix}milan-net-session-{handle}") for prefix in (_SECURE, ""))
    return next((value for value in found if value), None)


def _prefix(smart: Smart) -> str:
    return _SECURE if smart.is_secure else ""


def _attributes(smart: Smart) -> dict[str, Any]:
    """Within a frame of another site a browser keeps only what says that it is meant for that, and is partitioned."""
    is_framed = bool(smart.frame_ancestors) and smart.is_secure
    return {
        "path": "/",
        "httponly": True,
        "secure": smart.is_secure,
        "samesite": "None" if is_framed else "Lax",
        "partitioned": is_framed,
    }
