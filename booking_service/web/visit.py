"""A patient's own page: when, where, what was paid, and where the money is."""

from datetime import timedelta
from typing import Final

from flask import Blueprint, Response, abort, redirect, render_template, url_for

from booking_service import calendar_file
from booking_service.clock import utc_now
from booking_service.errors import NotFound
from booking_service.languages import Sentence
from booking_service.links import Purpose
from booking_service.models import BookingStatus, RefundReason
from booking_service.queries import patient_pages
from booking_service.queries.patient_pages import BookingView
from booking_service.web import changes, holding, languages
from booking_service.web.security import open_to_all

bp = Blueprint("visit", __name__, url_prefix="/v/<token>")
bp.before_request(open_to_all)
bp.register_blueprint(changes.bp)

_EARLY: Final = timedelta(minutes=10)


@bp.get("")
def show(token: str) -> str:
    """Show the visit as it is now. Opening it changes nothing: mail scanners follow links."""
    booking = _paid(token)
    if booking.status is BookingStatus.EXPIRED:
        return _without_a_time(token, booking)
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
        can_change=booking.starts_at > utc_now(),
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
    if booking.status is BookingStatus.EXPIRED:
        raise NotFound(Sentence("There is no visit to put into a calendar."))
    return Response(
        calendar_file.build(_entry(booking), patient_pages.practice()),
        mimetype="text/calendar",
        headers={"Content-Disposition": 'attachment; filename="visit.ics"'},
    )


def _entry(booking: BookingView) -> calendar_file.Entry:
    times = (booking.starts_at, booking.ends_at)
    return calendar_file.Entry(booking.id, booking.code, *times, languages.current(), booking.moves)


def _without_a_time(token: str, booking: BookingView) -> str:
    """Show where the money is of somebody who has paid and has no visit."""
    if booking.choose_until is not None and booking.choose_until > utc_now():
        return changes.lost_page(token, booking)
    if booking.refund is None:
        return render_template("visit/looked_at.html", booking=booking)
    twice = booking.refund.reason is RefundReason.DUPLICATE_PAYMENT
    return render_template("book/money_back.html", booking=booking, twice=twice)


def _paid(token: str) -> BookingView:
    """Return the visit of a link; one that is not paid for is still on the way there."""
    booking = changes.find(token)
    if booking.status in (BookingStatus.HELD, BookingStatus.EXPIRED) and not booking.is_paid:
        hold = holding.links().token(Purpose.HOLD, booking.id)
        abort(redirect(url_for("book.checkout.review", hold=hold), code=303))
    return booking
