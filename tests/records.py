"""Where the public records are that tests read: beside the repository, or where MILAN_NET_RECORDS says."""

import os
from collections.abc import Mapping
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def folder(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder of the collection, whether it is there or not."""
    return Path(environment.get("MILAN_NET_RECORDS") or REPOSITORY.parent / "shared" / "records")
