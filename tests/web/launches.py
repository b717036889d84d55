"""A ward whose EHR calls the whole service and launches its pages: for a browser, and for Flask's client."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests
from flask import Flask

from cds_service.app import create_app
from cds_service.hooks.services import SERVICES
from cds_service.integrator.keys import PUBLIC, private_key, sign
from cds_service.settings import Settings
from cds_service.storage.opening import Storage
from cds_service.tenants import Link, Smart, Tenant, Tenants, Trust
from tests.hooks.calls import ON
from tests.loopback import Later, listening
from tests.smart.ehr import CLIENT, PlayedEhr
from tests.web.pages import resources_of

ISSUER = "https://ehr.example.org"
CODES_ONLY = "28-us-core-diagnosis-codes-only"
FRAMES = "https://ehr.example.org"


class Clock:
    """The time of day, and what a test adds to it."""

    later = 0.0

    def __call__(self) -> float:
        return time.time() + self.later

    def moment(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.later)


@dataclass(frozen=True, slots=True)
class Ward:
    """The EHR, the service that it calls at `origin`, and the clock of both."""

    ehr: PlayedEhr
    origin: str
    app: Flask
    keys: Path = field(repr=False)
    clock: Clock

    @property
    def storage(self) -> Storage:
        """What the service keeps."""
        found: Storage = self.app.extensions["storage"]
        return found

    @property
    def patient(self) -> str:
        """The one whose chart it holds."""
        [found] = [item["id"] for item in self.ehr.resources if item["resourceType"] == "Patient"]
        return str(found)

    def launch(self, app_context: str | None = None, patient: str | None = None, iss: str = "") -> str:
        """The address that the EHR opens when a user follows a link of a card or a menu."""
        made = self.ehr.launch(patient or self.patient, app_context)
        return f"{self.origin}/smart/launch?iss={quote(iss or self.ehr.base, safe='')}&launch={made}"

    def card(self) -> dict[str, Any]:
        """The card of the chart, as the EHR is given it."""
        context = {"userId": "Practitioner/1", "patientId": self.patient}
        hook = {"hook": "patient-view", "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"}
        answer = self._post("", {**hook, "context": context, "prefetch": self._prefetch()})
        [card] = answer.json()["cards"]
        found: dict[str, Any] = card
        return found

    def dismiss(self, card: dict[str, Any]) -> int:
        """Tell the service that a card was overridden; the status of its answer."""
        reason = {name: card["overrideReasons"][0][name] for name in ("code", "system")}
        told = {"card": card["uuid"], "outcome": "overridden", "overrideReason": {"reason": reason}}
        moment = self.clock.moment().isoformat()
        return self._post("/feedback", {"feedback": [{**told, "outcomeTimestamp": moment}]}).status_code

    def _post(self, path: str, body: dict[str, Any]) -> requests.Response:
        """Call the service with a token that the EHR signs."""
        address = f"{self.origin}/cds-services/{SERVICES[0].id}{path}"
        token = sign(private_key(self.keys, "ES384"), issuer=ISSUER, audience=address, now=time.time())
        return requests.post(address, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=20)

    def _prefetch(self) -> dict[str, Any]:
        kinds = ("Condition", "Observation", "Procedure", "DiagnosticReport", "Specimen", "ServiceRequest")
        keys = ("conditions", "observations", "procedures", "reports", "specimens", "orders")
        [patient] = self._of("Patient")
        return {"patient": patient} | {
            key: {
                "resourceType": "Bundle",
                "type": "searchset",
                "entry": [{"resource": one} for one in self._of(kind)],
            }
            for key, kind in zip(keys, kinds, strict=True)
        }

    def _of(self, kind: str) -> list[dict[str, Any]]:
        return [item for item in self.ehr.resources if item["resourceType"] == kind]


@contextmanager
def ward(keys: Path, sample: str = CODES_ONLY, **changed: Any) -> Iterator[Ward]:
    """A ward with one chart, for as long as the block runs; `changed` is registered otherwise."""
    later, clock = Later(), Clock()
    with PlayedEhr(resources_of(sample)) as ehr, listening(later) as origin:
        tenants = Tenants((_clinic(keys, ehr, origin, changed),))
        settings = Settings(database_url=f"sqlite:///{keys}/ward.db")
        app = later.made = create_app(settings, tenants, today=lambda: ON, now=clock.moment)
        ehr.now = clock
        ehr.client_keys = lambda: dict(app.test_client().get("/smart/jwks.json").json or {})
        yield Ward(ehr, origin, app, keys, clock)


def _clinic(keys: Path, ehr: PlayedEhr, origin: str, changed: dict[str, Any]) -> Tenant:
    registered = {"client_id": CLIENT, "private_key_file": private_key(keys, "ES384"), "address": origin}
    return Tenant(
        id="clinic",
        name="Clinic Seven",
        fhir_servers=(ehr.base,),
        allow_loopback=True,
        trust=Trust(issuer=ISSUER, jwks_file=keys / PUBLIC, audiences=(origin,), algorithms=("ES384",)),
        links=(Link(label="Open Milan-NET", url=f"{origin}/smart/launch", type="smart", app_context="auto"),),
        smart=Smart(**{**registered, "write_back": "each", "frame_ancestors": (FRAMES,), **changed}),
    )
