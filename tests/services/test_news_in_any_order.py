"""Webhooks late, doubled, reordered, replayed: the same rows in the end, in every order."""

from datetime import timedelta
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from booking_service.errors import GatewayUnavailable
from booking_service.gateways.payments import Event
from booking_service.models import Actor, Payment, WebhookEvent
from booking_service.queries import state
from booking_service.services import bookings, checkout, refunds, webhooks
from tests.factories import all_of, at_stripe, free_slot, paid
from tests.factories import refunds as all_refunds
from workers.work import patience

pytestmark = pytest.mark.usefixtures("noon", "seeded", "mail")

NEWS = (
    "checkout.session.completed",
    "checkout.session.expired",
    "refund.created",
    "refund.updated",
)
# Our clock stands still and Stripe's goes on: a page must not be too short when its turn comes.
LONG = timedelta(hours=2)
ORDERS = st.permutations([*NEWS, *NEWS])
in_any_order = settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def person() -> dict[str, str]:
    name = uuid4().hex
    return {"email": f"{name}@example.com", "phone": f"518 555 {int(name[:3], 16):04}"}


def hear(order, payment: Payment, stripe_refund_id: str, gateway) -> None:
    """Process the events of one story, each under an id of its own or delivered again."""
    for number, type_ in enumerate(order):
        about = payment.stripe_checkout_session_id if "checkout" in type_ else stripe_refund_id
        id_ = f"evt_{payment.id}_{number}"
        webhooks.receive(Event(id_, type_, about))
        [event] = [row for row in all_of(WebhookEvent) if row.stripe_event_id == id_]
        webhooks.process(event.id, gateway)


def ending(payment: Payment) -> dict:
    """The rows of one booking as `booking state` shows them, without what is another's."""
    rows = state.state()
    booking_id, payment_id = str(payment.booking_id), str(payment.id)
    theirs = {booking_id, payment_id}
    ids = {"id", "booking_id", "payment_id", "subject_id", "patient_id", "practitioner_id"}
    apart = ids | {"code", "starts_at", "ends_at"}
    stripes = {"stripe_checkout_session_id", "stripe_payment_intent_id", "stripe_refund_id"}

    def about(row: dict) -> bool:
        return bool(theirs & {str(row.get(name)) for name in ids})

    return {
        kind: [
            {name: fact for name, fact in row.items() if name not in apart | stripes}
            for row in rows[kind]
            if about(row)
        ]
        for kind in ("bookings", "payments", "refunds", "exceptions")
    } | {"balanced": rows["ledger"]["balanced"]}


def dashboard_refund(stripe, gateway) -> tuple[Payment, str]:
    """Paid, and refunded in Stripe's dashboard, before any of it reached us."""
    payment = at_stripe(free_slot(), lifetime=LONG, **person())
    stripe.pay(payment.stripe_checkout_session_id)
    intent = gateway.find_checkout(payment.stripe_checkout_session_id).payment
    return payment, stripe.refund(intent.payment_intent_id)


def unanswered_refund(stripe, gateway) -> tuple[Payment, str]:
    """Cancelled, and refunded by us; Stripe did it, and its answer was lost twice."""
    visit = paid(stripe, slot=free_slot(400), lifetime=LONG, **person())
    bookings.cancel(visit.booking_id, Actor.patient())
    [refund] = [row for row in all_refunds() if row.payment_id == visit.payment.id]
    stripe.fault("drop_after", "/v1/refunds")
    stripe.fault("drop_before", "/v1/refunds", "GET")
    with pytest.raises(GatewayUnavailable):
        refunds.execute(refund.id, gateway, patience())
    [made] = [row for row in stripe.refunds() if row["metadata"].get("refund_id") == str(refund.id)]
    return visit.payment, made["id"]


@pytest.mark.parametrize("story", [dashboard_refund, unanswered_refund])
def test_webhooks_doubled_and_reordered_end_in_the_same_rows(stripe, gateway, story):
    endings = []

    @in_any_order
    @given(ORDERS)
    def hear_it(order):
        payment, refund_id = story(stripe, gateway)
        hear(order, payment, refund_id, gateway)
        endings.append(ending(payment))

    hear_it()

    assert [one for one in endings if one != endings[0]] == []
    assert [row["status"] for row in endings[0]["payments"]] == ["paid"]
    assert endings[0]["balanced"]


def test_without_a_look_at_the_refunds_the_order_would_decide(stripe, gateway, monkeypatch):
    """News of a refund that comes before news of its payment fits nothing, and is gone."""
    monkeypatch.setattr(
        checkout, "bring_up_to_date", lambda found, _gateway: checkout.write_down(found)
    )
    endings = []

    for order in (NEWS, tuple(reversed(NEWS))):
        payment, refund_id = dashboard_refund(stripe, gateway)
        hear(order, payment, refund_id, gateway)
        endings.append(ending(payment))

    assert endings[0] != endings[1]
