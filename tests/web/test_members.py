"""Members at the desk and on their own page: found, told the date first, changed by a press."""

import re
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from booking_service.links import Purpose
from booking_service.models import AuditRow, Membership, MembershipStatus, Tender
from booking_service.services.memberships import Tendered
from tests.factories import afresh, all_of, change, converted, paid
from tests.web.staff_browser import StaffBrowser, words

pytestmark = pytest.mark.usefixtures("noon", "mail")


@pytest.fixture
def priya(app, seeded):
    browser = StaffBrowser(app)
    browser.sign_in(next(one for one in seeded.staff if one["role"] == "front_desk"))
    return browser


@pytest.fixture
def member(seeded, stripe, work):
    visit = converted(stripe)
    work()
    return visit


@pytest.fixture
def own(app, member):
    """The member's own page, and how to press its buttons."""
    token = app.extensions["links"].token(Purpose.VISIT, member.booking_id)
    return StaffBrowser(app), f"/v/{token}"


def row(visit) -> Membership:
    return afresh(select(Membership).where(Membership.id == visit.membership_id)).one()


def path(visit, act: str = "") -> str:
    return f"/desk/members/{visit.membership_id}{act}"


def ends_at(browser, page: str) -> str:
    return re.search(r'name="ends_at" value="([^"]+)"', browser.get(page).text)[1]


def test_the_list_says_plan_next_charge_status_and_refund(priya, member):
    said = words(priya.get("/desk/members"))

    assert "1 member" in said
    assert "Corrective $149.00 a month Active Wed, Dec 23 Mon, Nov 23 Refunded" in said


@pytest.mark.parametrize(
    ("q", "is_found"),
    [("whit", True), ("dana@ex", True), ("0178", True), ("Robin", False), ("x", False)],
)
def test_a_member_is_found_as_the_desk_searches(priya, member, q, is_found):
    found = priya.post("/desk/members", "/desk/members", q=q)

    assert ("Dana Whitfield" in words(found)) is is_found


def test_filters_show_who_stands_so(priya, member, noon):
    def shown() -> list[str]:
        kinds = ("past_due", "paused", "ending", "active", "ended")
        pages = {kind: words(priya.get(f"/desk/members?status={kind}")) for kind in kinds}
        return [kind for kind in kinds if "Dana Whitfield" in pages[kind]]

    assert shown() == ["active"]
    change(Membership, member.membership_id, paused_at=noon, cancels_at=noon)
    assert shown() == ["paused", "ending"]
    facts = {"paused_at": None, "cancels_at": None, "past_due_since": noon}
    change(Membership, member.membership_id, status=MembershipStatus.PAST_DUE, **facts)
    assert shown() == ["past_due"]
    facts = {"status": MembershipStatus.CANCELLED, "past_due_since": None}
    change(Membership, member.membership_id, **facts)
    assert shown() == ["ended"]


def test_the_file_is_what_was_chosen_and_noted(priya, member):
    page, file = "/desk/members", "/desk/members/members.csv"

    all_, none = priya.post(page, file), priya.post(page, f"{file}?status=paused")

    assert "Dana Whitfield" in all_.text
    assert none.text.count("\n") == 1
    notes = [one.after for one in all_of(AuditRow) if one.action == "export.download"]
    assert notes == [{"what": "members", "count": 1}, {"what": "members", "count": 0}]


def test_who_is_past_due_is_counted_on_the_day(priya, member, noon):
    assert "past due" not in words(priya.get("/desk/2026-11-23"))
    facts = {"status": MembershipStatus.PAST_DUE, "past_due_since": noon}
    change(Membership, member.membership_id, past_due_code="expired_card", **facts)

    assert "1 past due" in words(priya.get("/desk/2026-11-23"))
    said = words(priya.get(path(member)))
    assert "A month could not be charged, since Mon, Nov 23. It has expired." in said
    assert "It is not tried again by itself." in said


def test_the_page_says_the_date_before_the_press_and_how_to_take_it_back(priya, member, work):
    said = words(priya.get(path(member)))
    assert "It then ends on Wednesday, December 23 . Until that day you can take it back" in said
    assert "Next charge $149.00 on Wed, Dec 23" in said

    date = ends_at(priya, path(member))
    priya.post(path(member), path(member, "/cancel"), ends_at=date)
    assert "The cancellation is on its way to Stripe; not confirmed yet." in words(
        priya.get(path(member))
    )
    work()

    assert "Ends Wed, Dec 23" in words(priya.get(path(member)))
    priya.post(path(member), path(member, "/keep"))
    work()
    assert row(member).cancels_at is None


def test_another_date_than_the_one_that_was_read_is_refused(priya, member):
    wrong = (row(member).period_ends_at + timedelta(days=1)).isoformat()

    for said in (wrong, "soon"):
        refused = priya.post(path(member), path(member, "/cancel"), ends_at=said)
        assert refused.status_code == 409
        assert "The date has changed." in words(refused)


def test_pause_resume_plan_card_and_end_from_the_page(priya, member, work, mail):
    for act, sign in (("/pause", "Paused since"), ("/resume", "Pause membership")):
        priya.post(path(member), path(member, act))
        work()
        assert sign in words(priya.get(path(member)))
    plan_id = re.search(r'<option value="([^"]+)"', priya.get(path(member)).text)[1]
    priya.post(path(member), path(member, "/plan"), plan_id=plan_id)
    work()
    assert "From the next charge" in words(priya.get(path(member)))
    mail.letters.clear()
    priya.post(path(member), path(member, "/card-link"))
    work()
    assert [one.subject for one in mail.letters] == ["The link for another card"]
    priya.post(path(member), path(member, "/cancel-now"))
    work()
    assert "This membership has ended." in words(priya.get(path(member)))


def test_months_at_the_desk_say_so(priya, seeded, stripe, work):
    visit = converted(stripe, Tendered(Tender.RECORDED, "T-0042"))
    work()

    said = words(priya.get(path(visit)))

    assert "Its months are taken at the desk, not by Stripe: there is no card to charge." in said
    assert "E-mail the link" not in said


def test_only_the_desk_may_enter(app, seeded, member):
    ana = StaffBrowser(app)
    ana.sign_in(next(one for one in seeded.staff if one["role"] == "finance"))

    assert ana.get("/desk/members").status_code == 403
    assert ana.get(path(member)).status_code == 403


def test_nothing_changes_by_looking(priya, own, member, stripe):
    browser, page = own
    before = len([one for one in stripe.log() if one["method"] == "POST"])

    for there in ("", "/membership/cancel", "/membership/card"):
        assert browser.get(f"{page}{there}").status_code == 200
    priya.get(path(member))

    assert len([one for one in stripe.log() if one["method"] == "POST"]) == before
    assert row(member).cancels_at is None


def test_the_patient_cancels_and_takes_it_back(own, member, work):
    browser, page = own
    asks = f"{page}/membership/cancel"
    assert "It ends on Wednesday, December 23 . Nothing more is charged" in words(browser.get(asks))

    browser.post(asks, asks, ends_at=ends_at(browser, asks))
    work()

    assert row(member).cancels_at == row(member).period_ends_at
    said = words(browser.get(page))
    assert "It ends on Wednesday, December 23 ." in said
    assert "Next payment" not in said
    browser.post(page, f"{page}/membership/keep")
    work()
    assert row(member).cancels_at is None


def test_the_patient_gives_another_card(own, member, stripe):
    browser, page = own
    card = f"{page}/membership/card"
    assert "paid with Visa 4242" in words(browser.get(card))

    sent = browser.post(card, card)

    assert sent.status_code == 303
    stripe.pay(urlsplit(sent.location).path.rpartition("/")[2], "5555555555554444")
    assert "paid with Mastercard 4444" in words(browser.get(card))


def test_a_patient_without_membership_sees_none(app, seeded, stripe):
    visit = paid(stripe)
    token = app.extensions["links"].token(Purpose.VISIT, visit.booking_id)
    browser = StaffBrowser(app)

    assert "Your membership" not in words(browser.get(f"/v/{token}"))
    for there in ("cancel", "card"):
        assert browser.get(f"/v/{token}/membership/{there}").status_code == 303
