"""A new user's first hour: book and pay on a phone, join at the desk, find it in finance."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser

AXE = Axe()
SCROLLED = "document.querySelector('.gridwrap').scrollTop"
WIDE = {"width": 1440, "height": 900}


def looks_right(page: Page) -> None:
    """What a machine can see: one headline, nothing sideways, nothing axe objects to."""
    found = AXE.run(page).response["violations"]
    assert [(rule["id"], [n["target"] for n in rule["nodes"]]) for rule in found] == []
    assert page.locator("h1").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def book_and_pay(page: Page, web: str, name: str, email: str, *, keep_card: bool = True) -> str:
    """Be a patient, from the offer to the confirmation; return the visit's address."""
    page.goto(web)
    looks_right(page)
    page.get_by_role("link", name="See all times").click()
    looks_right(page)
    page.locator("button.slot").first.click()
    looks_right(page)
    page.get_by_label("Full name").fill(name)
    page.get_by_label("Mobile phone").fill("518 555 0178")
    page.get_by_label("Email").fill(email)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(r"then pay \$39"))
    looks_right(page)
    page.get_by_label("I’ve read and agree").check()
    if keep_card:
        page.get_by_label("Keep my card").check()
    page.get_by_role("button", name="Continue to pay $39.00").click()
    pay(page, email)
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("You’re booked"))
    looks_right(page)
    return page.url


def pay(page: Page, email: str, card: str = "4242 4242 4242 4242") -> None:
    page.get_by_label("Email").fill(email)
    page.get_by_label("Card number").fill(card)
    page.get_by_label(re.compile("Expir")).fill("12 / 34")
    page.get_by_label(re.compile("CVC|code", re.IGNORECASE)).first.fill("123")
    page.get_by_label("Name on card").fill("A. Payer")
    page.get_by_role("button", name="Pay").click()


def sign_the_agreement(page: Page, visit: str) -> None:
    """Sign for a plan on the patient's own phone, from the page of the visit."""
    page.goto(visit)
    page.get_by_role("link", name="The membership agreement").click()
    looks_right(page)
    page.get_by_label("Corrective").check()
    page.get_by_label("Type your full name to sign").fill("Dana Whitfield")
    page.get_by_label("I’ve read the membership agreement").check()
    page.get_by_role("button", name="Sign the agreement").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You’ve signed the agreement")
    looks_right(page)


def sign_in(page: Page, demo: SimpleNamespace, role: str) -> None:
    member = next(member for member in demo.staff if member["role"] == role)
    page.goto(f"{demo.web}/sign-in")
    page.get_by_label("Work e-mail").fill(member["email"])
    page.get_by_label("Password").fill(member["password"])
    page.get_by_role("button", name="Sign in").click()


@pytest.fixture
def desk_page(browser: Browser, demo: SimpleNamespace) -> Page:
    """The desk's screen, signed in."""
    context = browser.new_context(viewport=WIDE)
    opened = context.new_page()
    sign_in(opened, demo, "front_desk")
    yield opened
    context.close()


def test_a_patient_joins_and_everybody_sees_the_money_go_back(
    demo, page, desk_page, browser, inbox
):
    visit = book_and_pay(page, demo.web, "Dana Whitfield", "dana.w@example.com")
    assert inbox("dana.w@example.com", 1)[0]["subject"].startswith("You're booked")

    desk_page.get_by_role("link", name=re.compile("Dana Whitfield")).first.click()
    looks_right(desk_page)
    desk_page.get_by_role("button", name="Check in").click()
    desk_page.get_by_role("button", name="Treatment began").click()
    looks_right(desk_page)
    where = desk_page.evaluate(SCROLLED)
    sign_the_agreement(page, visit)
    # The plan that was signed for is chosen: confirming is the one input of the five there may be.
    expect(desk_page.get_by_text("Dana signed for Corrective")).to_be_visible()
    desk_page.keyboard.press("Control+Enter")
    expect(desk_page.get_by_role("button", name="Undo")).to_be_visible()
    looks_right(desk_page)
    expect(desk_page.get_by_text("Refund accepted by Stripe")).to_be_visible(timeout=30_000)
    expect(desk_page.get_by_text(re.compile("re_3"))).to_be_visible(timeout=30_000)
    expect(desk_page.locator("#hops")).to_contain_text("Member")
    expect(desk_page.locator("#board")).to_contain_text("refund accepted")
    looks_right(desk_page)
    assert desk_page.evaluate(SCROLLED) == where  # the new board is where the old one was
    told = [m["subject"] for m in inbox("dana.w@example.com", 4)]
    assert told[1:3] == ["Your agreement to read and sign", "A copy of what you signed"]
    assert told[3].startswith("Welcome")

    page.goto(visit)
    expect(page.get_by_text("Your $39.00 was returned to Visa 4242")).to_be_visible()

    context = browser.new_context(viewport=WIDE)
    finance = context.new_page()
    sign_in(finance, demo, "finance")
    finance.get_by_role("link", name="Dana Whitfield").click()
    looks_right(finance)
    expect(finance.get_by_text("Became a member").first).to_be_visible()
    expect(finance.get_by_text("Treatment began").first).to_be_visible()
    context.close()


def test_undo_sends_nothing_to_stripe(demo, page, desk_page):
    book_and_pay(page, demo.web, "Ines Moreau", "ines.m@example.com")

    desk_page.get_by_role("link", name=re.compile("Ines Moreau")).first.click()
    desk_page.get_by_role("button", name="Check in").click()
    desk_page.get_by_role("button", name="Treatment began").click()
    start = desk_page.get_by_role("button", name=re.compile("Start membership"))
    expect(start).to_be_visible()
    desk_page.wait_for_load_state()
    desk_page.get_by_label("Signed on paper").check()
    desk_page.keyboard.press("1")
    desk_page.keyboard.press("Control+Enter")
    desk_page.get_by_role("button", name="Undo").click()

    expect(start).to_be_visible()


def test_a_whole_booking_without_javascript(demo, browser):
    context = browser.new_context(java_script_enabled=False, viewport={"width": 320, "height": 640})
    page = context.new_page()
    page.goto(demo.web)
    page.get_by_role("link", name="See all times").click()
    page.locator("button.slot").first.click()
    page.get_by_label("Full name").fill("Rosa Delgado")
    page.get_by_label("Mobile phone").fill("518 555 0145")
    page.get_by_label("Email").fill("rosa.d@example.com")
    page.get_by_role("button", name="Continue").click()
    page.get_by_label("I’ve read and agree").check()
    page.get_by_role("button", name="Continue to pay $39.00").click()

    pay(page, "rosa.d@example.com", card="4000 0000 0000 0002")
    expect(page.get_by_role("alert")).to_have_text("Your card was declined.")
    pay(page, "rosa.d@example.com")

    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("You’re booked"))
    context.close()


def test_every_first_line_says_what_happened_to_the_money(demo, page):
    """A wrong turn is answered, too; the console's own word on the 404 is expected."""
    answer = page.context.request.get(f"{demo.web}/v/made-up")

    assert answer.status == 404
    assert "charged" in answer.text() or "paid" in answer.text()


def test_pictures_of_the_three_main_screens_are_in_the_readme():
    root = Path(__file__).resolve().parents[2]
    named = re.findall(r"\((docs/pictures/[\w.]+)\)", (root / "README.md").read_text())

    assert len(named) == 3
    assert [name for name in named if not (root / name).is_file()] == []
