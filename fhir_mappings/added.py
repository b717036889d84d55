"""A record with more in it: resources that nobody recorded are read together with those that were."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from fhir_mappings.bundle import entries_of, raw_resources
from fhir_mappings.nodes import Entry
from fhir_mappings.record import NODE, PatientRecord


def with_resources(record: PatientRecord, resources: Sequence[Mapping[str, Any]]) -> PatientRecord:
    """The record and `resources` of the same patient, none of them preferred.

    How much of each part arrived stays as it was: what is added answers a question, and fills no hole in what was sent.
    """
    data = orjson.dumps({"resourceType": "Bundle", "entry": [{"resource": item} for item in resources]})
    raws = raw_resources(data)
    name = _new_name(record)

    def source(entry: Entry) -> bytes:
        page, index = entry.place
        return bytes(raws[index]) if page == name else record.source(entry)

    entries = (*record.entries, *entries_of(name, NODE.decode(data)))
    return replace(record, entries=entries, source=source)


def _new_name(record: PatientRecord) -> str:
    """A name for the added page that no page of the record has."""
    taken = {entry.place[0] for entry in record.entries}
    return next(name for count in range(len(taken) + 1) if (name := f"added {count + 1}") not in taken)
