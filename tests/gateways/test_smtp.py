"""The mailer against a mail server that catches."""

import threading
from dataclasses import replace

import pytest
from aiosmtpd.controller import Controller

from booking_service.db import transaction
from booking_service.errors import MailUnavailable, MessageRefused
from booking_service.gateways.mail import Letter
from booking_service.gateways.smtp import SmtpMailer
from booking_service.local.mailbox import Mailbox
from booking_service.local.mailcatcher import serve
from booking_service.local.phones import Phones
from booking_service.local.ports import free_port

LETTER = Letter(
    message_id="<n-1@alder.example>",
    to="dana@example.com",
    sender_name="Alder, Zoë & Co",
    reply_to="hello@alder.example",
    subject="You're booked: Mon, Nov 23 – 12:00 p.m.",
    text="Hello Zoë,\nyou're booked.\n",
    html="<p>Hello Zoë</p>\n",
    calendar=b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A mail server: its port and what it caught."""
    smtp_port, mailbox = free_port(), Mailbox(tmp_path_factory.mktemp("mail"))
    receiver, reader = serve(
        mailbox, Phones(tmp_path_factory.mktemp("texts")), smtp_port, free_port()
    )
    thread = threading.Thread(target=reader.serve_forever)
    thread.start()
    yield smtp_port, mailbox
    reader.shutdown()
    thread.join()
    reader.server_close()
    receiver.stop()


@pytest.fixture
def send(app, server):
    """Send a letter; return it as the server caught it."""
    port, mailbox = server

    def deliver(letter=LETTER):
        SmtpMailer(f"smtp://127.0.0.1:{port}", "Desk <desk@visits.example>").send(letter)
        return list(mailbox.all())[-1]

    return deliver


def test_a_letter_arrives_as_it_was_written(send):
    mail = send()

    message = mail.message
    assert (mail.sender, list(mail.recipients)) == ("desk@visits.example", ["dana@example.com"])
    assert message["Message-ID"] == LETTER.message_id
    assert message["Subject"] == LETTER.subject
    assert message["Reply-To"] == "hello@alder.example"
    [sender] = message["From"].addresses
    assert (sender.display_name, sender.addr_spec) == ("Alder, Zoë & Co", "desk@visits.example")
    assert message["Date"] is not None
    assert message.get_body(["plain"]).get_content().splitlines() == LETTER.text.splitlines()
    assert message.get_body(["html"]).get_content().strip() == LETTER.html.strip()


def test_a_visit_comes_as_a_file_for_the_calendar(send):
    [file] = send().message.iter_attachments()

    assert (file.get_content_type(), file.get_filename()) == ("text/calendar", "visit.ics")
    assert file.get_payload(decode=True) == LETTER.calendar


def test_without_a_visit_to_come_there_is_no_file(send):
    assert list(send(replace(LETTER, calendar=None)).message.iter_attachments()) == []


@pytest.mark.parametrize("field", ["to", "subject", "reply_to"])
def test_no_header_can_be_slipped_in(app, server, field):
    port, mailbox = server
    before = len(list(mailbox.all()))
    forged = replace(LETTER, **{field: "a@example.com\r\nBcc: x@example.com"})

    with pytest.raises(ValueError, match=r"linefeed|invalid"):
        SmtpMailer(f"smtp://127.0.0.1:{port}", "desk@visits.example").send(forged)

    assert len(list(mailbox.all())) == before


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_server_that_is_down_is_named_without_the_letter(app, scheme):
    nowhere = f"{scheme}://user:canary@127.0.0.1:{free_port()}"

    with pytest.raises(MailUnavailable) as error:
        SmtpMailer(nowhere, "desk@visits.example").send(LETTER)

    assert str(error.value) == "ConnectionRefusedError"


def test_a_server_that_refuses_the_password_has_not_taken_the_letter(app, server):
    port, _ = server
    mailer = SmtpMailer(f"smtp://user:p%40ss@127.0.0.1:{port}", "desk@visits.example")

    with pytest.raises(MailUnavailable):
        mailer.send(LETTER)


def test_no_mail_is_sent_inside_a_transaction(app, server):
    port, mailbox = server
    before = len(list(mailbox.all()))

    with pytest.raises(RuntimeError, match="inside a database transaction"), transaction():
        SmtpMailer(f"smtp://127.0.0.1:{port}", "desk@visits.example").send(LETTER)

    assert len(list(mailbox.all())) == before


class Refusing:
    """A mail server with an answer of its own to a recipient, or to a letter."""

    def __init__(self) -> None:
        self.to_recipient = self.to_letter = "250 OK"

    async def handle_RCPT(self, _server, _session, envelope, address, _options) -> str:  # noqa: N802
        envelope.rcpt_tos.append(address)
        return self.to_recipient

    async def handle_DATA(self, _server, _session, _envelope) -> str:  # noqa: N802
        return self.to_letter


@pytest.fixture
def refusing(app):
    handler, port = Refusing(), free_port()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    handler.mailer = SmtpMailer(f"smtp://127.0.0.1:{port}", "desk@visits.example")
    yield handler
    controller.stop()


@pytest.mark.parametrize("step", ["to_recipient", "to_letter"])
@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        ("550 5.1.1 no such dana@example.com", MessageRefused, "550"),
        ("452 4.2.2 mailbox full", MailUnavailable, "452"),
    ],
)
def test_a_refusal_for_good_is_told_from_one_for_now(refusing, step, answer, error, code):
    setattr(refusing, step, answer)

    with pytest.raises(error) as refusal:
        refusing.mailer.send(LETTER)

    assert str(refusal.value) == code
