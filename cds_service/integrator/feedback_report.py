"""`milan-net feedback`: what clinicians made of the cards, as a table or as CSV; counts, and nothing of any patient."""

import csv
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import date
from typing import Final

import click
from rich.console import Console
from rich.table import Table

from cds_service.integrator.database import existing_database
from cds_service.parameters import Day
from cds_service.settings import Settings, from_environment
from cds_service.storage.comments import Comment, comments
from cds_service.storage.ledger import Outcome
from cds_service.storage.opening import pseudonyms
from cds_service.storage.tally import SHOWN, WITHHELD, Line, tally
from cds_service.tenants import load_tenants
from cds_service.terminal import safe

_FORMULA: Final = ("=", "+", "-", "@")  # a spreadsheet would compute what begins so
_NO_REASON: Final = "no reason"
_ROOMY: Final = 100  # columns of a terminal


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
@click.option("--since", type=Day(), default=None, help="First day.")
@click.option("--csv", "as_csv", is_flag=True, help="One line for each week, verdict, outcome and reason.")
@click.option(
    "--comments",
    "show_comments",
    is_flag=True,
    help="The comments instead, where a tenant keeps them. They may hold patient data.",
)
def feedback(tenant: str | None, since: date | None, *, as_csv: bool, show_comments: bool) -> None:
    """Count the cards that were shown, withheld, accepted and overridden, by week, verdict and reason."""
    settings = from_environment()
    with existing_database() as database:
        told: list[Comment] = []
        lines: list[tuple[Line, int]] = []
        if show_comments:
            told = list(comments(database, pseudonyms(settings), tenant, since))
        else:
            lines = tally(database, tenant, since)
    if not told and not lines:
        _ensure_known(tenant, settings)
    if not told and not lines and not as_csv:
        nothing = "No comment is kept{}." if show_comments else "No card was shown{}, and no feedback came."
        _console().print(safe(nothing.format(_bounds(tenant, since))))
    elif show_comments:
        _print_comments(told, as_csv=as_csv)
    elif as_csv:
        _write_csv(lines)
    else:
        _print_table(rows(lines))


def _ensure_known(tenant_id: str | None, settings: Settings) -> None:
    """Raise BadParameter for a tenant that is nowhere; of one that has left the file, what is kept can be counted."""
    if tenant_id is None or settings.tenants is None:
        return
    tenants = load_tenants(settings.tenants)
    if tenants.by_id(tenant_id) is None:
        known = ", ".join(item.id for item in tenants.all)
        raise click.BadParameter(f"there is no such tenant; there are {known}", param_hint="--tenant")


def _bounds(tenant: str | None, since: date | None) -> str:
    """What was asked for, within a sentence that there is nothing."""
    if tenant is None and since is None:
        return " yet"
    return (f" for {tenant}" if tenant else "") + (f" since {since}" if since else "")


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
    console = _console()
    table = _table(console)
    for name in header:
        table.add_column(name.title(), overflow="fold", no_wrap=name == "at")
    for row in told:
        table.add_row(*map(safe, row))
    console.print(table)


def _table(console: Console) -> Table:
    """A table that cuts nothing: where there is little room its cells stand closer, and fold."""
    padding = (0, 1) if console.width >= _ROOMY else (0, 0)
    return Table(show_edge=False, pad_edge=False, header_style="bold", padding=padding)


def _console() -> Console:
    return Console(highlight=False, markup=False, emoji=False)


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _print_table(found: Sequence[Row]) -> None:
    console = _console()
    table = _table(console)
    for column in ("Week", "Verdict"):
        table.add_column(column, no_wrap=True, overflow="fold")
    for column in ("Shown", "Withheld", "Accepted", "Overridden", "Accepted of both"):
        table.add_column(column, justify="right", overflow="fold")
    table.add_column("Reasons", overflow="fold")
    for row in found:
        reasons = ", ".join(f"{reason} {number}" for reason, number in row.reasons)
        numbers = map(str, (row.shown, row.withheld, row.accepted, row.overridden))
        ratio = "–" if row.ratio is None else f"{row.ratio:.0%}"
        table.add_row(row.week, safe(row.verdict), *numbers, ratio, safe(reasons))
    console.print(table)
