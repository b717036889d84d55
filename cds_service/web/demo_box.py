"""The box of the demonstration: a Bundle, hook request or NDJSON is pasted, assessed and forgotten.

A mistake is told in a sentence beside what was typed, which stays where it was.
"""

from dataclasses import dataclass
from datetime import date
from io import BytesIO
from typing import Final

from flask import Blueprint, render_template, request, url_for
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

from cds_service.advisor import Advisor
from cds_service.demo.day import parse_day
from cds_service.errors import BadRequestError, DataError, PayloadTooLargeError
from cds_service.hooks.files import records_in
from cds_service.web.patient import banner
from cds_service.web.reading import Reading, read
from cds_service.web.view import Actions, Link, assessment_page

LARGEST: Final = 8 * 1024 * 1024
MOST: Final = 50
"""Patients that are assessed at once; the command line takes any number."""
_ROUND_IT: Final = 64 * 1024  # of a form: its other fields, and what stands between them
_PARTS: Final = 20
_NOTICE: Final = "DEMONSTRATION: not for the care of anybody"
_TOO_LARGE: Final = (
    f"That is more than {LARGEST // 1024 // 1024} MB, which is more than this box reads. For files of any size there is "
    "`milan-net assess FILE`."
)


@dataclass(frozen=True, slots=True)
class Typed:
    """What the form held."""

    text: str = ""
    on: str = ""
    number: int | None = None  # of the patient, where several were pasted
    data: bytes = b""
    is_file: bool = False
    is_lost: bool = False  # it was too large to be read at all


def add_box(blueprint: Blueprint, advisor: Advisor, today: date) -> None:
    """Add the box to the demonstration's pages."""

    @blueprint.get("/assess")
    def box() -> str:
        return _form(Typed(on=request.args.get("on", "") or today.isoformat()))

    @blueprint.post("/assess")
    def assess() -> str | tuple[str, int]:
        typed = Typed(on=today.isoformat(), is_lost=True)
        try:
            typed = _typed(today)
            readings = _readings(typed, advisor)
        except (DataError, BadRequestError, PayloadTooLargeError) as error:
            status = PayloadTooLargeError.status if isinstance(error, PayloadTooLargeError) else 400
            return _form(typed, mistake=_sentence(error)), status
        if typed.number is None and len(readings) > 1:
            return _several(readings, typed)
        chosen = readings[min(typed.number or 0, len(readings) - 1)]
        back = Link(url_for("demo.box", on=typed.on), "assess another record")
        return assessment_page(chosen, actions=Actions(back=back, notice=_NOTICE))


def _form(typed: Typed, mistake: str = "") -> str:
    return render_template("web/demo-box.html", typed=typed, mistake=mistake, largest=LARGEST)


def _several(readings: tuple[Reading, ...], typed: Typed) -> str:
    found = [(number, banner(item), item.assessment) for number, item in enumerate(readings)]
    text = typed.data.decode("utf-8", "replace")
    return render_template("web/demo-several.html", found=found, text=text, typed=typed, on=typed.on)


def _sentence(error: DataError | BadRequestError | PayloadTooLargeError) -> str:
    """A mistake as a sentence of its own; it repeats nothing of what was pasted."""
    if isinstance(error, DataError):
        return f"This cannot be assessed: {str(error).rstrip('.')}."
    return error.problem


# --- what was typed ---------------------------------------------------------------------------------------------------


def _typed(today: date) -> Typed:
    """Read the form. Raises PayloadTooLargeError: then nothing of it was read."""
    request.max_content_length = LARGEST + _ROUND_IT
    try:
        form, files = _in_memory()
    except RequestEntityTooLarge:
        raise PayloadTooLargeError(_TOO_LARGE) from None
    file = files.get("file")
    uploaded = file.read() if file is not None else b""
    text, number = form.get("text", ""), form.get("patient", "")
    return Typed(
        text=text,
        on=form.get("on", "").strip() or today.isoformat(),
        number=int(number)
        if number.isascii() and number.isdigit() and len(number) <= len(str(MOST))
        else None,
        data=uploaded or text.encode(),
        is_file=bool(uploaded),
    )


def _in_memory() -> tuple[MultiDict[str, str], MultiDict[str, FileStorage]]:
    """The form and its files, read without the temporary files that a large upload is otherwise written to."""
    parser = FormDataParser(
        stream_factory=lambda *_args, **_named: BytesIO(),
        max_form_memory_size=LARGEST + _ROUND_IT,
        max_form_parts=_PARTS,
    )
    _, form, files = parser.parse(
        request.stream, request.mimetype, request.content_length, request.mimetype_params
    )
    return form, files


def _readings(typed: Typed, advisor: Advisor) -> tuple[Reading, ...]:
    """Everybody who was pasted. Raises DataError, BadRequestError for the day, PayloadTooLargeError."""
    on = parse_day(typed.on)
    if len(typed.data) > LARGEST:
        raise PayloadTooLargeError(_TOO_LARGE)
    if not typed.data.strip():
        raise DataError("there is nothing in the box yet; paste a record, or choose a file")
    records = records_in(typed.data)
    if len(records) > MOST:
        raise DataError(
            f"it holds {len(records)} patients, and this box takes up to {MOST}; the command line takes any number"
        )
    return tuple(read(record, advisor, on) for record in records)
