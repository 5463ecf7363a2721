"""Where the money of each first visit ended: exactly one place is right, and two are wrong."""

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import Any, Final

Row = dict[str, Any]

ON_ITS_WAY: Final = ("succeeded", "pending")
_VISITS: Final = ("confirmed", "arrived", "in_treatment", "completed", "no_show")
_OWED: Final = ("earned", "blocked", "broken")
# Money that went back, or was to, without being owed.
_GIVEN: Final = ("goodwill", "external")
# By these a person answers for where the money is; by the others something else happens to it.
_ANSWERED: Final = ("acknowledge", "waive")
_CUT_OFF: Final = timedelta(hours=24)


def places(facts: Row) -> dict[str, str]:
    """I4: for each first visit that was paid for, where the money ended.

    `visit`, `kept` (returned, because the patient joined), `returned`, `bank` (a dispute was lost),
    `forfeited` (cancelled too late), `case`; or what must not be: `lost` (neither), `doubled` (the
    visit and the money).
    """
    bookings = {b["payment_id"]: b for b in facts["ours"]["bookings"] if b["payment_id"]}
    intents = {p["id"]: p["stripe_payment_intent_id"] for p in facts["ours"]["payments"]}
    returned = _returned(facts)
    refunds: dict[str, list[Row]] = defaultdict(list)
    for refund in facts["ours"]["refunds"]:
        refunds[refund["payment_id"]].append(refund)
    in_case, too_late = _in_case(facts), _cancelled_too_late(facts)
    taken = {d["payment_intent"] for d in facts["stripe"]["disputes"] if d["status"] == "lost"}
    ended = {}
    for payment_id, intent in _paid(facts):
        booking = bookings.get(payment_id)
        if intent and intents.get(payment_id) != intent["id"]:
            booking = None  # it was paid, and not for what we think
        is_back = intent is not None and returned[intent["id"]] >= intent["amount_received"]
        ours = refunds[payment_id]
        has_case = payment_id in in_case or any(refund["id"] in in_case for refund in ours)
        place = _place(booking, ours, is_back=is_back, has_case=has_case)
        if place == "lost" and intent is not None and intent["id"] in taken:
            place = "bank"
        elif place == "lost" and booking is not None and booking["id"] in too_late:
            place = "forfeited"
        ended[payment_id] = place
    return ended


def _paid(facts: Row) -> list[tuple[str, Row | None]]:
    """Return every payment, with what Stripe has of it; nothing if it was made at the desk."""
    at_stripe = [
        (intent["metadata"]["payment_id"], intent)
        for intent in facts["stripe"]["intents"]
        if intent["metadata"].get("payment_id") and intent["amount_received"]
    ]
    return [*at_stripe, *((id_, None) for id_ in facts["paid_at_the_desk"])]


def _returned(facts: Row) -> Counter[str]:
    returned: Counter[str] = Counter()
    for refund in facts["stripe"]["refunds"]:
        if refund["status"] in ON_ITS_WAY:
            returned[refund["payment_intent"]] += refund["amount"]
    return returned


def _place(booking: Row | None, ours: list[Row], *, is_back: bool, has_case: bool) -> str:
    is_visit = booking is not None and booking["status"] in _VISITS
    is_otherwise = any(refund["status"] == "settled_otherwise" for refund in ours)
    is_kept = any(refund["reason"] in ("membership", "goodwill") for refund in ours)
    if is_visit and is_back and not is_kept:
        return "case" if has_case else "doubled"
    if is_back or is_otherwise:
        return "kept" if is_visit else "returned"
    if has_case:
        return "case"
    is_owed = any(refund["reason"] not in _GIVEN for refund in ours)
    is_owed = is_owed or (booking is not None and booking["promise_status"] in _OWED)
    return "visit" if is_visit and not is_owed else "lost"


def _in_case(facts: Row) -> set[str]:
    """Return what a person looks at, or has answered for."""
    answered = {
        row["subject_id"]
        for row in facts["audit"]
        if row["action"] == "case.resolved" and row["after"]["action"] in _ANSWERED
    }
    return {
        case["subject_id"]
        for case in facts["ours"]["exceptions"]
        if case["status"] == "open" or case["id"] in answered
    }


def _cancelled_too_late(facts: Row) -> set[str]:
    """Return the visits that their patient cancelled after the cut-off: their money is kept."""
    starts = {
        booking["id"]: datetime.fromisoformat(booking["starts_at"])
        for booking in facts["ours"]["bookings"]
    }
    return {
        row["subject_id"]
        for row in facts["audit"]
        if (row["action"], row["actor_kind"]) == ("booking.cancelled", "patient")
        and datetime.fromisoformat(row["at"]) >= starts[row["subject_id"]] - _CUT_OFF
    }
