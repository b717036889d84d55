"""What plays the caller in tests: keys, tokens honest and forged, a replay store in memory, a key server on loopback."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from joserfc.jwk import ECKey, RSAKey

from cds_service.tenants import Tenant, Trust

NOW = 1_795_000_000.0
ISSUER = "https://ehr.example.org"
BASE = "https://cds.example.org"
PATH = "/cds-services/milan-net-patient-view"
AUDIENCE = BASE + PATH
KEYS_URL = "https://ehr.example.org/jwks.json"
KEY_ID = "key-1"


class Absent:
    """Stands for a member that is left out; printed alike in every process, as names of tests have to be."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = Absent()

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@cache
def elliptic(curve: str = "P-384", name: str = "") -> ec.EllipticCurvePrivateKey:
    """A key of that curve; `name` tells one from another."""
    return ec.generate_private_key(
        {"P-384": ec.SECP384R1, "P-256": ec.SECP256R1, "P-521": ec.SECP521R1}[curve]()
    )


@cache
def modular(bits: int = 2048, name: str = "") -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def jwk(key: PrivateKey, kid: str | None = KEY_ID, **members: Any) -> dict[str, Any]:
    """The public half as it is published."""
    public = key.public_key()
    found: Mapping[str, Any]
    if isinstance(public, ec.EllipticCurvePublicKey):
        found = ECKey.import_key(public).as_dict(private=False)
    else:
        numbers = public.public_numbers()
        found = {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
    return {**found, **({"kid": kid} if kid is not None else {}), **members}


def private_jwk(key: PrivateKey) -> dict[str, Any]:
    return dict(
        (ECKey if isinstance(key, ec.EllipticCurvePrivateKey) else RSAKey)
        .import_key(key)
        .as_dict(private=True)
    )


def number(value: int) -> str:
    return encoded(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def key_set(*keys: Mapping[str, Any]) -> bytes:
    return json.dumps({"keys": keys}).encode()


def pem(key: PrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


# --- tokens -------------------------------------------------------------------------------------------------------------


def header(**changed: Any) -> dict[str, Any]:
    """The header of an honest token, changed; ABSENT leaves a member out."""
    return _changed({"alg": "ES384", "typ": "JWT", "kid": KEY_ID}, changed)


def claims(**changed: Any) -> dict[str, Any]:
    """The claims of an honest token, changed; ABSENT leaves a member out."""
    now = int(NOW)
    return _changed({"iss": ISSUER, "aud": AUDIENCE, "exp": now + 300, "iat": now, "jti": "once"}, changed)


def _changed(members: dict[str, Any], changed: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (members | dict(changed)).items() if value is not ABSENT}


def compact(
    head: Mapping[str, Any] | bytes,
    body: Mapping[str, Any] | bytes,
    key: PrivateKey | bytes | None = None,
    algorithm: str | None = None,
) -> str:
    """A token of exactly these parts, signed by `algorithm` (that of its header), which no library would make."""
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (head, body)]
    signed = ".".join(encoded(part) for part in parts)
    named = algorithm or (head.get("alg") if isinstance(head, Mapping) else None) or "ES384"
    return f"{signed}.{encoded(signature(signed.encode(), elliptic() if key is None else key, named))}"


def signature(data: bytes, key: PrivateKey | bytes, algorithm: str) -> bytes:
    digest = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}[algorithm[2:]]()
    if isinstance(key, bytes):
        return hmac.new(key, data, getattr(hashlib, digest.name)).digest()
    if isinstance(key, ec.EllipticCurvePrivateKey):
        size = (key.key_size + 7) // 8
        return b"".join(
            part.to_bytes(size, "big") for part in decode_dss_signature(key.sign(data, ec.ECDSA(digest)))
        )
    if algorithm.startswith("PS"):
        return key.sign(data, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
    return key.sign(data, padding.PKCS1v15(), digest)


def honest(**changed: Any) -> str:
    """A token that passes, or one whose claims differ from that."""
    return compact(header(), claims(**changed))


def trust(**changed: Any) -> Trust:
    return Trust.model_validate({"issuer": ISSUER, "jwks_url": KEYS_URL, "audiences": (BASE,), **changed})


def tenant(name: str = "clinic", **changed: Any) -> Tenant:
    return Tenant(id=name, trust=trust(**changed))


class MemoryReplayStore:
    """Remembers tokens for one process, under a lock."""

    def __init__(self) -> None:
        self.claimed: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def claim(self, issuer: str, token_id: str, until: float, now: float) -> bool:
        with self._lock:
            if (issuer, token_id) in self.claimed:
                return False
            self.claimed[issuer, token_id] = until
            return True


# --- a key server -------------------------------------------------------------------------------------------------------


class KeyServer:
    """Serves a key set on loopback, as well or as badly as it is told to."""

    def __init__(self) -> None:
        self.body = b"{}"
        self.status = 200
        self.headers: dict[str, str] = {"Content-Type": "application/json"}
        self.wait = threading.Event()  # answers come when it is set
        self.wait.set()
        self.drip = 0.0  # seconds between bytes
        self.cut = 0  # bytes that are promised and never come
        self.asked: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.url = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append(dict(request.headers))
        self.paths.append(request.path)
        self.wait.wait(10)
        request.send_response(self.status)
        for name, value in self.headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(self.body) + self.cut))
        request.end_headers()
        if not self.drip:
            request.wfile.write(self.body)
            return
        for byte in self.body:
            request.wfile.write(bytes([byte]))
            time.sleep(self.drip)


@contextmanager
def key_server() -> Iterator[KeyServer]:
    played = KeyServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                played.answer(self)
            except OSError:  # the client has heard enough
                self.close_connection = True

        def log_message(self, *_: Any) -> None:  # type: ignore[override]
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    played.url = f"http://127.0.0.1:{server.server_address[1]}/jwks.json"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield played
    finally:
        played.wait.set()
        server.shutdown()
        server.server_close()
        thread.join()


def eventually(holds: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Whether something comes to hold within some seconds."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def write(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path
