"""What can stop a launch or end its session: for each a status, and a page that says what happened and how to go on."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Problem(StrEnum):
    """A word for the log; the page is `templates/web/launch-<word>.html`."""

    FOREIGN = "foreign"  # `iss` is the FHIR server of no tenant
    INCOMPLETE = "incomplete"  # opened otherwise than from a chart
    UNREACHABLE = "unreachable"  # the EHR's sign-in does not answer
    UNUSABLE = "unusable"  # it answers what cannot be used
    LOST = "lost"  # what comes back is not what this browser went away with
    DECLINED = "declined"  # the user or the EHR said no
    SCOPES = "scopes"  # the EHR does not know, or not allow, what was asked for
    REFUSED = "refused"  # the EHR refused for another reason
    NO_PATIENT = "no-patient"  # the EHR named no patient
    OTHER_PATIENT = "other-patient"  # the card was about another one
    OLD_CARD = "old-card"  # whom the card was about is no longer known
    IDENTITY = "identity"  # who the user is could not be verified
    EXPIRED = "expired"  # the session is over, or was never
    FORGED = "forged"  # a form that did not come from our page
    BUSY = "busy"  # our database does not answer
    ENDED = "ended"  # the user has signed out


STATUS: Final[Mapping[Problem, int]] = {
    Problem.FOREIGN: 403,
    Problem.INCOMPLETE: 400,
    Problem.UNREACHABLE: 502,
    Problem.UNUSABLE: 502,
    Problem.LOST: 400,
    Problem.DECLINED: 403,
    Problem.SCOPES: 403,
    Problem.REFUSED: 403,
    Problem.NO_PATIENT: 403,
    Problem.OTHER_PATIENT: 409,
    Problem.OLD_CARD: 403,
    Problem.IDENTITY: 403,
    Problem.EXPIRED: 403,
    Problem.FORGED: 403,
    Problem.BUSY: 503,
    Problem.ENDED: 200,
}
