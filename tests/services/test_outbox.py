from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from booking_service.db import db, transaction
from booking_service.errors import GatewayLockedOut
from booking_service.models import Case, CaseType, OutboxMessage, Topic
from booking_service.queries import state
from booking_service.services import outbox
from booking_service.services.outbox import Patience, Work

NOON = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
LEASE = timedelta(seconds=60)
JANITOR = tuple(timedelta(seconds=s) for s in (300, 3600, 86_400))
PATIENCE = Patience(LEASE, JANITOR, timedelta(hours=23))
NOT_YET, QUICK, BUG = None, 20, 8


@pytest.fixture
def clock(app, travel):
    """Noon, and a way to let seconds pass."""
    travel(NOON)
    return lambda seconds: travel(NOON + timedelta(seconds=seconds))


@pytest.fixture
def message_id(clock):
    return post()


def post(not_before=None):
    subject_id = uuid4()
    with transaction() as session:
        outbox.post(session, Topic.REFUND_REQUESTED, subject_id, not_before)
    db.session.rollback()
    return db.session.query(OutboxMessage).where(OutboxMessage.subject_id == subject_id).one().id


def message(message_id) -> OutboxMessage:
    db.session.rollback()
    return db.session.get_one(OutboxMessage, message_id, populate_existing=True)


def claimed() -> list:
    return [id_ for id_, _ in outbox.claim(LEASE)]


def fail(message_id, *, foreseen=True) -> Work:
    work = outbox.begin(message_id, PATIENCE)
    outbox.postpone(work, PATIENCE, OSError("with a patient's name"), foreseen=foreseen)
    return work


def test_what_is_not_committed_is_not_owed(clock):
    with pytest.raises(ZeroDivisionError), transaction() as session:
        outbox.post(session, Topic.REFUND_REQUESTED, uuid4())
        session.flush()
        1 / 0

    assert claimed() == []


def test_a_message_is_handed_out_once_a_lease_until_it_is_done(message_id, clock):
    assert claimed() == [message_id]
    clock(59)
    assert claimed() == []
    clock(60)
    assert claimed() == [message_id]

    outbox.finish(outbox.begin(message_id, PATIENCE))

    clock(3600)
    assert claimed() == []


def test_a_message_is_not_handed_out_before_its_time(clock):
    due = post(NOON + timedelta(seconds=10))

    clock(9.9)
    assert claimed() == []
    clock(10)
    assert claimed() == [due]


def test_what_waited_longest_is_handed_out_first(clock):
    clock(20)
    late, early = post(NOON + timedelta(seconds=5)), post(NOON + timedelta(seconds=1))

    assert [id_ for id_, _ in outbox.claim(LEASE, limit=1)] == [early]
    assert [id_ for id_, _ in outbox.claim(LEASE, limit=1)] == [late]


def test_what_the_queue_did_not_take_is_due_at_once(message_id):
    claimed()

    outbox.give_back([message_id])

    assert claimed() == [message_id]


def test_what_was_done_meanwhile_is_not_given_back(message_id):
    claimed()
    outbox.finish(outbox.begin(message_id, PATIENCE))

    outbox.give_back([message_id])

    assert message(message_id).lease_until is not None


def test_beginning_counts_the_attempt_before_it_is_made(message_id):
    work = outbox.begin(message_id, PATIENCE)

    assert (work.topic, work.attempts) == (Topic.REFUND_REQUESTED, 1)
    assert message(message_id).attempts == 1


def test_a_worker_keeps_its_message_for_a_lease(message_id, clock):
    claimed()
    clock(30)
    outbox.begin(message_id, PATIENCE)

    clock(89)
    assert claimed() == []
    clock(90)
    assert claimed() == [message_id]


def test_there_is_nothing_to_begin_when_it_is_done_or_too_early(clock):
    done, early = post(), post(NOON + timedelta(seconds=1))
    outbox.finish(outbox.begin(done, PATIENCE))

    assert outbox.begin(done, PATIENCE) is None
    assert outbox.begin(early, PATIENCE) is None
    assert message(early).attempts == 0


def test_tries_are_2_4_8_seconds_apart_and_at_most_a_lease(clock):
    waits = [PATIENCE.before_next(attempts).total_seconds() for attempts in range(1, QUICK)]

    assert waits == [2, 4, 8, 16, 32] + [60] * 14


def test_after_the_quick_tries_the_janitor_takes_its_time_and_then_a_person_looks():
    late = [PATIENCE.before_next(attempts) for attempts in range(QUICK, QUICK + 4)]

    assert late == [*JANITOR, None]


def test_postponing_keeps_the_name_of_the_error_and_nothing_of_its_text(message_id):
    fail(message_id)

    failed = message(message_id)
    assert (failed.last_error, failed.lease_until) == ("OSError", None)
    assert failed.not_before == NOON + timedelta(seconds=2)


def test_work_that_was_tried_often_enough_goes_to_a_person(message_id, clock):
    seconds = 0.0
    for _ in range(QUICK + len(JANITOR)):
        work = fail(message_id)
        wait = PATIENCE.before_next(work.attempts)
        seconds += wait.total_seconds() if wait else 0
        clock(seconds)

    assert work.attempts == QUICK + len(JANITOR)
    assert message(message_id).needs_review_at is not None
    assert outbox.begin(message_id, PATIENCE) is None
    assert claimed() == []
    assert cases() == [("work_stuck", "open", str(message_id))]


def cases() -> list[tuple[str, str, str]]:
    db.session.rollback()
    found = state.state()["exceptions"]
    return [(case["type"], case["status"], case["subject_id"]) for case in found]


def test_what_nobody_foresaw_goes_to_a_person_sooner(message_id, clock):
    for attempt in range(BUG):
        clock(attempt * 60)
        assert message(message_id).needs_review_at is NOT_YET
        fail(message_id, foreseen=False)

    assert message(message_id).needs_review_at is not None


def test_work_that_kills_its_worker_each_time_runs_out_of_attempts(message_id, clock):
    for attempt in range(QUICK + len(JANITOR)):
        clock(attempt * 60)
        assert outbox.begin(message_id, PATIENCE).attempts == attempt + 1

    assert outbox.begin(message_id, PATIENCE) is None
    assert cases() == [("work_stuck", "open", str(message_id))]


def test_a_person_makes_stuck_work_due_again(message_id, clock):
    other = post()
    for stuck in (message_id, other):
        for attempt in range(BUG):
            clock(attempt * 60)
            fail(stuck, foreseen=False)

    assert outbox.replay(message_id) == 1

    assert set(cases()) == {
        ("work_stuck", "resolved", str(message_id)),
        ("work_stuck", "open", str(other)),
    }
    assert claimed() == [message_id]
    assert message(message_id).attempts == 0
    assert outbox.replay() == 1
    assert outbox.replay() == 0


@pytest.fixture
def slept(message_id, clock) -> Work:
    """What a worker was doing when its lease ended and another began the same message."""
    work = outbox.begin(message_id, PATIENCE)
    clock(60)
    outbox.begin(message_id, PATIENCE)
    return work


def test_a_worker_that_slept_through_its_lease_does_not_end_the_work_of_another(slept):
    outbox.finish(slept)

    assert message(slept.message_id).done_at is None


def test_a_worker_that_slept_through_its_lease_does_not_postpone_the_work_of_another(slept):
    outbox.postpone(slept, PATIENCE, OSError(), foreseen=True)

    assert message(slept.message_id).last_error is None
    assert claimed() == []


def locked_out(message_id) -> bool:
    work = outbox.begin(message_id, PATIENCE)
    return outbox.lock_out(work, PATIENCE, GatewayLockedOut("key"))


def locked_out_cases() -> list[tuple[UUID, str]]:
    db.session.rollback()
    wanted = db.session.query(Case).where(Case.type == CaseType.STRIPE_LOCKED_OUT)
    return [(case.subject_id, case.status) for case in wanted]


def test_a_key_stripe_does_not_accept_stops_all_that_needs_stripe_for_a_lease(clock):
    first, other = post(), post()
    with transaction() as session:
        outbox.post(session, Topic.BOOKING_CONFIRMED, uuid4())

    locked_out(first)

    assert [topic for _, topic in outbox.claim(LEASE)] == [Topic.BOOKING_CONFIRMED]
    clock(59)
    assert claimed() == []
    clock(60)
    assert {first, other} <= {*claimed()}


def test_a_wrong_key_is_one_case_for_the_whole_service_and_news_once(clock):
    news = [locked_out(post()) for _ in range(2)]

    assert news == [True, False]
    assert locked_out_cases() == [(outbox.NOBODY, "open")]


def test_however_long_the_key_is_wrong_no_work_is_given_up(message_id, clock):
    for minute in range(100):
        clock(60 * minute)
        locked_out(message_id)

    assert message(message_id).attempts == 0
    assert message(message_id).needs_review_at is None


def test_counting_a_wrong_key_as_an_attempt_would_give_the_work_up(message_id, clock):
    """The control: what a lock-out is not."""
    for hour in range(80):
        clock(3600 * hour)
        if work := outbox.begin(message_id, PATIENCE):
            outbox.postpone(work, PATIENCE, GatewayLockedOut("key"), foreseen=True)

    assert message(message_id).needs_review_at is not None


def test_the_case_closes_itself_when_stripe_is_asked_with_success(message_id, clock):
    locked_out(message_id)
    clock(60)

    outbox.finish(outbox.begin(message_id, PATIENCE))

    assert locked_out_cases() == [(outbox.NOBODY, "resolved")]


def test_a_mail_that_was_sent_says_nothing_about_the_key(message_id, clock):
    locked_out(message_id)
    with transaction() as session:
        outbox.post(session, Topic.BOOKING_CONFIRMED, uuid4())
    [(mail, _)] = outbox.claim(LEASE)

    outbox.finish(outbox.begin(mail, PATIENCE))

    assert locked_out_cases() == [(outbox.NOBODY, "open")]
