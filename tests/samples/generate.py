"""Writes the synthetic patients of `sample_bundles`, their requests and their assessments, or checks them.

    python -m tests.samples.generate            write the samples and the requests
    python -m tests.samples.generate --check    exit code 1 if the files differ from what would be written
    python -m tests.samples.generate --golden   write the assessments of the samples to tests/golden

Nothing here knows a criterion: the answer that each sample should get stands, derived by hand, in
sample_bundles/README.md.
"""

import json
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from tests.samples import dialects, patients
from tests.samples.resources import Json

ROOT = Path(__file__).parents[2]
BUNDLES = ROOT / "sample_bundles"
REQUESTS = BUNDLES / "requests"
GOLDEN = ROOT / "tests" / "golden"
EVALUATED_ON = date(2026, 11, 23)
SAMPLES = dict(sorted((patients.SAMPLES | dialects.SAMPLES).items()))


# --- requests -----------------------------------------------------------------------------------------------

KEYS = {
    "conditions": "Condition",
    "observations": "Observation",
    "procedures": "Procedure",
    "reports": "DiagnosticReport",
    "specimens": "Specimen",
    "orders": "ServiceRequest",
}


def request(file: str) -> Json:
    """A CDS Hooks patient-view request with the sample's chart as prefetch."""
    chart = SAMPLES[file]()
    found = {
        key: [item for item in chart.resources.values() if item["resourceType"] == kind]
        for key, kind in KEYS.items()
    }
    prefetch = {"patient": chart.resources["patient"]} | {
        key: _searchset(items) for key, items in found.items()
    }
    return {
        "hook": "patient-view",
        "hookInstance": str(uuid5(NAMESPACE_URL, f"urn:milan-net:request:{file}")),
        "context": {"userId": "Practitioner/example", "patientId": chart.name},
        "prefetch": prefetch,
    }


def _searchset(resources: list[Json]) -> Json:
    entries = [{"resource": item, "search": {"mode": "match"}} for item in resources]
    return {"resourceType": "Bundle", "type": "searchset", "total": len(entries)} | (
        {"entry": entries} if entries else {}
    )


def _observations_missing() -> Json:
    body = request("01-meets")
    del body["prefetch"]["observations"]
    return body


def _observations_failed() -> Json:
    body = request("01-meets")
    text = "The search for Observations took too long."
    issue = {"severity": "error", "code": "timeout", "diagnostics": text}
    body["prefetch"]["observations"] = {"resourceType": "OperationOutcome", "issue": [issue]}
    return body


def _incomplete() -> Json:
    """From a client that says null where it found nothing."""
    body = request("28-us-core-diagnosis-codes-only")
    body["prefetch"] = {
        key: None if value.get("total") == 0 else value for key, value in body["prefetch"].items()
    }
    return body


REQUEST_FILES: dict[str, Callable[[], Json]] = {
    "meets": lambda: request("01-meets"),
    "outside": lambda: request("02-ki67-12-percent"),
    "not-yet": lambda: request("04-progression-in-july"),
    "incomplete": _incomplete,
    "no-net": lambda: request("29-no-net"),
    "observations-missing": _observations_missing,
    "observations-failed": _observations_failed,
}


# --- files --------------------------------------------------------------------------------------------------

_LARGE = 500  # entries; a larger chart is written one entry a line


def written(bundle: Json) -> str:
    """The text of a file."""
    if len(bundle.get("entry", [])) < _LARGE:
        return json.dumps(bundle, indent=2, ensure_ascii=False) + "\n"
    head = json.dumps({**bundle, "entry": []}, ensure_ascii=False).removesuffix("]}")
    lines = (json.dumps(entry, ensure_ascii=False, separators=(",", ":")) for entry in bundle["entry"])
    return head + "\n" + ",\n".join(lines) + "\n]}\n"


def files() -> dict[Path, str]:
    """Every file that belongs to `sample_bundles`, except its README, with its text."""
    bundles = {BUNDLES / f"{file}.json": written(make().bundle()) for file, make in SAMPLES.items()}
    return bundles | {REQUESTS / f"{file}.json": written(make()) for file, make in REQUEST_FILES.items()}


def golden_files() -> dict[Path, str]:
    """The assessment of every sample under the default policy, as the real code renders it."""
    return {GOLDEN / f"{file}.json": golden(written(make().bundle())) for file, make in SAMPLES.items()}


def golden(text: str) -> str:
    """What the default policy says of one chart on the day of evaluation, as JSON."""
    # Imported here because charts are made without anything that reads or decides.
    from cds_service.eligibility.evaluation import assess  # noqa: PLC0415
    from cds_service.eligibility.policy import policies  # noqa: PLC0415
    from cds_service.eligibility.rendering import as_json  # noqa: PLC0415
    from fhir_mappings.mapping import read_facts  # noqa: PLC0415
    from fhir_mappings.record import read_file  # noqa: PLC0415

    chosen, *others = policies()
    (record,) = read_file(text.encode())
    assessment = assess(read_facts(record, EVALUATED_ON), chosen, EVALUATED_ON, tuple(others))
    rendered = as_json(assessment)
    document = json.loads(rendered) if isinstance(rendered, str | bytes) else rendered
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def differences() -> list[str]:
    """The files that are missing, stale, or not made here."""
    wanted = files()
    present = {*BUNDLES.glob("*.json"), *REQUESTS.glob("*.json")}
    stale = {
        path
        for path, text in wanted.items()
        if path not in present or path.read_text(encoding="utf-8") != text
    }
    return sorted(str(path.relative_to(ROOT)) for path in stale | (present - wanted.keys()))


def write(texts: dict[Path, str]) -> None:
    """Write files, and their folders where they are missing."""
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")


def main(arguments: list[str]) -> int:
    """Do what the command line asks; the exit code."""
    if arguments == ["--check"]:
        stale = differences()
        sys.stderr.writelines(f"{name} differs: run python -m tests.samples.generate\n" for name in stale)
        return bool(stale)
    if arguments == ["--golden"]:
        write(golden_files())
        return 0
    if arguments:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    write(files())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
