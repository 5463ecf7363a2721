"""Taking a step at the desk back: each one, until money depends on it."""

from datetime import timedelta

import pytest

from booking_service.db import db, transaction
from booking_service.errors import BookingServiceError, NotAllowed, NotFound
from booking_service.models import (
    AuditRow,
    Booking,
    BookingStatus,
    CaseType,
    Dispute,
    DisputeStatus,
    EntryKind,
    JournalEntry,
    Membership,
    Promise,
    PromiseStatus,
    RefundStatus,
    Tender,
)
from booking_service.queries import state
from booking_service.services import (
    goodwill,
    memberships,
    promises,
    self_audit,
    taking_back,
    visit_steps,
)
from booking_service.services.agreements import Ground
from booking_service.services.memberships import Tendered
from booking_service.services.taking_back import take_back
from tests import case_makers
from tests.factories import (
    PRIYA,
    all_of,
    booking,
    change,
    converted,
    free_slot,
    hold,
    in_treatment,
    no_show,
    paid,
    plan,
    refunds,
)

pytestmark = pytest.mark.usefixtures("noon", "seeded", "mail")

S = BookingStatus
MINUTE = timedelta(minutes=1)
MORNING = timedelta(hours=21)  # from noon to the next nine o'clock


def by_staff(booking_id) -> list[str]:
    rows = sorted(all_of(AuditRow), key=lambda row: row.at)
    about = [row for row in rows if row.subject_id == booking_id]
    return [row.action for row in about if row.actor_kind is PRIYA.kind]


def of_promise() -> list[PromiseStatus]:
    return [promise.status for promise in all_of(Promise)]


def accounts() -> dict[str, int]:
    ledger = state.state()["ledger"]
    assert ledger["balanced"]
    return {name: cents for name, cents in ledger["accounts"].items() if cents}


def standing(booking_id) -> tuple:
    """A visit and the times of its steps."""
    seen = booking(booking_id)
    times = (seen.arrived_at, seen.treatment_began_at, seen.completed_at, seen.no_show_at)
    return (seen.status, *[at is not None for at in times])


# What each step leaves when it is taken back, from each status.
TABLE = """
             arrived      in_treatment completed    no_show
held         not_allowed  not_allowed  not_allowed  not_allowed
confirmed    confirmed    not_allowed  not_allowed  confirmed
arrived      confirmed    arrived      arrived      not_allowed
in_treatment not_allowed  arrived      in_treatment not_allowed
completed    not_allowed  not_allowed  arrived      not_allowed
no_show      not_allowed  not_allowed  not_allowed  confirmed
cancelled    not_allowed  not_allowed  not_allowed  not_allowed
expired      not_allowed  not_allowed  not_allowed  not_allowed
"""


def test_every_step_is_taken_back_from_its_own_status_only(stripe):
    visit = paid(stripe)
    header, *rows = (line.split() for line in TABLE.strip().splitlines())
    times = ("arrived_at", "treatment_began_at", "completed_at", "no_show_at")

    answers = {}
    for status in BookingStatus:
        answers[status.value] = []
        for step in header:
            change(Booking, visit.booking_id, status=status, **dict.fromkeys(times))
            try:
                take_back(visit.booking_id, S(step), PRIYA)
            except BookingServiceError as refused:
                answers[status.value].append(refused.code)
            else:
                answers[status.value].append(booking(visit.booking_id).status.value)

    assert answers == {status: codes for status, *codes in rows}


def test_all_steps_go_back_one_by_one_and_forward_again(stripe, work):
    visit = in_treatment(stripe)
    visit_steps.complete(visit.booking_id, PRIYA)
    assert of_promise() == [PromiseStatus.LAPSED]

    seen = []
    for step in (S.COMPLETED, S.IN_TREATMENT, S.ARRIVED):
        for _ in range(2):
            take_back(visit.booking_id, step, PRIYA)
        seen.append(standing(visit.booking_id))
    [promise] = all_of(Promise)

    assert seen == [
        (S.IN_TREATMENT, True, True, False, False),
        (S.ARRIVED, True, False, False, False),
        (S.CONFIRMED, False, False, False, False),
    ]
    assert (promise.status, promise.treatment_began_at) == (PromiseStatus.OPEN, None)
    steps = ["arrived", "in_treatment", "completed"]
    assert by_staff(visit.booking_id) == [
        *[f"booking.{step}" for step in steps],
        *[f"booking.{step}_taken_back" for step in reversed(steps)],
    ]

    visit_steps.arrive(visit.booking_id, PRIYA)
    visit_steps.begin_treatment(visit.booking_id, PRIYA)
    tendered = Tendered(Tender.SAVED_CARD)
    memberships.convert(
        visit.booking_id, plan().id, tendered, PRIYA, timedelta(0), agreement=Ground.PAPER
    )
    work()

    assert of_promise() == [PromiseStatus.SETTLED]
    assert [refund.status for refund in refunds()] == [RefundStatus.SUCCEEDED]


def test_a_visit_that_ended_before_treatment_goes_back_to_arrived(stripe):
    visit = paid(stripe)
    visit_steps.arrive(visit.booking_id, PRIYA)
    visit_steps.complete(visit.booking_id, PRIYA)

    take_back(visit.booking_id, S.COMPLETED, PRIYA)

    assert standing(visit.booking_id) == (S.ARRIVED, True, False, False, False)


def test_an_end_taken_back_is_written_in_the_ledger_each_time(stripe):
    """The entries stay; another one says the opposite, and the sums are what they were."""
    visit = in_treatment(stripe)
    before = accounts()

    for _ in range(3):
        visit_steps.complete(visit.booking_id, PRIYA)
        assert accounts() == {
            "stripe_balance": 3757,
            "stripe_fees": 143,
            "first_visit_revenue": -3900,
        }
        take_back(visit.booking_id, S.COMPLETED, PRIYA)
        assert accounts() == before

    kinds = (EntryKind.PROMISE_LAPSED, EntryKind.PROMISE_REOPENED)
    entries = [(e.kind, e.reference) for e in all_of(JournalEntry) if e.kind in kinds]
    assert sorted(entries) == sorted((kind, ref) for kind in kinds for ref in ("", "2", "3"))
    assert self_audit.doubts(db.session) == {}


def test_a_no_show_taken_back_is_expected_again_and_never_told_of(noon, travel, stripe, work, mail):
    visit = paid(stripe)
    work()
    mail.letters.clear()
    no_show(visit)
    assert of_promise() == [PromiseStatus.LAPSED]

    for _ in range(2):
        take_back(visit.booking_id, S.NO_SHOW, PRIYA)

    assert standing(visit.booking_id) == (S.CONFIRMED, False, False, False, False)
    assert of_promise() == [PromiseStatus.OPEN]
    assert by_staff(visit.booking_id) == ["booking.no_show", "booking.no_show_taken_back"]
    travel(noon + MORNING)
    assert "notifications.visit_missed" not in work()


def test_who_is_a_no_show_twice_hears_of_it_once(noon, travel, stripe, work, mail):
    visit = paid(stripe)
    no_show(visit)
    take_back(visit.booking_id, S.NO_SHOW, PRIYA)
    no_show(visit)

    travel(noon + MORNING)

    assert work().count("notifications.visit_missed") == 1


def test_the_time_of_a_no_show_is_somebody_elses_meanwhile(stripe):
    visit = paid(stripe)
    no_show(visit)
    seen = booking(visit.booking_id)
    other = paid(stripe, slot=free_slot(20), name="Robin Hale", email="robin@example.com")
    at = {"practitioner_id": seen.practitioner_id, "starts_at": seen.starts_at}
    change(Booking, other.booking_id, **at, ends_at=seen.ends_at)

    with pytest.raises(NotAllowed, match=r"^The time was given to somebody else meanwhile"):
        take_back(visit.booking_id, S.NO_SHOW, PRIYA)

    assert standing(visit.booking_id) == (S.NO_SHOW, False, False, False, True)
    assert PromiseStatus.LAPSED in of_promise()


def test_a_no_show_who_booked_again_stays_one(stripe):
    visit = paid(stripe)
    no_show(visit)
    paid(stripe, slot=free_slot(30))

    with pytest.raises(NotAllowed, match=r"^The patient has booked another first visit meanwhile"):
        take_back(visit.booking_id, S.NO_SHOW, PRIYA)


@pytest.mark.parametrize("step", [S.ARRIVED, S.IN_TREATMENT, S.COMPLETED, S.NO_SHOW])
def test_a_step_is_taken_back_on_its_local_day_only(noon, travel, stripe, step):
    visit = paid(stripe)
    times = {"arrived_at": noon, "treatment_began_at": noon} if step is S.COMPLETED else {}
    change(Booking, visit.booking_id, status=step, **times)
    travel(noon + timedelta(hours=12))

    with pytest.raises(NotAllowed, match=r"on that day\. It is over"):
        take_back(visit.booking_id, step, PRIYA)
    assert booking(visit.booking_id).status is step

    travel(noon + timedelta(hours=12) - MINUTE)
    take_back(visit.booking_id, step, PRIYA)
    assert booking(visit.booking_id).status is not step


@pytest.mark.parametrize("how", ["decided", "active", "declined"])
def test_treatment_stays_once_a_membership_depends_on_it(stripe, work, how):
    card = "4000000000000341" if how == "declined" else "4242424242424242"
    visit = converted(stripe, card=card)
    if how != "decided":
        work()

    words = r"^Money depends on it: the membership was started at 12:00 PM\.$"
    with pytest.raises(NotAllowed, match=words):
        take_back(visit.booking_id, S.IN_TREATMENT, PRIYA)

    assert standing(visit.booking_id) == (S.IN_TREATMENT, True, True, False, False)


def test_treatment_can_be_taken_back_when_the_membership_was(stripe):
    visit = converted(stripe)
    [membership] = all_of(Membership)
    change(Membership, membership.id, undo_until=membership.undo_until + MINUTE)
    memberships.undo(membership.id, PRIYA)

    take_back(visit.booking_id, S.IN_TREATMENT, PRIYA)

    assert standing(visit.booking_id) == (S.ARRIVED, True, False, False, False)


def test_after_a_declined_card_an_ended_visit_goes_on_with_another(stripe, work):
    visit = converted(stripe, card="4000000000000341")
    work()
    visit_steps.complete(visit.booking_id, PRIYA)
    assert of_promise() == [PromiseStatus.LAPSED]

    take_back(visit.booking_id, S.COMPLETED, PRIYA)
    cash = Tendered(Tender.RECORDED, "T-1")
    memberships.convert(
        visit.booking_id, plan().id, cash, PRIYA, timedelta(0), agreement=Ground.PAPER
    )
    work()

    assert of_promise() == [PromiseStatus.SETTLED]


def _member(visit, work) -> None:
    card = Tendered(Tender.SAVED_CARD)
    memberships.convert(
        visit.booking_id, plan().id, card, PRIYA, timedelta(0), agreement=Ground.PAPER
    )
    work()


def disputed(visit, at) -> None:
    facts = {"stripe_dispute_id": "du_1", "status": DisputeStatus.NEEDS_RESPONSE, "opened_at": at}
    facts |= {"amount_cents": 3900, "reason": "general"}
    with transaction() as session:
        session.add(Dispute(payment_id=visit.payment.id, **facts))


HANGS = {
    "a membership": "the membership was started",
    "a refund": "a refund was decided",
    "goodwill": "a refund was decided",
    "a dispute": "the bank asked about the payment",
    "a case": "finance was given a case about it",
}


@pytest.mark.parametrize("what", HANGS)
def test_the_end_of_a_visit_stays_once_money_hangs_on_it(noon, stripe, work, what):
    visit = in_treatment(stripe)
    if what == "a membership":
        _member(visit, work)
    visit_steps.complete(visit.booking_id, PRIYA)
    before = of_promise()
    if what == "a refund":
        case_makers.decided(visit, status=RefundStatus.PENDING, answered_at=noon)
    elif what == "goodwill":
        goodwill.ask(visit.payment.id, None, "Came back", case_makers.ANA)
    elif what == "a dispute":
        disputed(visit, noon)
    elif what == "a case":
        case_makers.opened(CaseType.PROMISE_IN_DOUBT, visit.payment.id)

    with pytest.raises(NotAllowed, match=f"^Money depends on it: {HANGS[what]} at 12:00 PM"):
        take_back(visit.booking_id, S.COMPLETED, PRIYA)

    assert booking(visit.booking_id).status is S.COMPLETED
    assert of_promise() == before


def test_without_the_look_at_the_money_a_member_would_lose_the_treatment(stripe, work, monkeypatch):
    """The protection above is what refuses it, and nothing else."""
    visit = converted(stripe)
    monkeypatch.setattr(taking_back, "_refuse_if_money_depends", lambda *_: None)

    take_back(visit.booking_id, S.IN_TREATMENT, PRIYA)
    work()

    assert (of_promise(), refunds()) == ([PromiseStatus.OPEN], [])


@pytest.mark.parametrize(
    ("status", "time"),
    [
        (S.CONFIRMED, "arrived_at"),
        (S.ARRIVED, "treatment_began_at"),
        (S.IN_TREATMENT, "completed_at"),
        (S.CONFIRMED, "no_show_at"),
    ],
)
def test_the_database_keeps_no_time_of_a_step_that_was_taken_back(noon, stripe, status, time):
    visit = paid(stripe)

    with pytest.raises(Exception, match="steps_fit_status"):
        change(Booking, visit.booking_id, status=status, **{time: noon})


def test_a_refused_taking_back_leaves_nothing_behind(stripe):
    visit, held = converted(stripe), hold(free_slot(9))
    before = len(all_of(AuditRow))

    with pytest.raises(NotAllowed):
        take_back(visit.booking_id, S.IN_TREATMENT, PRIYA)
    with pytest.raises(NotAllowed, match="Nobody has booked"):
        take_back(held, S.ARRIVED, PRIYA)
    with pytest.raises(NotFound):
        take_back(visit.membership_id, S.ARRIVED, PRIYA)

    assert len(all_of(AuditRow)) == before


def test_an_end_taken_back_too_late_for_the_sweep_lapses_with_the_day(noon, travel, stripe):
    visit = in_treatment(stripe)
    visit_steps.complete(visit.booking_id, PRIYA)
    take_back(visit.booking_id, S.COMPLETED, PRIYA)
    travel(noon + timedelta(hours=12))

    promises.sweep()

    assert of_promise() == [PromiseStatus.LAPSED]
    assert accounts()["first_visit_revenue"] == -3900
