"""The pages of a launch from the EHR: the assessment of the patient in context, and the form for what is missing."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial

from flask import Blueprint, Response, request, url_for

from cds_service.advisor import Advisor
from cds_service.errors import UnavailableError
from cds_service.hooks.prefetch import Ehr
from cds_service.smart.chart import record_of
from cds_service.smart.forgery import FIELD, ensure_own_form
from cds_service.smart.launching import Launching
from cds_service.smart.pending_forms import PendingForms
from cds_service.smart.routes import session_of, tell_busy
from cds_service.smart.scopes import Extent, lacking
from cds_service.smart.sessions import Session, SessionOverError
from cds_service.smart.write_back import open_types, write
from cds_service.web.answering import answered
from cds_service.web.answers import parse
from cds_service.web.form import Place, form_page
from cds_service.web.pages import page_headers
from cds_service.web.reading import Reading, read
from cds_service.web.view import Actions, assessment_page
from fhir_mappings.attested import attested_in

PATIENCE = 8.0
"""Seconds that a page waits for the EHR: a person looks on, where a hook call has to be quick."""


@dataclass(frozen=True, slots=True)
class Launched:
    """What the pages are made of. `advisors` are by the id of the tenant; `today` is the only clock of the evaluation."""

    launching: Launching
    forms: PendingForms
    advisors: Mapping[str, Advisor]
    ehr: Ehr
    today: Callable[[], date]

    def session(self, handle: str) -> Session:
        """The session that an address names. Raises SessionOverError."""
        return session_of(self.launching.sessions, handle)

    def reading(self, session: Session, on: date) -> Reading:
        """The patient's record, read with the session's token and assessed. Raises SessionOverError."""
        record = record_of(session, self.ehr, time.monotonic() + PATIENCE)
        return read(record, self.advisors[session.tenant.id], on, attested_in(record))


def launched(parts: Launched) -> Blueprint:
    """The pages behind a launch, each under the handle of its session."""
    blueprint = Blueprint("launched", __name__, url_prefix="/smart")
    blueprint.register_error_handler(UnavailableError, tell_busy)

    @blueprint.get("/<handle>")
    def assessment(handle: str) -> Response:
        session = parts.session(handle)
        page = assessment_page(parts.reading(session, _day(parts)), actions=_actions(session))
        return _shown(session, page)

    @blueprint.get("/<handle>/form")
    def ask(handle: str) -> Response:
        session = parts.session(handle)
        reading, place = parts.reading(session, parts.today()), _place(session)
        kept = parts.forms.kept(session)
        answers = parse(kept, reading, parts.today(), place.author) if kept is not None else None
        return _shown(session, form_page(reading, place, answers))

    @blueprint.post("/<handle>/form")
    def answer(handle: str) -> Response:
        form = request.form.to_dict()
        try:
            session = parts.session(handle)
            ensure_own_form(session, form)
            reading = parts.reading(session, parts.today())
        except SessionOverError as over:
            raise parts.forms.rescued(over, form) from None
        offer = partial(write, session, errands=parts.launching.errands)
        advisor = parts.advisors[session.tenant.id]
        response = answered(form, reading, advisor, _place(session), offer)
        parts.forms.drop(session)
        return _guarded(session, response)

    return blueprint


def closed(granted: Iterable[str]) -> tuple[str, ...]:
    """The parts of a record that a token does not open, as the page names them."""
    halves = {Extent.SOME: " (in part)", Extent.NONE: ""}
    return tuple(f"{item.part}{halves[item.extent]}" for item in lacking(granted))


def _day(parts: Launched) -> date:
    """The day that is asked about; what is no day is today."""
    try:
        return date.fromisoformat(request.args.get("on", ""))
    except ValueError:
        return parts.today()


def _actions(session: Session) -> Actions:
    handle = session.handle
    return Actions(
        form=url_for("launched.ask", handle=handle),
        other_day=url_for("launched.assessment", handle=handle),
        closed=closed(session.scopes),
        leave=url_for("smart.end", handle=handle),
        hidden_on_leaving=((FIELD, session.form_token),),
    )


def _place(session: Session) -> Place:
    return Place(
        action=url_for("launched.answer", handle=session.handle),
        back=url_for("launched.assessment", handle=session.handle),
        hidden={FIELD: session.form_token},
        author=session.user or "",
        writable=open_types(session),
    )


def _shown(session: Session, text: str) -> Response:
    return _guarded(session, Response(text, mimetype="text/html"))


def _guarded(session: Session, response: Response) -> Response:
    """The headers of a page, framed where the tenant says."""
    smart = session.tenant.smart
    response.headers.update(page_headers(smart.frame_ancestors if smart is not None else ()))
    return response
