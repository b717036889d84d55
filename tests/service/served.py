"""The service in processes of its own, started as an administrator starts it."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests

from tests.hooks.calls import Body
from tests.security.callers import BASE, ISSUER, claims, compact, elliptic, header, jwk, key_set
from tests.service.house import PATIENT_VIEW

CHECKOUT = Path(__file__).parents[2]
CLINIC = "clinic"
PATH = f"/cds-services/{PATIENT_VIEW}"
SECONDS = 60  # a busy machine starts a process slowly


@dataclass(frozen=True, slots=True)
class Served:
    """A running service: its address, the file that its output and its errors go to, and its first process."""

    url: str
    output: Path
    pid: int

    @property
    def workers(self) -> set[int]:
        """The processes that answer."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text(encoding="ascii")
        return set(map(int, children.split()))

    def post(self, path: str, body: bytes | Body, **headers: str) -> requests.Response:
        """A call as it is."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"Content-Type": "application/json"} | headers
        return requests.post(f"{self.url}{path}", data=data, headers=given, timeout=SECONDS)


def token(path: str = PATH, **claimed: Any) -> str:
    """A header with a token that passes now, once."""
    now = int(time.time())
    made = {
        "iat": now,
        "exp": now + 300,
        "jti": str(uuid4()),
        "sub": CLINIC,
        "iss": ISSUER,
        "aud": BASE + path,
    }
    return f"Bearer {compact(header(), claims(**(made | claimed)))}"


def tenants_file(folder: Path, *lines: str) -> Path:
    """A file with one tenant, whose keys are those of the tests."""
    (folder / "keys.json").write_bytes(key_set(jwk(elliptic())))
    text = f"""
[[tenants]]
id = "{CLINIC}"
allow_loopback = true
{os.linesep.join(lines)}
[tenants.trust]
issuer = "{ISSUER}"
jwks_file = "keys.json"
audiences = ["{BASE}"]
subject = "{CLINIC}"
"""
    path = folder / "tenants.toml"
    path.write_text(text, encoding="utf-8")
    return path


def environment(**changed: str) -> dict[str, str]:
    """The environment of a process, without what this one may have set."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MILAN_NET_")}
    return kept | {"PYTHONPATH": str(CHECKOUT), "COLUMNS": "200"} | changed


def command(folder: Path, settings: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself."""
    return subprocess.run(  # noqa: S603  our own command
        [sys.executable, "-m", "cds_service.cli", *arguments],
        cwd=folder,
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@contextmanager
def serving(folder: Path, settings: Mapping[str, str], *arguments: str) -> Iterator[Served]:
    """`milan-net serve` on a free loopback port; it and only it is ended."""
    port = _free_port()
    output = folder / f"output-{port}.txt"
    with output.open("wb") as file:
        process = subprocess.Popen(  # noqa: S603  our own command
            [sys.executable, "-m", "cds_service.cli", "serve", "--port", str(port), *arguments],
            cwd=folder,
            env=environment(**settings),
            stdout=file,
            stderr=file,
        )
        try:
            served = Served(f"http://127.0.0.1:{port}", output, process.pid)
            _wait(served, process)
            yield served
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(served: Served, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        assert process.poll() is None, served.output.read_text()
        try:
            requests.get(f"{served.url}/openapi.json", timeout=5)
        except requests.ConnectionError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the server did not answer")
