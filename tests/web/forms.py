"""Fills in the form for tests, as a browser would send it, and reads the record together with the answers."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from cds_service.advisor import Advisor, create_advisor
from cds_service.settings import Settings
from cds_service.web.answers import Answers, parse, what_if
from cds_service.web.reading import Reading, read
from fhir_mappings.record import read_file
from tests.builders import ICD_CM, TODAY, Json, condition, net, record_of

SAMPLES = Path(__file__).parents[2] / "sample_bundles"
ADVISOR: Advisor = create_advisor(Settings())
AUTHOR = {"author": "Dr Example"}
BARE = (net(id="net"), condition(f"{ICD_CM}|C7B.02", id="mets"))  # a NET of the ileum with liver metastases
UNSITED = (net(f"{ICD_CM}|C7A.00", id="net"), condition(f"{ICD_CM}|C7B.02", id="mets"))


def reading_of(*resources: Json, on: date = TODAY) -> Reading:
    """A record of patient `p`, read and assessed."""
    return read(record_of(*resources), ADVISOR, on)


def sample(name: str, on: date = TODAY) -> Reading:
    """A sample patient."""
    (record,) = read_file((SAMPLES / f"{name}.json").read_bytes())
    return read(record, ADVISOR, on)


def fill(reading: Reading, form: Mapping[str, str]) -> Answers:
    """The form, sent by a named author."""
    return parse(AUTHOR | dict(form), reading, reading.assessment.evaluated_on)


def then(reading: Reading, form: Mapping[str, str]) -> Reading:
    """What the record says with the answers, which have to be without mistakes."""
    answers = fill(reading, form)
    assert answers.errors == {}
    return what_if(reading, answers, ADVISOR)


def answer(fact: str, row: int = 0, **values: str) -> dict[str, str]:
    """The fields of one question, or of one line of it; dated a month ago unless told otherwise."""
    given = {"date": "2026-10-20"} | values
    middle = f".{row}" if row else ""
    return {f"{fact}{middle}.{name}": value for name, value in given.items()}


COMPLETE = {
    **answer("differentiation", value="net-g1", date="2025-10-02"),
    **answer("ki67_percent", low="2,5", tissue="liver", date="2025-10"),
    **answer("primary_resection", performed="recorded", residual="r0", date=""),
    **answer("liver_involvement_percent", band="11-25"),
    **answer("extrahepatic_disease", value="absent", method="sstr-pet"),
    **answer("disease_response", row=1, value="stable", date="2026-02-01"),
    **answer("disease_response", row=2, value="stable"),
    **answer("liver_resectability", value="unresectable"),
}
"""What the sample with diagnosis codes only lacks."""
