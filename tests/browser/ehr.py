"""What stands behind the page that plays an EHR: its files, its charts as FHIR, and tokens that it signs for its calls."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from werkzeug import Request, Response

from cds_service.integrator.keys import sign
from tests.faults.fhir import answer
from tests.loopback import listening

FOLDER = Path(__file__).parent
ISSUER = "https://ehr.example.org"
_TYPES = {"ehr.html": "text/html; charset=utf-8", "ehr.js": "text/javascript; charset=utf-8"}


class PlayedEhr:
    """An EHR that serves its page, its charts and, where it has a key, tokens."""

    def __init__(self, resources: list[dict[str, Any]], key: Path | None) -> None:
        self.resources, self.key = resources, key
        self.origin = ""

    def page(self, service: str, user: str, patient: str = "meets") -> str:
        """The address of its page for a clinician who looks at a patient."""
        asked = {"service": service, "patient": patient, "user": user}
        return f"{self.origin}/ehr.html?{urlencode(asked)}{'&signed' if self.key else ''}"

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        name = request.path.lstrip("/")
        if name in _TYPES:
            return Response((FOLDER / name).read_bytes(), content_type=_TYPES[name])
        if name == "token" and self.key is not None:
            audience = request.args["audience"]
            return Response(sign(self.key, issuer=ISSUER, audience=audience, now=time.time()))
        if name.startswith("fhir/"):
            target = f"/{name.removeprefix('fhir/')}?{request.query_string.decode()}"
            status, content = answer(self.resources, f"{self.origin}/fhir", target, page_size=500)
            return Response(json.dumps(content), status, content_type="application/fhir+json")
        return Response(status=404)


@contextmanager
def playing(resources: list[dict[str, Any]], key: Path | None = None) -> Iterator[PlayedEhr]:
    """An EHR on loopback, for as long as the block runs."""
    ehr = PlayedEhr(resources, key)
    with listening(ehr) as ehr.origin:
        yield ehr
