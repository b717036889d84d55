"""The floor: the same server, worker and garbage collector, a full parse of the same body, and a fixed 2 kB card."""

import orjson
from flask import Flask, Response, request

from cds_service.app import settle

_CARD = {
    "summary": "A fixed card",
    "detail": "x" * 1850,
    "indicator": "info",
    "source": {"label": "the floor"},
}
_ANSWER = orjson.dumps({"cards": [_CARD]})

app = Flask("floor")


@app.post("/cds-services/milan-net-patient-view")
def answer() -> Response:
    """Parse the whole body, look at nothing, answer the card."""
    orjson.loads(request.get_data())
    return Response(_ANSWER, content_type="application/json")


settle()
