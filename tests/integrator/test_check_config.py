"""`milan-net check-config`: every mistake in a line, or what is in force and what deserves a second thought."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cds_service.cli import run
from cds_service.integrator.keys import PUBLIC, make
from tests.databases import Place
from tests.security.callers import KeyServer, elliptic, jwk, key_server, key_set, modular, number, private_jwk
from tests.security.test_tokens import SPECIFIED_KEY

GOOD = """
[[tenants]]
id = "clinic"
name = "Clinic Seven"
dialect = "epic"
fhir_servers = ["https://ehr.example.org/fhir/R4"]
[tenants.trust]
issuer = "https://ehr.example.org"
jwks_file = "keys.json"
audiences = ["https://cds.example.org"]
subject = "client-canary"
"""


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MILAN_NET_")]:
        monkeypatch.delenv(name)


class Desk:
    """A folder with a tenants' file and a key set, and the command."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        self.file = folder / "tenants.toml"
        self.keys(jwk(elliptic()))
        self.file.write_text(GOOD)

    def keys(self, *keys: dict[str, object]) -> None:
        (self.folder / "keys.json").write_bytes(key_set(*keys))

    def change(self, old: str, new: str) -> None:
        text = self.file.read_text()
        assert old in text
        self.file.write_text(text.replace(old, new))

    def check(self, *arguments: str, file: bool = True) -> tuple[int, list[str], list[str]]:
        """The exit status, what is told on standard output and on standard error."""
        status = run(["check-config", *([str(self.file)] if file else []), *arguments])
        output = self._capsys.readouterr()
        return status, output.out.splitlines(), output.err.splitlines()

    def mistakes(self, *arguments: str) -> list[str]:
        status, out, err = self.check(*arguments)
        assert (status, out) == (2, [])
        return err

    def warnings(self) -> list[str]:
        status, out, err = self.check()
        assert (status, err) == (0, [])
        return [line.split("WARNING: ")[1] for line in out if "WARNING" in line]


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, capsys)


@pytest.fixture
def server() -> Iterator[KeyServer]:
    with key_server() as played:
        played.body = key_set(jwk(elliptic()))
        yield played


def test_what_is_in_force_is_told_for_each_tenant(desk: Desk) -> None:
    status, out, err = desk.check()
    assert (status, err) == (0, [])
    assert out[0] == "clinic Clinic Seven (epic)"
    told = "\n".join(out)
    for part in (
        "issuer: https://ehr.example.org",
        "key key-1: ES384",
        "algorithms: RS384, ES384",
        "https://cds.example.org/cds-services,",
        "https://cds.example.org/cds-services/milan-net-patient-view",
        "FHIR servers that may be asked: https://ehr.example.org/fhir/R4",
        "within 1500 ms",
        "stays away for 90 days",
        "claim sub: has to be the one in the file",
    ):
        assert part in told
    assert "canary" not in told
    assert "WARNING" not in told


def test_the_file_is_that_of_the_setting_where_none_is_named(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILAN_NET_TENANTS", str(desk.file))
    status, out, _ = desk.check(file=False)
    assert (status, out[0]) == (0, "clinic Clinic Seven (epic)")


def test_without_any_tenant_it_says_what_to_do(desk: Desk) -> None:
    status, out, [line] = desk.check(file=False)
    assert (status, out) == (2, [])
    assert "MILAN_NET_TENANTS" in line
    assert "--open" in line


def test_mistakes_of_settings_file_and_keys_are_told_together_in_a_line_each(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILAN_NET_REPLICAS", "0")
    monkeypatch.setenv("MILAN_NET_CORS_ORIGINS", "*")
    desk.change('"epic"', '"other"')
    desk.change('audiences = ["https://cds.example.org"]', "")
    found = desk.mistakes()
    assert [line.split(" ")[0] for line in found[:2]] == ["MILAN_NET_CORS_ORIGINS", "MILAN_NET_REPLICAS"]
    assert [line.split(": ")[1] for line in found[2:]] == ["tenants[0].dialect", "tenants[0].trust"]


@pytest.mark.parametrize("line", ['policy = "milan-hcc"', 'site_profile = "keys.json"'])
def test_a_policy_or_profile_that_cannot_be_used_is_a_mistake_of_its_tenant(desk: Desk, line: str) -> None:
    desk.change('dialect = "epic"', line)
    [mistake] = desk.mistakes()
    assert mistake.startswith("clinic: The ")


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ([jwk(elliptic()), private_jwk(modular()) | {"kid": "p"}], "keys[1]: its private part"),
        (
            [jwk(elliptic()), jwk(modular(), "w") | {"n": number(1 << 1023 | 1)}],
            "keys[1]: its modulus has 1024 bits",
        ),
        ([jwk(elliptic()), {"kty": "oct", "kid": "s", "k": "AAAA"}], "keys[1]: it is symmetric"),
        (
            [jwk(modular()), jwk(elliptic(), "2"), jwk(elliptic(), "2")],
            "keys[1]: another key has the same kid",
        ),
        ([jwk(modular()), SPECIFIED_KEY], "keys[1]: its private part is public"),
    ],
)
def test_a_key_that_is_not_safe_is_a_mistake(desk: Desk, keys: list[dict[str, object]], why: str) -> None:
    desk.keys(*keys)
    assert any(line.startswith(f"clinic: the key set cannot be used: {why}") for line in desk.mistakes())


@pytest.mark.parametrize("keys", [[], [jwk(elliptic("P-256"))], [jwk(modular(), alg="RS256")]])
def test_a_key_set_without_a_key_for_the_algorithms_is_a_mistake(
    desk: Desk, keys: list[dict[str, object]]
) -> None:
    desk.keys(*keys)
    assert desk.mistakes() == ["clinic: the key set has no key for RS384, ES384."]


@pytest.mark.parametrize("content", [b"", b"{}", b"<html>", b"\xff"])
def test_a_key_file_that_is_none_is_a_mistake(desk: Desk, content: bytes) -> None:
    (desk.folder / "keys.json").write_bytes(content)
    [mistake] = desk.mistakes()
    assert mistake.startswith("clinic: the key set cannot be used: it is not ")


def test_the_sandbox_is_nobody_to_trust(desk: Desk) -> None:
    desk.change('issuer = "https://ehr.example.org"', 'issuer = "https://sandbox.cds-hooks.org"')
    [mistake] = desk.mistakes()
    assert "tenants[0].trust.issuer" in mistake
    assert "--open" in mistake


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("subject =", 'fixed_audiences = ["milan"]\nsubject =', "fixed_audiences"),
        ("subject =", 'algorithms = ["ES384", "RS256"]\nsubject =', "RS256"),
        ('"https://cds.example.org"', '"http://cds.example.org"', "http:"),
        ('dialect = "epic"', "allow_loopback = true", "allow_loopback"),
        ('dialect = "epic"', "allow_anonymous_queries = true", "allow_anonymous_queries"),
        ('dialect = "epic"', "feedback = { keep_comments = true }", "keep_comments"),
    ],
)
def test_what_deserves_a_second_thought_is_a_warning(desk: Desk, old: str, new: str, word: str) -> None:
    desk.change(old, new)
    [warning] = desk.warnings()
    assert word in warning


def test_keys_that_are_of_no_use_or_made_for_tests_are_warned_of(desk: Desk) -> None:
    make(desk.folder)
    made = json.loads((desk.folder / PUBLIC).read_bytes())["keys"]
    desk.keys(*made, jwk(elliptic("P-521"), "other"))
    warnings = desk.warnings()
    assert len(warnings) == 3
    assert sum("for tests" in line for line in warnings) == 2
    assert sum("crv" in line for line in warnings) == 1


def test_published_keys_are_asked_for_only_when_told_to(desk: Desk, server: KeyServer) -> None:
    desk.change('jwks_file = "keys.json"', f'jwks_url = "{server.url}"')
    desk.change('dialect = "epic"', "allow_loopback = true")
    assert desk.check()[0] == 0
    assert server.asked == []
    assert desk.check("--fetch")[0] == 0
    assert len(server.asked) == 1
    server.status = 404
    assert desk.mistakes("--fetch") == ["clinic: the key set cannot be used: its server answers 404."]


def test_a_file_that_is_not_there_is_one_line(desk: Desk) -> None:
    desk.file.unlink()
    [mistake] = desk.mistakes()
    assert str(desk.file) in mistake


def test_what_a_file_says_cannot_rewrite_the_screen(desk: Desk) -> None:
    desk.change("Clinic Seven", "Clinic\\u001b[2J\\nSeven")
    _, out, _ = desk.check()
    assert not any("\x1b" in line for line in out)
    assert out[0].startswith("clinic ")


def test_aliases_order_codes_and_links_are_among_what_is_in_force(desk: Desk) -> None:
    desk.change(
        "[tenants.trust]",
        """links = [{ label = "Board", url = "https://board.example.org" }]
[tenants.prefetch_aliases]
conditions = ["Problems", "Dx"]
[tenants.orders.liver-mri]
system = "urn:epic:eap"
code = "42"
[tenants.trust]""",
    )
    _, out, _ = desk.check()
    for line in (
        "  - prefetch conditions: also read from Problems, Dx",
        "  - order liver-mri: no display (urn:epic:eap|42)",
        "  - link on every card: Board (absolute, https://board.example.org)",
    ):
        assert line in out


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"MILAN_NET_REPLICAS": "2"}, "SQLite is one machine's file"),
        ({"MILAN_NET_DATABASE_URL": "sqlite:////no/such/folder/cds.db"}, "its folder is not there"),
        ({"MILAN_NET_DATABASE_URL": "mysql://here"}, "has to be SQLite"),
        ({"MILAN_NET_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}, "MILAN_NET_PSEUDONYM_KEY_FILE"),
    ],
)
def test_a_database_that_cannot_serve_is_a_mistake(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], told: str
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    [mistake] = desk.mistakes()
    assert told in mistake


def test_a_database_elsewhere_is_asked_only_when_told_to(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    key_file = desk.folder / "pseudonyms.key"
    key_file.write_bytes(bytes(range(64)))
    monkeypatch.setenv("MILAN_NET_PSEUDONYM_KEY_FILE", str(key_file))
    monkeypatch.setenv("MILAN_NET_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    assert desk.check()[0] == 0
    assert desk.mistakes("--fetch") == ["The database does not answer."]


def test_nothing_is_made_beside_sqlite(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = desk.folder / "data"
    folder.mkdir()
    monkeypatch.setenv("MILAN_NET_DATABASE_URL", f"sqlite:///{folder}/cds.db")
    assert desk.check("--fetch")[0] == 0
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("empty", ["postgresql"], indirect=True)  # SQLite's is made when the service starts
def test_a_schema_that_is_not_the_present_one_is_a_mistake(
    desk: Desk, empty: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in empty.environment.items():
        monkeypatch.setenv(name, value)
    [mistake] = desk.mistakes("--fetch")
    assert "milan-net migrate" in mistake


def test_no_mistake_of_a_setting_hides_another(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILAN_NET_POLICY", "foo")
    monkeypatch.setenv("MILAN_NET_MAX_BODY_BYTES", "-1")
    monkeypatch.setenv("MILAN_NET_DATABASE_URL", "sqlite:////no/such/folder/cds.db")
    desk.change('id = "clinic"', 'id = "Clinic"')
    desk.change("keys.json", "none.json")
    found = desk.mistakes()
    told = (
        "MILAN_NET_MAX_BODY_BYTES",
        "unknown policy 'foo'",
        "tenants[0].id",
        "tenants[0].trust.jwks_file",
        "folder",
    )
    assert len(found) == len(told)
    assert all(part in line for part, line in zip(told, found, strict=True))


def test_a_policy_that_is_not_there_does_not_hide_a_site_profile_that_cannot_be_read(desk: Desk) -> None:
    desk.change('dialect = "epic"', 'policy = "foo"\nsite_profile = "keys.json"')
    policy, profile = desk.mistakes()
    assert policy.startswith("clinic: The policy ")
    assert profile.startswith("clinic: The site profile ")


@pytest.mark.parametrize(
    ("name", "meant"), [("MILAN_NET_FOO", ""), ("MILAN_NET_TENANT", "; MILAN_NET_TENANTS is one")]
)
def test_a_variable_that_nothing_reads_is_warned_of_without_its_value(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    monkeypatch.setenv(name, "canary")
    warning = f"{name} is no setting of the service{meant}"
    assert desk.warnings() == [warning]
    assert desk.check(file=False)[2][-1] == f"WARNING: {warning}"


def test_a_tenants_file_that_is_named_and_lost_is_told_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILAN_NET_TENANTS", "no-such.toml")
    _, _, found = desk.check(file=False)
    assert found == ["MILAN_NET_TENANTS names no-such.toml, which is not a file."]


def test_what_is_in_force_for_all_tenants_is_told_without_credentials(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, plain, _ = desk.check()
    assert "  - policy: milan-net-2016" in plain
    assert "  - browser clients that may call (CORS): none" in plain
    assert f"  - database: SQLite in {Path('milan-net.db').absolute()}" in plain
    assert "  - largest request body: 8388608 bytes" in plain
    assert not any("Host header" in line for line in plain)
    key_file = desk.folder / "pseudonyms.key"
    key_file.write_bytes(bytes(range(64)))
    for name, value in {
        "POLICY": "milan-net-2007",
        "CORS_ORIGINS": "https://ehr.example.org",
        "DATABASE_URL": "postgresql://canary:canary@127.0.0.1:1/none",
        "PSEUDONYM_KEY_FILE": str(key_file),
        "REPLICAS": "2",
        "TRUSTED_HOSTS": "cds.example.org",
        "OPEN_DISCOVERY": "true",
        "CDS_HOOKS_3": "true",
    }.items():
        monkeypatch.setenv(f"MILAN_NET_{name}", value)
    _, changed, _ = desk.check()
    for line in (
        "  - policy: milan-net-2007 (default: milan-net-2016)",
        "  - browser clients that may call (CORS): https://ehr.example.org",
        "  - database: PostgreSQL",
        f"  - key of the pseudonyms: {key_file}",
        "  - machines that serve together: 2",
        "  - values of the Host header that are answered: cds.example.org",
        "  - anybody may read the discovery document",
        "  - discovery has what the ballot of CDS Hooks 3.0 adds",
    ):
        assert line in changed
    assert not any("canary" in line for line in changed)
