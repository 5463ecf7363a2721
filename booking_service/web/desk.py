"""The front desk: the day, one patient's visit, and making a patient a member."""

import hashlib
from collections.abc import Callable
from datetime import date
from http import HTTPStatus
from typing import Final
from uuid import UUID

from flask import Blueprint, abort, current_app, flash, redirect, render_template, request, url_for
from phonenumbers import PhoneNumberFormat, format_number, parse
from werkzeug.wrappers import Response

from booking_service.clock import local_day, utc_now
from booking_service.errors import BookingServiceError, FieldError, Invalid
from booking_service.models import Actor, BookingStatus, Role, Tender
from booking_service.queries import front_desk
from booking_service.queries.front_desk import DeskState, Proof, Visit, VisitView
from booking_service.services import bookings, memberships, views
from booking_service.services.memberships import Tendered
from booking_service.web.desk_board import Board, lay_out
from booking_service.web.desk_progress import Phase, Progress, first_name, progress_of
from booking_service.web.security import acting, staff_only

bp = Blueprint("desk", __name__, url_prefix="/desk")
bp.before_request(staff_only(Role.FRONT_DESK))

_STOP_POLLING: Final = 286  # htmx's own status: take this answer and do not ask again

_CHECKS: Final = {
    Proof.PAID: ("First visit paid in full", "The payment hasn't arrived yet"),
    Proof.ARRIVED: ("Arrived today", "Not checked in today"),
    Proof.TREATMENT: ("Treatment began", "Treatment hasn't begun"),
    Proof.NOT_REFUNDED: ("Not refunded before", "Refunded before"),
}

# Stripe's decline codes that people can do something about; the others say nothing to anybody.
_DECLINES: Final = {
    "insufficient_funds": "There isn't enough money on it.",
    "expired_card": "It has expired.",
    "lost_card": "The bank said no.",
    "stolen_card": "The bank said no.",
    "card_velocity_exceeded": "It is over its limit.",
}


@bp.get("")
def today() -> Response:
    """Go to the practice's today."""
    return redirect(url_for("desk.day", day=front_desk.today().isoformat()), code=303)


@bp.get("/<day>")
def day(day: str) -> str:
    """Show one day of visits, all or one state: `?status=arrived`."""
    board = _board(_date(day))
    next_day = None if board.cards else front_desk.next_day_with_visits(board.day.date)
    return render_template(
        "desk/day.html", board=board, next_day=next_day, selected=None, seen=_seen(board)
    )


@bp.get("/<day>/board")
def board(day: str) -> str | tuple[str, int]:
    """Answer the day's list alone, or nothing when it has not changed since `?seen=`."""
    board = _board(_date(day))
    if request.args.get("seen") == _seen(board):
        return "", HTTPStatus.NO_CONTENT
    selected = request.args.get("visit", type=UUID)
    return render_template("desk/board.html", board=board, selected=selected, seen=_seen(board))


@bp.get("/visit/<uuid:booking_id>")
def visit(booking_id: UUID) -> str:
    """Show one patient's visit. Who looked is written down."""
    shown = front_desk.visit(booking_id)
    views.note_view(acting(), booking_id)
    return _visit_page(shown)


@bp.get("/visit/<uuid:booking_id>/progress")
def progress(booking_id: UUID) -> Response | tuple[str, int] | tuple[str, int, dict[str, str]]:
    """Answer what is happening with a membership, or nothing when nothing changed."""
    shown = front_desk.visit(booking_id)
    progress = _progress(shown)
    if progress is None or progress.phase is Phase.DECLINED:
        # The form is needed again, and it is not part of this piece.
        return Response(status=_STOP_POLLING, headers={"HX-Refresh": "true"})
    if request.args.get("seen") == progress.version and progress.is_live:
        return "", HTTPStatus.NO_CONTENT
    board = _board(_day_of(shown))
    piece = render_template(
        "desk/progress.html",
        visit=shown,
        progress=progress,
        is_news=True,
        next=_next(board),
        day=board.day.date.isoformat(),
    )
    # The day beside it shows the same visit, and need not wait for its own next look.
    moved = {"HX-Trigger": "visit-moved"}
    return piece, HTTPStatus.OK if progress.is_live else _STOP_POLLING, moved


@bp.post("/visit/<uuid:booking_id>/arrive")
def arrive(booking_id: UUID) -> Response | tuple[str, HTTPStatus]:
    """Check a patient in."""
    return _step(booking_id, bookings.arrive)


@bp.post("/visit/<uuid:booking_id>/begin-treatment")
def begin_treatment(booking_id: UUID) -> Response | tuple[str, HTTPStatus]:
    """Note that treatment began: the second proof of the promise."""
    return _step(booking_id, bookings.begin_treatment)


@bp.post("/visit/<uuid:booking_id>/complete")
def complete(booking_id: UUID) -> Response | tuple[str, HTTPStatus]:
    """End a visit without a membership."""
    return _step(booking_id, bookings.complete)


@bp.post("/visit/<uuid:booking_id>/no-show")
def no_show(booking_id: UUID) -> Response | tuple[str, HTTPStatus]:
    """Note that nobody came."""
    return _step(booking_id, bookings.mark_no_show)


@bp.post("/visit/<uuid:booking_id>/convert")
def convert(booking_id: UUID) -> Response | tuple[str, HTTPStatus]:
    """Start a membership and, after the time to undo, its payment and the refund."""
    undo = current_app.extensions["settings"].undo
    try:
        plan_id, tendered = _chosen()
        _, is_ours = memberships.convert(booking_id, plan_id, tendered, acting(), undo)
    except BookingServiceError as error:
        return _visit_page(front_desk.visit(booking_id), error), error.status
    if not is_ours:
        flash("Somebody started this membership before you. Nothing was done twice.")
    return _back(booking_id)


@bp.post("/membership/<uuid:membership_id>/undo")
def undo(membership_id: UUID) -> Response | tuple[str, HTTPStatus]:
    """Take a membership back while nothing has been sent to Stripe."""
    booking_id = front_desk.membership(membership_id).booking_id
    try:
        memberships.undo(membership_id, acting())
    except BookingServiceError as error:
        return _visit_page(front_desk.visit(booking_id), error), error.status
    flash("Taken back. Nothing was charged or refunded.")
    return _back(booking_id)


def _step(
    booking_id: UUID, take: Callable[[UUID, Actor], None]
) -> Response | tuple[str, HTTPStatus]:
    try:
        take(booking_id, acting())
    except BookingServiceError as error:
        return _visit_page(front_desk.visit(booking_id), error), error.status
    return _back(booking_id)


def _back(booking_id: UUID) -> Response:
    return redirect(url_for("desk.visit", booking_id=booking_id), code=303)


def _chosen() -> tuple[UUID, Tendered]:
    """Read the plan and how the first payment is made.

    Raises:
        Invalid: one of them was not chosen.
    """
    plan_id = request.form.get("plan_id", type=UUID)
    method = request.form.get("method", "")
    reference = request.form.get("reference", "").strip() or None
    errors = []
    if plan_id is None:
        errors.append(FieldError("plan_id", "missing", "Choose a plan"))
    if method not in set(Tender):
        errors.append(FieldError("method", "missing", "Choose how the first month is paid"))
    if plan_id is None or errors:
        raise Invalid(*errors)
    tender = Tender(method)
    return plan_id, Tendered(tender, reference if tender is Tender.RECORDED else None)


def _visit_page(shown: VisitView, problem: BookingServiceError | None = None) -> str:
    """Render a visit, beside its day; with a refusal, what was typed is still there."""
    board = _board(_day_of(shown))
    return render_template(
        "desk/visit.html",
        visit=shown,
        board=board,
        day=board.day.date.isoformat(),
        next=_next(board),
        selected=shown.booking_id,
        seen=_seen(board),
        progress=_progress(shown),
        checks=[(check.is_met, *_CHECKS[check.proof]) for check in shown.eligibility],
        first_name=first_name(shown),
        phone=_phone(shown.phone),
        undo_seconds=round(current_app.extensions["settings"].undo.total_seconds()),
        problems=_problems(problem),
        typed=request.form,
        decline_words=_declined(shown),
        status=BookingStatus,
        is_news=False,
    )


def _declined(shown: VisitView) -> str:
    """Return why the bank said no, when it is something the patient can act on."""
    code = shown.membership.decline_code if shown.membership else None
    return _DECLINES.get(code or "", "The bank said no and gave no reason.")


def _next(board: Board) -> Visit | None:
    """Return the visit to serve next: the first whose patient is still expected."""
    return next((one for one in board.day.visits if one.state is DeskState.EXPECTED), None)


def _day_of(shown: VisitView) -> date:
    return local_day(shown.starts_at, shown.zone)


def _phone(number: str) -> str:
    """Return a number as people here say it: "(518) 555-0142"."""
    return format_number(parse(number), PhoneNumberFormat.NATIONAL)


def _problems(problem: BookingServiceError | None) -> list[tuple[str, str]]:
    """Return what went wrong, each with the field it belongs to ("" for none)."""
    if isinstance(problem, Invalid):
        return [(error.field, error.detail) for error in problem.errors]
    return [("", str(problem))] if problem else []


def _progress(shown: VisitView) -> Progress | None:
    return progress_of(shown, utc_now(), current_app.extensions["settings"].undo)


def _board(day: date) -> Board:
    status = request.args.get("status")
    return lay_out(front_desk.day(day), DeskState(status) if status in set(DeskState) else None)


def _seen(board: Board) -> str:
    """Return a mark that changes with anything shown of a day; the now-line counts by its row."""
    shown = (board.cards, board.blocks, board.chips, board.now_row, board.day.refunded_cents)
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:16]


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        abort(HTTPStatus.NOT_FOUND)
