"""The build sheet: everything an EHR's analyst types in, and nothing on it that the service does not go by."""

import re
import shlex
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cds_service.advisor import create_advisor
from cds_service.cli import cli
from cds_service.eligibility.verdict import Verdict
from cds_service.errors import SettingsError
from cds_service.hooks.cards import CARDS, OVERRIDE_REASONS, cards
from cds_service.hooks.services import SERVICES
from cds_service.integrator.build_sheet import BRINGS, Sheet, ehrs, sheet
from cds_service.integrator.sheet_text import as_html, as_markdown
from cds_service.security.tokens import LONGEST_LIFE
from cds_service.settings import Settings
from cds_service.tenants import Tenant, open_tenants
from fhir_mappings.drafts import drafts
from fhir_mappings.facts import OrderKind
from fhir_mappings.record import PARTS
from tests.hooks.assessments import RULES, assessment, facts
from tests.hooks.calls import HOOK_INSTANCE

ROOT = Path(__file__).parents[2]
BASE = "https://cds.example.org/milan"
TRUST = {
    "issuer": "https://ehr.example.org/fhir",
    "jwks_url": "https://ehr.example.org/keys",
    "audiences": [BASE],
    "algorithms": ["RS384"],
    "subject": "client-7",
}


def tenant(**members: Any) -> Tenant:
    return Tenant.model_validate({"id": "north", "name": "North Hospital", "trust": TRUST} | members)


def built(**members: Any) -> Sheet:
    return made(tenant(**members))


def made(found: Tenant) -> Sheet:
    return sheet(found, create_advisor(Settings(), found).policy)


def page(**members: Any) -> str:
    return as_markdown(built(**members))


def section(text: str, number: int) -> str:
    return text.split(f"\n## {number}. ")[1].split("\n## ", maxsplit=1)[0]


def rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|") and not line.startswith("|--")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


# --- what has to be typed in ------------------------------------------------------------------------------------------


def test_every_service_has_its_address_and_its_feedback_under_every_base() -> None:
    text = page(trust=TRUST | {"audiences": [BASE, "https://other.example.org"]})
    for base in (BASE, "https://other.example.org"):
        for service in SERVICES:
            assert f"`{base}/cds-services/{service.id}`" in section(text, 1)
            assert f"`{base}/cds-services/{service.id}/feedback`" in section(text, 7)


def test_without_a_base_in_the_file_the_page_says_where_to_put_it() -> None:
    text = page(trust=TRUST | {"audiences": [], "fixed_audiences": ["typed-by-site"]})
    assert "put yours for `https://milan-net.example.org`" in text
    assert "| `aud` | `typed-by-site` |" in text
    assert "--audience typed-by-site" in section(text, 8)


def test_every_part_of_the_record_has_a_row_with_its_query_and_whether_it_is_required() -> None:
    assert set(BRINGS) == set(PARTS)
    found = rows(section(page(), 2))[1:]
    assert [row[0] for row in found] == [f"`{key}`" for key in PARTS]
    assert [row[1] for row in found] == [f"`{SERVICES[0].prefetch[key]}`" for key in PARTS]
    assert {row[0].strip("`") for row in found if row[3] == "yes"} == set(SERVICES[0].required)


def test_all_services_ask_for_what_the_page_says() -> None:
    assert all(service.prefetch == SERVICES[0].prefetch for service in SERVICES)
    assert all(service.required == SERVICES[0].required for service in SERVICES)


def test_the_names_that_a_site_sends_rows_by_stand_in_place_of_the_key() -> None:
    found = rows(section(page(prefetch_aliases={"conditions": ["problems", "diagnoses"]}), 2))
    [row] = [row for row in found if "problems" in row[0]]
    assert row[0] == "`problems`, `diagnoses`"
    assert "these rows together" in row[1]
    assert not any(row[0] == "`conditions`" for row in found)


def test_epic_gets_its_own_query_for_observations_and_the_names_of_its_apis() -> None:
    text = page(dialect="epic")
    assert "&category=laboratory," in section(text, 2)
    assert "| Condition, Read and Search (R4) |" in section(text, 3)
    assert "category" not in section(page(), 2)
    assert "API of the client id" not in page()


def test_the_scopes_name_every_type_in_both_versions() -> None:
    text = section(page(), 3)
    for kind in PARTS.values():
        assert f"`patient/{kind}.rs`" in text
        assert f"`patient/{kind}.read`" in text


def test_the_fhir_servers_are_named_or_said_to_be_none() -> None:
    assert "`https://fhir.example.org/R4`" in section(page(fhir_servers=["https://fhir.example.org/R4"]), 3)
    assert "nothing is ever asked for" in section(page(), 3)


def test_the_token_is_described_as_it_is_checked() -> None:
    found = {row[0]: row[1] for row in rows(section(page(), 4))}
    assert found["`alg`"] == "`RS384`"
    assert found["`iss`"] == "`https://ehr.example.org/fhir`"
    assert found["`sub`"] == "`client-7`"
    assert found["`jku`"].startswith("`https://ehr.example.org/keys`")
    assert f"at most {LONGEST_LIFE:.0f} seconds" in found["`iat`, `exp`"]
    assert "`tenant`" not in found


def test_a_key_set_that_was_handed_over_allows_no_jku() -> None:
    trust = {name: value for name, value in TRUST.items() if name != "jwks_url"}
    text = page(trust=trust | {"jwks_file": "keys.json", "tenant": "t-1"})
    found = {row[0]: row[1] for row in rows(section(text, 4))}
    assert found["`jku`"].startswith("left out")
    assert found["`tenant`"] == "`t-1`"


def test_the_open_mode_is_not_described_as_secure() -> None:
    text = as_markdown(made(open_tenants().all[0]))
    assert "Nobody is asked who they are" in section(text, 4)
    assert "--sign" not in text


def test_every_verdict_with_a_card_has_its_topic_and_silent_ones_are_marked() -> None:
    found = rows(section(page(silent_verdicts=["outside"]), 5))
    marks = {row[0]: row[2] for row in found if row[1].startswith("`milanNet")}
    assert set(marks) == {verdict.value for verdict in CARDS}
    assert [verdict for verdict, mark in marks.items() if mark != "yes"] == ["outside"]


def test_the_topics_are_those_on_the_cards() -> None:
    for topic in built().topics:
        found = assessment(Verdict(topic.verdict))
        [card] = cards(found, facts(), RULES, hook_instance=HOOK_INSTANCE, tenant=tenant())
        source: Any = card["source"]
        assert source["topic"]["code"] == topic.code


def test_override_reasons_stand_with_their_codes() -> None:
    found = rows(section(page(), 7))[1:]
    assert found == [[reason["display"], f"`{reason['code']}`"] for reason in OVERRIDE_REASONS]


def test_orders_without_a_code_of_the_site_are_not_proposed_in_epic_and_are_elsewhere() -> None:
    mapped = {"transplant-referral": {"system": "urn:epic", "code": "77"}}
    epic = rows(section(page(dialect="epic", orders=mapped), 6))[1:]
    assert len(epic) == len(OrderKind)
    assert [row[0] for row in epic if "not mapped" not in row[1]] == [
        drafts()[OrderKind.TRANSPLANT_REFERRAL].label
    ]
    assert epic[0][1] == r"`urn:epic \| 77`"
    assert not any("not mapped" in row[1] for row in rows(section(page(orders=mapped), 6)))


def test_links_feedback_rules_and_deadline_are_those_of_the_tenant() -> None:
    text = page(
        links=[{"label": "Board", "url": "https://board.example.org/"}],
        feedback={"keep_comments": True, "quiet_days": 0},
        deadline_ms=900,
    )
    assert "| Board | `https://board.example.org/` | absolute |" in text
    assert "Comments are kept" in text
    assert "comes back with the next call" in text
    assert "within 900 ms" in text
    assert "Comments are dropped" in page()
    assert "for 90 days" in page()


# --- what is known of the EHRs ----------------------------------------------------------------------------------------


def test_every_dialect_is_described_by_hooks_that_there_are() -> None:
    dialects = Tenant.model_fields["dialect"].annotation.__args__  # type: ignore[union-attr]
    assert set(ehrs()) == set(dialects)
    hooks = {service.hook for service in SERVICES}
    for name, ehr in ehrs().items():
        assert set(ehr.fires) <= hooks, name
        assert set(ehr.native) in (set(), hooks), name
        silent = {hook for hook, native in ehr.native.items() if native.startswith("not ")}
        assert silent.isdisjoint(ehr.fires), name
        assert silent | set(ehr.fires) == hooks, name


def test_only_hooks_that_the_ehr_fires_have_feedback_to_send() -> None:
    text = section(page(dialect="oracle"), 7)
    assert "milan-net-patient-view/feedback" in text
    assert "milan-net-order-sign/feedback" not in text


def test_our_own_words_hold_no_markup() -> None:
    """They are written into the page as they are."""
    own = [
        text for ehr in ehrs().values() for text in (ehr.name, ehr.source, *ehr.native.values(), *ehr.notes)
    ]
    own += [draft.label for draft in drafts().values()]
    own += [str(draft.code.get("text", "")) for draft in drafts().values()]
    own += [reason["display"] for reason in OVERRIDE_REASONS]
    own += [*BRINGS.values(), *(trial.expected for trial in built().trials)]
    assert [text for text in own if re.search(r"[|<>`*_\[\]\\]", text)] == []


# --- trials -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("members", [{}, {"trust": TRUST | {"algorithms": ["PS256"]}}, {"dialect": "epic"}])
def test_every_command_on_the_page_can_be_typed(members: dict[str, Any]) -> None:
    commands = [shlex.split(span) for span in re.findall(r"`(milan-net [^`]+)`", page(**members))]
    assert len(commands) > 5
    for _, name, *arguments in commands:
        cli.commands[name].make_context(name, arguments, resilient_parsing=False)
        requests = [Path(part) for part in arguments if part.startswith("sample_bundles/")]
        assert all((ROOT / path).is_file() for path in requests)


def test_trials_sign_by_an_algorithm_that_the_tenant_takes() -> None:
    assert "--sign KEYS/private-rs384.json" in section(page(), 8)
    assert "--issuer https://ehr.example.org/fhir --subject client-7`" in section(page(), 8)
    assert "--sign KEYS/private-es384.json" in section(page(trust=TRUST | {"algorithms": ["ES384"]}), 8)
    text = section(page(trust=TRUST | {"algorithms": ["PS256"]}), 8)
    assert "--sign" not in text
    assert "add `ES384` for the test" in text


# --- hostile names, and HTML ------------------------------------------------------------------------------------------

HOSTILE = 'A | B <script>alert("x")</script> `c` [d](https://evil.example) {{ 7*7 }}'


class _Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def hostile() -> Tenant:
    return tenant(
        name=HOSTILE,
        links=[{"label": HOSTILE, "url": "https://board.example.org/"}],
        orders={"ki-67": {"system": HOSTILE, "code": HOSTILE}},
        prefetch_aliases={"orders": [HOSTILE]},
        trust=TRUST | {"issuer": HOSTILE, "subject": HOSTILE},
    )


def test_names_of_a_site_are_shown_verbatim_and_never_as_markup() -> None:
    usual, found = (
        _Tags(as_html(as_markdown(made(item)), item.name or ""))
        for item in (
            tenant(
                links=[{"label": "x", "url": "https://board.example.org/"}],
                orders={"ki-67": {"system": "x", "code": "x"}},
            ),
            hostile(),
        )
    )
    assert found.tags == usual.tags
    assert found.text.count(HOSTILE) >= 8


def test_the_page_needs_nothing_from_elsewhere() -> None:
    found = _Tags(as_html(page(), "title"))
    assert not {"script", "img", "link", "iframe", "a", "object"} & set(found.tags)
    assert not {"src", "href", "onload", "onclick", "style"} & found.attributes


def test_markup_in_the_text_of_the_page_stays_text() -> None:
    assert "script" not in _Tags(as_html("<script>x</script>", "title")).tags


def test_every_table_of_the_page_is_a_table_in_html() -> None:
    text = page(dialect="epic", links=[{"label": "x", "url": "https://board.example.org/"}])
    headings = sum(line.startswith("|---") for line in text.splitlines())
    found = _Tags(as_html(text, "title"))
    assert found.tags.count("table") == headings == 8
    assert "|---" not in found.text


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def tenants_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "tenants.toml"
    path.write_text(
        f"""
[[tenants]]
id = "north"
[tenants.trust]
issuer = "https://ehr.example.org/fhir"
jwks_url = "https://ehr.example.org/keys"
audiences = ["{BASE}"]
""",
        "utf-8",
    )
    monkeypatch.setenv("MILAN_NET_TENANTS", str(path))
    return path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["build-sheet", *arguments])


@pytest.mark.usefixtures("tenants_file")
def test_the_page_is_printed_or_written_as_markdown_or_html(tmp_path: Path) -> None:
    printed = run("--tenant", "north")
    assert printed.exit_code == 0, printed.output
    assert printed.output.startswith("# Build sheet: north\n")
    target = tmp_path / "sheet.html"
    assert run("--tenant", "north", "--html", "-o", str(target)).output == ""
    assert target.read_text("utf-8").startswith("<!doctype html>")
    assert "<title>Build sheet: north</title>" in target.read_text("utf-8")


@pytest.mark.usefixtures("tenants_file")
def test_an_unknown_tenant_is_told_those_that_there_are() -> None:
    result = run("--tenant", "south")
    assert result.exit_code == 2
    assert "there are north" in result.output


@pytest.mark.usefixtures("tenants_file")
def test_a_file_that_cannot_be_written_is_told_by_its_name(tmp_path: Path) -> None:
    result = run("--tenant", "north", "-o", str(tmp_path / "nowhere" / "x.md"))
    assert "x.md: no such file" in str(result.exception)


def test_without_tenants_the_command_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MILAN_NET_TENANTS", raising=False)
    error = run("--tenant", "north").exception
    assert isinstance(error, SettingsError)
    assert "MILAN_NET_TENANTS" in str(error)
    assert "--open" not in str(error)  # an open house has no analyst
