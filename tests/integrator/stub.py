"""A CDS service that answers what it is told to and remembers what it was sent."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from flask import Flask, Response, request
from werkzeug.serving import make_server

from cds_service.hooks.services import SERVICES

Answering = Callable[[dict[str, Any]], Response]
PATH = f"/cds-services/{SERVICES[0].id}"


class StubService:
    """Listens on loopback; `received` are the bodies, `headers` those of each call."""

    def __init__(self, answering: Answering) -> None:
        self.received: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self._answering = answering
        self.url = ""

    def _answer(self) -> Response:
        body = orjson.loads(request.get_data())
        self.received.append(body)
        self.headers.append(dict(request.headers))
        return self._answering(body)

    @contextmanager
    def running(self) -> Iterator["StubService"]:
        app = Flask("stub")
        app.add_url_rule(PATH, "call", self._answer, methods=["POST"])
        server = make_server("127.0.0.1", 0, app, threaded=True)
        self.url = f"http://127.0.0.1:{server.server_port}{PATH}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            thread.join(10)
            server.server_close()


def json_answer(content: object, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, mimetype="application/json")


def dripping(size: int, pause: float) -> Response:
    def pieces() -> Iterator[bytes]:
        for _ in range(size):
            time.sleep(pause)
            yield b" "

    return Response(pieces(), 200, {"Content-Length": str(size)}, mimetype="application/json")
