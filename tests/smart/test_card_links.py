"""A card's link to the app carries an id of ours that says nothing, where the tenant wants it and the EHR passes it on."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from cds_service.advisor import create_advisor
from cds_service.ehr.fhir_client import EhrClient
from cds_service.hooks.fatigue import Fatigue
from cds_service.hooks.journey import Journey
from cds_service.hooks.services import SERVICES
from cds_service.settings import Settings
from cds_service.smart.app_context import AppContexts, CardContext
from cds_service.storage.opening import Storage
from cds_service.storage.pseudonyms import Pseudonyms
from cds_service.storage.safe import Safe
from cds_service.tenants import Link, Tenant
from tests.databases import KEY, broken
from tests.hooks.calls import ON, call, chart
from tests.smart.hospital import Clock

AUTO = Link(label="Review", url="https://cds.example.org/smart/launch", type="smart", app_context="auto")
OWN = Link(label="Board", url="https://board.example.org", type="smart", app_context="board=7")


def linked(
    tenant: Tenant, kept: Storage, safe: Safe, clock: Clock, prefetch: Any = None
) -> list[dict[str, str]]:
    """The links of the first card of a call."""
    journey = Journey(
        {tenant.id: create_advisor(Settings())},
        EhrClient(),
        kept.ledger,
        Fatigue(kept.ledger),
        lambda: ON,
        lambda: datetime.fromtimestamp(clock(), UTC),
        AppContexts(safe, clock),
    )
    body = orjson.dumps(call(prefetch or chart()))
    found: Any = journey.cards_for(tenant, SERVICES[0], body, 1e12, {})
    return list(found[0]["links"]) if found else []


def test_the_id_stands_for_what_the_card_is_about(kept: Storage, clock: Clock) -> None:
    tenant = Tenant(id="clinic", links=(AUTO, OWN))
    auto, own = linked(tenant, kept, kept.safe, clock)
    context = AppContexts(kept.safe, clock).resolve("clinic", auto["appContext"])
    assert context == CardContext("clinic", "p1", SERVICES[0].id, "", ON)
    assert own["appContext"] == "board=7"
    assert "p1" not in auto["appContext"]


def test_an_ehr_that_drops_app_contexts_is_given_none(kept: Storage, clock: Clock) -> None:
    tenant = Tenant(id="clinic", dialect="oracle", links=(AUTO,))
    assert "appContext" not in linked(tenant, kept, kept.safe, clock)[0]


def test_without_a_database_a_card_still_has_its_link(
    kept: Storage, clock: Clock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    [link] = linked(Tenant(id="clinic", links=(AUTO,)), kept, Safe(broken(folder), Pseudonyms(KEY)), clock)
    assert link == {"label": "Review", "url": AUTO.url, "type": "smart"}
    assert "could not be kept" in caplog.text


class Counting(Safe):
    """A safe that counts what is put away."""

    puts = 0

    def put(self, *arguments: Any, **named: Any) -> None:
        self.puts += 1
        super().put(*arguments, **named)


def test_nothing_is_kept_where_there_is_no_card_or_no_such_link(kept: Storage, clock: Clock) -> None:
    safe = Counting(kept.database, Pseudonyms(KEY))
    linked(Tenant(id="clinic", links=(AUTO,)), kept, safe, clock, chart(conditions=None))
    linked(Tenant(id="clinic", links=(OWN,)), kept, safe, clock)
    assert safe.puts == 0
    linked(Tenant(id="clinic", links=(AUTO,)), kept, safe, clock)
    assert safe.puts == 1
