"""Servers started from the command line, each in a process of its own on a free loopback port."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server started from the command line on a free loopback port; it and only it is ended."""
    port = free_port()
    command = [sys.executable, "-m", "cds_service.cli", *arguments, "--port", str(port)]
    environment = {**os.environ, "COLUMNS": "200", "PYTHONPATH": str(CHECKOUT)}
    process = subprocess.Popen(  # noqa: S603  our own command
        command, cwd=CHECKOUT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    address = f"http://127.0.0.1:{port}/cds-services"
    try:
        wait_for(address, process)
        yield process, address
    finally:
        if process.poll() is None:
            process.terminate()  # killed, it would leave its worker behind
        process.communicate(timeout=30)


def wait_for(address: str, process: subprocess.Popen[str]) -> None:
    for _ in range(200):
        if process.poll() is not None:
            raise AssertionError(process.communicate())
        try:
            with urllib.request.urlopen(address, timeout=1):  # noqa: S310  loopback
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise AssertionError("the server did not answer")
