"""Test keys and tokens: what `milan-net keys` makes passes our own gate, and keeps its secrets."""

import json
import stat
from pathlib import Path

import jwt
import pytest

from cds_service.cli import run
from cds_service.errors import DataError, UnauthorizedError
from cds_service.integrator.keys import ALGORITHMS, PUBLIC, make, private_key, sign
from cds_service.security.gate import Gate
from cds_service.security.key_sets import KeySets
from cds_service.security.signing_keys import read_key_set
from cds_service.tenants import Tenant, Tenants
from tests.security.callers import AUDIENCE, BASE, ISSUER, KEYS_URL, NOW, PATH, MemoryReplayStore, trust

Output = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("keys") / "new" / "folder"
    make(made)
    return made


def gate(folder: Path, now: float = NOW) -> Gate:
    trusted = trust(jwks_file=folder / PUBLIC, subject="client", tenant="clinic-7")
    tenants = Tenants((Tenant(id="clinic", trust=trusted),))
    return Gate(tenants, MemoryReplayStore(), KeySets(tenants), lambda: now)


def signed(folder: Path, algorithm: str = "ES384", lifetime: int = 300) -> str:
    return sign(
        private_key(folder, algorithm),
        issuer=ISSUER,
        audience=AUDIENCE,
        now=NOW,
        lifetime=lifetime,
        subject="client",
        tenant="clinic-7",
        keys_url=KEYS_URL,
    )


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_token_that_is_made_passes_the_gate_once(folder: Path, algorithm: str) -> None:
    door = gate(folder)
    token = signed(folder, algorithm)
    assert door.admit(f"Bearer {token}", PATH).id == "clinic"
    with pytest.raises(UnauthorizedError):
        door.admit(f"Bearer {token}", PATH)
    assert door.admit(f"Bearer {signed(folder, algorithm)}", PATH).id == "clinic"


def test_a_second_library_reads_what_is_made(folder: Path) -> None:
    token = signed(folder, lifetime=3600)
    keys = {key.key_id: key for key in jwt.PyJWKSet.from_json((folder / PUBLIC).read_text()).keys}
    header = jwt.get_unverified_header(token)
    claims = jwt.decode(
        token,
        keys[header["kid"]],
        algorithms=["ES384"],
        audience=AUDIENCE,
        options={"verify_exp": False, "verify_iat": False},
    )
    assert header == {"alg": "ES384", "typ": "JWT", "kid": header["kid"], "jku": KEYS_URL}
    assert claims["exp"] - claims["iat"] == 3600
    assert set(claims) == {"iss", "aud", "iat", "exp", "jti", "sub", "tenant"}


def test_what_is_not_given_is_not_in_the_token(folder: Path) -> None:
    token = sign(private_key(folder, "RS384"), issuer=ISSUER, audience=BASE, now=NOW)
    assert set(jwt.decode(token, options={"verify_signature": False})) == {"iss", "aud", "iat", "exp", "jti"}
    assert set(jwt.get_unverified_header(token)) == {"alg", "typ", "kid"}


def test_private_keys_are_their_owners_and_the_public_set_has_none(folder: Path) -> None:
    for algorithm in ALGORITHMS:
        path = private_key(folder, algorithm)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert "d" in json.loads(path.read_bytes())
    public = (folder / PUBLIC).read_bytes()
    found = read_key_set(public)
    assert {next(iter(key.algorithms)) for key in found.keys.values()} == set(ALGORITHMS)
    assert found.left_out == found.unsafe == ()
    assert not {"d", "p", "q", "dp", "dq", "qi"} & {
        name for key in json.loads(public)["keys"] for name in key
    }


def test_every_key_has_an_id_of_its_own_that_says_it_is_for_tests(folder: Path, tmp_path: Path) -> None:
    make(tmp_path)
    ids = [
        key["kid"]
        for place in (folder, tmp_path)
        for key in json.loads((place / PUBLIC).read_bytes())["keys"]
    ]
    assert len(set(ids)) == 4
    assert all(kid.startswith("milan-net-test-") for kid in ids)


def test_keys_that_are_there_are_never_overwritten(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(DataError, match="exists"):
        make(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_private_key_that_others_can_read_does_not_sign(tmp_path: Path) -> None:
    make(tmp_path)
    path = private_key(tmp_path, "ES384")
    path.chmod(0o640)
    with pytest.raises(DataError, match="chmod 600"):
        sign(path, issuer=ISSUER, audience=AUDIENCE, now=NOW)


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"kty": "EC", "alg": "ES384", "crv": "P-384"}', "null", "public"]
)
def test_what_is_no_private_key_is_told_in_a_sentence(folder: Path, tmp_path: Path, content: str) -> None:
    path = tmp_path / "key.json"
    if content == "public":
        content = json.dumps(json.loads((folder / PUBLIC).read_bytes())["keys"][0])
    path.write_text(content)
    for mode in (0o600, 0o644):  # that others can read it is of no interest where it is none
        path.chmod(mode)
        with pytest.raises(DataError, match="no private key"):
            sign(path, issuer=ISSUER, audience=AUDIENCE, now=NOW)
    with pytest.raises(DataError, match="no such file"):
        sign(tmp_path / "missing.json", issuer=ISSUER, audience=AUDIENCE, now=NOW)


# --- the command --------------------------------------------------------------------------------------------------------


def test_the_command_makes_keys_and_prints_a_token(tmp_path: Path, capsys: Output) -> None:
    where = str(tmp_path / "keys")
    assert run(["keys", "new", where]) == 0
    told = capsys.readouterr().out
    assert str(tmp_path / "keys" / PUBLIC) in told
    assert '"d"' not in told
    assert (
        run(["keys", "token", where, "--issuer", ISSUER, "--audience", AUDIENCE, "--subject", "client"]) == 0
    )
    token = capsys.readouterr().out.strip()
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["iss"], claims["aud"], claims["sub"]) == (ISSUER, AUDIENCE, "client")
    assert claims["exp"] - claims["iat"] == 300


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["--issuer", ISSUER], 2),
        (["--audience", AUDIENCE], 2),
        (["--issuer", ISSUER, "--audience", AUDIENCE, "--lifetime", "0"], 2),
        (["--issuer", ISSUER, "--audience", AUDIENCE, "--lifetime", "3601"], 2),
        (["--issuer", ISSUER, "--audience", AUDIENCE, "--algorithm", "HS256"], 2),
        (["--issuer", ISSUER, "--audience", AUDIENCE], 1),
    ],
)
def test_a_token_that_cannot_be_made_is_one_line(
    tmp_path: Path, capsys: Output, arguments: list[str], status: int
) -> None:
    assert run(["keys", "token", str(tmp_path), *arguments]) == status
    assert len(capsys.readouterr().err.splitlines()) == 1
