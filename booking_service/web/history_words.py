"""What the desk reads instead of the audit log's actions."""

from typing import Any, Final

from booking_service.money import dollars

# Action: words, icon.
WORDS: Final = {
    "booking.hold": ("Time held", "timer"),
    "booking.expired": ("Time let go", "x"),
    "booking.confirm": ("Paid and booked", "credit-card"),
    "booking.walk_in": ("Booked and paid at the desk", "store"),
    "booking.arrived": ("Checked in", "log-in"),
    "booking.in_treatment": ("Treatment began", "stethoscope"),
    "booking.completed": ("Visit ended", "check"),
    "booking.no_show": ("Marked as no-show", "user-x"),
    "booking.arrived_taken_back": ("Check-in taken back", "rotate-ccw"),
    "booking.in_treatment_taken_back": ("Treatment taken back", "rotate-ccw"),
    "booking.completed_taken_back": ("End of the visit taken back", "rotate-ccw"),
    "booking.no_show_taken_back": ("No-show taken back", "rotate-ccw"),
    "booking.cancelled": ("Cancelled", "x"),
    "booking.moved": ("Moved to another time", "calendar-days"),
    "booking.slot_lost": ("Paid, but the time was gone", "triangle-alert"),
    "booking.send_back": ("Money asked back", "undo-2"),
    "booking.link_sent": ("Link e-mailed again", "mail"),
    "booking.link_replaced": ("Link replaced", "rotate-ccw"),
    "agreement.signed": ("Agreement signed", "pen-line"),
    "membership.convert": ("Membership decided", "pen-line"),
    "membership.undo": ("Membership taken back", "rotate-ccw"),
    "membership.lapse": ("Membership not paid in time", "x"),
    "membership.active": ("Became a member", "badge-check"),
    "membership.pause": ("Membership paused", "hourglass"),
    "membership.resume": ("Membership goes on", "check"),
    "membership.cancel": ("Membership cancelled to its end", "x"),
    "membership.cancel_now": ("Membership cancelled at once", "x"),
    "membership.keep": ("Membership kept after all", "check"),
    "membership.plan": ("Another plan chosen", "pen-line"),
    "membership.card_link": ("Link for another card sent", "mail"),
    "membership.card_changed": ("Another card given", "credit-card"),
    "membership.payment_failed": ("A month could not be charged", "triangle-alert"),
    "membership.past_due": ("A month could not be charged", "triangle-alert"),
    "membership.cancelled": ("Membership cancelled", "x"),
    "membership.cancelled_early": ("Left soon after the refund", "info"),
    "membership.ended": ("Membership ended", "x"),
    "refund.requested": ("Refund decided", "undo-2"),
    "refund.sending": ("Refund sent to Stripe", "arrow-right"),
    "refund.pending": ("Refund on its way", "hourglass"),
    "refund.requires_action": ("Refund needs the patient", "hourglass"),
    "refund.succeeded": ("Refund accepted by Stripe", "circle-check"),
    "refund.failed": ("Refund failed", "circle-x"),
    "refund.canceled": ("Refund canceled", "circle-x"),
    "refund.blocked": ("Refund waits", "lock"),
    "refund.settled_otherwise": ("Paid back another way", "banknote"),
    "refund.external": ("Refunded in Stripe's dashboard", "store"),
    "goodwill.asked": ("Goodwill asked for", "message-square"),
    "goodwill.approved": ("Goodwill approved", "check"),
    "goodwill.declined": ("Goodwill declined", "x"),
    "settlement.recorded": ("Payment outside Stripe recorded", "banknote"),
    "settlement.approved": ("Payment outside Stripe approved", "check"),
    "settlement.withdrawn": ("Payment outside Stripe withdrawn", "x"),
    "terms.accept": ("Terms accepted", "pen-line"),
    "patient.merge": ("Two records merged", "users"),
    "patient.separate": ("Two records separated", "users"),
    "patient.erase": ("Patient forgotten", "lock"),
    "texts.stopped": ("Text messages stopped", "message-square"),
    "texts.started": ("Text messages wanted again", "message-square"),
    "waitlist.joined": ("Waits for an earlier time", "hourglass"),
    "waitlist.left": ("Waits no more", "x"),
    "waitlist.ended": ("Waits no more", "x"),
    "waitlist.offered": ("An earlier time was offered", "mail"),
    "waitlist.declined": ("The earlier time was declined", "x"),
    "waitlist.taken": ("The earlier time was taken", "check"),
    "waitlist.passed_on": ("The earlier time was passed on", "arrow-right"),
}


def told(action: str, after: dict[str, Any]) -> tuple[str, str]:
    """Return an action in words, with the amount where there is one, and its icon."""
    words, icon = WORDS.get(action, (action, "info"))
    cents = after.get("cents")
    return (f"{words}: {dollars(cents)}" if cents else words, icon)
