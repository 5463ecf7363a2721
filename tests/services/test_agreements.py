"""The membership agreement: who may sign, when, for what; and what a membership stands on."""

import hashlib
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError, IntegrityError

from booking_service.clock import utc_now
from booking_service.db import db, transaction
from booking_service.errors import AgreementChanged, Invalid, NotAllowed, NotSigned
from booking_service.languages import Language
from booking_service.models import (
    Actor,
    ActorKind,
    AgreementSignature,
    AgreementVersion,
    AuditRow,
    Booking,
    BookingStatus,
    ChargeStatus,
    Membership,
    OutboxMessage,
    Plan,
    Promise,
    PromiseStatus,
    SignedHow,
    Tender,
    Topic,
)
from booking_service.services import demo_data, memberships, patients, visit_steps
from booking_service.services.agreements import Ground
from booking_service.services.memberships import Tendered
from tests.factories import (
    PRIYA,
    all_of,
    booking,
    change,
    in_treatment,
    paid,
    plan,
    signed,
)

pytestmark = pytest.mark.usefixtures("seeded", "noon")

PROGRAM = Actor(ActorKind.TOKEN, None, "the practice's own software")


@pytest.fixture
def visit(stripe):
    made = paid(stripe)
    visit_steps.arrive(made.booking_id, PRIYA)
    return made


@pytest.fixture
def treated(stripe):
    return in_treatment(stripe)


def convert(visit, ground=Ground.SIGNATURE, plan_name="Corrective", actor=PRIYA):
    tendered = Tendered(Tender.SAVED_CARD)
    membership_id, _ = memberships.convert(
        visit.booking_id,
        plan(plan_name).id,
        tendered,
        actor,
        timedelta(seconds=10),
        agreement=ground,
    )
    [membership] = [one for one in all_of(Membership) if one.id == membership_id]
    return membership


def signatures() -> list[AgreementSignature]:
    return sorted(all_of(AgreementSignature), key=lambda row: row.number)


def publish(version: int) -> None:
    with transaction() as session:
        session.add(
            AgreementVersion(
                version=version,
                text="Other words.",
                text_hash=digest("Other words."),
                text_es="Otras palabras.",
                text_hash_es=digest("Otras palabras."),
                published_at=utc_now(),
            )
        )


def digest(words: str) -> str:
    return hashlib.sha256(words.encode()).hexdigest()


def test_the_sample_says_that_counsel_has_to_review_it_and_is_written_once(seeded):
    [sample] = all_of(AgreementVersion)

    assert (sample.version, sample.text) == (1, demo_data.AGREEMENT)
    assert "It needs review by the practice's counsel" in sample.text
    assert "Los asesores legales de la clínica deben revisarlo" in sample.text_es
    assert (sample.text_hash, sample.text_hash_es) == (digest(sample.text), digest(sample.text_es))


def test_a_signature_keeps_what_was_read_by_whom_and_from_where(visit, noon):
    signed(visit.booking_id, name=" Dana  Whitfield ", user_agent="x" * 500)

    [row] = signatures()
    assert (row.booking_id, row.number, row.how) == (visit.booking_id, 1, SignedHow.PHONE)
    assert (row.plan_id, row.price_cents, row.visits_a_month) == (plan().id, 14900, 4)
    assert (row.language, row.text_hash) == (Language.EN, digest(demo_data.AGREEMENT))
    assert (row.signed_name, row.address, row.seen_by) == ("Dana Whitfield", "203.0.113.9", None)
    assert (row.signed_at, len(row.user_agent)) == (noon, 400)
    [told] = [one for one in all_of(AuditRow) if one.action == "agreement.signed"]
    assert (told.actor_kind, told.subject_id) == (ActorKind.PATIENT, visit.booking_id)
    assert told.after == {"signature": str(row.id), "plan": str(plan().id), "how": "phone"}


def test_who_reads_spanish_signs_the_spanish_text(visit):
    signed(visit.booking_id, language=Language.ES)

    [row] = signatures()
    assert (row.language, row.text_hash) == (Language.ES, digest(demo_data.AGREEMENT_ES))


def test_signing_the_same_twice_is_once(visit):
    first, second = signed(visit.booking_id), signed(visit.booking_id)

    assert first == second
    assert len(signatures()) == 1
    owed = [one for one in all_of(OutboxMessage) if one.topic is Topic.AGREEMENT_SIGNED]
    assert [one.subject_id for one in owed] == [first]


def test_the_last_signature_of_a_visit_counts(treated):
    for name in ("Corrective", "Wellness", "Corrective"):
        signed(treated.booking_id, name)

    rows = signatures()
    assert [row.number for row in rows] == [1, 2, 3]
    assert convert(treated).signature_id == rows[-1].id


@pytest.mark.parametrize("name", ["", "   ", "12345", "=1+1", "x" * 101])
def test_a_name_that_is_none_signs_nothing(visit, name):
    with pytest.raises(Invalid) as refused:
        signed(visit.booking_id, name=name)

    assert [error.field for error in refused.value.errors] == ["name"]
    assert signatures() == []


def test_a_plan_that_is_not_on_sale_is_not_signed_for(visit):
    change(Plan, plan().id, is_on_sale=False)

    with pytest.raises(Invalid):
        signed(visit.booking_id)


@pytest.mark.parametrize("status", BookingStatus)
def test_signing_is_open_from_check_in_to_the_end_of_the_visit(visit, status):
    opens = status in (BookingStatus.ARRIVED, BookingStatus.IN_TREATMENT)
    was_here = opens or status is BookingStatus.COMPLETED
    steps = {} if was_here else {"arrived_at": None, "treatment_began_at": None}
    change(Booking, visit.booking_id, status=status, **steps)

    if opens:
        signed(visit.booking_id)
    else:
        with pytest.raises(NotAllowed):
            signed(visit.booking_id)

    assert len(signatures()) == int(opens)


def test_signing_ends_with_the_practices_day(visit, travel):
    midnight = booking(visit.booking_id).starts_at.replace(hour=5, minute=0) + timedelta(days=1)
    travel(midnight - timedelta(seconds=1))
    signed(visit.booking_id)
    travel(midnight)

    with pytest.raises(NotAllowed):
        signed(visit.booking_id, "Wellness")


def test_nothing_is_signed_once_the_money_went_back(visit):
    [promise] = all_of(Promise)
    change(Promise, promise.id, status=PromiseStatus.VOID)

    with pytest.raises(NotAllowed):
        signed(visit.booking_id)


@pytest.mark.parametrize("shown", [{"version": 2}, {"price_cents": 100}], ids=["text", "price"])
def test_what_was_not_shown_is_not_signed(visit, shown):
    with pytest.raises(AgreementChanged):
        signed(visit.booking_id, **shown)

    assert signatures() == []


def test_a_newer_text_is_signed_anew_and_ends_no_signature(treated):
    signed(treated.booking_id)
    publish(2)

    assert convert(treated).signature_id == signatures()[0].id
    change(Membership, all_of(Membership)[0].id, charge_status=ChargeStatus.DECLINED)
    signed(treated.booking_id, version=2)
    assert [row.number for row in signatures()] == [1, 2]


def test_a_started_membership_ends_signing_and_a_declined_one_does_not(treated):
    signed(treated.booking_id)
    membership = convert(treated)
    with pytest.raises(NotAllowed):
        signed(treated.booking_id, "Wellness")

    change(Membership, membership.id, charge_status=ChargeStatus.DECLINED)
    other = signed(treated.booking_id, "Wellness")

    assert convert(treated, plan_name="Wellness").signature_id == other


def test_a_membership_stands_on_the_signature_for_its_plan(treated):
    signature_id = signed(treated.booking_id)

    assert convert(treated).signature_id == signature_id


@pytest.mark.parametrize(
    ("has_signed", "said"),
    [
        (None, "The agreement isn't signed yet. Ask to sign for Corrective on the phone,"),
        ("Wellness", "The agreement is signed for Wellness. Ask to sign for Corrective on the"),
        ("Corrective", "The price of Corrective has changed since it was signed. Ask to sign"),
    ],
    ids=["nothing", "another plan", "another price"],
)
def test_without_its_signature_no_membership_is_started_and_why_is_said(treated, has_signed, said):
    if has_signed:
        signed(treated.booking_id, has_signed)
    change(Plan, plan().id, price_cents=15900)

    with pytest.raises(NotSigned) as refused:
        convert(treated)

    assert str(refused.value).startswith(said)
    assert str(refused.value).endswith("or tick that it is signed on paper.")
    assert all_of(Membership) == []


def test_paper_is_kept_with_who_saw_it(treated, noon):
    signed(treated.booking_id, "Wellness")

    membership = convert(treated, Ground.PAPER)

    row = signatures()[-1]
    assert membership.signature_id == row.id
    assert (row.number, row.how, row.seen_by) == (2, SignedHow.PAPER, "Priya Shah")
    assert (row.signed_name, row.address, row.user_agent) == (None, None, None)
    assert (row.plan_id, row.signed_at, row.language) == (plan().id, noon, Language.EN)
    owed = [one for one in all_of(OutboxMessage) if one.topic is Topic.AGREEMENT_SIGNED]
    assert len(owed) == 1


def test_paper_beside_a_signature_on_the_phone_is_no_second_one(treated):
    signature_id = signed(treated.booking_id)

    assert convert(treated, Ground.PAPER).signature_id == signature_id
    assert len(signatures()) == 1


def test_a_program_answers_for_the_signature_itself(treated):
    membership = convert(treated, Ground.PROGRAM, actor=PROGRAM)

    assert membership.signature_id is None
    [told] = [one for one in all_of(AuditRow) if one.action == "membership.convert"]
    assert (told.actor_kind, told.after["agreement"]) == (ActorKind.TOKEN, "program")


def test_a_program_names_the_signature_there_is(treated):
    signature_id = signed(treated.booking_id)

    assert convert(treated, Ground.PROGRAM, actor=PROGRAM).signature_id == signature_id


def test_before_an_agreement_is_published_nothing_is_signed(stripe, unpublished):
    treated = in_treatment(stripe)
    with pytest.raises(NotAllowed):
        signed(treated.booking_id)
    with pytest.raises(NotSigned, match="No agreement is published yet"):
        convert(treated, Ground.PAPER)

    assert convert(treated, Ground.PROGRAM).signature_id is None


@pytest.fixture
def unpublished(app, seeded):
    with db.engine.begin() as connection:
        connection.execute(text("TRUNCATE agreement_versions CASCADE"))


# --- what the database keeps ----------------------------------------------------------------------

KEPT = {
    "a signature's plan": "UPDATE agreement_signatures SET price_cents = 1",
    "a signature's name": "UPDATE agreement_signatures SET signed_name = 'Robin Hale'",
    "a signature": "DELETE FROM agreement_signatures",
    "its plan, under cover of forgetting": "UPDATE agreement_signatures SET price_cents = 1,"
    " signed_name = 'Erased', address = 'erased', user_agent = 'erased'",
    "a text": "UPDATE agreement_versions SET text = 'Another'",
    "a version": "DELETE FROM agreement_versions",
}


@pytest.mark.parametrize("change_it", KEPT.values(), ids=KEPT)
def test_the_database_keeps_texts_and_signatures_as_they_are(visit, change_it):
    signed(visit.booking_id)

    with pytest.raises(DatabaseError, match="append-only"), db.engine.begin() as connection:
        connection.execute(text(change_it))


@pytest.mark.parametrize(
    "change_it", [words for words in KEPT.values() if "agreement_signatures" in words]
)
def test_without_its_trigger_the_database_would_not_keep_signatures(visit, change_it):
    signed(visit.booking_id)
    drop = "DROP TRIGGER agreement_signatures_append_only ON agreement_signatures"

    with db.engine.connect() as connection:
        connection.execute(text(drop))
        changed = connection.execute(text(change_it)).rowcount
        connection.rollback()

    assert changed == 1


@pytest.mark.parametrize(
    "facts",
    [{"signed_name": None}, {"seen_by": "Priya Shah"}, {"how": SignedHow.PAPER}, {"number": 1}],
    ids=["nobody's name", "two ways", "paper nobody saw", "the same number"],
)
def test_the_database_refuses_a_signature_nobody_answers_for(visit, facts):
    signed(visit.booking_id)
    [row] = signatures()
    columns = {c.name: getattr(row, c.name) for c in AgreementSignature.__table__.columns}
    another = {**columns, "id": visit.booking_id, "number": 2, **facts}

    with pytest.raises(IntegrityError), transaction() as session:
        session.add(AgreementSignature(**another))


def test_who_is_forgotten_leaves_the_proof_and_not_the_name(visit):
    signed(visit.booking_id)
    [before] = signatures()
    visit_steps.complete(visit.booking_id, PRIYA)

    patients.erase(booking(visit.booking_id).patient_id, PRIYA)

    [row] = signatures()
    assert (row.signed_name, row.address, row.user_agent) == ("Erased", "erased", "erased")
    assert (row.price_cents, row.text_hash, row.signed_at) == (
        before.price_cents,
        before.text_hash,
        before.signed_at,
    )


def test_paper_has_nothing_to_forget(stripe):
    visit = in_treatment(stripe)
    membership = convert(visit, Ground.PAPER)
    memberships.undo(membership.id, PRIYA)
    visit_steps.complete(visit.booking_id, PRIYA)

    patients.erase(booking(visit.booking_id).patient_id, PRIYA)

    assert [row.seen_by for row in signatures()] == ["Priya Shah"]


def test_the_window_for_signing_is_that_for_starting_a_membership(stripe, travel):
    """Whoever can be made a member can sign: the two rules stand apart and must not part."""
    visit = in_treatment(stripe)
    begins = booking(visit.booking_id).starts_at.replace(hour=5, minute=0)
    answers = []
    for at in (begins, begins + timedelta(hours=23, minutes=59), begins + timedelta(days=1)):
        travel(at)
        answers.append((may(signed, visit.booking_id), may(convert, visit)))
        if answers[-1][1]:
            memberships.undo(all_of(Membership)[-1].id, PRIYA)

    assert answers == [(True, True), (True, True), (False, False)]


def may(do, *args) -> bool:
    try:
        do(*args)
    except NotAllowed:
        return False
    return True
