"""The pocket Twilio of the demo: it takes texts, tells what became of them, and answers."""

import base64
import json
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from urllib.parse import parse_qsl, urlencode

import pytest

from booking_service.gateways.twilio import signed
from booking_service.local.mailbox import Mailbox
from booking_service.local.mailcatcher import serve
from booking_service.local.phones import Phones
from booking_service.local.ports import free_port, wait_until

DANA, NUMBER = "+15185550178", "+15185550100"


@pytest.fixture
def service():
    """Where news goes: it keeps what is signed, and answers every text alike."""
    heard = []

    class Page(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode())
            address = f"http://127.0.0.1:{self.server.server_port}{self.path}"
            ours = signed("t", address, form).decode() == self.headers["X-Twilio-Signature"]
            heard.append((self.path, dict(form)) if ours else "forged")
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<Response><Message>you &amp; us</Message></Response>")

        def log_message(self, *_args) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield SimpleNamespace(url=f"http://127.0.0.1:{server.server_port}/hook", heard=heard)
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def catcher(tmp_path):
    smtp_port, port = free_port(), free_port()
    receiver, reader = serve(Mailbox(tmp_path), Phones(tmp_path), smtp_port, port)
    thread = threading.Thread(target=reader.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{port}"
    reader.shutdown()
    thread.join()
    reader.server_close()
    receiver.stop()


def ask(url, form=None, method=None, login=None):
    headers = {"Authorization": "Basic " + base64.b64encode(login).decode()} if login else {}
    body = urlencode(form).encode() if form else None
    with urllib.request.urlopen(
        urllib.request.Request(url, body, headers, method=method)
    ) as answer:
        return answer.status, answer.read().decode()


@pytest.fixture
def text(catcher, service):
    """A text that was sent to Dana."""
    form = {"From": NUMBER, "To": DANA, "Body": "See you", "StatusCallback": f"{service.url}?n=7"}
    path = f"{catcher}/2010-04-01/Accounts/AC1/Messages.json"
    status, answer = ask(path, form, login=b"AC1:t")
    assert (status, json.loads(answer)["status"]) == (201, "queued")
    wait_until(lambda: len(service.heard) == 2, "the text to be delivered")
    [kept] = texts(catcher)
    return kept


def texts(catcher):
    return json.loads(ask(f"{catcher}/api/texts")[1])


def test_a_text_is_kept_and_news_of_it_is_signed(text, service):
    told = [(path, form["MessageStatus"]) for path, form in service.heard]

    assert told == [("/hook?n=7", "sent"), ("/hook?n=7", "delivered")]
    assert (text["to"], text["body"], text["status"]) == (DANA, "See you", "delivered")
    assert "token" not in text


def test_texts_are_listed_among_the_mails_and_survive_a_restart(catcher, text, tmp_path):
    page = ask(catcher)[1]

    assert "1 message" in page
    assert f"to {DANA}, delivered" in page
    assert [one.as_json() for one in Phones(tmp_path).all()] == [text]


def test_an_answer_from_the_phone_goes_to_the_service_and_back(catcher, text, service):
    ask(f"{catcher}/text/{text['id']}/answer", {"body": "STOP"})

    path, form = service.heard[-1]
    assert (path, form["From"], form["To"], form["Body"]) == ("/hook", DANA, NUMBER, "STOP")
    assert [(one["body"], one["status"]) for one in texts(catcher)] == [
        *(("See you", "delivered"), ("STOP", "received"), ("you & us", "delivered"))
    ]
    received = texts(catcher)[1]
    page = ask(f"{catcher}/text/{received['id']}")[1]
    assert "you &amp; us" in page


def test_emptying_the_box_throws_texts_away_too(catcher, text, tmp_path):
    ask(f"{catcher}/api/messages", method="DELETE")

    assert texts(catcher) == []
    assert list(tmp_path.iterdir()) == []


def test_what_a_phone_says_is_lost_while_the_service_is_down(catcher):
    form = {
        "From": NUMBER,
        "To": DANA,
        "Body": "x",
        "StatusCallback": f"http://127.0.0.1:{free_port()}",
    }
    ask(f"{catcher}/2010-04-01/Accounts/AC1/Messages.json", form, login=b"AC1:t")
    wait_until(lambda: texts(catcher)[0]["status"] == "delivered", "the text to be delivered")
    [text] = texts(catcher)

    status, _ = ask(f"{catcher}/text/{text['id']}/answer", {"body": "STOP"})

    assert status == 200
    assert [one["body"] for one in texts(catcher)] == ["x", "STOP"]
