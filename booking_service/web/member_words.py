"""What is said at the desk about members: how they stand, and what happened."""

from typing import Final

from booking_service.models import ChangeKind
from booking_service.queries.members import Standing

# Word, icon and look of each standing.
STANDINGS: Final = {
    Standing.PAST_DUE: ("Past due", "triangle-alert", "bad"),
    Standing.PAUSED: ("Paused", "hourglass", "pend"),
    Standing.ENDING: ("Ending", "clock", "pend"),
    Standing.ACTIVE: ("Active", "badge-check", "ok"),
    Standing.ENDED: ("Ended", "circle-x", "off"),
}

CHANGES: Final = {
    ChangeKind.PAUSE: "The pause",
    ChangeKind.RESUME: "Going on after the pause",
    ChangeKind.CANCEL: "The cancellation",
    ChangeKind.CANCEL_NOW: "The cancellation",
    ChangeKind.KEEP: "Taking the cancellation back",
    ChangeKind.PLAN: "The change of plan",
}

# What the audit log calls it: title, icon, and mark of the line.
STORY: Final = {
    "membership.convert": ("Started at the desk", "badge-check", "info"),
    "membership.undo": ("Taken back", "undo-2", ""),
    "membership.active": ("Paid, and active", "circle-check", "mem"),
    "membership.past_due": ("Past due", "triangle-alert", "bad"),
    "membership.cancelled": ("Ended", "circle-x", ""),
    "membership.ended": ("Ended", "circle-x", ""),
    "membership.lapse": ("Lapsed unpaid", "circle-x", ""),
    "membership.cancelled_early": ("Ended within 14 days of the refund", "info", ""),
    "membership.payment_failed": ("A month could not be charged", "triangle-alert", "bad"),
    "membership.card_link": ("Link for another card e-mailed", "mail", "info"),
    "membership.card_changed": ("Another card given", "credit-card", "ok"),
    "membership.pause": ("Paused", "hourglass", "go"),
    "membership.resume": ("Resumed", "rotate-ccw", "ok"),
    "membership.cancel": ("Cancelled, to end later", "clock", "go"),
    "membership.cancel_now": ("Cancelled at once", "circle-x", "bad"),
    "membership.keep": ("Cancellation taken back", "undo-2", "ok"),
    "membership.plan": ("Another plan chosen", "receipt", "info"),
}
