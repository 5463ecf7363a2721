import pytest

from booking_service.clock import utc_now
from booking_service.db import transaction
from booking_service.errors import GatewayRefused, NotAllowed
from booking_service.models import (
    Account,
    JournalLine,
    Payment,
    PromiseStatus,
    Refund,
    RefundReason,
    RefundStatus,
    Settlement,
    SettlementMethod,
    Topic,
)
from booking_service.services import refunds
from tests.factories import all_of, change
from tests.faults.facts import (
    attempts,
    cases,
    intent_of,
    now,
    owed,
    promise,
    refund_by_hand,
    requested_refund,
    send,
)


class Refusing:
    """A gateway whose answer to a refund is no."""

    def __init__(self, gateway):
        self._gateway = gateway

    def __getattr__(self, name):
        return getattr(self._gateway, name)

    def refund(self, order):
        raise GatewayRefused("expired_or_canceled_card", "refused")


@pytest.fixture
def requested(app, seeded, stripe, celery, mail):
    return requested_refund(stripe, celery)


@pytest.fixture
def failed(requested, gateway) -> Refund:
    send(requested, Refusing(gateway))
    assert (now(requested).status, promise()) == (RefundStatus.FAILED, PromiseStatus.BROKEN)
    return now(requested)


def retry(refund) -> None:
    with transaction() as session:
        refunds.retry(session, refund.id)


def give_up(refund) -> None:
    with transaction() as session:
        refunds.give_up(session, refund.id)


def recorded(refund, cents: int = 3900) -> Settlement:
    """A check somebody wrote."""
    with transaction() as session:
        settlement = Settlement(
            refund_id=refund.id,
            method=SettlementMethod.CHECK,
            reference="1042",
            amount_cents=cents,
            recorded_at=utc_now(),
            recorded_by="Priya Shah",
        )
        session.add(settlement)
    return settlement


def settle(refund, cents: int = 3900) -> None:
    settlement = recorded(refund, cents)
    change(Settlement, settlement.id, approved_at=utc_now(), approved_by="Ana Ruiz")
    with transaction() as session:
        refunds.settle_otherwise(session, refund.id, settlement)


def balance_of(account: Account) -> int:
    return sum(row.amount_cents for row in all_of(JournalLine) if row.account is account)


def test_a_refund_that_failed_is_sent_again_under_a_new_key(failed, gateway, stripe):
    retry(failed)
    assert (now(failed).status, promise()) == (RefundStatus.REQUESTED, PromiseStatus.EARNED)
    assert owed(Topic.REFUND_REQUESTED) == 2
    assert cases() == [("refund_failed", "resolved")]

    send(failed, gateway)

    assert attempts() == [(1, "expired_or_canceled_card"), (2, "succeeded")]
    assert stripe.keys("/v1/refunds") == [f"refund:{failed.id}:2"]
    assert promise() is PromiseStatus.SETTLED


def test_a_refund_that_did_not_fail_cannot_be_sent_again(requested, gateway):
    with pytest.raises(NotAllowed, match="This refund is requested; it has not failed"):
        retry(requested)
    send(requested, gateway)
    with pytest.raises(NotAllowed, match="This refund is succeeded; it has not failed"):
        retry(requested)


def test_while_a_check_stands_nothing_is_sent_to_stripe(failed):
    recorded(failed)

    with pytest.raises(NotAllowed, match="being paid another way"):
        retry(failed)

    assert now(failed).status is RefundStatus.FAILED


def test_a_check_that_was_withdrawn_is_no_hindrance(failed):
    change(Settlement, recorded(failed).id, withdrawn_at=utc_now())

    retry(failed)

    assert now(failed).status is RefundStatus.REQUESTED


def test_while_a_bank_is_looking_nothing_is_sent_again(failed):
    change(Payment, failed.payment_id, disputed_at=utc_now())

    with pytest.raises(NotAllowed, match="bank is looking"):
        retry(failed)


def test_what_went_back_already_is_not_sent_again(failed):
    change(Refund, failed.id, reason=RefundReason.GOODWILL)
    with transaction() as session:
        session.add(
            Refund(
                payment_id=failed.payment_id,
                reason=RefundReason.EXTERNAL,
                status=RefundStatus.EXTERNAL,
                amount_cents=3900,
                requested_at=utc_now(),
                requested_by="somebody",
            )
        )

    with pytest.raises(NotAllowed, match="All of this payment went back"):
        retry(failed)


def test_a_check_keeps_the_promise(failed):
    settle(failed)

    assert now(failed).status is RefundStatus.SETTLED_OTHERWISE
    assert promise() is PromiseStatus.SETTLED
    assert cases() == [("refund_failed", "resolved")]
    assert (balance_of(Account.BANK), balance_of(Account.REFUND_LIABILITY)) == (-3900, 0)


def test_a_check_for_another_amount_keeps_nothing(failed):
    with pytest.raises(NotAllowed, match="not what is owed"):
        settle(failed, 3800)

    assert promise() is PromiseStatus.BROKEN


def test_what_stripe_returned_is_not_paid_another_way(requested, gateway):
    send(requested, gateway)

    with pytest.raises(NotAllowed, match="it has not failed"):
        settle(requested)


def test_while_a_bank_is_looking_nothing_is_paid_another_way(failed):
    change(Payment, failed.payment_id, disputed_at=utc_now())

    with pytest.raises(NotAllowed, match="it would be paid twice"):
        settle(failed)


def test_what_the_desk_paid_out_keeps_the_promise(requested, gateway):
    change(Payment, requested.payment_id, tender="cash", reference="R-1")
    send(requested, gateway)

    settle(requested)

    assert promise() is PromiseStatus.SETTLED
    assert cases() == [("desk_payout", "resolved")]


def test_refunded_in_the_dashboard_after_a_check_is_shown_to_a_person(failed, gateway, stripe):
    settle(failed)

    refunds.apply_news(refund_by_hand(stripe, intent_of(failed)), gateway)

    assert now(failed).status is RefundStatus.SETTLED_OTHERWISE
    assert ("refunded_outside", "open") in cases()


def test_what_a_patient_gives_up_is_ours_and_is_never_sent(failed):
    give_up(failed)

    assert (now(failed).status, now(failed).failure_code) == (RefundStatus.CANCELED, "waived")
    assert promise() is PromiseStatus.WAIVED
    assert cases() == [("refund_failed", "resolved")]
    assert balance_of(Account.REFUND_LIABILITY) == 0
    assert balance_of(Account.FIRST_VISIT_REVENUE) == -3900
    with pytest.raises(NotAllowed, match="given up"):
        retry(failed)


def test_what_is_on_its_way_cannot_be_given_up(requested):
    with pytest.raises(NotAllowed, match="it has not failed"):
        give_up(requested)


@pytest.mark.parametrize("status", [RefundStatus.FAILED, RefundStatus.BLOCKED])
def test_what_is_paid_another_way_cannot_be_given_up(failed, status):
    change(Refund, failed.id, status=status)
    recorded(failed)

    with pytest.raises(NotAllowed, match="being paid another way"):
        give_up(failed)
