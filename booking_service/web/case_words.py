"""What finance reads about a case: what happened, money first, and what each action would do."""

from dataclasses import dataclass
from typing import Final

from booking_service.models import (
    CaseAction,
    CaseType,
    PaymentTender,
    SettlementMethod,
    Topic,
    takes_two,
)
from booking_service.money import dollars
from booking_service.queries.finance import CaseView
from booking_service.web.finance_words import FAILURES

METHODS: Final = {
    SettlementMethod.CHECK: "Check",
    SettlementMethod.CASH: "Cash",
    SettlementMethod.TERMINAL: "Card terminal at the desk",
    SettlementMethod.BANK_TRANSFER: "Bank transfer",
}

# What a worker was trying to do when it gave up.
_WORK: Final = {
    Topic.TIME_FREED: "Offering a freed time to somebody who waits",
    Topic.MEMBERSHIP_DUE: "Taking a member's first payment",
    Topic.MEMBERSHIP_CHANGED: "Changing a membership at Stripe",
    Topic.REFUND_REQUESTED: "Sending a refund to Stripe",
    Topic.RECONCILIATION_ASKED: "Comparing our books with Stripe's",
    Topic.WEBHOOK_RECEIVED: "Reading news from Stripe",
}

# Type: what it means for the money, then what to do. Amounts are filled in.
_STORIES: Final = {
    CaseType.REFUND_FAILED: (
        "{amount} is still owed. {failure}",
        (
            "Stripe can only return money to the card it came from. Pay it another way, or try"
            " again where that can help."
        ),
    ),
    CaseType.REFUND_BLOCKED: (
        "{amount} has not been sent: the payment is disputed at the bank.",
        (
            "The bank may return the money itself. If the dispute is won the refund is sent, and"
            " if it is lost the patient has the money."
        ),
    ),
    CaseType.GOODWILL_ASKED: (
        "{amount} waits for a second person. {asker} asked: “{ask}”",
        "It is not owed under the promise. Nothing is sent before somebody else approves it.",
    ),
    CaseType.DESK_PAYOUT: (
        "{amount} is owed in cash: the visit was paid at the desk.",
        "Stripe never had this money. Hand it over and keep the receipt.",
    ),
    CaseType.REFUNDED_OUTSIDE: (
        "{amount} went back in Stripe's dashboard, not from here.",
        "Compare it with what was owed, then close the case. It is never refunded a second time.",
    ),
    CaseType.PAYMENT_MISMATCH: (
        "{amount} was paid, and that is not the price.",
        "The visit waits until you send it back or accept it.",
    ),
    CaseType.PAYMENT_UNKNOWN: (
        "{amount} was paid to us for a booking that isn't here.",
        "Find the payment in Stripe, and return it there if it is not ours.",
    ),
    CaseType.DISPUTE_OPEN: (
        "{amount} is disputed: the bank asks for it back.",
        "Send the evidence in Stripe's dashboard before it is due.",
    ),
    CaseType.MEMBERSHIP_TWICE: (
        "{amount} may be charged twice: Stripe has two memberships for one decision.",
        "Cancel one of them in Stripe's dashboard, and return what it took.",
    ),
    CaseType.BOOKS_DIFFER: (
        "{amount} differs between our books and Stripe's.",
        "Compare the two under the id below. The next comparison looks again.",
    ),
    CaseType.PROMISE_IN_DOUBT: (
        "{amount} can't be explained: the promise and the money don't agree.",
        "Look at the visit and its payment, and say what you found.",
    ),
    CaseType.WORK_STUCK: (
        "{work} was tried too often, and has stopped.",
        "Nothing is lost: the work waits. Have the cause mended, then do it again.",
    ),
    CaseType.STRIPE_LOCKED_OUT: (
        "Money stands still: Stripe does not accept our key.",
        "Whoever runs this service sets a valid key. What is owed is then sent by itself.",
    ),
}

# Action: what it is called, what it will do, what its button says.
_ACTIONS: Final = {
    CaseAction.RETRY: (
        "Try the card again",
        "Sends {amount} to {card} once more. If it fails again, a new case says so.",
        "Send {amount} again",
    ),
    CaseAction.SETTLE: (
        "Record another payout",
        (
            "You pay {amount} outside Stripe and write it down here. Somebody else must approve it."
            " Until then nothing goes through Stripe."
        ),
        "Record {amount} as paid",
    ),
    CaseAction.APPROVE_SETTLEMENT: (
        "Approve the payout",
        (
            "You confirm that {amount} was paid. The patient gets an email, and the refund is"
            " done for good."
        ),
        "Approve {amount}",
    ),
    CaseAction.WITHDRAW_SETTLEMENT: (
        "Withdraw the payout",
        "Says that {amount} was not paid this way. Stripe can then be asked again.",
        "Withdraw it",
    ),
    CaseAction.APPROVE_GOODWILL: (
        "Approve the refund",
        "Sends {amount} back to {card}. The promise of this visit ends.",
        "Approve and refund {amount}",
    ),
    CaseAction.DECLINE_GOODWILL: (
        "Decline",
        "Nothing is sent. {asker} can read your note here.",
        "Decline {amount}",
    ),
    CaseAction.RETURN_MONEY: (
        "Send it back",
        "Returns all that was paid to the card it came from, and gives the time free.",
        "Send {amount} back",
    ),
    CaseAction.ACCEPT_PAYMENT: (
        "Accept it",
        "Takes what was paid as the price, and confirms the visit.",
        "Accept {amount}",
    ),
    CaseAction.WAIVE: (
        "Give the refund up",
        "{amount} is never sent. Only when the patient has the money already, or gave it up.",
        "Give up {amount}",
    ),
    CaseAction.ACKNOWLEDGE: (
        "Close the case",
        "No money moves. Your note says what was found and done.",
        "Close the case",
    ),
    CaseAction.ASSIGN: ("Give it to somebody", "", "Assign"),
}


@dataclass(frozen=True, slots=True)
class Doing:
    """One action in words: its name, what it will do, and its button."""

    title: str
    effect: str
    button: str


def story(case: CaseView) -> tuple[str, str]:
    """Return what happened in two sentences: the money, then what to do."""
    amount, settlement = _amount(case), case.subject.settlement
    if settlement and case.subject.is_back:
        return (
            f"{amount} went back through Stripe after all.",
            (
                "A payout outside Stripe is recorded too. Stop it and withdraw it, or the patient"
                " is paid twice."
            ),
        )
    if settlement and not settlement.approved_at:
        how = METHODS[settlement.method].lower()
        return (
            f"{amount} was paid by {how}, {settlement.recorded_by} says: {settlement.reference}.",
            "It waits for somebody else to approve it. Nothing goes through Stripe meanwhile.",
        )
    if case.detail == "requires_action":
        return (
            f"{amount} waits for the patient to confirm where it goes.",
            "Stripe has written to the patient. This closes by itself once they answer.",
        )
    said, advice = _STORIES[case.type]
    return _fill(said, case), advice


def doing(case: CaseView, action: CaseAction) -> Doing:
    """Return an action of a case in words."""
    title, effect, button = _ACTIONS[action]
    payment = case.subject.payment
    if action is CaseAction.RETRY and case.type is CaseType.WORK_STUCK:
        title, button = "Do it again", "Do it again"
        effect = "Makes the work due now. If its cause is still there, it comes back here."
    if action is CaseAction.SETTLE and payment and not takes_two(payment, case.amount_cents or 0):
        title = "Pay it at the desk"
        effect = "You hand over {amount} and write the receipt down. The refund is then done."
    return Doing(title, _fill(effect, case), _fill(button, case))


def detail(case: CaseView) -> str:
    """Return a case's code in a few words for the list."""
    if case.type is CaseType.WORK_STUCK:
        return _work(case)
    settlement = case.subject.settlement
    if settlement and case.subject.is_back:
        return "Returned after all: a payout must be withdrawn."
    if settlement and not settlement.approved_at:
        return f"{METHODS[settlement.method]} recorded by {settlement.recorded_by}: approve it"
    return FAILURES.get(case.detail, _CODES.get(case.detail, case.detail))


_CODES: Final = {
    "returned_after_all": "Returned through Stripe after all.",
    "two_people": "A second person decides.",
    "dispute_open": "The payment is disputed.",
    "requires_action": "The patient must confirm where it goes.",
    PaymentTender.CASH: "Paid in cash.",
    PaymentTender.TERMINAL: "Paid at the card terminal.",
    "stripe_unavailable": "The key was refused.",
}


def _fill(text: str, case: CaseView) -> str:
    refund, payment = case.subject.refund, case.subject.payment
    by_card = payment is not None and payment.tender is PaymentTender.CARD
    return text.format(
        amount=_amount(case),
        card=payment.card if payment and by_card else "the desk's payouts",
        failure=FAILURES.get(case.detail, "Stripe could not return it."),
        asker=refund.requested_by if refund else "",
        ask=(refund.note or "") if refund else "",
        work=_work(case),
    )


def _work(case: CaseView) -> str:
    topic = case.work.topic if case.work else case.detail
    if topic.startswith("notifications."):
        name = topic.removeprefix("notifications.").replace("_", " ")
        return f"Sending the mail “{name}”"
    return _WORK.get(Topic(topic), topic) if topic in set(Topic) else topic


def _amount(case: CaseView) -> str:
    return dollars(case.amount_cents) if case.amount_cents else "The money"
