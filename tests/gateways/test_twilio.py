"""The adapter for Twilio against a server that answers as Twilio does, and its signatures."""

import json
import threading
from base64 import b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from urllib.parse import parse_qs
from uuid import UUID

import pytest

from booking_service.db import transaction
from booking_service.errors import MessageRefused, TextSignatureInvalid, TextUnavailable
from booking_service.gateways.sms import STOPPED, Text, TextNews, TextReceived
from booking_service.gateways.twilio import TwilioTexts, signed
from booking_service.local.ports import free_port
from booking_service.models import NotificationStatus

TEXT = Text(UUID(int=7), "+15185550178", "Alder: see you 9:20 AM today & tomorrow?")
HERE = "https://visits.example/webhooks/sms"
NEWS = f"notification={TEXT.id}"


@pytest.fixture
def server(app):
    """A server whose answer the test chooses, and which remembers what it was asked."""
    said = SimpleNamespace(status=201, answer={"sid": "SM1", "status": "queued"}, asked=[])

    class Page(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            said.asked.append((self.path, self.headers["Authorization"], parse_qs(body)))
            self.send_response(said.status)
            self.end_headers()
            self.wfile.write(json.dumps(said.answer).encode())

        def log_message(self, *_args) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"twilio+http://AC1:s%40cret@127.0.0.1:{server.server_port}/?from=%2B15185550100"
    said.texts = TwilioTexts(url, HERE)
    yield said
    server.shutdown()
    thread.join()
    server.server_close()


def sign(form, address=HERE, token="s@cret"):
    return {"X-Twilio-Signature": signed(token, address, form).decode()}


def test_a_text_is_handed_over_with_where_news_of_it_goes(server):
    server.texts.send(TEXT)

    [(path, login, form)] = server.asked
    assert path == "/2010-04-01/Accounts/AC1/Messages.json"
    assert login == "Basic " + b64encode(b"AC1:s@cret").decode()
    assert form == {
        "From": ["+15185550100"],
        "To": [TEXT.to],
        "Body": [TEXT.body],
        "StatusCallback": [f"{HERE}?{NEWS}"],
    }


@pytest.mark.parametrize(
    ("status", "answer", "error", "words"),
    [
        (400, {"code": 21614}, MessageRefused, "21614"),
        (400, {"code": 21610}, MessageRefused, STOPPED),
        (401, {"code": 20003}, MessageRefused, "20003"),
        (403, ["no object"], MessageRefused, "403"),
        (429, {"code": 20429}, TextUnavailable, "429"),
        (503, {}, TextUnavailable, "503"),
    ],
)
def test_a_refusal_for_good_is_told_from_one_for_now(server, status, answer, error, words):
    server.status, server.answer = status, answer

    with pytest.raises(error) as refusal:
        server.texts.send(TEXT)

    assert str(refusal.value) == words


def test_a_provider_that_is_down_is_named_without_the_text(app):
    texts = TwilioTexts(f"twilio+http://AC1:t@127.0.0.1:{free_port()}/?from=+15185550100", HERE)

    with pytest.raises(TextUnavailable) as error:
        texts.send(TEXT)

    assert str(error.value) == "ConnectionError"


def test_no_text_is_sent_inside_a_transaction(server):
    with pytest.raises(RuntimeError, match="inside a database transaction"), transaction():
        server.texts.send(TEXT)

    assert server.asked == []


def test_a_signature_is_twilios():
    """The example of https://www.twilio.com/docs/usage/security."""
    form = [
        ("CallSid", "CA1234567890ABCDE"),
        ("Caller", "+14158675309"),
        ("Digits", "1234"),
        ("From", "+14158675309"),
        ("To", "+18005551212"),
    ]
    address = "https://mycompany.com/myapp.php?foo=1&bar=2"

    assert signed("12345", address, form) == b"RSOYDt4T1cUTdK1PDd93/VVr8B8="


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("queued", NotificationStatus.QUEUED),
        ("sending", NotificationStatus.QUEUED),
        ("sent", NotificationStatus.SENT),
        ("delivered", NotificationStatus.DELIVERED),
        ("undelivered", NotificationStatus.UNDELIVERED),
        ("failed", NotificationStatus.FAILED),
        ("a word of next year", NotificationStatus.QUEUED),
    ],
)
def test_news_of_a_text_is_read(server, word, status):
    form = [("MessageSid", "SM1"), ("MessageStatus", word), ("ErrorCode", "30005")]

    news = server.texts.read(NEWS, form, sign(form, f"{HERE}?{NEWS}"))

    assert news == TextNews(TEXT.id, status, "30005")


def test_a_text_from_a_phone_is_read(server):
    form = [("From", TEXT.to), ("To", "+15185550100"), ("Body", "Stop"), ("SmsStatus", "received")]
    answered = [*form, ("OptOutType", "STOP")]

    assert server.texts.read("", form, sign(form)) == TextReceived(TEXT.to, "Stop", False)
    assert server.texts.read("", answered, sign(answered)).is_answered


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        (NEWS, {}),
        (NEWS, {"X-Twilio-Signature": "é"}),
        (NEWS, sign([("MessageStatus", "delivered")], f"{HERE}?{NEWS}", "another token")),
        (NEWS, sign([("MessageStatus", "sent")], f"{HERE}?{NEWS}")),
        (NEWS, sign([("MessageStatus", "delivered")])),
        ("notification=7", sign([("MessageStatus", "delivered")], f"{HERE}?notification=7")),
        ("", sign([("MessageStatus", "delivered")])),
    ],
    ids=["none", "not ASCII", "token", "other words", "other address", "no id", "about nothing"],
)
def test_what_is_forged_or_makes_no_sense_is_refused(server, query, headers):
    with pytest.raises(TextSignatureInvalid):
        server.texts.read(query, [("MessageStatus", "delivered")], headers)


def test_an_answer_to_a_phone_is_xml_whatever_is_in_it(server):
    assert server.texts.reply("Call & ask <us>").endswith(
        "<Response><Message>Call &amp; ask &lt;us&gt;</Message></Response>"
    )
    assert server.texts.reply(None).endswith("<Response></Response>")
