"""Invariants of visits and statuses: no double booking, nothing unpaid, no step back, audited."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

Row = dict[str, Any]

# What may follow, straight or by way of others (RELIABILITY.md I9, PRODUCT.md). Written here again,
# and not read from the models: a model that allows too much is what this looks for.
_NEXT: Final[dict[str, dict[str, str]]] = {
    "booking": {
        "held": "confirmed expired",
        "confirmed": "arrived no_show cancelled",
        "arrived": "in_treatment completed",
        "in_treatment": "completed",
        "expired": "confirmed",
    },
    "payment": {"open": "paid expired failed", "expired": "paid", "failed": "paid"},
    "promise": {
        "open": "earned lapsed waived void",
        "earned": "settled blocked broken waived void",
        "blocked": "earned settled broken waived void",
        "broken": "earned settled blocked waived void",
        "settled": "broken",
        "lapsed": "waived void",
    },
    "membership": {
        "pending": "active undone ended",
        "active": "past_due cancelled ended",
        "past_due": "active cancelled ended",
        "cancelled": "ended",
    },
    "refund": {
        "blocked": "requested canceled settled_otherwise external",
        "requested": "sending blocked canceled external",
        "sending": "pending requires_action succeeded failed canceled blocked external",
        "pending": "requires_action succeeded failed canceled",
        "requires_action": "pending succeeded failed canceled",
        "succeeded": "failed",
        "failed": "requested settled_otherwise canceled external",
        "canceled": "requested settled_otherwise external",
        "external": "failed canceled",
    },
}


_IN_ONE_MONTH: Final = 27  # days

# Between two samples no more moves than these happen; a longer way round would be a step back.
_MOST_MOVES: Final = 3
_FORWARD_ONLY: Final = ("booking",)  # but a visit may take all its steps between two samples


def _reachable(kind: str, status: str) -> set[str]:
    found: set[str] = set()
    last = {status}
    for _ in range(len(_NEXT[kind]) if kind in _FORWARD_ONLY else _MOST_MOVES):
        last = {after for before in last for after in _NEXT[kind].get(before, "").split()}
        found |= last
    return found


_LATER: Final = {
    kind: {status: _reachable(kind, status) for status in moves} for kind, moves in _NEXT.items()
}

# What must stand in the audit log, once each, of a booking or membership that ended like this.
_AUDITED: Final = {
    ("booking", "confirmed"): ("booking.confirm",),
    ("booking", "arrived"): ("booking.confirm", "booking.arrived"),
    ("booking", "in_treatment"): ("booking.confirm", "booking.arrived", "booking.in_treatment"),
    ("booking", "completed"): ("booking.confirm", "booking.arrived", "booking.completed"),
    ("booking", "no_show"): ("booking.confirm", "booking.no_show"),
    ("booking", "cancelled"): ("booking.confirm", "booking.cancelled"),
    ("membership", "undone"): ("membership.undo",),
}
# What the service does not write down yet; each belongs above as soon as it does.
NOT_YET_AUDITED: Final = {
    "booking expired": "a hold that is let go writes no row",
    "membership active": "only the decision and its undoing are written",
    "refund, promise, payment": "their moves write no rows; the ledger and the attempts are all",
    "before": "every row's `before` is empty, so a chain of states can not be checked",
}


def no_double_booking(live: Iterable[Row]) -> list[str]:
    """I3: no two live bookings of a practitioner overlap."""
    by_practitioner: dict[str, list[Row]] = defaultdict(list)
    for booking in live:
        by_practitioner[booking["practitioner_id"]].append(booking)
    found = []
    for bookings in by_practitioner.values():
        bookings.sort(key=lambda b: b["starts_at"])
        last = None
        for booking in bookings:
            if last is not None and booking["starts_at"] < last["ends_at"]:
                found.append(f"no_double_booking: {last['id']} and {booking['id']} overlap")
            if last is None or booking["ends_at"] > last["ends_at"]:
                last = booking
    return found


def no_step_back(moves: Iterable[tuple[str, str, str, str]]) -> list[str]:
    """I9 between two samples: (kind, id, status before, status after)."""
    return [
        f"monotone: {kind} {id_} went from {before} to {after}"
        for kind, id_, before, after in moves
        if before != after and after not in _LATER[kind].get(before, set())
    ]


def monotone(facts: Row) -> list[str]:
    """I9: what the samples saw, and nothing was ever removed."""
    return list(facts["seen"])


def unpaid_never_confirmed(facts: Row) -> list[str]:
    """I5: a booking past its hold has a payment here, and Stripe or the desk has the money."""
    payments = {payment["booking_id"]: payment for payment in facts["ours"]["payments"]}
    at_stripe = {intent["id"]: intent["amount_received"] for intent in facts["stripe"]["intents"]}
    included = {visit["id"] for visit in facts["follow_ups"]}
    found = []
    for booking in facts["ours"]["bookings"]:
        if booking["status"] in ("held", "expired") or booking["id"] in included:
            continue
        payment = payments.get(booking["id"])
        if payment is None or payment["status"] != "paid":
            found.append(f"unpaid_never_confirmed: {booking['id']} is {booking['status']}, unpaid")
        elif payment["id"] in facts["paid_at_the_desk"]:
            continue
        elif at_stripe.get(payment["stripe_payment_intent_id"]) != payment["amount_cents"]:
            found.append(f"unpaid_never_confirmed: Stripe has no money for {booking['id']}")
    return found


def one_first_visit(facts: Row) -> list[str]:
    """I4: nobody has two first visits."""
    visits: dict[str, list[str]] = defaultdict(list)
    included = {visit["id"] for visit in facts["follow_ups"]}
    for booking in facts["ours"]["bookings"]:
        is_first = booking["id"] not in included
        if is_first and booking["status"] in (
            "confirmed",
            "arrived",
            "in_treatment",
            "completed",
        ):
            visits[booking["patient_id"]].append(booking["id"])
    return [
        f"one_first_visit: patient {patient} has {', '.join(ids)}"
        for patient, ids in visits.items()
        if len(ids) > 1
    ]


def follow_ups_are_included(facts: Row) -> list[str]:
    """Nobody pays for a follow-up, and no plan gave more of them in a month than it has.

    What is within 27 days of joining is in the first month, whatever day that began on.
    """
    paid = {payment["booking_id"] for payment in facts["ours"]["payments"]}
    found = [
        f"follow_ups_are_included: {visit['id']} was paid for"
        for visit in facts["follow_ups"]
        if visit["id"] in paid
    ]
    taken: dict[str, list[Row]] = defaultdict(list)
    for visit in facts["follow_ups"]:
        if not visit["given_back"] and visit["days"] < _IN_ONE_MONTH:
            taken[visit["membership_id"]].append(visit)
    return found + [
        f"follow_ups_are_included: membership {membership} has {len(visits)}"
        for membership, visits in taken.items()
        if len(visits) > visits[0]["included"]
    ]


def audit_complete(facts: Row) -> list[str]:
    """I8: the chain verifies, each step of a visit was written down once, by somebody."""
    found = []
    if not facts["ours"]["audit"]["verified"]:
        found.append("audit_complete: the chain does not verify")
    rows: dict[tuple[str, str], int] = defaultdict(int)
    for row in facts["audit"]:
        # Whoever walks in is confirmed by that.
        action = row["action"].replace("booking.walk_in", "booking.confirm")
        rows[action, row["subject_id"]] += 1
        if not row["actor_kind"] or (row["actor_kind"] in ("staff", "token") and not row["actor"]):
            found.append(f"audit_complete: nobody did {row['action']} to {row['subject_id']}")
    due = [
        (action, thing["id"])
        for kind in ("booking", "membership")
        for thing in facts["ours"][f"{kind}s"]
        for action in _AUDITED.get((kind, thing["status"]), ())
    ]
    found += [
        f"audit_complete: {action} of {id_} stands there {rows[action, id_]}x"
        for action, id_ in due
        if rows[action, id_] != 1
    ]
    return found + [
        f"audit_complete: nobody decided membership {membership['id']}"
        for membership in facts["ours"]["memberships"]
        if not rows["membership.convert", membership["id"]]
    ]
