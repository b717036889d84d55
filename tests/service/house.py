"""The whole service as a caller meets it: tenants with keys, signed calls, feedback, and a clock that tests can turn."""

import copy
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from pydantic import SecretStr
from werkzeug.test import TestResponse

from cds_service.app import create_app
from cds_service.settings import Settings
from cds_service.tenants import Tenant, Tenants
from fhir_mappings.record import PARTS
from tests.hooks.calls import HOOK_INSTANCE, Body, bundle, cards_of
from tests.samples.generate import SAMPLES
from tests.security.callers import BASE, ISSUER, claims, compact, elliptic, header, jwk, key_set

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ACCESS_TOKEN = "canary-token.0123456789"
PATIENT_VIEW = "milan-net-patient-view"
ME, COLLEAGUE = "Practitioner/1", "PractitionerRole/2"
_NUMBERS = itertools.count()


def tenant(name: str, folder: Path, **members: Any) -> Tenant:
    """A tenant of `ISSUER`, told from others by the subject of its tokens, whose FHIR servers are on this machine."""
    keys = folder / "keys.json"
    keys.write_bytes(key_set(jwk(elliptic())))
    trust = {"issuer": ISSUER, "jwks_file": keys, "audiences": (BASE,), "subject": name}
    return Tenant.model_validate({"id": name, "trust": trust, "allow_loopback": True} | members)


@dataclass(slots=True)
class Clock:
    """What the service believes the time is."""

    now: datetime = NOON

    def today(self) -> date:
        """The day."""
        return self.now.date()

    def turn(self, **span: float) -> None:
        """Let time pass."""
        self.now += timedelta(**span)


@dataclass(frozen=True, slots=True)
class House:
    """A service with its callers."""

    client: FlaskClient
    clock: Clock

    def again(self) -> "House":
        """The same service for another thread."""
        return replace(self, client=self.client.application.test_client())

    def post(self, name: str, path: str, body: Body, **claimed: Any) -> TestResponse:
        """A signed call of a tenant."""
        return self.client.post(path, json=body, headers=self.signed(name, path, **claimed))

    def signed(self, name: str, path: str, **claimed: Any) -> dict[str, str]:
        """The header of a call: a token of its own each time."""
        issued = int(self.clock.now.timestamp())
        made = {"iat": issued, "exp": issued + 300, "jti": f"token-{next(_NUMBERS)}", "sub": name}
        token = compact(header(), claims(iss=ISSUER, aud=BASE + path, **(made | claimed)))
        return {"Authorization": f"Bearer {token}"}

    def cards(self, name: str, body: Body, service: str = PATIENT_VIEW) -> list[Body]:
        """The cards of a call that is answered."""
        return cards_of(self.post(name, f"/cds-services/{service}", body))

    def override(self, name: str, card: Body, reason: Mapping[str, str], service: str = PATIENT_VIEW) -> None:
        """Set a card aside with a reason, now."""
        entry = {
            "card": card["uuid"],
            "outcome": "overridden",
            "overrideReason": {"reason": reason},
            "outcomeTimestamp": self.clock.now.isoformat(),
        }
        path = f"/cds-services/{service}/feedback"
        assert self.post(name, path, {"feedback": [entry]}).status_code == 200


def house(folder: Path, *tenants: Tenant, **settings: Any) -> House:
    """A service of these tenants that keeps its things in a folder."""
    given = {"database_url": SecretStr(f"sqlite:///{folder}/milan-net.db")} | settings
    clock = Clock()
    app = create_app(Settings(**given), Tenants(tenants), today=clock.today, now=lambda: clock.now)
    return House(app.test_client(), clock)


# --- charts -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Patient:
    """A sample patient: the id, and everything that a FHIR server holds."""

    id: str
    resources: tuple[Body, ...]

    @property
    def prefetch(self) -> Body:
        """The whole chart as the EHR sends it."""
        return {key: self.part(key) for key in PARTS}

    def part(self, key: str) -> Body:
        """One part of the chart, as the answer to its query."""
        found = [item for item in self.resources if item["resourceType"] == PARTS[key]]
        return copy.deepcopy(found[0] if key == "patient" else bundle(*found, total=len(found)))

    def call(self, prefetch: Any = ..., server: str | None = None, **members: Any) -> Body:
        """A hook request for this patient; with a `server`, leave to ask it."""
        body: Body = {
            "hook": "patient-view",
            "hookInstance": HOOK_INSTANCE,
            "context": {"userId": ME, "patientId": self.id},
        }
        if prefetch is not ...:
            body["prefetch"] = prefetch
        return body | (granted(server) if server else {}) | members


def granted(server: str) -> Body:
    """Leave to ask a FHIR server."""
    right = {
        "access_token": ACCESS_TOKEN,
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "patient/*.rs",
        "subject": "milan-net",
    }
    return {"fhirServer": server, "fhirAuthorization": right}


@cache
def sample(file: str) -> Patient:
    """A sample patient by the name of the file."""
    chart = SAMPLES[file]()
    return Patient(chart.name, tuple(chart.resources.values()))


def without(prefetch: Body, *keys: str) -> Body:
    """A prefetch in which some keys are absent."""
    return {key: value for key, value in prefetch.items() if key not in keys}
