from uuid import UUID

import pytest
from itsdangerous import URLSafeSerializer

from booking_service.errors import NotFound
from booking_service.links import FIRST, Links, Purpose

BOOKING = UUID("6f1c8f0a-4f0e-4a37-9d4e-0d9f8b1d2c3a")
SECRET = "for tests only, and longer than 32 bytes"
LINKS = Links(SECRET, "https://visits.example")


@pytest.mark.parametrize("purpose", Purpose)
def test_a_link_names_its_booking(purpose):
    token = LINKS.token(purpose, BOOKING)

    assert LINKS.read(purpose, token) == (BOOKING, FIRST)
    assert token == LINKS.token(purpose, BOOKING)


@pytest.mark.parametrize("version", [1, 2, 32_767])
def test_a_link_names_its_version(version):
    token = LINKS.token(Purpose.VISIT, BOOKING, version)

    assert LINKS.read(Purpose.VISIT, token) == (BOOKING, version)
    assert token not in {LINKS.token(Purpose.VISIT, BOOKING, version + step) for step in (-1, 1)}


def test_a_link_without_a_version_is_the_first():
    """Links mailed before there were versions go on working."""
    token = URLSafeSerializer(SECRET, salt="booking:visit").dumps(BOOKING.hex)

    assert LINKS.read(Purpose.VISIT, token) == (BOOKING, FIRST)
    assert LINKS.token(Purpose.VISIT, BOOKING) == token


@pytest.mark.parametrize("version", [FIRST, 7])
@pytest.mark.parametrize("purpose", Purpose)
def test_a_link_for_one_purpose_opens_nothing_else(purpose, version):
    for other in set(Purpose) - {purpose}:
        with pytest.raises(NotFound):
            LINKS.read(other, LINKS.token(purpose, BOOKING, version))


@pytest.mark.parametrize("version", [FIRST, 7])
def test_no_letter_of_a_link_can_be_changed(version):
    token = LINKS.token(Purpose.VISIT, BOOKING, version)
    opened = []

    # The last letter holds two bits that mean nothing; base64 ignores them.
    for place, letter in enumerate(token[:-1]):
        changed = token[:place] + ("A" if letter != "A" else "B") + token[place + 1 :]
        try:
            opened.append(LINKS.read(Purpose.VISIT, changed))
        except NotFound:
            continue

    assert opened == []


@pytest.mark.parametrize(
    "token",
    ["", ".", "a.b", "é", "\0", "\ud800", "x" * 100_000],
    ids=lambda t: f"{t[:3]!a} {len(t)}",
)
def test_what_is_no_link_is_not_found(token):
    with pytest.raises(NotFound):
        LINKS.read(Purpose.VISIT, token)


@pytest.mark.parametrize(
    "content",
    [
        *(None, 7, [], "zz", BOOKING.hex[:-1], {"hex": BOOKING.hex}),
        # Other ways to write a version that int() would read.
        *(
            f"{BOOKING.hex}.{text}"
            for text in ("0", "", "x", "01", " 1", "+1", "1.0", "1_0", "\u0663")
        ),
        f"{BOOKING.hex}.{'9' * 5000}",
        f"{BOOKING}.1",
    ],
    ids=lambda content: str(content)[-12:],
)
def test_signed_nonsense_is_not_found(content):
    token = URLSafeSerializer(SECRET, salt="booking:visit").dumps(content)

    with pytest.raises(NotFound):
        LINKS.read(Purpose.VISIT, token)


def test_another_installations_link_opens_nothing():
    theirs = Links("another secret, also longer than 32 bytes", "https://visits.example")

    with pytest.raises(NotFound):
        LINKS.read(Purpose.VISIT, theirs.token(Purpose.VISIT, BOOKING))


def test_addresses_stand_on_the_public_address():
    visit, hold = (LINKS.token(purpose, BOOKING) for purpose in (Purpose.VISIT, Purpose.HOLD))

    assert LINKS.visit(BOOKING, FIRST) == f"https://visits.example/v/{visit}"
    assert LINKS.review(BOOKING) == f"https://visits.example/book/{hold}/review"
    assert LINKS.done(BOOKING) == f"https://visits.example/book/{hold}/done"
