"""Mail scanners follow every link of every mail before its reader does: nothing may happen."""

import re
from datetime import timedelta
from html import unescape
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests
from flask import current_app
from playwright.sync_api import Page
from sqlalchemy import select

from booking_service.clock import utc_now
from booking_service.db import Base, db, transaction
from booking_service.local.ports import wait_until
from booking_service.models import Actor, CaseAction, Membership, Notification, Refund
from booking_service.queries import state
from booking_service.services import (
    bookings,
    membership_cards,
    membership_news,
    promises,
    reminders,
    visit_links,
    visit_steps,
    waitlist,
)
from booking_service.services import refunds as refunding
from tests.browser.patient import headline
from tests.case_makers import ANA, BEN, BY_CHECK, case_of, do
from tests.factories import (
    PRIYA,
    all_of,
    booking,
    converted,
    free_slot,
    in_treatment,
    lost_time,
    paid,
    signed,
    slot_in,
)

pytestmark = pytest.mark.browser

_LINKS = re.compile(r"https?://[^\s\"<>]+")
_ON_PAGES = re.compile(r'href="(/[^"]*)"')
_MAILS = Path(__file__).resolve().parents[2] / "templates" / "emails"


def named(name: str) -> dict[str, str]:
    return {"name": f"{name} Moreau", "email": f"{name.lower()}@example.com"}


def play_money(stripe, gateway, work) -> None:
    """Let everything happen that a mail about money is sent for."""
    lost_time(stripe, gateway)  # Dana paid for a time that Robin has
    converted(stripe, slot=free_slot(9), **named("Welcome"))
    unpromised = converted(stripe, slot=free_slot(12), **named("Member"))
    with transaction() as session:
        promises.money_returned(session, unpromised.payment.id)
    bounced = converted(stripe, slot=free_slot(15), card="4000000000005126", **named("Bounced"))
    work()
    stripe.advance(60)
    wait_until(lambda: "failed" in {r["status"] for r in stripe.refunds()}, "a refund to bounce")
    [refund] = [one for one in all_of(Refund) if one.payment_id == bounced.payment.id]
    refunding.apply_news(refund.stripe_refund_id, gateway)
    work()
    case_id = case_of(refund.id).id
    do(case_id, CaseAction.SETTLE, ANA, BY_CHECK)
    do(case_id, CaseAction.APPROVE_SETTLEMENT, BEN)
    work()


def play_renewal(stripe, gateway, work, travel) -> None:
    """Let a member's second month be declined, and send the link to give another card."""
    member = next(one for one in all_of(Membership) if one.stripe_subscription_id)
    stripe.advance(round((utc_now() - stripe.now()).total_seconds()))  # it is later here by now
    membership_cards.open_(member.id, gateway, current_app.extensions["links"])
    [page] = [one.card_page_id for one in all_of(Membership) if one.card_page_id]
    stripe.pay(page, "4000000000000341")
    membership_cards.confirm_of(member.id, gateway)
    stripe.advance(31 * 86400)
    wait_until(
        lambda: "past_due" in {one["status"] for one in stripe.subscriptions()}, "a declined month"
    )
    travel(stripe.now())
    membership_news.subscription_changed(member.stripe_subscription_id, gateway)
    membership_cards.send_link(member.id, PRIYA)
    work()


def play_signing(stripe, work) -> None:
    """Let somebody be asked to sign, and sign."""
    visit = in_treatment(stripe, slot=free_slot(18), **named("Signs"))
    work()
    signed(visit.booking_id)
    work()


def play_changes(stripe, work) -> SimpleNamespace:
    """Let somebody cancel, somebody be offered that time, and somebody move, whom it returns."""
    waits = paid(stripe, slot=slot_in(80), **named("Waits"))
    waitlist.join(waits.booking_id)
    cancels = paid(stripe, slot=slot_in(60), **named("Cancels"))
    bookings.cancel(cancels.booking_id, Actor.patient())
    visit = paid(stripe, slot=slot_in(90), **named("Moves"))
    visit_links.ask("moves@example.com")
    visit_links.send_again(visit.booking_id, PRIYA)
    to = slot_in(100)
    bookings.reschedule(visit.booking_id, to.practitioner_id, to.starts_at, Actor.patient())
    work()
    return visit


def play_the_day(visit, work, travel) -> None:
    """Let the day of a visit come, and pass without its patient."""
    starts_at = booking(visit.booking_id).starts_at
    for hours in (24, 2):
        travel(starts_at - timedelta(hours=hours))
        reminders.sweep()
        work()
    travel(starts_at + timedelta(minutes=30))
    visit_steps.mark_no_show(visit.booking_id, PRIYA)
    travel(starts_at + timedelta(days=1))
    work()


def everything() -> dict[str, object]:
    """Return all that the database holds, and the dump that is made for checks from outside."""
    db.session.rollback()
    rows = {
        table.name: sorted(map(repr, db.session.execute(select(table)).all()))
        for table in Base.metadata.sorted_tables
    }
    dump = state.state()
    db.session.rollback()
    return {**rows, "dump": dump}


def links_of(letters, live: str) -> list[str]:
    """Return where mails lead, each address once: to the service and nowhere else."""
    forms = [form for letter in letters for form in (letter.text, unescape(letter.html))]
    found = list(dict.fromkeys(link for form in forms for link in _LINKS.findall(form)))
    assert [link for link in found if not link.startswith(f"{live}/")] == []
    return found


def scan(links: list[str], live: str) -> int:
    """Ask for each link as scanners do, and for what its page leads to; return how many."""
    pages = list(links)
    for link in links:
        for _ in range(2):
            assert requests.head(link, timeout=9).status_code == 200
            answer = requests.get(link, timeout=9)
            assert answer.status_code == 200
        further = {live + unescape(path) for path in _ON_PAGES.findall(answer.text)}
        pages += sorted(further - set(pages))
    for page in pages[len(links) :]:
        assert requests.get(page, timeout=9).status_code == 200
    return len(pages)


def scanned(letters, live: str, page: Page) -> set[str]:
    """Follow all links of some mails in every way; return what changed meanwhile."""
    links = links_of(letters, live)
    before = everything()
    assert scan(links, live) > 2 * len(links)
    for link in links:  # some open pages as people do, and run their scripts
        page.goto(link)
        assert headline(page)
    return changed(before)


def changed(before: dict[str, object]) -> set[str]:
    after = everything()
    return {name for name in before if before[name] != after[name]}


def test_following_every_link_of_every_mail_changes_nothing(
    live, noon, seeded, stripe, gateway, work, travel, mail, phones
):
    page = phones()
    moves = play_changes(stripe, work)
    play_signing(stripe, work)
    play_money(stripe, gateway, work)
    assert scanned(mail.letters, live, page) == set()

    # What a person does on such a page is seen by that comparison.
    [offered] = [letter for letter in mail.letters if "earlier time" in letter.text]
    before = everything()
    page.goto(*links_of([offered], live))
    page.get_by_role("button", name="Keep my time").click()
    assert changed(before) >= {"audit_rows", "bookings", "dump", "waitlist_offers"}

    play_the_day(moves, work, travel)
    play_renewal(stripe, gateway, work, travel)
    assert scanned(mail.letters, live, page) == set()
    sent = [one.topic for one in all_of(Notification) if one.sent_count]
    kinds = {topic.removeprefix("notifications.") for topic in sent}
    assert kinds == {folder.name for folder in _MAILS.iterdir() if folder.is_dir()}
    assert len(mail.letters) == len(sent)
