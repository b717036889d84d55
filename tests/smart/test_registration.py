"""What a tenant says of launches: checked when it is loaded, explained by check-config, and published as a key set."""

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from cds_service.cli import run
from cds_service.errors import SettingsError
from cds_service.smart.client_key import client_keys, public_key_set, read_client_key
from cds_service.tenants import Tenant, Tenants, load_tenants
from tests.security.callers import private_jwk
from tests.smart.hospital import smart

TENANT = """
[[tenants]]
id = "{id}"
fhir_servers = ["https://{id}.example.org/fhir"]
[tenants.trust]
issuer = "https://{id}.example.org"
jwks_url = "https://{id}.example.org/jwks.json"
audiences = ["https://cds.example.org"]
[tenants.smart]
client_id = "client-1"
private_key_file = "key.json"
address = "https://cds.example.org"
"""


@pytest.fixture
def folder(tmp_path: Path, key_file: Path) -> Path:
    """A folder with our key and a tenants' file."""
    copy = tmp_path / "key.json"
    copy.write_bytes(key_file.read_bytes())
    copy.chmod(0o600)
    return tmp_path


def written(folder: Path, text: str) -> Path:
    path = folder / "tenants.toml"
    path.write_text(text)
    return path


def mistakes(folder: Path, text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load_tenants(written(folder, text))
    return str(caught.value)


ONE = TENANT.format(id="clinic")


def test_a_registration_is_loaded_and_its_key_lies_beside_the_file(folder: Path) -> None:
    [tenant] = load_tenants(written(folder, ONE)).all
    assert tenant.smart is not None
    assert tenant.smart.private_key_file == folder / "key.json"
    assert (tenant.smart.write_back, tenant.smart.frame_ancestors, tenant.smart.scopes) == ("off", (), ())


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('client_id = "client-1"', "", "smart.client_id: it is missing"),
        ('client_id = "client-1"', 'client_id = ""', "smart.client_id: "),
        ('private_key_file = "key.json"', 'private_key_file = "no.json"', "smart.private_key_file: "),
        ('address = "https:', 'address = "http:', "smart.address must be https"),
        ('address = "https://cds.example.org"', 'address = "https://cds.example.org/?x"', "smart.address: "),
        ('fhir_servers = ["https://clinic.example.org/fhir"]', "", "smart needs fhir_servers"),
        ("[tenants.smart]", '[tenants.smart]\nscopes = ["patient/*.rs"]', "launch is missing among them"),
        (
            "[tenants.smart]",
            '[tenants.smart]\nscopes = ["launch openid"]',
            "smart.scopes[0]: this is no scope",
        ),
        ("[tenants.smart]", '[tenants.smart]\nwrite_back = "always"', "smart.write_back: "),
        ("[tenants.smart]", '[tenants.smart]\nframe_ancestors = ["*"]', "smart.frame_ancestors[0]: "),
        (
            "[tenants.smart]",
            '[tenants.smart]\nframe_ancestors = ["https://ehr.example.org/chart"]',
            "this is an origin",
        ),
        (
            "[tenants.smart]",
            '[tenants.smart]\nframe_ancestors = ["http://ehr.example.org"]',
            "this address must be https",
        ),
        ("[tenants.smart]", '[tenants.smart]\nsecret = "x"', "smart.secret: "),
    ],
)
def test_a_mistake_is_told_by_its_place(folder: Path, old: str, new: str, told: str) -> None:
    assert old in ONE
    assert told in mistakes(folder, ONE.replace(old, new))


def test_two_tenants_are_not_launched_from_one_server(folder: Path) -> None:
    other = TENANT.format(id="other").replace("other.example.org/fhir", "CLINIC.example.org:443/fhir/")
    assert "another tenant is launched from the same FHIR server" in mistakes(folder, ONE + other)
    assert len(load_tenants(written(folder, ONE + TENANT.format(id="other"))).all) == 2


# --- keys -------------------------------------------------------------------------------------------------------------


def pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, password: bytes | None = None) -> bytes:
    how = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)


def key_of(folder: Path, content: bytes, kid: str | None = None) -> tuple[str, str]:
    path = folder / "own.pem"
    path.write_bytes(content)
    path.chmod(0o600)
    key = read_client_key(smart(path, kid=kid))
    return key.algorithm, key.kid


def test_a_key_may_be_pem_or_jwk_and_says_its_algorithm(folder: Path) -> None:
    elliptic, modular = ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)
    assert key_of(folder, pem(elliptic), "mine") == ("ES384", "mine")
    assert key_of(folder, pem(modular), "mine") == ("RS384", "mine")
    algorithm, thumbprint = key_of(folder, pem(elliptic))
    assert (algorithm, len(thumbprint)) == ("ES384", 43)
    assert key_of(folder, str(private_jwk(elliptic) | {"kid": "own"}).replace("'", '"').encode()) == (
        "ES384",
        "own",
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no private key"),
        (b"{", "no private key"),
        (b'{"kty": "oct", "k": "c2VjcmV0"}', "no private key"),
        (b"-----BEGIN PRIVATE KEY-----\nxx\n-----END PRIVATE KEY-----\n", "no private key"),
    ],
)
def test_what_is_no_private_key_is_told(folder: Path, content: bytes, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        key_of(folder, content)


def test_a_key_that_is_weak_public_locked_or_of_another_curve_is_refused(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    for content in (
        pem(rsa.generate_private_key(65537, 1024)),  # noqa: S505  which is the point
        pem(ec.generate_private_key(ec.SECP256R1())),
        pem(key, b"password"),
        public,
    ):
        with pytest.raises(SettingsError):
            key_of(folder, content)


def tenant(name: str, key: Path, kid: str | None) -> Tenant:
    return Tenant(
        id=name,
        fhir_servers=(f"https://{name}.example.org",),
        smart=smart(key, address="https://c.example.org", kid=kid),
    )


def test_every_key_is_published_once_and_no_id_stands_for_two(folder: Path) -> None:
    own = folder / "key.json"
    shared = Tenants((tenant("one", own, None), tenant("two", own, None)))
    assert len(public_key_set(client_keys(shared))["keys"]) == 1
    other = folder / "other.pem"
    other.write_bytes(pem(ec.generate_private_key(ec.SECP384R1())))
    other.chmod(0o600)
    with pytest.raises(SettingsError, match="same kid"):
        client_keys(Tenants((tenant("one", own, "a"), tenant("two", other, "a"))))
    assert (
        len(
            public_key_set(client_keys(Tenants((tenant("one", own, "a"), tenant("two", other, "b")))))["keys"]
        )
        == 2
    )


# --- check-config -----------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MILAN_NET_")]:
        monkeypatch.delenv(name)


def test_what_has_to_be_registered_in_the_ehr_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = ONE.replace("[tenants.smart]", '[tenants.smart]\nwrite_back = "each"')
    assert run(["check-config", str(written(folder, text))]) == 0
    told = capsys.readouterr().out
    assert "launched from the EHR at: https://cds.example.org/smart/launch" in told
    assert "sent back from its sign-in to: https://cds.example.org/smart/callback/clinic" in told
    assert "https://cds.example.org/smart/jwks.json (key milan-net-test-es384-" in told
    assert "patient/Condition.rs" in told
    assert "patient/Observation.c" in told
    assert "resource by resource" in told
    assert "may be framed by: nobody" in told


def test_a_key_that_cannot_be_used_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "key.json").chmod(0o644)
    assert run(["check-config", str(written(folder, ONE))]) == 2
    assert "chmod 600" in capsys.readouterr().err


def test_a_link_that_waits_for_a_launch_that_never_comes_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    link = 'links = [{ label = "x", url = "https://x.example.org", type = "smart", app_context = "auto" }]\n'
    text = ONE.replace("[tenants.trust]", f"{link}[tenants.trust]").split("[tenants.smart]")[0]
    assert run(["check-config", str(written(folder, text))]) == 0
    assert 'app_context = "auto"' in capsys.readouterr().out
