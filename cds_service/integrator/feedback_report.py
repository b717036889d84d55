"""`milan-net feedback`: what clinicians made of the cards, as a table or as CSV; counts, and nothing of any patient."""

import csv
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import datetime
from typing import Final

import click
from rich.console import Console
from rich.table import Table

from cds_service.integrator.database import existing_database
from cds_service.settings import from_environment
from cds_service.storage.comments import Comment, comments
from cds_service.storage.ledger import Outcome
from cds_service.storage.opening import pseudonyms
from cds_service.storage.tally import SHOWN, WITHHELD, Line, tally
from cds_service.terminal import safe

_FORMULA: Final = ("=", "+", "-", "@")  # a spreadsheet would compute what begins so
_NO_REASON: Final = "no reason"


@dataclass(frozen=True, slots=True)
class Row:
    """One week and verdict. `ratio` is accepted of those that were acted on; None where none was."""

    week: str
    verdict: str
    shown: int
    withheld: int
    accepted: int
    overridden: int
    reasons: tuple[tuple[str, int], ...]

    @property
    def ratio(self) -> float | None:
        """The share of accepted cards among those accepted or overridden."""
        acted = self.accepted + self.overridden
        return self.accepted / acted if acted else None


def rows(lines: Iterable[tuple[Line, int]]) -> list[Row]:
    """The lines of the tally by week and verdict; reasons by their number."""
    found: defaultdict[tuple[str, str], list[tuple[Line, int]]] = defaultdict(list)
    for line, number in lines:
        found[line.week, line.verdict].append((line, number))
    return [_row(week, verdict, found[week, verdict]) for week, verdict in sorted(found)]


def _row(week: str, verdict: str, lines: Sequence[tuple[Line, int]]) -> Row:
    def total(outcome: str) -> int:
        return sum(number for line, number in lines if line.outcome == outcome)

    reasons = ((line.reason or _NO_REASON, n) for line, n in lines if line.outcome == Outcome.OVERRIDDEN)
    return Row(
        week,
        verdict,
        total(SHOWN),
        total(WITHHELD),
        total(Outcome.ACCEPTED),
        total(Outcome.OVERRIDDEN),
        tuple(sorted(reasons, key=lambda item: (-item[1], item[0]))),
    )


@click.command()
@click.option("--tenant", default=None, help="Only this tenant; all if not given.")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), default=None, help="First day, YYYY-MM-DD.")
@click.option("--csv", "as_csv", is_flag=True, help="One line for each week, verdict, outcome and reason.")
@click.option(
    "--comments",
    "show_comments",
    is_flag=True,
    help="The comments instead, where a tenant keeps them. They may hold patient data.",
)
def feedback(tenant: str | None, since: datetime | None, *, as_csv: bool, show_comments: bool) -> None:
    """Count the cards that were shown, withheld, accepted and overridden, by week, verdict and reason."""
    first = since.date() if since else None
    with existing_database() as database:
        if show_comments:
            names = pseudonyms(from_environment())
            _print_comments(comments(database, names, tenant, first), as_csv=as_csv)
            return
        lines = tally(database, tenant, first)
    if as_csv:
        _write_csv(lines)
    else:
        _print_table(rows(lines))


def _write_csv(lines: Iterable[tuple[Line, int]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([*(field.name for field in fields(Line)), "cards"])
    writer.writerows([*map(_cell, astuple(line)), number] for line, number in lines)


def _print_comments(found: Iterable[Comment], *, as_csv: bool) -> None:
    told = ([item.at.isoformat(), item.outcome, item.reason, item.text] for item in found)
    header = [field.name for field in fields(Comment)]
    if as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(map(_cell, row) for row in told)
        return
    table = Table(*map(str.title, header), show_edge=False, pad_edge=False, header_style="bold")
    for row in told:
        table.add_row(*map(safe, row))
    _console().print(table)


def _console() -> Console:
    return Console(highlight=False, markup=False, emoji=False)


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _print_table(found: Sequence[Row]) -> None:
    console = _console()
    if not found:
        console.print("No card was shown yet, and no feedback came.")
        return
    table = Table("Week", "Verdict", show_edge=False, pad_edge=False, header_style="bold")
    for column in ("Shown", "Withheld", "Accepted", "Overridden", "Accepted of both"):
        table.add_column(column, justify="right")
    table.add_column("Reasons", overflow="fold")
    for row in found:
        reasons = ", ".join(f"{reason} {number}" for reason, number in row.reasons)
        numbers = map(str, (row.shown, row.withheld, row.accepted, row.overridden))
        ratio = "–" if row.ratio is None else f"{row.ratio:.0%}"
        table.add_row(row.week, safe(row.verdict), *numbers, ratio, safe(reasons))
    console.print(table)
