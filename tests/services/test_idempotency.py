from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from uuid import UUID

import pytest

from booking_service.errors import IdempotencyKeyInUse, IdempotencyKeyReused, Invalid
from booking_service.services.idempotency import Answer, claim, give_up, keep

CALLER = "public POST /api/v1/bookings"
ANSWER = Answer(201, {"id": "b-1"})
NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)


def answered(key="k-1", body="hash") -> UUID:
    claim_id = claim(CALLER, key, body)
    assert isinstance(claim_id, UUID)
    keep(claim_id, ANSWER)
    return claim_id


def test_the_same_request_gets_the_first_answer_again(app):
    answered()

    assert claim(CALLER, "k-1", "hash") == ANSWER


def test_a_key_is_not_for_another_body(app):
    answered()

    with pytest.raises(IdempotencyKeyReused):
        claim(CALLER, "k-1", "another hash")


def test_a_key_without_an_answer_is_in_use(app):
    claim(CALLER, "k-1", "hash")

    with pytest.raises(IdempotencyKeyInUse):
        claim(CALLER, "k-1", "hash")


def test_another_caller_may_use_the_same_key(app):
    answered()

    assert isinstance(claim("token:1 POST /api/v1/bookings", "k-1", "hash"), UUID)


def test_a_request_that_failed_may_be_tried_again(app):
    give_up(claim(CALLER, "k-1", "hash"))

    assert isinstance(claim(CALLER, "k-1", "hash"), UUID)


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_a_key_has_1_to_255_characters(app, key):
    with pytest.raises(Invalid) as refused:
        claim(CALLER, key, "hash")

    assert [error.field for error in refused.value.errors] == ["Idempotency-Key"]


def test_a_key_of_255_characters_is_kept_whole(app):
    answered("k" * 255)

    assert claim(CALLER, "k" * 255, "hash") == ANSWER


def test_an_answer_is_kept_for_a_day(app, travel):
    travel(NOW)
    answered()

    travel(NOW + timedelta(hours=24))
    assert claim(CALLER, "k-1", "hash") == ANSWER
    travel(NOW + timedelta(hours=24, seconds=1))
    assert isinstance(claim(CALLER, "k-1", "another hash"), UUID)


def test_a_key_whose_request_died_is_free_after_a_minute(app, travel):
    travel(NOW)
    claim(CALLER, "k-1", "hash")

    travel(NOW + timedelta(seconds=60))
    with pytest.raises(IdempotencyKeyInUse):
        claim(CALLER, "k-1", "hash")
    travel(NOW + timedelta(seconds=61))
    assert isinstance(claim(CALLER, "k-1", "hash"), UUID)


def test_a_late_answer_does_not_overwrite_whoever_tried_again(app, travel):
    travel(NOW)
    late = claim(CALLER, "k-1", "hash")
    travel(NOW + timedelta(seconds=61))
    keep(claim(CALLER, "k-1", "hash"), ANSWER)

    keep(late, Answer(201, {"id": "b-2"}))

    assert claim(CALLER, "k-1", "hash") == ANSWER


def test_of_many_requests_at_once_one_does_the_work(app):
    start = Barrier(4)

    def ask(_number: int) -> str:
        with app.app_context():
            start.wait()
            try:
                claim(CALLER, "k-1", "hash")
            except IdempotencyKeyInUse:
                return "in use"
            return "claimed"

    with ThreadPoolExecutor(4) as pool:
        outcomes = sorted(pool.map(ask, range(4)))

    assert outcomes == ["claimed", "in use", "in use", "in use"]
