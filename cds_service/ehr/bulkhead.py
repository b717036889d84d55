"""The bulkhead: how many threads may wait for other servers, in all and for each tenant.

One hospital's slow server must not take the threads of the others, and none may take all (integration.md 4.2).
"""

from collections import Counter
from collections.abc import Callable
from threading import Lock, Thread

THREADS = 64
THREADS_PER_TENANT = 32


class Bulkhead:
    """Starts threads while there is room. A thread that is stuck (in the name look-up) takes room until it ends."""

    def __init__(self, threads: int = THREADS, per_tenant: int = THREADS_PER_TENANT) -> None:
        self._threads = threads
        self._per_tenant = per_tenant
        self._lock = Lock()
        self._running: Counter[str] = Counter()

    def start(self, tenant: str, work: Callable[[], None]) -> bool:
        """Run `work`, which never raises, in a thread of its own; False at once if there is no room."""
        if not self._enter(tenant):
            return False
        try:
            Thread(target=self._run, args=(tenant, work), name="fhir-query", daemon=True).start()
        except RuntimeError:  # the system has no more threads
            self._leave(tenant)
            return False
        return True

    @property
    def running(self) -> int:
        """How many threads are at work."""
        with self._lock:
            return self._running.total()

    def _run(self, tenant: str, work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            self._leave(tenant)

    def _enter(self, tenant: str) -> bool:
        with self._lock:
            if self._running.total() >= self._threads or self._running[tenant] >= self._per_tenant:
                return False
            self._running[tenant] += 1
            return True

    def _leave(self, tenant: str) -> None:
        with self._lock:
            self._running[tenant] -= 1
