"""All faults by name, for tests that go through every one of them."""

import gzip
from collections.abc import Mapping

from tests.faults import faults
from tests.faults.server import Fault

_METADATA = "http://169.254.169.254/latest/meta-data/iam/"


def every_fault(stranger: str) -> Mapping[str, Fault]:
    """All faults by name; `stranger` is the base of another server, which must never be asked anything."""
    html = b"<!DOCTYPE html><html><body><form action=/login><input name=user></form></body></html>"
    userinfo = stranger.replace("://", "://token@")
    return {
        "no answer": faults.silence,
        "late answer": faults.latency(5),
        "hung up": faults.hang_up,
        "reset": faults.reset,
        "reset in the body": faults.reset_in_body,
        "dripping status": faults.drip_status,
        "dripping headers": faults.drip_headers,
        "dripping body": faults.drip_body,
        "dripping chunk size": faults.drip_chunk_size,
        "dripping trailers": faults.drip_trailers,
        "less than Content-Length": faults.truncated,
        "cut without a length": faults.cut_without_length,
        "cut chunks": faults.cut_chunks,
        "chunk garbage": faults.chunk_garbage,
        "endless headers": faults.endless_headers,
        "endless header": faults.long_header,
        "endless 100 Continue": faults.endless_continue,
        "another protocol": faults.not_http,
        "400": faults.status(400),
        "401": faults.status(401),
        "403": faults.status(403),
        "404": faults.status(404),
        "410": faults.status(410),
        "429": faults.status(429),
        "429 with Retry-After": faults.status(429, "60"),
        "500": faults.status(500),
        "502": faults.status(502),
        "503 with Retry-After": faults.status(503, "60"),
        "503 with a date": faults.status(503, "Fri, 31 Dec 2100 23:59:59 GMT"),
        "504": faults.status(504),
        "204": faults.no_content,
        "redirect to a stranger": faults.redirect(f"{stranger}/Patient/p1"),
        "redirect to the same server": faults.redirect("/redirected", 307),
        "redirect to metadata": faults.redirect(_METADATA, 301),
        "no body": faults.body(b""),
        "HTML": faults.body(html, "text/html"),
        "another JSON": faults.body(b'{"error": "maintenance"}', "application/json"),
        "a list": faults.body(b"[]"),
        "NaN": faults.body(b"NaN"),
        "no UTF-8": faults.body(b'{"resourceType": "\xff"}'),
        "deep JSON": faults.body(b'{"link":' + b"[" * 200_000),
        "another type": faults.body(b'{"resourceType": "Basic", "id": "p1"}'),
        "OperationOutcome": faults.body(
            b'{"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]}'
        ),
        "cut JSON": faults.cut_json,
        "unknown encoding": faults.encoded("br", b"\x0b\x02\x80{}\x03"),
        "gzip that is none": faults.encoded("gzip", b'{"resourceType": "Bundle"}'),
        "two layers of gzip": faults.encoded("gzip, gzip", gzip.compress(gzip.compress(b"{}"))),
        "cut gzip": faults.cut_gzip,
        "gzip bomb": faults.gzip_bomb(),
        "hollow gzip": faults.hollow_gzip,
        "endless body": faults.huge_body,
        "endless paging": faults.endless_paging,
        "next page at a stranger": faults.next_link(f"{stranger}/Condition?page=2"),
        "next page with a user": faults.next_link(f"{userinfo}/Condition?page=2"),
        "next page at the metadata": faults.next_link(_METADATA),
        "next page above the base": faults.next_link("{base}/../admin"),
        "next page beside the base": faults.next_link("{base}-other/Condition?page=2"),
        "next page of a file": faults.next_link("file:///etc/passwd"),
        "next page is no text": faults.next_link("javascript:alert(1)"),
    }
