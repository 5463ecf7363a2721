"""What a patient does in a browser, page by page, and what the pages say first."""

import re
from typing import Final, NamedTuple

from playwright.sync_api import Page, expect
from sqlalchemy import select

from booking_service.db import db
from booking_service.models import Booking, Payment, Refund

PAY: Final = "Continue to pay $39.00"
_AFTER_THE_HEADLINE: Final = """
const main = document.querySelector("main").innerText;
const headline = document.querySelector("main h1").innerText;
return main.slice(main.indexOf(headline) + headline.length);
"""


class Person(NamedTuple):
    name: str
    email: str
    phone: str = "518 555 0178"


DANA: Final = Person("Dana Whitfield", "dana@example.com")
ROBIN: Final = Person("Robin Hale", "robin@example.com", "518 555 0145")


def plain(text: str) -> str:
    """Return words with the spaces and apostrophes of a keyboard."""
    return " ".join(text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").split())


def headline(page: Page) -> str:
    page.wait_for_load_state()
    return plain(page.locator("main h1").inner_text())


def after_the_headline(page: Page) -> str:
    """Return what a page says under its headline, from its first sentence on."""
    page.wait_for_load_state()
    return plain(page.evaluate(f"() => {{{_AFTER_THE_HEADLINE}}}"))


def give_details(page: Page, person: Person) -> None:
    page.get_by_label("Full name").fill(person.name)
    page.get_by_label("Mobile phone").fill(person.phone)
    page.get_by_label("Email").fill(person.email)
    page.get_by_role("button", name="Continue").click()


def go_to_stripe(page: Page) -> None:
    page.get_by_label("I’ve read and agree").check()
    page.get_by_role("button", name=PAY).click()
    expect(page.get_by_label("Card number")).to_be_visible()


def at_review(page: Page, live: str, person: Person = DANA, nth: int = 12) -> None:
    """Come as far as the last page before Stripe's, with a time some hours ahead."""
    page.goto(f"{live}/book")
    page.locator("button.slot").nth(nth).click()
    give_details(page, person)


def at_stripe(page: Page, live: str, person: Person = DANA, nth: int = 12) -> None:
    """Come as far as Stripe's page."""
    at_review(page, live, person, nth)
    go_to_stripe(page)


def pay(page: Page, person: Person = DANA, card: str = "4242 4242 4242 4242") -> None:
    """Pay on Stripe's page, as it stands open."""
    page.get_by_label("Email").fill(person.email)
    page.get_by_label("Card number").fill(card)
    page.get_by_label(re.compile("Expir")).fill("12 / 34")
    page.get_by_label("CVC").fill("123")
    page.get_by_label("Name on card").fill(person.name)
    page.get_by_role("button", name="Pay").click()


def is_booked(page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("You’re booked: "))


def money() -> list[str]:
    """Return how each booking stands: its status, its payment's and its refund's, if any."""
    db.session.rollback()
    rows = db.session.execute(
        select(Booking.status, Payment.status, Refund.status)
        .outerjoin(Payment, Payment.booking_id == Booking.id)
        .outerjoin(Refund, Refund.payment_id == Payment.id)
    ).all()
    db.session.rollback()  # nobody sits in a transaction while a browser works
    return sorted(" ".join(status.value for status in row if status) for row in rows)
