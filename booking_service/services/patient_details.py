"""Who is coming, and who books: reading what they typed."""

import unicodedata
from dataclasses import dataclass
from typing import Final

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from booking_service.errors import FieldError, Invalid
from booking_service.languages import Language, Sentence

_LONGEST_NAME: Final = 100
_LONGEST_EMAIL: Final = 254
_LONGEST_PHONE: Final = 40
# Letters, marks, numbers, punctuation, symbols and plain spaces; the joiners are part of words.
_WORD_JOINERS: Final = "\u200c\u200d"
_FORMULA_LEADS: Final = ("=", "+", "-", "@")
_NOT_AN_EMAIL: Final = FieldError(
    "email", "not_an_email", Sentence("Enter an email address like name@example.com")
)


@dataclass(frozen=True, slots=True)
class PatientDetails:
    """Who is coming, cleaned: e-mail in lower case, phone as E.164; both are the booker's."""

    name: str
    email: str
    phone: str
    locale: Language
    booked_by: str | None  # the name of whoever books for the patient; none: the patient


def read_details(
    name: str,
    email: str,
    phone: str,
    locale: Language = Language.EN,
    booked_by: str | None = None,
) -> PatientDetails:
    """Clean what a person typed. `booked_by` is None when the patient books.

    Raises:
        Invalid: with one error for each field, in words that say what to type instead.
    """
    errors = _wrong_with_name("name", name, Sentence("Enter your full name"))
    if booked_by is not None:
        errors += _wrong_with_name("booked_by", booked_by, Sentence("Enter your own name"))
    cleaned_email = _email(email)
    if cleaned_email is None:
        errors.append(_NOT_AN_EMAIL)
    read_phone = _phone(phone)
    if read_phone is None:
        detail = Sentence("Enter a mobile number with 10 digits, like 518 555 0142")
        errors.append(FieldError("phone", "not_a_phone", detail))
    if errors or cleaned_email is None or read_phone is None:
        raise Invalid(*errors)
    booker = None if booked_by is None else _cleaned(booked_by)
    return PatientDetails(_cleaned(name), cleaned_email, read_phone, locale, booker)


def read_email(text: str) -> str:
    """Clean an e-mail address that stands alone.

    Raises:
        Invalid: it is none.
    """
    cleaned = _email(text)
    if cleaned is None:
        raise Invalid(_NOT_AN_EMAIL)
    return cleaned


def read_name(text: str) -> str:
    """Clean a name that stands alone.

    Raises:
        Invalid: it is none.
    """
    errors = _wrong_with_name("name", text, Sentence("Enter your full name"))
    if errors:
        raise Invalid(*errors)
    return _cleaned(text)


def _cleaned(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).split())


def _wrong_with_name(field: str, name: str, missing: Sentence) -> list[FieldError]:
    cleaned = _cleaned(name)
    if not cleaned:
        return [FieldError(field, "missing", missing)]
    if len(cleaned) > _LONGEST_NAME:
        detail = Sentence("Enter a name of %(most)s letters or fewer", most=_LONGEST_NAME)
        return [FieldError(field, "too_long", detail)]
    if not _is_a_name(name):
        detail = Sentence("Enter your name in letters, without special signs")
        return [FieldError(field, "not_a_name", detail)]
    return []


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
