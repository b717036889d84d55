"""What the README says is so: its commands, settings, targets, rule sets and addresses are those of the code."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from cds_service.cli import cli
from cds_service.eligibility.policy import DEFAULT_POLICY, policies
from cds_service.hooks.services import SERVICES
from cds_service.integrator.keys import make
from cds_service.settings import PREFIX, Settings
from cds_service.smart.app_context import AUTOMATIC
from cds_service.tenants import load_tenants
from fhir_mappings.record import PARTS
from tests import records

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def first_cells(header: str) -> list[str]:
    """The first cells of the table whose header row starts with `header`, without backticks."""
    rows = README.split(f"\n| {header} |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return [row.split("|")[1].strip().strip("`") for row in rows]


def test_the_table_of_commands_is_the_command_line() -> None:
    assert sorted(cell.split()[1] for cell in first_cells("command")) == sorted(cli.commands)


def test_every_option_that_the_table_of_commands_names_exists() -> None:
    for row in README.splitlines():
        if row.startswith("| `milan-net "):
            command = cli.commands[row.split("`")[1].split()[1]]
            known = {name for parameter in command.params for name in parameter.opts}
            assert set(re.findall(r"`(--[a-z-]+)", row)) <= known, row


def test_the_table_of_settings_names_what_the_service_reads() -> None:
    assert set(first_cells("setting (environment)")) == {
        f"{PREFIX}{name.upper()}" for name in Settings.model_fields
    }


def test_the_addresses_are_those_of_the_services() -> None:
    assert {f"POST /cds-services/{service.id}" for service in SERVICES} <= set(first_cells("request"))


def test_the_rule_sets_and_prefetch_keys_are_named() -> None:
    for policy in policies():
        assert f"`{policy.id}`" in README
    assert f"`{DEFAULT_POLICY}` (the default)" in README
    for key in PARTS:
        assert f"`{key}`" in README


def test_every_make_target_that_is_named_exists() -> None:
    makefile = ROOT / "Makefile"
    if not makefile.exists():
        pytest.skip("no Makefile: the tests run away from the checkout")
    targets = set(re.findall(r"^([a-z-]+):", makefile.read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:`|\$ )make ([a-z-]+)", README)) <= targets


def test_the_example_of_plain_pip_assesses_the_patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    [line] = [line for line in README.splitlines() if "milan-net assess sample" in line]
    arguments = shlex.split(line.removeprefix("$ "))[1:]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0
    assert "Meets the recorded criteria" in result.output


def test_every_file_that_the_readme_links_to_is_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if "://" not in target and not target.startswith(
            ("cds_service", "fhir_mappings", "LICENSE", "NOTICE")
        ):
            assert (ROOT / target).exists(), target


def test_the_folder_of_the_public_records_is_the_one_that_is_looked_for() -> None:
    assert f"`../{records.folder({}).relative_to(ROOT.resolve().parent)}`" in README
    assert records.folder({"MILAN_NET_RECORDS": "elsewhere"}) == Path("elsewhere")
    assert "`MILAN_NET_RECORDS`" in README


def test_the_tenants_file_that_is_shown_can_be_loaded(tmp_path: Path) -> None:
    shown = re.search(r"```toml\n(.*?)```", README, re.DOTALL)
    assert shown is not None
    file = tmp_path / "tenants.toml"
    file.write_text(shown[1], encoding="utf-8")
    (tenant,) = load_tenants(file).all
    assert tenant.dialect == "epic"


def test_the_tenant_that_is_shown_can_be_launched_from_its_ehr(tmp_path: Path) -> None:
    make(tmp_path)
    file = tmp_path / "tenants.toml"
    file.write_text("\n".join(re.findall(r"```toml\n(.*?)```", README, re.DOTALL)), encoding="utf-8")
    (tenant,) = load_tenants(file).all
    assert tenant.smart is not None
    assert tenant.smart.write_back == "each"
    assert [link.app_context for link in tenant.links] == [AUTOMATIC]
    assert CliRunner().invoke(cli, ["check-config", str(file)]).exit_code == 0
