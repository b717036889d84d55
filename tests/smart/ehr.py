"""The EHR of these tests: a FHIR server and an authorization server on loopback, with every refusal that one may give.

It approves by itself, checks what a client sends as strictly as SMART App Launch 2.2 lets it, and tells in `refusals`
why it refused. Client assertions are checked by PyJWT, which the service does not use.
"""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc.jwk import ECKey

from tests.faults.fhir import RESOURCES, Resource, answer

ABSENT: Any = object()
CLIENT = "milan-net"
USER = "Practitioner/dr-canary"
SUBJECT = "subject-canary"
_PATIENCE = 20.0

Json = dict[str, Any]
Reply = tuple[int, Any, dict[str, str]]


class Refused(Exception):  # noqa: N818  what the server says, not what went wrong in it
    """An OAuth error."""


class PlayedEhr:
    """`with PlayedEhr() as ehr:` an EHR at `ehr.base`; its attributes say how it behaves, and what it saw."""

    def __init__(self, resources: Sequence[Resource] = RESOURCES) -> None:
        self.resources = list(resources)
        # how it behaves
        self.capabilities = [
            "launch-ehr",
            "client-confidential-asymmetric",
            "sso-openid-connect",
            "permission-v2",
        ]
        self.published: Json = {}  # members of the SMART configuration, changed; ABSENT removes one
        self.openid: Json | None = None  # what it publishes as an OpenID provider
        self.error: str | None = None  # with which the sign-in sends the user back
        self.told: Json = {}  # members of the way back, changed
        self.granted: str | None = None  # scopes; those that were asked for if not given
        self.token_answer: Json = {}  # members of the token response, changed
        self.token_status: int | None = None
        self.claims: Json = {}  # claims of the ID token, changed
        self.signed: Callable[[Json], str] = self._signed  # claims to ID token
        self.write_status: int | None = None  # of every write
        self.pause: Mapping[str, float] = {}  # seconds before an answer, by the end of the path
        self.padding: Mapping[str, int] = {}  # bytes of blanks before an answer, by the end of the path
        self.client_keys: Callable[[], Json] = lambda: {"keys": []}
        # what it saw
        self.requests: list[str] = []
        self.forms: list[dict[str, str]] = []
        self.asked: list[dict[str, str]] = []  # at the sign-in
        self.tokens: list[str] = []  # issued
        self.written: list[Resource] = []
        self.refusals: list[str] = []
        # what it holds
        self.key = ec.generate_private_key(ec.SECP384R1())
        self.key_id = "ehr-key"
        self._launches: dict[str, Json] = {}
        self._codes: dict[str, Json] = {}
        self._assertions: set[str] = set()
        self.stopped = Event()
        self._http = _Listener(("127.0.0.1", 0), _handler_of(self))
        self.origin = f"http://127.0.0.1:{self._http.server_address[1]}"
        self.base = f"{self.origin}/fhir"
        self._thread = Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(5)

    def launch(self, patient: str | None = "p1", app_context: str | None = None) -> str:
        """A user opens the app in a chart: the launch parameter that the EHR makes for it."""
        made = secrets.token_urlsafe(16)
        self._launches[made] = {"patient": patient, "appContext": app_context}
        return made

    @property
    def keys(self) -> Json:
        """The key set of the issuer."""
        public = ECKey.import_key(self.key.public_key()).as_dict(private=False)
        return {"keys": [{**public, "kid": self.key_id, "alg": "ES384", "use": "sig"}]}

    # --- addresses ----------------------------------------------------------------------------------------------------

    def get(self, path: str, query: str, headers: Mapping[str, str]) -> Reply:
        """Answer a GET."""
        if path.endswith("/.well-known/smart-configuration"):
            return 200, self._configuration(), {}
        if path == "/.well-known/openid-configuration" and self.openid is not None:
            return 200, self.openid, {}
        if path == "/jwks":
            return 200, self.keys, {}
        if path == "/authorize":
            return 302, "", {"Location": self._back({name: one for name, [one] in parse_qs(query).items()})}
        if not self._has_token(headers):
            return 401, {"resourceType": "OperationOutcome"}, {}
        target = path.removeprefix("/fhir") + (f"?{query}" if query else "")
        status, content = answer(self.resources, self.base, target, 100)
        return status, content, {}

    def post(self, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Answer a POST."""
        if path == "/token":
            return self._token(body.decode())
        if not self._has_token(headers):
            return 401, {}, {}
        if self.write_status is not None:
            return self.write_status, {}, {}
        content = json.loads(body)
        if path == "/fhir":
            entries = [
                self._create(entry["resource"], entry["request"].get("ifNoneExist"))
                for entry in content["entry"]
            ]
            told = [{"response": {"status": str(status), **found}} for status, found in entries]
            return 200, {"resourceType": "Bundle", "type": "transaction-response", "entry": told}, {}
        status, found = self._create(content, headers.get("If-None-Exist"))
        return status, "", {"Location": found["location"]}

    def _create(self, resource: Resource, condition: str | None) -> tuple[int, dict[str, str]]:
        wanted = parse_qs(condition or "").get("identifier", [""])[0]
        for number, other in enumerate(self.written):
            if wanted and wanted in _identifiers(other):
                return 200, {"location": f"{self.base}/{other['resourceType']}/w{number}/_history/1"}
        name = f"w{len(self.written)}"
        self.written.append(resource)
        self.resources.append({**resource, "id": name})
        return 201, {"location": f"{self.base}/{resource['resourceType']}/{name}/_history/1"}

    def _has_token(self, headers: Mapping[str, str]) -> bool:
        return headers.get("Authorization", "").removeprefix("Bearer ") in self.tokens

    def _configuration(self) -> Json:
        return _changed(
            {
                "issuer": self.origin,
                "jwks_uri": f"{self.origin}/jwks",
                "authorization_endpoint": f"{self.origin}/authorize",
                "token_endpoint": f"{self.origin}/token",
                "code_challenge_methods_supported": ["S256"],
                "capabilities": self.capabilities,
            },
            self.published,
        )

    # --- sign-in ------------------------------------------------------------------------------------------------------

    def _back(self, asked: dict[str, str]) -> str:
        self.asked.append(asked)
        told: Json = {"state": asked["state"]}
        if self.error is not None:
            told["error"] = self.error
        else:
            code = secrets.token_urlsafe(16)
            self._codes[code] = asked
            told["code"] = code
        return f"{asked['redirect_uri']}?{urlencode(_changed(told, self.told))}"

    # --- token --------------------------------------------------------------------------------------------------------

    def _token(self, body: str) -> Reply:
        form = {name: one for name, [one] in parse_qs(body).items()}
        self.forms.append(form)
        if self.token_status is not None:
            return self.token_status, self.token_answer, {}
        try:
            return 200, self._issued(form), {}
        except Refused as refusal:
            word, _, why = str(refusal).partition(": ")
            self.refusals.append(why)
            return 400, {"error": word}, {}

    def _issued(self, form: dict[str, str]) -> Json:
        self._check_client(form)
        asked = self._codes.pop(form.get("code", ""), None)
        _ensure(asked is not None, "invalid_grant: unknown code")
        asked = asked or {}
        _ensure(form.get("grant_type") == "authorization_code", "unsupported_grant_type: grant type")
        _ensure(form.get("redirect_uri") == asked["redirect_uri"], "invalid_grant: redirect_uri")
        _ensure(asked["code_challenge_method"] == "S256", "invalid_grant: challenge method")
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        _ensure(challenge == asked["code_challenge"], "invalid_grant: verifier")
        _ensure(asked["aud"].rstrip("/") == self.base, "invalid_grant: aud")
        context = self._launches.pop(asked["launch"], None)
        _ensure(context is not None, "invalid_grant: launch")
        token = f"token-canary-{secrets.token_urlsafe(16)}"
        self.tokens.append(token)
        members = {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": 3600,
            "scope": asked["scope"] if self.granted is None else self.granted,
            "id_token": self.signed(self._claims(asked["nonce"])),
            "need_patient_banner": True,
            "smart_style_url": f"{self.origin}/style",
            **{name: value for name, value in (context or {}).items() if value is not None},
        }
        return _changed(members, self.token_answer)

    def _check_client(self, form: dict[str, str]) -> None:
        """As RFC 7523 and SMART want it: the key by its id, RS384 or ES384, this endpoint, five minutes, once."""
        assertion = form.get("client_assertion", "")
        kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        _ensure(form.get("client_assertion_type") == kind, "invalid_client: assertion type")
        try:
            kid = jwt.get_unverified_header(assertion)["kid"]
            key = next(item for item in self.client_keys()["keys"] if item["kid"] == kid)
            claims = jwt.decode(
                assertion,
                jwt.PyJWK(key).key,
                algorithms=["RS384", "ES384"],
                audience=f"{self.origin}/token",
                issuer=CLIENT,
                subject=CLIENT,
                options={
                    "require": ["exp", "iat", "jti", "aud", "iss", "sub"],
                    "verify_iat": False,
                    "verify_exp": False,  # the clock of a test stands still
                },
            )
        except (jwt.PyJWTError, KeyError, StopIteration) as error:
            raise Refused(f"invalid_client: {error!r}") from None
        _ensure(0 < claims["exp"] - claims["iat"] <= 300, "invalid_client: lifetime")
        _ensure(claims["jti"] not in self._assertions, "invalid_client: replayed")
        self._assertions.add(claims["jti"])

    def _claims(self, nonce: str) -> Json:
        now = int(self.now())
        return _changed(
            {
                "iss": self.origin,
                "aud": CLIENT,
                "sub": SUBJECT,
                "nonce": nonce,
                "iat": now,
                "exp": now + 300,
                "fhirUser": f"{self.base}/{USER}",
            },
            self.claims,
        )

    now: Callable[[], float] = staticmethod(time.time)

    def _signed(self, claims: Json) -> str:
        return jwt.encode(claims, self.key, algorithm="ES384", headers={"kid": self.key_id})


def _identifiers(resource: Resource) -> list[str]:
    found = resource.get("identifier", [])
    return [f"{item['system']}|{item['value']}" for item in (found if isinstance(found, list) else [found])]


def _ensure(holds: object, refusal: str) -> None:
    if not holds:
        raise Refused(refusal)


def _changed(members: Json, changed: Json) -> Json:
    return {name: value for name, value in (members | changed).items() if value is not ABSENT}


class _Listener(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Whoever asked has gone away."""


def _handler_of(ehr: PlayedEhr) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = _PATIENCE

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            self._reply(parts.path, lambda: ehr.get(parts.path, parts.query, dict(self.headers.items())))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            path = urlsplit(self.path).path
            self._reply(path, lambda: ehr.post(path, dict(self.headers.items()), body))

        def _reply(self, path: str, work: Callable[[], Reply]) -> None:
            ehr.requests.append(path)
            seconds = next((value for end, value in ehr.pause.items() if path.endswith(end)), 0.0)
            ehr.stopped.wait(min(seconds, _PATIENCE))
            status, content, headers = work()
            size = next((value for end, value in ehr.padding.items() if path.endswith(end)), 0)
            body = b" " * size + (
                content.encode() if isinstance(content, str) else json.dumps(content).encode()
            )
            try:
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    return Handler
