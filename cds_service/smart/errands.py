"""The requests of a launch to the EHR: each ends in time, within its size, and where the tenant's calls may end."""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from queue import Empty, SimpleQueue
from typing import Final

from cds_service.addresses import Address
from cds_service.ehr.bulkhead import Bulkhead
from cds_service.ehr.connections import Transport
from cds_service.ehr.downloads import Allowance
from cds_service.ehr.exchange import Answer, Terms, get, post
from cds_service.ehr.query_errors import QueryError, Reason
from cds_service.ehr.reach import Reach
from cds_service.errors import whereabouts
from cds_service.tenants import Tenant

SECONDS: Final = 5.0
LARGEST: Final = 256 * 1024

_LOG = logging.getLogger(__name__)


class Errands:
    """Sends requests for users who wait for a page. One per process; thread-safe."""

    def __init__(
        self,
        transport: Transport | None = None,
        bulkhead: Bulkhead | None = None,
        seconds: float = SECONDS,
    ) -> None:
        """`seconds` is what one request may take."""
        self._transport, self._bulkhead = transport or Transport(), bulkhead or Bulkhead()
        self._seconds = seconds

    def get(self, tenant: Tenant, address: Address) -> Answer:
        """Ask for something that is published. Raises QueryError where there is no answer."""
        headers = {"Accept": "application/json"}
        terms = _terms(tenant, None)
        return self._within(tenant, partial(get, self._transport, address, terms, headers, self._seconds))

    def post(
        self,
        tenant: Tenant,
        address: Address,
        headers: Mapping[str, str],
        body: bytes,
        token: str | None = None,
    ) -> Answer:
        """Send something once, with a token if it is for that server. Raises QueryError where there is no answer."""
        work = partial(post, self._transport, address, _terms(tenant, token), headers, body, self._seconds)
        return self._within(tenant, work)

    def _within(self, tenant: Tenant, work: Callable[[], Answer]) -> Answer:
        """Work in a thread of its own: the look-up of a name may take longer than anybody wants to wait."""
        found: SimpleQueue[Answer | QueryError] = SimpleQueue()
        if not self._bulkhead.start(tenant.id, lambda: found.put(_ended(work))):
            raise QueryError(Reason.BUSY)
        try:
            result = found.get(timeout=self._seconds)
        except Empty:
            raise QueryError(Reason.TOO_LATE) from None
        if isinstance(result, QueryError):
            raise result
        return result


def _terms(tenant: Tenant, token: str | None) -> Terms:
    reach = Reach(tenant.allow_private_addresses, tenant.allow_loopback)
    return Terms(reach, token, Allowance(LARGEST, Reason.TOO_LARGE))


def _ended(work: Callable[[], Answer]) -> Answer | QueryError:
    try:
        return work()
    except QueryError as error:
        return error
    except Exception as error:  # noqa: BLE001  a bug here costs one answer; its text may hold what was sent
        _LOG.error("An errand failed at %s", " < ".join(whereabouts(error)))
        return QueryError(Reason.BUG)
