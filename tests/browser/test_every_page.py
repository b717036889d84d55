"""Every page, in both themes and at three widths: axe finds nothing serious, and nothing hangs over the side."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.walking import opened, sent, typed
from tests.web.forms import COMPLETE
from tests.web.launches import Ward

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WIDTHS = (320, 820, 1440)
SCHEMES = ("light", "dark")
GRAVE = ("serious", "critical")
TYPED = {name: text for name, text in COMPLETE.items() if text}
WRONG = {
    "ki67_percent.low": "two hundred",
    "ki67_percent.date": "2031-01-01",
    "liver_involvement_percent.date": "x",
}
CHART = "us-core-diagnosis-codes-only"


def judged(page: "Page", axe: Path) -> list[str]:
    """What is wrong with a page, in both themes and at all widths."""
    found = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            found += [f"{scheme} {width}: {one}" for one in (*_violations(page, axe), *_overhanging(page))]
    return found


def _violations(page: "Page", axe: Path) -> list[str]:
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(axe.read_text(encoding="utf-8"))
    result: dict[str, Any] = page.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{one['id']} {node['html'][:160]} {node['failureSummary'][:200]}"
        for one in result["violations"]
        if one["impact"] in GRAVE
        for node in one["nodes"]
    ]


def _overhanging(page: "Page") -> list[str]:
    wider: int = page.evaluate(
        "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return [f"the page is {wider} pixels wider than the window"] if wider > 0 else []


@pytest.mark.parametrize("path", ["", "/assess", "/nowhere", f"/patients/{CHART}/form"])
def test_a_page_of_the_demonstration(browser: "Browser", demo: str, axe: Path, path: str) -> None:
    with opened(browser) as page:
        page.goto(demo + path)
        assert judged(page, axe) == []


@pytest.mark.parametrize("patient", ["meets", CHART, "carcinoid-heart-disease"])
def test_a_chart_with_its_card(browser: "Browser", demo: str, axe: Path, patient: str) -> None:
    with opened(browser) as page:
        page.goto(f"{demo}/patients/{patient}")
        page.wait_for_selector("article.card")
        assert judged(page, axe) == []
        page.click("text=Dismiss …")
        page.click("text=Request and response")
        assert judged(page, axe) == []


@pytest.mark.parametrize(
    "patient",
    [
        "meets",
        "progression-in-july",
        "lung-carcinoid",
        "two-tumours-one-report",
        "resectable",
        CHART,
        "no-net",
    ],
)
def test_an_assessment_with_everything_opened(browser: "Browser", demo: str, axe: Path, patient: str) -> None:
    with opened(browser) as page:
        page.goto(f"{demo}/patients/{patient}/assessment")
        page.evaluate("() => document.querySelectorAll('details').forEach((item) => { item.open = true; })")
        assert judged(page, axe) == []


def test_what_was_pasted_and_cannot_be_read(browser: "Browser", demo: str, axe: Path) -> None:
    with opened(browser) as page:
        page.goto(f"{demo}/assess")
        page.fill("#text", "{ no JSON")
        page.click("button:has-text('Assess')")
        assert page.input_value("#text") == "{ no JSON"
        assert judged(page, axe) == []


@pytest.mark.parametrize("answers", [WRONG, TYPED | {"author": "Dr Example"}])
def test_the_form_with_mistakes_and_with_an_outcome(
    browser: "Browser", demo: str, axe: Path, answers: dict[str, str]
) -> None:
    with opened(browser) as page:
        page.goto(f"{demo}/patients/{CHART}/form")
        typed(page, answers)
        sent(page)
        assert page.locator("#mistakes, #attested-title").count() == 1
        assert judged(page, axe) == []


def test_what_the_ehr_took_and_the_page_after_it(browser: "Browser", house: Ward, axe: Path) -> None:
    with opened(browser) as page:
        page.goto(house.launch())
        page.click("text=Supply what is missing")
        typed(page, TYPED)
        sent(page)
        sent(page, "write")
        assert judged(page, axe) == []
        page.click("text=Assess the record again")
        assert page.locator(".badge--attested").count() > 0
        assert judged(page, axe) == []


def test_what_the_ehr_refused(browser: "Browser", house: Ward, axe: Path) -> None:
    with opened(browser) as page:
        page.goto(house.launch())
        page.click("text=Supply what is missing")
        typed(page, TYPED)
        sent(page)
        house.ehr.write_status = 422
        sent(page, "write")
        assert judged(page, axe) == []
        sent(page, "more")
        assert page.locator('[name="ki67_percent.low"]').input_value() == TYPED["ki67_percent.low"]


def foreign(house: Ward) -> str:
    return house.launch(iss="https://elsewhere.example/fhir")


def declined(house: Ward) -> str:
    house.ehr.error = "access_denied"
    return house.launch()


def scopes(house: Ward) -> str:
    house.ehr.error = "invalid_scope"
    return house.launch()


def other_patient(house: Ward) -> str:
    return house.launch(house.card()["links"][0]["appContext"], patient="somebody-else")


def narrow_token(house: Ward) -> str:
    house.ehr.granted = "launch openid fhirUser patient/Patient.r patient/Condition.rs"
    return house.launch()


def over(house: Ward) -> str:
    return f"{house.origin}/smart/0123456789abcdef"


@pytest.mark.parametrize("way", [foreign, declined, scopes, other_patient, narrow_token, over])
def test_a_launch_that_went_wrong(
    browser: "Browser", house: Ward, axe: Path, way: Callable[[Ward], str]
) -> None:
    with opened(browser) as page:
        page.goto(way(house))
        assert judged(page, axe) == []
