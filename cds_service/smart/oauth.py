"""The messages of OAuth 2.0 that we send: the way to the EHR's sign-in, and the request for a token.

Authlib writes them; they go out by our own transport, which its client would not use.
"""

import secrets
from collections.abc import Sequence

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7523 import private_key_jwt_sign
from authlib.oauth2.rfc7523.client import ASSERTION_TYPE
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from cds_service.smart.client_key import ClientKey

_ASSERTION_SECONDS = 240  # SMART allows five minutes, and clocks differ


def secret() -> str:
    """256 random bits: for a state, a nonce, a code verifier, a cookie."""
    return secrets.token_urlsafe(32)


def sign_in_address(  # noqa: PLR0913  the parameters of the request
    endpoint: str,
    *,
    client_id: str,
    redirect_uri: str,
    scopes: Sequence[str],
    state: str,
    nonce: str,
    verifier: str,
    audience: str,
    launch: str,
) -> str:
    """Where to send the user to sign in (SMART App Launch 2.2, Obtain authorization code)."""
    found: str = prepare_grant_uri(
        endpoint,
        client_id,
        "code",
        redirect_uri=redirect_uri,
        scope=" ".join(scopes),
        state=state,
        aud=audience,
        launch=launch,
        nonce=nonce,
        code_challenge=create_s256_code_challenge(verifier),
        code_challenge_method="S256",
    )
    return found


def token_request(code: str, redirect_uri: str, verifier: str, assertion: str) -> bytes:
    """The form that asks for a token."""
    form: str = prepare_token_request(
        "authorization_code",
        redirect_uri=redirect_uri,
        code=code,
        code_verifier=verifier,
        client_assertion_type=ASSERTION_TYPE,
        client_assertion=assertion,
    )
    return form.encode("ascii")


def client_assertion(key: ClientKey, client_id: str, token_endpoint: str, now: float) -> str:
    """Who we are, signed for one token endpoint, once and for a few minutes.

    Authlib would take RS256, which EHRs need not know, and no key id (integration.md 2.3).
    """
    signed: str = private_key_jwt_sign(
        key.key,
        client_id=client_id,
        token_endpoint=token_endpoint,
        alg=key.algorithm,
        claims={"jti": secret()},
        header={"kid": key.kid, "typ": "JWT"},
        issued_at=int(now),
        expires_in=_ASSERTION_SECONDS,
    )
    return signed
