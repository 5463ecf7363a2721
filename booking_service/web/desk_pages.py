"""What the pages of the front desk are made of."""

import hashlib
from datetime import date
from http import HTTPStatus
from typing import Final
from uuid import UUID

from flask import abort, current_app, render_template, request
from phonenumbers import PhoneNumberFormat, format_number, parse

from booking_service.clock import local_day, utc_now
from booking_service.errors import BookingServiceError, Invalid
from booking_service.links import Links
from booking_service.models import BookingStatus
from booking_service.queries import (
    front_desk,
    patient_pages,
    same_person,
    visit_history,
    visit_links,
    waitlist,
)
from booking_service.queries.front_desk import DeskState, Proof, Visit, VisitView
from booking_service.web.desk_board import Board, lay_out
from booking_service.web.desk_progress import Progress, first_name, progress_of

STOP_POLLING: Final = 286  # htmx's own status: take this answer and do not ask again

_CHECKS: Final = {
    Proof.PAID: ("First visit paid in full", "The payment hasn't arrived yet"),
    Proof.ARRIVED: ("Arrived today", "Not checked in today"),
    Proof.TREATMENT: ("Treatment began", "Treatment hasn't begun"),
    Proof.NOT_REFUNDED: ("Not refunded before", "Refunded before"),
}

# The last step of a visit, as the button calls it that takes it back.
_UNDO_WORDS: Final = {
    BookingStatus.ARRIVED: "Undo check-in",
    BookingStatus.IN_TREATMENT: "Undo “Treatment began”",
    BookingStatus.COMPLETED: "Reopen the visit",
    BookingStatus.NO_SHOW: "Undo no-show",
}

# Stripe's decline codes that people can do something about; the others say nothing to anybody.
_DECLINES: Final = {
    "insufficient_funds": "There isn't enough money on it.",
    "expired_card": "It has expired.",
    "lost_card": "The bank said no.",
    "stolen_card": "The bank said no.",
    "card_velocity_exceeded": "It is over its limit.",
}


def visit_page(shown: VisitView, problem: BookingServiceError | None = None) -> str:
    """Render a visit, beside its day; with a refusal, what was typed is still there."""
    board = board_of(day_of(shown))
    return render_template(
        "desk/visit.html",
        visit=shown,
        board=board,
        day=board.day.date.isoformat(),
        next=next_visit(board),
        selected=shown.booking_id,
        seen=seen(board),
        progress=progress(shown),
        checks=[(check.is_met, *_CHECKS[check.proof]) for check in shown.eligibility],
        first_name=first_name(shown),
        can_be_missed=utc_now() >= shown.no_show_from,
        undo_word=_UNDO_WORDS.get(shown.status) if board.is_today else None,
        phone=_phone(shown.phone),
        undo_seconds=round(current_app.extensions["settings"].undo.total_seconds()),
        problems=_problems(problem),
        typed=request.form,
        decline_words=_declined(shown),
        status=BookingStatus,
        now=utc_now(),
        is_news=False,
        pay_address=pay_address(shown),
        agree_address=agree_address(shown),
        picked=picked(shown),
        link_sent=visit_links.last_sent(shown.booking_id),
        price_cents=patient_pages.current_offer().price_cents,
        review_address=current_app.extensions["links"].review(shown.booking_id),
        is_waiting=waitlist.waits(shown.booking_id),
        notes=visit_history.notes(shown.booking_id),
        is_alike=same_person.is_alike(shown.booking_id),
    )


def pay_address(shown: VisitView) -> str | None:
    """Return the address to give to a patient who pays on their own phone."""
    if shown.membership is None or shown.membership.checkout_url is None:
        return None
    address: str = current_app.extensions["links"].join(shown.membership.id)
    return address


def agree_address(shown: VisitView) -> str:
    """Return where the patient signs, with the plan that the desk has asked for, if it has."""
    links: Links = current_app.extensions["links"]
    address = links.agree(shown.booking_id, visit_links.version(shown.booking_id))
    asked = request.values.get("plan_id", type=UUID)
    return f"{address}?plan={asked}" if asked else address


def picked(shown: VisitView) -> UUID | None:
    """Return the plan that is chosen already: as typed, as signed, or of a declined membership."""
    typed = request.form.get("plan_id", type=UUID)
    signed = shown.signed.plan_id if shown.signed else None
    started = shown.membership.plan_id if shown.membership else None
    return typed or signed or started


def _declined(shown: VisitView) -> str:
    """Return why the bank said no, when it is something the patient can act on."""
    return decline_words(shown.membership.decline_code if shown.membership else None)


def decline_words(code: str | None) -> str:
    """Return why a bank said no, when it is something the patient can act on."""
    return _DECLINES.get(code or "", "The bank said no and gave no reason.")


def next_visit(board: Board) -> Visit | None:
    """Return the visit to serve next: the first whose patient is still expected."""
    return next((one for one in board.day.visits if one.state is DeskState.EXPECTED), None)


def day_of(shown: VisitView) -> date:
    """Return the day of the practice's calendar a visit is on."""
    return local_day(shown.starts_at, shown.zone)


def _phone(number: str) -> str:
    """Return a number as people here say it: "(518) 555-0142"."""
    return format_number(parse(number), PhoneNumberFormat.NATIONAL)


def _problems(problem: BookingServiceError | None) -> list[tuple[str, str]]:
    """Return what went wrong, each with the field it belongs to ("" for none)."""
    if isinstance(problem, Invalid):
        return [(error.field, error.detail) for error in problem.errors]
    return [("", str(problem))] if problem else []


def progress(shown: VisitView) -> Progress | None:
    """Return how far a visit's membership is, or None when none was started."""
    return progress_of(shown, utc_now(), current_app.extensions["settings"].undo)


def board_of(day: date) -> Board:
    """Return a day as the desk sees it, all of it or one state."""
    status = request.args.get("status")
    return lay_out(front_desk.day(day), DeskState(status) if status in set(DeskState) else None)


def seen(board: Board) -> str:
    """Return a mark that changes with anything shown of a day; the now-line counts by its row."""
    shown = (board.cards, board.blocks, board.chips, board.now_row, board.day.refunded_cents)
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:16]


def date_of(text: str) -> date:
    """Return the day an address names; another address is no page."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        abort(HTTPStatus.NOT_FOUND)
