"""Every screen of the front desk and of finance, and how to get there."""

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from uuid import UUID

from playwright.sync_api import Page

from booking_service.models import (
    Booking,
    CaseType,
    Membership,
    MembershipStatus,
    RefundStatus,
    Tender,
)
from booking_service.services import memberships, reconciliation, visit_steps
from booking_service.services.agreements import Ground
from booking_service.services.memberships import Tendered
from tests import case_makers, factories
from tests.browser.stage import Shown, Stage
from tests.factories import PRIYA


def press(words: str) -> Callable[[Page], None]:
    """Press the first button with these words."""
    return lambda page: page.get_by_role("button", name=words).first.click()


# --- at the door ----------------------------------------------------------------------------------


def sign_in(_: Stage) -> str:
    return "/sign-in"


def sign_in_refused(_: Stage) -> Shown:
    def try_it(page: Page) -> None:
        page.get_by_label("Work e-mail").fill("priya@alder.example")
        page.get_by_label("Password").fill("not the password")
        page.get_by_role("button", name="Sign in").click()

    return Shown("/sign-in", try_it)


# --- the front desk -------------------------------------------------------------------------------


def day(stage: Stage) -> str:
    """People in every state."""
    people = ["Grace Okafor", "Paul Bend", "Ines Moreau", "Robin Hale", "Lee Ng", stage.name]
    visits = [factories.visit_of(name, stage.stripe, nth * 2) for nth, name in enumerate(people)]
    arrived, treated, joined = (visit.booking_id for visit in visits[:3])
    for booking_id in (arrived, treated, joined):
        visit_steps.arrive(booking_id, PRIYA)
    for booking_id in (treated, joined):
        visit_steps.begin_treatment(booking_id, PRIYA)
    factories.no_show(visits[3])
    card = Tendered(Tender.SAVED_CARD)
    membership_id, _ = memberships.convert(
        joined, factories.plan().id, card, PRIYA, timedelta(0), agreement=Ground.PAPER
    )
    stage.work()
    factories.follow_up(SimpleNamespace(membership_id=membership_id), 0.1)
    return "/desk"


def empty_day(_: Stage) -> str:
    return "/desk/2026-11-25"


def drawer(visit: object) -> str:
    return f"/desk/visit/{visit.booking_id}"


def expected(stage: Stage) -> str:
    return drawer(stage.paid(slot=factories.free_slot()))


def arrived(stage: Stage) -> str:
    visit = stage.paid(slot=factories.free_slot())
    visit_steps.arrive(visit.booking_id, PRIYA)
    return drawer(visit)


def in_treatment(stage: Stage, card: str = "4242424242424242") -> object:
    slot = factories.free_slot()
    return factories.in_treatment(stage.stripe, slot=slot, name=stage.name, card=card)


def convert(stage: Stage) -> str:
    return drawer(in_treatment(stage))


def convert_signed(stage: Stage) -> str:
    visit = in_treatment(stage)
    factories.signed(visit.booking_id, name=stage.name)
    return drawer(visit)


def convert_not_signed(stage: Stage) -> Shown:
    def start(page: Page) -> None:
        page.get_by_label("Corrective").check()
        press("Start membership")(page)

    return Shown(drawer(in_treatment(stage)), start)


def agreement_to_print(stage: Stage) -> str:
    return f"{convert_signed(stage)}/agreement"


def agreement_to_sign_by_hand(stage: Stage) -> str:
    return f"{drawer(in_treatment(stage))}/agreement"


def convert_refused(stage: Stage) -> Shown:
    return Shown(drawer(in_treatment(stage)), press("Start membership"))


def _decided(
    stage: Stage,
    tender: Tender = Tender.SAVED_CARD,
    *,
    card: str = "4242424242424242",
    undo_seconds: int = 0,
) -> str:
    """A membership that the desk has started, and all that is due by then."""
    visit = in_treatment(stage, card)
    undo_for = timedelta(seconds=undo_seconds)
    memberships.convert(
        visit.booking_id,
        factories.plan().id,
        Tendered(tender),
        PRIYA,
        undo_for,
        agreement=Ground.PAPER,
    )
    stage.work()
    return drawer(visit)


def undo(stage: Stage) -> str:
    return _decided(stage, undo_seconds=10)


def member(stage: Stage) -> str:
    return _decided(stage)


def declined(stage: Stage) -> str:
    return _decided(stage, card="4000000000000341")


def on_the_phone(stage: Stage) -> str:
    return _decided(stage, Tender.CHECKOUT_LINK)


def no_show(stage: Stage) -> str:
    visit = stage.paid(slot=factories.free_slot())
    factories.no_show(visit)
    return drawer(visit)


def over(stage: Stage) -> str:
    visit = in_treatment(stage)
    visit_steps.complete(visit.booking_id, PRIYA)
    return drawer(visit)


def checked_in_just_now(stage: Stage) -> Shown:
    return Shown(expected(stage), press("Check in"))


def not_undone(stage: Stage) -> Shown:
    """Somebody took the time of a no-show meanwhile."""
    visit = stage.paid(slot=factories.free_slot())
    factories.no_show(visit)
    seen = factories.booking(visit.booking_id)
    other = factories.visit_of("Robin Hale", stage.stripe, 3)
    at = {"starts_at": seen.starts_at, "ends_at": seen.ends_at}
    doctor = {"practitioner_id": seen.practitioner_id}
    factories.change(Booking, other.booking_id, **at, **doctor)
    return Shown(drawer(visit), press("Undo no-show"))


def too_early_for_a_no_show(stage: Stage) -> Shown:
    return Shown(expected(stage), lambda page: page.get_by_text("More", exact=True).click())


def keys(stage: Stage) -> Shown:
    day(stage)
    return Shown("/desk", lambda page: page.keyboard.press("?"))


def locked(_: Stage) -> Shown:
    return Shown("/desk", press("Lock"))


def not_unlocked(_: Stage) -> Shown:
    def try_it(page: Page) -> None:
        press("Lock")(page)
        page.get_by_label("PIN or password").last.fill("482916")
        press("Unlock")(page)

    return Shown("/desk", try_it)


def pin(_: Stage) -> str:
    return "/my-pin"


def pin_refused(_: Stage) -> Shown:
    def try_it(page: Page) -> None:
        page.get_by_label("New PIN").fill("111111")
        page.get_by_label("Your password").fill("a password")
        press("Set the PIN")(page)

    return Shown("/my-pin", try_it)


def printed(stage: Stage) -> str:
    day(stage)
    return "/desk/2026-11-23/print"


def printed_empty(_: Stage) -> str:
    return "/desk/2026-11-25/print"


def move(stage: Stage) -> str:
    return f"{expected(stage)}/move"


def cancel(stage: Stage) -> str:
    return f"{expected(stage)}/cancel"


def walk_in(_: Stage) -> str:
    return "/desk/walk-in"


def walk_in_refused(_: Stage) -> Shown:
    return Shown("/desk/walk-in", press("Book"))


def search(_: Stage) -> str:
    return "/desk/search"


def search_that_finds(stage: Stage) -> Shown:
    day(stage)

    def look_for_a_name(page: Page) -> None:
        page.keyboard.press("/")
        page.keyboard.type("an")
        page.keyboard.press("Enter")
        page.wait_for_url("**/desk/search")

    return Shown("/desk", look_for_a_name)


def no_members(_: Stage) -> str:
    return "/desk/members"


def members_(stage: Stage) -> str:
    """Members in several states, one of whom owes a month."""
    day(stage)
    [joined] = factories.all_of(Membership)
    owes = {"status": MembershipStatus.PAST_DUE, "past_due_since": stage.noon}
    factories.change(Membership, joined.id, **owes)
    return "/desk/members"


def _member_of(stage: Stage, **facts: object) -> str:
    """Somebody who became a member, put where no step leads so fast; the address of the page."""
    member(stage)
    newest = max(factories.all_of(Membership), key=lambda one: one.decided_at)
    if facts:
        factories.change(Membership, newest.id, **facts)
    return f"/desk/members/{newest.id}"


def a_member(stage: Stage) -> str:
    return _member_of(stage)


def member_past_due(stage: Stage) -> str:
    at = stage.noon
    return _member_of(
        stage,
        status=MembershipStatus.PAST_DUE,
        past_due_since=at,
        past_due_code="expired_card",
        retry_at=at + timedelta(days=3),
    )


def member_ending(stage: Stage) -> str:
    at = stage.noon
    return _member_of(stage, paused_at=at, cancels_at=at + timedelta(days=30))


def member_refused(stage: Stage) -> Shown:
    """The date has moved on between reading and pressing."""
    path = _member_of(stage)
    id_ = path.rpartition("/")[2]

    def press_late(page: Page) -> None:
        factories.change(Membership, UUID(id_), period_ends_at=stage.noon + timedelta(days=20))
        press("Cancel for")(page)

    return Shown(path, press_late)


def not_open_to_the_desk(_: Stage) -> str:
    return "/finance/refunds"


# --- finance --------------------------------------------------------------------------------------


def no_refunds(_: Stage) -> str:
    return "/finance/refunds"


def refunds(stage: Stage) -> str:
    """One of each status."""
    statuses = [RefundStatus.PENDING, RefundStatus.SUCCEEDED, RefundStatus.FAILED]
    people = ["Grace Okafor", "Paul Bend", stage.name]
    for nth, (status, name) in enumerate(zip(statuses, people, strict=True)):
        visit = factories.visit_of(name, stage.stripe, nth)
        case_makers.decided(visit, status=status, answered_at=stage.noon)
    return "/finance/refunds"


def refund(stage: Stage) -> str:
    member(stage)
    return f"/finance/refunds/{factories.refunds()[0].id}"


def no_cases(_: Stage) -> str:
    return "/finance/cases"


def cases(stage: Stage) -> str:
    case_makers.failed(stage.paid())
    case_makers.stuck()
    case_makers.opened(CaseType.PROMISE_IN_DOUBT)
    return "/finance/cases"


def case(stage: Stage) -> str:
    return f"/finance/cases/{case_makers.failed(stage.paid())}"


def case_that_waits_for_another(stage: Stage) -> str:
    id_ = case_makers.failed(stage.paid())
    case_makers.do(id_, case_makers.CaseAction.SETTLE, facts=case_makers.BY_CHECK)
    return f"/finance/cases/{id_}"


def goodwill_form(stage: Stage) -> str:
    return f"/finance/goodwill/{stage.paid().payment.id}"


def not_compared(_: Stage) -> str:
    return "/finance/payouts"


def _paid_out(stage: Stage) -> None:
    stage.paid()
    stage.stripe.advance(2 * 86400 + 60)
    stage.stripe.pay_out()
    reconciliation.run(stage.gateway, "First Visit")


def payouts(stage: Stage) -> str:
    _paid_out(stage)
    return "/finance/payouts"


def payout(stage: Stage) -> Shown:
    _paid_out(stage)
    return Shown("/finance/payouts", lambda page: page.locator("tbody a").first.click())


def ledger(stage: Stage) -> str:
    member(stage)
    return "/finance/ledger?month=2026-11"


OPEN_SCREENS = (sign_in, sign_in_refused)
DESK_SCREENS = (
    *(day, empty_day, expected, arrived, convert, convert_refused, undo, member, declined),
    *(convert_signed, convert_not_signed, agreement_to_print, agreement_to_sign_by_hand),
    *(on_the_phone, no_show, over, move, cancel, walk_in, walk_in_refused),
    *(search, search_that_finds, not_open_to_the_desk),
    *(checked_in_just_now, not_undone, too_early_for_a_no_show, keys, locked, not_unlocked),
    *(pin, pin_refused, printed, printed_empty),
    *(no_members, members_, a_member, member_past_due, member_ending, member_refused),
)
FINANCE_SCREENS = (
    *(no_refunds, refunds, refund, no_cases, cases, case, case_that_waits_for_another),
    *(goodwill_form, not_compared, payouts, payout, ledger),
)
