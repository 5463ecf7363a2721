"""Invariants of money: returned once, the same in both books, nowhere twice and nowhere lost."""

from collections import Counter, defaultdict
from typing import Any, Final

from tests.month.invariants import places

Row = dict[str, Any]

_OUTSIDE: Final = "refunded_outside"
# Our own words for what Stripe calls by one of its own.
_SAME: Final = {
    "external": ("succeeded", "pending"),
    "settled_otherwise": ("failed", "canceled"),
    "canceled": ("failed", "canceled"),  # it failed, and we gave it up: the bank took the money
}


def refund_once(facts: Row) -> list[str]:
    """I1: one refund a conversion, none without a reason of ours, never more than was captured."""
    found = []
    returned: Counter[str] = Counter()
    times: Counter[str] = Counter()
    for refund in facts["stripe"]["refunds"]:
        if refund["status"] in places.ON_ITS_WAY:
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
    known = {c["subject_id"] for c in facts["ours"]["exceptions"] if c["type"] == _OUTSIDE}
    payments = {p["stripe_payment_intent_id"]: p for p in facts["ours"]["payments"]}
    found = [f"books_agree: {id_} is not at Stripe" for id_ in ours.keys() - theirs.keys()]
    for id_, refund in theirs.items():
        mine, payment = ours.get(id_), payments.get(refund["payment_intent"])
        if mine is None:
            # A refund that failed and was sent once more left the first one behind.
            is_over = refund["status"] not in places.ON_ITS_WAY and id_ in facts["tried_at_stripe"]
            if not is_over and (payment is None or payment["id"] not in known):
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
        intent_id, is_here = payment["stripe_payment_intent_id"], facts["paid_at_the_desk"]
        if payment["status"] == "paid" and intent_id not in paid and payment["id"] not in is_here:
            found.append(f"books_agree: payment {payment['id']} is not paid at Stripe")
    return found


def paid_ends_in_one_place(facts: Row) -> list[str]:
    """I4: whoever paid has the visit, or the money, or a person who looks after it."""
    return [
        f"paid_ends_in_one_place: payment {payment_id} is {place}"
        for payment_id, place in places.places(facts).items()
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
    # The bank got Stripe's payouts, and paid back what Stripe could not.
    bank = accounts.get("bank", 0) + facts["paid_by_bank_cents"]
    paid_out = bank + accounts.get("payouts_in_transit", 0)
    return int(accounts.get("stripe_balance", 0)) + int(paid_out) - int(theirs)


def ledger_equals_stripe(facts: Row) -> list[str]:
    """I7: what we say Stripe holds is what moved there, to the cent; every entry balances."""
    found = []
    if not facts["ours"]["ledger"]["balanced"]:
        found.append("ledger_equals_stripe: the ledger does not balance")
    if cents := residue(facts):
        found.append(f"ledger_equals_stripe: {cents} cents differ")
    return found
