"""The faults: each is what a FHIR server, or something on the way to it, has been seen to do, or could be made to do."""

import gzip
import zlib
from functools import cache

from tests.faults.fhir import as_json
from tests.faults.server import Exchange, Fault, no_fault

_BOMB_BYTES = 64 * 1024 * 1024


# --- slow and gone ----------------------------------------------------------------------------------------------------


def latency(seconds: float) -> Fault:
    """The right answer, late."""

    def fault(exchange: Exchange) -> None:
        if exchange.pause(seconds):
            exchange.answer()

    return fault


def silence(exchange: Exchange) -> None:
    """No answer at all."""
    exchange.pause(60)
    exchange.hang_up()


def hang_up(exchange: Exchange) -> None:
    """The connection closed instead of an answer."""
    exchange.hang_up()


def reset(exchange: Exchange) -> None:
    """The connection reset instead of an answer."""
    exchange.reset()


def reset_in_body(exchange: Exchange) -> None:
    """The connection reset in the middle of the answer."""
    body = as_json(exchange.content)
    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body[: len(body) // 2])
    exchange.pause(0.02)
    exchange.reset()


def drip_status(exchange: Exchange) -> None:
    """A status line that comes byte by byte."""
    _drip(exchange, b"HTTP/1.1 200 OK" + b"K" * 4000)


def drip_headers(exchange: Exchange) -> None:
    """Headers that come byte by byte, and never end."""
    exchange.send(b"HTTP/1.1 200 OK\r\n")
    _drip(exchange, b"X-Slow: 1\r\n" * 90)


def drip_body(exchange: Exchange) -> None:
    """A body that comes byte by byte."""
    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    _drip(exchange, b"{" + b" " * 90_000)


def drip_chunk_size(exchange: Exchange) -> None:
    """A chunked body whose first chunk size never ends."""
    exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    _drip(exchange, b"0" * 60_000)


def drip_trailers(exchange: Exchange) -> None:
    """A whole chunked body, and trailers without end."""
    exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    body = as_json(exchange.content)
    exchange.send(b"%x\r\n%s\r\n0\r\n" % (len(body), body))
    _drip(exchange, b"X-Slow: 1\r\n" * 4000)


def _drip(exchange: Exchange, data: bytes) -> None:
    for number in range(len(data)):
        if not exchange.pause(0.03):
            break
        exchange.send(data[number : number + 1])
    exchange.hang_up()


# --- broken HTTP ------------------------------------------------------------------------------------------------------


def truncated(exchange: Exchange) -> None:
    """A Content-Length of more than comes."""
    body = as_json(exchange.content)
    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body) + 500, body))
    exchange.hang_up()


def cut_without_length(exchange: Exchange) -> None:
    """A body without any length that ends in the middle."""
    exchange.send(b"HTTP/1.0 200 OK\r\n\r\n" + as_json(exchange.content)[:-10])
    exchange.hang_up()


def cut_chunks(exchange: Exchange) -> None:
    """A chunked body without its end."""
    body = as_json(exchange.content)
    exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(body), body))
    exchange.hang_up()


def chunk_garbage(exchange: Exchange) -> None:
    """Chunks whose sizes are no numbers."""
    exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz;;\r\n{}\r\n-5\r\n\xff\xfe\r\n")
    exchange.hang_up()


def endless_headers(exchange: Exchange) -> None:
    """Headers without end, fast."""
    exchange.send(b"HTTP/1.1 200 OK\r\n")
    while exchange.pause(0):
        exchange.send(b"X-More: and more\r\n" * 1000)


def long_header(exchange: Exchange) -> None:
    """One header without end, fast."""
    exchange.send(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while exchange.pause(0):
        exchange.send(b"x" * 65_536)


def malformed_header(exchange: Exchange) -> None:
    """A line among the headers that is none, and then the right body."""
    exchange.send(b"HTTP/1.1 200 OK\r\nno header\r\nX-After: 1\r\n\r\n" + as_json(exchange.content))
    exchange.hang_up()


def endless_continue(exchange: Exchange) -> None:
    """`100 Continue`, for ever."""
    while exchange.pause(0.001):
        exchange.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 10)


def not_http(exchange: Exchange) -> None:
    """Another protocol."""
    exchange.send(b"SSH-2.0-OpenSSH_9.2\r\n\x00\x01\x02\xff\r\n\r\n")
    exchange.hang_up()


# --- refused ----------------------------------------------------------------------------------------------------------


def status(code: int, retry_after: str | None = None) -> Fault:
    """An error with an OperationOutcome."""

    def fault(exchange: Exchange) -> None:
        outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}
        headers = {} if retry_after is None else {"Retry_After": retry_after}
        exchange.answer(as_json(outcome), code, **headers)

    return fault


def no_content(exchange: Exchange) -> None:
    """204: success, and nothing in it."""
    exchange.send(b"HTTP/1.1 204 No Content\r\n\r\n")


def redirect(to: str, code: int = 302) -> Fault:
    """A redirect; an address that begins with a slash is on the same server."""

    def fault(exchange: Exchange) -> None:
        if exchange.target.startswith("/redirected"):
            exchange.answer()
        else:
            exchange.answer(b"", code, Location=to)

    return fault


# --- wrong content ----------------------------------------------------------------------------------------------------


def body(data: bytes, content_type: str = "application/fhir+json") -> Fault:
    """200 with that body."""

    def fault(exchange: Exchange) -> None:
        exchange.answer(data, 200, Content_Type=content_type)

    return fault


def cut_json(exchange: Exchange) -> None:
    """JSON that ends early, in a body of the right length."""
    exchange.answer(as_json(exchange.content)[:-10])


def encoded(encoding: str, data: bytes) -> Fault:
    """A body of an encoding, or said to be."""

    def fault(exchange: Exchange) -> None:
        exchange.answer(data, 200, Content_Encoding=encoding)

    return fault


def in_gzip(exchange: Exchange) -> None:
    """The right answer, packed."""
    exchange.answer(gzip.compress(as_json(exchange.content)), Content_Encoding="gzip")


def cut_gzip(exchange: Exchange) -> None:
    """The right answer, packed, without its end."""
    exchange.answer(gzip.compress(as_json(exchange.content))[:-6], Content_Encoding="gzip")


@cache
def _bomb() -> bytes:
    return gzip.compress(b'{"resourceType": "Bundle"' + b" " * _BOMB_BYTES + b"}")


def gzip_bomb() -> Fault:
    """A Bundle of 64 MiB in 64 KiB."""
    return encoded("gzip", _bomb())


def hollow_gzip(exchange: Exchange) -> None:
    """A packed body without end that never unpacks to anything."""
    packer = zlib.compressobj(wbits=31)
    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + packer.compress(b""))
    nothing = b"\x00\x00\x00\xff\xff" * 10_000  # stored blocks of no bytes
    while exchange.pause(0):
        exchange.send(nothing)


def huge_body(exchange: Exchange) -> None:
    """A body without end, fast."""
    exchange.send(b'HTTP/1.1 200 OK\r\n\r\n{"resourceType": "Bundle"')
    while exchange.pause(0):
        exchange.send(b" " * 262_144)


# --- paging -----------------------------------------------------------------------------------------------------------


def next_link(url: str) -> Fault:
    """The right answer, with a next link to that address; `{base}` in it is that of the server."""

    def fault(exchange: Exchange) -> None:
        link = {"relation": "next", "url": url.replace("{base}", exchange.server.base)}
        exchange.answer(as_json({**exchange.content, "link": [link]}))

    return fault


def endless_paging(exchange: Exchange) -> None:
    """A next page after every page."""
    kind = exchange.target.lstrip("/").partition("?")[0]
    following = f"{{base}}/{kind}?patient=p1&page={len(exchange.server.seen) + 1}"
    next_link(following)(exchange)


# --- where and when ---------------------------------------------------------------------------------------------------


def only(kind: str, fault: Fault) -> Fault:
    """A fault in the answers about one resource type."""

    def chosen(exchange: Exchange) -> None:
        is_meant = exchange.target.lstrip("/").startswith((f"{kind}/", f"{kind}?"))
        (fault if is_meant else no_fault)(exchange)

    return chosen


def first(times: int, fault: Fault) -> Fault:
    """A fault in the first answers to each request, which are right from then on."""

    def chosen(exchange: Exchange) -> None:
        (fault if exchange.number <= times else no_fault)(exchange)

    return chosen


def from_page(number: int, fault: Fault) -> Fault:
    """A fault in the pages of a search from that one on."""

    def chosen(exchange: Exchange) -> None:
        page = int(exchange.target.rpartition("page=")[2]) if "page=" in exchange.target else 1
        (fault if page >= number else no_fault)(exchange)

    return chosen
