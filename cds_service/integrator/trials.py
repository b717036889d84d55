"""The calls that a new connection is tried with: commands to copy, and what to expect of each."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cds_service.tenants import Tenant, Trust

_REQUESTS: Final = "sample_bundles/requests"
_CALLS: Final = (
    (
        "meets.json",
        (),
        "an info card: the recorded criteria are met; with a draft referral, if that order can be proposed.",
    ),
    ("no-net.json", (), "no card: the patient has no neuroendocrine tumour."),
    ("incomplete.json", (), "an info card that lists what is missing; null rows count as asked and empty."),
    ("meets.json", ("--outcome", "observations"), "a card that says that observations could not be read."),
    (
        "meets.json",
        ("--each",),
        "for every row left out a card that says what is unknown, or 412; never silence.",
    ),
)


@dataclass(frozen=True, slots=True)
class Trial:
    """One command, and what has to come back."""

    command: str
    expected: str


def trials(tenant: Tenant, url: str, key: Path | None) -> tuple[Trial, ...]:
    """Calls of a service at `url`, signed with a test key where the tenant asks for tokens."""
    signing = _signing(tenant.trust, key) if tenant.trust is not None and key is not None else []
    return tuple(
        Trial(
            shlex.join(["milan-net", "replay", f"{_REQUESTS}/{name}", "--url", url, *options, *signing]),
            expected,
        )
        for name, options, expected in _CALLS
    )


def _signing(trust: Trust, key: Path) -> list[str]:
    claims = {"--subject": trust.subject, "--tenant": trust.tenant}
    if not trust.audiences:
        claims["--audience"] = trust.fixed_audiences[0]
    given = [part for name, value in claims.items() if value is not None for part in (name, value)]
    return ["--sign", str(key), "--issuer", trust.issuer, *given]
