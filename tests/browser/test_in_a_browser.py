"""From discovery to feedback in a real browser, against a page that plays the EHR: open, and with signed tokens."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flask
import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from cds_service.app import create_app
from cds_service.cli import cli
from cds_service.hooks.cards import OVERRIDE_REASONS
from cds_service.hooks.services import SERVICES
from cds_service.integrator.keys import PUBLIC, make, private_key
from cds_service.settings import Settings
from cds_service.storage.opening import Storage
from cds_service.storage.tally import Line, tally
from cds_service.tenants import Tenant, Tenants, Trust, open_tenants
from tests.browser.chromium import PATIENCE
from tests.browser.ehr import ISSUER, PlayedEhr, playing
from tests.hooks.calls import ON
from tests.loopback import Later, listening
from tests.samples.generate import SAMPLES

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ME, COLLEAGUE = "Practitioner/1", "Practitioner/2"


@dataclass(frozen=True, slots=True)
class Bedside:
    """An EHR, the service that it calls, and what was asked of the service."""

    ehr: PlayedEhr
    service: str
    asked: list[str]
    storage: Storage
    settings: Settings | None

    def counts(self, tenant: str) -> dict[str, int]:
        """What became of the cards, as `milan-net feedback` or the storage tells it."""
        if self.settings is None:
            return {key(line): number for line, number in tally(self.storage.database, tenant)}
        told = CliRunner().invoke(
            cli,
            ["feedback", "--tenant", tenant, "--csv"],
            env={"MILAN_NET_DATABASE_URL": self.settings.database},
        )
        rows = [row.split(",") for row in told.stdout.splitlines()[1:]]
        return {key(Line(*cells)): int(number) for *cells, number in rows}


def key(line: Line) -> str:
    return " ".join(filter(None, (line.verdict, line.outcome, line.reason)))


@pytest.fixture(params=["open", "signed"])
def bedside(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bedside]:
    """The referral sample in an EHR, and a service that asks who calls or does not."""
    make(tmp_path)
    signing = private_key(tmp_path, "ES384") if request.param == "signed" else None
    later, asked = Later(), list[str]()
    chart = list(copy.deepcopy(SAMPLES["01-meets"]().resources).values())
    with playing(chart, signing) as ehr, listening(later) as service:
        kept = SecretStr(f"sqlite:///{tmp_path}/kept.db")
        settings = Settings(cors_origins=(ehr.origin,), database_url=kept)
        tenants = clinic(tmp_path, service) if signing else open_tenants()
        app = later.made = create_app(settings, tenants, today=lambda: ON)
        app.after_request(partial(noted, asked))
        storage = app.extensions["storage"]
        yield Bedside(ehr, f"{service}/cds-services", asked, storage, settings if signing else None)


def noted(asked: list[str], response: flask.Response) -> flask.Response:
    asked.append(f"{flask.request.method} {flask.request.path}")
    return response


def clinic(keys: Path, service: str) -> Tenants:
    """A site whose tokens are signed with a key of that folder."""
    trust = Trust(issuer=ISSUER, jwks_file=keys / PUBLIC, audiences=(service,), algorithms=("ES384",))
    return Tenants((Tenant(id="clinic", trust=trust),))


class Clinician:
    """Somebody at the page."""

    def __init__(self, page: "Page", bedside: Bedside, user: str = ME) -> None:
        self.page = page
        page.set_default_timeout(PATIENCE)
        page.goto(bedside.ehr.page(bedside.service, user))
        self.sees(f"{len(SERVICES)} services")

    def opens_the_chart(self, cards: int) -> None:
        self.page.click("text=Open the chart")
        self.sees(f"{cards} cards")

    def sees(self, status: str) -> None:
        """Wait until the page says that something was done."""
        self.page.wait_for_function(
            "() => !['starting', 'working'].includes(document.getElementById('status').textContent)"
        )
        assert self.page.text_content("#status") == status

    @property
    def summary(self) -> str:
        return self.page.text_content("article h2") or ""


def test_a_card_is_found_accepted_dismissed_and_comes_back_when_the_facts_change(
    browser: "Browser", bedside: Bedside
) -> None:
    tenant = "clinic" if bedside.ehr.key else "open"
    page = browser.new_page()
    me = Clinician(page, bedside)
    me.opens_the_chart(cards=1)
    assert me.summary.startswith("Meets recorded Milan-NET")
    assert "Mazzaferro" in (page.text_content("article") or "")
    assert page.locator("article pre *").count() == 0  # told as text
    assert page.locator("article option").count() == len(OVERRIDE_REASONS)

    page.click("article .suggestion >> nth=0")
    me.sees("accepted")
    assert (page.text_content("#orders") or "").startswith("draft: Draft referral to the transplant team")
    me.opens_the_chart(cards=1)  # an accepted card is shown again

    page.select_option("article select", label="Comorbidity")
    page.click("text=Dismiss")
    me.sees("dismissed")
    me.opens_the_chart(cards=0)
    Clinician(browser.new_page(), bedside, COLLEAGUE).opens_the_chart(cards=1)
    assert bedside.counts(tenant) == {
        "meets shown": 3,
        "meets accepted": 1,
        "meets overridden comorbidity": 1,
        "meets withheld overridden-by-clinician": 1,
    }

    measured(bedside.ehr.resources, 12)
    me.opens_the_chart(cards=1)
    assert me.summary.startswith("Outside Milan-NET")
    assert preflights(bedside)


def measured(resources: list[dict[str, Any]], percent: int) -> None:
    """Another Ki-67 than was recorded."""
    (found,) = [item for item in resources if item["id"] == "meets-ki67"]
    found["valueQuantity"]["value"] = percent


def preflights(bedside: Bedside) -> bool:
    """Whether the browser asked for leave before each kind of call."""
    path = f"/cds-services/{SERVICES[0].id}"
    calls = ("GET /cds-services", f"POST {path}", f"POST {path}/feedback")
    return all(
        bedside.asked.index(f"OPTIONS {call.split()[1]}") < bedside.asked.index(call) for call in calls
    )


def test_a_page_from_elsewhere_may_not_call(browser: "Browser", bedside: Bedside) -> None:
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    address = bedside.ehr.page(bedside.service, ME)
    page.goto(address.replace("//127.0.0.1", "//localhost", 1))
    page.wait_for_function("() => document.getElementById('status').textContent.startsWith('failed')")
    assert "GET /cds-services" not in bedside.asked
