"""The command line: assess files, serve the hooks, show the samples, list the policies.

Errors are one line: status 2 for a command that cannot be meant, 1 for data that cannot be assessed.
"""

import ipaddress
import logging
import socket
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import click
import orjson
from flask import Flask
from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from cds_service import samples, terminal
from cds_service.advisor import Advisor, create_advisor
from cds_service.app import configured_tenants, create_app, settle
from cds_service.demo.day import day_asked_for
from cds_service.demo.fhir import PREFIX as DEMO_FHIR
from cds_service.demo.fhir import demonstrate
from cds_service.eligibility.assessment import Assessment
from cds_service.eligibility.policy import policies
from cds_service.eligibility.rendering import as_json
from cds_service.errors import CdsError, DataError, whereabouts
from cds_service.hooks.files import records_in
from cds_service.integrator.build_sheet import build_sheet
from cds_service.integrator.check_config import check_config
from cds_service.integrator.database import migrate, prune
from cds_service.integrator.feedback_report import feedback
from cds_service.integrator.keys import keys
from cds_service.integrator.replay import replay
from cds_service.parameters import Day
from cds_service.settings import Settings, from_environment, settings_of
from cds_service.storage.opening import open_storage
from cds_service.tenants import Tenants, open_tenants
from cds_service.web.demo import PREFIX as DEMO_EHR
from cds_service.web.demo import add_demo
from fhir_mappings.record import PatientRecord

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_DEFAULT_HOST = "127.0.0.1"
_DEFAULT_PORT = 8000
THREADS = 16  # a slow FHIR server must not stop the others (integration.md 4.3)
BACKPRESSURE = 256  # waiting calls of one worker; more are refused at once instead of answered too late
_TO_FINISH = (
    12  # seconds that a worker told to end has: more than the longest call, less than a supervisor waits
)
_DATA_ERROR = 1
_USAGE_ERROR = 2


def _installed_version() -> str:
    try:
        return version("milan-net-cds")
    except PackageNotFoundError:
        return "(not installed)"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(_installed_version(), prog_name="milan-net")
def cli() -> None:
    """Milan-NET: assess FHIR records of patients with liver metastases of a neuroendocrine tumour."""


@cli.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--on", type=Day(), default=None, help="Day of evaluation; today if not given.")
@click.option(
    "--policy", "policy_id", default=None, help="Id of the policy; `milan-net policies` lists them."
)
@click.option("--site-profile", type=click.Path(path_type=Path), help="File with a hospital's own codes.")
@click.option("--json", "as_lines", is_flag=True, help="One JSON object for each patient and line.")
def assess(
    files: tuple[str, ...],
    on: date | None,
    policy_id: str | None,
    site_profile: Path | None,
    *,
    as_lines: bool,
) -> None:
    """Assess the patients of FHIR Bundles, NDJSON files or CDS Hooks requests."""
    advisor = create_advisor(_settings(policy_id, site_profile))
    day = on or _today()
    failed = False
    for name in files:
        try:
            for record in _records(Path(name)):
                _, assessment = advisor.advise(record, day)
                _show(name, assessment, as_lines=as_lines)
        except DataError as error:
            failed = True
            _complain(str(error))
    if failed:
        raise click.exceptions.Exit(_DATA_ERROR)


def _show(name: str, assessment: Assessment, *, as_lines: bool) -> None:
    if as_lines:
        click.echo(orjson.dumps({"file": name, "patient": assessment.patient, **as_json(assessment)}))
    else:
        terminal.show_assessment(name, assessment)


@cli.command()
@click.option("--host", default=_DEFAULT_HOST, show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=_DEFAULT_PORT, show_default=True)
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Worker processes.")
@click.option(
    "--open",
    "is_open",
    is_flag=True,
    help="Let anybody on this machine call: for trying it, never for patients.",
)
@click.option(
    "--fhir-server",
    "fhir_servers",
    multiple=True,
    help="With --open: a FHIR server on loopback that may be asked.",
)
def serve(host: str, port: int, workers: int, *, is_open: bool, fhir_servers: tuple[str, ...]) -> None:
    """Serve the CDS Hooks endpoints; settings come from MILAN_NET_* environment variables."""
    settings = from_environment()
    tenants = _open_house(settings, host, fhir_servers) if is_open else configured_tenants(settings)
    if fhir_servers and not is_open:
        raise click.UsageError(
            "--fhir-server belongs to --open; else the tenants' file names the FHIR servers"
        )
    for tenant in tenants.all:
        create_advisor(settings, tenant)
    if not is_open:  # what keeps a worker from starting is told here in a sentence, not there by a traceback
        open_storage(settings).close()
    _ensure_free(host, port)
    if is_open:
        terminal.show_openness()
    terminal.show_address(host, port)
    _run(Serving(settings, tenants), host, port, workers)


def _open_house(settings: Settings, host: str, fhir_servers: tuple[str, ...]) -> Tenants:
    if not _is_loopback(host):
        raise click.BadParameter(
            "without authentication only a loopback address is listened on", param_hint="--host"
        )
    if settings.tenants is not None:
        raise click.UsageError(
            "MILAN_NET_TENANTS says who may call, and --open lets anybody: leave one of them out"
        )
    try:
        return open_tenants(*fhir_servers)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--fhir-server") from None


@cli.command()
@click.option("--host", default=_DEFAULT_HOST, show_default=True, help="Loopback address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=_DEFAULT_PORT, show_default=True)
@click.option("--on", type=Day(), default=samples.WRITTEN_FOR, show_default=True, help="Day of evaluation.")
def demo(host: str, port: int, on: date) -> None:
    """Assess the sample patients, then serve them on loopback, with an EHR to try the service in."""
    if not _is_loopback(host):
        raise click.BadParameter("the demonstration listens on a loopback address only", param_hint="--host")
    folder = samples.find()
    _ensure_free(host, port)
    settings = Settings()
    advisor = create_advisor(settings)
    questions = samples.questions(folder)
    rows = (
        (path.name, questions.get(path.name, ""), _verdicts(advisor, path, on))
        for path in samples.bundles(folder)
    )
    terminal.show_samples(rows, on)
    terminal.show_address(host, port)
    terminal.show_call(host, port, _request_with_card(advisor, folder, on))
    terminal.show_sandbox(host, port, "meets")
    terminal.show_ehr(host, port, DEMO_EHR)
    tenants = open_tenants(terminal.origin(host, port) + DEMO_FHIR)
    _run(Serving(settings, tenants, Demonstration(on, folder)), host, port, 1)


@cli.command("policies")
def list_policies() -> None:
    """Print the criteria of every policy, with citations and how far they were verified."""
    for item in policies():
        terminal.show_policy(item)


cli.add_command(check_config)
cli.add_command(keys)
cli.add_command(migrate)
cli.add_command(prune)
cli.add_command(feedback)
cli.add_command(replay)
cli.add_command(build_sheet)


# --- files ----------------------------------------------------------------------------------------------


def _records(path: Path) -> list[PatientRecord]:
    """The patients of one file. Raises DataError that names the file."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from error
    try:
        return records_in(data)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _verdicts(advisor: Advisor, path: Path, on: date) -> list[Assessment]:
    return [advisor.advise(record, on)[1] for record in _records(path)]


def _request_with_card(advisor: Advisor, folder: Path, on: date) -> Path | None:
    """The first sample request that is answered with a card, the referral before others."""
    found = [
        (not any(order == "transplant-referral" for order in assessment.orders), path)
        for path in sorted(folder.glob("requests/*.json"))
        for assessment in _verdicts(advisor, path, on)
        if assessment.verdict != "not-applicable"
    ]
    return min(found, default=(True, None))[1]


# --- serving --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Demonstration:
    """The samples, and the day on which they are assessed unless a call names another."""

    on: date
    folder: Path


@dataclass(frozen=True, slots=True)
class Serving:
    """What every worker builds its application from; it is sent to the workers."""

    settings: Settings
    tenants: Tenants
    demonstration: Demonstration | None = None


def _run(serving: Serving, host: str, port: int, workers: int) -> None:
    """Serve until the process is told to end. Each worker builds its own application."""
    server = Granian(
        "milan-net",
        host,
        port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=THREADS,
        backpressure=BACKPRESSURE,
        workers_kill_timeout=_TO_FINISH,  # else a body that never arrives keeps the process for ever
        respawn_failed_workers=True,  # else one that the system ended for its memory takes the others with it
        websockets=False,
        log_level=LogLevels.error,  # its start-up lines would drown ours
    )
    server.serve(target_loader=partial(_load, serving), wrap_loader=False)


def _ensure_free(host: str, port: int) -> None:
    """Say in a sentence that an address cannot be listened on, before anything is announced to work there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        raise DataError(
            f"{host}:{port} cannot be listened on: {(error.strerror or 'no such address').lower()}; "
            "--port names another port"
        ) from error


def _load(serving: Serving) -> "WSGIApplication":
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    shown = serving.demonstration
    app = create_app(serving.settings, serving.tenants) if shown is None else _demonstration(serving, shown)
    settle()
    return app


def _demonstration(serving: Serving, shown: Demonstration) -> Flask:
    """The service over the samples, with an EHR to try it in. Only here may a call name the day of evaluation."""
    app = create_app(serving.settings, serving.tenants, partial(day_asked_for, shown.on))
    demonstrate(app, shown.folder)
    add_demo(app, shown.folder, create_advisor(serving.settings), shown.on)
    return app


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


# --- in common ------------------------------------------------------------------------------------------


def _settings(policy_id: str | None, site_profile: Path | None) -> Settings:
    """Settings of the environment, where the command line does not say otherwise."""
    base = from_environment()
    if site_profile is not None and not site_profile.is_file():
        raise click.BadParameter(f"{site_profile} is not a file", param_hint="--site-profile")
    return settings_of(policy=policy_id or base.policy, site_profile=site_profile or base.site_profile)


def _today() -> date:
    return date.today()  # noqa: DTZ011  the day on the calendar of whoever runs the command


def _complain(text: str) -> None:
    click.echo(f"milan-net: {terminal.safe(text)}", err=True)


def run(arguments: Iterable[str]) -> int:
    """Run a command and return its exit status; errors are one line on standard error, never a traceback."""
    try:
        status = cli.main(list(arguments), prog_name="milan-net", standalone_mode=False)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        sys.stderr.close()
        return 0
    except click.exceptions.NoArgsIsHelpError as error:  # no command: its message is the help
        click.echo(error.format_message(), err=True)
        return error.exit_code
    except Exception as error:  # noqa: BLE001  a traceback may hold patient data
        _complain(_sentence(error))
        return _status(error)
    return status if isinstance(status, int) else 0


def _sentence(error: Exception) -> str:
    if isinstance(error, click.ClickException):
        return " ".join(error.format_message().split())
    if isinstance(error, CdsError):
        return str(error)
    return f"something is wrong in the program ({type(error).__name__} at {', '.join(whereabouts(error))})"


def _status(error: Exception) -> int:
    if isinstance(error, click.ClickException):
        return error.exit_code
    return _USAGE_ERROR if isinstance(error, CdsError) and not isinstance(error, DataError) else _DATA_ERROR


def main() -> None:
    """Run the command that the arguments of the process name."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
