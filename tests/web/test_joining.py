"""The page a patient comes back to after paying the first month on their own phone."""

from datetime import timedelta
from uuid import uuid4

import pytest
from flask import current_app

from booking_service.db import db
from booking_service.models import Membership, MembershipStatus, Tender
from booking_service.queries import state
from booking_service.services import membership_pages, memberships
from booking_service.services.agreements import Ground
from booking_service.services.memberships import Tendered
from tests.factories import PRIYA, change, in_treatment, plan
from tests.web.staff_browser import words


@pytest.fixture
def joining(app, seeded, stripe, gateway):
    """A membership whose page is on the patient's phone."""
    visit = in_treatment(stripe)
    method = Tendered(Tender.CHECKOUT_LINK)
    id_, _ = memberships.convert(
        visit.booking_id, plan().id, method, PRIYA, timedelta(0), agreement=Ground.PAPER
    )
    membership_pages.open_(id_, gateway, app.extensions["links"])
    db.session.rollback()
    return db.session.get_one(Membership, id_)


def path_of(membership) -> str:
    return "/m/" + current_app.extensions["links"].token("join", membership.id)


def pay(stripe, joining) -> None:
    stripe.pay(joining.stripe_checkout_session_id)


def test_before_paying_it_says_so_and_leads_to_stripe(client, joining):
    page = client.get(path_of(joining))

    assert "Nothing has been paid yet." in words(page)
    assert f'href="{joining.checkout_url}"' in page.text
    assert "Pay $149.00 now" in words(page)


def test_after_paying_it_asks_stripe_and_says_what_happens(client, stripe, joining):
    """No webhook has come: coming back is enough."""
    pay(stripe, joining)

    said = words(client.get(path_of(joining)))

    assert "You’re a member" in said
    assert "Your first payment of $149.00 has arrived." in said
    assert "The $39.00 of your first visit goes back to Visa 4242. We’ll email you." in said


def test_once_the_money_went_back_it_says_so(client, stripe, joining, work, mail):
    pay(stripe, joining)
    client.get(path_of(joining))
    work()

    said = words(client.get(path_of(joining)))

    assert "The $39.00 of your first visit went back to Visa 4242" in said


def test_while_stripe_does_not_answer_it_says_neither_paid_nor_unpaid(client, stripe, joining):
    pay(stripe, joining)
    stripe.fault("drop_before", "/v1/checkout/sessions/*", "GET")

    page = client.get(path_of(joining))

    assert "We can’t see your payment just now." in words(page)
    assert joining.checkout_url not in page.text


def test_what_was_taken_back_cannot_be_paid(client, joining):
    change(Membership, joining.id, status=MembershipStatus.UNDONE)

    page = client.get(path_of(joining))

    assert "This payment page is closed" in words(page)
    assert joining.checkout_url not in page.text


def test_looking_changes_nothing(client, noon, joining):
    before = state.state()

    client.get(path_of(joining))

    assert state.state() == before


def test_another_link_opens_nothing(client, joining):
    links = current_app.extensions["links"]
    others = [links.token("visit", joining.id), links.token("join", uuid4()), "x"]

    assert [client.get(f"/m/{token}").status_code for token in others] == [404, 404, 404]
