"""What finance reads about payouts and comparisons instead of codes."""

from typing import Final

from booking_service.models import DiscrepancyKind as K

# Kind: what it is, what to do.
DIFFERENCES: Final = {
    K.PAYMENT_MISSING_HERE: (
        "A payment at Stripe that we do not have",
        "Find the booking by its Stripe id; if there is none, return the money.",
    ),
    K.PAYMENT_MISSING_AT_STRIPE: (
        "A payment of ours that Stripe does not have",
        "Look at the visit: it may be booked as paid without being paid.",
    ),
    K.PAYMENT_DIFFERS: (
        "A payment of another amount at Stripe",
        "Compare the amount with the offer the patient accepted.",
    ),
    K.REFUND_MISSING_HERE: (
        "A refund at Stripe that we do not have",
        "Look at the payment in Stripe: who made this refund, and why?",
    ),
    K.REFUND_MISSING_AT_STRIPE: (
        "A refund of ours that Stripe does not have",
        "Look at the payment in Stripe before anything is sent again.",
    ),
    K.REFUND_DIFFERS: (
        "A refund that is different at Stripe",
        "Compare amount and status with Stripe's.",
    ),
    K.MEMBERSHIP_MISSING_HERE: (
        "A membership at Stripe that we do not have",
        "Find the patient by the id in Stripe; cancel it there if nobody joined.",
    ),
    K.MEMBERSHIP_MISSING_AT_STRIPE: (
        "A membership of ours that Stripe does not have",
        "The member is not being charged: ask for a card again.",
    ),
    K.DISPUTE_DIFFERS: (
        "A dispute that is different at Stripe",
        "Open it in Stripe and mind the date evidence is due.",
    ),
    K.PAYOUT_DIFFERS: (
        "A payout that is different at Stripe",
        "Compare it with the bank statement.",
    ),
    K.LEDGER_DIFFERS: (
        "Stripe's balance moved otherwise than our ledger says",
        "Open the id in Stripe and compare it with the ledger.",
    ),
}

RULES: Final = {
    "earned_not_settled": "A promise was earned more than a day ago, and the money is not back",
    "refund_without_reason": "A refund does not fit the reason it was made for",
    "paid_without_a_place": "Paid, and neither a visit nor on its way back",
    "more_back_than_taken": "More went back than was taken",
    "liability_differs": "The ledger owes another amount than the promise says",
    "member_without_payment": "A membership is active without its payment",
    "follow_up_with_money": "A visit that a plan includes was paid for by itself",
}

# Stripe's status: word, icon, class of staff.css.
STATUSES: Final = {
    "pending": ("Announced", "hourglass", "pend"),
    "in_transit": ("On its way", "hourglass", "pend"),
    "paid": ("At the bank", "circle-check", "ok"),
    "failed": ("Sent back by the bank", "circle-x", "bad"),
    "canceled": ("Cancelled", "circle-x", "bad"),
}

TYPES: Final = {
    "charge": "Payment",
    "payment": "Payment",
    "refund": "Refund",
    "refund_failure": "Refund sent back",
    "adjustment": "Dispute or adjustment",
    "stripe_fee": "Stripe's own fee",
}
