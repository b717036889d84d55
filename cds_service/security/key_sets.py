"""The key sets of all tenants, kept at hand: an EHR whose key server is slow or down is served all the same.

A set is asked for again in the background once it is no longer fresh, and the last good one is used for a day. One
request at a time goes out for each address, never sooner than half a minute after the one before, whatever key ids
callers make up; and no call waits for it longer than a moment (integration.md 3.1).
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson
import requests
from urllib3 import Timeout
from urllib3.exceptions import HTTPError

from cds_service.addresses import Address
from cds_service.errors import SettingsError, UnavailableError, whereabouts
from cds_service.security.signing_keys import LARGEST_SET, KeySet, KeySetError, SigningKey, read_key_set
from cds_service.tenants import Tenants, Trust

_LOG = logging.getLogger(__name__)

FRESH: Final = 600.0
LAST_GOOD: Final = 24 * 3600.0
COOLDOWN: Final = 30.0
PATIENCE: Final = 1.0
"""Seconds that a call waits for keys that are not at hand; a whole call has about 1.5."""

_CONNECT: Final = 2.0
_TOTAL: Final = 3.0
_PIECE: Final = 8 * 1024
_JSON: Final = ("application/json", "application/jwk-set+json")

Load = Callable[[], bytes]
"""Where a set comes from; raises KeySetError."""


class KeySets:
    """The keys of whom each tenant trusts, by address or file."""

    def __init__(
        self, tenants: Tenants, clock: Callable[[], float] = time.monotonic, patience: float = PATIENCE
    ) -> None:
        """Files are read at once. Raises SettingsError for one that cannot be used.

        `clock` only ever goes forward.
        """
        trusting = [(tenant.id, tenant.trust) for tenant in tenants.all if tenant.trust is not None]
        self._sets = {
            _source(trust): _CachedSet(name, _load(trust), clock, patience) for name, trust in trusting
        }
        for source, cached in self._sets.items():
            if isinstance(source, Path):
                _read_now(source, cached)

    def find(self, trust: Trust, kid: str) -> SigningKey | None:
        """The key of that id. Raises UnavailableError when no set is at hand that is good enough."""
        return self._sets[_source(trust)].find(kid)

    def warm(self) -> None:
        """Ask for every set that is not at hand, and wait for none: the first caller then need not."""
        for cached in self._sets.values():
            cached.ask()


def _source(trust: Trust) -> Path | str:
    """A file goes before an address, which is then only compared with what tokens name."""
    return trust.jwks_file or trust.jwks_url or ""


def _load(trust: Trust) -> Load:
    source = _source(trust)
    return (lambda: read_file(source)) if isinstance(source, Path) else (lambda: download(source))


def _read_now(path: Path, cached: "_CachedSet") -> None:
    try:
        cached.load()
    except KeySetError as error:
        raise SettingsError(f"The key set {path} cannot be used: {error}.") from None


# --- one set ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Held:
    """What is known of a set at one moment; replaced as a whole, so that readers need no lock."""

    keys: Mapping[str, SigningKey]
    loaded: float


class _CachedSet:
    def __init__(self, name: str, load: Load, clock: Callable[[], float], patience: float) -> None:
        """`name` is for the log: a tenant that trusts these keys."""
        self._name, self._load, self._clock, self._patience = name, load, clock, patience
        self._held: _Held | None = None
        self._asked: float | None = None
        self._flight: threading.Event | None = None
        self._lock = threading.Lock()  # never held while anything is waited for

    def find(self, kid: str) -> SigningKey | None:
        held = self._usable()
        if held is None or kid not in held.keys:
            flight = self.ask()
            if flight is not None:
                flight.wait(self._patience)
            held = self._usable()  # also where none is out: one may have come back a moment ago
        elif self._clock() - held.loaded >= FRESH:
            self.ask()
        if held is None:
            raise UnavailableError("The keys of the caller cannot be had at the moment.")
        return held.keys.get(kid)

    def _usable(self) -> _Held | None:
        held = self._held
        return held if held is not None and self._clock() - held.loaded < LAST_GOOD else None

    def ask(self) -> threading.Event | None:
        """Send for the set, unless it is too soon; what is then waited for, or the request that is already out."""
        with self._lock:
            if self._flight is not None:
                return self._flight
            if self._asked is not None and self._clock() - self._asked < COOLDOWN:
                return None
            self._asked = self._clock()
            self._flight = flight = threading.Event()
        try:
            threading.Thread(target=self._fly, args=(flight,), name="key-set", daemon=True).start()
        except RuntimeError:  # the process has no thread to spare; later it may
            self._land(flight)
        return flight

    def _fly(self, flight: threading.Event) -> None:
        try:
            self.load()
        except KeySetError as error:
            self._tell(str(error))
        except Exception as error:  # noqa: BLE001  it would end up on standard error, with all that it names
            self._tell(f"{type(error).__name__} at {', '.join(whereabouts(error))}")
        finally:
            self._land(flight)

    def _land(self, flight: threading.Event) -> None:
        with self._lock:
            self._flight = None
        flight.set()

    def _tell(self, problem: str) -> None:
        """A line without address, key or key id."""
        _LOG.warning(orjson.dumps({"event": "keys", "tenant": self._name, "problem": problem}).decode())

    def load(self) -> None:
        """Replace what is held by what is there now. Raises KeySetError, and what is held stays."""
        asked = self._clock()
        found: KeySet = read_key_set(self._load())
        self._held, self._asked = _Held(found.keys, asked), asked


# --- where sets come from ---------------------------------------------------------------------------------------------


def read_file(path: Path) -> bytes:
    """The bytes of a file with a key set. Raises KeySetError."""
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_SET + 1)
    except OSError as error:
        raise KeySetError((error.strerror or "it cannot be read").lower()) from None


def download(url: str) -> bytes:
    """The bytes that are published at an address. Raises KeySetError.

    No redirect is followed and no more is read than a set may hold. Proxies and authorities are those of the process.
    """
    deadline = time.monotonic() + _TOTAL
    with requests.Session() as session:
        session.trust_env = not Address.parse(url).is_loopback
        session.auth = _nobody  # else a .netrc would be searched for a password
        try:
            with session.get(
                url,
                stream=True,
                allow_redirects=False,
                timeout=Timeout(total=_TOTAL, connect=_CONNECT),  # type: ignore[arg-type]  # urllib3 takes it
                headers={"Accept": ", ".join(_JSON), "Accept-Encoding": "identity"},
            ) as response:
                _ensure_json(response)
                return _body(response, deadline)
        except (requests.RequestException, HTTPError, OSError) as error:
            raise KeySetError(f"its server does not answer ({type(error).__name__})") from None


def _nobody(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _ensure_json(response: requests.Response) -> None:
    if response.status_code != requests.codes.ok:
        raise KeySetError(f"its server answers {response.status_code}")
    if response.headers.get("Content-Type", "").partition(";")[0].strip().lower() not in _JSON:
        raise KeySetError("its server does not call it JSON")
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise KeySetError("its server compresses it unasked")


def _body(response: requests.Response, deadline: float) -> bytes:
    """Piece by piece, as they arrive: a server that drips would get round a limit on each single wait."""
    body = b""
    while piece := response.raw.read1(_PIECE):
        body += piece
        if len(body) > LARGEST_SET:
            raise KeySetError(f"it is larger than {LARGEST_SET // 1024} KiB")
        if time.monotonic() > deadline:
            raise KeySetError("its server is too slow")
    return body
