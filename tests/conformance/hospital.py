"""A hospital that calls the service through its lock: keys, tokens for one call each, and a call of every service."""

import copy
import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final, Self
from uuid import NAMESPACE_URL, uuid4, uuid5

from pydantic import SecretStr
from werkzeug.test import TestResponse

from cds_service.app import create_app
from cds_service.hooks.services import SERVICES, Service
from cds_service.settings import Settings
from cds_service.tenants import Tenant, Tenants
from fhir_mappings.record import PARTS
from tests.faults.server import FaultyServer
from tests.hooks.calls import NET, ON, Body, bundle, call, chart
from tests.security.callers import BASE, NOW, claims, compact, elliptic, header, jwk, key_set, modular, trust

SAMPLES: Final = Path(__file__).resolve().parents[2] / "sample_bundles"
DISCOVERY: Final = "/cds-services"
_LOG = logging.getLogger("cds_service.hooks.routes")
WHOLE: Final[Any] = "the whole chart"
KEYS: Final = {"ES384": elliptic(), "RS384": modular()}
PUBLISHED: Final = key_set(*(jwk(key, kid=name) for name, key in KEYS.items()))
IDS: Final = {"userId": "Practitioner/1", "patientId": "p1"}
REFERRAL: Final = {  # to an evaluation for liver transplantation
    "resourceType": "ServiceRequest",
    "id": "d0",
    "code": {"coding": [{"system": "http://snomed.info/sct", "code": "306316000"}]},
    "subject": {"reference": "Patient/p1"},
}
# What each hook tells beside user and patient, such that there is something to say.
OCCASIONS: Final[Mapping[str, Body]] = {
    "patient-view": {"encounterId": "e1"},
    "order-select": {"selections": ["ServiceRequest/d0"], "draftOrders": bundle(REFERRAL)},
    "order-sign": {"draftOrders": bundle(REFERRAL)},
    "problem-list-item-create": {"conditions": bundle(NET)},
    "encounter-start": {"encounterId": "e1"},
    "appointment-book": {"appointments": bundle({"resourceType": "Appointment", "status": "proposed"})},
}


def path_of(service: Service) -> str:
    """The address of a service below the base."""
    return f"{DISCOVERY}/{service.id}"


def feedback_of(service: Service) -> str:
    """The address that takes its feedback."""
    return f"{path_of(service)}/feedback"


def every_path() -> list[str]:
    """All addresses of CDS Hooks that are served."""
    return [DISCOVERY, *(make(service) for service in SERVICES for make in (path_of, feedback_of))]


def context_of(service: Service, patient: str = "p1") -> Body:
    """The context in which a service has something to say."""
    found = copy.deepcopy(OCCASIONS[service.hook])
    text = json.dumps(found).replace("Patient/p1", f"Patient/{patient}")
    return IDS | {"patientId": patient} | json.loads(text)


def call_of(service: Service, prefetch: Any = WHOLE, **members: Any) -> Body:
    """A call of any service, with the ordinary chart if no other is given; `...` leaves a member out."""
    given: Body = {"hook": service.hook, "context": context_of(service)}
    return call(chart() if prefetch is WHOLE else prefetch, **(given | members))


def sample(path: Path, service: Service) -> Body:
    """The call of a service for a sample patient, its whole chart in the prefetch."""
    patient, prefetch = _chart_of(path)
    instance = str(uuid5(NAMESPACE_URL, f"{path.stem} {service.id}"))
    return call_of(service, prefetch, context=context_of(service, patient), hookInstance=instance)


@cache
def _chart_of(path: Path) -> tuple[str, Body]:
    entries = json.loads(path.read_bytes())["entry"]
    resources = [entry["resource"] for entry in entries]
    kinds = {key: [item for item in resources if item["resourceType"] == kind] for key, kind in PARTS.items()}
    (patient,) = kinds.pop("patient")
    return patient["id"], {"patient": patient} | {key: bundle(*found) for key, found in kinds.items()}


def asking(server: FaultyServer) -> Body:
    """What a tenant says of a FHIR server on loopback that may be asked."""
    return {"fhir_servers": (server.base,), "allow_loopback": True, "allow_private_addresses": True}


def bearer(path: str, algorithm: str = "ES384", **changed: Any) -> str:
    """The Authorization header of one call of one address."""
    found = claims(**({"aud": BASE + path, "jti": str(uuid4())} | changed))
    return f"Bearer {compact(header(alg=algorithm, kid=algorithm), found, KEYS[algorithm], algorithm)}"


class _Lines(logging.Handler):
    def __init__(self, lines: list[Body]) -> None:
        super().__init__(logging.INFO)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(json.loads(record.getMessage()))


class Hospital:
    """`with Hospital(folder) as hospital:` the whole application, and the one tenant who may call it."""

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, Any] | None = None,
        *,
        keys: bytes = PUBLISHED,
        trusting: Mapping[str, Any] | None = None,
        **changed: Any,
    ) -> None:
        """`keys` is the set that the hospital publishes, `trusting` and the rest are of its tenant."""
        published = folder / "keys.json"
        published.write_bytes(keys)
        trusted = trust(**({"jwks_url": None, "jwks_file": published} | dict(trusting or {})))
        tenant = Tenant(id="clinic", trust=trusted, **changed)
        given = Settings(
            database_url=SecretStr(f"sqlite:///{folder / 'cds.db'}"),
            **(settings or {}),
        )
        moment = datetime.fromtimestamp(NOW, UTC)
        self.app = create_app(given, Tenants((tenant,)), today=lambda: ON, now=lambda: moment)
        self.client = self.app.test_client()
        self.logged: list[Body] = []  # the lines of the log, one for each call
        self._log = _Lines(self.logged)

    def __enter__(self) -> Self:
        _LOG.addHandler(self._log)
        _LOG.setLevel(logging.INFO)
        return self

    def __exit__(self, *_: object) -> None:
        _LOG.removeHandler(self._log)
        self.app.extensions["storage"].close()

    def get(self, path: str, **headers: str) -> TestResponse:
        """GET with a token."""
        return self.client.get(path, headers={"Authorization": bearer(path), **headers})

    def post(self, path: str, body: Any, algorithm: str = "ES384", **headers: str) -> TestResponse:
        """POST with a token."""
        signed = {"Authorization": bearer(path, algorithm), **headers}
        return self.client.post(path, json=body, headers=signed)

    def ask(self, service: Service, body: Body | None = None) -> TestResponse:
        """Call a service, with an ordinary chart if nothing else is given."""
        return self.post(path_of(service), call_of(service) if body is None else body)
