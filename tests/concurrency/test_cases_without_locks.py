"""The controls of test_cases: the same races end wrongly when what decides them is taken out."""

from threading import Barrier

import pytest

from booking_service.errors import NotAllowed
from booking_service.models import Case, CaseAction, CaseStatus, EntryKind, Settlement, Topic
from booking_service.services import goodwill, people, refund_news, refund_rows, resolutions
from tests.case_makers import ANA, BEN, BY_CHECK, NOTED, do, failed, settlements
from tests.concurrency.crowd import plain_read, without_constraint
from tests.concurrency.test_cases import arrived, both, done, hear, of_kind, posted, status
from tests.factories import all_of, paid
from tests.factories import refunds as all_refunds


@pytest.fixture
def visit(seeded, stripe):
    return paid(stripe)


@pytest.fixture
def take_out_the_locks(monkeypatch):
    """From now on two read a case and its money before either goes on, and nobody looks again."""

    def do_so() -> None:
        both_read = Barrier(2)

        def unlocked(session, model, id_):
            row = plain_read(session, model, id_)
            if model is Case:
                both_read.wait(5)
            return row

        remembered = {"standing": settlements()[0].id} if settlements() else {}
        for module in (resolutions, people):
            monkeypatch.setattr(module, "locked", unlocked)
        monkeypatch.setattr(
            refund_rows, "locked", lambda session, model, id_: session.get_one(model, id_)
        )
        if remembered:
            monkeypatch.setattr(
                resolutions.settlements,
                "standing",
                lambda session, _: plain_read(session, Settlement, remembered["standing"]),
            )

    return do_so


def test_without_the_locks_a_payout_would_be_approved_twice_and_told_twice(
    app, visit, take_out_the_locks
):
    case_id = failed(visit)
    do(case_id, CaseAction.SETTLE, ANA, BY_CHECK)
    take_out_the_locks()

    said = both(app, *[lambda: do(case_id, CaseAction.APPROVE_SETTLEMENT, BEN)] * 2)

    assert done(said) == 2
    assert posted(Topic.REFUND_SETTLED_OTHERWISE) == 2


def test_without_the_locks_a_payout_would_be_approved_and_withdrawn(app, visit, take_out_the_locks):
    case_id = failed(visit)
    do(case_id, CaseAction.SETTLE, ANA, BY_CHECK)
    take_out_the_locks()

    said = both(
        app,
        lambda: do(case_id, CaseAction.APPROVE_SETTLEMENT, BEN),
        lambda: do(case_id, CaseAction.WITHDRAW_SETTLEMENT, ANA, NOTED),
    )

    # Both read that it waits, and both went on; the last word is the database's.
    refused = [one for one in said if one is not None]
    assert not any(isinstance(one, NotAllowed) for one in refused)
    assert [type(one).__name__ for one in refused] == ["IntegrityError"]


def test_without_the_locks_a_refund_would_be_sent_again_and_paid_another_way(
    app, visit, monkeypatch, take_out_the_locks
):
    case_id = failed(visit, "unknown")
    take_out_the_locks()
    has_looked = Barrier(2)
    looked, recorded = refund_rows.is_paid_another_way, resolutions.settlements.record

    def look_and_wait(*facts):
        found = looked(*facts)
        has_looked.wait(5)
        return found

    def wait_and_record(*facts):
        has_looked.wait(5)
        return recorded(*facts)

    monkeypatch.setattr(refund_rows, "is_paid_another_way", look_and_wait)
    monkeypatch.setattr(resolutions.settlements, "record", wait_and_record)

    said = both(
        app,
        lambda: do(case_id, CaseAction.SETTLE, ANA, BY_CHECK),
        lambda: do(case_id, CaseAction.RETRY, BEN),
    )

    assert done(said) == 2
    assert (status(), posted(Topic.REFUND_REQUESTED), len(settlements())) == ("requested", 1, 1)


def test_without_calling_somebody_an_approval_and_late_success_pay_twice_in_silence(
    app, visit, monkeypatch
):
    """No lock could tell here which comes first: what protects is that somebody is called."""
    case_id = failed(visit, "unknown")
    do(case_id, CaseAction.SETTLE, ANA, BY_CHECK)
    news = arrived(visit)
    monkeypatch.setattr(refund_news, "_a_second_one", lambda *_: None)

    said = both(
        app,
        lambda: do(case_id, CaseAction.APPROVE_SETTLEMENT, BEN),
        lambda: hear(news),
    )

    assert (said, of_kind(EntryKind.SETTLEMENT)) == ([None, None], 1)
    assert [row for row in all_of(Case) if row.status is CaseStatus.OPEN] == []


def test_without_the_locks_goodwill_would_be_approved_and_owed_twice(
    app, visit, take_out_the_locks
):
    refund_id = goodwill.ask(visit.payment.id, None, "Came the next day", ANA)
    take_out_the_locks()

    said = both(app, *[lambda: resolutions.approve_goodwill(refund_id, BEN)] * 2)

    assert done(said) == 2
    assert posted(Topic.REFUND_REQUESTED) == 2


@pytest.fixture
def ask_twice(app, visit, monkeypatch):
    """Two ask at once, with no lock, and both have seen that nobody has asked."""
    payment_id = visit.payment.id
    both_looked, amount = Barrier(2), goodwill._amount

    def look_and_wait(*facts):
        found = amount(*facts)
        both_looked.wait(5)
        return found

    monkeypatch.setattr(goodwill, "locked", plain_read)
    monkeypatch.setattr(goodwill, "_amount", look_and_wait)

    def ask(actor) -> None:
        goodwill.ask(payment_id, 3900, "Why", actor)

    return lambda: both(app, lambda: ask(ANA), lambda: ask(BEN))


def test_without_the_lock_the_index_lets_one_ask_for_goodwill_and_tells_the_other(ask_twice):
    said = ask_twice()

    assert done(said) == 1
    assert [refund.amount_cents for refund in all_refunds()] == [3900]


def test_without_lock_and_index_goodwill_would_be_asked_for_twice(ask_twice):
    with without_constraint("refunds", "uq_refunds_one_goodwill_asked"):
        said = ask_twice()
        asked = [refund.amount_cents for refund in all_refunds()]

    assert done(said) == 2
    assert asked == [3900, 3900]
