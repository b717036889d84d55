"""References as they are written: `Type/id`, also for an id that is none by FHIR's rules."""

import re
from hashlib import sha256
from urllib.parse import quote

_LONGEST = 64  # characters of an id (FHIR R4, id)
_SHOWN = 40
_ID = re.compile(rf"[A-Za-z0-9.-]{{1,{_LONGEST}}}")
_ADDRESS = re.compile(
    r"https?://(?:[^/?#@]*@)?([^/?#]*?)(?::(?:80|443))?((?:/[^?#]*)?)(?:[?#].*)?", re.IGNORECASE
)
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


def base(address: str) -> str:
    """A server's address in a form to compare: whether http or https, and with or without its usual port or a slash.

    Empty where it is no address.
    """
    found = _ADDRESS.fullmatch(address.strip())
    return f"{found[1].lower()}{found[2].rstrip('/')}" if found else ""


def server_of(address: str | None) -> str:
    """The server of a resource by the absolute address of it, as `base` writes it; empty where it is none."""
    found = base(address) if address else ""
    return found.split("/_history/")[0].rsplit("/", 2)[0]
