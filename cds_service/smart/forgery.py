"""Forms count only where they came from our own page, in the same session: no other site can post for the user."""

import hmac
from collections.abc import Mapping
from typing import Final

from cds_service.errors import LaunchError
from cds_service.smart.problems import Problem
from cds_service.smart.sessions import Session

FIELD: Final = "form_token"
"""The hidden field of every form, with `session.form_token` in it."""


def ensure_own_form(session: Session, form: Mapping[str, str]) -> None:
    """Raise LaunchError unless a form came from a page of this session."""
    sent = form.get(FIELD, "")
    if not hmac.compare_digest(sent.encode("utf-8", "surrogatepass"), session.form_token.encode()):
        raise LaunchError(Problem.FORGED)
