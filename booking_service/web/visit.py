"""A patient's own page: when, where, what was paid, and where the money is."""

from datetime import timedelta
from typing import Final

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from booking_service import calendar_file
from booking_service.clock import local_day, utc_now
from booking_service.errors import Invalid, LinkReplaced, NotAllowed, NotFound
from booking_service.languages import Sentence
from booking_service.links import Purpose
from booking_service.models import BookingKind, BookingStatus, RefundReason
from booking_service.queries import agreements, patient_pages, visit_links
from booking_service.queries import follow_ups as plans
from booking_service.queries import member as members
from booking_service.queries import waitlist as waiting
from booking_service.queries.patient_pages import BookingView
from booking_service.services import waitlist
from booking_service.web import changes, follow_ups, holding, languages, own_membership
from booking_service.web.forms import Pick
from booking_service.web.security import open_to_all

bp = Blueprint("visit", __name__, url_prefix="/v/<token>")
bp.before_request(open_to_all)
bp.register_blueprint(changes.bp)
bp.register_blueprint(follow_ups.bp)
bp.register_blueprint(own_membership.bp)

_EARLY: Final = timedelta(minutes=10)


@bp.errorhandler(LinkReplaced)
def replaced(error: LinkReplaced) -> tuple[str, int]:
    """Say that a newer link took this one's place, and nothing about the visit."""
    return render_template("visit/replaced.html", sentence=languages.refusal(error)), error.status


@bp.get("")
def show(token: str) -> str:
    """Show the visit as it is now. Opening it changes nothing: mail scanners follow links."""
    return _page(token)


@bp.post("/earlier")
def join_waitlist(token: str) -> AnyResponse:
    """Tell the patient of an earlier time from now on."""
    waitlist.join(changes.find(token).id)
    return _to_the_visit(token)


@bp.post("/earlier/stop")
def leave_waitlist(token: str) -> AnyResponse:
    """Tell them of none any more."""
    waitlist.leave(changes.find(token).id)
    return _to_the_visit(token)


@bp.post("/earlier/take")
def take_opening(token: str) -> AnyResponse | tuple[str, int]:
    """Move the visit to the time that was offered, if it is still kept."""
    booking_id = changes.find(token).id
    try:
        pick = Pick.read(request.form.get("slot", ""))
        waitlist.take(booking_id, pick.practitioner_id, pick.starts_at)
    except Invalid as error:
        return _page(token, languages.refusal(error)), error.status
    return _to_the_visit(token)


@bp.post("/earlier/keep")
def decline_opening(token: str) -> AnyResponse:
    """Keep the visit where it is."""
    waitlist.decline(changes.find(token).id)
    return _to_the_visit(token)


@bp.errorhandler(NotAllowed)
def refused(error: NotAllowed) -> tuple[str, int]:
    """Say on the visit's own page why it stays as it is."""
    token: str = (request.view_args or {})["token"]
    return _page(token, languages.refusal(error)), error.status


def _to_the_visit(token: str) -> AnyResponse:
    return redirect(url_for("visit.show", token=token), code=303)


def _page(token: str, notice: str | None = None) -> str:
    booking = _paid(token)
    if booking.status is BookingStatus.EXPIRED:
        return _without_a_time(token, booking)
    practice = patient_pages.practice()
    entry = _entry(booking)
    now, cutoff = utc_now(), timedelta(hours=practice.cutoff_hours)
    free_until = booking.starts_at - cutoff
    can_change = booking.status is BookingStatus.CONFIRMED and booking.starts_at > now
    opening = waiting.opening(booking.id) if can_change else None
    return render_template(
        "visit/visit.html" if booking.kind is BookingKind.FIRST else "visit/follow_up.html",
        booking=booking,
        practice=practice,
        token=token,
        arrive_by=booking.starts_at - _EARLY,
        free_until=free_until if free_until > now else None,
        can_change=can_change,
        notice=notice,
        is_signed=agreements.signed(booking.id) is not None,
        to_sign=_to_sign(booking),
        waits=waiting.waits(booking.id),
        joined=members.of_booking(booking.id),
        opening=opening,
        member=plans.member(booking.id),
        allowance=plans.of_visit(booking.id),
        page_of=holding.links().visit,
        now=now,
        today=local_day(now, practice.zone),
        is_near=opening is not None and opening.starts_at - cutoff <= now,
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


@bp.get("/agreement")
def agreement(token: str) -> str:
    """Show the patient's copy of what was signed at the visit."""
    booking = _paid(token)
    signed = agreements.signed(booking.id)
    if signed is None:
        raise NotFound(Sentence("Nothing was signed at this visit."))
    return render_template("visit/agreement.html", signed=signed, booking=booking, token=token)


def _to_sign(booking: BookingView) -> str | None:
    """Return where the agreement is read and signed, while the patient is here."""
    if booking.status not in (BookingStatus.ARRIVED, BookingStatus.IN_TREATMENT):
        return None
    return holding.links().agree(booking.id, visit_links.version(booking.id))


def _entry(booking: BookingView) -> calendar_file.Entry:
    times = (booking.starts_at, booking.ends_at)
    return calendar_file.Entry(
        booking.id, booking.code, *times, languages.current(), booking.moves, booking.kind
    )


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
