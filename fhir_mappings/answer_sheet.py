"""The form as it was filled in: a QuestionnaireResponse, and the transaction that brings it and its findings to an EHR."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from fhir_mappings.attested import IDENTIFIER, TAG, Given, Value, identified, plain
from fhir_mappings.questions import Option, questions
from fhir_mappings.when import PartialDate
from fhir_mappings.written import valid

Json = dict[str, Any]


def answer_sheet(
    given: Iterable[Given], patient: str, author: Mapping[str, str], on: date, questionnaire: str
) -> Json:
    """The QuestionnaireResponse of what was answered; `questionnaire` is its canonical address with version."""
    return identified(
        {
            "resourceType": "QuestionnaireResponse",
            "meta": {"tag": [TAG]},
            "questionnaire": questionnaire,
            "status": "completed",
            "subject": {"reference": patient},
            "authored": on.isoformat(),
            "author": dict(author),
            "item": [_group(item) for item in given],
        }
    )


def _group(given: Given) -> Json:
    question = questions()[given.fact]
    answered = [field for field in question.fields if field.id in given.values]
    return {
        "linkId": given.fact,
        "text": question.label,
        "item": [
            {
                "linkId": f"{given.fact}.{field.id}",
                "text": field.label,
                "answer": [_answer(given.values[field.id])],
            }
            for field in answered
        ],
    }


def _answer(value: Value) -> Json:
    if isinstance(value, Option):
        return {"valueCoding": dict(value.code)}
    return {"valueDate": value.text} if isinstance(value, PartialDate) else {"valueDecimal": plain(value)}


def transaction(resources: Sequence[Mapping[str, Any]]) -> Json:
    """A Bundle that creates each resource once: sent again, the server finds it by its identifier (FHIR R4, http)."""
    places = {f"{item['resourceType']}/{item['id']}": f"urn:uuid:{item['id']}" for item in resources}
    entries = [
        {
            "fullUrl": f"urn:uuid:{item['id']}",
            "resource": _repointed(item, places),
            "request": {
                "method": "POST",
                "url": item["resourceType"],
                "ifNoneExist": f"identifier={IDENTIFIER}|{item['id']}",
            },
        }
        for item in resources
    ]
    return valid({"resourceType": "Bundle", "type": "transaction", "entry": entries})


def _repointed(value: Any, places: Mapping[str, str]) -> Any:
    """A resource whose references to others of the same Bundle are their fullUrls."""
    if isinstance(value, Mapping):
        return {
            name: places.get(item, item)
            if name == "reference" and isinstance(item, str)
            else _repointed(item, places)
            for name, item in value.items()
        }
    return [_repointed(item, places) for item in value] if isinstance(value, list) else value
