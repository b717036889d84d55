"""Residual tumour after the resection of the primary: R classification and margins, each of its own operation."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fhir_mappings.chart import Chart
from fhir_mappings.facts import Discarded, Evidence, Note, ResidualStatus
from fhir_mappings.labels import answers_in
from fhir_mappings.readers.histology import Tumour
from fhir_mappings.readers.presence import UNKNOWN_ANSWER, has_value, is_unknown_answer, stated_presence
from fhir_mappings.readers.tumour_links import REFUSALS, links, tissue_of
from fhir_mappings.relevance import contradicted, labels
from fhir_mappings.resource import Resource, Use, codings, written
from fhir_mappings.when import PartialDate

_RESIDUALS: Mapping[str, ResidualStatus] = {
    "residual-r2": ResidualStatus.R2,
    "residual-r1": ResidualStatus.R1,
    "residual-r0": ResidualStatus.R0,
    "residual-rx": ResidualStatus.NOT_STATED,
}
_WORST = (ResidualStatus.R2, ResidualStatus.R1, ResidualStatus.NOT_STATED, ResidualStatus.R0)
_CODES = frozenset({"residual-status-code", "margin-status-code"})
_SUCCESS = "outcome-successful"  # of an operation, and no word of what it left behind
_SURGERY = frozenset({"liver-resection", "procedure-liver"})


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation that may have removed the primary, and which of the primary sites it covers."""

    resource: Resource
    covers: frozenset[str]
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Residual:
    """The residual status over all operations that removed a primary, with what it rests on."""

    status: ResidualStatus
    evidence: tuple[Evidence, ...] = ()
    discarded: tuple[Discarded, ...] = ()
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class _Statement:
    """What one element says of an operation; `margin` names the margin that it speaks of, "" the whole."""

    status: ResidualStatus
    evidence: Evidence
    operation: str
    margin: str = ""
    doubt: str = ""


def residual_status(chart: Chart, operations: Sequence[Operation]) -> Residual:
    """The worst status that is stated; R0 only where every primary's operation has it (clinical.md 1.5).

    A tumour-free margin is R0 where it is that of the whole specimen, or both the proximal and the distal one are free;
    tumour at any margin is R1.
    """
    results = [*_outcomes(chart, operations), *_observed(chart, operations)]
    statements = [item for item in results if isinstance(item, _Statement)]
    firm = [item for item in statements if not item.doubt]
    doubts = [item for item in statements if item.doubt]
    discarded = tuple(item for item in results if isinstance(item, Discarded))
    discarded += tuple(Discarded(item.evidence, item.doubt) for item in doubts)
    stated = _overall(operations, firm)
    with_doubts = _overall(operations, [*firm, *doubts])
    is_doubted = _WORST.index(with_doubts) < _WORST.index(stated)
    status = ResidualStatus.NOT_STATED if is_doubted and stated is ResidualStatus.R0 else stated
    return Residual(
        status,
        tuple(item.evidence for item in firm if item.status is status),
        discarded,
        _notes(firm, is_doubted=is_doubted),
    )


def _notes(firm: Sequence[_Statement], *, is_doubted: bool) -> tuple[Note, ...]:
    found = (
        (
            len({item.status for item in firm}) > 1,
            "residual-conflict",
            "Statements of the residual status differ; the worst counts.",
        ),
        (is_doubted, "unconfirmed", "An unconfirmed statement of the residual status is worse."),
    )
    return tuple(Note(flag, text) for holds, flag, text in found if holds)


def _overall(operations: Sequence[Operation], statements: Sequence[_Statement]) -> ResidualStatus:
    own = {
        item.resource.reference: _of_operation(
            [said for said in statements if said.operation == item.resource.reference]
        )
        for item in operations
    }
    bad = [status for status in own.values() if status in (ResidualStatus.R2, ResidualStatus.R1)]
    if bad:
        return min(bad, key=_WORST.index)
    cleared = frozenset().union(
        *(item.covers for item in operations if own[item.resource.reference] is ResidualStatus.R0)
    )
    needed = frozenset().union(*(item.covers for item in operations))
    return ResidualStatus.R0 if needed and needed <= cleared else ResidualStatus.NOT_STATED


def _of_operation(said: Sequence[_Statement]) -> ResidualStatus:
    free = {item.margin for item in said if item.status is ResidualStatus.R0}
    bad = [item.status for item in said if item.status in (ResidualStatus.R2, ResidualStatus.R1)]
    if bad:
        return min(bad, key=_WORST.index)
    return ResidualStatus.R0 if "" in free or free >= {"proximal", "distal"} else ResidualStatus.NOT_STATED


def _outcomes(chart: Chart, operations: Sequence[Operation]) -> Iterator[_Statement | Discarded]:
    for operation in operations:
        item, outcome = operation.resource, operation.resource.data.get("outcome")
        meanings = chart.meanings(outcome)
        named = [status for name, status in _RESIDUALS.items() if name in meanings]
        if named and contradicted(outcome, chart.terminology):
            doubt = "its words say something else than its code means"
            yield _Statement(ResidualStatus.R2, item.evidence("outcome"), item.reference, doubt=doubt)
        elif named:
            for status in named:
                yield _Statement(status, item.evidence("outcome", str(status)), item.reference)
        elif (code := _written(outcome)) and is_unknown_answer(chart, outcome) and _SUCCESS not in meanings:
            evidence = item.evidence("outcome", code)
            yield _Statement(ResidualStatus.R2, evidence, item.reference, doubt=UNKNOWN_ANSWER)
        else:
            yield from _in_words(item, outcome)


def _written(outcome: object) -> str | None:
    """The first code of an outcome, as written; None where it is given in words only."""
    return next(filter(None, map(written, codings(outcome))), None)


def _in_words(item: Resource, outcome: object) -> Iterator[_Statement | Discarded]:
    """A residual status in words: no value, but one that is worse than R0 takes certainty away."""
    words = " ".join(labels(outcome)) if isinstance(outcome, Mapping) else ""
    named = [status for name, status in _RESIDUALS.items() if name in answers_in("residual status", words)]
    reason, evidence = "a residual status in words only", item.evidence("outcome", words)
    if named and named != [ResidualStatus.R0]:
        yield _Statement(named[0], evidence, item.reference, doubt=reason)
    elif named:
        yield Discarded(evidence, reason)


def _observed(chart: Chart, operations: Sequence[Operation]) -> Iterator[_Statement | Discarded]:
    found = chart.find(_CODES, "Observation")
    yield from found.discarded
    for item in (*found.usable, *found.candidates):
        tumour = links(chart).tumour_of(item)
        operation = _operation_of(chart, item, operations)
        lone = None if operation else _only_operation(chart, item, operations)
        if lone is not None and tumour is not Tumour.OTHER and has_value(item):
            yield from _read(chart, item, lone, item.why or _TOO_EARLY)
        elif tumour is Tumour.OTHER or operation is None:
            reason = REFUSALS[tumour] if tumour is Tumour.OTHER else "speaks of another operation"
            yield Discarded(item.value_evidence(), reason)
        elif not has_value(item):
            yield Discarded(item.value_evidence(), "states no value")
        else:
            is_named = operation in _operations_named(chart, item)
            doubt = item.why or ("" if is_named else REFUSALS.get(tumour, ""))
            yield from _read(chart, item, operation, doubt)


def _read(chart: Chart, item: Resource, operation: str, doubt: str) -> Iterator[_Statement | Discarded]:
    evidence = item.value_evidence()
    if "margin-status-code" in item.meanings:
        status = _margin_status(chart, item)
        if status is not None:
            yield _Statement(status, evidence, operation, _margin(item), doubt)
        elif _may_be_bad(chart, item):
            yield _Statement(ResidualStatus.R1, evidence, operation, doubt=doubt or UNKNOWN_ANSWER)
        else:
            yield Discarded(evidence, "says neither that the margin is free nor that it is not")
        return
    named = [status for name, status in _RESIDUALS.items() if name in chart.meanings(item.coded_value)]
    for status in named:
        yield _Statement(status, evidence, operation, doubt=doubt)
    if not named and is_unknown_answer(chart, item.coded_value):
        yield _Statement(ResidualStatus.R2, evidence, operation, doubt=doubt or UNKNOWN_ANSWER)
    elif not named:
        yield Discarded(evidence, "no residual status that can be read")


def _may_be_bad(chart: Chart, item: Resource) -> bool:
    """Whether an answer about a margin that is neither yes nor no may be a yes."""
    answers = (item.coded_value, *(item.data.get("interpretation") or ()))
    return any(is_unknown_answer(chart, concept) for concept in answers)


def _margin_status(chart: Chart, item: Resource) -> ResidualStatus | None:
    if "margin-negative" in chart.meanings(item.coded_value):
        return ResidualStatus.R0
    answer = stated_presence(chart, item)
    return None if answer is None else ResidualStatus.R1 if answer else ResidualStatus.R0


def _margin(item: Resource) -> str:
    if "margin-proximal-code" in item.meanings:
        return "proximal"
    return "distal" if "margin-distal-code" in item.meanings else ""


def _operation_of(chart: Chart, item: Resource, operations: Sequence[Operation]) -> str | None:
    """The operation that a statement belongs to: the one it names, else the last one by its day.

    An operation on the liver that lies between is not the primary's, and neither is a margin of liver tissue.
    """
    ours = {operation.resource.reference for operation in operations}
    if named := _operations_named(chart, item):
        return next(iter(sorted(named & ours)), None)
    if "body-site-liver" in tissue_of(chart, item):
        return None
    others = chart.find(_SURGERY, "Procedure").usable
    surgery = [*(operation.resource for operation in operations), *others]
    before = [one for one in surgery if _may_follow(item, one)]
    before = before or [one for one in surgery if _may_follow(item, one, _A_DAY)]
    latest = max(before, key=_last_day, default=None)
    is_open = any(None in (one.date, item.date) for one in before if one.reference not in ours)
    if latest is None or is_open:
        return None
    return latest.reference if latest.reference in ours else None


_A_DAY = 1  # the hours between two clocks, where one gives a day and the other a time of another zone
_TOO_EARLY = "dated before the only operation on record"


def _only_operation(chart: Chart, item: Resource, operations: Sequence[Operation]) -> str | None:
    """The one operation on record, of which a statement that is dated before it may speak after all."""
    surgery = {one.reference for one in chart.find(_SURGERY, "Procedure").usable}
    surgery |= {operation.resource.reference for operation in operations}
    if _operations_named(chart, item) or "body-site-liver" in tissue_of(chart, item) or len(surgery) != 1:
        return None
    return next((operation.resource.reference for operation in operations), None)


def _operations_named(chart: Chart, item: Resource) -> set[str]:
    parts = {chart.target(reference) for reference in item.data.get("partOf") or ()}
    return {reference for reference in parts if reference.startswith("Procedure/")}


def _may_follow(item: Resource, operation: Resource, days: int = 0) -> bool:
    if operation.is_negated or operation.use is not Use.USE:
        return False
    return item.date is None or operation.date is None or _is_by(operation.date, item.date, days)


def _is_by(first: PartialDate, then: PartialDate, days: int) -> bool:
    """Whether a day may lie on another or after it, or at most some days before."""
    return first.earliest.toordinal() - then.latest.toordinal() <= days


def _last_day(item: Resource) -> tuple[int, str]:
    return (item.date.earliest.toordinal() if item.date is not None else 0, item.reference)
