"""What a patient can change about a paid visit: cancel, move, choose another time, have it back.

Opening a page changes nothing, since mail scanners follow links; only its buttons do.
"""

from datetime import date, timedelta
from typing import Any, Final

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from booking_service.clock import local_day, utc_now
from booking_service.errors import Invalid, SlotTaken
from booking_service.models import Actor, Allowance, BookingStatus, Practice
from booking_service.queries import availability, follow_ups, patient_pages, visit_links
from booking_service.queries.patient_pages import BookingView
from booking_service.services import bookings, choices
from booking_service.web import holding, languages
from booking_service.web.forms import Pick
from booking_service.web.security import open_to_all

bp = Blueprint("changes", __name__)
bp.before_request(open_to_all)

_DAYS_LISTED: Final = timedelta(days=7)


@bp.get("/cancel")
def cancel(token: str) -> str | Response:
    """Ask once more, and say first what happens to the money."""
    booking = find(token)
    if booking.status is not BookingStatus.CONFIRMED:
        return to_the_visit(token)
    practice = patient_pages.practice()
    return render_template(
        "visit/cancel.html",
        booking=booking,
        practice=practice,
        token=token,
        goes_back=_goes_back(booking, practice),
    )


@bp.post("/cancel")
def do_cancel(token: str) -> Response:
    """Cancel, if the money still goes where the page said; otherwise say so first."""
    booking = find(token)
    as_said = "back" if _goes_back(booking, patient_pages.practice()) else "kept"
    if request.form.get("money") != as_said:
        return redirect(url_for("visit.changes.cancel", token=token), code=303)
    bookings.cancel(booking.id, Actor.patient())
    return to_the_visit(token)


@bp.get("/move")
def move(token: str) -> str | Response:
    """List the times the visit can move to."""
    if find(token).status is not BookingStatus.CONFIRMED:
        return to_the_visit(token)
    return _move_page(token)


@bp.post("/move")
def do_move(token: str) -> Response | tuple[str, int]:
    """Move the visit to the time that was tapped."""
    booking_id = find(token).id
    try:
        pick = Pick.read(request.form.get("slot", ""))
        bookings.reschedule(booking_id, pick.practitioner_id, pick.starts_at, Actor.patient())
    except (SlotTaken, Invalid) as error:
        return _move_page(token, languages.refusal(error)), error.status
    return to_the_visit(token)


@bp.post("/choose")
def choose(token: str) -> Response | tuple[str, int]:
    """Book the time that was tapped with the money that is here."""
    booking = find(token)
    try:
        pick = Pick.read(request.form.get("slot", ""))
        choices.choose(booking.id, pick.practitioner_id, pick.starts_at)
    except (SlotTaken, Invalid) as error:
        return lost_page(token, find(token), languages.refusal(error)), error.status
    return to_the_visit(token)


@bp.post("/send-back")
def send_back(token: str) -> Response:
    """Send the money back now."""
    choices.send_back(find(token).id)
    return to_the_visit(token)


def find(token: str) -> BookingView:
    """Return the booking of a patient's link.

    Raises:
        NotFound: the link is none of ours.
        LinkReplaced: a newer one took its place.
    """
    found = patient_pages.booking(visit_links.opened(holding.links(), token))
    languages.booked_in(found.locale)
    return found


def lost_page(token: str, booking: BookingView, notice: str | None = None) -> str:
    """Offer other times to somebody who paid for one that was gone, or the money."""
    return render_template(
        "visit/lost.html",
        booking=booking,
        token=token,
        notice=notice,
        **times(patient_pages.practice()),
    )


def _move_page(token: str, notice: str | None = None) -> str:
    booking = find(token)
    allowance = follow_ups.of_visit(booking.id, besides=booking.id)
    closed = allowance.closed(utc_now()) if allowance else None
    return render_template(
        "visit/move.html",
        booking=booking,
        token=token,
        notice=notice or (languages.translated(closed) if closed else None),
        **times(patient_pages.practice(), allowance),
    )


def times(
    practice: Practice, allowance: Allowance | None = None, earliest: date | None = None
) -> dict[str, Any]:
    """Return a week of free times, from `?from=` on, as the pages list them.

    Args:
        practice: whose times.
        allowance: of a follow-up; then only what its plan includes is listed.
        earliest: the first day to list; today if none is given.
    """
    today = local_day(utc_now(), practice.zone)
    earliest = earliest or today
    last = today + timedelta(days=practice.horizon_days)
    first = min(max(request.args.get("from", earliest, type=date.fromisoformat), earliest), last)
    if allowance is None:
        days = availability.free_days(first, _DAYS_LISTED.days)
    else:
        days = follow_ups.free_days(allowance, first, _DAYS_LISTED.days)
    following = first + _DAYS_LISTED
    return {
        "practice": practice,
        "today": today,
        "days": patient_pages.times(days, practice.zone),
        "next_first": following if following <= last else None,
    }


def _goes_back(booking: BookingView, practice: Practice) -> bool:
    return utc_now() < booking.starts_at - timedelta(hours=practice.cutoff_hours)


def to_the_visit(token: str) -> Response:
    """Lead back to the visit's page."""
    return redirect(url_for("visit.show", token=token), code=303)
