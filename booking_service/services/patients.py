"""Patients: reading what they typed, and whether the offer is still for them."""

import unicodedata
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from sqlalchemy import exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.db import transaction
from booking_service.errors import FieldError, Invalid, NotANewPatient
from booking_service.models import VISITING, Booking, Membership, Patient, name_key
from booking_service.services import bookings

_LONGEST_NAME: Final = 100
_LONGEST_EMAIL: Final = 254
_LONGEST_PHONE: Final = 40
# Letters, marks, numbers, punctuation, symbols and plain spaces; the joiners are part of words.
_WORD_JOINERS: Final = "\u200c\u200d"
_FORMULA_LEADS: Final = ("=", "+", "-", "@")


@dataclass(frozen=True, slots=True)
class PatientDetails:
    """Who is coming, cleaned: e-mail in lower case, phone as E.164."""

    name: str
    email: str
    phone: str
    locale: str


def read_details(name: str, email: str, phone: str, locale: str = "en-US") -> PatientDetails:
    """Clean what a person typed.

    Raises:
        Invalid: with one error for each field, in words that say what to type instead.
    """
    errors: list[FieldError] = []
    cleaned_name = " ".join(unicodedata.normalize("NFC", name).split())
    if not cleaned_name:
        errors.append(FieldError("name", "missing", "Enter your full name"))
    elif len(cleaned_name) > _LONGEST_NAME:
        detail = f"Enter a name of {_LONGEST_NAME} letters or fewer"
        errors.append(FieldError("name", "too_long", detail))
    elif not _is_a_name(name):
        detail = "Enter your name in letters, without special signs"
        errors.append(FieldError("name", "not_a_name", detail))
    read_email = _email(email)
    if read_email is None:
        detail = "Enter an email address like name@example.com"
        errors.append(FieldError("email", "not_an_email", detail))
    read_phone = _phone(phone)
    if read_phone is None:
        detail = "Enter a mobile number with 10 digits, like 518 555 0142"
        errors.append(FieldError("phone", "not_a_phone", detail))
    if errors or read_email is None or read_phone is None:
        raise Invalid(*errors)
    return PatientDetails(cleaned_name, read_email, read_phone, locale)


def set_details(booking_id: UUID, details: PatientDetails, lifetime: timedelta) -> None:
    """Say who a held time is for, and hold it for `lifetime` from now.

    Raises:
        HoldEnded: the time is not held any more.
        NotANewPatient: this person has had a first visit, or is a member.
    """
    wanted = Patient(
        name=details.name,
        name_key=name_key(details.name),
        email=details.email,
        phone=details.phone,
        locale=details.locale,
    )
    with transaction() as session:
        booking = bookings.held(session, booking_id)
        refuse_if_known(session, wanted)
        upsert = insert(Patient).values(
            name=wanted.name,
            name_key=wanted.name_key,
            email=wanted.email,
            phone=wanted.phone,
            locale=wanted.locale,
        )
        # Only somebody without a visit comes this far: correcting a typing error is all it does.
        booking.patient_id = session.scalar(
            upsert.on_conflict_do_update(
                index_elements=[Patient.name_key, Patient.email],
                set_={"name": wanted.name, "phone": wanted.phone, "locale": wanted.locale},
            ).returning(Patient.id)
        )
        booking.hold_expires_at = utc_now() + lifetime


def refuse_if_known(session: Session, patient: Patient) -> None:
    """Refuse the offer to somebody who has used it: the same name with the same phone or e-mail.

    The answer says only what the offer is for. It never tells a stranger that an address or a
    number is known: both halves must be known already to get it.

    Raises:
        NotANewPatient: they have a first visit, past or to come, or a membership.
    """
    same_person = (Patient.name_key == patient.name_key) & (
        (Patient.email == patient.email) | (Patient.phone == patient.phone)
    )
    has_visit = exists().where(Booking.patient_id == Patient.id, Booking.status.in_(VISITING))
    is_member = exists().where(Membership.patient_id == Patient.id)
    known = select(Patient.id).where(same_person, has_visit | is_member).limit(1)
    if session.scalar(known) is not None:
        raise NotANewPatient(
            "This offer is for a first visit. You haven't been charged. Please call us to book."
        )


def _is_a_name(name: str) -> bool:
    kinds = {unicodedata.category(c)[0] for c in name if c != " " and c not in _WORD_JOINERS}
    # Without a letter it could not be read out, or even seen.
    return "L" in kinds <= set("LMNPS") and not name.strip().startswith(_FORMULA_LEADS)


def _email(text: str) -> str | None:
    if len(text) > _LONGEST_EMAIL:
        return None
    try:
        checked = validate_email(
            text.strip(),
            check_deliverability=False,  # a page must not wait for somebody's name server
            allow_smtputf8=False,  # few mail servers deliver to an address beyond ASCII
            test_environment=True,  # the demo's addresses end in .test and .example
        )
    except EmailNotValidError:
        return None
    return (checked.ascii_email or checked.normalized).lower()


def _phone(text: str) -> str | None:
    if len(text) > _LONGEST_PHONE:
        return None
    try:
        number = phonenumbers.parse(text, "US")
    except phonenumbers.NumberParseException:
        return None
    # "Possible", not "valid": numbering plans grow faster than libraries. And not "possible within
    # a town": without its area code a number cannot be called from elsewhere.
    possible = phonenumbers.is_possible_number_with_reason(number)
    if possible != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
