"""Assessments, samples and policies for a terminal: text of a record without markup or control codes."""

import re
import shlex
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cds_service.demo.fhir import PREFIX as DEMO_FHIR
from cds_service.eligibility.assessment import Assessment, Caveat, CriterionResult
from cds_service.eligibility.policy import Citation, Policy
from cds_service.eligibility.verdict import Answer, Verdict
from cds_service.hooks.detail import ANSWERS, FLAGS
from cds_service.hooks.services import SERVICES
from cds_service.hooks.text import one_line

_VERDICT_STYLES = {
    Verdict.NOT_APPLICABLE: "dim",
    Verdict.OUTSIDE: "yellow",
    Verdict.NOT_YET: "cyan",
    Verdict.BORDERLINE: "magenta",
    Verdict.RESECTION_FIRST: "blue",
    Verdict.INCOMPLETE: "cyan",
    Verdict.MEETS: "green",
}
_ANSWER_STYLES = {Answer.MET: "green", Answer.NOT_MET: "yellow", Answer.UNKNOWN: "cyan"}

_JUDGED: Final = " (judgement)"  # at the end of a sentence of a note that no source says
_SENTENCES: Final = re.compile(r"(?<=\.) (?=[A-Z])")

SANDBOX: Final = "https://sandbox.cds-hooks.org/"


def safe(text: object, style: str = "") -> Text:
    """Any text as one line without control characters, which could rewrite the screen."""
    return Text(one_line(str(text)), style=style)


def show_assessment(name: str, assessment: Assessment) -> None:
    """Print one patient: the verdict, the criteria, what is missing, the dates."""
    verdict = assessment.verdict
    heading = (verdict.heading, f"bold {_VERDICT_STYLES[verdict]}")
    console = _console()
    console.print(safe(f"{name}  {assessment.patient}", "bold"))
    console.print(Text.assemble("  ", heading, ": ", safe(assessment.headline)))
    if assessment.criteria:
        console.print(Padding(_criteria(assessment.criteria), (0, 0, 0, 2)))
    for title, lines in _sections(assessment):
        if lines:
            console.print(Padding(_section(title, lines), (0, 0, 0, 2)))
    console.print(
        safe(
            f"  {assessment.policy_title}, version {assessment.policy_version}, on {assessment.evaluated_on}"
        )
    )
    console.print()


def _criteria(criteria: Iterable[CriterionResult]) -> Table:
    table = _table("Criterion", "Answer", "Recorded", "Dated", "Limit", whole=("Answer", "Dated"))
    for item in criteria:
        flags = ", ".join(FLAGS[flag] for flag in item.flags)
        answer = Text(ANSWERS[item.answer], style=_ANSWER_STYLES[item.answer])
        if flags:
            answer.append(f" ({flags})", style="dim")
        table.add_row(
            safe(item.label), answer, safe(item.value or "–"), safe(item.dated or "–"), safe(item.limit)
        )
    return table


def _sections(assessment: Assessment) -> Iterator[tuple[str, list[str]]]:
    yield "To discuss first", [item.reason for item in assessment.considerations]
    yield "Also on record", [_with_labels(item) for item in assessment.caveats]
    yield "Not met", [_with_remedy(c) for c in assessment.criteria if c.answer is Answer.NOT_MET]
    yield "Missing", [_with_remedy(c) for c in assessment.criteria if c.answer is Answer.UNKNOWN]
    yield "Note", list(assessment.warnings)
    yield "Dates", list(_dates(assessment))
    yield (
        "Other guidance",
        [f"{d.policy_title}, {d.label}: {ANSWERS[d.answer]}. {d.reason}" for d in assessment.differences],
    )
    yield "Orders", list(_orders(assessment))
    yield "Not assessed", list(assessment.not_assessed)
    yield "Could not be read", [f"{issue.reference}: {issue.problem}" for issue in assessment.issues]
    yield "Left out, because it names another patient", list(assessment.foreign)
    yield "Read after mending", [f"{m.reference}, {m.element}: {m.mended}" for m in assessment.mendings]


def _with_labels(caveat: Caveat) -> str:
    labels = "; ".join(item.display or item.code or item.reference for item in caveat.evidence)
    return f"{caveat.reason} ({labels})" if labels else caveat.reason


def _with_remedy(criterion: CriterionResult) -> str:
    remedy = f" -> {criterion.remedy}" if criterion.remedy else ""
    return f"{criterion.label}: {criterion.reason}{remedy}"


def _orders(assessment: Assessment) -> Iterator[str]:
    for kind in assessment.orders_in_doubt:
        yield f"{kind.replace('-', ' ')}: whether one is already active is not known"
    for item in assessment.orders_placed:
        yield f"{item.evidence.reference}, {item.reason}"
    for item in assessment.orders_set_aside:
        yield f"{item.evidence.reference}, not counted as ordered: {item.reason}"


def _dates(assessment: Assessment) -> Iterator[str]:
    if assessment.resolves_on:
        yield f"time-bound criteria can be met from {assessment.resolves_on}"
    if assessment.ages_out_on:
        earliest = "" if assessment.ages_out_exactly else " at the earliest"
        yield f"the age limit, which is relative, is passed on {assessment.ages_out_on}{earliest}"
    yield from (
        f"{c.label}: the study goes out of date on {c.stale_on}" for c in assessment.criteria if c.stale_on
    )


def _section(title: str, lines: Iterable[str]) -> RenderableType:
    return Group(Text(title, style="bold"), *(safe(f"- {line}") for line in lines))


def show_samples(rows: Iterable[tuple[str, str, list[Assessment]]], on: date) -> None:
    """Print the samples: file, question, verdict."""
    table = _table("File", "Question", "Answer")
    table.title = f"Sample patients, assessed on {on}"
    for name, question, assessments in rows:
        answers = Text("\n").join(_verdict_line(assessment) for assessment in assessments)
        table.add_row(safe(name), safe(question), answers)
    _console().print(table)


def _verdict_line(assessment: Assessment) -> Text:
    verdict = assessment.verdict
    return Text.assemble((verdict.heading, _VERDICT_STYLES[verdict]), ": ", safe(assessment.headline))


def show_openness() -> None:
    """Say loudly that nobody is asked who they are."""
    warning = "OPEN MODE: whoever reaches this address is answered, and nothing is kept. Never use it with real patients."
    _console().print(Text(warning, style="bold red"))


def show_address(host: str, port: int) -> None:
    """Print where the service can be called."""
    base = f"{origin(host, port)}/cds-services"
    console = _console()
    console.print(safe(f"Discovery: GET  {base}"), soft_wrap=True)
    for service in SERVICES:
        console.print(safe(f"Service:   POST {base}/{service.id}"), soft_wrap=True)
    console.print(Text("Ctrl-C ends it."))


def show_ehr(host: str, port: int, path: str) -> None:
    """Print where the demonstration's EHR is opened."""
    _console().print(
        Text.assemble("Open in a browser: ", (f"{origin(host, port)}{path}", "bold")), soft_wrap=True
    )


def show_call(host: str, port: int, request: Path | None) -> None:
    """Print a command that returns a card."""
    if request is None:
        return
    address = f"{origin(host, port)}/cds-services/{SERVICES[0].id}"
    console = _console()
    console.print(Text("A card:"))
    body = shlex.quote(f"@{request}")
    command = f"curl -sS -H 'Content-Type: application/json' --data-binary {body} {address}"
    console.print(safe(command, "bold"), soft_wrap=True)


def show_sandbox(host: str, port: int, patient: str) -> None:
    """Print where the sample patients are served, and the link that shows one in the public CDS Hooks Sandbox."""
    console = _console()
    console.print(safe(f"FHIR:      GET  {origin(host, port)}{DEMO_FHIR}/Patient"), soft_wrap=True)
    console.print(Text("The CDS Hooks Sandbox with one of them (README, “Try it in the CDS Hooks Sandbox”):"))
    console.print(safe(sandbox_link(host, port, patient), "bold"), soft_wrap=True)


def sandbox_link(host: str, port: int, patient: str) -> str:
    """The address that opens the public sandbox on a sample patient and on this service (cds-hooks.md 9.2)."""
    parameters = {
        "fhirServiceUrl": f"{origin(host, port)}{DEMO_FHIR}",
        "patientId": patient,
        "hook": "patient-view",
        "screen": "patient-view",
        "serviceDiscoveryURL": f"{origin(host, port)}/cds-services",
    }
    return f"{SANDBOX}?{urlencode(parameters)}"


def show_policy(policy: Policy) -> None:
    """Print the criteria of a policy, each with its citation, how far that was verified, and what of it is ours."""
    console = _console()
    console.print(safe(f"{policy.id}  {policy.title}, version {policy.version}", "bold"))
    console.print(safe(policy.status))
    for line in _cited(policy.citation):
        console.print(safe(line))
    for rule in policy.rules:
        console.print(Text.assemble("  ", (one_line(rule.label), "bold"), ": ", safe(rule.limit)))
        _show_lines(console, _cited(rule.citation))
        for site, override in rule.overrides.items():
            first, *others = _cited(override.citation)
            _show_lines(console, [f"Site {site}, {override.portal_class}: {first}", *others])
    for exemption in policy.exemptions:
        console.print(Text.assemble("  ", (one_line(exemption.criterion), "bold"), ": not asked"))
        _show_lines(console, _cited(exemption.citation))
    console.print(
        Text.assemble("  ", ("Orders", "bold"), f": count as placed for {policy.orders.months} months")
    )
    _show_lines(console, _cited(policy.orders.citation))
    console.print()


def _show_lines(console: Console, lines: Iterable[str]) -> None:
    for line in lines:
        console.print(Padding(safe(line, "dim"), (0, 0, 0, 6)))


def _cited(citation: Citation) -> list[str]:
    """A citation and what a reader should know about it; each sentence that is a judgement of ours says so first."""
    sentences = [item for item in _SENTENCES.split(citation.note) if item]
    ours = [item for item in sentences if _JUDGED in item]
    limit = ", but for what is our own judgement" if ours and citation.verification != "judgement" else ""
    told = [item for item in sentences if item not in ours]
    return [
        f"{citation.text} ({citation.verification}{limit})",
        *([" ".join(told)] if told else []),
        *(f"Our own judgement: {item.replace(_JUDGED, '')}" for item in ours),
    ]


def _table(*columns: str, whole: Iterable[str] = ()) -> Table:
    """A table whose columns wrap, but for those named in `whole` (the first one, where none is named)."""
    table = Table(show_edge=False, pad_edge=False, header_style="bold", title_justify="left")
    kept = tuple(whole) or columns[:1]
    for column in columns:
        table.add_column(column, no_wrap=column in kept, overflow="fold")
    return table


def origin(host: str, port: int) -> str:
    """The address of a server on this machine, without a path."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _console() -> Console:
    return Console(highlight=False, markup=False, emoji=False)
