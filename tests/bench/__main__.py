"""Measure CPU per request, throughput, growth and memory of one worker, beside the floor: `python -m tests.bench`.

Ratios of medians of five rounds, service and floor in turn, in one run. Servers listen on loopback and are ended here.
"""

import http.client
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cds_service.cli import BACKPRESSURE, THREADS
from tests.bench.bodies import with_net, without_net

ROUNDS, REQUESTS, LARGE_REQUESTS, WARM_UP = 5, 300, 40, 30
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Server:
    """A server under measurement: its port and the process ids that do its work."""

    port: int
    pid: int

    def cpu_seconds(self) -> float:
        """CPU time of the server and its workers so far."""
        return sum(_ticks(pid) for pid in self._family()) / _TICK

    def resident_mb(self) -> float:
        """Resident memory of the largest of its processes (the worker)."""
        sizes = [int((Path("/proc") / str(pid) / "statm").read_text().split()[1]) for pid in self._family()]
        return max(sizes) * os.sysconf("SC_PAGE_SIZE") / 1e6

    def _family(self) -> list[int]:
        children = (Path("/proc") / str(self.pid) / "task" / str(self.pid) / "children").read_text().split()
        return [self.pid, *map(int, children)]

    def post(self, body: bytes, times: int) -> None:
        """Send the same request many times over one connection; every answer has to be a 200."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        for _ in range(times):
            headers = {"Content-Type": "application/json"}
            connection.request("POST", "/cds-services/milan-net-patient-view", body, headers)
            answer = connection.getresponse()
            content = answer.read()
            if answer.status != 200:
                sys.exit(f"the server answered {answer.status}: {content[:200]!r}")
        connection.close()


def _ticks(pid: int) -> int:
    fields = (Path("/proc") / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


@contextmanager
def serving(application: str) -> Iterator[Server]:
    """Run an application on granian with one worker, as `milan-net serve` does, and end it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--port", str(port), "--workers", "1"]
    command += ["--blocking-threads", str(THREADS), "--backpressure", str(BACKPRESSURE)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([*command, "--no-access-log", "--no-ws", application], **quiet) as process:  # noqa: S603
        try:
            _wait_for(port)
            yield Server(port, process.pid)
        finally:
            process.terminate()


def _wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    sys.exit("the server did not start")


@dataclass(frozen=True)
class Cost:
    """CPU milliseconds per request and requests per second, medians over the rounds."""

    cpu_ms: float
    per_second: float


def costs(servers: list[Server], body: bytes, requests: int) -> list[Cost]:
    """The cost of one body on each server, the servers taking turns."""
    rounds: list[list[tuple[float, float]]] = [[] for _ in servers]
    for server in servers:
        server.post(body, WARM_UP)
    for _ in range(ROUNDS):
        for index, server in enumerate(servers):
            cpu, clock = server.cpu_seconds(), time.perf_counter()
            server.post(body, requests)
            rounds[index].append((server.cpu_seconds() - cpu, time.perf_counter() - clock))
    median: Callable[[list[float]], float] = statistics.median
    return [
        Cost(
            median([cpu for cpu, _ in taken]) / requests * 1e3,
            requests / median([clock for _, clock in taken]),
        )
        for taken in rounds
    ]


def compared(name: str, target: float, servers: list[Server], body: bytes) -> None:
    """Print one line: the service beside the floor."""
    service, floor = costs(servers, body, REQUESTS)
    ratio = service.cpu_ms / floor.cpu_ms
    print(
        f"{name:34} {len(body) / 1e3:6.0f} kB  CPU {service.cpu_ms:5.2f} ms / floor {floor.cpu_ms:5.2f} ms = "
        f"{ratio:4.2f} x (aim {target} x)   throughput {service.per_second / floor.per_second:4.2f} x the floor's"
    )


def growth(servers: list[Server]) -> None:
    """Print how the cost grows with the chart: the slope beside the floor's slope."""
    sizes = (200, 1000, 5000)
    taken = [costs(servers, without_net(size), LARGE_REQUESTS) for size in sizes]
    steps = [
        (taken[i + 1][k].cpu_ms - taken[i][k].cpu_ms) / (sizes[i + 1] - sizes[i])
        for k in (0, 1)
        for i in (0, 1)
    ]
    service = (taken[2][0].cpu_ms - taken[0][0].cpu_ms) / (sizes[2] - sizes[0])
    floor = (taken[2][1].cpu_ms - taken[0][1].cpu_ms) / (sizes[2] - sizes[0])
    print(
        f"{'growth from 200 to 5,000 resources':34} slope {service * 1e3:4.2f} us / floor {floor * 1e3:4.2f} us ="
        f" {service / floor:4.2f} x (aim 0.6 x)   then {steps[0] * 1e3:4.2f}, {steps[1] * 1e3:4.2f} us"
    )


def memory(server: Server, body: bytes) -> None:
    """Print the worker's memory after 1,000 and 2,000 requests."""
    server.post(body, 1000)
    first = server.resident_mb()
    server.post(body, 1000)
    second = server.resident_mb()
    print(
        f"{'memory of the worker':34} {first:4.0f} MB after 1,000 requests, {second:4.0f} MB after 2,000 (aim 150)"
    )


def main() -> None:
    """Run every measurement."""
    with serving("tests.bench.service:app") as service, serving("tests.bench.floor:app") as floor:
        servers = [service, floor]
        compared("patient without a NET", 0.6, servers, without_net())
        compared("NET patient, 25 relevant resources", 1.2, servers, with_net())
        growth(servers)
        memory(service, with_net())


if __name__ == "__main__":
    main()
