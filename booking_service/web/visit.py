"""A patient's own page: when, where, what was paid, and where the money is."""

from datetime import timedelta
from typing import Final

from flask import Blueprint, Response, abort, redirect, render_template, url_for

from booking_service import calendar_file
from booking_service.clock import utc_now
from booking_service.links import Purpose
from booking_service.models import BookingStatus
from booking_service.queries import patient_pages
from booking_service.queries.patient_pages import BookingView
from booking_service.web import holding
from booking_service.web.security import open_to_all

bp = Blueprint("visit", __name__, url_prefix="/v/<token>")
bp.before_request(open_to_all)

_EARLY: Final = timedelta(minutes=10)


@bp.get("")
def show(token: str) -> str:
    """Show the visit as it is now. Opening it changes nothing: mail scanners follow links."""
    booking = _paid(token)
    practice = patient_pages.practice()
    entry = _entry(booking)
    free_until = booking.starts_at - timedelta(hours=practice.cutoff_hours)
    return render_template(
        "visit/visit.html",
        booking=booking,
        practice=practice,
        token=token,
        arrive_by=booking.starts_at - _EARLY,
        free_until=free_until if free_until > utc_now() else None,
        calendars={
            "Google": calendar_file.google(entry, practice),
            "Outlook.com": calendar_file.outlook(entry, practice, "outlook.live.com"),
            "Office 365": calendar_file.outlook(entry, practice, "outlook.office.com"),
        },
    )


@bp.get("/visit.ics")
def calendar(token: str) -> Response:
    """Give the visit to the calendar on the phone."""
    booking = _paid(token)
    return Response(
        calendar_file.build(_entry(booking), patient_pages.practice()),
        mimetype="text/calendar",
        headers={"Content-Disposition": 'attachment; filename="visit.ics"'},
    )


def _entry(booking: BookingView) -> calendar_file.Entry:
    return calendar_file.Entry(booking.id, booking.code, booking.starts_at, booking.ends_at)


def _paid(token: str) -> BookingView:
    """Return the visit of a link; one that is not paid for is still on the way there."""
    booking = patient_pages.booking(holding.links().read(Purpose.VISIT, token))
    if booking.status in (BookingStatus.HELD, BookingStatus.EXPIRED):
        hold = holding.links().token(Purpose.HOLD, booking.id)
        abort(redirect(url_for("book.checkout.review", hold=hold), code=303))
    return booking
