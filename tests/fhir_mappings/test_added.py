"""A record with more in it reads as if everything had been sent at once, and says as before how much arrived."""

from fhir_mappings.added import with_resources
from fhir_mappings.mapping import read_facts
from tests.builders import TODAY, facts_of, ki67, net, patient, record_of, response

STABLE = response("http://snomed.info/sct|359746009", id="sd")
KI67 = ki67(4, id="k")


def test_what_is_added_is_read_like_what_was_sent() -> None:
    added = with_resources(record_of(net(id="n")), [KI67, STABLE])
    assert read_facts(added, TODAY) == facts_of(net(id="n"), KI67, STABLE)


def test_nothing_added_changes_nothing() -> None:
    assert read_facts(with_resources(record_of(net(id="n")), []), TODAY) == facts_of(net(id="n"))


def test_what_is_added_to_what_was_added_is_read_too() -> None:
    once = with_resources(record_of(net(id="n")), [KI67])
    assert read_facts(with_resources(once, [STABLE]), TODAY) == facts_of(net(id="n"), KI67, STABLE)


def test_another_patient_s_resource_stays_another_s() -> None:
    foreign = KI67 | {"subject": {"reference": "Patient/other"}}
    facts = read_facts(with_resources(record_of(patient(), net(id="n")), [foreign]), TODAY)
    assert facts.ki67_percent.value is None
    assert facts.foreign == ("Observation/k",)


def test_how_much_arrived_stays_as_it_was() -> None:
    record = record_of(net(id="n"))
    assert with_resources(record, [KI67]).parts == record.parts
