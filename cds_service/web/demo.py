"""An EHR to try the service in: a list of made-up patients, their charts, and a box for records of one's own.

It is part of a demonstration and of nothing else. The browser calls the service as an EHR does; here are only the
pages. What is pasted is assessed and forgotten: it is neither stored nor logged.
"""

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec
from flask import Blueprint, Flask, Response, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException

from cds_service.advisor import Advisor
from cds_service.demo.day import ON, parse_day
from cds_service.demo.fhir import PREFIX as FHIR
from cds_service.errors import HttpError, NotFoundError
from cds_service.hooks.services import SERVICES
from cds_service.web import markdown
from cds_service.web.answering import answered
from cds_service.web.demo_box import add_box
from cds_service.web.demo_charts import sections
from cds_service.web.demo_drafts import Choice, catalogue
from cds_service.web.demo_patients import (
    Listed,
    Sample,
    Samples,
    Sorting,
    grouped,
    matching,
    searched,
)
from cds_service.web.form import Place, form_page
from cds_service.web.pages import page_headers, pages
from cds_service.web.patient import banner
from cds_service.web.view import Actions, Link, assessment_page

PREFIX: Final = "/demo"
_NOTICE: Final = "DEMONSTRATION: made-up patient"
PROBLEM: Final = "problem"
"""Of an address: the problem of the catalogue that the call behind a card adds."""
_DAYS_KEPT: Final = 32
_USERS: Final = (
    ("Practitioner/demo-surgeon", "Dr Albers, surgery"),
    ("Practitioner/demo-oncologist", "Dr Brandt, oncology"),
)


def add_demo(app: Flask, folder: Path, advisor: Advisor, today: date) -> None:
    """Give an application the demonstration's EHR over the samples of a folder. Raises DataError."""
    if pages.name not in app.blueprints:
        app.register_blueprint(pages)
    app.register_blueprint(demo(Samples(folder), advisor, today))
    app.add_url_rule("/", "start", lambda: redirect(url_for("demo.patients")))


def demo(samples: Samples, advisor: Advisor, today: date) -> Blueprint:
    """The pages. `today` is the day that is asked about unless another is chosen."""
    blueprint = Blueprint("demo", __name__, url_prefix=PREFIX)
    blueprint.after_request(_guard)
    blueprint.register_error_handler(HttpError, _tell)
    blueprint.register_error_handler(HTTPException, _tell_http)
    blueprint.context_processor(lambda: {"today": today, "header": ON})
    _list(blueprint, samples, advisor, today)
    _charts(blueprint, samples, advisor, today)
    _forms(blueprint, samples, advisor, today)
    add_box(blueprint, advisor, today)
    blueprint.add_url_rule("/<path:_>", "elsewhere", _elsewhere)
    return blueprint


def _list(blueprint: Blueprint, samples: Samples, advisor: Advisor, today: date) -> None:
    @lru_cache(maxsize=_DAYS_KEPT)
    def listed(on: date) -> tuple[Listed, ...]:
        return samples.listed(advisor, on)

    @blueprint.get("")
    def patients() -> str:
        on, words, sorting = _day(today), request.args.get("q", ""), _sorting()
        found = matching(listed(on), words)
        return render_template(
            "web/demo.html",
            groups=grouped(found, sorting),
            searched=searched,
            count=len(found),
            on=on,
            words=words,
            sorting=sorting,
            sortings=Sorting,
        )

    @blueprint.get("/catalogue")
    def choices() -> Response:
        return Response(msgspec.json.encode(catalogue()), mimetype="application/json")

    @blueprint.post("/markdown")
    def rendered() -> Response:
        request.max_content_length = markdown.LARGEST
        text = request.get_data(cache=False).decode("utf-8", "replace")
        return Response(markdown.as_html(text), mimetype="text/html")


def _charts(blueprint: Blueprint, samples: Samples, advisor: Advisor, today: date) -> None:
    @blueprint.get("/patients/<patient>")
    def chart(patient: str) -> str:
        sample, on = samples.find(patient), _day(today)
        return render_template("web/demo-chart.html", **_chart(sample, advisor, on))

    @blueprint.get("/patients/<patient>/assessment")
    def assessment(patient: str) -> str:
        sample, on, problem = samples.find(patient), _day(today), _problem()
        actions = Actions(
            back=Link(url_for("demo.chart", patient=patient, on=on), "back to the chart"),
            form=url_for("demo.ask", patient=patient, on=on, problem=problem and problem.id),
            other_day=url_for("demo.assessment", patient=patient),
            hidden=((PROBLEM, problem.id),) if problem is not None else (),
            notice=_NOTICE,
            added=problem.label if problem is not None else "",
        )
        return assessment_page(sample.reading(advisor, on, problem), actions=actions)

    @blueprint.get("/patients/<patient>/bundle")
    def bundle(patient: str) -> Response:
        sample = samples.find(patient)
        named = {"Content-Disposition": f'attachment; filename="{sample.file}.json"'}
        return Response(sample.content, mimetype="application/fhir+json", headers=named)


def _forms(blueprint: Blueprint, samples: Samples, advisor: Advisor, today: date) -> None:
    """The form of a chart. This EHR takes nothing: answers are assessed or downloaded, and forgotten."""

    @blueprint.get("/patients/<patient>/form")
    def ask(patient: str) -> str:
        sample, on, problem = samples.find(patient), _day(today), _problem()
        return form_page(sample.reading(advisor, on, problem), _place(patient, on, problem))

    @blueprint.post("/patients/<patient>/form")
    def answer(patient: str) -> Response:
        sample, on, problem = samples.find(patient), _day(today), _problem()
        reading, place = sample.reading(advisor, on, problem), _place(patient, on, problem)
        return answered(request.form.to_dict(), reading, advisor, place)


def _place(patient: str, on: date, problem: Choice | None) -> Place:
    named = problem and problem.id
    return Place(
        action=url_for("demo.answer", patient=patient, on=on, problem=named),
        back=url_for("demo.assessment", patient=patient, on=on, problem=named),
        notice=_NOTICE,
    )


def _chart(sample: Sample, advisor: Advisor, on: date) -> Mapping[str, Any]:
    return {
        "sample": sample,
        "patient": banner(sample.reading(advisor, on)),
        "sections": sections(sample.content),
        "on": on,
        "fhir": FHIR,
        "services": SERVICES,
        "catalogue": catalogue(),
        "users": _USERS,
    }


def _day(today: date) -> date:
    """The day in the address. Raises BadRequestError."""
    text = request.args.get("on", "")
    return parse_day(text) if text else today


def _problem() -> Choice | None:
    """The problem in the address. Raises NotFoundError for one that the catalogue has not."""
    name = request.args.get(PROBLEM, "")
    found = next((item for item in catalogue().problems if item.id == name), None)
    if name and found is None:
        raise NotFoundError("There is no such problem in the catalogue of the demonstration.")
    return found


def _sorting() -> Sorting:
    text = request.args.get("by", "")
    return Sorting(text) if text in tuple(Sorting) else Sorting.ANSWER


# --- what every page has in common ------------------------------------------------------------------------------------


def _guard(response: Response) -> Response:
    response.headers.update(page_headers())
    return response


def _elsewhere(_: str) -> tuple[str, int]:
    return _sentence("There is no such page in the demonstration.", 404)


def _tell(error: HttpError) -> tuple[str, int]:
    return _sentence(error.problem, error.status)


def _tell_http(error: HTTPException) -> tuple[str, int]:
    """What Flask refuses by itself: its own pages may repeat the address."""
    return _sentence("The request cannot be answered as it was made.", error.code or 400)


def _sentence(problem: str, status: int) -> tuple[str, int]:
    return render_template("web/demo-error.html", problem=problem), status
