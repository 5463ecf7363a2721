"""Patients who become members on a payment page, on their own phone; and who leave it unpaid."""

from datetime import timedelta
from uuid import UUID

from tests.month.actions import Story, Visit, visit
from tests.month.clinic import Clinic
from tests.month.visits import begins, closes, converts

_MINUTE = timedelta(minutes=1)
PAYMENT_PAGE = {"method": "checkout_link"}


@visit(weight=6)
def joins_on_the_phone(clinic: Clinic, visit_: Visit) -> Story:
    """Pay the first month on a page of Stripe's; mostly at once, sometimes in the evening."""
    random = visit_.patient.random
    told = yield from _decides(clinic, visit_)
    if told is None:
        return
    if random.random() < 0.7:
        yield clinic.world.now + random.uniform(0.2, 6) * _MINUTE
        _pays(clinic, visit_, told)
        yield from closes(clinic, visit_)
    else:
        yield from closes(clinic, visit_)
        yield clinic.world.now + timedelta(hours=random.uniform(1, 23.5))
        _pays(clinic, visit_, told)


@visit(weight=3)
def leaves_the_page_unpaid(clinic: Clinic, visit_: Visit) -> Story:
    """Get the page and never pay: after 23 hours the membership ends, and the promise lapses."""
    yield from _decides(clinic, visit_)
    yield from closes(clinic, visit_)


@visit(weight=2)
def takes_the_page_back_while_it_is_paid(clinic: Clinic, visit_: Visit) -> Story:
    """The desk undoes within ten seconds, and the patient presses Pay all the same."""
    told = yield from _decides(clinic, visit_)
    if told is None:
        return
    membership_id, _ = told
    yield clinic.world.now + timedelta(seconds=visit_.patient.random.uniform(1, 8))
    undone = clinic.desk("POST", f"/api/v1/memberships/{membership_id}/undo")
    if undone.is_ok:
        clinic.remember("undone", membership_id)
    yield clinic.world.now + timedelta(seconds=visit_.patient.random.uniform(1, 60))
    _pays(clinic, visit_, told)
    yield from closes(clinic, visit_)


def _decides(clinic: Clinic, visit_: Visit) -> Story:
    """Arrive, be treated, and be given the page; return the membership and the page's id."""
    if not (yield from begins(clinic, visit_)):
        return None
    told = yield from converts(clinic, visit_, PAYMENT_PAGE)
    if not told.is_ok or not told.body.get("checkout_url"):
        return None
    page = told.body["checkout_url"].rpartition("/")[2].partition("?")[0].partition("#")[0]
    return told.body["membership"]["id"], page


def _pays(clinic: Clinic, visit_: Visit, told: tuple[str, str]) -> None:
    membership_id, page = told
    if clinic.pay(page, visit_.patient.card) and visit_.patient.random.random() < 0.6:
        clinic.come_back_a_member(UUID(membership_id))
