"""What a card's link tells the launch that follows it: an id of ours that says nothing, good for half a day.

appContext passes through the EHR and the browser, and is neither secret nor genuine by itself (integration.md 2.1). So
it only names what is kept here, and all that follows is that the patient of the launch has to be that of the card.
"""

import logging
import re
import secrets
from collections.abc import Callable
from datetime import date
from typing import Final

import msgspec

from cds_service.errors import StorageError
from cds_service.storage.safe import Kind, Safe

LASTS: Final = 4 * 3600.0
"""Seconds for which a card's link can be followed: a chart stays open for a clinic session."""

AUTOMATIC: Final = "auto"
"""What a tenant's link says in place of an app context of its own."""

_OURS: Final = re.compile(r"milan-net\.[A-Za-z0-9_-]{43}")
_LOG = logging.getLogger(__name__)


class CardContext(msgspec.Struct, frozen=True):
    """What a card was about."""

    tenant: str
    patient: str
    service: str
    topic: str
    day: date  # of the assessment


_CONTEXT: Final = msgspec.json.Decoder(CardContext)


def is_ours(text: str | None) -> bool:
    """Whether an app context was made here, as far as its form tells; a site may have its own."""
    return text is not None and _OURS.fullmatch(text) is not None


class AppContexts:
    """The app contexts of cards."""

    def __init__(self, safe: Safe, now: Callable[[], float]) -> None:
        """`now` is the clock, in seconds since 1970."""
        self._safe, self._now = safe, now

    def make(self, context: CardContext) -> str | None:
        """An id for what a card is about. None if the database does not answer: the card is worth more than its link."""
        made, now = f"milan-net.{secrets.token_urlsafe(32)}", self._now()
        try:
            self._safe.put(Kind.APP_CONTEXT, made, msgspec.json.encode(context), now + LASTS, now)
        except StorageError:
            _LOG.error("An app context could not be kept: service=%s", context.service)
            return None
        return made

    def resolve(self, tenant: str, text: str) -> CardContext | None:
        """What an id of a tenant's card stands for; None if it is over, or was never. Raises StorageError."""
        found = self._safe.look(Kind.APP_CONTEXT, text, self._now()) if is_ours(text) else None
        context = _CONTEXT.decode(found) if found is not None else None
        return context if context is not None and context.tenant == tenant else None
