"""An id that FHIR does not allow is named without being markup, and still links what it linked."""

import pytest

from fhir_mappings.facts import Tissue
from fhir_mappings.reference import encoded, is_reference
from tests.builders import SCT, facts_of, ki67, net, ref, specimen


@pytest.mark.parametrize("text", ["a", "A-1.b", "0", "n" * 64])
def test_an_id_that_fhir_allows_stands_as_it_is(text: str) -> None:
    assert encoded(text) == text
    assert is_reference(f"Condition/{text}")


@pytest.mark.parametrize("text", ["a b", "a_b", "<b>", "a\n", "a/b", "é", "a%20b", "n" * 65, "é" * 64])
def test_any_other_is_encoded_and_no_reference(text: str) -> None:
    assert encoded(text).isascii()
    assert encoded(text).isprintable()
    assert not set(encoded(text)) & set("<>[]()\"' /\n")
    assert not is_reference(f"Condition/{text}")


def test_different_ids_stay_different() -> None:
    ids = ["a b", "a%20b", "a_b", "n" * 65, "n" * 66, "n" * 64, "n" * 65 + "x"]
    assert len({encoded(item) for item in ids}) == len(ids)


@pytest.mark.parametrize(
    "text", ["", "Condition", "condition/1", "Condition/", "Condition/1/x", "#1", "urn:uuid:1"]
)
def test_what_is_no_type_and_id_is_no_reference(text: str) -> None:
    assert not is_reference(text)


@pytest.mark.parametrize("name", ["liver", "the liver", "l_1", "n" * 80])
def test_what_is_linked_by_an_odd_id_stays_linked(name: str) -> None:
    liver = specimen(f"{SCT}|10200004", id=name)
    fact = facts_of(net(), liver, ki67(5, specimen=ref(liver))).ki67_percent
    assert fact.value is not None
    assert [item.tissue for item in fact.value.readings] == [Tissue.LIVER_METASTASIS]
