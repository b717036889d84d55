"""The command line: what it prints, and that its errors are one line."""

import json
import os
import signal
import socket
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from cds_service import samples
from cds_service.cli import run
from cds_service.eligibility.policy import policies
from cds_service.hooks.services import SERVICES
from tests.commands import CHECKOUT, running
from tests.hooks.calls import LIVER, NET, PATIENT, bundle, call, chart

ON = ("--on", "2026-11-23")
Output = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _wide_and_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    for name in [name for name in os.environ if name.startswith("MILAN_NET_")]:
        monkeypatch.delenv(name)


def written(folder: Path, content: object, name: str = "record.json") -> str:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return str(path)


def test_assess_shows_verdict_criteria_and_what_is_missing(tmp_path: Path, capsys: Output) -> None:
    assert run(["assess", written(tmp_path, bundle(PATIENT, NET, LIVER)), *ON]) == 0
    output = capsys.readouterr()
    for part in ("Patient/p1", "Possible candidate", "Criterion", "unknown", "Missing", "2026-11-23"):
        assert part in output.out
    assert output.err == ""


def test_assess_shows_what_stands_beside_the_criteria(capsys: Output) -> None:
    samples = Path(__file__).parents[1] / "sample_bundles"
    paths = [str(samples / f"{name}.json") for name in ("37-pregnancy", "38-men-1-and-heart-failure")]
    assert run(["assess", *paths, *ON]) == 0
    output = capsys.readouterr().out
    assert "pregnancy on record: specialist care first" in output.split("To discuss first")[1]
    shown = output.split("Also on record")[1]
    assert "MEN 1" in shown
    assert "heart failure" in shown


def test_assess_prints_one_json_object_for_each_patient(tmp_path: Path, capsys: Output) -> None:
    second = PATIENT | {"id": "p2"}
    lines = "\n".join(json.dumps(resource) for resource in (PATIENT, NET, LIVER, second))
    name = written(tmp_path, lines, "bulk.ndjson")
    assert run(["assess", name, "--json", *ON]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [item["patient"] for item in found] == ["Patient/p1", "Patient/p2"]
    assert [item["verdict"] for item in found] == ["incomplete", "not-applicable"]
    assert {item["file"] for item in found} == {name}


def test_assess_reads_a_hook_request_and_agrees_with_the_card(tmp_path: Path, capsys: Output) -> None:
    assert run(["assess", written(tmp_path, call(chart())), "--json", *ON]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "incomplete"


@pytest.mark.parametrize("content", [call(chart()), bundle(PATIENT, NET, LIVER)])
def test_assess_reads_a_file_that_starts_with_a_byte_order_mark(
    tmp_path: Path, capsys: Output, content: object
) -> None:
    name = written(tmp_path, "\ufeff" + json.dumps(content))
    assert run(["assess", name, "--json", *ON]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "incomplete"


def test_assess_takes_another_policy(tmp_path: Path, capsys: Output) -> None:
    record = written(tmp_path, bundle(PATIENT, NET, LIVER))
    assert run(["assess", record, "--json", "--policy", "optn-nlrb-net", *ON]) == 0
    assert '"optn-nlrb-net"' in capsys.readouterr().out


def test_assess_takes_today_where_no_day_is_given(tmp_path: Path, capsys: Output) -> None:
    assert run(["assess", written(tmp_path, bundle(PATIENT))]) == 0
    assert "Not applicable" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "the file is empty"),
        (" \n", "the file is empty"),
        ("no json", "not JSON from line 1, column 1, on"),
        ('{"resourceType": "Bundle",\n "entry": [', "not JSON from line 2, column "),
        ('{"resourceType": "Patient", "id": "a"}\n{"id": ', "not JSON (at line 2)"),
        ("[1]", "not a FHIR resource"),
        ('{"a": 1}', "resourceType is missing"),
        (bundle(), "no patient"),
        ({"resourceType": "Patient"}, "no id"),
        ('{"a":' * 100_000, "nested too deeply"),
        (call(chart(), hook="no-such-hook"), "(hook)"),
        (call(chart(), hook="order-sign"), "(context.draftOrders)"),
        (call(chart(), hookInstance=5), "(hookInstance)"),
    ],
)
def test_a_file_that_cannot_be_assessed_is_one_line_and_status_1(
    tmp_path: Path, capsys: Output, content: object, problem: str
) -> None:
    name = written(tmp_path, content)
    assert run(["assess", name, *ON]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    assert output.err.startswith(f"milan-net: {name}: ")
    assert problem in output.err


def test_a_missing_file_and_a_folder_are_one_line_and_the_other_files_are_assessed(
    tmp_path: Path, capsys: Output
) -> None:
    good = written(tmp_path, bundle(PATIENT, NET, LIVER))
    assert run(["assess", str(tmp_path / "none.json"), str(tmp_path), good, *ON]) == 1
    output = capsys.readouterr()
    assert output.err.splitlines() == [
        f"milan-net: {tmp_path / 'none.json'}: no such file or directory",
        f"milan-net: {tmp_path}: is a directory",
    ]
    assert "Patient/p1" in output.out


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["assess"], "FILE"),
        (["assess", "x", "--on", "23.11.2026"], "YYYY-MM-DD"),
        (["assess", "x", "--on", "2026-02-30"], "YYYY-MM-DD"),
        (["assess", "x", "--policy", "milan-hcc"], "milan-net-2016"),
        (["assess", "x", "--site-profile", "no/such/file"], "--site-profile: no/such/file is not a file"),
        (
            ["assess", "x", "--site-profile", __file__],
            "this is not JSON from line 1, column 3, on",
        ),
        (["asses"], "asses"),
        (["serve", "--port", "0"], "port"),
        (["serve", "--workers", "0"], "workers"),
        (["demo", "--host", "0.0.0.0"], "loopback"),  # noqa: S104  what must be refused
        (["demo", "--host", "ehr.example.org"], "loopback"),
    ],
)
def test_a_command_that_cannot_be_meant_is_one_line_and_status_2(
    capsys: Output, arguments: list[str], problem: str
) -> None:
    assert run(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("milan-net: ")
    assert output.err.count("\n") == 1
    assert problem in output.err


def test_a_setting_of_the_environment_that_cannot_be_used_is_one_line_and_status_2(
    capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILAN_NET_CORS_ORIGINS", "*")
    assert run(["serve"]) == 2
    assert capsys.readouterr().err.startswith("milan-net: MILAN_NET_CORS_ORIGINS")


def test_a_record_cannot_rewrite_the_terminal(tmp_path: Path, capsys: Output) -> None:
    name = written(tmp_path, bundle(PATIENT, NET | {"id": "x\u001b[2J[red]"}, LIVER), "a\u001b[2J.json")
    assert run(["assess", name, *ON]) == 0
    assert "\u001b" not in capsys.readouterr().out


def test_policies_prints_every_criterion_with_citation_and_verification(capsys: Output) -> None:
    assert run(["policies"]) == 0
    output = " ".join(capsys.readouterr().out.split())
    for policy in policies():
        assert policy.id in output
        for rule in policy.rules:
            assert rule.limit.split()[0] in output
            assert rule.citation.verification in output
            for word in rule.citation.note.replace("(judgement)", "").split():
                assert word in output
        for exemption in policy.exemptions:
            assert f"{exemption.criterion}: not asked" in output


def test_policies_says_which_parts_are_our_own_judgement(capsys: Output) -> None:
    assert run(["policies"]) == 0
    output = " ".join(capsys.readouterr().out.split())
    milan = output[: output.index("milan-net-2007")]

    assert "(verified, but for what is our own judgement)" in milan
    for part in (
        "Our own judgement: R0 is asked for",
        "Our own judgement: A negative needs a whole-body study after the resection, at most 6 months old",
        "Relative: from memory",
        "Our own judgement: Patients under 18 are outside the evidence.",
        "Site rectum, not-portal: ",
    ):
        assert part in milan
    assert "(judgement)." not in output.replace("docs/clinical.md 8 (judgement)", "")


def test_version_and_help(capsys: Output) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("milan-net, version ")
    assert run(["--help"]) == 0
    output = capsys.readouterr().out
    assert all(f"\n  {command} " in output for command in ("assess", "demo", "policies", "serve"))


def test_without_a_command_the_whole_help_is_printed_line_by_line(capsys: Output) -> None:
    assert run(["--help"]) == 0
    wanted = capsys.readouterr().out
    assert run([]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.strip() == wanted.strip()
    assert output.err.count("\n") > 8


def test_the_demonstration_says_when_there_are_no_samples(
    tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(samples, "__file__", str(tmp_path / "package" / "samples.py"))
    assert run(["demo"]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert "sample_bundles" in line
    assert "run this in a checkout" in line
    assert "milan-net assess FILE" in line


def test_a_bug_is_one_line_without_what_the_error_says(
    tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("CANARY-4711")

    monkeypatch.setattr("cds_service.advisor.read_facts", broken)
    assert run(["assess", written(tmp_path, bundle(PATIENT)), *ON]) == 1
    errors = capsys.readouterr().err
    assert errors.startswith("milan-net: something is wrong in the program (KeyError at ")
    assert errors.count("\n") == 1
    assert "CANARY" not in errors


def post(address: str, body: bytes, **headers: str) -> tuple[int, bytes]:
    request = urllib.request.Request(address, body, {"Content-Type": "application/json", **headers})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310  loopback
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_serve_answers_calls_logs_them_and_ends_cleanly() -> None:
    with running("serve", "--open") as (process, address):
        service = f"{address}/{SERVICES[0].id}"
        status, content = post(service, json.dumps(call(chart())).encode())
        assert status == 200
        assert len(json.loads(content)["cards"]) == 1
        assert post(service, b"{")[0] == 400
        assert post(f"{address}//{SERVICES[0].id}/", json.dumps(call()).encode())[0] == 412
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "Traceback" not in output + errors
    assert f"POST {service}" in output
    lines = [json.loads(line) for line in errors.splitlines() if line.startswith("{")]
    assert [line["status"] for line in lines if "service" in line] == [200, 400, 412]


def test_a_body_that_never_arrives_does_not_keep_the_service_from_ending() -> None:
    with running("serve", "--open") as (process, address):
        port = int(address.split(":")[2].partition("/")[0])
        head = (
            f"POST /cds-services/{SERVICES[0].id} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        )
        with socket.create_connection(("127.0.0.1", port)) as caller:
            caller.sendall(f"{head}Content-Length: 5000\r\n\r\n{{".encode())
            time.sleep(0.5)  # until a worker waits for the rest
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=25) == 0


@pytest.mark.skipif(not any((CHECKOUT / "sample_bundles").glob("*.json")), reason="the samples are not here")
def test_the_demonstration_assesses_every_sample_and_prints_a_call_that_returns_a_card() -> None:
    with running("demo") as (process, address):
        body = next((CHECKOUT / "sample_bundles" / "requests").glob("meets.json")).read_bytes()
        assert json.loads(post(f"{address}/{SERVICES[0].id}", body)[1])["cards"]
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "Traceback" not in output + errors
    for path in (CHECKOUT / "sample_bundles").glob("*.json"):
        assert path.name in output
    (command,) = [line for line in output.splitlines() if line.startswith("curl ")]
    assert "@sample_bundles/requests/meets.json" in command
    assert command.endswith(f"{address}/{SERVICES[0].id}")


def test_an_address_that_is_taken_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for command in (["serve", "--open"], ["demo"]):
            assert run([*command, "--port", str(port)]) == 1
            output = capsys.readouterr()
            assert output.out == ""  # nothing is assessed for nothing
            [line] = output.err.splitlines()
            assert line.startswith(
                f"milan-net: 127.0.0.1:{port} cannot be listened on: address already in use"
            )
            assert line.endswith("; --port names another port")
