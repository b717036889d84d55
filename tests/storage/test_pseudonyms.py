"""Nobody's name is stored: digests under a key, which is made once and read by its owner alone."""

import logging
import stat
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path

import pytest

from cds_service.errors import SettingsError
from cds_service.hooks.feedback import receive
from cds_service.settings import Settings
from cds_service.storage.ledger import ShownCard
from cds_service.storage.opening import Storage, open_storage, temporary_storage
from cds_service.storage.pseudonyms import Pseudonyms, own_key, read_key
from cds_service.tenants import FeedbackRules, Tenant
from tests.databases import KEY
from tests.hooks.assessments import assessment
from tests.storage.contest import race

NAMES = Pseudonyms(KEY)
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CARD = "4e0a3a1e-ebd3-4d2a-a3ff-5b5f5e8b2d11"


def test_digests_of_another_tenant_kind_key_or_split_never_agree() -> None:
    found = [
        NAMES.patient("a", "1"),
        NAMES.clinician("a", "1"),
        NAMES.patient("b", "1"),
        NAMES.patient("a1", ""),
        NAMES.patient("", "a1"),
        NAMES.fingerprint("a", "1", ""),
        NAMES.fingerprint("a", "", "1"),
        Pseudonyms(b"l" * 32).patient("a", "1"),
    ]
    assert all(one != other for one, other in combinations(found, 2))
    assert NAMES.patient("a", "1") == Pseudonyms(KEY).patient("a", "1")


def test_the_key_is_not_shown() -> None:
    assert "kkk" not in repr(NAMES)


def test_a_comment_opens_with_its_key_and_tenant_only() -> None:
    sealed = NAMES.seal("a", "spoke with Jane Doe")
    assert b"Jane" not in sealed
    assert NAMES.unseal("a", sealed) == "spoke with Jane Doe"
    assert NAMES.unseal("b", sealed) is None
    assert Pseudonyms(b"l" * 32).unseal("a", sealed) is None


# --- the key ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 31])
def test_a_short_key_is_refused(tmp_path: Path, size: int) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"k" * size + b"\n")
    with pytest.raises(SettingsError, match="32 random bytes"):
        read_key(file)


def test_a_line_end_behind_a_key_does_not_count(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(KEY + b"\r\n")
    assert read_key(file) == KEY


def test_a_key_is_made_beside_sqlite_for_its_owner_alone_and_stays(tmp_path: Path) -> None:
    database = tmp_path / "milan-net.db"
    key = own_key(database)
    [file] = tmp_path.iterdir()
    assert file.name == "milan-net.db.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert own_key(database) == key
    assert own_key(tmp_path / "other.db") != key


def test_processes_that_start_together_get_one_key(tmp_path: Path) -> None:
    said = race(3, {}, "key", str(tmp_path / "milan-net.db"))
    assert len({key for [key] in said}) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["milan-net.db.key"]


def test_where_no_key_can_be_made_the_start_says_so(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="MILAN_NET_PSEUDONYM_KEY_FILE"):
        own_key(tmp_path / "no such folder" / "milan-net.db")


# --- the settings -----------------------------------------------------------------------------------------------------


def _settings(address: str, **changes: object) -> Settings:
    return Settings.model_validate({"database_url": address, **changes})


def test_postgresql_needs_a_key_that_all_machines_share() -> None:
    with pytest.raises(SettingsError, match="MILAN_NET_PSEUDONYM_KEY_FILE"):
        open_storage(_settings("postgresql://nobody@127.0.0.1:1/none"))


@pytest.mark.parametrize(
    "address",
    [
        "mysql://root:secret@127.0.0.1/x",
        "oracle://secret",
        "sqlite+aiosqlite:///secret.db",
        "postgresql+asyncpg://secret@127.0.0.1/x",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:secret.db?uri=true",
        "no address, secret",
        "",
    ],
)
def test_another_database_is_refused_without_repeating_its_address(address: str) -> None:
    with pytest.raises(SettingsError) as raised:
        open_storage(_settings(address))
    assert str(raised.value).endswith(".")
    assert "secret" not in str(raised.value)


def test_a_folder_that_is_not_there_is_said() -> None:
    with pytest.raises(SettingsError, match="cannot be opened"):
        open_storage(_settings("sqlite:////no/such/folder/milan-net.db"))


def test_a_server_that_is_not_there_is_said(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(KEY)
    settings = _settings("postgresql://u:secret@127.0.0.1:1/x", pseudonym_key_file=tmp_path / "key")
    with pytest.raises(SettingsError, match=r"does not answer") as raised:
        open_storage(settings)
    assert "secret" not in str(raised.value)


def test_several_machines_are_refused_a_file_of_one(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/milan-net.db"
    with pytest.raises(SettingsError, match="PostgreSQL"):
        open_storage(_settings(address, replicas=2))
    open_storage(_settings(address, replicas=1)).close()


def test_the_file_of_a_database_is_for_its_owner_alone(tmp_path: Path) -> None:
    storage = open_storage(_settings(f"sqlite:///{tmp_path}/milan-net.db"))
    storage.replay.claim("https://ehr.example.org", "1", 1.0, 1.0)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    storage.close()
    assert set(modes) >= {"milan-net.db", "milan-net.db-wal", "milan-net.db.key"}
    assert set(modes.values()) == {0o600}


def test_a_temporary_database_goes_with_its_owner() -> None:
    storage = temporary_storage()
    folder = Path(storage.database.engine.url.database or "").parent
    assert storage.replay.claim("https://ehr.example.org", "1", 1.0, 1.0)
    assert folder.is_dir()
    storage.close()
    del storage
    assert not folder.exists()


# --- canaries ---------------------------------------------------------------------------------------------------------


def test_no_name_and_no_comment_is_in_the_files_of_the_database_or_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    storage = open_storage(_settings(f"sqlite:///{tmp_path}/canary.db"))
    _leave_traces(storage)
    while_open = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    storage.close()
    closed = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert CARD.encode() in while_open["canary.db-wal"] + while_open["canary.db"]  # the test can see
    for content in (*while_open.values(), *closed.values()):
        assert b"canary" not in content.lower()
    assert "canary" not in caplog.text.replace("canary.db", "").lower()


def _leave_traces(storage: Storage) -> None:
    said = assessment(text="canary-value")
    card = ShownCard("a", "s", CARD, "canary-patient", "Practitioner/canary-user", said)
    storage.ledger.record_shown(card, NOW)
    storage.ledger.overrides("a", "canary-patient", "Practitioner/canary-user", said)
    for keep in (False, True):
        tenant = Tenant(id=f"t{keep:d}", feedback=FeedbackRules(keep_comments=keep))
        body = (
            '{"feedback": [{"card": "%s", "outcome": "overridden", "outcomeTimestamp": "2026-11-23T10:00:00Z",'
            '"overrideReason": {"reason": {"code": "other", "display": "canary-display"}, "userComment": "canary"}},'
            '{"card": "canary-card", "outcome": "overridden", "outcomeTimestamp": "2026-11-23T10:00:00Z"}]}'
        )
        receive(tenant, "s", (body % CARD).encode(), storage.ledger, NOW)
    storage.replay.claim("https://ehr.example.org", "canary-token", 4e9, 1.0)
