"""The answer of a CDS service for people: status, time, and each card in short."""

from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import click
import msgspec
import orjson
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cds_service.hooks.cards import EXTENSION
from cds_service.terminal import safe

_QUOTED: Final = 300  # characters of an answer that is no answer of a CDS service
_INDICATORS: Final = {"info": "cyan", "warning": "yellow", "critical": "red"}


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back for one call."""

    status: int
    milliseconds: float
    content: bytes


class _Criterion(msgspec.Struct):
    label: str
    verdict: str
    value: str | None = None


class _Assessment(msgspec.Struct):
    verdict: str
    criteria: list[_Criterion]


class _Extension(msgspec.Struct):
    assessment: _Assessment | None = msgspec.field(default=None, name=EXTENSION)


class _Labelled(msgspec.Struct):
    label: str
    url: str | None = None


class _Card(msgspec.Struct):
    summary: str
    indicator: str
    suggestions: list[_Labelled] = []
    links: list[_Labelled] = []
    extension: _Extension | None = None


class _Issue(msgspec.Struct):
    diagnostics: str | None = None
    code: str | None = None
    expression: list[str] = []


class _Answer(msgspec.Struct):
    cards: list[_Card] | None = None
    issue: list[_Issue] | None = None  # of an OperationOutcome


def is_answer(reply: Reply) -> bool:
    """Whether a CDS service took the call: it sent cards, or named what it cannot do without (412)."""
    answer = _read(reply)
    if answer is None:
        return False
    if reply.status == HTTPStatus.PRECONDITION_FAILED:
        return answer.issue is not None
    return reply.status == HTTPStatus.OK and answer.cards is not None


def show_reply(reply: Reply, *, as_json: bool) -> None:
    """Print one answer."""
    if as_json:
        click.echo(reply.content)
        return
    console = _console()
    console.print(_status(reply))
    answer = _read(reply)
    if answer is None or answer.cards is None:
        console.print(Padding(safe(_in_a_line(reply)), (0, 0, 0, 2)))
        return
    for card in answer.cards:
        _show_card(console, card)
    if not answer.cards:
        console.print("  No card.")


def show_each(replies: Iterable[tuple[str, Reply]], *, as_json: bool) -> None:
    """Print a line for each key that was withheld; the one without a key is the whole request."""
    if as_json:
        for key, reply in replies:
            click.echo(orjson.dumps(_as_line(key, reply)))
        return
    table = Table("Not sent", "Status", show_edge=False, pad_edge=False, header_style="bold")
    table.add_column("ms", justify="right")
    table.add_column("Answer", overflow="fold")
    for key, reply in replies:
        table.add_row(
            safe(key or "–"), str(reply.status), f"{reply.milliseconds:.0f}", safe(_in_a_line(reply))
        )
    _console().print(table)


def _as_line(key: str, reply: Reply) -> dict[str, Any]:
    try:
        answer = orjson.loads(reply.content)
    except ValueError:
        answer = reply.content.decode("utf-8", "replace")
    ms = round(reply.milliseconds, 1)
    return {"notSent": key or None, "status": reply.status, "ms": ms, "answer": answer}


def _read(reply: Reply) -> _Answer | None:
    try:
        return msgspec.json.decode(reply.content, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _status(reply: Reply) -> Text:
    is_well = reply.status == HTTPStatus.OK
    return Text(
        f"{reply.status} in {reply.milliseconds:.0f} ms", style="bold green" if is_well else "bold red"
    )


def _in_a_line(reply: Reply) -> str:
    """What an answer says, in short."""
    answer = _read(reply)
    if answer is None or (answer.cards is None and answer.issue is None):
        text = reply.content[:_QUOTED].decode("utf-8", "replace").strip()
        return f"no answer of a CDS service: {text}" if text else "an answer without a body"
    if answer.cards is not None:
        return "; ".join(f"{card.indicator}: {card.summary}" for card in answer.cards) or "no card"
    return "; ".join(_issue(issue) for issue in answer.issue or ())


def _issue(issue: _Issue) -> str:
    where = f" ({', '.join(issue.expression)})" if issue.expression else ""
    return f"{issue.diagnostics or issue.code or 'an error that does not say what it is'}{where}"


def _show_card(console: Console, card: _Card) -> None:
    style = _INDICATORS.get(card.indicator, "")
    console.print(
        Padding(Text.assemble(safe(card.indicator, style), ": ", safe(card.summary, "bold")), (0, 2))
    )
    assessment = card.extension.assessment if card.extension is not None else None
    if assessment is not None:
        console.print(Padding(_criteria(assessment), (0, 4)))
    for item in card.suggestions:
        console.print(Padding(Text.assemble("Suggestion: ", safe(item.label)), (0, 4)))
    for item in card.links:
        console.print(Padding(Text.assemble("Link: ", safe(f"{item.label} {item.url or ''}")), (0, 4)))


def _criteria(assessment: _Assessment) -> Table:
    table = Table("Criterion", "Answer", show_edge=False, pad_edge=False, header_style="bold")
    table.add_column("Recorded", overflow="fold")
    for item in assessment.criteria:
        table.add_row(safe(item.label), safe(item.verdict), safe(item.value or "–"))
    return table


def _console() -> Console:
    return Console(highlight=False, markup=False, emoji=False)
