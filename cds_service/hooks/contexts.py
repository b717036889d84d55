"""The context of each hook: what the user is looking at or doing (cds-hooks.md 7).

Members that are not declared here are skipped, as CDS Hooks asks. Resources in a context are drafts, which may lack
ids, types and intents, so they are kept as they are and read tolerantly.
"""

from typing import Any

import msgspec

BundleJson = dict[str, Any]


class Context(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What every hook tells: also the whole context of patient-view."""

    user_id: str
    patient_id: str
    encounter_id: str | None = None


class EncounterContext(Context, frozen=True, kw_only=True, rename="camel"):
    """The context of encounter-start."""

    encounter_id: str


class OrderSignContext(Context, frozen=True, kw_only=True, rename="camel"):
    """The context of order-sign."""

    draft_orders: BundleJson


class OrderSelectContext(OrderSignContext, frozen=True, kw_only=True, rename="camel"):
    """The context of order-select: `selections` names the draft orders that were just chosen, as `Type/id`."""

    selections: list[str]


class ProblemContext(Context, frozen=True, kw_only=True, rename="camel"):
    """The context of problem-list-item-create: Conditions that were just recorded."""

    conditions: BundleJson


class AppointmentContext(Context, frozen=True, kw_only=True, rename="camel"):
    """The context of appointment-book."""

    appointments: BundleJson
