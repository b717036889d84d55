"""What a user has attested, offered to the EHR: each resource once, and told plainly what became of it.

A resource goes out with the identifier by which the EHR can see that it has it already (If-None-Exist). One of which
nothing is heard is never sent again by itself: it may have arrived.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlencode

import orjson

from cds_service.addresses import Address
from cds_service.ehr.exchange import Answer
from cds_service.ehr.query_errors import QueryError, Reason
from cds_service.smart.errands import Errands
from cds_service.smart.scopes import WRITTEN, writable
from cds_service.smart.sessions import Session

Resource = Mapping[str, Any]
_FHIR_JSON: Final = "application/fhir+json"
_UNSENT: Final = frozenset((Reason.UNREACHABLE, Reason.CERTIFICATE, Reason.FORBIDDEN_ADDRESS, Reason.BUSY))


class Outcome(StrEnum):
    """What became of a resource."""

    STORED = "stored"
    THERE = "there"  # the EHR had it already
    FORBIDDEN = "forbidden"  # the EHR does not allow it, or not this token
    REJECTED = "rejected"  # the EHR does not take it as it is
    UNREACHED = "unreached"  # it was not sent
    UNKNOWN = "unknown"  # it was sent, and nothing was heard


SENTENCES: Final[Mapping[Outcome, str]] = {
    Outcome.STORED: "The EHR has stored it.",
    Outcome.THERE: "The EHR had it already.",
    Outcome.FORBIDDEN: "The EHR does not allow this application to store it.",
    Outcome.REJECTED: "The EHR did not accept it.",
    Outcome.UNREACHED: "It was not sent to the EHR.",
    Outcome.UNKNOWN: "The EHR did not confirm it. Look in the chart before you send it again.",
}


@dataclass(frozen=True, slots=True)
class Written:
    """One resource of the bundle, in its order."""

    type: str
    outcome: Outcome
    reference: str | None = None  # "Observation/7" in the EHR

    @property
    def sentence(self) -> str:
        """What to tell the user."""
        return SENTENCES[self.outcome]


def open_types(session: Session) -> frozenset[str] | None:
    """The types that the token lets us add; None where the tenant wants nothing written."""
    smart = session.tenant.smart
    if smart is None or smart.write_back == "off":
        return None
    return frozenset(kind for kind in WRITTEN if writable(session.scopes, kind))


def write(session: Session, bundle: Resource, errands: Errands) -> tuple[Written, ...]:
    """Offer the resources of a transaction Bundle to the EHR, in its order. Never raises."""
    entries = [_Entry(entry) for entry in bundle.get("entry", [])]
    smart, allowed = session.tenant.smart, open_types(session)
    if smart is None or allowed is None:
        return _all(entries, Outcome.FORBIDDEN)
    if any(entry.type not in allowed for entry in entries):  # what can go belongs to what cannot
        return tuple(_kept_back(entry, allowed) for entry in entries)
    if not all(entry.is_about(session.patient) and entry.condition for entry in entries):
        return _all(entries, Outcome.UNREACHED)
    if smart.write_back == "transaction":
        return _together(session, bundle, entries, errands)
    return tuple(_one_by_one(session, entries, errands))


class _Entry:
    """An entry of the bundle: a resource, and what tells it apart from all others."""

    def __init__(self, entry: Resource) -> None:
        self.resource: Resource = entry["resource"]
        self.type = str(self.resource["resourceType"])
        self.full_url: str | None = entry.get("fullUrl")
        self.condition = entry.get("request", {}).get("ifNoneExist") or self._by_identifier()

    def _by_identifier(self) -> str | None:
        found = self.resource.get("identifier")
        first = (found[:1] or [None])[0] if isinstance(found, list) else found
        if not isinstance(first, Mapping) or not first.get("system") or not first.get("value"):
            return None
        return urlencode({"identifier": f"{first['system']}|{first['value']}"})

    def is_about(self, patient: str) -> bool:
        """Whether it is about the patient of the launch and nobody else."""
        subject = self.resource.get("subject", {})
        return bool(subject.get("reference") == f"Patient/{patient}")


def _all(entries: Iterable[_Entry], outcome: Outcome) -> tuple[Written, ...]:
    return tuple(Written(entry.type, outcome) for entry in entries)


def _kept_back(entry: _Entry, allowed: frozenset[str]) -> Written:
    return Written(entry.type, Outcome.UNREACHED if entry.type in allowed else Outcome.FORBIDDEN)


# --- one by one -------------------------------------------------------------------------------------------------------


def _one_by_one(session: Session, entries: Iterable[_Entry], errands: Errands) -> Iterator[Written]:
    """Each in its turn. One that refers to another which has no place in the EHR is not sent."""
    known: dict[str, str] = {}
    lost: set[str] = set()
    for entry in entries:
        text = json.dumps(entry.resource)
        written = (
            Written(entry.type, Outcome.UNREACHED)
            if any(f'"{url}"' in text for url in lost)
            else _sent(session, entry, _placed(text, known), errands)
        )
        if entry.full_url is not None and written.reference is not None:
            known[entry.full_url] = written.reference
        elif entry.full_url is not None:
            lost.add(entry.full_url)
        yield written


def _placed(text: str, known: Mapping[str, str]) -> bytes:
    """The resource with references to where its fellows now are."""
    for full_url, reference in known.items():
        text = text.replace(f'"{full_url}"', f'"{reference}"')
    return text.encode()


def _sent(session: Session, entry: _Entry, body: bytes, errands: Errands) -> Written:
    headers = {"If-None-Exist": entry.condition or "", "Prefer": "return=minimal"}
    answer = _posted(session, Address.parse(f"{session.base}/{entry.type}"), headers, body, errands)
    if isinstance(answer, Outcome):
        return Written(entry.type, answer)
    outcome = _outcome(answer.status)
    is_there = outcome in (Outcome.STORED, Outcome.THERE)
    return Written(entry.type, outcome, _reference(answer, entry.type) if is_there else None)


def _posted(
    session: Session, address: Address, headers: Mapping[str, str], body: bytes, errands: Errands
) -> Answer | Outcome:
    named = {"Content-Type": _FHIR_JSON, "Accept": _FHIR_JSON, **headers}
    try:
        return errands.post(session.tenant, address, named, body, session.token)
    except QueryError as error:
        return Outcome.UNREACHED if error.reason in _UNSENT else Outcome.UNKNOWN


_BY_STATUS: Final[Mapping[int, Outcome]] = {
    200: Outcome.THERE,
    201: Outcome.STORED,
    401: Outcome.FORBIDDEN,
    403: Outcome.FORBIDDEN,
    # 408 and 5xx say nothing about what was done before
    408: Outcome.UNKNOWN,
}


def _outcome(status: int) -> Outcome:
    family = {4: Outcome.REJECTED}.get(status // 100, Outcome.UNKNOWN)
    return _BY_STATUS.get(status, family)


def _reference(answer: Answer, kind: str) -> str | None:
    """Where a resource now is, as "Type/id": Location is absolute or not, and may name a version."""
    return _in_location(answer.headers.get("Location", ""), kind)


def _in_location(location: str, kind: str) -> str | None:
    parts = location.partition("/_history/")[0].split("/")
    return "/".join(parts[-2:]) if len(parts) > 1 and parts[-2] == kind and parts[-1] else None


# --- as one transaction -----------------------------------------------------------------------------------------------


def _together(
    session: Session, bundle: Resource, entries: list[_Entry], errands: Errands
) -> tuple[Written, ...]:
    """All or none, as the EHR says."""
    requests = [{"method": "POST", "url": entry.type, "ifNoneExist": entry.condition} for entry in entries]
    asked = [{**entry, "request": request} for entry, request in zip(bundle["entry"], requests, strict=True)]
    body = orjson.dumps({**bundle, "type": "transaction", "entry": asked})
    answer = _posted(session, session.base, {}, body, errands)
    if isinstance(answer, Outcome):
        return _all(entries, answer)
    if _outcome(answer.status) not in (Outcome.STORED, Outcome.THERE):
        return _all(entries, _outcome(answer.status))
    told = _responses(answer.body)
    if len(told) != len(entries):
        return _all(entries, Outcome.UNKNOWN)
    return tuple(_read(entry, response) for entry, response in zip(entries, told, strict=True))


def _responses(body: bytes) -> list[Any]:
    try:
        entries = orjson.loads(body)["entry"]
        return [entry["response"] for entry in entries]
    except (ValueError, KeyError, TypeError):
        return []


def _read(entry: _Entry, response: Any) -> Written:
    status = str(response.get("status", "")) if isinstance(response, dict) else ""
    outcome = _outcome(int(status[:3])) if status[:3].isdigit() else Outcome.UNKNOWN
    location = str(response.get("location", "")) if isinstance(response, dict) else ""
    return Written(entry.type, outcome, _in_location(location, entry.type))
