"""The desk's pages: the day, a visit's one next step, starting a membership, and taking it back."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select

from booking_service.clock import local_day, utc_now
from booking_service.db import db
from booking_service.models import AuditRow, MembershipStatus
from booking_service.queries import front_desk, patient_pages
from booking_service.services import visit_steps
from booking_service.web.qr import qr
from tests.factories import PRIYA, booking, converted, in_treatment, paid, plan
from tests.web.staff_browser import StaffBrowser, words


@pytest.fixture
def priya(app, seeded):
    browser = StaffBrowser(app)
    browser.sign_in(next(one for one in seeded.staff if one["role"] == "front_desk"))
    return browser


def page_of(visit):
    return f"/desk/visit/{visit.booking_id}"


def day_page(visit):
    zone = patient_pages.practice().zone
    return f"/desk/{local_day(booking(visit.booking_id).starts_at, zone)}"


def start(browser, visit, **more):
    form = {"plan_id": str(plan().id), "method": "saved_card", "on_paper": "on", **more}
    return browser.post(page_of(visit), f"{page_of(visit)}/convert", **form)


def test_the_desk_opens_at_the_practices_today(priya):
    today = local_day(utc_now(), patient_pages.practice().zone)

    assert priya.get("/desk").location == f"/desk/{today}"


@pytest.mark.parametrize("day", ["tomorrow", "2026-13-01", "2026-02-30"])
def test_a_day_that_is_none_is_not_found(priya, day):
    assert priya.get(f"/desk/{day}").status_code == 404


def test_the_day_shows_visits_with_their_state_and_counts_them(priya, stripe):
    visit = paid(stripe)

    said = words(priya.get(day_page(visit)))

    assert "Dana Whitfield $39.00 paid" in said
    assert "All 1 Expected 1" in said
    assert "First visits" in said
    assert "became members 0 · refunded $0.00" in said


def test_a_chip_shows_only_its_state(priya, stripe):
    visit = paid(stripe)

    arrived = words(priya.get(f"{day_page(visit)}?status=arrived"))

    assert "Dana Whitfield" not in arrived
    assert "No visits to show here." in arrived
    assert "Dana Whitfield" in words(priya.get(f"{day_page(visit)}?status=expected"))


def test_an_empty_day_leads_to_the_next_one_with_visits(priya, stripe):
    visit = paid(stripe)
    day = local_day(booking(visit.booking_id).starts_at, patient_pages.practice().zone)

    page = priya.get(f"/desk/{day - timedelta(days=2)}")

    assert "No visits on this day." in words(page)
    assert f'href="/desk/{day}"' in page.text


def test_the_list_is_sent_again_only_when_it_changed(priya, stripe, travel):
    visit = paid(stripe)
    travel(utc_now())
    path = f"{day_page(visit)}/board"
    seen = re.search(r'name="seen" value="([^"]+)"', priya.get(path).text)[1]
    same = priya.get(f"{path}?seen={seen}")
    visit_steps.arrive(visit.booking_id, PRIYA)

    changed = priya.get(f"{path}?seen={seen}")

    assert (same.status_code, same.text) == (204, "")
    assert changed.status_code == 200
    assert "Arrived 1" in words(changed)


def test_each_visit_has_one_next_step_until_the_decision(priya, stripe):
    visit = paid(stripe)
    page = page_of(visit)

    expected = priya.get(page)
    arrived = priya.post(page, f"{page}/arrive")
    here = priya.get(page)
    began = priya.post(page, f"{page}/begin-treatment")

    assert "Check in Dana" in words(expected)
    assert (arrived.status_code, arrived.location) == (303, page)
    assert "Treatment hasn't begun" in words(here)
    assert (began.status_code, began.location) == (303, page)
    assert [p.text.count("btn pri") for p in (expected, here, priya.get(page))] == [1, 1, 1]
    assert "Start membership and refund $39.00" in words(priya.get(page))


def test_looking_at_a_patient_is_written_down_and_asking_again_is_not(priya, stripe):
    visit = converted(stripe)

    def views() -> int:
        db.session.rollback()
        rows = db.session.scalars(select(AuditRow).where(AuditRow.action == "booking.view"))
        return [row.subject_id for row in rows].count(visit.booking_id)

    priya.get(page_of(visit))
    priya.get(f"{page_of(visit)}/progress")
    priya.get(f"{day_page(visit)}/board")

    assert views() == 1


def test_no_plan_is_chosen_for_anybody(priya, stripe):
    visit = in_treatment(stripe)

    page = priya.get(page_of(visit)).text

    assert len(re.findall(r'name="plan_id"', page)) == 3
    assert re.findall(r'name="plan_id"[^>]*checked', page) == []


def test_starting_a_membership_says_who_when_and_offers_undo(priya, stripe):
    visit = in_treatment(stripe)

    answer = start(priya, visit)
    said = words(priya.get(page_of(visit)))

    assert (answer.status_code, answer.location) == (303, page_of(visit))
    assert "Starting Dana's membership Nothing is charged or refunded until" in said
    assert "Recorded by Priya Shah" in said
    assert "Send the refund to Stripe: $39.00 To Visa 4242" in said


def on_the_phone(priya, visit):
    """Hand a payment page to the patient; return the membership."""
    assert start(priya, visit, method="checkout_link").status_code == 303
    return membership_of(visit)


def membership_of(visit):
    return front_desk.membership(front_desk.visit(visit.booking_id).membership.id)


def session_id(membership) -> str:
    return membership.checkout_url.rpartition("/")[2].partition("#")[0]


def test_the_desk_hands_over_a_payment_page_and_sees_it_waited_for(priya, stripe, app):
    visit = in_treatment(stripe)

    member = on_the_phone(priya, visit)
    page = priya.get(page_of(visit))

    assert "Waiting for Dana to pay on their phone" in words(page)
    assert f'href="{member.checkout_url}"' in page.text
    address = app.extensions["links"].join(member.id)
    assert f'value="{address}"' in page.text
    assert qr(address) in page.text
    assert qr(address) != qr(f"{address}x")
    assert "Waiting for Dana to pay: $149.00 On Dana's phone" in words(page)
    assert 'id="undo"' in page.text


def test_a_page_that_was_paid_is_seen_by_asking_stripe(priya, stripe, work, mail):
    """No webhook has come; the desk's own look is enough, and then the refund is seen."""
    visit = in_treatment(stripe, save_card=False)
    member = on_the_phone(priya, visit)
    path = f"{page_of(visit)}/progress"
    seen = re.search(r'name="seen" value="([^"]+)"', priya.get(path).text)[1]
    waiting = priya.get(f"{path}?seen={seen}")

    stripe.pay(session_id(member))
    paid_now = priya.get(f"{path}?seen={seen}")
    work()

    assert (waiting.status_code, paid_now.status_code) == (204, 286)
    assert paid_now.headers["HX-Refresh"] == "true"
    said = words(priya.get(page_of(visit)))
    assert "Dana is a member" in said
    assert "First payment: $149.00 On Dana's phone" in said
    assert "Refund accepted by Stripe: $39.00" in said


def test_while_stripe_does_not_answer_the_desk_goes_on_waiting(priya, stripe):
    visit = in_treatment(stripe)
    on_the_phone(priya, visit)
    stripe.fault("drop_before", "/v1/checkout/sessions/*", "GET")

    fragment = priya.get(f"{page_of(visit)}/progress")

    assert fragment.status_code == 200
    assert "Waiting for Dana to pay" in words(fragment)


def test_a_page_stripe_did_not_make_yet_is_promised(priya, stripe):
    visit = in_treatment(stripe)
    stripe.fault("drop_before", "/v1/checkout/sessions")

    member = on_the_phone(priya, visit)

    assert member.checkout_url is None
    assert "The address appears here as soon as it does." in words(priya.get(page_of(visit)))


def test_undoing_closes_the_patients_page(priya, stripe):
    visit = in_treatment(stripe)
    member = on_the_phone(priya, visit)

    priya.post(page_of(visit), f"/desk/membership/{member.id}/undo")

    assert stripe.pay(session_id(member)).status_code == 400
    assert "Taken back. Nothing was charged or refunded." in words(priya.get(page_of(visit)))


def test_undo_takes_it_back_and_the_form_returns(priya, stripe):
    visit = in_treatment(stripe)
    start(priya, visit)
    member = front_desk.visit(visit.booking_id).membership

    answer = priya.post(page_of(visit), f"/desk/membership/{member.id}/undo")
    said = words(priya.get(page_of(visit)))

    assert (answer.status_code, answer.location) == (303, page_of(visit))
    assert "Taken back. Nothing was charged or refunded." in said
    assert "Start membership and refund $39.00" in said
    assert stripe.subscriptions() == []


def test_undo_after_the_time_is_over_says_so(priya, stripe):
    visit = converted(stripe)

    answer = priya.post(page_of(visit), f"/desk/membership/{visit.membership_id}/undo")

    assert answer.status_code == 409
    assert "This was not done The time to undo is over." in words(answer)
    assert front_desk.membership(visit.membership_id).status is MembershipStatus.PENDING


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ({"plan_id": ""}, "Choose a plan"),
        ({"plan_id": "none"}, "Choose a plan"),
        ({"method": "gold"}, "Choose how the first month is paid"),
        ({"method": "recorded"}, "Enter the receipt or terminal reference"),
        ({"method": "recorded", "reference": "  "}, "Enter the receipt or terminal reference"),
    ],
)
def test_a_refused_form_says_why_and_keeps_what_was_chosen(priya, stripe, form, reason):
    visit = in_treatment(stripe)

    answer = start(priya, visit, **form)

    assert answer.status_code == 422
    assert f"This was not done {reason}" in words(answer)
    assert front_desk.visit(visit.booking_id).membership is None
    if "plan_id" not in form:
        assert re.search(rf'value="{plan().id}"[^>]*checked', answer.text)


def test_starting_too_early_says_what_is_missing(priya, stripe):
    visit = paid(stripe)
    early = start(priya, visit)
    visit_steps.arrive(visit.booking_id, PRIYA)

    later = start(priya, visit)

    assert (early.status_code, later.status_code) == (409, 409)
    assert "This was not done Check the patient in first." in words(early)
    assert "This was not done Treatment hasn't been marked as begun." in words(later)


def test_whoever_presses_second_is_told_that_nothing_was_done_twice(priya, stripe):
    visit = in_treatment(stripe)
    start(priya, visit)

    second = start(priya, visit)

    assert second.status_code == 303
    assert "Nothing was done twice." in words(priya.get(page_of(visit)))


def test_the_steps_follow_the_money_until_the_mail_has_left(priya, stripe, work, mail):
    visit = converted(stripe)
    path = f"{page_of(visit)}/progress"
    before = priya.get(path)
    seen = re.search(r'name="seen" value="([^"]+)"', before.text)[1]
    same = priya.get(f"{path}?seen={seen}")
    work()

    after = priya.get(f"{path}?seen={seen}")

    assert (before.status_code, same.status_code, after.status_code) == (200, 204, 286)
    assert "Working on it" in words(before)
    assert "Dana is a member Corrective, $149.00 a month." in words(after)
    assert "Refund accepted by Stripe: $39.00 To Visa 4242" in words(after)
    assert "Your $39 is on its way back to the Visa 4242. You have an e-mail" in words(after)


def test_a_declined_card_brings_the_form_back_with_the_plan_and_no_refund(priya, stripe, work):
    # Stripe's card that can be kept and is declined when charged.
    visit = converted(stripe, card="4000000000000341")
    work()

    fragment = priya.get(f"{page_of(visit)}/progress")
    page = priya.get(page_of(visit))

    assert (fragment.status_code, fragment.headers["HX-Refresh"]) == (286, "true")
    assert "The card was declined" in words(page)
    assert "Nothing was charged and nothing was refunded." in words(page)
    assert re.search(rf'value="{plan().id}"[^>]*checked', page.text)
    assert stripe.refunds() == []


def test_ending_a_visit_says_that_the_money_is_kept(priya, stripe):
    visit = in_treatment(stripe)

    priya.post(page_of(visit), f"{page_of(visit)}/complete")

    said = words(priya.get(page_of(visit)))
    assert "The visit has ended" in said
    assert "The $39.00 is kept; finance can return it as goodwill." in said


def test_a_no_show_says_the_rule_before_and_after(priya, noon, travel, stripe):
    visit = paid(stripe)
    early = priya.get(page_of(visit))
    travel(noon + timedelta(minutes=10))

    before = words(priya.get(page_of(visit)))
    priya.post(page_of(visit), f"{page_of(visit)}/no-show")

    rule = "Nobody came? The $39.00 is then kept, as the terms say."
    assert f"{rule} It can be noted from 12:10 PM on." in words(early)
    assert "/no-show" not in early.text
    assert f"{rule} No-show, keep $39.00" in before
    assert "The $39.00 is kept, as the terms say." in words(priya.get(page_of(visit)))


def test_no_step_is_taken_without_the_token_of_a_page(priya, stripe):
    visit = paid(stripe)

    assert priya.post_without_token(f"{page_of(visit)}/arrive").status_code == 400
    assert booking(visit.booking_id).arrived_at is None


def test_a_visit_that_is_none_is_not_found(priya):
    assert priya.get(f"/desk/visit/{uuid4()}").status_code == 404
