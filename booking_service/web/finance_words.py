"""What finance reads instead of codes: words, an icon and a colour for each."""

from typing import Final

from booking_service.models import Account, CaseType, EntryKind, RefundReason, RefundStatus
from booking_service.queries.finance import What

# Status: word, icon, class of staff.css.
STATUSES: Final = {
    RefundStatus.BLOCKED: ("Waits for you", "lock", "bad"),
    RefundStatus.REQUESTED: ("Requested", "hourglass", "pend"),
    RefundStatus.SENDING: ("Sending", "hourglass", "pend"),
    RefundStatus.PENDING: ("Pending", "hourglass", "pend"),
    RefundStatus.REQUIRES_ACTION: ("Needs the patient", "hourglass", "pend"),
    RefundStatus.SUCCEEDED: ("Refunded", "circle-check", "ok"),
    RefundStatus.FAILED: ("Failed", "circle-x", "bad"),
    RefundStatus.CANCELED: ("Canceled", "circle-x", "bad"),
    RefundStatus.SETTLED_OTHERWISE: ("Paid another way", "banknote", "cash"),
    RefundStatus.EXTERNAL: ("Made in Stripe", "store", "ext"),
}

REASONS: Final = {
    RefundReason.MEMBERSHIP: "Became a member",
    RefundReason.CANCELLATION: "Cancelled in time",
    RefundReason.DUPLICATE_PAYMENT: "Paid twice",
    RefundReason.SLOT_LOST: "Time was gone",
    RefundReason.GOODWILL: "Goodwill",
    RefundReason.EXTERNAL: "Made in Stripe",
}

# Stripe's failure reasons (https://docs.stripe.com/refunds#failed-refunds) in plain words.
FAILURES: Final = {
    "expired_or_canceled_card": "The card is closed or has expired.",
    "lost_or_stolen_card": "The card was reported lost or stolen.",
    "insufficient_funds": "The Stripe balance was too low.",
    "charge_for_pending_refund_disputed": "The payment was disputed at the bank.",
    "declined": "The bank refused it.",
    "unknown": "The bank gave no reason.",
}

# Moment: word, icon, class of staff.css.
MOMENTS: Final = {
    What.TERMS_ACCEPTED: ("Terms accepted", "pen-line", "info"),
    What.PAID: ("Paid online", "credit-card", "ok"),
    What.ARRIVED: ("Arrived", "log-in", "info"),
    What.TREATMENT_BEGAN: ("Treatment began", "stethoscope", "info"),
    What.AGREEMENT_SIGNED: ("Agreement signed", "pen-line", "mem"),
    What.DECIDED: ("Membership decided at the desk", "user", "mem"),
    What.BECAME_MEMBER: ("Became a member: first payment settled", "badge-check", "mem"),
    What.REQUESTED: ("Refund requested", "undo-2", "ok"),
    What.APPROVED: ("Approved by a second person", "check", "ok"),
    What.SETTLEMENT_RECORDED: ("Payout outside Stripe recorded", "banknote", "go"),
    What.SETTLEMENT_APPROVED: ("Paid another way", "banknote", "ok"),
    What.SETTLEMENT_WITHDRAWN: ("Payout withdrawn", "x", "bad"),
    What.SENT: ("Sent to Stripe", "arrow-right", "go"),
    What.ANSWERED: ("Stripe answered", "arrow-right", "go"),
    What.ACCEPTED: ("Refund accepted by Stripe", "circle-check", "ok"),
    What.FAILED: ("The refund failed", "circle-x", "bad"),
    What.MAILED: ("E-mail sent", "mail", "ok"),
    What.CASE_OPENED: ("Case opened", "triangle-alert", "bad"),
    What.CASE_RESOLVED: ("Case closed", "check", "ok"),
}

CASES: Final = {
    CaseType.REFUND_FAILED: "The refund failed",
    CaseType.REFUND_BLOCKED: "Refund held back by a dispute",
    CaseType.GOODWILL_ASKED: "Goodwill to approve",
    CaseType.DESK_PAYOUT: "Pay back at the desk",
    CaseType.REFUNDED_OUTSIDE: "Refunded in Stripe's dashboard",
    CaseType.PAYMENT_MISMATCH: "Paid another amount than the price",
    CaseType.PAYMENT_UNKNOWN: "Paid for a booking we don't have",
    CaseType.DISPUTE_OPEN: "Disputed at the bank",
    CaseType.MEMBERSHIP_TWICE: "Two memberships for one decision",
    CaseType.BOOKS_DIFFER: "Our books and Stripe's differ",
    CaseType.PROMISE_IN_DOUBT: "A promise can't be explained",
    CaseType.WORK_STUCK: "Work was tried too often",
    CaseType.STRIPE_LOCKED_OUT: "Stripe does not accept our key",
}

ACCOUNTS: Final = {
    Account.STRIPE_BALANCE: "Stripe balance",
    Account.BANK: "Bank",
    Account.DISPUTED_FUNDS: "Disputed funds",
    Account.DESK_TAKINGS: "Desk takings",
    Account.REFUND_LIABILITY: "Refund liability",
    Account.UNMATCHED_RECEIPTS: "Unmatched receipts",
    Account.FIRST_VISIT_REVENUE: "First-visit revenue",
    Account.MEMBERSHIP_REVENUE: "Membership revenue",
    Account.STRIPE_FEES: "Stripe fees",
    Account.DISPUTE_LOSSES: "Dispute losses",
}

KINDS: Final = {
    EntryKind.PAYMENT: "First visit paid",
    EntryKind.PAYMENT_FEE: "Stripe fee of a first visit",
    EntryKind.REFUND: "Refund",
    EntryKind.REFUND_REVERSED: "Refund sent back by the bank",
    EntryKind.SETTLEMENT: "Paid back outside Stripe",
    EntryKind.PROMISE_LAPSED: "Visit ended, money kept",
    EntryKind.PROMISE_REOPENED: "End of the visit taken back",
    EntryKind.MEMBERSHIP_PAYMENT: "Membership paid",
    EntryKind.MEMBERSHIP_FEE: "Stripe fee of a membership",
    EntryKind.UNMATCHED_RECEIPT: "Receipt that fits no booking",
    EntryKind.DISPUTE_WITHDRAWN: "Taken by the bank for a dispute",
    EntryKind.DISPUTE_REINSTATED: "Dispute won, money back",
    EntryKind.DISPUTE_LOST: "Dispute lost",
    EntryKind.PAYOUT: "Paid out to the bank",
    EntryKind.PAYOUT_FAILED: "Payout sent back by the bank",
    EntryKind.ADJUSTMENT: "Moved by Stripe itself",
}
