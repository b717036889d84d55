"""The body of an answer, read piece by piece and never beyond an allowance, packed or not."""

import zlib
from collections.abc import Iterator
from threading import Lock

import requests

from cds_service.ehr.query_errors import QueryError, Reason

ACCEPTED_ENCODING = "gzip"
"""Charts shrink to a tenth, which counts on the way to a cloud; what they grow to again is bounded here."""

_PIECE = 64 * 1024
_GZIP = 16 + zlib.MAX_WBITS


class Allowance:
    """How much of something all queries of one call may use together. Thread-safe."""

    def __init__(self, limit: int, reason: Reason) -> None:
        """`reason` is told when there is no more."""
        self.limit = limit
        self._reason = reason
        self._used = 0
        self._lock = Lock()

    def take(self, amount: int) -> None:
        """Use that much. Raises QueryError if it is not left, and then takes nothing."""
        with self._lock:
            if self._used + amount > self.limit:
                raise QueryError(self._reason)
            self._used += amount

    def give_back(self, amount: int) -> None:
        """What was taken and then thrown away is there for others."""
        with self._lock:
            self._used -= amount


def read_body(response: requests.Response, allowance: Allowance) -> bytes:
    """The body, unpacked. Raises QueryError, and what urllib3 raises when the connection breaks off."""
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise QueryError(Reason.ENCODING)
    pieces = _received(response, allowance.limit)
    return _kept(_unpacked(pieces) if encoding.endswith("gzip") else pieces, allowance)


def _kept(pieces: Iterator[bytes], allowance: Allowance) -> bytes:
    """All pieces, or none: part of a body is no use, and leaves the allowance to the other queries."""
    body: list[bytes] = []
    try:
        for piece in pieces:
            allowance.take(len(piece))
            body.append(piece)
    except Exception:
        allowance.give_back(sum(map(len, body)))
        raise
    return b"".join(body)


def _received(response: requests.Response, limit: int) -> Iterator[bytes]:
    """What comes over the wire: packed bytes that unpack to nothing are bounded too."""
    received = 0
    while piece := response.raw.read1(_PIECE, decode_content=False):
        received += len(piece)
        if received > limit:
            raise QueryError(Reason.TOO_LARGE)
        yield piece


def _unpacked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """gzip, a piece at a time, so that a bomb goes off only in small steps."""
    packer = zlib.decompressobj(_GZIP)
    try:
        for piece in pieces:
            packed = piece
            while packed:
                yield packer.decompress(packed, _PIECE)
                packed = packer.unconsumed_tail
            if packer.unused_data:  # something behind the end: what it is nobody said
                raise QueryError(Reason.ENCODING)
    except zlib.error:
        raise QueryError(Reason.ENCODING) from None
    if not packer.eof:
        raise QueryError(Reason.BROKEN_OFF, is_passing=True)
