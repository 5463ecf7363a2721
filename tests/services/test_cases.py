from datetime import timedelta
from uuid import uuid4

from booking_service.clock import utc_now
from booking_service.db import transaction
from booking_service.models import Case, CaseStatus, CaseType, Role
from booking_service.services import cases
from tests.case_makers import hired
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


def test_the_fiftieth_case_of_a_connection_opens_like_the_first(app):
    """PostgreSQL prepares a statement it has seen often, and reads it more strictly then."""
    for _ in range(50):
        open_case(subject_id=uuid4())

    assert len(all_of(Case)) == 50


def test_a_new_case_goes_to_whoever_of_finance_has_the_fewest(app):
    ana, ben = hired("Ana Ruiz"), hired("Ben Okafor")
    hired("Dee Moss", Role.FRONT_DESK)
    hired("Gone Away", disabled_at=utc_now())

    for _ in range(4):
        open_case(subject_id=uuid4())

    assert sorted(row.owner_id for row in all_of(Case)) == sorted([ana.id, ben.id] * 2)


def test_a_case_is_due_when_its_kind_or_the_bank_says(app, noon):
    with transaction() as session:
        cases.open_(session, CaseType.STRIPE_LOCKED_OUT, SUBJECT, "code")
        cases.open_(session, CaseType.DISPUTE_OPEN, SUBJECT, "fraudulent", due_at=noon)

    due = {row.type: row.due_at for row in all_of(Case)}
    assert due == {
        CaseType.STRIPE_LOCKED_OUT: noon + timedelta(hours=1),
        CaseType.DISPUTE_OPEN: noon,
    }
