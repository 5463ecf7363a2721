"""The hold of the person at this phone: taken, remembered, moved to another time.

The cookie keeps the link of the last hold. Without it a second tap would meet the first one's hold
and be told that the time is gone, and changing one's mind would hold two times.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self

from flask import abort, current_app, redirect, session, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from booking_service.clock import utc_now
from booking_service.errors import Invalid, NotFound
from booking_service.links import FIRST, Links, Purpose
from booking_service.models import VISITING, BookingStatus
from booking_service.queries import patient_pages
from booking_service.queries import waitlist as waiting
from booking_service.queries.patient_pages import BookingView
from booking_service.queries.waitlist import Newcomer
from booking_service.services import holds, patients
from booking_service.services.patient_details import read_details
from booking_service.web import languages
from booking_service.web.forms import Pick

_COOKIE_KEY: Final = "hold"
# Whoever picks again later than this may be somebody else on the same phone.
_SAME_PERSON: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Typed:
    """What somebody typed about who is coming, or nothing yet."""

    name: str = ""
    email: str = ""
    phone: str = ""
    booked_by: str | None = None  # none: the box for somebody else is not ticked

    @classmethod
    def read(cls, form: MultiDict[str, str]) -> Self:
        """Read the form; a name beside a box that is not ticked is not meant."""
        booked_by = form.get("booked_by", "") if "for_another" in form else None
        facts = (form.get("name", ""), form.get("email", ""), form.get("phone", ""))
        return cls(*facts, booked_by)


@dataclass(frozen=True, slots=True)
class Hold:
    """A booking that is not paid for, under the link its patient has."""

    token: str
    booking: BookingView
    waited: Newcomer | None  # for whom it was kept, until they say who is coming

    @property
    def is_live(self) -> bool:
        """Whether the time is still this patient's."""
        ends = self.booking.hold_expires_at
        held = self.booking.status is BookingStatus.HELD
        return held and ends is not None and ends > utc_now()

    @property
    def pick(self) -> Pick:
        """The time it is, or was, about."""
        return Pick(self.booking.practitioner_id, self.booking.starts_at)

    @property
    def typed(self) -> Typed | None:
        """The details given, once they were."""
        booking = self.booking
        if booking.name is None:
            return None
        return Typed(booking.name, booking.email or "", booking.phone or "", booking.booked_by)


def links() -> Links:
    """Return the writer and reader of signed addresses."""
    found: Links = current_app.extensions["links"]
    return found


def find(token: str) -> Hold:
    """Return the hold a link stands for, whatever has become of it.

    Raises:
        NotFound: the link is none of ours.
    """
    booking_id, _ = links().read(Purpose.HOLD, token)
    booking = patient_pages.booking(booking_id)
    waited = None if booking.locale else waiting.kept_for(booking.id)
    languages.booked_in(waited.locale if waited else booking.locale)
    return Hold(token, booking, waited)


def kept() -> Hold | None:
    """Return the hold this phone made a short while ago, if it did not become a visit."""
    token = session.get(_COOKIE_KEY)
    if token is None:
        return None
    try:
        hold = find(token)
    except NotFound:
        return None  # another installation's cookie, or the booking was erased
    is_over = hold.booking.is_paid or utc_now() - hold.booking.created_at > _SAME_PERSON
    return None if is_over else hold


def take(pick: Pick, source: str | None, instead_of: Hold | None, typed: Typed | None) -> Response:
    """Hold a time and lead to the next page. An earlier hold is given back first.

    Raises:
        SlotTaken: somebody was faster.
        Invalid: it is not a time we offer.
    """
    settings = current_app.extensions["settings"]
    if instead_of is not None:
        give_back(instead_of)
    booking_id = holds.place(pick.practitioner_id, pick.starts_at, settings.hold, source)
    token = session[_COOKIE_KEY] = links().token(Purpose.HOLD, booking_id)
    if typed is not None:
        try:
            who = (typed.name, typed.email, typed.phone)
            details = read_details(*who, languages.current(), typed.booked_by)
            patients.set_details(booking_id, details, settings.hold)
        except Invalid:
            typed = None  # asked for again on the next page
    page = "book.checkout.details" if typed is None else "book.checkout.review"
    return redirect(url_for(page, hold=token), code=303)


def give_back(hold: Hold) -> None:
    """Free the time of a hold, closing Stripe's page first; one that is over stays over.

    When it turns out to be paid, the request ends here and leads to the visit.
    """
    if hold.booking.status is BookingStatus.HELD:
        holds.release(hold.booking.id, current_app.extensions["gateway"])
    if find(hold.token).booking.status in VISITING:
        abort(to_the_visit(hold))


def to_the_visit(hold: Hold) -> Response:
    """Lead from a hold that was paid to its visit.

    By the visit's first link, and never by one that replaced it: else the link of the hold, which
    may be in the same wrong hands, would open the visit all the same.
    """
    return redirect(links().visit(hold.booking.id, FIRST), code=303)
