"""Bring public FHIR example records into tests/.records, so that tests can read what others wrote.

    python tests/fetch_records.py

The ordinary `npm pack` brings each package; nothing is installed and no package script runs. A package that
is already there is left alone. Exit code 0: all are there; 1: one could not be had; 2: there is no npm here.
"""

import base64
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

RECORDS = Path(__file__).parent / ".records"
NOT_RECORDS = {"package.json", ".index.json"}
PATIENCE = 600  # seconds for one download


@dataclass(frozen=True)
class Package:
    """One published version and the folder of its examples; a release never changes, nor may its hash."""

    name: str
    version: str
    folder: str
    integrity: str


PACKAGES = (
    Package(
        name="hl7.fhir.us.mcode",
        version="4.0.0",
        folder="package/example",
        integrity="sha512-HJogFi9rQetIUE8gqKFq2tt4I8ukdH3PUCQO5jBiKxYUgh+vrlXvkWkt/XuYOzpNPdfRmsj3LG4UJm5o1g2OlA==",
    ),
    Package(
        name="hl7.fhir.r4.examples",
        version="4.0.1",
        folder="package",
        integrity="sha512-DXBdIZOeQaSKIgCU7w6HOC7sw/6BzylmipLkBW4f//pT+Bc94x+8LImwTdvaNThPJoOzpBzvxAzNqjeu3X/zLw==",
    ),
)


class NotFetchedError(Exception):
    """A package could not be had; the message says why in one line."""


def main() -> int:
    """Fetch what is missing and say so, a sentence for each package."""
    npm = shutil.which("npm")
    if npm is None:
        print("Example records were not fetched: npm is not installed on this machine.", file=sys.stderr)
        return 2
    try:
        for package in PACKAGES:
            print(bring(npm, package))
    except NotFetchedError as error:
        print(f"Example records were not fetched: {error}", file=sys.stderr)
        return 1
    return 0


def bring(npm: str, package: Package) -> str:
    """Have one package's records in place, and return the sentence that tells it."""
    target = RECORDS / package.name
    stamp = target / ".integrity"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == package.integrity:
        return f"{package.name} {package.version} is already in tests/.records/{package.name}."
    RECORDS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=RECORDS) as scratch:
        tarball = packed(npm, package, Path(scratch))
        fresh = Path(scratch) / "fresh"
        count = extract(tarball, package.folder, fresh)
        (fresh / stamp.name).write_text(package.integrity, encoding="utf-8")
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)
    return f"{package.name} {package.version}: {count} records are now in tests/.records/{package.name}."


def packed(npm: str, package: Package, folder: Path) -> Path:
    """Download the tarball and hold it against both the hash that npm reports and the one known here."""
    report = npm_pack(npm, f"{package.name}@{package.version}", folder)
    tarball = folder / Path(report["filename"]).name
    digest = hashlib.sha512(tarball.read_bytes()).digest()
    found = "sha512-" + base64.b64encode(digest).decode("ascii")
    if not found == report["integrity"] == package.integrity:
        message = f"{package.name} {package.version} is not the release that was expected (its hash differs)."
        raise NotFetchedError(message)
    return tarball


def npm_pack(npm: str, spec: str, folder: Path) -> dict[str, str]:
    """Run `npm pack` and return its report on the one package."""
    command = [npm, "pack", "--json", "--ignore-scripts", "--pack-destination", str(folder), spec]
    try:
        done = subprocess.run(  # noqa: S603 - every word of the command is fixed in this file
            command, capture_output=True, text=True, timeout=PATIENCE, check=True
        )
        report: dict[str, str] = json.loads(done.stdout)[0]
    except subprocess.TimeoutExpired:
        message = f"npm did not bring {spec} within {PATIENCE} seconds."
        raise NotFetchedError(message) from None
    except subprocess.CalledProcessError as error:
        raise NotFetchedError(f"npm could not bring {spec} ({complaint(error.stderr)}).") from None
    except (ValueError, LookupError):
        raise NotFetchedError(f"npm's report on {spec} was not understood.") from None
    return report


def complaint(stderr: str) -> str:
    """Return the error code that npm names, or that it gave no reason."""
    codes = (line.removeprefix("npm error code ") for line in stderr.splitlines() if "error code " in line)
    return next(codes, "no reason given")


def extract(tarball: Path, folder: str, target: Path) -> int:
    """Write the records of one folder of the tarball, flat, into `target`, and return how many.

    Only the bytes and the last part of a name leave the tarball, so no path, link or mode in it can do harm.
    (tarfile's own filter="data" came with Python 3.11.4; Debian 12 has 3.11.2.)
    """
    target.mkdir()
    with tarfile.open(tarball, "r:gz") as archive:
        for name, content in records(archive, folder):
            (target / name).write_bytes(content)
    return len(list(target.iterdir()))


def records(archive: tarfile.TarFile, folder: str) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the plain JSON files that lie directly in `folder`."""
    for member in archive:
        path = PurePosixPath(member.name)
        if str(path.parent) != folder or path.suffix != ".json" or path.name in NOT_RECORDS:
            continue
        if member.isfile() and (content := archive.extractfile(member)):
            yield path.name, content.read()


if __name__ == "__main__":
    sys.exit(main())
