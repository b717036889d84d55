"""The report counts cards by week, verdict and reason, and says nothing of any patient."""

import csv
import io
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result

from cds_service.cli import cli, run
from cds_service.eligibility.verdict import Verdict
from cds_service.hooks.cards import OVERRIDES
from cds_service.storage.ledger import Feedback, Ledger, Outcome, Reason, ShownCard
from cds_service.storage.schema import head
from tests.databases import Place
from tests.hooks.assessments import assessment
from tests.test_tenants import CLINIC

SUNDAY = datetime(2026, 11, 22, 23, 59, tzinfo=UTC)  # the last of week 47
MONDAY = datetime(2026, 11, 23, 0, 0, tzinfo=UTC)
DECLINED = Reason(OVERRIDES, "declined")


def show(ledger: Ledger, verdict: Verdict, at: datetime, tenant: str = "a") -> str:
    card = str(uuid4())
    ledger.record_shown(ShownCard(tenant, "s", card, "canary", "canary", assessment(verdict)), at)
    return card


def act(ledger: Ledger, card: str, outcome: str, at: datetime, *, reason: Reason | None = None) -> None:
    ledger.keep("a", "s", [Feedback(card, Outcome(outcome), at, reason)], at)


@pytest.fixture
def filled(ledger: Ledger) -> None:
    one, two, three, four = (show(ledger, Verdict.OUTSIDE, SUNDAY) for _ in range(4))
    show(ledger, Verdict.MEETS, MONDAY)
    show(ledger, Verdict.MEETS, MONDAY, tenant="b")
    act(ledger, one, "overridden", SUNDAY, reason=DECLINED)
    act(ledger, two, "overridden", SUNDAY, reason=DECLINED)
    act(ledger, three, "overridden", MONDAY)
    act(ledger, four, "accepted", SUNDAY)
    act(ledger, four, "accepted", SUNDAY.replace(hour=1))  # a second suggestion of the same card
    act(ledger, str(uuid4()), "overridden", MONDAY, reason=Reason(None, "=1+1"))
    for _ in range(2):
        ledger.record_withheld("a", Verdict.OUTSIDE, "own-override", SUNDAY)


def report(place: Place, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["feedback", *arguments], env=place.environment | {"COLUMNS": "150"})


def as_csv(place: Place, *arguments: str) -> list[tuple[str, ...]]:
    result = report(place, "--csv", *arguments)
    assert result.exit_code == 0, result.output
    return [tuple(row.values()) for row in csv.DictReader(io.StringIO(result.output))]


@pytest.mark.usefixtures("filled")
def test_the_csv_has_a_line_for_each_week_verdict_outcome_and_reason(place: Place) -> None:
    assert as_csv(place) == [
        ("2026-W47", "outside", "accepted", "", "", "1"),
        ("2026-W47", "outside", "overridden", OVERRIDES, "declined", "2"),
        ("2026-W47", "outside", "shown", "", "", "4"),
        ("2026-W47", "outside", "withheld", "", "own-override", "2"),
        ("2026-W48", "meets", "shown", "", "", "2"),
        ("2026-W48", "outside", "overridden", "", "", "1"),
        ("2026-W48", "unknown", "overridden", "", "'=1+1", "1"),
    ]


@pytest.mark.usefixtures("filled")
def test_a_tenant_and_a_first_day_can_be_asked_for(place: Place) -> None:
    assert as_csv(place, "--tenant", "b") == [("2026-W48", "meets", "shown", "", "", "1")]
    assert {row[0] for row in as_csv(place, "--since", "2026-11-23")} == {"2026-W48"}
    assert {row[0] for row in as_csv(place, "--since", "2026-11-22")} == {"2026-W47", "2026-W48"}
    assert as_csv(place, "--tenant", "nobody") == []


@pytest.mark.usefixtures("filled")
def test_the_table_shows_numbers_share_and_reasons(place: Place) -> None:
    result = report(place)
    assert result.exit_code == 0
    [line] = [line for line in result.output.splitlines() if "W47" in line]
    cells = [cell.strip() for cell in line.split("│")]
    assert cells == ["2026-W47", "outside", "4", "2", "1", "2", "33%", "declined 2"]
    assert "no reason 1" in result.output
    assert "canary" not in result.output


@pytest.mark.usefixtures("filled")
def test_comments_are_shown_only_when_they_are_asked_for(place: Place, ledger: Ledger) -> None:
    told = Feedback(str(uuid4()), Outcome.OVERRIDDEN, MONDAY, DECLINED, comment="=spoke with Jane Doe")
    ledger.keep("a", "s", [told], MONDAY)
    assert "Jane" not in report(place).output + report(place, "--csv").output
    assert "declined │ =spoke with Jane Doe" in report(place, "--comments").output
    assert as_csv(place, "--comments") == [
        ("2026-11-23T00:00:00+00:00", "overridden", "declined", "'=spoke with Jane Doe")
    ]
    assert as_csv(place, "--comments", "--tenant", "b") == []
    assert as_csv(place, "--comments", "--since", "2026-11-24") == []


@pytest.mark.usefixtures("ledger")
def test_an_empty_ledger_says_so(place: Place) -> None:
    assert report(place).output == "No card was shown yet, and no feedback came.\n"
    assert report(place, "--comments").output == "No comment is kept yet.\n"
    assert as_csv(place) == as_csv(place, "--comments") == []


@pytest.mark.usefixtures("filled")
def test_what_was_asked_for_is_named_where_there_is_nothing(place: Place) -> None:
    asked = ("--tenant", "a", "--since", "2027-01-01")
    assert report(place, *asked).output == "No card was shown for a since 2027-01-01, and no feedback came.\n"
    assert report(place, "--comments", *asked[2:]).output == "No comment is kept since 2027-01-01.\n"


@pytest.mark.usefixtures("filled")
def test_a_tenant_that_is_nowhere_is_told_where_the_tenants_are_known(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "tenants.toml"
    file.write_text(CLINIC)
    for name, value in (place.environment | {"MILAN_NET_TENANTS": str(file)}).items():
        monkeypatch.setenv(name, value)
    assert run(["feedback", "--tenant", "nope"]) == 2
    assert "there is no such tenant; there are clinic" in capsys.readouterr().err
    assert run(["feedback", "--tenant", "clinic"]) == 0
    assert "for clinic" in capsys.readouterr().out
    assert run(["feedback", "--tenant", "b"]) == 0  # it has left the file, and its cards are still counted
    assert "W48" in capsys.readouterr().out


def test_a_day_that_is_none_is_told_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["feedback", "--since", "yesterday"]) == 2
    assert "a day is written as YYYY-MM-DD, such as 2026-11-23" in capsys.readouterr().err


@pytest.mark.usefixtures("filled")
def test_nothing_is_cut_at_80_columns(place: Place, ledger: Ledger) -> None:
    show(ledger, Verdict.RESECTION_FIRST, MONDAY)
    told = Feedback(str(uuid4()), Outcome.OVERRIDDEN, MONDAY, DECLINED, comment="x" * 200)
    ledger.keep("a", "s", [told], MONDAY)
    for asked in ((), ("--comments",)):
        environment = place.environment | {"COLUMNS": "80"}
        output = CliRunner().invoke(cli, ["feedback", *asked], env=environment).output
        assert "…" not in output
        assert max(map(len, output.splitlines())) <= 80
        words = (
            ("resection-first", "Overridden", "Withheld") if not asked else (MONDAY.isoformat(), "declined")
        )
        assert all(word in output for word in words)
    assert output.count("x") == 200 + "Text".count("x")


def test_a_database_that_is_not_there_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MILAN_NET_DATABASE_URL", f"sqlite:///{tmp_path}/none.db")
    assert run(["feedback"]) == 1
    assert "there is no database yet" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_old_schema_asks_for_a_migration(
    empty: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in empty.environment.items():
        monkeypatch.setenv(name, value)
    if empty.kind == "sqlite":
        Path(empty.address.removeprefix("sqlite:///")).touch()
    assert run(["prune"]) == 2
    assert "milan-net migrate" in capsys.readouterr().err
    assert run(["migrate"]) == 0
    assert f"schema {head()}" in capsys.readouterr().out
    assert run(["prune", "--older-than", "30"]) == 0
    assert "Removed: 0 cards, 0 feedback, 0 used tokens." in capsys.readouterr().out
