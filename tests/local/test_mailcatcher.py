import json
import smtplib
import threading
import urllib.request
from email.message import EmailMessage

import pytest

from booking_service.local.mailbox import Mailbox
from booking_service.local.mailcatcher import serve
from booking_service.local.phones import Phones
from booking_service.local.ports import free_port


@pytest.fixture
def catcher(tmp_path):
    """A running mail catcher: its SMTP port and the address of its page."""
    smtp_port, port = free_port(), free_port()
    receiver, reader = serve(Mailbox(tmp_path), Phones(tmp_path), smtp_port, port)
    thread = threading.Thread(target=reader.serve_forever)
    thread.start()
    yield smtp_port, f"http://127.0.0.1:{port}"
    reader.shutdown()
    thread.join()
    reader.server_close()
    receiver.stop()


def send(smtp_port, html="<p>Hello</p>"):
    mail = EmailMessage()
    mail["From"] = "First Visit <desk@practice.example>"
    mail["To"] = "ann@example.com"
    mail["Subject"] = "Your visit: één uur"
    mail.set_content("Hello Ann,\nsee http://127.0.0.1:8000/v/token.\n")
    mail.add_alternative(html, subtype="html")
    mail.add_attachment("BEGIN:VCALENDAR\n", subtype="calendar", filename="visit.ics")
    mail.add_attachment(b"\x00\xff", "application", "pdf", filename="reçu.pdf")
    with smtplib.SMTP("127.0.0.1", smtp_port) as smtp:
        smtp.send_message(mail, to_addrs=["ann@example.com", "bcc@example.com"])


def get(url, method="GET"):
    with urllib.request.urlopen(urllib.request.Request(url, method=method)) as answer:
        return answer.read(), answer.headers


def messages(url):
    return json.loads(get(f"{url}/api/messages")[0])


def test_a_mail_sent_is_a_mail_listed(catcher):
    smtp_port, url = catcher
    send(smtp_port)

    [mail] = messages(url)

    assert mail["from"] == "desk@practice.example"
    assert mail["to"] == ["ann@example.com", "bcc@example.com"]
    assert mail["subject"] == "Your visit: één uur"
    assert mail["text"] == "Hello Ann,\nsee http://127.0.0.1:8000/v/token.\n"
    assert mail["html"] == "<p>Hello</p>\n"
    assert sorted(mail["headers"]) == ["Content-Type", "From", "MIME-Version", "Subject", "To"]
    assert mail["headers"]["To"] == "ann@example.com"
    assert mail["attachments"] == [
        {
            "filename": "visit.ics",
            "content_type": "text/calendar",
            "size": 17,
            "encoding": "text",
            "content": "BEGIN:VCALENDAR\r\n",
        },
        {
            "filename": "reçu.pdf",
            "content_type": "application/pdf",
            "size": 2,
            "encoding": "base64",
            "content": "AP8=",
        },
    ]
    assert sorted(mail) == [
        *("at", "attachments", "from", "headers", "html", "id", "subject", "text", "to"),
    ]


def test_mails_are_listed_oldest_first_and_survive_a_restart(catcher, tmp_path):
    smtp_port, url = catcher
    send(smtp_port, "<p>one</p>")
    send(smtp_port, "<p>two</p>")

    after_restart = [mail.as_json() for mail in Mailbox(tmp_path).all()]

    assert [mail["html"] for mail in after_restart] == ["<p>one</p>\n", "<p>two</p>\n"]
    assert after_restart == messages(url)


def test_delete_empties_the_box_for_good(catcher, tmp_path):
    smtp_port, url = catcher
    send(smtp_port)

    get(f"{url}/api/messages", "DELETE")

    assert messages(url) == []
    assert list(tmp_path.iterdir()) == []


def test_the_html_of_a_mail_may_neither_run_nor_fetch_anything(catcher):
    smtp_port, url = catcher
    send(smtp_port, "<script>alert(1)</script>")
    [mail] = messages(url)

    body, headers = get(f"{url}/mail/{mail['id']}/html")
    page, _ = get(f"{url}/mail/{mail['id']}")

    assert body == b'<base target="_blank"><script>alert(1)</script>\n'
    assert headers["Content-Security-Policy"] == (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        "sandbox allow-popups allow-popups-to-escape-sandbox"
    )
    assert b'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page
    assert b"<script>alert" not in page


def test_the_page_of_a_mail_links_addresses_and_offers_attachments(catcher):
    smtp_port, url = catcher
    send(smtp_port)
    [mail] = messages(url)

    page, _ = get(f"{url}/mail/{mail['id']}")
    data, headers = get(f"{url}/mail/{mail['id']}/attachment/1")

    link = b'<a href="http://127.0.0.1:8000/v/token" target="_blank" rel="noreferrer">'
    assert link + b"http://127.0.0.1:8000/v/token</a>.\n" in page
    assert data == b"\x00\xff"
    assert headers["Content-Disposition"] == "attachment; filename*=UTF-8''re%C3%A7u.pdf"


@pytest.mark.parametrize("path", ["/mail/..%2Fsecrets", "/mail/1", "/inbox.html", "/api"])
def test_there_is_nothing_else(catcher, path):
    _, url = catcher

    with pytest.raises(urllib.error.HTTPError) as refusal:
        get(url + path)

    refusal.value.close()
    assert refusal.value.code == 404
