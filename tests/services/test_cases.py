from datetime import timedelta
from uuid import uuid4

from booking_service.db import transaction
from booking_service.models import Case, CaseStatus, CaseType
from booking_service.services import cases
from tests.factories import all_of

SUBJECT = uuid4()


def open_case(type_=CaseType.REFUND_FAILED, subject_id=SUBJECT, detail="expired_card", cents=3900):
    with transaction() as session:
        cases.open_(session, type_, subject_id, detail, cents)


def resolve(type_=CaseType.REFUND_FAILED, subject_id=SUBJECT):
    with transaction() as session:
        cases.resolve(session, type_, subject_id)


def test_a_case_says_what_how_much_and_until_when(app, noon):
    open_case()

    [case] = all_of(Case)
    assert (case.type, case.status, case.subject_id) == (
        CaseType.REFUND_FAILED,
        CaseStatus.OPEN,
        SUBJECT,
    )
    assert (case.detail, case.amount_cents, case.owner_id) == ("expired_card", 3900, None)
    assert (case.opened_at, case.due_at) == (noon, noon + timedelta(days=1))


def test_the_same_trouble_is_one_case_while_it_is_open(app, noon, travel):
    open_case()
    travel(noon + timedelta(hours=1))
    open_case(detail="again")
    open_case(type_=CaseType.REFUND_BLOCKED)
    open_case(subject_id=uuid4())

    found = sorted((row.type, row.detail, row.opened_at) for row in all_of(Case))
    later = noon + timedelta(hours=1)
    assert found == [
        (CaseType.REFUND_BLOCKED, "expired_card", later),
        (CaseType.REFUND_FAILED, "expired_card", noon),
        (CaseType.REFUND_FAILED, "expired_card", later),
    ]


def test_trouble_that_comes_back_is_a_new_case(app, noon, travel):
    open_case()
    resolve()
    travel(noon + timedelta(hours=1))
    resolve()
    open_case(detail="again")

    found = {row.detail: (row.status, row.resolved_at) for row in all_of(Case)}
    assert found == {
        "expired_card": (CaseStatus.RESOLVED, noon),
        "again": (CaseStatus.OPEN, None),
    }


def test_resolving_closes_this_trouble_of_this_thing_only(app):
    other = uuid4()
    open_case()
    open_case(subject_id=other)
    open_case(type_=CaseType.REFUND_BLOCKED)

    resolve()

    still_open = {(c.type, c.subject_id) for c in all_of(Case) if c.status is CaseStatus.OPEN}
    assert still_open == {
        (CaseType.REFUND_FAILED, other),
        (CaseType.REFUND_BLOCKED, SUBJECT),
    }
