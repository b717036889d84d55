"""The sample patients of the checkout, for the demonstration."""

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from cds_service.errors import DataError

WRITTEN_FOR = date(2026, 11, 23)  # the day on which the samples stand on their edges
_FOLDER = "sample_bundles"
_NAME = re.compile(r"[\w.-]+\.json")


def find() -> Path:
    """The folder of the samples: below the current one, or in the checkout that this code is part of."""
    places = [Path(_FOLDER), Path(__file__).resolve().parent.parent / _FOLDER]
    for place in places:
        if any(place.glob("*.json")):
            return place
    raise DataError(
        f"there is no folder {_FOLDER} here, and an installed package brings none: run this in a checkout of the "
        "project, or assess a file of your own with `milan-net assess FILE`"
    )


def bundles(folder: Path) -> list[Path]:
    """The sample patients in order."""
    return sorted(folder.glob("*.json"))


def questions(folder: Path) -> Mapping[str, str]:
    """What each sample asks, from the README's table: its first cell the file, its second the question."""
    readme = folder / "README.md"
    lines = readme.read_text(encoding="utf-8").splitlines() if readme.is_file() else []
    rows = (
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in lines
        if line.startswith("|")
    )
    named = ((_NAME.search(row[0]), row) for row in rows if len(row) > 1)
    return {name[0]: row[1].replace("`", "") for name, row in named if name}
