"""Twilio's way in, and the box that asks for consent."""

from datetime import timedelta

import pytest

from booking_service.gateways.twilio import TwilioTexts, signed
from booking_service.languages import Language
from booking_service.models import Channel, Notification, NotificationStatus, TextStop, Topic
from booking_service.services import reminders
from tests.factories import all_of, booking, paid, slot_in
from tests.web import phone as phones

pytestmark = pytest.mark.usefixtures("noon", "seeded", "mail")

HERE = "http://127.0.0.1:8000/webhooks/sms"
DANA = "+15185550178"
TOKEN = "a token"


@pytest.fixture
def provider(app, monkeypatch) -> TwilioTexts:
    """The real adapter; nothing listens where it sends to."""
    texts = TwilioTexts("twilio+http://AC1:a%20token@127.0.0.1:9/?from=+15185550100", HERE)
    monkeypatch.setitem(app.extensions, "texts", texts)
    return texts


@pytest.fixture
def tell(client):
    """Send what Twilio would, signed with a token."""

    def send(form: dict[str, str], query: str = "", token: str = TOKEN):
        address = f"{HERE}?{query}" if query else HERE
        signature = signed(token, address, [*form.items()]).decode()
        path = "/webhooks/sms" + (f"?{query}" if query else "")
        return client.post(path, data=form, headers={"X-Twilio-Signature": signature})

    return send


@pytest.fixture
def text_id(stripe, work, travel, texts):
    """A text that is at the provider."""
    row = booking(paid(stripe, slot=slot_in(48), texts=True).booking_id)
    work()
    travel(row.starts_at - timedelta(hours=2))
    reminders.sweep()
    work()
    return texts.sent[0].id


def from_dana(body: str, **more: str) -> dict[str, str]:
    return {"From": DANA, "To": "+15185550100", "Body": body, "SmsStatus": "received", **more}


def test_stop_is_answered_and_done_at_once(provider, tell):
    answer = tell(from_dana("stop"))

    assert (answer.status_code, answer.mimetype) == (200, "text/xml")
    assert "Alder: you get no more texts from us. Reply START to get them again." in answer.text
    assert [row.phone for row in all_of(TextStop)] == [DANA]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("START", "Alder: you get our visit reminders by text again."),
        ("help", "Alder: texts about your visit, 2 a visit at most. Questions? Call (518) 555-"),
        ("Thanks", "<Response></Response>"),
    ],
)
def test_other_words_are_answered_where_there_is_an_answer(provider, tell, body, words):
    answer = tell(from_dana(body))

    assert words in answer.text
    assert len(answer.text) < 280


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("ALTO", "Alder: ya no le enviaremos mensajes de texto. Responda START para recibirlos"),
        ("start", "Alder: de nuevo le recordaremos su visita por mensaje de texto."),
        ("ayuda", "Alder: mensajes sobre su visita, 2 por visita como máximo."),
    ],
)
def test_who_booked_in_spanish_is_answered_in_spanish(stripe, provider, tell, body, words):
    paid(stripe, texts=True, language=Language.ES)

    answer = tell(from_dana(body))

    assert words in answer.text
    assert len(answer.text) < 280


def test_what_twilio_has_answered_is_done_and_not_answered_again(provider, tell):
    answer = tell(from_dana("STOP", OptOutType="STOP"))

    assert answer.text.endswith("<Response></Response>")
    assert [row.phone for row in all_of(TextStop)] == [DANA]


def test_a_forged_stop_is_refused_and_changes_nothing(provider, tell):
    answer = tell(from_dana("STOP"), token="another token")

    assert answer.status_code == 403
    assert answer.get_json()["code"] == "signature_invalid"
    assert all_of(TextStop) == []


def test_forged_news_is_refused_and_changes_nothing(text_id, provider, tell):
    news = {"MessageStatus": "undelivered", "ErrorCode": "30005"}
    query = f"notification={text_id}"
    forged = tell(news, query, token="another token")
    before = [row.status for row in all_of(Notification) if row.channel is Channel.SMS]
    real = tell(news, query)
    after = [row.status for row in all_of(Notification) if row.channel is Channel.SMS]

    assert (forged.status_code, real.status_code) == (403, 204)
    assert before == [NotificationStatus.QUEUED]
    assert after == [NotificationStatus.UNDELIVERED]


def test_news_of_one_text_cannot_be_brought_for_another(text_id, provider, client):
    news = {"MessageStatus": "failed"}
    elsewhere = f"{HERE}?notification={'0' * 32}"
    signature = signed(TOKEN, elsewhere, [*news.items()]).decode()

    answer = client.post(
        f"/webhooks/sms?notification={text_id}",
        data=news,
        headers={"X-Twilio-Signature": signature},
    )

    assert answer.status_code == 403


def test_with_texts_off_there_is_no_such_address(tell):
    assert tell(from_dana("STOP")).status_code == 404


@pytest.fixture
def on_the_phone(client):
    return phones.Phone(client)


def test_the_box_for_texts_is_optional_and_unticked(provider, on_the_phone):
    page = phones.at_review(on_the_phone)

    assert '<input type="checkbox" id="texts" name="texts"><span>Text me on the day' in page.html
    page.press("Continue to pay", agree="on")
    [made] = phones.bookings()
    assert (made.texts_agreed_at, made.texts_agreed_version) == (None, None)


def test_a_ticked_box_is_kept_with_its_time_and_version(noon, provider, on_the_phone):
    page = phones.at_review(on_the_phone).press("Continue to pay", texts="on")
    assert 'name="texts" checked' in page.html  # the other box was left empty
    page.press("Continue to pay", agree="on", texts="on")

    [made] = phones.bookings()
    assert (made.texts_agreed_at, made.texts_agreed_version) == (noon, 2)


def test_with_texts_off_nobody_is_asked(on_the_phone):
    assert 'name="texts"' not in phones.at_review(on_the_phone).html


def test_the_day_before_never_goes_by_text(text_id):
    sms = {row.topic for row in all_of(Notification) if row.channel is Channel.SMS}

    assert sms == {Topic.VISIT_SOON}
