"""What every test of launches starts from."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from cds_service.integrator.keys import make, private_key
from cds_service.settings import Settings
from cds_service.storage.opening import Storage, open_storage
from cds_service.tenants import Tenant
from tests.smart.ehr import PlayedEhr
from tests.smart.hospital import Clock, Hospital, hospital, smart, tenant


@pytest.fixture(scope="session")
def key_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our private keys, one by each algorithm."""
    folder = tmp_path_factory.mktemp("keys")
    make(folder)
    return folder


@pytest.fixture
def key_file(key_folder: Path) -> Path:
    """The quicker one of them."""
    return private_key(key_folder, "ES384")


@pytest.fixture
def ehr() -> Iterator[PlayedEhr]:
    """An EHR that means well."""
    with PlayedEhr() as played:
        yield played


@pytest.fixture
def clock() -> Clock:
    """The one clock of the service and the EHR."""
    return Clock()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """The file in which the service keeps its things."""
    return tmp_path / "service.db"


@pytest.fixture
def kept(database: Path) -> Iterator[Storage]:
    """What the service keeps, in SQLite; that both databases do it alike is shown where the safe is tested."""
    found = open_storage(Settings(database_url=SecretStr(f"sqlite:///{database}")))
    yield found
    found.close()


@pytest.fixture
def open_hospital(
    ehr: PlayedEhr,
    clock: Clock,
    key_file: Path,
    kept: Storage,
) -> Callable[..., Hospital]:
    """Make a hospital whose registration or tenant is changed."""

    def make_hospital(
        seconds: float = 2.0, key: Path = key_file, others: tuple[Tenant, ...] = (), **changed: Any
    ) -> Hospital:
        of_tenant = {name: changed.pop(name) for name in ("dialect", "fhir_servers") if name in changed}
        return hospital(ehr, tenant(ehr, smart(key, **changed), **of_tenant), kept, clock, seconds, others)

    return make_hospital


@pytest.fixture
def house(open_hospital: Callable[..., Hospital]) -> Hospital:
    """A hospital from whose EHR our pages are launched."""
    return open_hospital()
