"""Invariants of money: returned once, the same in both books, nowhere twice and nowhere lost."""

from collections import Counter, defaultdict
from typing import Any, Final

Row = dict[str, Any]

_ON_ITS_WAY: Final = ("succeeded", "pending")
_VISITS: Final = ("confirmed", "arrived", "in_treatment", "completed", "no_show")
# Our own words for what Stripe calls by one of its own.
_SAME: Final = {"external": ("succeeded", "pending"), "settled_otherwise": ("failed", "canceled")}


def refund_once(facts: Row) -> list[str]:
    """I1: one refund a conversion, none without a reason of ours, never more than was captured."""
    found = []
    returned: Counter[str] = Counter()
    times: Counter[str] = Counter()
    for refund in facts["stripe"]["refunds"]:
        if refund["status"] in _ON_ITS_WAY:
            returned[refund["payment_intent"]] += refund["amount"]
            times[refund["payment_intent"]] += 1
    captured = {intent["id"]: intent["amount_received"] for intent in facts["stripe"]["intents"]}
    for intent, cents in returned.items():
        if cents > captured.get(intent, 0):
            found.append(f"refund_once: {intent} returned {cents} of {captured.get(intent, 0)}")
    for payment in facts["ours"]["payments"]:
        intent = payment["stripe_payment_intent_id"]
        if times[intent] > 1 and returned[intent] >= payment["amount_cents"]:
            found.append(f"refund_once: payment {payment['id']} was returned {times[intent]}x")
    owed: Counter[str] = Counter()
    for refund in facts["ours"]["refunds"]:
        if refund["reason"] not in ("goodwill", "external"):
            owed[refund["payment_id"]] += 1
    found += [f"refund_once: payment {id_} is owed {n}x" for id_, n in owed.items() if n > 1]
    return found + _refunds_without_a_reason(facts)


def _refunds_without_a_reason(facts: Row) -> list[str]:
    joined = {m["booking_id"] for m in facts["ours"]["memberships"] if m["status"] == "active"}
    ended = {m["booking_id"] for m in facts["ours"]["memberships"]} - joined
    bookings = {payment["id"]: payment["booking_id"] for payment in facts["ours"]["payments"]}
    return [
        f"refund_once: {refund['id']} says membership, and nobody joined"
        for refund in facts["ours"]["refunds"]
        if refund["reason"] == "membership"
        and bookings[refund["payment_id"]] not in joined
        and bookings[refund["payment_id"]] not in ended
    ]


def one_subscription(facts: Row) -> list[str]:
    """I1: a membership is charged by one subscription, and each one there is known here."""
    made: dict[str, list[str]] = defaultdict(list)
    for subscription in facts["stripe"]["subscriptions"]:
        made[subscription["metadata"].get("membership_id", "")].append(subscription["id"])
    found = [f"one_subscription: {id_} has {ids}" for id_, ids in made.items() if len(ids) > 1]
    ours = {
        m["stripe_subscription_id"]: m["id"]
        for m in facts["ours"]["memberships"]
        if m["stripe_subscription_id"]
    }
    theirs = {id_ for ids in made.values() for id_ in ids}
    current = Counter(
        m["patient_id"]
        for m in facts["ours"]["memberships"]
        if m["status"] in ("pending", "active", "past_due")
    )
    found += [f"one_subscription: patient {id_} joined {n}x" for id_, n in current.items() if n > 1]
    found += [f"one_subscription: {id_} is not known here" for id_ in theirs - ours.keys()]
    return found + [f"one_subscription: {id_} is not at Stripe" for id_ in ours.keys() - theirs]


def books_agree(facts: Row) -> list[str]:
    """I2: refund ids, amounts and statuses are the same, both ways; so are the paid intents."""
    ours = {r["stripe_refund_id"]: r for r in facts["ours"]["refunds"] if r["stripe_refund_id"]}
    theirs = {r["id"]: r for r in facts["stripe"]["refunds"]}
    known = _with_a_case(facts, "refunded_outside")
    payments = {p["stripe_payment_intent_id"]: p for p in facts["ours"]["payments"]}
    found = [f"books_agree: {id_} is not at Stripe" for id_ in ours.keys() - theirs.keys()]
    for id_, refund in theirs.items():
        mine, payment = ours.get(id_), payments.get(refund["payment_intent"])
        if mine is None:
            if payment is None or payment["id"] not in known:
                found.append(f"books_agree: {id_} at Stripe is not known here")
            continue
        if mine["amount_cents"] != refund["amount"]:
            found.append(f"books_agree: {id_} is {mine['amount_cents']} here, {refund['amount']}")
        if refund["status"] not in _SAME.get(mine["status"], (mine["status"],)):
            found.append(f"books_agree: {id_} is {mine['status']} here, {refund['status']} there")
    return found + _intents_that_differ(facts, payments)


def _intents_that_differ(facts: Row, payments: dict[str, Row]) -> list[str]:
    found = []
    for intent in facts["stripe"]["intents"]:
        if not intent["metadata"].get("payment_id") or not intent["amount_received"]:
            continue
        mine = payments.get(intent["id"])
        if mine is None or mine["status"] != "paid":
            found.append(f"books_agree: {intent['id']} was paid, and is not known as paid here")
        elif mine["amount_cents"] != intent["amount_received"]:
            found.append(f"books_agree: {intent['id']} differs in amount")
    paid = {i["id"] for i in facts["stripe"]["intents"] if i["amount_received"]}
    for payment in facts["ours"]["payments"]:
        intent_id = payment["stripe_payment_intent_id"]
        if payment["status"] == "paid" and intent_id not in paid:
            found.append(f"books_agree: payment {payment['id']} is not paid at Stripe")
    return found


def places(facts: Row) -> dict[str, str]:
    """I4: for each first visit that Stripe was paid for, where the money ended.

    `visit`, `kept` (returned, because the patient joined), `returned`, `case`; or what must not be:
    `lost` (neither), `doubled` (the visit and the money).
    """
    bookings = {b["payment_id"]: b for b in facts["ours"]["bookings"] if b["payment_id"]}
    intents = {p["id"]: p["stripe_payment_intent_id"] for p in facts["ours"]["payments"]}
    returned: Counter[str] = Counter()
    for refund in facts["stripe"]["refunds"]:
        if refund["status"] in _ON_ITS_WAY:
            returned[refund["payment_intent"]] += refund["amount"]
    refunds: dict[str, list[Row]] = defaultdict(list)
    for refund in facts["ours"]["refunds"]:
        refunds[refund["payment_id"]].append(refund)
    in_case = _with_a_case(facts)
    ended = {}
    for intent in facts["stripe"]["intents"]:
        payment_id = intent["metadata"].get("payment_id")
        if not payment_id or not intent["amount_received"]:
            continue
        booking = bookings.get(payment_id)
        is_back = returned[intent["id"]] >= intent["amount_received"]
        ours = refunds[payment_id]
        has_case = payment_id in in_case or any(refund["id"] in in_case for refund in ours)
        is_known = intents.get(payment_id) == intent["id"]
        ended[payment_id] = _place(booking if is_known else None, ours, is_back, has_case)
    return ended


def _place(booking: Row | None, ours: list[Row], is_back: bool, has_case: bool) -> str:  # noqa: FBT001
    is_visit = booking is not None and booking["status"] in _VISITS
    is_otherwise = any(refund["status"] == "settled_otherwise" for refund in ours)
    is_kept = any(refund["reason"] in ("membership", "goodwill") for refund in ours)
    if is_visit and is_back and not is_kept:
        return "case" if has_case else "doubled"
    if is_back or is_otherwise:
        return "kept" if is_visit else "returned"
    if has_case:
        return "case"
    is_owed = bool(ours) or (booking is not None and booking["promise_status"] in _OWED)
    return "visit" if is_visit and not is_owed else "lost"


_OWED: Final = ("earned", "blocked", "broken")


def paid_ends_in_one_place(facts: Row) -> list[str]:
    """I4: whoever paid has the visit, or the money, or a person who looks after it."""
    return [
        f"paid_ends_in_one_place: payment {payment_id} is {place}"
        for payment_id, place in places(facts).items()
        if place in ("lost", "doubled")
    ]


def residue(facts: Row) -> int:
    """Return what our account of Stripe's balance differs from Stripe's, in cents."""
    theirs = sum(
        movement["net"]
        for movement in facts["stripe"]["movements"]
        if not movement["type"].startswith("payout")
    )
    accounts = facts["ours"]["ledger"]["accounts"]
    paid_out = accounts.get("bank", 0) + accounts.get("payouts_in_transit", 0)
    return int(accounts.get("stripe_balance", 0)) + int(paid_out) - int(theirs)


def ledger_equals_stripe(facts: Row) -> list[str]:
    """I7: what we say Stripe holds is what moved there, to the cent; every entry balances."""
    found = []
    if not facts["ours"]["ledger"]["balanced"]:
        found.append("ledger_equals_stripe: the ledger does not balance")
    if cents := residue(facts):
        found.append(f"ledger_equals_stripe: {cents} cents differ")
    return found


def _with_a_case(facts: Row, type_: str = "") -> set[str]:
    return {
        case["subject_id"]
        for case in facts["ours"]["exceptions"]
        if (case["status"] == "open" or type_) and type_ in ("", case["type"])
    }
