"""A hospital's own codes: a file of codings that are added to the shipped value sets (CPT numbers come in only here)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fhir_mappings.valueset import Concept, Terminology, terminology

_FORM = 'expected {"codes": {"<value set>": [{"system": "...", "code": "...", "display": "..."}]}}'


@dataclass(frozen=True, slots=True)
class SiteProfile:
    """The shipped terminology with a site's own codes added, and the name of the profile."""

    name: str
    terminology: Terminology


def load_site_profile(path: Path) -> SiteProfile:
    """Read a site profile (JSON). Raises ValueError with a sentence that names the file and the mistake."""
    try:
        content = json.loads(path.read_text("utf-8-sig"))
        additions = {name: [_concept(item) for item in items] for name, items in _codes(content).items()}
        return SiteProfile(path.stem, terminology().with_codes(additions))
    except OSError as error:
        raise ValueError(f"site profile {path}: {error.strerror}") from None
    except RecursionError:
        raise ValueError(f"site profile {path}: nested too deeply") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"site profile {path}: this is not JSON from {where}, on") from None
    except UnicodeDecodeError:
        raise ValueError(f"site profile {path}: this is no text in UTF-8") from None
    except ValueError as error:
        raise ValueError(f"site profile {path}: {error}") from None


def _codes(content: Any) -> Mapping[str, list[Any]]:
    codes = content.get("codes") if isinstance(content, dict) else None
    if not isinstance(codes, dict) or not all(isinstance(items, list) for items in codes.values()):
        raise ValueError(_FORM)
    return codes


def _concept(item: Any) -> Concept:
    if not isinstance(item, dict) or not all(
        isinstance(item.get(name), str) and item[name] for name in ("system", "code", "display")
    ):
        raise ValueError(_FORM)
    return Concept(item["system"], item["code"], item["display"])
