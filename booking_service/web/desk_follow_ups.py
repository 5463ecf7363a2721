"""The next visit of a member: the page on which the desk books it."""

from datetime import date, timedelta
from http import HTTPStatus
from typing import Final
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from booking_service.clock import local_day, utc_now
from booking_service.errors import BookingServiceError
from booking_service.models import Allowance, Role
from booking_service.queries import availability, follow_ups, front_desk, patient_pages
from booking_service.queries.follow_ups import Member
from booking_service.queries.front_desk import VisitView
from booking_service.services import follow_ups as booking
from booking_service.web.filters import clock_time, long_day, short_day
from booking_service.web.forms import Pick
from booking_service.web.security import acting, staff_only

bp = Blueprint("desk_follow_ups", __name__, url_prefix="/desk/visit/<uuid:booking_id>/next")
bp.before_request(staff_only(Role.FRONT_DESK))

Page = Response | tuple[str, HTTPStatus]

_DAYS_LISTED: Final = timedelta(days=7)


@bp.get("")
def times(booking_id: UUID) -> Page:
    """List a week of free times, from `?from=` on, with one doctor or with any."""
    return _page(front_desk.visit(booking_id))


@bp.post("")
def book(booking_id: UUID) -> Page:
    """Book the time that was pressed, and say what is left of the plan."""
    shown = front_desk.visit(booking_id)
    if shown.member is None:
        return _to_the_visit(booking_id)
    try:
        pick = Pick.read(request.form.get("slot", ""))
        whose = shown.member.membership_id
        booking.book(whose, pick.practitioner_id, pick.starts_at, acting())
    except BookingServiceError as error:
        return _page(front_desk.visit(booking_id), error)
    after = follow_ups.member(booking_id)
    left = f" {left_words(after.allowance, pick)}" if after else ""
    day, hour = long_day(pick.starts_at, shown.zone), clock_time(pick.starts_at, shown.zone)
    flash(f"Booked: {day}, {hour}.{left} The patient gets an e-mail.")
    return _to_the_visit(booking_id)


def left_words(allowance: Allowance, pick: Pick) -> str:
    """Return how many visits are left in the month of a time: "3 of 4 visits left until ..."."""
    month = allowance.month(pick.starts_at)
    until = short_day(month.last, allowance.zone)
    return (
        f"{allowance.left(pick.starts_at)} of {allowance.visits_a_month} visits left until {until}."
    )


def _page(shown: VisitView, problem: BookingServiceError | None = None) -> Page:
    if shown.member is None or shown.member.closed:
        return _to_the_visit(shown.booking_id)
    practice = patient_pages.practice()
    earliest = shown.member.first_day
    last = local_day(utc_now(), practice.zone) + timedelta(days=practice.horizon_days)
    first = min(max(request.args.get("from", earliest, type=date.fromisoformat), earliest), last)
    doctor = request.args.get("doctor", type=UUID)
    days = follow_ups.free_days(shown.member.allowance, first, _DAYS_LISTED.days, doctor)
    following = first + _DAYS_LISTED
    page = render_template(
        "desk/book_next.html",
        visit=shown,
        days=patient_pages.times(days, practice.zone),
        suggested=_suggested(shown, shown.member),
        doctors=availability.practitioners(),
        doctor=doctor,
        first=first,
        next_first=following if following <= last else None,
        problem=problem,
        now=utc_now(),
    )
    return page, problem.status if problem else HTTPStatus.OK


def _suggested(shown: VisitView, member: Member) -> availability.Slot | None:
    return follow_ups.a_week_later(member.allowance, shown.practitioner_id, shown.starts_at)


def _to_the_visit(booking_id: UUID) -> Response:
    return redirect(url_for("desk.visit", booking_id=booking_id), code=303)
