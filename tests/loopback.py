"""WSGI applications on loopback, in a thread, for as long as a block runs."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server


class Later:
    """An application that is made after its address is known, or when tests run and not when they are collected."""

    made: Any

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self.made(environ, start_response)


class _Silent(WSGIRequestHandler):
    def log_request(self, *_: Any) -> None:
        pass


@contextmanager
def listening(application: Any) -> Iterator[str]:
    """Serve an application on a free port; its origin."""
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_Silent)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
