"""What is published is cited data: no finding without its limits and its source, and no number alone."""

import msgspec
import pytest

from cds_service.web.literature import Section, Statement, literature

SECTIONS = literature().sections


def test_outcome_resection_recurrence_and_caveats_are_there() -> None:
    assert [section.id for section in SECTIONS] == ["outcomes", "resection", "recurrence", "caveats"]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.id)
def test_every_finding_has_its_limits_and_its_source(section: Section) -> None:
    assert section.statements
    for item in section.statements:
        assert item.limits.strip()
        assert item.citation.text.strip()


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.id)
def test_figures_stand_beside_those_of_the_other_arm(section: Section) -> None:
    if section.table is not None:
        assert len(section.table.columns) == 3
        assert {len(row) for row in section.table.rows} == {3}
        assert all(cell.strip() for row in section.table.rows for cell in row)


def test_a_statement_without_a_citation_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"text": "Everybody lives.", "limits": "none"}', type=Statement)


def test_survival_of_97_percent_stands_beside_51() -> None:
    rows = [row for section in SECTIONS if section.table for row in section.table.rows if "97.2 %" in row]
    assert rows == [("survival at 5 years", "97.2 %", "50.9 %")]
