"""The link to sign with, by text or by mail, and the copy of what was signed."""

import re
from datetime import timedelta

import pytest
from flask import current_app

from booking_service.errors import MessageRefused
from booking_service.gateways.sms import STOPPED, TextNews
from booking_service.languages import Language
from booking_service.models import (
    Actor,
    ActorKind,
    Booking,
    Channel,
    Notification,
    NotificationStatus,
    Patient,
    Tender,
    Topic,
)
from booking_service.services import demo_data, memberships, patients, visit_steps
from booking_service.services import texts as texting
from booking_service.services.agreements import Ground
from booking_service.services.memberships import Tendered
from tests.factories import PRIYA, all_of, booking, change, paid, plan, signed

pytestmark = pytest.mark.usefixtures("noon", "seeded", "mail")

S = NotificationStatus
GSM_7 = re.compile(r"[A-Za-z0-9 \n@£$¥_!\"#%&'()*+,./:;<=>?-]*")
HEALTH = re.compile(
    r"treat|tratamiento|spin|column|chiro|quiro|visit|member|miembro|membres", re.IGNORECASE
)


@pytest.fixture
def arrive(stripe, work, mail):
    """A patient who is here, and whose mails until then are away."""

    def do(**more):
        visit = paid(stripe, **more)
        visit_steps.arrive(visit.booking_id, PRIYA)
        work()
        mail.letters.clear()
        return visit

    return do


def begin(visit) -> None:
    visit_steps.begin_treatment(visit.booking_id, PRIYA)


def told(topic: Topic) -> dict[Channel, NotificationStatus]:
    return {row.channel: row.status for row in all_of(Notification) if row.topic is topic}


def link(visit) -> str:
    return current_app.extensions["links"].agree(visit.booking_id, 0)


def test_when_treatment_begins_the_link_to_sign_goes_by_mail(arrive, work, mail):
    visit = arrive()
    begin(visit)
    work()

    [letter] = mail.letters
    assert letter.subject == "Your agreement to read and sign"
    assert link(visit) in letter.text
    assert f'href="{link(visit)}"' in letter.html
    assert letter.text.index("You haven’t been charged.") < letter.text.index(link(visit))
    assert "Don’t want to join? You don’t need to do anything." in letter.text
    assert told(Topic.AGREEMENT_TO_SIGN) == {Channel.EMAIL: S.SENT}


def test_who_agreed_to_texts_gets_it_by_text_and_not_by_mail(arrive, work, mail, texts):
    visit = arrive(texts=True)
    begin(visit)
    work()

    [text] = texts.sent
    assert text.to == "+15185550178"
    assert text.body == (
        "Alder: to join, read and sign the agreement here. Signing charges nothing. "
        f"{link(visit)} Reply STOP to end"
    )
    assert GSM_7.fullmatch(text.body)
    assert mail.letters == []


def test_in_spanish_the_text_is_spanish(arrive, work, texts):
    visit = arrive(texts=True)
    read_spanish(visit)
    begin(visit)
    work()

    [text] = texts.sent
    assert text.body.startswith("Alder: para unirse, lea y firme el acuerdo.")
    assert GSM_7.fullmatch(text.body)


def read_spanish(visit) -> None:
    change(Patient, booking(visit.booking_id).patient_id, locale=Language.ES)


def test_who_agreed_to_a_reminder_alone_gets_it_by_mail(arrive, work, mail, texts):
    """The words of the first version spoke of one text a visit."""
    visit = arrive(texts=True)
    change(Booking, visit.booking_id, texts_agreed_version=1)
    begin(visit)
    work()

    assert (len(texts.sent), len(mail.letters)) == (0, 1)


def test_a_text_that_came_to_nothing_is_followed_by_a_mail(arrive, work, mail, texts):
    begin(arrive(texts=True))
    work()
    [row] = [row for row in all_of(Notification) if row.channel is Channel.SMS]
    texting.take_news(TextNews(row.id, S.UNDELIVERED, "30003"))
    work()

    assert [letter.subject for letter in mail.letters] == ["Your agreement to read and sign"]


def test_a_number_that_has_stopped_gets_it_by_mail(arrive, work, mail, texts):
    texts.refusal = MessageRefused(STOPPED)
    begin(arrive(texts=True))
    work()

    assert (len(texts.sent), len(mail.letters)) == (0, 1)


def test_what_is_signed_is_not_asked_for_again(arrive, work, mail):
    visit = arrive()
    signed(visit.booking_id)
    begin(visit)
    work()

    assert [letter.subject for letter in mail.letters] == ["A copy of what you signed"]
    assert told(Topic.AGREEMENT_TO_SIGN) == {Channel.EMAIL: S.SKIPPED}


def test_a_member_is_not_asked_to_sign(arrive, work, mail):
    visit = arrive()
    begin(visit)
    card = Tendered(Tender.SAVED_CARD)
    memberships.convert(
        visit.booking_id, plan().id, card, PRIYA, timedelta(hours=1), agreement=Ground.PROGRAM
    )
    work()

    assert mail.letters == []
    assert told(Topic.AGREEMENT_TO_SIGN) == {Channel.EMAIL: S.SKIPPED}


def test_where_a_program_begins_treatment_nobody_is_asked_to_sign(arrive, work, mail):
    """It answers for the agreement itself, and has pages of its own."""
    program = Actor(ActorKind.TOKEN, None, "the practice's own software")
    visit_steps.begin_treatment(arrive().booking_id, program)
    work()

    assert mail.letters == []


def test_after_the_visit_nobody_is_asked_to_sign(arrive, work, mail):
    visit = arrive()
    begin(visit)
    visit_steps.complete(visit.booking_id, PRIYA)
    work()

    assert mail.letters == []


def test_the_copy_says_all_that_was_signed_and_goes_once(arrive, work, mail):
    visit = arrive()
    signed(visit.booking_id)
    signed(visit.booking_id)
    work()

    [letter] = mail.letters
    assert (letter.to, letter.subject) == ("dana@example.com", "A copy of what you signed")
    facts = [
        "Plan:      Corrective",
        "Price:     $149.00 a month, 4 visits a month",
        "Signed by: Dana Whitfield",
        "Signed on: Monday, November 23, 12:00 PM (ET)",
        "Version:   1",
        demo_data.AGREEMENT,
    ]
    assert [fact for fact in facts if fact not in letter.text] == []
    assert "Dana Whitfield" in letter.html
    assert "It is not insurance" in letter.html
    assert told(Topic.AGREEMENT_SIGNED) == {Channel.EMAIL: S.SENT}


def test_a_copy_is_of_the_text_that_was_read(arrive, work, mail):
    visit = arrive()
    signed(visit.booking_id, language=Language.ES)
    work()

    [letter] = mail.letters
    assert demo_data.AGREEMENT_ES in letter.text
    assert demo_data.AGREEMENT not in letter.text
    assert '<div lang="es">' in letter.html


def test_a_spanish_copy_is_spanish(arrive, work, mail):
    visit = arrive()
    read_spanish(visit)
    signed(visit.booking_id, language=Language.ES)
    work()

    [letter] = mail.letters
    assert letter.subject == "Una copia de lo que usted firmó"
    assert "Precio:      $149.00 al mes, 4 visitas al mes" in letter.text
    assert "Firmado por: Dana Whitfield" in letter.text


def test_subjects_say_nothing_of_health_or_of_money(arrive, work, mail):
    visit = arrive()
    begin(visit)
    work()
    signed(visit.booking_id)
    work()

    assert len(mail.letters) == 2
    assert [letter.subject for letter in mail.letters if HEALTH.search(letter.subject)] == []


def test_who_is_forgotten_gets_no_copy(arrive, work, mail):
    visit = arrive()
    signed(visit.booking_id)
    visit_steps.complete(visit.booking_id, PRIYA)
    patients.erase(booking(visit.booking_id).patient_id, PRIYA)
    work()

    assert mail.letters == []
    assert told(Topic.AGREEMENT_SIGNED) == {Channel.EMAIL: S.SKIPPED}
