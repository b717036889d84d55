"""What can be set from outside, and the only place that reads the environment."""

import os
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from cds_service.eligibility.policy import DEFAULT_POLICY
from cds_service.errors import SettingsError

PREFIX = "MILAN_NET_"
# 200 laboratory results are 110 kB; peers that cut at 100 kB fail real charts
DEFAULT_MAX_BODY_BYTES = 8 * 1024 * 1024
DEFAULT_DATABASE = "sqlite:///milan-net.db"
_DATABASES = frozenset({"database_url", "database_url_file"})
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?|https?://\[[0-9A-Fa-f:.]+\](:\d{1,5})?")


class Settings(BaseSettings):
    """All settings of one service. Made from keywords; `from_environment` makes them from MILAN_NET_* variables."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    policy: str = DEFAULT_POLICY  # id of the policy that decides; the others are shown where they differ
    site_profile: Path | None = None  # a file with a hospital's own codes
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()  # browser clients; none by default
    max_body_bytes: int = Field(default=DEFAULT_MAX_BODY_BYTES, ge=1, le=1024**3)
    tenants: Path | None = None  # the TOML file of those who may call
    database_url: SecretStr = SecretStr(DEFAULT_DATABASE)  # SQLAlchemy's form; SQLite or PostgreSQL (psycopg)
    database_url_file: Path | None = None  # the same, as a secret in a file
    replicas: int = Field(
        default=1, ge=1, le=1000
    )  # machines that serve together; above 1, SQLite is refused
    pseudonym_key_file: Path | None = None  # at least 32 random bytes; beside a SQLite file one is made
    trusted_hosts: Annotated[tuple[str, ...], NoDecode] = ()  # values of the Host header; any if not given
    open_discovery: bool = False  # let anybody read the discovery document, which says nothing of patients
    cds_hooks_3: bool = False  # what the ballot of CDS Hooks 3.0 adds to discovery

    @classmethod
    def settings_customise_sources(  # type: ignore[override]  # of its sources, only one is of use
        cls, _: type[BaseSettings], init_settings: PydanticBaseSettingsSource, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take keywords only: `from_environment` reads the environment, and nothing else does."""
        return (init_settings,)

    @field_validator("cors_origins", "trusted_hosts", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return tuple(part.strip().rstrip("/") for part in value.split(",") if part.strip())

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_ORIGIN.fullmatch(origin) for origin in value):
            raise ValueError("must be origins such as https://ehr.example.org, commas between")
        return value

    @field_validator("site_profile", "tenants", "database_url_file", "pseudonym_key_file")
    @classmethod
    def _is_file(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError(f"names {value}, which is not a file")
        return value

    @model_validator(mode="after")
    def _has_one_database(self) -> Self:
        if self.database_url_file is not None and "database_url" in self.model_fields_set:
            raise ValueError("MILAN_NET_DATABASE_URL and MILAN_NET_DATABASE_URL_FILE cannot both be given")
        return self

    @property
    def database(self) -> str:
        """The address of the database, its password included."""
        if self.database_url_file is not None:
            try:
                return self.database_url_file.read_text("utf-8").strip()
            except (OSError, UnicodeDecodeError):
                raise SettingsError(f"{PREFIX}DATABASE_URL_FILE cannot be read as text.") from None
        return self.database_url.get_secret_value()


class _Environment(EnvSettingsSource):
    """The variables of an environment that is given, where pydantic-settings takes that of the process."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = {name.lower(): value for name, value in environ.items() if value.strip()}
        super().__init__(Settings, env_prefix=PREFIX, env_ignore_empty=True)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._environ


def from_environment(environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings as the environment has them; a variable that is unset or blank leaves its default.

    Raises SettingsError with a sentence for each that cannot be used.
    """
    return settings_of(**_Environment(environ)())


def usable_settings(environ: Mapping[str, str] = os.environ) -> tuple[Settings, list[str]]:
    """The settings as far as they can be used, and a sentence for each that cannot and is left out: to check the rest."""
    given = _Environment(environ)()
    wrong: list[str] = []
    while True:  # each turn leaves something out
        try:
            return Settings(**given), wrong
        except ValidationError as error:
            wrong += _sentences(error)
            named = {str(item["loc"][0]) for item in error.errors() if item["loc"]}
            given = {name: value for name, value in given.items() if name not in (named or _DATABASES)}


def unknown_variables(environ: Mapping[str, str] = os.environ) -> Iterator[str]:
    """A line for each variable that looks like a setting and is none; it names the variable, never its value."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    for name in sorted(environ):
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            meant = get_close_matches(name.upper(), known, 1, 0.85)
            yield f"{name} is no setting of the service" + (f"; {meant[0]} is one" if meant else "")


def settings_of(**given: Any) -> Settings:
    """Settings by name. Raises SettingsError with a sentence for each that cannot be used."""
    try:
        return Settings(**given)
    except ValidationError as error:
        raise SettingsError("\n".join(_sentences(error))) from None


def _sentences(error: ValidationError) -> list[str]:
    """What is wrong, by the name of the variable; never its value, which may be a secret."""
    found = []
    for item in error.errors(include_input=False, include_url=False, include_context=False):
        message = item["msg"].removeprefix("Value error, ").removeprefix("Input ").rstrip(".")
        message = "has to be true or false" if item["type"].startswith("bool") else message
        name = f"{PREFIX}{str(item['loc'][0]).upper()} " if item["loc"] else ""
        found.append(f"{name}{message}.")
    return found
