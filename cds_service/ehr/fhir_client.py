"""The EHR's FHIR server, asked for what the prefetch did not bring: in parallel, in time, and nowhere else.

Whatever happens out there, the answer is a state for each query (integration.md 4.2): everything arrived, a part did,
or nothing. Only a complete one may later say that a patient has none of something.
"""

import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, SimpleQueue
from typing import Final

from cds_service.addresses import Address, AddressError, parse_base
from cds_service.ehr.bulkhead import Bulkhead
from cds_service.ehr.circuit import Circuit, Circuits, Visit
from cds_service.ehr.connections import Transport
from cds_service.ehr.downloads import Allowance
from cds_service.ehr.exchange import Terms, exchange, pause_before
from cds_service.ehr.fhir_pages import address_of, kind_of, read_page
from cds_service.ehr.query_errors import QueryError, Reason
from cds_service.ehr.reach import Reach
from cds_service.errors import whereabouts
from cds_service.tenants import Tenant
from fhir_mappings.bundle import PartState

PARALLEL: Final = 4
"""Queries of one call at the same time (integration.md 4.2): more is what EHRs throttle."""

FAIR_CHANCE: Final = 0.2
"""Seconds that a server must have had before its silence counts against it: the rest may have been spent by us."""

_LOG = logging.getLogger(__name__)
_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")  # what can stand in a header; RFC 6750 allows less


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is read. A page beyond any of these is thrown away, and the part counts as truncated."""

    pages: int = 20  # of one query
    size: int = 16 * 1024 * 1024  # bytes, unpacked, of all queries of a call
    resources: int = 10_000  # of all queries of a call


@dataclass(frozen=True, slots=True)
class Access:
    """Leave to ask one FHIR server of a tenant. The token is for this base and nothing else."""

    tenant: Tenant
    base: Address
    token: str | None = field(repr=False)


def access(tenant: Tenant, fhir_server: str | None, token: str | None) -> Access | None:
    """What a hook request lets us ask; None if the server is not one of the tenant's, or a token is needed."""
    try:
        base = parse_base(fhir_server or "")
    except AddressError:
        return None
    if base not in tenant.bases:
        return None
    is_usable = tenant.allow_anonymous_queries if token is None else _TOKEN.fullmatch(token) is not None
    return Access(tenant, base, token) if is_usable else None


@dataclass(frozen=True, slots=True)
class Pages:
    """What a query brought, as the bytes that were sent, and how much of it that is."""

    pages: tuple[bytes, ...]
    state: PartState  # COMPLETE; TRUNCATED: these pages, and there is more; FAILED: nothing
    reason: Reason | None = None  # why it is not complete


class _Query:
    """One query on its way. A thread works on it; who waits may look at what there is at any time."""

    def __init__(self, key: str, text: str) -> None:
        self.key = key
        self.text = text
        self.type, self.expected = kind_of(text)
        self.pages: list[bytes] = []
        self.has_retried = False
        self.asked_at: float | None = None  # when the page that is awaited was asked for
        self.result: Pages | None = None

    def ended(self, reason: Reason | None) -> Pages:
        """What there is if it ends now, for that reason."""
        pages = tuple(self.pages)
        if reason is None:
            return Pages(pages, PartState.COMPLETE)
        return Pages(pages, PartState.TRUNCATED if pages else PartState.FAILED, reason)


class _Call:
    """All queries of one hook call, and what they have in common."""

    def __init__(
        self, access: Access, queries: Mapping[str, str], deadline: float, limits: Limits, visit: Visit
    ) -> None:
        self.access = access
        self.deadline = deadline
        self.limits = limits
        self.visit = visit
        reach = Reach(access.tenant.allow_private_addresses, access.tenant.allow_loopback)
        self.terms = Terms(reach, access.token, Allowance(limits.size, Reason.TOO_LARGE))
        self.resources = Allowance(limits.resources, Reason.TOO_MANY_RESOURCES)
        self.queries = [_Query(key, text) for key, text in queries.items()]
        self.waiting: SimpleQueue[_Query] = SimpleQueue()
        self.finished: SimpleQueue[_Query] = SimpleQueue()
        self.is_over = False
        for query in self.queries:
            self.waiting.put(query)


class EhrClient:
    """Asks the FHIR servers of all tenants. One per process; thread-safe."""

    def __init__(
        self,
        transport: Transport | None = None,
        bulkhead: Bulkhead | None = None,
        limits: Limits = Limits(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport = transport or Transport()
        self._bulkhead = bulkhead or Bulkhead()
        self._limits = limits
        self._clock = clock
        self._circuits = Circuits(clock)

    def fetch(self, access: Access, queries: Mapping[str, str], deadline: float) -> Mapping[str, Pages]:
        """Run queries ("Patient/1", "Condition?patient=1", a `next` link) until `deadline` (of the monotonic clock).

        Never raises, and does not wait beyond the deadline for anything.
        """
        circuit = self.circuit(access)
        visit = circuit.enter()
        if visit is None:
            _LOG.warning(
                "FHIR queries not made: tenant=%s reason=%s", access.tenant.id, Reason.CIRCUIT_OPEN.value
            )
            return _all_failed(queries, Reason.CIRCUIT_OPEN)
        try:
            return self._visit(_Call(access, queries, deadline, self._limits, visit), circuit)
        except Exception as error:  # noqa: BLE001  a bug here costs the answers, not the call
            _LOG.error("FHIR queries failed at %s", " < ".join(whereabouts(error)))
            return _all_failed(queries, Reason.BUG)
        finally:
            circuit.leave(visit)

    def circuit(self, access: Access) -> Circuit:
        """The breaker of a tenant's server."""
        return self._circuits.of((access.tenant.id, access.base))

    def _visit(self, call: _Call, circuit: Circuit) -> Mapping[str, Pages]:
        work = partial(self._work, call, circuit)
        lanes = [self._bulkhead.start(call.access.tenant.id, work) for _ in call.queries[:PARALLEL]]
        self._await(call, is_hopeless=not any(lanes))
        call.is_over = True
        return {
            query.key: query.result or self._abandoned(call, query, circuit, is_busy=not any(lanes))
            for query in call.queries
        }

    def _await(self, call: _Call, *, is_hopeless: bool) -> None:
        """Wait until all queries have ended, or the time is over."""
        try:
            for _ in call.queries if not is_hopeless else ():
                call.finished.get(timeout=max(call.deadline - self._clock(), 0.0))
        except Empty:
            return

    def _abandoned(self, call: _Call, query: _Query, circuit: Circuit, *, is_busy: bool) -> Pages:
        """What there is of a query that has not ended: the thread that still waits for it is no longer waited for."""
        reason = Reason.BUSY if is_busy else Reason.TOO_LATE
        self._report(call, query, circuit, reason)
        return self._told(call, query, query.ended(reason))

    def _told(self, call: _Call, query: _Query, pages: Pages) -> Pages:
        """Write down what is missing: neither the query nor its answer, both may hold patient data."""
        if pages.reason is not None:
            spent = 0.0 if query.asked_at is None else self._clock() - query.asked_at
            _LOG.warning(
                "FHIR query %s: tenant=%s type=%s reason=%s pages=%d ms=%d",
                *(pages.state.value, call.access.tenant.id, query.type, pages.reason.value),
                *(len(pages.pages), int(spent * 1000)),
            )
        return pages

    # --- in a thread of its own ---------------------------------------------------------------------------------------

    def _work(self, call: _Call, circuit: Circuit) -> None:
        """Take queries of a call, one after the other, until there are no more."""
        while not call.is_over:
            try:
                query = call.waiting.get_nowait()
            except Empty:
                return
            self._run(call, query, circuit)
            call.finished.put(query)

    def _run(self, call: _Call, query: _Query, circuit: Circuit) -> None:
        try:
            reason = self._read(call, query)
        except QueryError as error:
            reason = error.reason
        except Exception as error:  # noqa: BLE001  a bug here costs one answer, not the call
            _LOG.error("FHIR query %s failed at %s", query.type, " < ".join(whereabouts(error)))
            reason = Reason.BUG
        if not call.is_over:  # else the one who waited has reported it
            self._report(call, query, circuit, reason)
            query.result = self._told(call, query, query.ended(reason))

    def _read(self, call: _Call, query: _Query) -> Reason | None:
        """Read page after page; the reason to stop before the last one, if there is. Raises QueryError."""
        address = address_of(call.access.base, query.text)
        seen = {address}
        while True:
            data = self._ask(call, query, address)
            page = read_page(data, query.expected)
            call.resources.take(page.resources)
            query.pages.append(data)
            if page.next is None:
                return None
            if len(query.pages) >= call.limits.pages:
                return Reason.TOO_MANY_PAGES
            address = address_of(call.access.base, page.next)
            if address in seen:
                return Reason.REPEATED_LINK
            seen.add(address)

    def _ask(self, call: _Call, query: _Query, address: Address) -> bytes:
        """One page, with a second try for the whole query if the first failed in passing and there is time for it."""
        try:
            return self._ask_once(call, query, address)
        except QueryError as error:
            pause = pause_before(error)
            has_time = self._clock() + pause < call.deadline
            if query.has_retried or not error.is_passing or not has_time:
                raise
        query.has_retried = True
        time.sleep(pause)
        return self._ask_once(call, query, address)

    def _ask_once(self, call: _Call, query: _Query, address: Address) -> bytes:
        query.asked_at = self._clock()
        left = call.deadline - query.asked_at
        if left <= 0:
            raise QueryError(Reason.TOO_LATE)
        return exchange(self._transport, address, call.terms, left)

    def _report(self, call: _Call, query: _Query, circuit: Circuit, reason: Reason | None) -> None:
        """Tell the breaker how a query ended, if that says anything about the server."""
        if query.asked_at is None or reason in _SAYS_NOTHING:
            return
        if reason is Reason.TOO_LATE and self._clock() - query.asked_at < FAIR_CHANCE:
            return
        circuit.report(call.visit, has_answered=reason not in _UNANSWERED)


_UNANSWERED = frozenset(
    (Reason.TOO_LATE, Reason.UNREACHABLE, Reason.BROKEN_OFF, Reason.CERTIFICATE, Reason.SERVER_ERROR)
)
_SAYS_NOTHING = frozenset((Reason.BUSY, Reason.FORBIDDEN_ADDRESS, Reason.BUG))


def _all_failed(queries: Mapping[str, str], reason: Reason) -> dict[str, Pages]:
    return {key: Pages((), PartState.FAILED, reason) for key in queries}
