"""A form that was sent: shown again with what is wrong, assessed with what was typed, downloaded, or written."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson
from flask import Response, render_template

from cds_service.advisor import Advisor
from cds_service.smart.write_back import Outcome, Written
from cds_service.web.answers import Answers, parse, what_if
from cds_service.web.form import Place, form_page
from cds_service.web.patient import banner
from cds_service.web.reading import Reading

Write = Callable[[dict[str, Any]], Sequence[Written]]
"""Offers a transaction Bundle to the EHR, and tells what became of each resource."""

_FHIR_JSON = "application/fhir+json"
_IN_THE_EHR = (Outcome.STORED, Outcome.THERE)


def answered(
    form: Mapping[str, str], reading: Reading, advisor: Advisor, place: Place, write: Write | None = None
) -> Response:
    """The answer to a form: nothing that was typed is lost, and nothing of it is stored here."""
    answers = parse(form, reading, reading.assessment.evaluated_on, place.author)
    wish = form.get("do", "assess")
    if wish == "more":
        return _page(form_page(reading, place, replace(answers, errors={})))
    if answers.errors or answers.response is None:
        return _page(form_page(reading, place, answers))
    if wish == "download":
        return _download(answers)
    if wish == "write" and write is not None:
        return _page(_written(answers, reading, write(answers.bundle()), place))
    return _page(form_page(reading, place, answers, what_if(reading, answers, advisor)))


def _page(text: str) -> Response:
    return Response(text, mimetype="text/html")


def _download(answers: Answers) -> Response:
    headers = {"Content-Disposition": 'attachment; filename="attested.json"'}
    return Response(
        orjson.dumps(answers.bundle(), option=orjson.OPT_INDENT_2), mimetype=_FHIR_JSON, headers=headers
    )


def _written(answers: Answers, reading: Reading, written: Sequence[Written], place: Place) -> str:
    """What became of it all. What was typed goes along, so that it can be sent once more or downloaded."""
    lines = zip((_name(entry["resource"]) for entry in answers.bundle()["entry"]), written, strict=True)
    return render_template(
        "web/written.html",
        lines=tuple(lines),
        is_whole=all(item.outcome in _IN_THE_EHR for item in written),
        typed=answers.typed,
        place=place,
        patient=banner(reading),
        day=reading.assessment.evaluated_on,
    )


def _name(resource: Mapping[str, Any]) -> str:
    """What a resource is about, in a few words."""
    code = resource.get("code")
    return str(code["coding"][0]["display"]) if code else "The form with all answers"
