"""What finance reads: refunds by any filter, one refund's story, cases, and the ledger."""

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from uuid import uuid4

import pytest

from booking_service.db import transaction
from booking_service.errors import Invalid, NotFound
from booking_service.models import CaseType, Refund, RefundReason, RefundStatus
from booking_service.queries import finance, patient_pages
from booking_service.queries.finance import RefundFilter, What
from booking_service.services import cases
from tests.factories import converted, paid

pytestmark = pytest.mark.usefixtures("seeded")

NOON = datetime(2026, 11, 20, 17, tzinfo=UTC)  # 12:00 in New York


def refund_of(visit: SimpleNamespace, at: datetime, **more) -> Refund:
    row = Refund(
        payment_id=visit.payment.id,
        reason=more.pop("reason", RefundReason.GOODWILL),
        amount_cents=more.pop("amount_cents", 3900),
        requested_at=at,
        requested_by="Ana Ruiz",
        **more,
    )
    with transaction() as session:
        session.add(row)
    return row


@pytest.fixture
def dana(stripe):
    return paid(stripe)


@pytest.fixture
def owen(stripe):
    return paid(stripe, name="Owen 100% Sato", email="owen@example.com", card="5555555555554444")


def found(**chosen) -> list[str]:
    return [row.patient for row in finance.refunds(RefundFilter(**chosen)).items]


def test_the_total_is_the_filters_and_not_the_pages(dana):
    for n in range(5):
        refund_of(dana, NOON + timedelta(minutes=n), amount_cents=100 + n)

    page = finance.refunds(RefundFilter(), limit=2)

    assert (page.count, page.total_cents) == (5, 510)
    assert [row.amount_cents for row in page.items] == [104, 103]


def test_paging_walks_past_every_refund_once_even_at_the_same_instant(dana):
    made = {refund_of(dana, NOON).id for _ in range(5)}
    seen, cursor = [], None
    while True:
        page = finance.refunds(RefundFilter(), cursor, limit=2)
        seen += [row.id for row in page.items]
        if not (cursor := page.next_cursor):
            break

    assert len(seen) == 5
    assert set(seen) == made


@pytest.mark.parametrize("cursor", ["x", "2026-11-20T17:00:00+00:00_x", "_", "1_2"])
def test_a_cursor_of_somebody_else_is_refused(app, cursor):
    with pytest.raises(Invalid):
        finance.refunds(RefundFilter(), cursor)


def test_words_find_a_refund_by_name_code_card_or_stripe_id(dana, owen):
    refund_of(dana, NOON, stripe_refund_id="re_dana")
    refund_of(owen, NOON - timedelta(minutes=1))
    code = finance.refunds(RefundFilter(q="whit")).items[0].code

    assert found(q="WHIT") == found(q=code.lower()) == found(q="4242") == ["Dana Whitfield"]
    assert found(q="re_dana") == ["Dana Whitfield"]
    assert found(q=dana.payment.stripe_payment_intent_id) == ["Dana Whitfield"]
    assert found(q=owen.payment.stripe_checkout_session_id) == ["Owen 100% Sato"]
    assert found(q="4444") == ["Owen 100% Sato"]
    assert found(q="re_dan") == []


def test_a_percent_sign_is_a_letter_like_any_other(dana, owen):
    refund_of(dana, NOON)
    refund_of(owen, NOON)

    assert found(q="%") == ["Owen 100% Sato"]


def test_days_are_the_practices_and_both_ends_count(dana):
    midnight = datetime(2026, 11, 20, 5, tzinfo=UTC)  # the 20th begins in New York
    for at in (midnight - timedelta(seconds=1), midnight, midnight + timedelta(days=1)):
        refund_of(dana, at)

    def days(**chosen) -> list[datetime]:
        return [row.requested_at for row in finance.refunds(RefundFilter(**chosen)).items]

    the_20th = date(2026, 11, 20)

    assert days(from_=the_20th, to=the_20th) == [midnight]
    assert days(to=date(2026, 11, 19)) == [midnight - timedelta(seconds=1)]
    assert days(from_=date(2026, 11, 21)) == [midnight + timedelta(days=1)]


def test_status_and_reason_filter_together(dana):
    refund_of(dana, NOON, status=RefundStatus.FAILED, amount_cents=1)
    refund_of(dana, NOON, status=RefundStatus.SUCCEEDED, amount_cents=2)
    refund_of(
        dana, NOON, status=RefundStatus.FAILED, reason=RefundReason.CANCELLATION, amount_cents=4
    )

    chosen = RefundFilter(status=RefundStatus.FAILED, reason=RefundReason.GOODWILL)

    assert finance.refunds(chosen).total_cents == 1
    assert [row.amount_cents for row in finance.refunds_to_export(chosen)] == [1]


def test_a_refund_tells_its_whole_story_newest_first(stripe, work, mail):
    visit = converted(stripe)
    work()
    row = finance.refunds(RefundFilter()).items[0]

    told = finance.refund(row.id)
    story = [moment.what for moment in told.timeline]

    assert [moment.at for moment in told.timeline] == sorted(
        (moment.at for moment in told.timeline), reverse=True
    )
    assert story[-6:] == [
        What.DECIDED,
        What.AGREEMENT_SIGNED,
        What.TREATMENT_BEGAN,
        What.ARRIVED,
        What.PAID,
        What.TERMS_ACCEPTED,
    ]
    assert {What.BECAME_MEMBER, What.REQUESTED, What.SENT, What.ACCEPTED, What.MAILED} <= {*story}
    assert (told.promise_status, told.membership_id) == ("settled", visit.membership_id)
    [agreed] = [moment for moment in told.timeline if moment.what is What.AGREEMENT_SIGNED]
    assert (agreed.actor, agreed.evidence[0], agreed.evidence[2]) == (
        "Priya Shah",
        "agreement v1",
        "Corrective",
    )
    assert told.member_at
    assert told.treatment_began_at


def test_what_a_refund_moved_adds_up(stripe, work, mail):
    converted(stripe)
    work()
    told = finance.refund(finance.refunds(RefundFilter()).items[0].id)

    debit = sum(line.debit_cents for line in told.journal)
    credit = sum(line.credit_cents for line in told.journal)

    assert debit == credit == 3900 * 2 + told.fee_cents


def test_an_unknown_refund_is_not_found(app):
    with pytest.raises(NotFound):
        finance.refund(uuid4())


def test_every_entry_of_a_month_balances_and_so_do_the_accounts(stripe, work, mail):
    converted(stripe)
    work()
    month = datetime.now(patient_pages.practice().zone).date()
    lines = finance.ledger(month)
    totals = finance.trial_balance(month)

    sides = {}
    for line in lines:
        sides[line.entry_id] = sides.get(line.entry_id, 0) + line.debit_cents - line.credit_cents

    assert set(sides.values()) == {0}
    assert {min(line.debit_cents, line.credit_cents) for line in lines} == {0}
    assert sum(total.balance_cents for total in totals) == 0
    assert sum(total.debit_cents for total in totals) == sum(line.debit_cents for line in lines)
    assert sum(total.credit_cents for total in totals) == sum(line.credit_cents for line in lines)


def test_balances_stay_when_a_month_without_movement_follows(stripe, work, mail):
    converted(stripe)
    work()
    month = datetime.now(patient_pages.practice().zone).date()
    later = month + timedelta(days=70)

    now, then = finance.trial_balance(month), finance.trial_balance(later)

    assert finance.ledger(later) == []
    assert [total.balance_cents for total in then] == [total.balance_cents for total in now]
    assert {total.debit_cents for total in then} == {0}


def test_open_cases_come_most_urgent_first_and_name_their_refund(dana, travel):
    row = refund_of(dana, NOON)
    for days, type_ in ((1, CaseType.WORK_STUCK), (0, CaseType.REFUND_FAILED)):
        travel(NOON + timedelta(days=days))
        with transaction() as session:
            cases.open_(session, type_, row.id if days == 0 else uuid4(), "code", 3900)
    with transaction() as session:
        cases.open_(session, CaseType.STRIPE_LOCKED_OUT, gone := uuid4(), "code")
        cases.resolve(session, CaseType.STRIPE_LOCKED_OUT, gone)

    shown = finance.open_cases()

    assert [one.type for one in shown] == [CaseType.REFUND_FAILED, CaseType.WORK_STUCK]
    assert [one.refund_id for one in shown] == [row.id, None]
