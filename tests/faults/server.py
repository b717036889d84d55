"""A FHIR server on loopback with a fault between it and who asks: real HTTP, bounded in time and connections."""

import socket
import struct
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any, Self

from tests.faults.fhir import RESOURCES, Resource, answer, as_json

_CONNECTIONS = 128
_PATIENCE = 20.0  # seconds after which any fault ends by itself


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that arrived."""

    target: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request, the right answer to it, and the means to answer it otherwise."""

    server: "FaultyServer"
    handler: BaseHTTPRequestHandler
    target: str
    number: int  # how often this target was asked for, this time included
    status: int
    content: Resource

    def send(self, data: bytes) -> None:
        """Put bytes on the wire as they are."""
        self.handler.wfile.write(data)

    def answer(self, body: bytes | None = None, status: int | None = None, **headers: str) -> None:
        """Answer by the rules; what is not given is as in the right answer. `Retry_After` is Retry-After."""
        body = as_json(self.content) if body is None else body
        named = {"Content-Type": "application/fhir+json", "Content-Length": str(len(body))}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [
            f"HTTP/1.1 {status or self.status} Whatever",
            *(f"{name}: {value}" for name, value in named.items()),
        ]
        self.send("\r\n".join((*lines, "", "")).encode("latin-1") + body)

    def pause(self, seconds: float) -> bool:
        """Wait; whether the server is still wanted afterwards."""
        return not self.server.stopped.wait(min(seconds, _PATIENCE))

    def hang_up(self) -> None:
        """End the connection in good order."""
        self.handler.close_connection = True

    def reset(self) -> None:
        """End the connection as a crashed machine does."""
        self.hang_up()
        line = self.handler.connection
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        socket.close(line.detach())


Fault = Callable[[Exchange], None]


def no_fault(exchange: Exchange) -> None:
    """The right answer."""
    exchange.answer()


class FaultyServer:
    """`with FaultyServer(fault) as server:` a FHIR server at `server.base`, and `server.seen` is what was asked.

    `fault` may be exchanged while it runs.
    """

    def __init__(
        self,
        fault: Fault = no_fault,
        resources: Sequence[Resource] = RESOURCES,
        page_size: int = 100,
        tls: Callable[[socket.socket], socket.socket] | None = None,
    ) -> None:
        self.fault = fault
        self.resources = resources
        self.page_size = page_size
        self.stopped = Event()
        self.seen: list[Seen] = []
        self.connections = 0
        self._lock = Lock()
        self._times: Counter[str] = Counter()
        self._http = _Listener(("127.0.0.1", 0), _handler_of(self))
        self.port = self._http.server_address[1]
        scheme = "http" if tls is None else "https"
        if tls is not None:
            self._http.socket = tls(self._http.socket)
        self.base = f"{scheme}://127.0.0.1:{self.port}/fhir"
        self._thread = Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(5)

    @property
    def tokens(self) -> set[str]:
        """Every Authorization header that arrived."""
        return {
            request.headers["Authorization"] for request in self.seen if "Authorization" in request.headers
        }

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request, with the fault."""
        target = handler.path.removeprefix("/fhir")
        with self._lock:
            self._times[target] += 1
            number = self._times[target]
            self.seen.append(Seen(handler.path, dict(handler.headers.items())))
        status, content = answer(self.resources, self.base, target, self.page_size)
        self.fault(Exchange(self, handler, target, number, status, content))


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.open = 0
        self._count = Lock()

    def verify_request(self, *_: object) -> bool:
        with self._count:
            self.open += 1
            return self.open <= _CONNECTIONS

    def shutdown_request(self, request: Any) -> None:
        with self._count:
            self.open -= 1
        super().shutdown_request(request)

    def handle_error(self, *_: object) -> None:
        """Whoever asked has gone away, which is what many of these tests are about."""


def _handler_of(server: FaultyServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = _PATIENCE

        def setup(self) -> None:
            super().setup()
            server.connections += 1

        def do_GET(self) -> None:
            try:
                server.serve(self)
            except OSError:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    return Handler
