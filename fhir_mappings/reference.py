"""References as they are written: `Type/id`, also for an id that is none by FHIR's rules."""

import re
from hashlib import sha256
from urllib.parse import quote

_LONGEST = 64  # characters of an id (FHIR R4, id)
_SHOWN = 40
_ID = re.compile(rf"[A-Za-z0-9.-]{{1,{_LONGEST}}}")
_REFERENCE = re.compile(rf"[A-Z][A-Za-z]{{1,63}}/{_ID.pattern}")


def is_reference(text: str) -> bool:
    """Whether a text is a relative reference that may stand in a resource."""
    return _REFERENCE.fullmatch(text) is not None


def encoded(identifier: str) -> str:
    """An id as it is named in a text: as it is, or percent-encoded and cut, so that it is no markup and no essay.

    Ids that differ stay different, so that what a record links by such an id stays linked.
    """
    if _ID.fullmatch(identifier):
        return identifier
    if len(identifier) <= _LONGEST:
        return quote(identifier, safe="")
    digest = sha256(identifier.encode()).hexdigest()[:12]
    return f"{quote(identifier[:_SHOWN], safe='')}~{digest}"
