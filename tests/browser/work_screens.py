"""Screens of what else the desk does: money in hand, walk-ins, records, notes, the waitlist."""

from datetime import timedelta
from uuid import UUID

from booking_service.languages import Language
from booking_service.models import PaymentTender, Tender
from booking_service.queries import front_desk
from booking_service.services import (
    bookings,
    desk_money,
    holds,
    memberships,
    newcomers,
    people,
    visit_notes,
    visit_steps,
    waitlist,
    walk_ins,
)
from booking_service.services.agreements import Ground
from booking_service.services.memberships import Tendered
from booking_service.services.walk_ins import DeskPayment
from tests import factories
from tests.browser.staff_screens import drawer, in_treatment, member
from tests.browser.stage import Stage
from tests.factories import PRIYA


def unpaid(stage: Stage) -> str:
    slot = factories.free_slot()
    person = factories.details(name=stage.name)
    times = (slot.practitioner_id, slot.starts_at)
    return f"/desk/visit/{walk_ins.hold(times, person, factories.HALF_AN_HOUR, PRIYA)}"


def let_go(stage: Stage) -> str:
    page = unpaid(stage)
    holds.release(UUID(page.rpartition("/")[2]), stage.gateway)
    return page


def _paid_in_cash(stage: Stage) -> object:
    """Somebody who paid at the desk and became a member: the desk pays them back."""
    slot = factories.free_slot()
    taken = DeskPayment(PaymentTender.CASH, "R-17", 1)
    person = factories.details(name=stage.name)
    id_ = walk_ins.book((slot.practitioner_id, slot.starts_at), person, taken, PRIYA)
    visit_steps.arrive(id_, PRIYA)
    visit_steps.begin_treatment(id_, PRIYA)
    by_receipt = Tendered(Tender.RECORDED, "M-1")
    memberships.convert(
        id_, factories.plan().id, by_receipt, PRIYA, timedelta(0), agreement=Ground.PAPER
    )
    stage.work()
    return id_


def pay_back(stage: Stage) -> str:
    return f"/desk/visit/{_paid_in_cash(stage)}"


def paid_back(stage: Stage) -> str:
    id_ = _paid_in_cash(stage)
    desk_money.pay_back(id_, "R-18", PRIYA)
    return f"/desk/visit/{id_}"


def takings(stage: Stage) -> str:
    desk_money.pay_back(_paid_in_cash(stage), "R-18", PRIYA)
    desk_money.count(front_desk.today(), 14800, "A dollar too much change", PRIYA)
    return "/desk/takings"


def no_takings(_: Stage) -> str:
    return "/desk/takings"


def kept(stage: Stage) -> str:
    visit = in_treatment(stage)
    visit_steps.complete(visit.booking_id, PRIYA)
    return drawer(visit)


def ask_goodwill(stage: Stage) -> str:
    return f"{kept(stage)}/goodwill"


def history(stage: Stage) -> str:
    page = member(stage)
    visit_notes.write(UUID(page.rpartition("/")[2]), "Comes by bus, often a little late", PRIYA)
    return f"{page}/history"


def noted(stage: Stage) -> str:
    return history(stage).removesuffix("/history")


def waitlisted(stage: Stage) -> str:
    visit = stage.paid(slot=factories.slot_in(72))
    waitlist.join(visit.booking_id)
    earlier = factories.visit_of("Robin Hale", stage.stripe, slot=factories.slot_in(48))
    bookings.cancel(earlier.booking_id, PRIYA)
    stage.work()
    newcomers.ask("ana@example.com", Language.EN, None)
    return "/desk/waitlist"


def nobody_waits(_: Stage) -> str:
    return "/desk/waitlist"


def two_records(stage: Stage) -> str:
    visit = stage.paid(slot=factories.free_slot(4))
    factories.visit_of("Robin Hale", stage.stripe, phone="518 555 0178")
    return f"{drawer(visit)}/same-person"


def merged_records(stage: Stage) -> str:
    visit = stage.paid(slot=factories.free_slot(4))
    other = factories.visit_of("Robin Hale", stage.stripe, phone="518 555 0178")
    ids = [factories.booking(one.booking_id).patient_id for one in (visit, other)]
    people.merge(*ids, PRIYA)
    return f"{drawer(visit)}/same-person"


WORK_SCREENS = (
    *(unpaid, let_go, pay_back, paid_back, takings, no_takings, kept, ask_goodwill),
    *(history, noted, waitlisted, nobody_waits, two_records, merged_records),
)
