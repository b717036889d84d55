"""Which draft orders are worth offering: what would answer an open question and is not ordered already (clinical.md 8)."""

from dataclasses import dataclass
from datetime import date

from cds_service.eligibility.criterion import hides
from cds_service.eligibility.policy import OrderRule
from fhir_mappings.facts import Discarded, Evidence, Facts, OpenOrder, OrderKind, OrderState
from fhir_mappings.when import add_months

_GIVEN = (OrderState.ACTIVE, OrderState.COMPLETED)


@dataclass(frozen=True, slots=True)
class Offer:
    """The drafts to offer, those of them of which one may already be placed, and the orders that count and do not."""

    drafts: tuple[OrderKind, ...]
    in_doubt: tuple[OrderKind, ...]
    placed: tuple[Discarded, ...]
    set_aside: tuple[Discarded, ...]


def is_referred(facts: Facts, rule: OrderRule, on: date) -> bool:
    """Whether a transplant referral was ordered, and that not so long ago that it must be taken as forgotten."""
    return any(
        order.kind is OrderKind.TRANSPLANT_REFERRAL and order.state in _GIVEN and _is_placed(order, rule, on)
        for order in facts.open_orders.value or ()
    )


def offered(facts: Facts, rule: OrderRule, on: date, wanted: frozenset[OrderKind]) -> Offer:
    """What of the wanted drafts to offer, in the order of their kinds, and what a clinician has to know about it."""
    known = facts.open_orders.value or ()
    placed = {order.kind for order in known if _is_placed(order, rule, on)}
    doubted = {
        order.kind for order in known if not _is_placed(order, rule, on) and not _aside(order, rule, on)
    }
    drafts = tuple(kind for kind in OrderKind if kind in wanted - placed)
    standing = [order for order in known if order.kind in wanted and _is_placed(order, rule, on)]
    told = {*drafts, OrderKind.TRANSPLANT_REFERRAL}
    return Offer(
        drafts,
        drafts if unseen_orders(facts) else tuple(kind for kind in drafts if kind in doubted),
        tuple(Discarded(_evidence(order), f"already there: {order.state}") for order in standing),
        tuple(
            Discarded(_evidence(order), _aside(order, rule, on) or _doubt(order))
            for order in known
            if order.kind in told and not _is_placed(order, rule, on)
        ),
    )


def unseen_orders(facts: Facts) -> tuple[str, ...]:
    """The sentence that says why orders may exist that were not seen; none where all were."""
    orders = facts.open_orders
    reasons = [note.text for note in orders.notes if note.flag == "incomplete"]
    if orders.gap is not None and hides(orders):
        reasons.append(orders.gap.reason)
    return tuple(
        f"{reason} Whether an order or referral is already active is not known." for reason in reasons
    )


def _is_placed(order: OpenOrder, rule: OrderRule, on: date) -> bool:
    """Whether an order stands in the way of another. Without a day, what is open counts and what is completed may not."""
    if _aside(order, rule, on) or order.state is OrderState.DOUBTFUL:
        return False
    return order.date is not None or order.state is not OrderState.COMPLETED


def _aside(order: OpenOrder, rule: OrderRule, on: date) -> str:
    """Why an order surely does not count as placed; empty where it does or may."""
    if order.state is OrderState.PROPOSED:
        return "proposed or planned, not ordered"
    if order.date is not None and add_months(order.date.latest, rule.months) <= on:
        return f"out of date: {order.state}, and written {rule.months} months ago or more"
    return ""


def _doubt(order: OpenOrder) -> str:
    reason = order.doubt or "completed on a day that is not told"
    return f"{reason}; whether it is active is not known"


def _evidence(order: OpenOrder) -> Evidence:
    return Evidence(order.reference, "status", order.date, display=order.kind.replace("-", " "))
