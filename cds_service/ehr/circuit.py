"""The circuit breaker: a server that has stopped answering is left alone for a while, and is not waited for.

Without one, each call waits until its deadline for a FHIR server that is down, and holds threads that the calls of
other sites need (integration.md 4.2).
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock

FAILURES_TO_OPEN = 5
COOL_DOWN_SECONDS = 5.0


class CircuitState(StrEnum):
    """Whether calls go through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"  # one visit is on its way to try


@dataclass(frozen=True, slots=True)
class Visit:
    """Leave to call a server; what is reported under an older one no longer counts."""

    generation: int


class Circuit:
    """The breaker of one server: closed, open after several failures in a row, half-open for one visit at a time.

    A visit is a whole hook call with all its queries, not a single query: a trial that lets one query of seven
    through would answer a patient with a chart of one part.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        failures_to_open: int = FAILURES_TO_OPEN,
        cool_down: float = COOL_DOWN_SECONDS,
    ) -> None:
        self._clock = clock
        self._failures_to_open = failures_to_open
        self._cool_down = cool_down
        self._lock = Lock()
        self._state = CircuitState.CLOSED
        self._failures = 0
        self._generation = 0
        self._open_until = 0.0

    @property
    def state(self) -> CircuitState:
        """The state, for a metric: an open circuit stays open until somebody enters it after its time."""
        return self._state

    def enter(self) -> Visit | None:
        """Leave to call the server now; None while the circuit is open, or tried by somebody else."""
        with self._lock:
            if self._state is CircuitState.OPEN and self._clock() >= self._open_until:
                self._state = CircuitState.HALF_OPEN
                return Visit(self._generation)
            return Visit(self._generation) if self._state is CircuitState.CLOSED else None

    def report(self, visit: Visit, *, has_answered: bool) -> None:
        """Tell how one query of a visit ended. An error that a server takes the time to tell (4xx) is an answer."""
        with self._lock:
            if visit.generation != self._generation:
                return
            if has_answered:
                self._failures = 0
                self._move(CircuitState.CLOSED)
                return
            self._failures += 1
            if self._state is CircuitState.HALF_OPEN or self._failures >= self._failures_to_open:
                self._open_until = self._clock() + self._cool_down
                self._move(CircuitState.OPEN)

    def leave(self, visit: Visit) -> None:
        """End a visit. A trial of which nothing came lets the next one try."""
        with self._lock:
            if visit.generation == self._generation and self._state is CircuitState.HALF_OPEN:
                self._state = CircuitState.OPEN

    def _move(self, state: CircuitState) -> None:
        if state is not self._state:
            self._state = state
            self._failures = 0
            self._generation += 1


class Circuits:
    """The breakers of all servers, each made when it is first needed: tenants do not share one."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = Lock()
        self._circuits: dict[Hashable, Circuit] = {}

    def of(self, key: Hashable) -> Circuit:
        """The breaker of a server, by tenant and base address."""
        with self._lock:
            return self._circuits.setdefault(key, Circuit(self._clock))
