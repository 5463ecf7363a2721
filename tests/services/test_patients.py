import string
import unicodedata
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from booking_service.db import transaction
from booking_service.errors import Invalid, NotAllowed, NotANewPatient, NotFound
from booking_service.models import (
    Booking,
    BookingStatus,
    Notification,
    NotificationStatus,
    Patient,
    Payment,
    Refund,
    RefundReason,
    RefundStatus,
    name_key,
)
from booking_service.services import patients, refunds, visit_steps
from booking_service.services.patient_details import PatientDetails, read_details
from tests.factories import (
    HALF_AN_HOUR,
    PRIYA,
    all_of,
    booking,
    change,
    converted,
    details,
    free_slot,
    hold,
    paid,
)

GOOD = {"name": "Dana Whitfield", "email": "dana@example.com", "phone": "518 555 0178"}
# Lone surrogates come in JSON; a form cannot send them.
ANY_TEXT = st.text(st.characters())
NEARLY = st.text(st.sampled_from("=+-@ ()._0123456789ad\r\n\t\0\u202e\u200d\u0301\xe9\u0130"))
PHONES = st.text(string.digits + "+-(). x", max_size=20)


def refused(**typed) -> list[str]:
    """Which fields are wrong."""
    try:
        read_details(**{**GOOD, **typed})
    except Invalid as invalid:
        return [error.field for error in invalid.errors]
    return []


def assert_clean(read: PatientDetails) -> None:
    assert 1 <= len(read.name) <= 100
    assert read.name == unicodedata.normalize("NFC", " ".join(read.name.split(" ")))
    assert not read.name.startswith(("=", "+", "-", "@", " "))
    kinds = {unicodedata.category(c) for c in read.name if c not in " \u200c\u200d"}
    assert {kind[0] for kind in kinds} <= set("LMNPS")
    assert any(kind[0] == "L" for kind in kinds)
    assert read.email == read.email.lower()
    assert len(read.email) <= 254
    assert read.email.count("@") == 1
    assert not any(c.isspace() or not c.isprintable() for c in read.email)
    assert read.phone[0] == "+"
    assert set(read.phone[1:]) <= set(string.digits)
    assert 7 <= len(read.phone[1:]) <= 15


@given(
    name=ANY_TEXT | NEARLY,
    email=ANY_TEXT | NEARLY | st.emails(),
    phone=ANY_TEXT | PHONES | st.just("5185550178"),
)
@example(name="\u200d", email="a@example.com", phone="5185550178")
@example(name="\u0301", email="a@example.com", phone="5185550178")
@example(name="Dana", email="\u0130@example.com", phone="5185550178")
@example(name="Dana", email="\ud800@example.com", phone="\ud800")
@example(name="Dana", email="a@example.com", phone="555 0178")
@hypothesis(max_examples=400, deadline=None)
def test_whatever_is_typed_is_refused_by_field_or_clean(name, email, phone):
    try:
        read = read_details(name, email, phone)
    except Invalid as invalid:
        fields = [error.field for error in invalid.errors]
        assert fields == sorted(set(fields), key=("name", "email", "phone").index) != []
    else:
        assert_clean(read)


@given(st.text(st.characters(categories=["L", "M", "N", "P", "S"]), min_size=1, max_size=60))
@example("Zoë 🙂 O’Neil-Łęcki")
@example("  दाना   व्हिटफ़ील्ड ")
@hypothesis(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)
def test_what_was_read_is_stored_and_read_back_as_it_was(app, seeded, name):
    if refused(name=name):
        return
    read = read_details(name, "Dana@Example.COM", "(518) 555-0178")
    booking_id = hold()

    patients.set_details(booking_id, read, HALF_AN_HOUR)

    [stored] = [p for p in all_of(Patient) if p.id == booking(booking_id).patient_id]
    assert (stored.name, stored.email, stored.phone) == (
        read.name,
        "dana@example.com",
        "+15185550178",
    )
    assert stored.name_key == name_key(read.name)
    change(Booking, booking_id, status=BookingStatus.EXPIRED)  # or it would count for the next


def test_every_wrong_field_is_named_with_its_code():
    with pytest.raises(Invalid) as invalid:
        read_details(" ", "dana", "12", booked_by="=Ada")

    assert [(error.field, error.code) for error in invalid.value.errors] == [
        ("name", "missing"),
        ("booked_by", "not_a_name"),
        ("email", "not_an_email"),
        ("phone", "not_a_phone"),
    ]


@pytest.mark.parametrize(
    "name",
    [
        "D" * 101,
        "D" * 1_000_000,
        "Dana\0Whitfield",
        "Dana\u202eWhitfield",
        "Dana\u2066Whitfield",
        "Dana\nBcc: x@example.com",
        "=HYPERLINK(1)",
        "+15185550178",
        "-1",
        "@SUM(A1)",
        "  =1+1",
        "\u200d",
        "\u200c\u0301",
        "518",
        "...",
        "🙂",
        "\ud800",
        "",
    ],
    ids=lambda text: f"{text[:20]!a} {len(text)}",
)
def test_what_is_no_name_is_refused(name):
    assert refused(name=name) == ["name"]


def test_names_keep_their_signs_and_lose_their_extra_spaces():
    typed = [
        "D" * 100,
        " Dana   Whitfield ",
        "Zoë 🙂 O’Neil-Łęcki",
        "Nguye\u0302\u0303n",
        "J. R. 3rd",
    ]

    assert [details(name=name).name for name in typed] == [
        "D" * 100,
        "Dana Whitfield",
        "Zoë 🙂 O’Neil-Łęcki",
        "Nguyễn",
        "J. R. 3rd",
    ]


@pytest.mark.parametrize(
    "email",
    [
        "dana@example.com\r\nBcc: x@example.com",
        "dana@example.com\nx",
        "dana@example.com, x@example.com",
        "Dana <dana@example.com>",
        "dana@@example.com",
        "dana@example",
        "dana@localhost",
        "dana@[127.0.0.1]",
        "dana\0@example.com",
        "dana\u202e@example.com",
        '"a b"@example.com',
        f"{'d' * 250}@example.com",
        "d" * 1_000_000,
    ],
    ids=lambda text: f"{text[:30]!a} {len(text)}",
)
def test_what_is_no_email_address_is_refused(email):
    assert refused(email=email) == ["email"]


def test_email_addresses_are_compared_without_case_and_outer_spaces():
    assert details(email="  Dana.W+visit@EXAMPLE.com ").email == "dana.w+visit@example.com"


@pytest.mark.parametrize(
    "phone",
    [
        "5185550178",
        "518 555 0178",
        "518-555-0178",
        "518.555.0178",
        "(518) 555-0178",
        "(518)5550178",
        "1 518 555 0178",
        "1-518-555-0178",
        "+1 (518) 555-0178",
        "+15185550178",
        " 518 555 0178 ",
        "tel:+1-518-555-0178",
        "".join(chr(ord(c) + 0xFEE0) if c.isdigit() else c for c in "518 555 0178"),  # full width
    ],
)
def test_a_number_is_the_same_however_it_is_written(phone):
    assert details(phone=phone).phone == "+15185550178"


def test_a_number_of_another_country_is_kept_with_its_code():
    assert details(phone="+44 20 7946 0958").phone == "+442079460958"


@pytest.mark.parametrize(
    "phone",
    ["", "555 0178", "911", "518 555 017", "518 555 01789", "dana", "+", "5" * 41, "5" * 1_000_000],
    ids=lambda text: f"{text[:14]} {len(text)}",
)
def test_what_is_no_number_is_refused(phone):
    assert refused(phone=phone) == ["phone"]


def test_the_offer_is_for_a_first_visit_only(seeded, noon, stripe):
    paid(stripe)
    asked = {
        "same person": {},
        "by phone": {"email": "other@example.com"},
        "by email": {"phone": "518 555 0199"},
        "in other letters": {
            "name": " dana   WHITFIELD",
            "email": "DANA@example.com",
            "phone": "518 555 0199",
        },
        "phone alone": {"name": "Robin Whitfield", "email": "robin@example.com"},
        "email alone": {"name": "Robin Whitfield", "phone": "518 555 0199"},
        "name alone": {"email": "other@example.com", "phone": "518 555 0199"},
    }

    said = {}
    for nth, (who, typed) in enumerate(asked.items()):
        booking_id = hold(free_slot(5 + nth))
        try:
            patients.set_details(booking_id, details(**{**GOOD, **typed}), HALF_AN_HOUR)
        except NotANewPatient as error:
            said[who] = str(error)

    # One sentence for all, which tells a stranger nothing.
    sentence = "This offer is for a first visit. You haven't been charged. Please call us to book."
    known = ["same person", "by phone", "by email", "in other letters"]
    assert said == dict.fromkeys(known, sentence)


def test_a_typing_error_is_corrected_before_paying(seeded, noon):
    booking_id = hold()
    patients.set_details(booking_id, details(phone="518 555 0177"), HALF_AN_HOUR)

    patients.set_details(booking_id, details(name="DANA Whitfield"), HALF_AN_HOUR)

    [patient] = all_of(Patient)
    assert (patient.name, patient.phone) == ("DANA Whitfield", "+15185550178")
    assert booking(booking_id).patient_id == patient.id


def test_details_hold_the_time_from_now_on(seeded, noon, travel):
    booking_id = hold()
    travel(noon + HALF_AN_HOUR / 2)

    patients.set_details(booking_id, details(), HALF_AN_HOUR)

    assert booking(booking_id).hold_expires_at == noon + HALF_AN_HOUR * 1.5


@pytest.fixture
def forgettable(seeded, noon, stripe):
    """Somebody whose visit is over and whose money is settled."""
    visit = paid(stripe)
    visit_steps.arrive(visit.booking_id, PRIYA)
    visit_steps.complete(visit.booking_id, PRIYA)
    return visit


def refuses(patient_id) -> str | None:
    """Why somebody cannot be forgotten yet."""
    try:
        patients.erase(patient_id, PRIYA)
    except NotAllowed as refused:
        return str(refused)
    return None


def test_mails_to_somebody_forgotten_are_not_sent(forgettable, mail, work):
    patients.erase(booking(forgettable.booking_id).patient_id, PRIYA)

    work()

    assert mail.letters == []
    assert [row.status for row in all_of(Notification)] == [NotificationStatus.SKIPPED]


def test_two_who_are_forgotten_stay_two(forgettable, stripe):
    other = paid(stripe, slot=free_slot(5), name="Robin Hale", email="robin@example.com")
    visit_steps.arrive(other.booking_id, PRIYA)
    visit_steps.complete(other.booking_id, PRIYA)

    for visit in (forgettable, other):
        patients.erase(booking(visit.booking_id).patient_id, PRIYA)

    assert [patient.name for patient in all_of(Patient)] == ["Erased", "Erased"]


def test_nobody_is_forgotten_while_something_is_still_to_come(forgettable, noon):
    patient_id = booking(forgettable.booking_id).patient_id
    answers = {}
    for status in BookingStatus:
        times = ("arrived_at", "completed_at")
        change(Booking, forgettable.booking_id, status=status, **dict.fromkeys(times))
        answers[status.value] = refuses(patient_id) is not None
        change(Patient, patient_id, erased_at=None)

    waits = {"held", "confirmed", "arrived", "in_treatment"}
    assert answers == {status.value: status.value in waits for status in BookingStatus}


def test_nobody_is_forgotten_while_money_is_on_its_way(forgettable, noon):
    patient_id = booking(forgettable.booking_id).patient_id
    with transaction() as session:
        refunds.request(session, forgettable.payment.id, RefundReason.CANCELLATION, "Priya Shah")
    [refund] = all_of(Refund)
    answers = {}
    for status in RefundStatus:
        change(Refund, refund.id, status=status)
        answers[status.value] = refuses(patient_id)
        change(Patient, patient_id, erased_at=None)

    settled = ("succeeded", "external", "settled_otherwise")
    words = "Not yet: money is on its way back."
    assert answers == {s.value: None if s.value in settled else words for s in RefundStatus}


def test_nobody_is_forgotten_while_a_bank_asks_or_a_choice_is_open(forgettable, noon):
    patient_id = booking(forgettable.booking_id).patient_id
    words = "Not yet: money is on its way back."

    change(Payment, forgettable.payment.id, disputed_at=noon)
    assert refuses(patient_id) == words
    change(Payment, forgettable.payment.id, disputed_at=None)
    change(Booking, forgettable.booking_id, choose_until=noon)
    assert refuses(patient_id) == words


def test_a_member_is_not_forgotten(seeded, noon, stripe, mail, work):
    visit = converted(stripe)
    work()
    visit_steps.complete(visit.booking_id, PRIYA)

    assert refuses(booking(visit.booking_id).patient_id) == (
        "Not yet: the membership has to end first."
    )


def test_nobody_else_is_forgotten(seeded):
    with pytest.raises(NotFound):
        patients.erase(uuid4(), PRIYA)
