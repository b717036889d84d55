"""What a launch brought: kept on the server for as long as it is used, read with, and out of reach of everybody else."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cds_service.ehr.fhir_client import EhrClient
from cds_service.errors import LaunchError
from cds_service.smart.chart import record_of
from cds_service.smart.forgery import FIELD
from cds_service.smart.pending_forms import LASTS, PendingForms
from cds_service.smart.scopes import Extent, Lacking, lacking, writable
from cds_service.smart.sessions import GRACE, IDLE, Session, SessionOverError
from cds_service.storage.opening import Storage
from fhir_mappings.bundle import PartState
from fhir_mappings.record import PARTS, PatientRecord
from tests.smart.ehr import ABSENT, SUBJECT, USER
from tests.smart.hospital import Browser, Hospital

Open = Callable[..., Hospital]
EVERYTHING = "launch openid fhirUser " + " ".join(f"patient/{kind}.rs" for kind in PARTS.values())


def landed(house: Hospital) -> tuple[Browser, str]:
    """A browser after a launch, and the address of its page."""
    browser = house.browser()
    return browser, browser.launch(house.ehr.launch()).headers["Location"]


def found(house: Hospital, session: Session) -> Session:
    return house.launching.sessions.find(session.handle, session.secret)


# --- as long as it lasts ----------------------------------------------------------------------------------------------


def test_a_session_that_nobody_uses_is_over_after_a_quarter_of_an_hour(house: Hospital) -> None:
    session = house.launched()
    for _ in range(2):
        house.clock.now += IDLE - 1
        found(house, session)
    house.clock.now += IDLE - 1
    assert found(house, session).token == session.token
    house.clock.now += IDLE
    with pytest.raises(SessionOverError):
        found(house, session)


def test_a_session_is_over_with_its_token_however_much_it_is_used(house: Hospital) -> None:
    house.ehr.token_answer = {"expires_in": 1200}
    session = house.launched()
    for seconds in (600, 599):
        house.clock.now += seconds
        assert found(house, session)
    house.clock.now += 1
    with pytest.raises(SessionOverError):
        found(house, session)


def test_of_a_session_that_is_over_only_whose_it_was_is_known_and_that_not_for_long(house: Hospital) -> None:
    session = house.launched()
    house.clock.now += IDLE
    for _ in range(2):
        with pytest.raises(SessionOverError) as caught:
            found(house, session)
        assert caught.value.session is not None
        assert (caught.value.session.patient, caught.value.session.token) == ("p1", "")
    house.clock.now += GRACE
    with pytest.raises(SessionOverError) as caught:
        found(house, session)
    assert caught.value.session is None


@pytest.mark.parametrize("secret", ["", "guessed", None])
def test_a_session_is_opened_by_its_secret_alone(house: Hospital, secret: str | None) -> None:
    session = house.launched()
    with pytest.raises(SessionOverError):
        house.launching.sessions.find(session.handle, secret)
    with pytest.raises(SessionOverError):
        house.launching.sessions.find("0" * 16, session.secret)


def test_each_launch_has_a_session_of_its_own(house: Hospital) -> None:
    browser = house.browser()
    one, other = (house.session(browser, browser.launch(house.ehr.launch(who))) for who in ("p1", "p2"))
    assert one.handle != other.handle
    assert one.secret != other.secret
    assert [browser.get(f"/smart/{item.handle}/").text for item in (one, other)] == [
        "landed on p1",
        "landed on p2",
    ]


def test_a_handle_that_an_attacker_planted_is_not_taken_over(house: Hospital) -> None:
    browser = house.browser()
    browser.client.set_cookie("milan-net-session-0000000000000000", "planted")
    location = browser.launch(house.ehr.launch()).headers["Location"]
    assert "0000000000000000" not in location
    assert "planted" not in "".join(browser.cookies_set)


def test_a_page_of_a_session_that_is_over_says_how_to_go_on(house: Hospital) -> None:
    browser, address = landed(house)
    house.clock.now += IDLE
    page = browser.get(address)
    assert page.status_code == 403
    assert "This session is over" in page.text
    assert "kept for 15 minutes" not in page.text  # nothing was sent


def test_a_tenant_that_is_no_longer_configured_has_no_sessions(house: Hospital, open_hospital: Open) -> None:
    session = house.launched()
    later = open_hospital(fhir_servers=("http://127.0.0.1:1/other",))
    with pytest.raises(SessionOverError):
        later.launching.sessions.find(session.handle, session.secret)


# --- forms and signing out --------------------------------------------------------------------------------------------


def test_a_form_counts_with_the_token_of_its_session(house: Hospital) -> None:
    browser = house.browser()
    landing = browser.launch(house.ehr.launch())
    session, address = house.session(browser, landing), landing.headers["Location"]
    assert browser.post(f"{address}form", data={FIELD: session.form_token}).text == "taken"


@pytest.mark.parametrize("token", [ABSENT, "", "guessed", "é", "of another session"])
def test_a_form_without_it_is_refused(house: Hospital, token: Any) -> None:
    browser, address = landed(house)
    sent = house.launched().form_token if token == "of another session" else token
    response = browser.post(f"{address}form", data={} if token is ABSENT else {FIELD: sent})
    assert response.status_code == 403
    assert "did not come from the page" in response.text


def test_who_signs_out_is_out(house: Hospital) -> None:
    browser = house.browser()
    session = house.session(browser, browser.launch(house.ehr.launch()))
    assert browser.post(f"/smart/{session.handle}/end").status_code == 403  # another site cannot do it
    response = browser.post(f"/smart/{session.handle}/end", data={FIELD: session.form_token})
    assert "You have signed out" in response.text
    assert f"milan-net-session-{session.handle}=;" in response.headers["Set-Cookie"]
    assert "Max-Age=0" in response.headers["Set-Cookie"]
    assert browser.get(f"/smart/{session.handle}/").status_code == 403
    with pytest.raises(SessionOverError):
        found(house, session)


# --- what was typed ---------------------------------------------------------------------------------------------------


def test_what_was_typed_is_there_after_the_next_launch(house: Hospital) -> None:
    forms = PendingForms(house.storage.safe, house.clock)
    session = house.launched()
    house.clock.now += IDLE
    with pytest.raises(SessionOverError) as caught:
        found(house, session)
    assert caught.value.session is not None
    assert forms.keep(caught.value.session, {"ki67": "3–5 %"})
    house.clock.now += LASTS - 1
    again = house.launched()
    assert forms.kept(again) == {"ki67": "3–5 %"}
    forms.drop(again)
    assert forms.kept(again) is None


def test_a_form_that_is_sent_too_late_is_filled_in_again_after_the_next_launch(house: Hospital) -> None:
    browser = house.browser()
    session = house.session(browser, browser.launch(house.ehr.launch()))
    house.clock.now += IDLE + GRACE - 1
    typed = {"ki67": "3–5 %", FIELD: session.form_token}
    page = browser.post(f"/smart/{session.handle}/form", data=typed)
    assert page.status_code == 403
    assert "kept for 15 minutes" in page.text
    assert "Clinic Seven" in page.text
    assert PendingForms(house.storage.safe, house.clock).kept(house.launched()) == {"ki67": "3–5 %"}


def test_another_site_cannot_leave_a_form_behind(house: Hospital) -> None:
    browser = house.browser()
    session = house.session(browser, browser.launch(house.ehr.launch()))
    house.clock.now += IDLE
    page = browser.post(f"/smart/{session.handle}/form", data={"ki67": "99", FIELD: "guessed"})
    assert "did not come from the page" in page.text
    assert PendingForms(house.storage.safe, house.clock).kept(house.launched()) is None


def test_what_was_typed_is_for_this_user_and_this_patient_and_a_quarter_of_an_hour(house: Hospital) -> None:
    forms = PendingForms(house.storage.safe, house.clock)
    forms.keep(house.launched(), {"ki67": "5"})
    assert forms.kept(house.launched(patient="p2")) is None
    house.ehr.claims = {"sub": "another"}
    assert forms.kept(house.launched()) is None
    house.ehr.claims = {}
    assert forms.kept(house.launched()) == {"ki67": "5"}
    house.clock.now += LASTS
    assert forms.kept(house.launched()) is None


def test_what_cannot_be_somebodys_or_is_too_much_is_not_kept(house: Hospital) -> None:
    forms = PendingForms(house.storage.safe, house.clock)
    assert not forms.keep(house.launched(), {"text": "x" * 70_000})
    house.ehr.granted, house.ehr.token_answer = "launch patient/*.rs", {"id_token": ABSENT}
    nameless = house.launched()
    assert not forms.keep(nameless, {"ki67": "5"})
    assert forms.kept(nameless) is None


# --- reading the chart ------------------------------------------------------------------------------------------------


def read(house: Hospital, session: Session) -> PatientRecord:
    return record_of(session, EhrClient(), time.monotonic() + 5)


def test_the_chart_is_read_with_the_token(house: Hospital) -> None:
    record = read(house, house.launched())
    assert set(record.parts.values()) == {PartState.COMPLETE}
    assert record.patient == "Patient/p1"
    assert len(record.entries) == 19


@pytest.mark.parametrize(
    ("scope", "part", "state"),
    [
        ("", "Specimen", PartState.FAILED),
        ("patient/Specimen.r", "Specimen", PartState.FAILED),
        ("patient/Specimen.c", "Specimen", PartState.FAILED),
        ("patient/Specimen.write", "Specimen", PartState.FAILED),
        ("patient/Specimens.rs", "Specimen", PartState.FAILED),
        ("system/Specimen.rs", "Specimen", PartState.FAILED),
        ("patient/Specimen.s", "Specimen", PartState.COMPLETE),
        ("patient/Specimen.read", "Specimen", PartState.COMPLETE),
        ("patient/Specimen.*", "Specimen", PartState.COMPLETE),
        ("patient/*.cruds", "Specimen", PartState.COMPLETE),
        ("user/*.read", "Specimen", PartState.COMPLETE),
        ("patient/Specimen.rs?type=x", "Specimen", PartState.TRUNCATED),
        ("patient/Specimen.rs?type=x patient/Specimen.rs", "Specimen", PartState.COMPLETE),
    ],
)
def test_a_part_that_the_token_does_not_open_is_unknown_and_never_empty(
    house: Hospital, scope: str, part: str, state: PartState
) -> None:
    house.ehr.granted = f"{EVERYTHING.replace('patient/Specimen.rs', '')} {scope}"
    session = house.launched()
    assert read(house, session).parts[part] is state
    is_told = any(item.part == "specimens" for item in lacking(session.scopes))
    assert is_told is (state is not PartState.COMPLETE)
    assert any(path.endswith("/Specimen") for path in house.ehr.requests) is (state is not PartState.FAILED)


def test_the_patient_is_read_and_the_rest_is_searched_for() -> None:
    scopes = ("patient/Patient.r", *(f"patient/{kind}.s" for kind in PARTS.values() if kind != "Patient"))
    assert lacking(scopes) == ()
    assert lacking(("patient/Patient.s", *scopes[1:])) == (Lacking("patient", Extent.NONE),)
    assert len(lacking(())) == len(PARTS)


def test_a_token_that_the_ehr_no_longer_takes_ends_the_session(house: Hospital) -> None:
    session = house.launched()
    house.ehr.tokens.clear()
    with pytest.raises(SessionOverError):
        read(house, session)


def test_an_ehr_that_is_down_leaves_everything_unknown(house: Hospital) -> None:
    session = house.launched()
    house.ehr.pause = {"p1": 9.0, **{f"/{kind}": 9.0 for kind in PARTS.values()}}
    record = record_of(session, EhrClient(), time.monotonic() + 0.3)
    assert set(record.parts.values()) == {PartState.FAILED}


def test_epic_is_asked_for_observations_by_category(open_hospital: Open) -> None:
    house = open_hospital(dialect="epic")
    assert set(read(house, house.launched()).parts.values()) == {PartState.COMPLETE}


def test_writing_is_a_right_of_its_own() -> None:
    assert writable(["patient/Observation.c"], "Observation")
    assert writable(["patient/*.cruds"], "Observation")
    assert writable(["patient/Observation.write"], "Observation")
    assert not writable(["patient/Observation.rs", "patient/Observation.read", "launch"], "Observation")
    assert not writable(["patient/Condition.c"], "Observation")


# --- nothing leaks ----------------------------------------------------------------------------------------------------


def _secrets(house: Hospital, session: Session) -> list[str]:
    """What must stand nowhere but in memory: tokens, assertions, codes, and whom it is about."""
    [form] = house.ehr.forms
    return [*house.ehr.tokens, form["client_assertion"], form["code_verifier"], SUBJECT, USER, session.secret]


def test_no_token_and_nobody_stands_in_a_log_a_page_or_the_database(
    house: Hospital, database: Path, kept: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    browser = house.browser()
    session = house.session(browser, browser.launch(house.ehr.launch("p-canary")))
    forms = PendingForms(house.storage.safe, house.clock)
    forms.keep(session, {"note": "typed-canary"})
    browser.get(f"/smart/{session.handle}/nothing")
    browser.post(f"/smart/{session.handle}/form", data={"x": "y"})
    house.clock.now += IDLE
    browser.get(f"/smart/{session.handle}/")
    kept.close()
    files = b"".join(
        path.read_bytes() for path in database.parent.glob("service.db*") if path.suffix != ".key"
    )
    own = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("cds_service"))
    cookie = f"milan-net-session-{session.handle}={session.secret}"
    shown = "\n".join(browser.bodies).replace(cookie, "")
    for text in (*_secrets(house, session), "p-canary", "typed-canary"):
        assert text.encode() not in files
        assert text not in own
        assert text not in shown.replace("landed on p-canary", "")
    assert '"tenant":"clinic"' in own
    assert '"launch":"expired"' in own


def test_what_failed_says_nothing_of_what_was_sent(house: Hospital, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    browser = house.browser()
    house.ehr.token_answer = {"patient": "bad/canary"}
    browser.launch(house.ehr.launch())
    house.ehr.token_status, house.ehr.token_answer = 400, {"error": "canary-word"}
    browser.launch(house.ehr.launch())
    own = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("cds_service"))
    assert "canary" not in own + "".join(browser.bodies).replace(house.ehr.origin, "")
    assert "error=unknown" in own


def test_what_is_printed_of_a_session_holds_no_secret(house: Hospital) -> None:
    session = house.launched()
    printed = repr(session) + repr(LaunchError("lost"))
    assert not any(text in printed for text in (session.token, session.secret, "p1", USER, SUBJECT))
    assert "PRIVATE" not in repr(house.launching.keys)
