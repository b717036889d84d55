"""The demonstration's EHR: its list and its charts, on the day that is asked about, and nowhere but in a demonstration."""

import json
import re
import subprocess
from importlib.resources import files

import pytest
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.demo.day import ON as HEADER
from cds_service.demo.fhir import TOLD
from cds_service.eligibility.verdict import Verdict
from cds_service.samples import questions
from cds_service.settings import Settings
from cds_service.tenants import open_tenants
from cds_service.web.demo_charts import SHOWN, sections
from cds_service.web.demo_drafts import added_problem, catalogue
from fhir_mappings.drafted import DraftKind, drafted_orders, names_the_tumour
from fhir_mappings.valueset import terminology
from tests.hooks.calls import HOOK_INSTANCE, ON, SERVICE, call, cards_of, chart, outcome_of
from tests.node import program
from tests.web.demonstration import PATIENTS, demonstration, page_of, shared
from tests.web.pages import SAMPLES

SCRIPT = (files("cds_service") / "static" / "demo.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    return shared().test_client()


# --- the list ---


def test_the_list_shows_every_sample_with_its_question_and_its_chart(client: FlaskClient) -> None:
    page = page_of(client.get("/demo"))
    addresses = {item["href"] for item in page.named("a")}
    assert {f"/demo/patients/{patient}" for patient in PATIENTS} <= addresses
    for question in [asked for file, asked in questions(SAMPLES).items() if (SAMPLES / file).is_file()]:
        assert question in page.text
    assert f"{len(PATIENTS)} patients, assessed on {ON}" in page.text


def test_the_list_is_grouped_by_what_the_service_answers_on_the_day(client: FlaskClient) -> None:
    page = page_of(client.get("/demo"))
    order = ("meets", "incomplete", "borderline", "not-yet", "resection-first", "outside", "not-applicable")
    places = [page.text.index(Verdict(name).heading) for name in order]
    assert places == sorted(places)
    later = page_of(client.get("/demo?on=2027-01-01&q=progression-in-july"))
    assert Verdict.INCOMPLETE.heading in later.text
    before = page_of(client.get("/demo?on=2026-12-31&q=progression-in-july"))
    assert Verdict.NOT_YET.heading in before.text


def test_every_verdict_has_a_heading_of_its_own() -> None:
    assert len({verdict.heading for verdict in Verdict}) == len(Verdict)


def test_the_search_finds_every_word_in_any_order(client: FlaskClient) -> None:
    assert "1 patient, assessed" in page_of(client.get("/demo?q=refuted+BONE")).text
    nothing = page_of(client.get("/demo?q=<b>zebra</b>"))
    assert "No patient matches" in nothing.text
    assert not nothing.named("b")


@pytest.mark.parametrize("by", ["file", "name", "born", "answer", "nonsense", ""])
def test_the_list_can_be_sorted_and_loses_nobody(client: FlaskClient, by: str) -> None:
    page = page_of(client.get(f"/demo?by={by}"))
    assert len([item for item in page.named("tr") if "data-searched" in item]) == len(PATIENTS)


def test_the_list_sorted_by_birth_date_begins_with_the_oldest(client: FlaskClient) -> None:
    rows = re.findall(r'demo-born nowrap">([\d-]+)<', client.get("/demo?by=born").text)
    assert rows == sorted(rows)


# --- the charts ---


@pytest.mark.parametrize("patient", PATIENTS)
def test_every_chart_is_shown_and_leads_to_its_assessment_without_a_script(
    client: FlaskClient, patient: str
) -> None:
    page = page_of(client.get(f"/demo/patients/{patient}"))
    address = f"/demo/patients/{patient}/assessment?on={ON}"
    assert address in {item["href"] for item in page.named("a")}
    assert patient in page_of(client.get(address)).text


def test_a_chart_shows_every_resource_that_is_read(client: FlaskClient) -> None:
    text = page_of(client.get("/demo/patients/meets")).text
    for said in ("Malignant carcinoid tumor of ileum", "2 %", "30 %", "Ileocolic resection", "Core biopsy"):
        assert said in text
    assert "(disorder)" not in text


def test_a_long_chart_opens_with_what_is_newest() -> None:
    content = (SAMPLES / "19-chart-of-2000-resources.json").read_bytes()
    results = next(item for item in sections(content) if item.id == "observation")
    days = [row.day for row in results.rows]
    assert days == sorted(days, reverse=True)
    assert len(results.first) == SHOWN
    assert results.first + results.rest == results.rows


def test_what_is_older_opens_below(client: FlaskClient) -> None:
    text = client.get("/demo/patients/chart-of-2000-resources").text
    assert " older</summary>" in text
    assert " older</summary>" not in client.get("/demo/patients/meets").text


def test_a_bundle_can_be_downloaded_as_it_stands_in_the_folder(client: FlaskClient) -> None:
    response = client.get("/demo/patients/meets/bundle")
    assert response.data == (SAMPLES / "01-meets.json").read_bytes()
    assert response.headers["Content-Disposition"] == 'attachment; filename="01-meets.json"'


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/demo/patients/nobody", 404),
        ("/demo/patients/<script>alert(1)</script>", 404),
        ("/demo/nothing/here", 404),
        ("/demo?on=23.11.2026", 400),
        ("/demo?on=1949-12-31", 400),
        ("/demo?on=2101-01-01", 400),
        ("/demo/patients/meets?on=2026-02-30", 400),
        ("/demo/patients/meets/assessment?on=soon", 400),
    ],
)
def test_what_cannot_be_shown_is_said_in_a_sentence_with_a_way_on(
    client: FlaskClient, address: str, status: int
) -> None:
    response = client.get(address)
    page = page_of(response, status)
    assert "This cannot be shown" in page.text
    assert "/demo" in {item["href"] for item in page.named("a")}
    assert "alert(1)" not in response.text


@pytest.mark.parametrize("day", ["1950-01-01", "2100-12-31"])
def test_every_sample_can_be_assessed_on_the_first_and_the_last_day(client: FlaskClient, day: str) -> None:
    page_of(client.get(f"/demo?on={day}"))
    for patient in PATIENTS:
        page_of(client.get(f"/demo/patients/{patient}/assessment?on={day}"))


def test_the_demonstration_is_kept_nowhere_and_framed_by_nobody(client: FlaskClient) -> None:
    headers = client.get("/demo/patients/meets").headers
    assert headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


# --- the day ---


def prefetch_of(client: FlaskClient, patient: str) -> dict[str, object]:
    templates = client.get("/cds-services").json["services"][0]["prefetch"]  # type: ignore[index]
    return {
        key: client.get(f"/demo/fhir/{template.replace('{{context.patientId}}', patient)}").json
        for key, template in templates.items()
    }


def test_a_call_may_name_the_day_in_the_demonstration(client: FlaskClient) -> None:
    body = call(
        prefetch_of(client, "progression-in-july"),
        context={"userId": "Practitioner/1", "patientId": "progression-in-july"},
    )
    summaries = {
        day: cards_of(client.post(SERVICE, json=body, headers={HEADER: day} if day else {}))[0]["summary"]
        for day in ("", "2026-12-31", "2027-01-01")
    }
    assert summaries[""].startswith("Not yet")
    assert summaries["2026-12-31"].startswith("Not yet")
    assert summaries["2027-01-01"].startswith("Possible candidate")


@pytest.mark.parametrize("day", ["tomorrow", "2026-13-01", "0001-01-01", "9999-12-31"])
def test_a_day_that_is_none_is_refused(client: FlaskClient, day: str) -> None:
    outcome = outcome_of(client.post(SERVICE, json=call(chart()), headers={HEADER: day}))
    assert day not in outcome["diagnostics"]


def test_outside_the_demonstration_no_call_names_its_day_and_there_is_no_page() -> None:
    plain = create_app(Settings(), open_tenants(), today=lambda: ON).test_client()
    body = call(chart())
    for day in ("1999-01-01", "no day at all"):
        assert cards_of(plain.post(SERVICE, json=body, headers={HEADER: day})) == cards_of(
            plain.post(SERVICE, json=body)
        )
    for address in ("/demo", "/demo/patients/meets", "/demo/assess", "/demo/catalogue"):
        assert plain.get(address).status_code == 404
    assert plain.post("/demo/assess", data={"text": "{}"}).status_code == 404
    answer = plain.post(SERVICE, json=body)
    assert not [header for header in TOLD.values() if header in answer.headers]


def test_pages_have_headers_of_their_own_and_the_service_keeps_the_strictest(client: FlaskClient) -> None:
    assert client.get("/cds-services").headers["Content-Security-Policy"] == (
        "default-src 'none'; frame-ancestors 'none'"
    )
    assert "script-src 'self'" in client.get("/demo").headers["Content-Security-Policy"]


# --- feedback ---


def test_after_a_dismissal_with_a_reason_the_demonstration_says_why_the_card_stays_away() -> None:
    client = demonstration().test_client()
    body = call(prefetch_of(client, "meets"), context={"userId": "Practitioner/1", "patientId": "meets"})
    answer = client.post(SERVICE, json=body)
    (card,) = cards_of(answer)
    assert answer.headers[TOLD["verdict"]] == "meets"
    assert TOLD["withheld"] not in answer.headers
    reason = {name: card["overrideReasons"][3][name] for name in ("code", "system")}
    entry = {
        "card": card["uuid"],
        "outcome": "overridden",
        "overrideReason": {"reason": reason},
        "outcomeTimestamp": "2026-11-23T10:00:00Z",
    }
    assert client.post(f"{SERVICE}/feedback", json={"feedback": [entry]}).status_code == 200
    again = client.post(SERVICE, json=body | {"hookInstance": HOOK_INSTANCE[:-1] + "b"})
    assert cards_of(again) == []
    assert again.headers[TOLD["withheld"]] == "overridden-by-clinician"
    other = call(prefetch_of(client, "meets"), context={"userId": "Practitioner/2", "patientId": "meets"})
    assert cards_of(client.post(SERVICE, json=other))


# --- what can be chosen ---


def test_every_order_of_the_catalogue_is_one_on_which_the_criteria_have_something_to_say() -> None:
    orders = [{"resource": {**item.resource, "status": "draft"}} for item in catalogue().orders]
    found = drafted_orders({"entry": orders}, "p", terminology(), lambda *_: None)
    assert [item.kind for item in found] == list(DraftKind)


def test_the_codes_of_the_catalogue_are_codes_of_the_value_sets() -> None:
    for item in (*catalogue().orders, *catalogue().problems):
        for coding in item.resource.get("code", {}).get("coding", ()):
            assert terminology().meanings(coding["system"], coding["code"]), item.id


def test_of_the_problems_only_the_sprain_has_nothing_to_do_with_it() -> None:
    named = {
        item.id: names_the_tumour({"entry": [{"resource": item.resource}]}, terminology())
        for item in catalogue().problems
    }
    assert named == {"ileal-net": True, "liver-metastases": True, "ankle-sprain": False}


@pytest.mark.parametrize("patient", ["no-net", "meets", "us-core-diagnosis-codes-only", "breast-cancer-too"])
def test_a_call_that_adds_a_problem_and_the_page_behind_its_card_conclude_alike(
    client: FlaskClient, patient: str
) -> None:
    for choice in catalogue().problems[:2]:
        added = {"resourceType": "Bundle", "entry": [{"resource": added_problem(choice, patient)}]}
        context = {"userId": "Practitioner/1", "patientId": patient, "conditions": added}
        body = call(prefetch_of(client, patient), hook="problem-list-item-create", context=context)
        answer = client.post("/cds-services/milan-net-problem-list-item-create", json=body)
        page = page_of(client.get(f"/demo/patients/{patient}/assessment?problem={choice.id}"))
        assert Verdict(answer.headers[TOLD["verdict"]]).heading in page.text
        assert "the problem that is being added" in page.text
        for card in cards_of(answer):
            assert card["summary"] in page.text


def test_a_problem_goes_along_to_the_form_and_to_another_day(client: FlaskClient) -> None:
    page = client.get("/demo/patients/no-net/assessment?problem=ileal-net").text
    assert '<input type="hidden" name="problem" value="ileal-net">' in page
    assert "/demo/patients/no-net/form?on=2026-11-23&amp;problem=ileal-net" in page
    form = client.get("/demo/patients/no-net/form?problem=ileal-net").text
    assert "/demo/patients/no-net/assessment?on=2026-11-23&amp;problem=ileal-net" in form
    page_of(client.get("/demo/patients/no-net/assessment?problem=none"), 404)


def test_the_bare_address_leads_to_the_patients_in_the_demonstration_alone(client: FlaskClient) -> None:
    assert (client.get("/").status_code, client.get("/").headers["Location"]) == (302, "/demo")
    plain = create_app(Settings(), open_tenants(), today=lambda: ON).test_client()
    assert plain.get("/").status_code == 404


@pytest.mark.parametrize("patient", PATIENTS)
def test_no_page_shows_a_value_as_the_language_writes_it(client: FlaskClient, patient: str) -> None:
    for part in ("", "/assessment", "/form"):
        text = page_of(client.get(f"/demo/patients/{patient}{part}")).text
        assert "['" not in text
        assert "{'" not in text


def test_a_conclusion_and_a_code_that_says_the_same_are_shown_once() -> None:
    said = {"conclusion": "Nothing was found.", "conclusionCode": [{"text": "nothing was found"}]}
    other = said | {"conclusionCode": [{"text": "Liver"}]}
    entries = [{"resource": {"resourceType": "DiagnosticReport"} | item} for item in (said, other)]
    tables = sections(json.dumps({"entry": entries}).encode())
    (reports,) = (item for item in tables if item.id == "diagnosticreport")
    assert [row.found for row in reports.rows] == ["Nothing was found.", "Nothing was found; Liver"]


def test_the_catalogue_is_served_to_the_page(client: FlaskClient) -> None:
    served = client.get("/demo/catalogue").json
    assert served is not None
    assert [item["id"] for item in served["orders"]] == [item.id for item in catalogue().orders]


# --- the script ---


def test_the_script_is_a_module_that_parses() -> None:
    checked = subprocess.run(  # noqa: S603  our own script
        [str(program()), "--check", "--input-type=module"],
        input=SCRIPT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert checked.returncode == 0, checked.stderr


def test_the_script_makes_no_html_of_text_and_loads_nothing_from_elsewhere() -> None:
    for word in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        "import ",
    ):
        assert word not in SCRIPT, word
    assert not re.findall(r"https?://(?!terminology\.hl7\.org/CodeSystem/)", SCRIPT)


def test_the_script_finds_every_element_that_it_asks_for(client: FlaskClient) -> None:
    pages = [client.get(address).text for address in ("/demo", "/demo/patients/meets", "/demo/assess")]
    known = {name for page in pages for name in re.findall(r'id="([\w-]+)"', page)}
    assert set(re.findall(r'byId\("([\w-]+)"\)', SCRIPT)) <= known


def test_the_script_is_served_as_a_script(client: FlaskClient) -> None:
    with client.get("/static/demo.js") as response:
        assert response.mimetype == "text/javascript"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
