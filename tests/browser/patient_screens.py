"""Every screen a patient can meet, and how to get there. A screen's name is its function's."""

from datetime import timedelta
from uuid import UUID, uuid4

from flask import current_app
from playwright.sync_api import Page
from sqlalchemy import delete, select

from booking_service.db import transaction
from booking_service.models import (
    Actor,
    Booking,
    BookingStatus,
    FreedTime,
    Membership,
    MembershipStatus,
    Offer,
    Payment,
    RefundStatus,
    Tender,
    WaitlistEntry,
    WorkingHours,
)
from booking_service.services import (
    bookings,
    checkout,
    membership_pages,
    memberships,
    newcomers,
    visit_links,
    visit_steps,
    waitlist,
)
from booking_service.services.agreements import Ground
from booking_service.services.memberships import Tendered
from tests import case_makers, factories
from tests.browser.stage import Shown, Stage
from tests.factories import PRIYA


def submit(page: Page) -> None:
    """Send the page's own form, as it is: the browser's checks are off on these pages."""
    page.locator("main form button").last.click()


def agree(page: Page) -> None:
    """Agree to the terms and go on to Stripe."""
    page.locator("[name=agree]").check()
    submit(page)


# --- picking a time -------------------------------------------------------------------------------


def offer(_: Stage) -> str:
    return "/"


def offer_without_times(_: Stage) -> str:
    with transaction() as session:
        session.execute(delete(WorkingHours))
    return "/"


def times(_: Stage) -> str:
    return "/book?src=blog-neck"


def times_of_an_evening(_: Stage) -> str:
    return "/book?part=evening"


def times_that_are_none(stage: Stage) -> str:
    offer_without_times(stage)
    return "/book"


def time_just_taken(stage: Stage) -> Shown:
    def tap_what_went(page: Page) -> None:
        factories.hold(factories.free_slot())
        page.locator("button[name=slot]").first.click()

    return Shown("/book", tap_what_went)


def terms(_: Stage) -> str:
    return "/terms"


def privacy(_: Stage) -> str:
    return "/privacy"


def not_there(_: Stage) -> str:
    return "/no-such-page"


def link_not_valid(_: Stage) -> str:
    return "/v/x"


def link_that_was_replaced(stage: Stage) -> str:
    visit = stage.paid()
    old = stage.visit(visit.booking_id)
    visit_links.replace(visit.booking_id, PRIYA)
    return old


def find_my_visit(_: Stage) -> str:
    return "/find-my-visit"


def find_without_an_address(_: Stage) -> Shown:
    return Shown("/find-my-visit", submit)


def find_asked(_: Stage) -> Shown:
    def ask(page: Page) -> None:
        page.locator("[name=email]").fill("dana@example.com")
        submit(page)

    return Shown("/find-my-visit", ask)


def embedded(_: Stage) -> str:
    return "/embed"


# --- waiting for a time ---------------------------------------------------------------------------


def wait(_: Stage) -> str:
    return "/wait"


def wait_without_an_address(_: Stage) -> Shown:
    return Shown("/wait", submit)


def wait_noted(_: Stage) -> str:
    return "/wait/noted"


def _newcomer(stage: Stage) -> WaitlistEntry:
    newcomers.ask("dana@example.com", stage.language, None)
    return factories.all_of(WaitlistEntry)[0]


def wait_no_more(stage: Stage) -> str:
    return stage.stop(_newcomer(stage).id)


def waited_enough(stage: Stage) -> str:
    entry = _newcomer(stage)
    newcomers.stop(entry.id)
    return stage.stop(entry.id)


# --- details, check and pay -----------------------------------------------------------------------


def details(stage: Stage) -> str:
    return stage.hold("details", stage.held())


def details_that_are_wrong(stage: Stage) -> Shown:
    return Shown(details(stage), submit)


def details_for_somebody_else(stage: Stage) -> Shown:
    return Shown(details(stage), lambda page: page.locator("[name=for_another]").check())


def known_patient(stage: Stage) -> Shown:
    stage.paid()
    booking_id = stage.held()

    def be_known(page: Page) -> None:
        page.locator("[name=name]").fill(stage.name)
        page.locator("[name=phone]").fill("518 555 0178")
        page.locator("[name=email]").fill("dana@example.com")
        submit(page)

    return Shown(stage.hold("details", booking_id), be_known)


def too_many_holds(stage: Stage) -> Shown:
    for nth in range(5):
        kept = factories.hold(factories.free_slot(nth * 12), timedelta(minutes=10))
        person = factories.details(name=f"Dana {'ABCDE'[nth]}")
        factories.patients.set_details(kept, person, timedelta(minutes=10))
    path = stage.hold("details", factories.hold(factories.free_slot(72)))

    def ask_for_one_more(page: Page) -> None:
        page.locator("[name=name]").fill(stage.name)
        page.locator("[name=phone]").fill("518 555 0178")
        page.locator("[name=email]").fill("dana@example.com")
        submit(page)

    return Shown(path, ask_for_one_more)


def review(stage: Stage) -> str:
    return stage.hold("review", stage.at_review())


def review_without_agreeing(stage: Stage) -> Shown:
    return Shown(review(stage), submit)


def price_has_changed(stage: Stage) -> Shown:
    def agree_to_what_was(page: Page) -> None:
        with transaction() as session:
            old = session.scalars(select(Offer)).one()
            facts = {column.key: getattr(old, column.key) for column in Offer.__table__.columns}
            session.add(Offer(**facts | {"id": uuid4(), "version": 2, "price_cents": 4500}))
        agree(page)

    return Shown(review(stage), agree_to_what_was)


def back_from_stripe(stage: Stage) -> str:
    return stage.hold("review", stage.at_stripe().booking_id)


def hold_ended(stage: Stage) -> str:
    booking_id = stage.at_review()
    ended = stage.noon - timedelta(seconds=1)
    factories.change(Booking, booking_id, hold_expires_at=ended)
    return stage.hold("review", booking_id)


def payment_page_timed_out(stage: Stage) -> str:
    payment = stage.at_stripe()
    factories.holds.release(payment.booking_id, stage.gateway)
    return stage.hold("review", payment.booking_id)


def hold_ended_and_taken(stage: Stage) -> str:
    booking_id = stage.at_review()
    slot = factories.booking(booking_id)
    factories.holds.release(booking_id, stage.gateway)
    factories.holds.place(slot.practitioner_id, slot.starts_at, timedelta(minutes=9), None)
    return stage.hold("review", booking_id)


def stripe_does_not_answer(stage: Stage) -> Shown:
    stage.stripe.fault("drop_before", "/v1/checkout/sessions", method="POST", times=99)
    return Shown(review(stage), agree)


def confirming(stage: Stage) -> str:
    return stage.hold("done?look=10", stage.at_stripe().booking_id)


def paid_twice(stage: Stage) -> str:
    first, second = stage.at_stripe(), stage.at_stripe()
    for payment in (first, second):
        stage.stripe.pay(payment.stripe_checkout_session_id)
        checkout.confirm(payment.stripe_checkout_session_id, stage.gateway)
    return stage.hold("done", second.booking_id)


def time_gone_after_paying(stage: Stage) -> str:
    late = stage.at_stripe()
    factories.change(Booking, late.booking_id, status=BookingStatus.EXPIRED)
    slot = factories.booking(late.booking_id)
    factories.holds.place(slot.practitioner_id, slot.starts_at, timedelta(minutes=9), None)
    stage.stripe.pay(late.stripe_checkout_session_id)
    checkout.confirm(late.stripe_checkout_session_id, stage.gateway)
    return stage.visit(late.booking_id)


def payment_being_looked_at(stage: Stage) -> str:
    payment = stage.at_stripe()
    factories.change(Payment, payment.id, amount_cents=4000)
    stage.stripe.pay(payment.stripe_checkout_session_id)
    checkout.confirm(payment.stripe_checkout_session_id, stage.gateway)
    return stage.visit(payment.booking_id)


# --- one's own page -------------------------------------------------------------------------------


def booked(stage: Stage) -> str:
    return stage.visit(stage.paid().booking_id)


def booked_with_an_earlier_time(stage: Stage) -> str:
    visit = stage.paid()
    other = factories.paid(
        stage.stripe, slot=factories.slot_in(26), name="Robin Hale", email="robin@example.com"
    )
    waitlist.join(visit.booking_id)
    bookings.cancel(other.booking_id, PRIYA)
    waitlist.offer(factories.all_of(FreedTime)[0].id)
    return stage.visit(visit.booking_id)


def move(stage: Stage) -> str:
    return stage.visit(stage.paid().booking_id, "/move")


def cancel_with_the_money(stage: Stage) -> str:
    return stage.visit(stage.paid().booking_id, "/cancel")


def cancel_without_the_money(stage: Stage) -> str:
    return stage.visit(stage.paid(slot=factories.slot_in(3)).booking_id, "/cancel")


def cancelled(stage: Stage) -> str:
    visit = stage.paid()
    bookings.cancel(visit.booking_id, PRIYA)
    stage.work()
    return stage.visit(visit.booking_id)


def missed(stage: Stage) -> str:
    visit = stage.paid(slot=factories.free_slot())
    factories.no_show(visit)
    return stage.visit(visit.booking_id)


def checked_in(stage: Stage) -> str:
    visit = stage.paid(slot=factories.free_slot())
    visit_steps.arrive(visit.booking_id, PRIYA)
    return stage.visit(visit.booking_id)


def not_joined(stage: Stage) -> str:
    visit = stage.paid(slot=factories.free_slot())
    visit_steps.arrive(visit.booking_id, PRIYA)
    visit_steps.complete(visit.booking_id, PRIYA)
    return stage.visit(visit.booking_id)


def money_returned(stage: Stage) -> str:
    visit = factories.converted(
        stage.stripe, slot=factories.free_slot(), name=stage.name, language=stage.language
    )
    stage.work()
    return stage.visit(visit.booking_id)


def money_could_not_be_returned(stage: Stage) -> str:
    visit = stage.paid()
    case_makers.failed(visit)
    factories.change(Booking, visit.booking_id, status=BookingStatus.CANCELLED)
    return stage.visit(visit.booking_id)


def money_on_its_way(stage: Stage) -> str:
    visit = stage.paid()
    case_makers.decided(visit, status=RefundStatus.PENDING, answered_at=stage.noon)
    factories.change(Booking, visit.booking_id, status=BookingStatus.CANCELLED)
    return stage.visit(visit.booking_id)


def joining(stage: Stage) -> str:
    visit = factories.in_treatment(
        stage.stripe, slot=factories.free_slot(), name=stage.name, language=stage.language
    )
    tendered = Tendered(Tender.CHECKOUT_LINK)
    membership_id, _ = memberships.convert(
        visit.booking_id, factories.plan().id, tendered, PRIYA, timedelta(0), agreement=Ground.PAPER
    )
    membership_pages.open_(membership_id, stage.gateway, current_app.extensions["links"])
    return stage.join(membership_id)


# --- a member's further visits --------------------------------------------------------------------


def _member(stage: Stage) -> object:
    return factories.member(
        stage.stripe, slot=factories.free_slot(), name=stage.name, language=stage.language
    )


def member_with_visits(stage: Stage) -> str:
    member = _member(stage)
    for day in (3, 7):
        factories.follow_up(member, day)
    return stage.visit(member.booking_id)


def book_a_visit(stage: Stage) -> str:
    return stage.visit(_member(stage).booking_id, "/book")


def book_a_visit_with_none_left(stage: Stage) -> str:
    member = _member(stage)
    for day in range(1, factories.plan().visits_a_month + 1):
        factories.follow_up(member, day)
    return stage.visit(member.booking_id, "/book")


def follow_up(stage: Stage) -> str:
    return stage.visit(factories.follow_up(_member(stage), 3))


def move_a_follow_up(stage: Stage) -> str:
    return stage.visit(factories.follow_up(_member(stage), 3), "/move")


def cancel_a_follow_up(stage: Stage) -> str:
    return stage.visit(factories.follow_up(_member(stage), 3), "/cancel")


def cancel_a_follow_up_late(stage: Stage) -> str:
    return stage.visit(factories.follow_up(_member(stage), 0.5), "/cancel")


def follow_up_cancelled_late(stage: Stage) -> str:
    visit = factories.follow_up(_member(stage), 0.5)
    bookings.cancel(visit, Actor.patient())
    return stage.visit(visit)


def follow_up_not_included(stage: Stage) -> str:
    member = _member(stage)
    visit = factories.follow_up(member, 3)
    ended_at = stage.noon + timedelta(days=1)
    status = MembershipStatus.CANCELLED
    factories.change(Membership, member.membership_id, status=status, ended_at=ended_at)
    return stage.visit(visit)


# --- the membership agreement ---------------------------------------------------------------------


def _here(stage: Stage) -> UUID:
    visit = stage.paid(slot=factories.free_slot())
    visit_steps.arrive(visit.booking_id, PRIYA)
    return visit.booking_id


def agreement(stage: Stage) -> str:
    return stage.agree(_here(stage), f"?plan={factories.plan().id}")


def agreement_without_a_name(stage: Stage) -> Shown:
    return Shown(stage.agree(_here(stage)), submit)


def agreement_signed(stage: Stage) -> str:
    booking_id = _here(stage)
    factories.signed(booking_id, name=stage.name, language=stage.language)
    return stage.agree(booking_id)


def agreement_before_check_in(stage: Stage) -> str:
    return stage.agree(stage.paid().booking_id)


def agreement_after_the_visit(stage: Stage) -> str:
    booking_id = _here(stage)
    visit_steps.complete(booking_id, PRIYA)
    return stage.agree(booking_id)


def agreement_copy(stage: Stage) -> str:
    booking_id = _here(stage)
    factories.signed(booking_id, name=stage.name, language=stage.language)
    return stage.visit(booking_id, "/agreement")


def _joined(stage: Stage, page: str = "") -> str:
    """The page of somebody who became a member."""
    visit = factories.converted(
        stage.stripe, slot=factories.free_slot(), name=stage.name, language=stage.language
    )
    stage.work()
    return stage.visit(visit.booking_id, page)


def own_membership(stage: Stage) -> str:
    return _joined(stage)


def own_membership_cancel(stage: Stage) -> str:
    return _joined(stage, "/membership/cancel")


def own_membership_card(stage: Stage) -> str:
    return _joined(stage, "/membership/card")


PATIENT_SCREENS = (
    *(offer, offer_without_times, times, times_of_an_evening, times_that_are_none, time_just_taken),
    *(terms, privacy, not_there, link_not_valid, link_that_was_replaced, embedded),
    *(find_my_visit, find_without_an_address, find_asked, too_many_holds),
    *(wait, wait_without_an_address, wait_noted, wait_no_more, waited_enough),
    *(details, details_that_are_wrong, details_for_somebody_else, known_patient),
    *(review, review_without_agreeing, price_has_changed, back_from_stripe),
    *(
        hold_ended,
        hold_ended_and_taken,
        payment_page_timed_out,
        stripe_does_not_answer,
        confirming,
        paid_twice,
    ),
    *(time_gone_after_paying, payment_being_looked_at),
    *(booked, booked_with_an_earlier_time, move, cancel_with_the_money, cancel_without_the_money),
    *(cancelled, missed, checked_in, not_joined),
    *(agreement, agreement_without_a_name, agreement_signed, agreement_copy),
    *(agreement_before_check_in, agreement_after_the_visit),
    *(money_on_its_way, money_returned, money_could_not_be_returned, joining),
    *(member_with_visits, book_a_visit, book_a_visit_with_none_left, follow_up, move_a_follow_up),
    *(cancel_a_follow_up, cancel_a_follow_up_late, follow_up_cancelled_late),
    *(follow_up_not_included,),
    *(own_membership, own_membership_cancel, own_membership_card),
)
