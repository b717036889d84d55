"""Markup in a chart never becomes markup on a card, whatever resource it stands in and whichever hook shows it."""

import copy
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhir_mappings.record import PARTS
from tests.hooks.calls import Body, bundle, cards_of
from tests.hooks.test_text import GFM, HOSTILE
from tests.samples.generate import SAMPLES
from tests.service.house import ME, House, house, sample, tenant

CLINIC = "clinic"
LINK = "https://guide.example.org/net?x=1"
OURS = {"p", "strong", "em", "h4", "ul", "li", "hr", "table", "thead", "tbody", "tr", "th", "td"}
WORDS = ("display", "text", "valueString", "conclusion", "title", "unit", "family", "comment", "value")
FILES = tuple(file for file in SAMPLES if "2000" not in file)
TRANSPLANTATION = {"system": "http://snomed.info/sct", "code": "18027006"}
RESECTION = {"system": "http://snomed.info/sct", "code": "61326000"}


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> House:
    folder = tmp_path_factory.mktemp("clinic")
    link = {"label": "Guide", "url": LINK}
    return house(folder, tenant(CLINIC, folder, links=(link,)))


def poisoned(value: Any, words: str, *, with_ids: bool) -> Any:
    """A resource in which every text that a person may have written holds those words."""
    if isinstance(value, list):
        return [poisoned(item, words, with_ids=with_ids) for item in value]
    if not isinstance(value, dict):
        return value
    changed = {name: poisoned(item, words, with_ids=with_ids) for name, item in value.items()}
    for name, item in changed.items():
        if isinstance(item, str) and (name in WORDS or (name == "id" and with_ids)):
            changed[name] = f"{item} {words}"
    return changed


def calls(file: str, words: str, *, with_ids: bool) -> Iterator[tuple[str, Body]]:
    """The poisoned chart, opened, and with orders and a problem that are poisoned too."""
    patient = sample(file)
    prefetch = {key: poisoned(patient.part(key), words, with_ids=with_ids) for key in PARTS}
    prefetch["patient"]["id"] = patient.id
    yield "milan-net-patient-view", patient.call(prefetch)
    context = {"userId": ME, "patientId": patient.id}
    orders = [_order(patient.id, code, words) for code in (TRANSPLANTATION, RESECTION)]
    for order in orders:
        body = patient.call(prefetch, hook="order-sign", context={**context, "draftOrders": bundle(order)})
        yield "milan-net-order-sign", body
    new = poisoned(patient.part("conditions"), words, with_ids=with_ids)
    body = patient.call(prefetch, hook="problem-list-item-create", context={**context, "conditions": new})
    yield "milan-net-problem-list-item-create", body


def _order(patient: str, code: Body, words: str) -> Body:
    return {
        "resourceType": "ServiceRequest",
        "id": f"draft {words}",
        "status": "draft",
        "intent": "order",
        "code": {"coding": [code | {"display": words}], "text": words},
        "subject": {"reference": f"Patient/{patient}", "display": words},
    }


def tags(html: str) -> set[str]:
    return {tag.strip("/ ") for tag in re.findall(r"<([^>]*)>", html)}


def assert_harmless(card: Body) -> None:
    assert tags(GFM.render(card["detail"])) <= OURS
    suggestions = card.get("suggestions", [])
    plain = [card["summary"], card["source"]["label"], card["source"]["topic"]["display"]]
    plain += [suggestion["label"] for suggestion in suggestions]
    plain += [action["description"] for suggestion in suggestions for action in suggestion["actions"]]
    for text in plain:
        assert not re.search(r"<[A-Za-z/!?]|[\x00-\x1f\u2028\u202e]|\]\(", text), text
    assert [link["url"] for link in card["links"]] == [LINK]


def assert_all_harmless(clinic: House, file: str, words: str, *, with_ids: bool) -> int:
    """How many cards there were, all of them harmless."""
    found = [
        card
        for service, body in calls(file, words, with_ids=with_ids)
        for card in cards_of(clinic.post(CLINIC, f"/cds-services/{service}", copy.deepcopy(body)))
    ]
    for card in found:
        assert_harmless(card)
    return len(found)


@pytest.mark.parametrize("file", FILES)
def test_every_sample_with_markup_in_all_its_words_gives_harmless_cards(clinic: House, file: str) -> None:
    words = "<img src=x onerror=alert(1)> [x](javascript:alert(1)) www.evil.test a@evil.test **b** | `c`\n# d"
    assert_all_harmless(clinic, file, words, with_ids=False)


@given(
    file=st.sampled_from(FILES), words=st.sampled_from(HOSTILE) | st.text(max_size=40), with_ids=st.booleans()
)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_words_in_any_place_become_markup(clinic: House, file: str, words: str, *, with_ids: bool) -> None:
    assert_all_harmless(clinic, file, words, with_ids=with_ids)


def test_there_are_cards_to_look_at_for_every_hook(clinic: House) -> None:
    assert assert_all_harmless(clinic, "02-ki67-12-percent", "x", with_ids=False) >= 3
