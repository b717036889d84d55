"""What the demonstration's endpoint says of itself: its CapabilityStatement."""

from typing import Final

from cds_service.demo.search import parameters_of
from cds_service.demo.store import Store
from cds_service.samples import WRITTEN_FOR

DESCRIPTION: Final = (
    "DEMO: made-up sample patients of Milan-NET CDS. Nobody in them exists, nothing can be written, nobody is asked "
    "who they are. Never put real patients behind it."
)
_TYPES: Final = {"patient": "reference", "subject": "reference"}  # all others are tokens


def capability_statement(store: Store, base: str) -> dict[str, object]:
    """The CapabilityStatement of this endpoint at `base`."""
    return {
        "resourceType": "CapabilityStatement",
        "name": "MilanNetDemo",
        "title": "Milan-NET CDS: DEMO with made-up patients",
        "status": "active",
        "experimental": True,
        "date": WRITTEN_FOR.isoformat(),
        "description": DESCRIPTION,
        "kind": "instance",
        "implementation": {"description": DESCRIPTION, "url": base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "rest": [
            {
                "mode": "server",
                "documentation": DESCRIPTION,
                "security": {"cors": True, "description": "None: the patients are made up."},
                "resource": [_resource(kind) for kind in store.by_type],
            }
        ],
    }


def _resource(kind: str) -> dict[str, object]:
    parameters = [{"name": name, "type": _TYPES.get(name, "token")} for name in parameters_of(kind)]
    return {
        "type": kind,
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "versioning": "no-version",
        "searchParam": parameters,
    }
