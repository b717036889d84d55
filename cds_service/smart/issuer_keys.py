"""The keys with which EHRs sign who a user is."""

from collections.abc import Mapping
from typing import Final

from cds_service.addresses import Address
from cds_service.ehr.query_errors import QueryError
from cds_service.errors import LaunchError
from cds_service.security.signing_keys import KeySetError, SigningKey, read_key_set
from cds_service.smart.errands import Errands
from cds_service.smart.identity import FindKey
from cds_service.smart.memory import Memory
from cds_service.smart.problems import Problem
from cds_service.tenants import Tenant

_COOLDOWN: Final = 30.0  # seconds before a set is asked for again, whatever key ids tokens name
_OK: Final = 200
Keys = Mapping[str, SigningKey]


class IssuerKeys:
    """The key sets of all EHRs, each asked for when it is first needed, and again for a key that is new."""

    def __init__(self, errands: Errands, memory: Memory[Keys] | None = None) -> None:
        self._errands, self._memory = errands, memory or Memory()

    def finder(self, tenant: Tenant, address: str) -> FindKey:
        """Finds keys in the set at an address of a tenant's EHR. It raises LaunchError."""

        def find(kid: str | None, algorithm: str) -> SigningKey | None:
            def load() -> Keys:
                return self._load(tenant, Address.parse(address))

            key = _chosen(self._memory.of((tenant.id, address), load), kid, algorithm)
            if key is not None:
                return key
            return _chosen(self._memory.of((tenant.id, address), load, fresh=_COOLDOWN), kid, algorithm)

        return find

    def _load(self, tenant: Tenant, address: Address) -> Keys:
        try:
            answer = self._errands.get(tenant, address)
        except QueryError:
            raise LaunchError(Problem.UNREACHABLE) from None
        if answer.status != _OK:
            raise LaunchError(Problem.UNREACHABLE)
        try:
            return read_key_set(answer.body).keys
        except KeySetError:
            raise LaunchError(Problem.IDENTITY) from None


def _chosen(keys: Keys, kid: str | None, algorithm: str) -> SigningKey | None:
    if kid is not None:
        return keys.get(kid)
    fitting = [key for key in keys.values() if algorithm in key.algorithms]
    return fitting[0] if len(fitting) == 1 else None
