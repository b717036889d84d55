"""Bytes that somebody hands us, whatever they are, to records: a Bundle, a resource, NDJSON or a hook request."""

import json
from typing import Any

import msgspec

from cds_service.errors import DataError, HttpError
from cds_service.hooks import services
from cds_service.hooks.prefetch import sent
from cds_service.hooks.request import parse
from fhir_mappings.record import NOT_JSON, PatientRecord, RecordError, read_file, without_mark


class _Kind(msgspec.Struct):
    hook: Any = None
    resourceType: msgspec.Raw = msgspec.Raw()  # noqa: N815  FHIR's name


def records_in(data: bytes) -> list[PatientRecord]:
    """The patients of a file. Raises DataError with a sentence that repeats nothing of what stands in it."""
    data = without_mark(data)
    if not data.strip():
        raise DataError("the file is empty")
    try:
        hook = _hook_of(data)
        return read_file(data) if hook is None else [sent(parse(data, services.answering(hook)), data)]
    except RecordError as error:
        raise DataError(f"{error}{where_json_ends(data) if str(error) == NOT_JSON else ''}") from error
    except HttpError as error:
        raise DataError(
            f"{error.problem.rstrip('.')} ({', '.join(error.paths) or 'hook request'})"
        ) from error


def where_json_ends(data: bytes) -> str:
    """Where bytes stop being JSON, to be added to a sentence that says so; nothing where no place can be told."""
    try:
        json.loads(data)
    except json.JSONDecodeError as error:
        return f" from line {error.lineno}, column {error.colno}, on"
    except (ValueError, RecursionError):  # not even text
        return ""
    return ""


def _hook_of(data: bytes) -> str | None:
    """The hook that a request is for; None where the data is no hook request."""
    try:
        kind = msgspec.json.decode(data, type=_Kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return None if kind.hook is None or kind.resourceType else str(kind.hook)
