"""Invariants of the service itself: mails, convergence, durability, silence, and quick answers."""

import re
from collections import Counter
from datetime import datetime
from typing import Any, Final

Row = dict[str, Any]

_MOST_ATTEMPTS: Final = 23  # of one message: twenty quick ones and the janitor's three
_REFUSED: Final = 400
_LONGEST_ANSWER: Final = 5.0  # seconds
_CLEAN: Final = (0, 200, 201, 204, 302, 303, 400, 404, 409, 422, 429, 503)
# What each acknowledgement was worth: the statuses a booking may have afterwards.
_KEPT: Final = {
    "arrived": ("arrived", "in_treatment", "completed"),
    "in_treatment": ("in_treatment", "completed"),
    "completed": ("completed",),
    "no_show": ("no_show",),
    "cancelled": ("cancelled",),
    "let_go": ("expired",),
}


def mail_once(facts: Row) -> list[str]:
    """I6: each mail left once, one more for each death in its sending; and none about nothing."""
    found = []
    sent = Counter(mail["message_id"] for mail in facts["mails"])
    known = {f"<{row['id']}" for row in facts["ours"]["notifications"]}
    for message_id, copies in sent.items():
        if copies > 1 + facts["excused"].get(message_id, 0):
            found.append(f"mail_once: {message_id} left {copies}x")
        if message_id.partition("@")[0] not in known:
            found.append(f"mail_once: {message_id} is about nothing that was committed")
    gone = {message_id.partition("@")[0] for message_id in sent}
    told = set()
    for row in facts["ours"]["notifications"]:
        told.add((row["topic"], row["subject_id"]))
        if row["status"] == "sent" and f"<{row['id']}" not in gone:
            found.append(f"mail_once: {row['id']} counts as sent, and never left")
    return found + _untold(facts, told)


def _untold(facts: Row, told: set[tuple[str, str]]) -> list[str]:
    found = []
    for booking in facts["ours"]["bookings"]:
        is_visit = booking["status"] in ("confirmed", "arrived", "in_treatment", "completed")
        if is_visit and ("notifications.booking_confirmed", booking["id"]) not in told:
            found.append(f"mail_once: nobody was told of booking {booking['id']}")
    topics = {"succeeded": "refund_sent", "external": "refund_sent", "failed": "refund_failed"}
    disputed = {p["id"] for p in facts["ours"]["payments"] if p["disputed"]}
    for refund in facts["ours"]["refunds"]:
        if refund["status"] == "failed" and refund["payment_id"] in disputed:
            continue  # the bank stopped it, and decides; there is nothing to tell before it has
        # What was returned in Stripe's dashboard was not ours to announce.
        topic = topics.get(refund["status"]) if refund["reason"] != "external" else None
        if topic and (f"notifications.{topic}", refund["id"]) not in told:
            found.append(f"mail_once: nobody was told of refund {refund['id']}")
    return found


def converged(facts: Row) -> list[str]:
    """I10: after the trouble nothing is due, in doubt, or tried for ever."""
    ours, found = facts["ours"], []
    cases = {c["subject_id"] for c in ours["exceptions"] if c["status"] == "open"}
    if ours["outbox"]["due"]:
        found.append(f"converged: {ours['outbox']['due']} messages are due")
    found += [
        f"converged: message {m['id']} ({m['topic']}) was tried {m['attempts']}x"
        for m in facts["messages"]
        if m["attempts"] > _MOST_ATTEMPTS
    ]
    found += [
        f"converged: message {m['id']} ({m['topic']}) was given up, and nobody was called"
        for m in facts["messages"]
        if m["is_given_up"] and m["id"] not in cases
    ]
    if ours["webhook_events"]["unprocessed"] > ours["webhook_events"]["failed"]:
        found.append(f"converged: {ours['webhook_events']['unprocessed']} events wait")
    return found + [f"converged: {text}" for text in in_doubt(facts)]


def in_doubt(facts: Row) -> list[str]:
    """Return what nobody can say how it ended, and nobody was asked to look at."""
    ours = facts["ours"]
    cases = {c["subject_id"] for c in ours["exceptions"] if c["status"] == "open"}
    found = [
        f"refund {refund['id']} is {refund['status']}"
        for refund in ours["refunds"]
        if refund["status"] in ("requested", "sending") and refund["id"] not in cases
    ]
    found += [
        f"membership {m['id']} is {m['charge_status']}"
        for m in facts["charges"]
        if m["status"] == "pending"
        and m["charge_status"] in ("scheduled", "charging", "unknown")
        and m["id"] not in cases
    ]
    complete = {s["id"] for s in facts["stripe"]["sessions"] if s["status"] == "complete"}
    found += [
        f"payment {payment['id']} is open, and its page was paid"
        for payment in ours["payments"]
        if payment["stripe_checkout_session_id"] in complete and payment["status"] != "paid"
    ]
    return found + [
        f"booking {booking['id']} is still held"
        for booking in ours["bookings"]
        if booking["status"] == "held"
    ]


def acknowledged_is_durable(facts: Row) -> list[str]:
    """I11: whatever was answered with 2xx is there, and is still what was said."""
    bookings = {row["id"]: row for row in facts["ours"]["bookings"]}
    memberships = {row["id"]: row for row in facts["ours"]["memberships"]}
    found, members = [], {}
    for promised in facts["promised"]:
        what, id_ = promised["what"], promised["id"]
        if what in ("membership", "undone"):
            row = memberships.get(id_)
            kept = row is not None and (what == "membership" or row["status"] == "undone")
            first = members.setdefault(promised.get("booking", id_), id_)
            if what == "membership" and first != id_:
                found.append(f"acknowledged_is_durable: {first} and {id_} for one booking")
        else:
            row = bookings.get(id_)
            kept = row is not None and row["status"] in _KEPT.get(what, (row["status"],))
        if not kept:
            found.append(f"acknowledged_is_durable: {what} {id_} was answered, and is not there")
    moved = {p["id"]: p["starts_at"] for p in facts["promised"] if p["what"] == "moved"}
    found += [
        f"acknowledged_is_durable: booking {id_} was moved to {at}, and is not then"
        for id_, at in moved.items()
        if id_ in bookings and _instant(bookings[id_]["starts_at"]) != _instant(at)
    ]
    received = set(facts["received_events"])
    lost = {id_ for id_, type_ in facts["taken"] if type_ in facts["listened"]} - received
    return found + [f"acknowledged_is_durable: event {id_} was taken, and lost" for id_ in lost]


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def forgeries_refused(facts: Row) -> list[str]:
    """What Stripe did not send, or sent long ago, was refused, each time."""
    return [
        f"forgeries_refused: a forgery was answered {status}"
        for status in facts["forgeries"]
        if status != _REFUSED
    ]


def confidential(facts: Row) -> list[str]:
    """I12: no name, address or number of a patient's where it does not belong."""
    canary = re.compile(facts["canary"], re.IGNORECASE)
    return [
        f"confidential: {place} says {canary.search(text)[0]!r} in {text[:160]!r}"
        for place, texts in facts["texts"].items()
        for text in texts
        if canary.search(text)
    ]


def contract_kept(facts: Row) -> list[str]:
    """Nothing that was asked of Stripe, or answered, left the contract of its API version."""
    return [
        f"contract_kept: {v['side']} {v['method']} {v['path']}: {v['problems']}"
        for v in facts["contract"]
    ]


def answers_in_time(facts: Row) -> list[str]:
    """I13: every answer comes within five seconds, and says what it is; a bug is no answer."""
    found = []
    for told in facts["told"]:
        where = f"{told['method']} {told['path']}"
        if told["seconds"] > _LONGEST_ANSWER:
            found.append(f"answers_in_time: {where} took {told['seconds']:.1f} s")
        if told["status"] not in _CLEAN:
            found.append(f"answers_in_time: {where} was answered {told['status']}")
    return found
