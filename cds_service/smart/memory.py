"""What EHRs publish for all to read, remembered for a while; a failure too, so that nobody is asked without end."""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from threading import Lock
from typing import Final, Generic, TypeVar

from cds_service.errors import LaunchError

FRESH: Final = 600.0
FAILED: Final = 5.0
"""Seconds for which a failure is told again without asking."""

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class _Held(Generic[Value]):
    found: Value | LaunchError
    at: float


class Memory(Generic[Value]):
    """Values by key. There are as many as tenants have servers, so none is ever thrown away."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._held: dict[Hashable, _Held[Value]] = {}
        self._lock = Lock()

    def of(self, key: Hashable, load: Callable[[], Value], fresh: float = FRESH) -> Value:
        """The value of a key, loaded unless it is known and not older than that. Raises what `load` does: LaunchError."""
        held = self._held.get(key)
        if held is None or self._clock() - held.at >= _age(held, fresh):
            held = _Held(_tried(load), self._clock())
            with self._lock:
                self._held[key] = held
        if isinstance(held.found, LaunchError):
            raise LaunchError(held.found.reason)
        return held.found


def _age(held: _Held[Value], fresh: float) -> float:
    return FAILED if isinstance(held.found, LaunchError) else fresh


def _tried(load: Callable[[], Value]) -> Value | LaunchError:
    try:
        return load()
    except LaunchError as error:
        return error
