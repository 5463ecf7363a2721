"""Screens of members' further visits, at the desk."""

from booking_service.models import Membership, MembershipStatus
from booking_service.services import visit_steps
from tests import factories
from tests.browser.staff_screens import drawer
from tests.browser.stage import Stage
from tests.factories import PRIYA


def _joined(stage: Stage) -> object:
    return factories.member(stage.stripe, slot=factories.free_slot(), name=stage.name)


def book_next(stage: Stage) -> str:
    return f"{drawer(_joined(stage))}/next"


def next_booked(stage: Stage) -> str:
    joined = _joined(stage)
    factories.follow_up(joined, 7)
    return drawer(joined)


def _follow_up(stage: Stage) -> object:
    return factories.follow_up(_joined(stage), 0.1)


def follow_up(stage: Stage) -> str:
    return f"/desk/visit/{_follow_up(stage)}"


def follow_up_with_doctor(stage: Stage) -> str:
    visit = _follow_up(stage)
    visit_steps.arrive(visit, PRIYA)
    visit_steps.begin_treatment(visit, PRIYA)
    return f"/desk/visit/{visit}"


def follow_up_over(stage: Stage) -> str:
    visit = _follow_up(stage)
    visit_steps.arrive(visit, PRIYA)
    visit_steps.complete(visit, PRIYA)
    return f"/desk/visit/{visit}"


def follow_up_not_covered(stage: Stage) -> str:
    joined = _joined(stage)
    visit = factories.follow_up(joined, 0.1)
    status = MembershipStatus.CANCELLED
    factories.change(Membership, joined.membership_id, status=status, ended_at=stage.noon)
    return f"/desk/visit/{visit}"


def cancel_follow_up(stage: Stage) -> str:
    return f"/desk/visit/{_follow_up(stage)}/cancel"


FOLLOW_UP_SCREENS = (
    *(book_next, next_booked, follow_up, follow_up_with_doctor, follow_up_over),
    *(follow_up_not_covered, cancel_follow_up),
)
