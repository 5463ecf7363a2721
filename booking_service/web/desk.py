"""The front desk: the day, one patient's visit, and making a patient a member."""

from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from uuid import UUID

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from booking_service.clock import utc_now
from booking_service.errors import BookingServiceError, FieldError, GatewayUnavailable, Invalid
from booking_service.models import Actor, Role, Tender
from booking_service.queries import desk_search, front_desk
from booking_service.queries.front_desk import VisitView
from booking_service.services import membership_pages, memberships, views, visit_links
from booking_service.services.agreements import Ground
from booking_service.services.memberships import Tendered
from booking_service.web import desk_pages as pages
from booking_service.web.desk_board import STATES
from booking_service.web.desk_progress import Phase
from booking_service.web.security import acting, staff_only

bp = Blueprint("desk", __name__, url_prefix="/desk")
bp.before_request(staff_only(Role.FRONT_DESK))


@bp.get("")
def today() -> Response:
    """Go to the practice's today."""
    return redirect(url_for("desk.day", day=front_desk.today().isoformat()), code=303)


@bp.route("/search", methods=["GET", "POST"])
def search() -> str:
    """Find a patient by what was typed into `q`; a list that is open already is sent alone."""
    words = request.form.get("q", "")
    template = "desk/found.html" if "HX-Request" in request.headers else "desk/search.html"
    return render_template(template, found=desk_search.find(words), q=words, states=STATES)


@bp.get("/<day>")
def day(day: str) -> str:
    """Show one day of visits, all or one state: `?status=arrived`."""
    board = pages.board_of(pages.date_of(day))
    next_day = None if board.cards else front_desk.next_day_with_visits(board.day.date)
    return render_template(
        "desk/day.html", board=board, next_day=next_day, selected=None, seen=pages.seen(board)
    )


@bp.get("/<day>/board")
def board(day: str) -> str | tuple[str, int]:
    """Answer the day's list alone, or nothing when it has not changed since `?seen=`."""
    board = pages.board_of(pages.date_of(day))
    if request.args.get("seen") == pages.seen(board):
        return "", HTTPStatus.NO_CONTENT
    selected = request.args.get("visit", type=UUID)
    return render_template(
        "desk/board.html", board=board, selected=selected, seen=pages.seen(board)
    )


@bp.get("/visit/<uuid:booking_id>")
def visit(booking_id: UUID) -> str:
    """Show one patient's visit. Who looked is written down."""
    shown = front_desk.visit(booking_id)
    views.note_view(acting(), booking_id)
    return pages.visit_page(shown)


@bp.get("/visit/<uuid:booking_id>/progress")
def progress(booking_id: UUID) -> Response | tuple[str, int] | tuple[str, int, dict[str, str]]:
    """Answer what is happening with a membership, or nothing when nothing changed."""
    shown = _looked_up(front_desk.visit(booking_id))
    progress = pages.progress(shown)
    seen = request.args.get("seen", "")
    has_paid = seen.startswith(Phase.PHONE) and progress and progress.phase is not Phase.PHONE
    if progress is None or progress.phase is Phase.DECLINED or has_paid:
        # The form is needed again, or quicker looks; neither is part of this piece.
        return Response(status=pages.STOP_POLLING, headers={"HX-Refresh": "true"})
    if seen == progress.version and progress.is_live:
        return "", HTTPStatus.NO_CONTENT
    board = pages.board_of(pages.day_of(shown))
    piece = render_template(
        "desk/progress.html",
        visit=shown,
        progress=progress,
        is_news=True,
        next=pages.next_visit(board),
        day=board.day.date.isoformat(),
        pay_address=pages.pay_address(shown),
        now=utc_now(),
    )
    # The day beside it shows the same visit, and need not wait for its own next look.
    moved = {"HX-Trigger": "visit-moved"}
    return piece, HTTPStatus.OK if progress.is_live else pages.STOP_POLLING, moved


@bp.post("/visit/<uuid:booking_id>/send-link")
def send_link(booking_id: UUID) -> Response | tuple[str, HTTPStatus]:
    """Mail the patient the link to the visit once more."""
    said = "The link is on its way by e-mail."
    return _step(booking_id, visit_links.send_again, said)


@bp.post("/visit/<uuid:booking_id>/replace-link")
def replace_link(booking_id: UUID) -> Response | tuple[str, HTTPStatus]:
    """Let the link open nothing any more, and mail the patient a new one."""
    said = "The old link opens nothing any more. The new one is on its way by e-mail."
    return _step(booking_id, visit_links.replace, said)


@bp.post("/visit/<uuid:booking_id>/convert")
def convert(booking_id: UUID) -> Response | tuple[str, HTTPStatus]:
    """Start a membership and, after the time to undo, its payment and the refund."""
    undo = current_app.extensions["settings"].undo
    try:
        plan_id, tendered = _chosen()
        membership_id, is_ours = memberships.convert(
            booking_id, plan_id, tendered, acting(), undo, agreement=_ground()
        )
        known = current_app.extensions
        with suppress(GatewayUnavailable):  # decided all the same; a worker makes the page
            membership_pages.open_(membership_id, known["gateway"], known["links"])
    except BookingServiceError as error:
        return pages.visit_page(front_desk.visit(booking_id), error), error.status
    if not is_ours:
        flash("Somebody started this membership before you. Nothing was done twice.")
    return _back(booking_id)


@bp.post("/membership/<uuid:membership_id>/undo")
def undo(membership_id: UUID) -> Response | tuple[str, HTTPStatus]:
    """Take a membership back while nothing has been sent to Stripe."""
    booking_id = front_desk.membership(membership_id).booking_id
    try:
        membership_pages.undo(membership_id, acting(), current_app.extensions["gateway"])
    except BookingServiceError as error:
        return pages.visit_page(front_desk.visit(booking_id), error), error.status
    flash("Taken back. Nothing was charged or refunded.")
    return _back(booking_id)


def _step(
    booking_id: UUID, take: Callable[[UUID, Actor], None], said: str
) -> Response | tuple[str, HTTPStatus]:
    try:
        take(booking_id, acting())
    except BookingServiceError as error:
        return pages.visit_page(front_desk.visit(booking_id), error), error.status
    flash(said)
    return _back(booking_id)


def _looked_up(shown: VisitView) -> VisitView:
    """Ask Stripe about a page that waits for its patient; the webhook may be late or lost."""
    progress = pages.progress(shown)
    if shown.membership is None or progress is None or progress.phase is not Phase.PHONE:
        return shown
    try:
        membership_pages.confirm_of(shown.membership.id, current_app.extensions["gateway"])
    except GatewayUnavailable:
        return shown  # it is asked again in a few seconds
    return front_desk.visit(shown.booking_id)


def _back(booking_id: UUID) -> Response:
    return redirect(url_for("desk.visit", booking_id=booking_id), code=303)


def _ground() -> Ground:
    """Read what the membership stands on: what the patient signed, or paper that the desk has."""
    return Ground.PAPER if "on_paper" in request.form else Ground.SIGNATURE


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
