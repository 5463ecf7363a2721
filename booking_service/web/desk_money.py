"""Money in the desk's hands: paid back, asked for as goodwill, and counted."""

from datetime import date, timedelta
from http import HTTPStatus
from typing import Final
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from booking_service.errors import BookingServiceError, FieldError, Invalid
from booking_service.models import EntryKind, PaymentTender, Role, SettlementMethod
from booking_service.queries import desk_takings, front_desk
from booking_service.services import desk_money, exports, goodwill
from booking_service.web import desk_pages as pages
from booking_service.web.csv_files import attachment
from booking_service.web.forms import DOLLARS
from booking_service.web.security import acting, staff_only

bp = Blueprint("desk_money", __name__, url_prefix="/desk")
bp.before_request(staff_only(Role.FRONT_DESK))

Page = Response | tuple[str, HTTPStatus]

KINDS: Final = {
    EntryKind.PAYMENT: "First visit",
    EntryKind.SETTLEMENT: "Paid back",
    EntryKind.MEMBERSHIP_PAYMENT: "First month",
}
HOW: Final = {
    PaymentTender.CASH: "Cash",
    PaymentTender.TERMINAL: "Card reader",
    SettlementMethod.CASH: "Cash",
    SettlementMethod.TERMINAL: "Card reader",
    None: "Recorded",
}
_LONGEST_NOTE: Final = 500


@bp.post("/visit/<uuid:booking_id>/pay-back")
def pay_back(booking_id: UUID) -> Page:
    """Note that what was paid at the desk was paid back there."""
    try:
        desk_money.pay_back(booking_id, request.form.get("reference", ""), acting())
    except BookingServiceError as error:
        return pages.visit_page(front_desk.visit(booking_id), error), error.status
    flash("Paid back, and written down.")
    return _to_the_visit(booking_id)


@bp.get("/visit/<uuid:booking_id>/goodwill")
def goodwill_form(booking_id: UUID) -> Page:
    """Ask why finance should give the money back."""
    return _goodwill_page(booking_id)


@bp.post("/visit/<uuid:booking_id>/goodwill")
def ask_goodwill(booking_id: UUID) -> Page:
    """Ask finance to give back all that is left. Nothing moves before they approve."""
    payment_id = front_desk.visit(booking_id).payment_id
    try:
        if payment_id is None:
            raise Invalid(FieldError("note", "not_paid", "Nothing was paid for this visit."))
        goodwill.ask(payment_id, None, request.form.get("note", "")[:_LONGEST_NOTE], acting())
    except BookingServiceError as error:
        return _goodwill_page(booking_id, error)
    flash("Finance is asked. Nothing goes back before they approve.")
    return _to_the_visit(booking_id)


@bp.get("/takings")
def takings() -> Page:
    """Show what the desk took on a day, today's unless `?day=` says another."""
    return _takings_page(_day())


@bp.post("/takings")
def count() -> Page:
    """Write down what was counted."""
    day = _day()
    try:
        cents, note = _counted(request.form)
        desk_money.count(day, cents, note, acting())
    except BookingServiceError as error:
        return _takings_page(day, error)
    flash("Counted, and written down.")
    return redirect(url_for("desk_money.takings", day=day.isoformat()), code=303)


@bp.get("/takings.csv")
def takings_csv() -> Response:
    """Write a day's takings to a file, and note who took it."""
    day = _day()
    rows = desk_takings.takings(day).takings
    exports.note_export(acting(), "takings", len(rows))
    return attachment(f"takings-{day.isoformat()}.csv", desk_takings.Taking, rows)


def _counted(form: MultiDict[str, str]) -> tuple[int, str]:
    typed = DOLLARS.fullmatch(form.get("counted", "").strip())
    if typed is None:
        raise Invalid(FieldError("counted", "invalid", "Give an amount like 78.00."))
    return int(typed[1]) * 100 + int(typed[2] or 0), form.get("note", "")[:_LONGEST_NOTE]


def _day() -> date:
    return request.args.get("day", front_desk.today(), type=date.fromisoformat)


def _takings_page(day: date, problem: BookingServiceError | None = None) -> Page:
    errors = problem.errors if isinstance(problem, Invalid) else ()
    page = render_template(
        "desk/takings.html",
        found=desk_takings.takings(day),
        before=day - timedelta(days=1),
        after=day + timedelta(days=1),
        is_today=day == front_desk.today(),
        kinds=KINDS,
        how=HOW,
        typed=request.form,
        errors={error.field: error.detail for error in errors},
    )
    return page, problem.status if problem else HTTPStatus.OK


def _goodwill_page(booking_id: UUID, problem: BookingServiceError | None = None) -> Page:
    page = render_template(
        "desk/goodwill.html",
        visit=front_desk.visit(booking_id),
        typed=request.form,
        problem=problem.errors[0].detail if isinstance(problem, Invalid) else problem,
    )
    return page, problem.status if problem else HTTPStatus.OK


def _to_the_visit(booking_id: UUID) -> Response:
    return redirect(url_for("desk.visit", booking_id=booking_id), code=303)
