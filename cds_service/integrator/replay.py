"""`milan-net replay`: a hook request sent again with parts of its prefetch withheld or failing, to see what comes back.

What an EHR does not send, or fails to query, decides whether advice can be trusted; nothing else lets an integrator
see it before go-live (cds-hooks/sandbox#137 asked for it).
"""

import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import click
import orjson
import requests
import urllib3

from cds_service.addresses import Address, AddressError
from cds_service.errors import DataError
from cds_service.hooks.files import where_json_ends
from cds_service.integrator.keys import sign
from cds_service.integrator.replies import Reply, is_answer, show_each, show_reply

Request = dict[str, Any]

_TO_CONNECT: Final = 5.0  # seconds
_TO_ANSWER: Final = 20.0  # an EHR would have given up long before
_UNSIGNED: Final = "the service asks who calls: sign as an EHR does, with --sign KEYFILE and --issuer"
_LARGEST_ANSWER: Final = 8 * 1024 * 1024
_CHUNK: Final = 64 * 1024
_HEADERS: Final = {
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Accept-Encoding": "identity",
}


class Fate(StrEnum):
    """What becomes of a key of the prefetch (integration.md 1.8)."""

    DROPPED = "dropped"  # not sent
    NULL = "null"  # asked, and nothing there
    OUTCOME = "outcome"  # asked, and failed


FAILED: Final = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "error", "code": "exception", "diagnostics": "Failed by milan-net replay."}],
}


# --- the request ------------------------------------------------------------------------------------------------------


def read_request(path: Path) -> Request:
    """The hook request in a file. Raises DataError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None
    try:
        request = orjson.loads(data)
    except ValueError:
        raise DataError(f"{path}: this is no JSON{where_json_ends(data)}") from None
    if not isinstance(request, dict) or "hook" not in request:
        raise DataError(f"{path}: this is no hook request")
    if not isinstance(request.get("prefetch", {}), dict):
        raise DataError(f"{path}: its prefetch is no object")
    return request


def altered(request: Request, fates: Mapping[str, Fate], *, instance: str | None) -> Request:
    """The request with some keys of its prefetch changed, under another hookInstance if one is given.

    Raises DataError for a key that the request does not have: a typing error would look like a service that copes.
    """
    prefetch: dict[str, Any] = request.get("prefetch", {})
    if unknown := sorted(fates.keys() - prefetch.keys()):
        there = ", ".join(prefetch) or "none at all"
        raise DataError(f"the prefetch has no key {', '.join(unknown)}; it has {there}")
    replaced = {Fate.NULL: None, Fate.OUTCOME: FAILED}
    sent = {
        key: replaced[fates[key]] if key in fates else value
        for key, value in prefetch.items()
        if fates.get(key) is not Fate.DROPPED
    }
    changed = {name: value for name, value in request.items() if name != "prefetch"}
    changed |= {"prefetch": sent} if sent else {}
    return changed | ({"hookInstance": instance} if instance else {})


# --- the call ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Signature:
    """What a call is signed with, as an EHR would."""

    key: Path
    issuer: str
    audience: str
    subject: str | None = None
    tenant: str | None = None

    def token(self, now: float) -> str:
        """A token for one call. Raises DataError."""
        return sign(
            self.key,
            issuer=self.issuer,
            audience=self.audience,
            now=now,
            subject=self.subject,
            tenant=self.tenant,
        )


class _Caller(requests.auth.AuthBase):
    """Sends our token or none; without it, requests would send a password of the user's netrc file."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def send(address: Address, request: Request, signature: Signature | None) -> Reply:
    """Send a request and read the answer, whatever its status. Raises DataError if there is none in time."""
    token = signature.token(time.time()) if signature is not None else None
    started = time.monotonic()
    try:
        with requests.post(
            str(address),
            data=orjson.dumps(request),
            headers=_HEADERS,
            auth=_Caller(token),
            timeout=(_TO_CONNECT, _TO_ANSWER),
            allow_redirects=False,
            stream=True,
        ) as response:
            content = b"".join(_bounded(response, started + _TO_ANSWER))
            return Reply(response.status_code, (time.monotonic() - started) * 1000, content)
    except (requests.Timeout, urllib3.exceptions.TimeoutError):
        raise DataError(f"{address} did not answer within {_TO_ANSWER:.0f} seconds") from None
    except requests.exceptions.SSLError:
        raise DataError(f"{address} has a certificate that is not trusted here") from None
    except (requests.RequestException, urllib3.exceptions.HTTPError):
        raise DataError(f"{address} cannot be reached, or broke off") from None


def _bounded(response: requests.Response, deadline: float) -> Iterator[bytes]:
    """The body in pieces, as long as it is not too much and not too late."""
    size = 0
    while piece := response.raw.read1(_CHUNK):  # what has arrived: a server that drips is noticed
        size += len(piece)
        if size > _LARGEST_ANSWER:
            raise DataError("the answer is larger than 8 MiB, which no list of cards is")
        if time.monotonic() > deadline:
            raise requests.Timeout
        yield piece


# --- the command ------------------------------------------------------------------------------------------------------

_KEYS: Final[dict[str, Any]] = {"multiple": True, "metavar": "KEY"}


@click.command()
@click.argument("request_file", metavar="REQUEST", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--url", required=True, help="The service, such as http://127.0.0.1:8000/cds-services/ID.")
@click.option("--drop", **_KEYS, help="Do not send this key.")
@click.option("--null", **_KEYS, help="Send null: the EHR asked, and there is nothing.")
@click.option("--outcome", **_KEYS, help="Send an OperationOutcome: the EHR asked, and that failed.")
@click.option("--all-drops", is_flag=True, help="Send no prefetch at all.")
@click.option("--each", is_flag=True, help="Drop every key in turn, and show key and answer.")
@click.option("--keep-instance", is_flag=True, help="Keep the hookInstance of the file; else a fresh one.")
@click.option(
    "--sign", "key", type=click.Path(path_type=Path), help="Private key that `milan-net keys new` made."
)
@click.option("--issuer", help="With --sign: `iss`, as the tenant trusts it.")
@click.option("--audience", help="With --sign: `aud`; the --url if not given.")
@click.option("--subject", help="With --sign: `sub`, where the tenant asks for one.")
@click.option("--tenant", help="With --sign: the `tenant` claim, where the tenant asks for one.")
@click.option("--json", "as_json", is_flag=True, help="The answer as it came.")
def replay(  # noqa: PLR0913  the options of the command
    request_file: Path,
    url: str,
    drop: tuple[str, ...],
    null: tuple[str, ...],
    outcome: tuple[str, ...],
    *,
    all_drops: bool,
    each: bool,
    keep_instance: bool,
    as_json: bool,
    **signing: Any,
) -> None:
    """Send the hook request of a file with keys of its prefetch withheld or failing, and show what comes back.

    Ends with 1 where the call was refused or something else than a CDS service answered.
    """
    address = _address(url)
    signature = _signature(address, **signing)
    request = read_request(request_file)
    keys = list(request.get("prefetch", {}))
    if each and all_drops:
        raise click.UsageError("--each drops the keys in turn, --all-drops all at once: leave one out")
    fates = _fates({Fate.DROPPED: keys if all_drops else drop, Fate.NULL: null, Fate.OUTCOME: outcome})

    replies: list[Reply] = []

    def answer_without(*dropped: str) -> Reply:
        instance = None if keep_instance else str(uuid.uuid4())
        changed = altered(request, fates | dict.fromkeys(dropped, Fate.DROPPED), instance=instance)
        replies.append(send(address, changed, signature))
        return replies[-1]

    if each:
        in_turn = ((key, answer_without(*([key] if key else []))) for key in ("", *keys))
        show_each(in_turn, as_json=as_json)
    else:
        show_reply(answer_without(), as_json=as_json)
    if signature is None and any(reply.status == HTTPStatus.UNAUTHORIZED for reply in replies):
        click.echo(f"milan-net: {_UNSIGNED}", err=True)
    if not all(map(is_answer, replies)):
        raise click.exceptions.Exit(1)


def _address(url: str) -> Address:
    try:
        return Address.parse(url)
    except AddressError as error:
        raise click.BadParameter(str(error), param_hint="--url") from None


def _fates(told: Mapping[Fate, Iterable[str]]) -> dict[str, Fate]:
    fates: dict[str, Fate] = {}
    for fate, keys in told.items():
        for key in keys:
            if fates.setdefault(key, fate) is not fate:
                raise click.UsageError(f"{key} cannot be sent in two ways at once")
    return fates


def _signature(address: Address, key: Path | None, **claims: str | None) -> Signature | None:
    """The signature that is asked for. A token goes over https, or stays on this machine."""
    if key is None:
        if any(claims.values()):
            raise click.UsageError("--issuer, --audience, --subject and --tenant belong to --sign")
        return None
    if not claims["issuer"]:
        raise click.UsageError("--sign needs --issuer, the issuer that the tenant trusts")
    if address.scheme != "https" and not address.is_loopback:
        raise click.BadParameter("a signed call is made over https, or on this machine", param_hint="--url")
    return Signature(
        key, claims["issuer"], claims["audience"] or str(address), claims["subject"], claims["tenant"]
    )
