"""The link into the public CDS Hooks Sandbox: its parameters, and addresses that lead to the demonstration."""

from urllib.parse import parse_qs, urlsplit

import pytest

from cds_service.terminal import sandbox_link, show_sandbox


@pytest.mark.parametrize(
    ("host", "origin"), [("127.0.0.1", "http://127.0.0.1:8000"), ("::1", "http://[::1]:8000")]
)
def test_the_sandbox_is_told_the_fhir_server_the_service_and_the_patient(host: str, origin: str) -> None:
    link = urlsplit(sandbox_link(host, 8000, "meets"))
    assert (link.scheme, link.netloc) == ("https", "sandbox.cds-hooks.org")
    assert parse_qs(link.query) == {
        "fhirServiceUrl": [f"{origin}/demo/fhir"],
        "patientId": ["meets"],
        "hook": ["patient-view"],
        "screen": ["patient-view"],
        "serviceDiscoveryURL": [f"{origin}/cds-services"],
    }


def test_the_link_is_printed_in_one_piece(capsys: pytest.CaptureFixture[str]) -> None:
    show_sandbox("127.0.0.1", 8000, "meets")
    printed = capsys.readouterr().out
    assert sandbox_link("127.0.0.1", 8000, "meets") in printed.splitlines()
    assert "http://127.0.0.1:8000/demo/fhir/Patient" in printed
