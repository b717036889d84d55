"""The patients of the demonstration's EHR: what each asks, and what the service answers on a day."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Final

from cds_service import samples
from cds_service.advisor import Advisor
from cds_service.eligibility.verdict import Verdict
from cds_service.errors import DataError, NotFoundError
from cds_service.web.demo_drafts import Choice, added_problem
from cds_service.web.patient import Banner, banner
from cds_service.web.reading import Reading, read
from fhir_mappings.added import with_resources
from fhir_mappings.record import RecordError, read_file

_GROUPS: Final = (
    Verdict.MEETS,
    Verdict.INCOMPLETE,
    Verdict.BORDERLINE,
    Verdict.NOT_YET,
    Verdict.RESECTION_FIRST,
    Verdict.OUTSIDE,
    Verdict.NOT_APPLICABLE,
)


class Sorting(StrEnum):
    """How the list is sorted."""

    ANSWER = "answer"
    FILE = "file"
    NAME = "name"
    BORN = "born"


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample patient, as it stands in its file."""

    id: str
    file: str
    question: str
    content: bytes

    def reading(self, advisor: Advisor, on: date, problem: Choice | None = None) -> Reading:
        """The sample, read and assessed on a day, as in a call that adds a problem where there is one."""
        record = read_file(self.content)[0]
        added = (added_problem(problem, self.id),) if problem is not None else ()
        return read(with_resources(record, added) if added else record, advisor, on)


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the list."""

    sample: Sample
    banner: Banner
    verdict: Verdict
    headline: str


@dataclass(frozen=True, slots=True)
class Group:
    """Lines under a heading; the heading is empty where the list is not grouped."""

    title: str
    lines: tuple[Listed, ...]


class Samples:
    """All samples of a folder, by the id of the patient."""

    def __init__(self, folder: Path) -> None:
        """Raises DataError for a file that is no sample."""
        questions = samples.questions(folder)
        found = (_sample(path, questions.get(path.name, "")) for path in samples.bundles(folder))
        self._samples = {item.id: item for item in found}

    def find(self, patient: str) -> Sample:
        """The sample with that patient. Raises NotFoundError."""
        if patient not in self._samples:
            raise NotFoundError("There is no patient with that id in the demonstration.")
        return self._samples[patient]

    def listed(self, advisor: Advisor, on: date) -> tuple[Listed, ...]:
        """Every sample with what the service answers on a day, in the order of the files."""
        return tuple(_listed(item, item.reading(advisor, on)) for item in self._samples.values())


def _sample(path: Path, question: str) -> Sample:
    try:
        content = path.read_bytes()
        patient = read_file(content)[0].patient
    except (OSError, RecordError):
        raise DataError(f"{path}: this is no sample patient") from None
    return Sample(patient.removeprefix("Patient/"), path.stem, question, content)


def _listed(sample: Sample, reading: Reading) -> Listed:
    return Listed(sample, banner(reading), reading.assessment.verdict, reading.assessment.headline)


def grouped(lines: Iterable[Listed], sorting: Sorting) -> tuple[Group, ...]:
    """The list under headings: by what is answered, else in one group that is sorted."""
    lines = tuple(lines)
    if sorting is not Sorting.ANSWER:
        return (Group("", tuple(sorted(lines, key=_KEYS[sorting]))),) if lines else ()
    groups = (
        Group(verdict.heading, tuple(item for item in lines if item.verdict is verdict))
        for verdict in _GROUPS
    )
    return tuple(group for group in groups if group.lines)


_KEYS: Final[Mapping[Sorting, Callable[[Listed], str]]] = {
    Sorting.FILE: lambda item: item.sample.file,
    Sorting.NAME: lambda item: item.banner.name.casefold(),
    Sorting.BORN: lambda item: item.banner.born,
}


def matching(lines: Iterable[Listed], words: str) -> tuple[Listed, ...]:
    """The lines that hold every one of some words."""
    wanted = words.casefold().split()
    return tuple(item for item in lines if all(word in searched(item) for word in wanted))


def searched(item: Listed) -> str:
    """What is searched in a line."""
    sample = item.sample
    words = (item.banner.name, sample.id, sample.file, sample.question, item.verdict.heading, item.headline)
    return " ".join(words).casefold()
