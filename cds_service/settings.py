"""What can be set from outside, and the only place that reads the environment."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cds_service.eligibility.policy import DEFAULT_POLICY
from cds_service.errors import SettingsError

# 200 laboratory results are 110 kB; peers that cut at 100 kB fail real charts
DEFAULT_MAX_BODY_BYTES = 8 * 1024 * 1024
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?|https?://\[[0-9A-Fa-f:.]+\](:\d{1,5})?")


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one service. Raises SettingsError with a sentence when one cannot be used."""

    policy: str = DEFAULT_POLICY  # id of the policy that decides; the others are shown where they differ
    site_profile: Path | None = None  # a hospital's own codes, units and categories
    cors_origins: tuple[str, ...] = ()  # browser clients; none by default
    max_body_bytes: int = DEFAULT_MAX_BODY_BYTES

    def __post_init__(self) -> None:
        if not all(_ORIGIN.fullmatch(origin) for origin in self.cors_origins):
            raise SettingsError(
                "MILAN_NET_CORS_ORIGINS must be origins such as https://ehr.example.org, commas between."
            )
        if self.site_profile is not None and not self.site_profile.is_file():
            raise SettingsError(f"MILAN_NET_SITE_PROFILE names {self.site_profile}, which is not a file.")
        if self.max_body_bytes < 1:
            raise SettingsError("MILAN_NET_MAX_BODY_BYTES must be at least 1.")


def from_environment(environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings as the environment has them; a variable that is unset or blank leaves its default."""
    site_profile = _text(environ, "MILAN_NET_SITE_PROFILE")
    return Settings(
        policy=_text(environ, "MILAN_NET_POLICY") or DEFAULT_POLICY,
        site_profile=Path(site_profile) if site_profile else None,
        cors_origins=_list(environ, "MILAN_NET_CORS_ORIGINS"),
        max_body_bytes=_number(environ, "MILAN_NET_MAX_BODY_BYTES", DEFAULT_MAX_BODY_BYTES),
    )


def _text(environ: Mapping[str, str], name: str) -> str | None:
    return environ.get(name, "").strip() or None


def _list(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(part.strip().rstrip("/") for part in environ.get(name, "").split(",") if part.strip())


def _number(environ: Mapping[str, str], name: str, default: int) -> int:
    text = _text(environ, name)
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,12}", text):
        raise SettingsError(f"{name} must be a whole number.")
    return int(text)
