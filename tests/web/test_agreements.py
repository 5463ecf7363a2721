"""Reading and signing the agreement on a phone without JavaScript, and where the copy is."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from flask import current_app

from booking_service.links import Purpose
from booking_service.models import (
    AgreementSignature,
    Booking,
    BookingStatus,
    Membership,
    Patient,
    Plan,
    SignedHow,
    Tender,
)
from booking_service.queries import state
from booking_service.services import memberships, visit_steps
from booking_service.services.agreements import Ground
from booking_service.services.memberships import Tendered
from tests.factories import PRIYA, all_of, booking, change, in_treatment, paid, plan, signed
from tests.web.phone import Phone

pytestmark = pytest.mark.usefixtures("seeded", "noon")

BUTTON = "Sign the agreement"


@pytest.fixture
def phone(client):
    return Phone(client)


@pytest.fixture
def visit(stripe):
    """A patient who is here."""
    made = paid(stripe)
    visit_steps.arrive(made.booking_id, PRIYA)
    return made


def path_of(visit, purpose=Purpose.AGREE, version=0) -> str:
    return f"/agree/{current_app.extensions['links'].token(purpose, visit.booking_id, version)}"


def tile(name="Corrective") -> str:
    """The value of a plan's tile."""
    chosen = plan(name)
    return f"{chosen.id}@{chosen.price_cents}"


def chosen(phone) -> list[str]:
    radios = re.findall(r'<input type="radio"[^>]*>', phone.html)
    return [radio for radio in radios if " checked" in radio]


def sign(phone, visit, **typed):
    filled = {"plan": tile(), "name": "Dana Whitfield", "agree": "on", **typed}
    return phone.open(path_of(visit)).press(BUTTON, **filled)


def signatures() -> list[AgreementSignature]:
    return all_of(AgreementSignature)


def test_the_page_says_the_money_first_and_chooses_nothing(phone, visit):
    phone.open(path_of(visit))

    assert phone.heading == "Membership agreement"
    lead = "You haven't been charged. Signing charges nothing; the practice starts the membership"
    assert phone.words.partition("Membership agreement ")[2].startswith(lead)
    assert "Alder Chiropractic" in phone.words
    assert "Dana Whitfield" in phone.words
    facts = "Corrective $149.00 a month 4 visits a month · First charge: $149.00, once the front"
    assert facts in phone.words
    assert "It needs review by the practice's counsel" in phone.words
    assert chosen(phone) == []
    assert not re.search(r'type="checkbox"[^>]* checked', phone.html)


def test_signing_leads_to_what_was_signed(phone, visit):
    sign(phone, visit)

    assert phone.heading == "You've signed the agreement"
    assert "You haven't been charged. Please tell the front desk that you have signed." in (
        phone.words
    )
    assert "Corrective , $149.00 a month" in phone.words
    [row] = signatures()
    assert (row.how, row.signed_name, row.plan_id) == (
        SignedHow.PHONE,
        "Dana Whitfield",
        plan().id,
    )
    assert row.address == "127.0.0.1"
    assert row.user_agent.startswith("Werkzeug")


def test_the_page_is_spanish_for_whoever_booked_in_spanish(phone, visit):
    change(Patient, booking(visit.booking_id).patient_id, locale="es")

    phone.open(path_of(visit))
    assert phone.heading == "Acuerdo de membresía"
    assert "Los asesores legales de la clínica deben revisarlo" in phone.words
    phone.press("Firmar el acuerdo", plan=tile(), name="José Luis Fernández-Villanueva", agree="on")

    assert phone.heading == "Usted firmó el acuerdo"
    assert [row.language for row in signatures()] == ["es"]


def test_what_is_missing_is_said_beside_its_field_and_nothing_is_lost(phone, visit):
    phone.open(path_of(visit)).press(BUTTON, name="Dana", plan=tile())

    assert phone.answer.status_code == 422
    assert phone.words.startswith("There is a problem Tick the box to agree")
    assert 'value="Dana"' in phone.html
    assert len(chosen(phone)) == 1
    phone.press(BUTTON)
    assert phone.words.startswith(
        "There is a problem Choose one of the plans Enter your full name Tick the box to agree"
    )
    assert signatures() == []


def test_a_name_that_is_none_is_said_beside_its_field(phone, visit):
    sign(phone, visit, name="12345")

    assert phone.words.startswith("There is a problem Enter your name in letters")
    assert signatures() == []


def test_pressed_twice_or_in_two_tabs_it_is_one_signature(phone, visit):
    sign(phone, visit)
    filled = {"plan": tile(), "name": "Dana Whitfield", "agree": "on", "version": "1"}
    token = re.search(r'name="csrf_token" value="([^"]+)"', phone.get("/find-my-visit").text)[1]

    again = phone.post(path_of(visit), **filled, language="en", csrf_token=token)

    assert again.status_code == 303
    assert len(signatures()) == 1


def test_another_plan_can_be_signed_for(phone, visit):
    sign(phone, visit)
    phone.open(f"{path_of(visit)}?again=1")
    phone.press(BUTTON, plan=tile("Wellness"), name="Dana Whitfield", agree="on")

    assert "Wellness , $79.00 a month" in phone.words
    assert len(signatures()) == 2


def test_the_plan_the_desk_asked_for_is_chosen(phone, visit):
    phone.open(f"{path_of(visit)}?plan={plan('Family').id}")

    [radio] = chosen(phone)
    assert tile("Family") in radio


def test_another_price_than_the_one_shown_is_not_signed(phone, visit):
    phone.open(path_of(visit))
    shown = tile()
    change(Plan, plan().id, price_cents=15900)

    phone.press(BUTTON, plan=shown, name="Dana Whitfield", agree="on")

    assert phone.answer.status_code == 409
    assert "The agreement has changed. Nothing was signed; please read it again." in phone.words
    assert "$159.00 a month" in phone.words
    assert signatures() == []


def test_before_check_in_the_page_says_when_it_opens(phone, stripe):
    visit = paid(stripe)

    phone.open(path_of(visit))

    assert phone.heading == "You can sign once you're checked in"
    assert not phone.offers(BUTTON)


@pytest.mark.parametrize("ended", ["completed", "the next day"])
def test_after_the_visit_the_link_opens_nothing_and_says_so(phone, visit, travel, noon, ended):
    phone.open(path_of(visit))
    if ended == "completed":
        visit_steps.complete(visit.booking_id, PRIYA)
    else:
        travel(noon + timedelta(days=1))

    phone.press(BUTTON, plan=tile(), name="Dana Whitfield", agree="on")

    assert phone.answer.status_code == 409
    assert phone.heading == "Nothing can be signed here any more"
    assert "Nothing was charged on this page." in phone.words
    assert phone.open(path_of(visit)).heading == "Nothing can be signed here any more"
    assert "Dana" not in phone.words
    assert signatures() == []


def test_once_the_membership_is_started_nothing_is_signed(phone, visit):
    signed(visit.booking_id)
    visit_steps.begin_treatment(visit.booking_id, PRIYA)
    card = Tendered(Tender.SAVED_CARD)
    memberships.convert(
        visit.booking_id, plan().id, card, PRIYA, timedelta(0), agreement=Ground.SIGNATURE
    )

    phone.open(f"{path_of(visit)}?again=1")

    assert phone.heading == "You've signed the agreement"
    assert "Signing charged nothing. The front desk has started your membership." in phone.words
    assert not phone.offers(BUTTON)
    assert all_of(Membership)[0].signature_id == signatures()[0].id


def test_no_other_link_opens_it(phone, visit):
    links = current_app.extensions["links"]
    token = path_of(visit).removeprefix("/agree/")
    others = [
        links.token(Purpose.VISIT, visit.booking_id),
        links.token(Purpose.HOLD, visit.booking_id),
        links.token(Purpose.AGREE, uuid4()),
        token[:-1],
        token.swapcase(),
        "x",
    ]

    assert [phone.get(f"/agree/{one}").status_code for one in others] == [404] * 6
    assert phone.get(f"/v/{token}").status_code == 404


def test_a_link_that_was_replaced_opens_nothing(phone, visit):
    change(Booking, visit.booking_id, link_version=1)

    assert phone.open(path_of(visit)).answer.status_code == 410
    assert "Dana" not in phone.words
    assert phone.open(path_of(visit, version=1)).heading == "Membership agreement"


def test_looking_changes_nothing(phone, visit):
    before = state.state()

    for path in (path_of(visit), f"{path_of(visit)}?again=1&plan={plan().id}"):
        phone.open(path)

    assert state.state() == before
    assert signatures() == []


def test_signing_without_the_pages_token_is_refused(app, phone, visit):
    answer = phone.post(path_of(visit), plan=tile(), name="Dana Whitfield", agree="on")

    assert answer.status_code == 400
    assert signatures() == []


def test_too_many_tries_are_refused(app, phone, visit):
    phone.open(path_of(visit))
    tries = [phone.press(BUTTON).answer.status_code for _ in range(30)]
    page = phone.open(path_of(visit))

    assert set(tries) == {422}
    assert page.press(BUTTON).answer.status_code == 429


def test_the_copy_is_on_the_patients_own_page(phone, visit):
    own = f"/v/{current_app.extensions['links'].token(Purpose.VISIT, visit.booking_id)}"
    assert "The membership agreement, to read or sign" in phone.open(own).words
    assert path_of(visit) in phone.html
    assert phone.get(f"{own}/agreement").status_code == 404

    signed(visit.booking_id)

    assert "Your copy of the membership agreement" in phone.open(own).words
    phone.open(f"{own}/agreement")
    assert "Signed by Dana Whitfield" in phone.words
    assert "Monday, November 23, 12:00 PM (ET)" in phone.words
    change(Booking, visit.booking_id, status=BookingStatus.COMPLETED)
    assert "Your copy of the membership agreement" in phone.open(own).words


def test_a_copy_of_paper_says_where_it_is(phone, stripe):
    visit = in_treatment(stripe)
    card = Tendered(Tender.SAVED_CARD)
    memberships.convert(
        visit.booking_id, plan().id, card, PRIYA, timedelta(0), agreement=Ground.PAPER
    )

    own = f"/v/{current_app.extensions['links'].token(Purpose.VISIT, visit.booking_id)}"

    assert "Signed by on paper, kept by the practice" in phone.open(f"{own}/agreement").words
