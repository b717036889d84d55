"""The tenants' file: what it may say, and that every mistake is told by its place, all at once."""

from pathlib import Path
from typing import Any

import pytest

from cds_service.errors import SettingsError
from cds_service.tenants import Tenant, Tenants, Trust, load_tenants, open_tenants

TRUST = """
[tenants.trust]
issuer = "https://ehr.example.org"
jwks_url = "https://ehr.example.org/jwks.json"
audiences = ["https://cds.example.org"]
"""
CLINIC = f'[[tenants]]\nid = "clinic"\n{TRUST}'


def loaded(folder: Path, text: str) -> Tenants:
    path = folder / "tenants.toml"
    path.write_text(text, encoding="utf-8")
    return load_tenants(path)


def told(folder: Path, text: str) -> list[str]:
    """The mistakes of a file, without its name."""
    with pytest.raises(SettingsError) as caught:
        loaded(folder, text)
    lines = str(caught.value).splitlines()
    prefix = f"{folder / 'tenants.toml'}: "
    assert all(line.startswith(prefix) and line.endswith(".") for line in lines)
    return [line.removeprefix(prefix) for line in lines]


def clinic(*lines: str, trust: str = TRUST) -> str:
    return "\n".join(('[[tenants]]\nid = "clinic"', *lines)) + "\n" + trust


def test_the_smallest_file_names_one_tenant_and_whom_it_trusts(tmp_path: Path) -> None:
    [tenant] = loaded(tmp_path, CLINIC).all
    assert tenant.id == "clinic"
    assert tenant.trust == Trust(
        issuer="https://ehr.example.org",
        jwks_url="https://ehr.example.org/jwks.json",
        audiences=("https://cds.example.org",),
    )
    assert tenant.trust.algorithms == ("RS384", "ES384")
    assert (tenant.fhir_servers, tenant.bases) == ((), ())
    allowed = (tenant.allow_loopback, tenant.allow_private_addresses, tenant.allow_anonymous_queries)
    assert not any((*allowed, tenant.feedback.keep_comments))
    assert (tenant.deadline_ms, tenant.feedback.quiet_days) == (1500, 90)


def test_a_file_may_say_everything(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("{}")
    (tmp_path / "site.json").write_text("{}")
    text = """
        [[tenants]]
        id = "clinic-7"
        name = "Clinic Seven"
        dialect = "epic"
        fhir_servers = ["https://EHR.example.org:443/fhir/R4/"]
        allow_private_addresses = true
        deadline_ms = 200
        policy = "milan-net-2007"
        site_profile = "site.json"
        silent_verdicts = ["outside"]
        links = [{ label = "Guide", url = "https://guide.example.org/", type = "smart", app_context = "x" }]
        [tenants.prefetch_aliases]
        conditions = ["problems", "ProblemList"]
        [tenants.feedback]
        keep_comments = true
        quiet_days = 0
        [tenants.trust]
        issuer = " https://ehr.example.org/oauth "
        jwks_file = "keys.json"
        audiences = ["https://cds.example.org/"]
        fixed_audiences = ["milan"]
        algorithms = ["RS256"]
        subject = "client-1"
        tenant = "org-1"
    """
    [tenant] = loaded(tmp_path, text).all
    assert tenant.trust is not None
    assert tenant.trust.issuer == "https://ehr.example.org/oauth"
    assert tenant.trust.audiences == ("https://cds.example.org",)
    assert tenant.fhir_servers == ("https://ehr.example.org/fhir/R4",)
    assert tenant.site_profile == tmp_path / "site.json"
    assert tenant.trust.jwks_file == tmp_path / "keys.json"
    assert tenant.feedback.quiet_days == 0


def test_paths_are_taken_from_the_folder_of_the_file_wherever_the_service_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "ehr.json").write_text("{}")
    monkeypatch.chdir("/")
    text = clinic(
        trust=TRUST.replace('jwks_url = "https://ehr.example.org/jwks.json"', 'jwks_file = "keys/ehr.json"')
    )
    [tenant] = loaded(tmp_path, text).all
    assert tenant.trust is not None
    assert tenant.trust.jwks_file == tmp_path / "keys" / "ehr.json"
    absolute = text.replace("keys/ehr.json", str(tmp_path / "keys" / "ehr.json"))
    assert loaded(tmp_path, absolute).all == (tenant,)


@pytest.mark.parametrize(
    ("line", "place", "why"),
    [
        ('id = "Clinic"', "tenants[0].id", "small letters, digits and hyphens"),
        ('id = "-clinic"', "tenants[0].id", "small letters, digits and hyphens"),
        ('id = ""', "tenants[0].id", "small letters, digits and hyphens"),
        (f'id = "{"c" * 65}"', "tenants[0].id", "small letters, digits and hyphens"),
        ("id = 7", "tenants[0].id", "quotation marks"),
        ('dialect = "cerner"', "tenants[0].dialect", "'oracle'"),
        ('colour = "red"', "tenants[0].colour", "no key of that name"),
        ('fhir_servers = ["https://ehr.example.org/R4?x=1"]', "tenants[0].fhir_servers[0]", "no query"),
        ('fhir_servers = ["https://a.example.org", "ehr"]', "tenants[0].fhir_servers[1]", "cannot be used"),
        ('fhir_servers = ["http://ehr.example.org"]', "tenants[0]", "https"),
        ('fhir_servers = ["http://127.0.0.1:8080"]', "tenants[0]", "allow_loopback"),
        ("deadline_ms = 199", "tenants[0].deadline_ms", "at least 200"),
        ("deadline_ms = 10001", "tenants[0].deadline_ms", "at most 10000"),
        (
            'prefetch_aliases = { problems = ["x"] }',
            "tenants[0].prefetch_aliases.problems",
            "no prefetch key",
        ),
        ('prefetch_aliases = { conditions = ["x"], orders = ["x"] }', "tenants[0]", "more than one key"),
        ('prefetch_aliases = { conditions = ["orders"] }', "tenants[0]", "more than one key"),
        ('silent_verdicts = ["eligible"]', "tenants[0].silent_verdicts[0]", "'meets'"),
        ('site_profile = "no-such.json"', "tenants[0].site_profile", "not a file"),
        ("feedback = { quiet_days = -1 }", "tenants[0].feedback.quiet_days", "at least 0"),
        ("feedback = { quiet_days = 3651 }", "tenants[0].feedback.quiet_days", "at most 3650"),
        ('links = [{ label = "x", url = "http://x.example.org" }]', "tenants[0].links[0].url", "https"),
        (
            'links = [{ label = "x", url = "javascript:alert(1)" }]',
            "tenants[0].links[0].url",
            "cannot be used",
        ),
        (
            'links = [{ label = "x", url = "https://x.example.org", app_context = "y" }]',
            "tenants[0].links[0]",
            "type smart",
        ),
        (
            'orders = { "no-such" = { system = "s", code = "c" } }',
            "tenants[0].orders.no-such",
            "'transplant-referral'",
        ),
    ],
)
def test_a_mistake_in_a_tenant_is_told_by_its_place(tmp_path: Path, line: str, place: str, why: str) -> None:
    text = clinic(line) if not line.startswith("id =") else clinic().replace('id = "clinic"', line)
    [mistake] = [mistake for mistake in told(tmp_path, text) if mistake.startswith(place)]
    assert mistake.startswith((f"{place}: ", f"{place}."))
    assert why in mistake


def trusting(**changed: Any) -> str:
    """A file whose trust differs from a good one; None leaves a line out."""
    lines = {
        "issuer": '"https://ehr.example.org"',
        "jwks_url": '"https://ehr.example.org/jwks.json"',
        "audiences": '["https://cds.example.org"]',
    }
    return clinic(
        trust="[tenants.trust]\n"
        + "\n".join(f"{name} = {value}" for name, value in (lines | changed).items() if value is not None)
    )


@pytest.mark.parametrize(
    ("changed", "place", "why"),
    [
        ({"issuer": None}, "tenants[0].trust.issuer", "it is missing"),
        ({"issuer": '""'}, "tenants[0].trust.issuer", "it is empty"),
        ({"issuer": '"https://sandbox.cds-hooks.org"'}, "tenants[0].trust.issuer", "public"),
        ({"issuer": '"https://Sandbox.CDS-hooks.org/"'}, "tenants[0].trust.issuer", "public"),
        (
            {"jwks_url": '"https://sandbox.cds-hooks.org/.well-known/jwks.json"'},
            "tenants[0].trust.jwks_url",
            "public",
        ),
        ({"jwks_url": None}, "tenants[0].trust", "jwks_url or jwks_file"),
        ({"jwks_url": '"http://ehr.example.org/jwks"'}, "tenants[0].trust.jwks_url", "https"),
        ({"jwks_url": '"http://127.0.0.1/jwks"'}, "tenants[0]", "allow_loopback"),
        ({"jwks_url": '"keys.json"'}, "tenants[0].trust.jwks_url", "cannot be used"),
        ({"jwks_url": None, "jwks_file": '"no-such.json"'}, "tenants[0].trust.jwks_file", "not a file"),
        ({"jwks_url": None, "jwks_file": '"."'}, "tenants[0].trust.jwks_file", "not a file"),
        ({"audiences": None}, "tenants[0].trust", "audiences"),
        ({"audiences": "[]"}, "tenants[0].trust", "audiences"),
        ({"audiences": '["cds.example.org"]'}, "tenants[0].trust.audiences[0]", "cannot be used"),
        (
            {"audiences": '["https://cds.example.org/cds-services"]'},
            "tenants[0].trust.audiences[0]",
            "without",
        ),
        (
            {"audiences": '["https://x.org", "https://x.org/cds-services/id"]'},
            "tenants[0].trust.audiences[1]",
            "without",
        ),
        ({"fixed_audiences": '[""]'}, "tenants[0].trust.fixed_audiences[0]", "it is empty"),
        ({"algorithms": "[]"}, "tenants[0].trust.algorithms", "at least one"),
        ({"algorithms": '["HS256"]'}, "tenants[0].trust.algorithms[0]", "'RS384'"),
        ({"algorithms": '["ES384", "none"]'}, "tenants[0].trust.algorithms[1]", "'RS384'"),
        ({"secret": '"canary"'}, "tenants[0].trust.secret", "no key of that name"),
    ],
)
def test_a_mistake_in_whom_to_trust_is_told_by_its_place(
    tmp_path: Path, changed: dict[str, str | None], place: str, why: str
) -> None:
    [mistake] = told(tmp_path, trusting(**changed))
    assert mistake.startswith(f"{place}: ")
    assert why in mistake


def test_a_name_that_only_looks_like_the_sandbox_is_fine(tmp_path: Path) -> None:
    for issuer in (
        "https://mysandbox.cds-hooks.org",
        "https://sandbox.cds-hooks.org.example.org",
        "https://cds-hooks.org",
    ):
        assert loaded(tmp_path, trusting(issuer=f'"{issuer}"'))


def test_no_mistake_repeats_a_value(tmp_path: Path) -> None:
    text = trusting(
        jwks_url='"canary://canary"', algorithms='["canary"]', audiences='["canary"]', canaries="1"
    )
    lines = told(tmp_path, text)
    assert len(lines) == 4
    assert not any("canary" in line.replace("canaries", "") for line in lines)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = clinic("deadline_ms = 1", 'dialect = "x"') + clinic('fhir_servers = ["x"]').replace("clinic", "B")
    places = [line.partition(":")[0] for line in told(tmp_path, text)]
    assert places == [
        "tenants[0].dialect",
        "tenants[0].deadline_ms",
        "tenants[1].id",
        "tenants[1].fhir_servers[0]",
    ]


@pytest.mark.parametrize(
    ("line", "mistake"),
    [
        (
            'fhir_servers = "https://ehr.example.org"',
            "fhir_servers: a list belongs here, in square brackets.",
        ),
        ('silent_verdicts = "meets"', "silent_verdicts: a list belongs here, in square brackets."),
        ('trust = "x"', "trust: a table belongs here."),
        ("orders = 1", "orders: a table belongs here."),
        ('deadline_ms = "soon"', "deadline_ms: a whole number belongs here."),
        ("deadline_ms = 300.5", "deadline_ms: a whole number belongs here."),
        ('allow_loopback = "perhaps"', "allow_loopback: true or false belongs here."),
        ("site_profile = 5", "site_profile: the name of a file belongs here, in quotation marks."),
        ('policy = ""', "policy: it is empty."),
    ],
)
def test_a_mistake_is_told_in_words_that_toml_has(tmp_path: Path, line: str, mistake: str) -> None:
    text = clinic(line) if not line.startswith("trust") else f'[[tenants]]\nid = "clinic"\n{line}'
    assert told(tmp_path, text) == [f"tenants[0].{mistake}"]


@pytest.mark.parametrize("text", ["", "[tenants]\nid = 'clinic'", "tenants = 1"])
def test_double_brackets_are_asked_for_where_no_tenant_is_found(tmp_path: Path, text: str) -> None:
    assert "tenants: each tenant is a table under [[tenants]], with double brackets." in told(tmp_path, text)


def test_a_mistake_in_the_form_does_not_hide_a_file_that_is_missing(tmp_path: Path) -> None:
    text = trusting(jwks_url=None, jwks_file='"no-such.json"').replace('id = "clinic"', 'id = "Clinic"')
    assert [line.partition(":")[0] for line in told(tmp_path, text)] == [
        "tenants[0].id",
        "tenants[0].trust.jwks_file",
    ]


@pytest.mark.parametrize("text", ["", "tenants = []", "[settings]\nx = 1", "tenants = 1"])
def test_a_file_without_tenants_is_a_mistake(tmp_path: Path, text: str) -> None:
    assert any(line.startswith("tenants: ") for line in told(tmp_path, text))


@pytest.mark.parametrize("text", ["[[tenants", '{"tenants": []}', 'id = "a"\nid = "b"'])
def test_what_is_no_toml_is_told_with_its_line(tmp_path: Path, text: str) -> None:
    [mistake] = told(tmp_path, text)
    assert "not TOML" in mistake
    assert "line" in mistake or "at end of document" in mistake


def test_a_file_that_cannot_be_read_is_told_in_a_sentence(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.toml", tmp_path):
        with pytest.raises(SettingsError, match=r"\.$"):
            load_tenants(path)
    (tmp_path / "latin.toml").write_bytes(b'# \xff\n[[tenants]]\nid = "x"')
    with pytest.raises(SettingsError, match="UTF-8"):
        load_tenants(tmp_path / "latin.toml")


def test_two_tenants_have_two_names(tmp_path: Path) -> None:
    other = CLINIC.replace("ehr.example.org", "other.example.org")
    assert told(tmp_path, CLINIC + other) == ["tenants[1].id: another tenant has it."]


def test_nobody_is_named_open_and_nobody_is_without_trust(tmp_path: Path) -> None:
    assert told(tmp_path, '[[tenants]]\nid = "open"') == [
        "tenants[0].id: open is the name of the open mode.",
        "tenants[0].trust: it is missing; who may call has to be said ([tenants.trust]).",
    ]


@pytest.mark.parametrize(
    ("one", "two", "fine"),
    [
        ("", "", False),
        ('subject = "a"', "", False),
        ("", 'tenant = "a"', False),
        ('subject = "a"', 'subject = "a"', False),
        ('subject = "a"', 'tenant = "b"', False),
        ('subject = "a"\ntenant = "x"', 'subject = "a"\ntenant = "x"', False),
        ('subject = "a"', 'subject = "b"', True),
        ('tenant = "a"', 'tenant = "b"', True),
        ('subject = "a"\ntenant = "x"', 'subject = "a"\ntenant = "y"', True),
    ],
)
def test_tenants_of_one_issuer_have_to_differ_in_a_claim(
    tmp_path: Path, one: str, two: str, *, fine: bool
) -> None:
    text = CLINIC + one + "\n" + CLINIC.replace("clinic", "other") + two
    if fine:
        assert len(loaded(tmp_path, text).of_issuer("https://ehr.example.org")) == 2
    else:
        assert any(
            line.startswith("tenants[1].trust: another tenant trusts") for line in told(tmp_path, text)
        )


def test_keys_may_come_over_http_from_loopback_where_that_is_allowed() -> None:
    trust = Trust(issuer="x", jwks_url="http://127.0.0.1:1/keys", audiences=("https://cds.example.org",))
    assert Tenant(id="clinic", trust=trust, allow_loopback=True).trust == trust


def test_an_open_house_asks_only_servers_on_loopback() -> None:
    house = open_tenants("http://127.0.0.1:8080/fhir", "http://localhost/fhir")
    assert house.open is house.by_id("open") is house.all[0]
    with pytest.raises(ValueError, match="loopback"):
        open_tenants("https://ehr.example.org/fhir")


def test_a_tenant_is_found_by_its_id_and_by_whom_it_trusts(tmp_path: Path) -> None:
    tenants = loaded(tmp_path, CLINIC)
    assert tenants.open is None
    assert tenants.by_id("clinic") is tenants.all[0]
    assert tenants.by_id("other") is None
    assert tenants.of_issuer("https://ehr.example.org") == tenants.all
    assert tenants.of_issuer("https://ehr.example.org/") == ()
