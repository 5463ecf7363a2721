"""The agreement at the desk: waiting for the phone, what a start needs, and the page to print."""

import pytest
from flask import current_app

from booking_service.models import AgreementSignature, AuditRow, Membership, Plan, SignedHow
from booking_service.services import visit_steps
from booking_service.web.qr import qr
from tests.factories import PRIYA, all_of, change, in_treatment, paid, plan, signed
from tests.web.staff_browser import StaffBrowser, words

pytestmark = pytest.mark.usefixtures("noon")


@pytest.fixture
def priya(app, seeded):
    browser = StaffBrowser(app)
    browser.sign_in(next(one for one in seeded.staff if one["role"] == "front_desk"))
    return browser


@pytest.fixture
def visit(seeded, stripe):
    return in_treatment(stripe)


def page_of(visit):
    return f"/desk/visit/{visit.booking_id}"


def start(browser, visit, name="Corrective", **more):
    form = {"plan_id": str(plan(name).id), "method": "saved_card", **more}
    return browser.post(page_of(visit), f"{page_of(visit)}/convert", **form)


def chosen(page) -> list[str]:
    """Which plan's tile is chosen."""
    ids = {str(row.id): row.name for row in all_of(Plan)}
    radios = [part.partition(">")[0] for part in page.text.split('name="plan_id"')[1:]]
    return [ids[radio.split('value="')[1][:36]] for radio in radios if " checked" in radio]


def address(visit, asked="") -> str:
    return current_app.extensions["links"].agree(visit.booking_id, 0) + asked


def test_until_it_is_signed_the_form_shows_the_code_and_waits(priya, visit):
    page = priya.get(page_of(visit))

    assert "Waiting for Dana's phone" in words(page)
    assert str(qr(address(visit))) in page.text
    assert chosen(page) == []


def test_what_was_signed_is_seen_and_its_plan_is_chosen(priya, visit):
    signed(visit.booking_id)
    page = priya.get(page_of(visit))

    assert "Dana signed for Corrective at 12:00 PM" in words(page)
    assert "Waiting for Dana's phone" not in words(page)
    assert f'{visit.booking_id}/agreement">Dana signed for Corrective at 12:00 PM<' in page.text
    assert chosen(page) == ["Corrective"]


def test_the_piece_that_is_asked_for_again_answers_news_alone(priya, visit):
    piece = f"{page_of(visit)}/signing"
    assert priya.get(f"{piece}?signature=").status_code == 204

    signature = signed(visit.booking_id)

    news = priya.get(f"{piece}?signature=")
    assert "Dana signed for Corrective at 12:00 PM" in words(news)
    assert chosen(news) == ["Corrective"]
    assert '<fieldset id="plan_id" hx-swap-oob="true">' in news.text
    assert priya.get(f"{piece}?signature={signature}").status_code == 204
    visit_steps.complete(visit.booking_id, PRIYA)
    assert priya.get(f"{piece}?signature={signature}").status_code == 286


def test_a_signed_plan_is_started(priya, visit):
    signature = signed(visit.booking_id)

    assert start(priya, visit).status_code == 303

    assert [row.signature_id for row in all_of(Membership)] == [signature]


def test_without_a_signature_it_is_refused_with_the_way_out(priya, visit):
    page = start(priya, visit)

    assert page.status_code == 409
    assert (
        "The agreement isn't signed yet. Ask to sign for Corrective on the phone, "
        "or tick that it is signed on paper."
    ) in words(page)
    assert chosen(page) == ["Corrective"]
    assert str(qr(address(visit, f"?plan={plan().id}"))) in page.text
    assert all_of(Membership) == []


def test_another_plan_than_the_signed_one_is_refused(priya, visit):
    signed(visit.booking_id, "Wellness")
    page = start(priya, visit)

    assert page.status_code == 409
    assert "The agreement is signed for Wellness. Ask to sign for Corrective" in words(page)
    assert chosen(page) == ["Corrective"]


def test_a_price_that_changed_asks_for_another_signature(priya, visit):
    signed(visit.booking_id)
    change(Plan, plan().id, price_cents=15900)
    page = priya.get(page_of(visit))

    assert "Waiting for Dana's phone" in words(page)
    assert "Corrective was signed for and costs something else now." in words(page)
    assert start(priya, visit).status_code == 409


def test_paper_is_ticked_and_kept_with_who_saw_it(priya, visit):
    assert start(priya, visit, on_paper="on").status_code == 303

    [row] = all_of(AgreementSignature)
    assert (row.how, row.seen_by, row.plan_id) == (SignedHow.PAPER, "Priya Shah", plan().id)
    [told] = [one for one in all_of(AuditRow) if one.action == "agreement.signed"]
    assert told.actor_id is not None


def test_the_copy_is_there_to_print_and_who_looked_is_noted(priya, visit):
    signed(visit.booking_id)
    page = priya.get(f"{page_of(visit)}/agreement")

    assert "Signed by Dana Whitfield" in words(page)
    assert "Version 1" in words(page)
    assert "It is not insurance" in words(page)
    assert [row.action for row in all_of(AuditRow)][-1] == "booking.view"


def test_a_page_to_sign_by_hand_has_the_text_and_the_plans(priya, visit):
    page = priya.get(f"{page_of(visit)}/agreement")

    assert "Alder Chiropractic, for Dana Whitfield. Version 1." in words(page)
    assert "Corrective, $149.00 a month, 4 visits a month" in words(page)
    assert "Name Signature Date" in words(page)


def test_before_treatment_there_is_nothing_to_wait_for(priya, seeded, stripe):
    visit = paid(stripe)

    assert "Waiting for Dana's phone" not in words(priya.get(page_of(visit)))
    assert priya.get(f"{page_of(visit)}/signing").status_code == 286


def test_finance_and_strangers_do_not_see_it(app, seeded, visit):
    finance = StaffBrowser(app)
    finance.sign_in(next(one for one in seeded.staff if one["role"] == "finance"))

    for path in ("agreement", "signing"):
        assert finance.get(f"{page_of(visit)}/{path}").status_code == 403
        assert StaffBrowser(app).get(f"{page_of(visit)}/{path}").status_code == 303
