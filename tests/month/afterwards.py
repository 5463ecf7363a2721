"""What comes after a visit: nothing, mostly; and what banks, cardholders and dashboards do."""

from datetime import timedelta

from tests.month.actions import Story, Visit, aftermath
from tests.month.clinic import Clinic

_MINUTE = timedelta(minutes=1)
_PRICE_CENTS = 3900


@aftermath(weight=90)
def nothing_more(clinic: Clinic, visit_: Visit) -> Story:
    """The visit was all."""
    return
    yield


@aftermath(weight=4)
def somebody_refunds_by_hand_as_well(clinic: Clinic, visit_: Visit) -> Story:
    """Refund in the dashboard what the promise has returned, or is just returning."""
    yield clinic.world.now + visit_.patient.random.uniform(0, 2) * _MINUTE
    if visit_.is_member and _was_returned(clinic, visit_):
        assert not clinic.refund_by_hand(visit_.session_id), "Stripe returned it twice"


@aftermath(weight=4)
def the_bank_returns_the_refund(clinic: Clinic, visit_: Visit) -> Story:
    """The card was closed: two weeks later the refund is sent back."""
    yield clinic.world.now + timedelta(days=visit_.patient.random.uniform(5, 15))
    for refund in _refunds(clinic, visit_):
        if refund["status"] == "succeeded":
            clinic.act(f"refunds/{refund['id']}", status="failed")


@aftermath(weight=3)
def somebody_refunds_it_by_hand(clinic: Clinic, visit_: Visit) -> Story:
    """Return a first visit in Stripe's dashboard, where nothing was promised."""
    yield clinic.world.now + timedelta(hours=3)
    clinic.refund_by_hand(visit_.session_id)


@aftermath(weight=2)
def somebody_refunds_a_part_by_hand(clinic: Clinic, visit_: Visit) -> Story:
    """Return a part of it in Stripe's dashboard."""
    yield clinic.world.now + timedelta(hours=3)
    clinic.refund_by_hand(visit_.session_id, _PRICE_CENTS // 3)


@aftermath(weight=3)
def the_bank_disputes_it(clinic: Clinic, visit_: Visit) -> Story:
    """The patient's bank takes the payment back."""
    yield clinic.world.now + timedelta(days=2)
    clinic.act("disputes", payment_intent=clinic.payment_intent(visit_.session_id))


def _refunds(clinic: Clinic, visit_: Visit) -> list[dict[str, str]]:
    intent = clinic.payment_intent(visit_.session_id)
    found: list[dict[str, str]] = clinic.look(f"refunds?payment_intent={intent}")["data"]
    return found


def _was_returned(clinic: Clinic, visit_: Visit) -> bool:
    return any(r["status"] in ("succeeded", "pending") for r in _refunds(clinic, visit_))
