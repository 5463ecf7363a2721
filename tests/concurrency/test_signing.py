"""An agreement is signed in two tabs at once, or while the desk notes paper."""

from collections import Counter
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy.exc import IntegrityError

from booking_service.models import AgreementSignature, Booking, OutboxMessage, Tender, Topic
from booking_service.services import agreements, bookings, memberships
from booking_service.services.agreements import Ground
from booking_service.services.memberships import Tendered
from tests.concurrency.crowd import at_once, without_constraint
from tests.factories import PRIYA, all_of, in_treatment, plan, signed

TABS = 4


@pytest.fixture
def visit(noon, seeded, stripe):
    return in_treatment(stripe)


def sign_in_each_tab(app, visit) -> list:
    all_of(Booking)  # nobody sits in a transaction meanwhile
    return at_once(app, TABS, lambda _: signed(visit.booking_id))


def without_the_lock(monkeypatch) -> None:
    """Let every tab read before any of them has written."""
    everybody_read, keep = Barrier(TABS), agreements._keep

    def keep_later(*args):
        everybody_read.wait(5)
        keep(*args)

    monkeypatch.setattr(
        bookings, "with_patient", lambda session, booking_id: session.get_one(Booking, booking_id)
    )
    monkeypatch.setattr(agreements, "_keep", keep_later)


def copies_owed() -> int:
    return sum(one.topic is Topic.AGREEMENT_SIGNED for one in all_of(OutboxMessage))


def test_signed_in_several_tabs_it_is_one_signature_and_one_copy(app, visit):
    assert len(set(sign_in_each_tab(app, visit))) == 1
    assert (len(all_of(AgreementSignature)), copies_owed()) == (1, 1)


def test_without_the_lock_the_database_still_keeps_one(app, visit, monkeypatch):
    without_the_lock(monkeypatch)

    outcomes = sign_in_each_tab(app, visit)

    assert Counter(isinstance(one, IntegrityError) for one in outcomes) == {True: 3, False: 1}
    assert (len(all_of(AgreementSignature)), copies_owed()) == (1, 1)


def test_without_lock_and_index_there_would_be_one_for_each_tab(app, visit, monkeypatch):
    without_the_lock(monkeypatch)

    with without_constraint("agreement_signatures", "uq_agreement_signatures_booking_id"):
        sign_in_each_tab(app, visit)
        kept = (len(all_of(AgreementSignature)), copies_owed())

    assert kept == (TABS, TABS)


def test_paper_noted_while_the_phone_signs_leaves_one_membership_on_one_signature(app, visit):
    card, plan_id = Tendered(Tender.SAVED_CARD), plan().id
    all_of(Booking)

    def press(number: int):
        if number % 2:
            return signed(visit.booking_id)
        return memberships.convert(
            visit.booking_id, plan_id, card, PRIYA, timedelta(0), agreement=Ground.PAPER
        )

    at_once(app, TABS, press)

    assert len(all_of(AgreementSignature)) == 1
