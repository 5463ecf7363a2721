"""Disputes: inquiries, chargebacks and their ends (https://docs.stripe.com/disputes)."""

from typing import Final

from booking_service.simulator import balance, returning
from booking_service.simulator.account import Account, merged_metadata, new_id
from booking_service.simulator.checks import Json
from booking_service.simulator.clock import DAY
from booking_service.simulator.errors import invalid
from booking_service.simulator.operations import Call, listing, operation, retrieval
from booking_service.simulator.timers import timer

_DISPUTE = "/v1/disputes/{dispute}"
FEE_CENTS: Final = 1500
DAYS_TO_RESPOND: Final = 7
STEPS: Final = {  # status -> the statuses that may follow
    "warning_needs_response": ("warning_under_review", "warning_closed", "needs_response"),
    "warning_under_review": ("warning_closed", "needs_response"),
    "warning_closed": (),
    "needs_response": ("under_review", "won", "lost"),
    "under_review": ("won", "lost"),
    "lost": ("appeal_needs_response",),
    "appeal_needs_response": ("appeal_under_review", "lost"),
    "appeal_under_review": ("won", "lost"),
    "won": (),
    "prevented": (),
}
BEGINNINGS: Final = ("needs_response", "warning_needs_response", "prevented")
_ENDS: Final = ("won", "lost", "warning_closed", "prevented")
_OPEN: Final = ("needs_response", "warning_needs_response", "appeal_needs_response")
_REVIEWS: Final = {
    "needs_response": "under_review",
    "warning_needs_response": "warning_under_review",
    "appeal_needs_response": "appeal_under_review",
}
_VERDICTS: Final = {"winning_evidence": "won", "losing_evidence": "lost"}

listing("/v1/disputes", "dispute", "charge", "payment_intent")
retrieval(_DISPUTE, "dispute")


@operation("post", _DISPUTE, "evidence", "metadata", "submit")
def _respond(call: Call) -> Json:
    account, dispute = call.account, call.account.get("dispute", call.id)
    evidence, changes = call.get("evidence", {}), {}
    if "metadata" in call.params:
        changes["metadata"] = merged_metadata(dispute["metadata"], call.params["metadata"])
    if evidence:
        if dispute["status"] not in _OPEN:
            raise invalid("This dispute takes no evidence any more.", "evidence")
        unset = {name: value or None for name, value in evidence.items()}
        changes["evidence"] = dispute["evidence"] | unset
        changes["evidence_details"] = dispute["evidence_details"] | {"has_evidence": True}
    if changes:
        account.change(dispute, "charge.dispute.updated", **changes)
    if evidence and call.get("submit", default=True):
        submit(account, dispute)
    return dispute


@operation("post", f"{_DISPUTE}/close")
def _close(call: Call) -> Json:
    dispute = call.account.get("dispute", call.id)
    if dispute["status"] not in _OPEN:
        raise invalid("This dispute cannot be closed any more.", "dispute")
    is_inquiry = dispute["status"] == "warning_needs_response"
    return proceed(call.account, dispute, "warning_closed" if is_inquiry else "lost")


def open_(
    account: Account,
    charge: Json,
    status: str = "needs_response",
    reason: str = "fraudulent",
    amount: int | None = None,
) -> Json:
    """Let a cardholder dispute a charge, or ask about it: what is left of it, or `amount` cents.

    Raises:
        StripeError: 400, there is nothing to dispute, or the dispute cannot begin like this.
    """
    if status not in BEGINNINGS:
        raise invalid(f"status must be one of {', '.join(BEGINNINGS)}", "status")
    if not charge["paid"] or charge["disputed"]:
        raise invalid(f"Charge {charge['id']} was not paid, or is disputed already.", "charge")
    if status == "needs_response":
        charge = _stop_refunds(account, charge)
    left = charge["amount"] - charge["amount_refunded"]
    amount = left if amount is None else amount
    if not 0 < amount <= charge["amount"]:
        raise invalid("There is nothing to dispute.", "amount")
    dispute = _new(account, charge, status, reason, amount)
    account.change(charge, "charge.updated", disputed=True)
    account.emit("charge.dispute.created", dispute)
    if status == "needs_response":
        _withdraw(account, dispute)
    if status in _OPEN:
        account.after_main(DAYS_TO_RESPOND * DAY, "dispute.overdue", dispute["id"])
    return dispute


def submit(account: Account, dispute: Json) -> Json:
    """Send the evidence to the bank; the words of the test mode decide at once."""
    details = dispute["evidence_details"]
    details |= {
        "submission_count": details["submission_count"] + 1,
        "submission_method": "manual",
        "has_evidence": True,
    }
    dispute["evidence_details"] = details
    proceed(account, dispute, _REVIEWS[dispute["status"]])
    verdict = _VERDICTS.get(dispute["evidence"]["uncategorized_text"] or "")
    if verdict and dispute["status"].startswith("warning"):
        verdict = "warning_closed" if verdict == "won" else "needs_response"
    return proceed(account, dispute, verdict) if verdict else dispute


def proceed(account: Account, dispute: Json, status: str) -> Json:
    """Move a dispute on, with the money that goes along.

    Raises:
        StripeError: 400, this status cannot follow.
    """
    if status not in STEPS[dispute["status"]]:
        follow = ", ".join(STEPS[dispute["status"]]) or "nothing"
        raise invalid(f"After {dispute['status']} comes {follow}.", "status")
    type_ = "charge.dispute.closed" if status in _ENDS else "charge.dispute.updated"
    refundable = status.startswith("warning")
    fields: Json = {"status": status, "is_charge_refundable": refundable}
    if status == "needs_response":
        due_by = account.clock.now() + DAYS_TO_RESPOND * DAY
        fields["evidence_details"] = dispute["evidence_details"] | {"due_by": due_by}
    account.change(dispute, type_, **fields)
    if status == "needs_response":
        _stop_refunds(account, account.get("charge", dispute["charge"]))
        _withdraw(account, dispute)
        account.after_main(DAYS_TO_RESPOND * DAY, "dispute.overdue", dispute["id"])
    if status == "won":
        _book(account, dispute, dispute["amount"], 0, "charge.dispute.funds_reinstated")
    return dispute


def _new(account: Account, charge: Json, status: str, reason: str, amount: int) -> Json:
    is_inquiry = status != "needs_response"
    card = charge["payment_method_details"]["card"]
    dispute = account.new(
        "dispute",
        new_id("du_1"),
        amount=amount,
        charge=charge["id"],
        currency=charge["currency"],
        is_charge_refundable=is_inquiry,
        metadata={},
        payment_intent=charge["payment_intent"],
        reason=reason,
        status=status,
    )
    dispute["evidence_details"] |= {
        "due_by": account.clock.now() + DAYS_TO_RESPOND * DAY,
        "submission_method": "not_submitted",
    }
    dispute["payment_method_details"] = account.blank(
        "Dispute.PaymentMethodDetails",
        "stripe._dispute",
        type="card",
        card={
            "brand": card["brand"],
            "case_type": "inquiry" if is_inquiry else "chargeback",
            "network": card["network"],
            "network_reason_code": None,
        },
    )
    for other in ("amazon_pay", "klarna", "paypal"):
        del dispute["payment_method_details"][other]
    return account.save(dispute)


def _withdraw(account: Account, dispute: Json) -> None:
    _book(account, dispute, -dispute["amount"], FEE_CENTS, "charge.dispute.funds_withdrawn")


def _book(account: Account, dispute: Json, amount: int, fee: int, event: str) -> None:
    way = "Chargeback withdrawal" if amount < 0 else "Chargeback reversal"
    category = "dispute" if amount < 0 else "dispute_reversal"
    words = f"{way} for {dispute['charge']}"
    movement = balance.move(
        account, "adjustment", dispute, amount, words, category=category, fee=fee
    )
    booked = [*dispute["balance_transactions"], movement]
    account.change(dispute, event, balance_transactions=booked)


def _stop_refunds(account: Account, charge: Json) -> Json:
    """Fail the refunds that are still on their way; the bank takes the money itself now."""
    for refund in account.store.all("refund", charge=charge["id"], status="pending"):
        returning.fail(account, refund, "charge_for_pending_refund_disputed")
    return account.get("charge", charge["id"])


@timer("charge.disputed")
def _open_by_card(account: Account, charge_id: str) -> None:
    charge = account.get("charge", charge_id)
    status, reason = account.store.fact(f"dispute of {charge_id}").split()
    if not charge["disputed"] and not charge["refunded"]:
        open_(account, charge, status, reason)


@timer("dispute.overdue")
def _lose_in_time(account: Account, dispute_id: str) -> None:
    dispute = account.get("dispute", dispute_id)
    due = dispute["evidence_details"]["due_by"]
    if dispute["status"] in _OPEN and due <= account.clock.now():
        is_inquiry = dispute["status"] == "warning_needs_response"
        proceed(account, dispute, "warning_closed" if is_inquiry else "lost")


@timer(returning.WHOLLY_RETURNED)
def _close_inquiries(account: Account, charge_id: str) -> None:
    for dispute in account.store.all("dispute", charge=charge_id):
        if dispute["status"] in {"warning_needs_response", "warning_under_review"}:
            proceed(account, dispute, "warning_closed")
