"""Settings: what the environment may say, and the sentence when it may not."""

from pathlib import Path

import pytest

from cds_service.app import create_app
from cds_service.errors import SettingsError
from cds_service.settings import Settings, from_environment
from cds_service.tenants import open_tenants


def test_an_empty_environment_gives_the_defaults() -> None:
    assert from_environment({}) == Settings()
    assert from_environment({"MILAN_NET_POLICY": " ", "MILAN_NET_MAX_BODY_BYTES": ""}) == Settings()
    assert Settings().max_body_bytes == 8 * 1024 * 1024
    assert Settings().cors_origins == ()


def test_every_setting_can_be_given(tmp_path: Path) -> None:
    profile = tmp_path / "site.json"
    profile.write_text("{}")
    found = from_environment(
        {
            "MILAN_NET_POLICY": "optn-nlrb-net",
            "MILAN_NET_SITE_PROFILE": str(profile),
            "MILAN_NET_CORS_ORIGINS": "https://a.example.org, http://127.0.0.1:8080/",
            "MILAN_NET_MAX_BODY_BYTES": "1000",
        }
    )
    assert found == Settings(
        policy="optn-nlrb-net",
        site_profile=profile,
        cors_origins=("https://a.example.org", "http://127.0.0.1:8080"),
        max_body_bytes=1000,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MILAN_NET_CORS_ORIGINS", "*"),
        ("MILAN_NET_CORS_ORIGINS", "null"),
        ("MILAN_NET_CORS_ORIGINS", "https://a.example.org/path"),
        ("MILAN_NET_SITE_PROFILE", "no/such/file.json"),
        ("MILAN_NET_MAX_BODY_BYTES", "0"),
        ("MILAN_NET_MAX_BODY_BYTES", "-1"),
        ("MILAN_NET_MAX_BODY_BYTES", "8 MiB"),
        ("MILAN_NET_MAX_BODY_BYTES", "9" * 5000),
    ],
)
def test_a_setting_that_cannot_be_used_is_told_by_its_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=rf"^{name} .*\.$"):
        from_environment({name: value})


def test_an_unknown_policy_stops_the_start_and_names_those_that_exist() -> None:
    with pytest.raises(SettingsError, match="milan-net-2016"):
        create_app(Settings(policy="milan-hcc"), open_tenants())


def test_a_site_profile_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    profile = tmp_path / "site.json"
    profile.write_text("[]")
    with pytest.raises(SettingsError, match=r"site\.json"):
        create_app(Settings(site_profile=profile), open_tenants())


def test_without_tenants_nothing_starts_and_a_sentence_says_what_to_do() -> None:
    with pytest.raises(SettingsError, match=r"MILAN_NET_TENANTS.*milan-net serve --open$"):
        create_app(Settings())


def test_a_secret_in_a_file_is_read_from_there(tmp_path: Path) -> None:
    secret = tmp_path / "database"
    secret.write_text("postgresql+psycopg://user:secret@db/milan\n")
    found = from_environment({"MILAN_NET_DATABASE_URL_FILE": str(secret)})
    assert found.database == "postgresql+psycopg://user:secret@db/milan"
    assert "secret" not in repr(found).replace(str(secret), "")


def test_a_database_is_given_in_one_way(tmp_path: Path) -> None:
    secret = tmp_path / "database"
    secret.write_text("sqlite:///x.db")
    with pytest.raises(SettingsError, match="cannot both be given"):
        from_environment(
            {"MILAN_NET_DATABASE_URL_FILE": str(secret), "MILAN_NET_DATABASE_URL": "sqlite:///y.db"}
        )
