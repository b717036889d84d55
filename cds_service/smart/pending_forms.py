"""Answers that were typed and could not be taken: kept for the user and the patient until the next launch."""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from cds_service.smart.forgery import FIELD, ensure_own_form
from cds_service.smart.sessions import Session, SessionOverError
from cds_service.storage.safe import Kind, Safe

LASTS: Final = 15 * 60.0
"""Seconds for which a form is kept."""

_LARGEST: Final = 64 * 1024
_FIELDS: Final = msgspec.json.Decoder(dict[str, str])


class PendingForms:
    """Forms that wait. Every method raises StorageError besides what it says."""

    def __init__(self, safe: Safe, now: Callable[[], float]) -> None:
        """`now` is the clock, in seconds since 1970."""
        self._safe, self._now = safe, now

    def keep(self, session: Session, fields: Mapping[str, str]) -> bool:
        """Keep what a user typed about a patient; False where it is not known whose it would be, or it is too much.

        The session may be over: that is what this is for.
        """
        content, now = msgspec.json.encode(dict(fields)), self._now()
        if session.subject is None or len(content) > _LARGEST:
            return False
        self._safe.put(Kind.FORM, _whose(session), content, now + LASTS, now)
        return True

    def rescued(self, error: SessionOverError, form: Mapping[str, str]) -> SessionOverError:
        """The same error, after the form that came with it was kept, if it can be. Raises LaunchError."""
        if error.session is None:
            return error
        ensure_own_form(error.session, form)
        fields = {name: value for name, value in form.items() if name != FIELD}
        return SessionOverError(error.session, is_form_kept=self.keep(error.session, fields))

    def kept(self, session: Session) -> dict[str, str] | None:
        """What the user of a session typed about its patient, in this session or an earlier one."""
        if session.subject is None:
            return None
        found = self._safe.look(Kind.FORM, _whose(session), self._now())
        return _FIELDS.decode(found) if found is not None else None

    def drop(self, session: Session) -> None:
        """Forget it: it was taken, or is no longer wanted."""
        if session.subject is not None:
            self._safe.remove(Kind.FORM, _whose(session))


def _whose(session: Session) -> str:
    whose = (session.tenant.id, str(session.base), session.patient, session.subject)
    return msgspec.json.encode(whose).decode()
