"""From a held time to Stripe and back: details, a last look, and what became of it."""

from http import HTTPStatus
from typing import Final

from flask import Blueprint, abort, current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from booking_service.errors import GatewayUnavailable, HoldEnded, Invalid, TermsChanged
from booking_service.languages import Language, Sentence
from booking_service.models import BookingStatus
from booking_service.queries import patient_pages
from booking_service.services import checkout, holds, orders, patients
from booking_service.services.patient_details import read_details
from booking_service.web import holding, languages
from booking_service.web.holding import Hold, Typed
from booking_service.web.security import open_to_all

bp = Blueprint("checkout", __name__, url_prefix="/book/<hold>")
bp.before_request(open_to_all)

# The page that waits for Stripe looks again every 2 seconds, this often.
_LOOKS: Final = 10
# In the order of the page.
_FIELDS: Final = ("name", "booked_by", "phone", "email")


@bp.get("/details")
def details(hold: str) -> str:
    """Ask who is coming: three fields. Whoever waited for the time has given one of them."""
    held = _live(hold)
    typed = held.typed or Typed(email=held.waited.email or "" if held.waited else "")
    return render_template("book/details.html", hold=held, typed=typed, errors={})


@bp.post("/details")
def set_details(hold: str) -> Response | tuple[str, int]:
    """Keep who is coming, or say what to mend."""
    held = _live(hold)
    typed = Typed.read(request.form)
    try:
        who = (typed.name, typed.email, typed.phone)
        given = read_details(*who, languages.current(), typed.booked_by)
        patients.set_details(held.booking.id, given, current_app.extensions["settings"].hold)
    except Invalid as invalid:
        found = {error.field: languages.translated(error.detail) for error in invalid.errors}
        errors = {field: found[field] for field in _FIELDS if field in found}
        page = render_template("book/details.html", hold=held, typed=typed, errors=errors)
        return page, HTTPStatus.UNPROCESSABLE_ENTITY
    return redirect(url_for("book.checkout.review", hold=hold), code=303)


@bp.get("/review")
def review(hold: str) -> str | Response:
    """Show everything once more before Stripe, or after coming back from there unpaid."""
    held = _live(hold)
    if held.typed is None:
        return redirect(url_for("book.checkout.details", hold=hold), code=303)
    if held.booking.checkout_session_id:
        return render_template("book/ready.html", hold=held)
    return _review_page(held)


@bp.post("/review")
def pay(hold: str) -> Response | tuple[str, int]:
    """Take the consent and send the patient to Stripe."""
    held = _live(hold)
    if held.typed is None:
        return redirect(url_for("book.checkout.details", hold=hold), code=303)
    if "agree" not in request.form:
        page = _review_page(held, has_to_agree=True)
        return page, HTTPStatus.UNPROCESSABLE_ENTITY
    consent = orders.Consent(
        terms_version=request.form.get("terms_version", 0, type=int),
        language=request.form.get("terms_language", languages.current(), type=Language),
        address=request.remote_addr or "",
        user_agent=request.user_agent.string,
        save_card="save_card" in request.form,
        texts="texts" in request.form,
    )
    known = current_app.extensions
    lifetime = known["settings"].checkout
    try:
        url = checkout.start(held.booking.id, consent, known["gateway"], known["links"], lifetime)
    except TermsChanged as error:
        return _review_page(held, agreed_version=consent.terms_version), error.status
    return redirect(url, code=303)


@bp.post("/more")
def more_time(hold: str) -> Response:
    """Hold the time longer for somebody who needs longer."""
    held = _live(hold)
    holds.extend(held.booking.id, current_app.extensions["settings"].hold)
    page = "book.checkout.review" if held.typed else "book.checkout.details"
    return redirect(url_for(page, hold=hold), code=303)


@bp.post("/release")
def release(hold: str) -> Response:
    """Give the time back and choose another; what was typed is kept."""
    held = holding.find(hold)
    holding.give_back(held)
    return redirect(url_for("book.times", src=held.booking.source), code=303)


@bp.post("/again")
def again(hold: str) -> Response:
    """Take a time that was let go once more, with the details given before."""
    held = holding.find(hold)
    if held.booking.is_paid:
        abort(holding.to_the_visit(held))
    typed = Typed.read(request.form) if "name" in request.form else held.typed
    return holding.take(held.pick, held.booking.source, instead_of=held, typed=typed)


@bp.get("/done")
def done(hold: str) -> str:
    """Come back from Stripe: ask what became of the payment, and go where that leads."""
    held = holding.find(hold)
    session_id = held.booking.checkout_session_id
    if not held.booking.is_paid and session_id:
        try:
            checkout.confirm(session_id, current_app.extensions["gateway"])
        except GatewayUnavailable:
            current_app.logger.info("no answer about a payment page")
        held = holding.find(hold)
    _leave_unless_held(held)
    look = request.args.get("look", 1, type=int)
    following = url_for("book.checkout.done", hold=hold, look=look + 1) if look < _LOOKS else None
    return render_template("book/waiting.html", hold=held, following=following)


def _live(token: str) -> Hold:
    """Return a hold that can still be paid; lead everybody else to where their booking is.

    Raises:
        HoldEnded: its time has passed.
    """
    hold = holding.find(token)
    _leave_unless_held(hold)
    if not hold.is_live:
        if hold.booking.checkout_session_id:
            # Stripe's page outlives the hold by a moment: it may have been paid just now.
            abort(redirect(url_for("book.checkout.done", hold=token), code=303))
        raise HoldEnded(Sentence("We had to let your time go. You haven't been charged."))
    return hold


def _leave_unless_held(hold: Hold) -> None:
    status = hold.booking.status
    if status is BookingStatus.EXPIRED and not hold.booking.is_paid:
        raise HoldEnded(Sentence("We had to let your time go."))
    if status is not BookingStatus.HELD:
        abort(holding.to_the_visit(hold))


def _review_page(
    hold: Hold, *, has_to_agree: bool = False, agreed_version: int | None = None
) -> str:
    """Show the last page before Stripe.

    Args:
        hold: what is about to be paid for.
        has_to_agree: the box was left empty.
        agreed_version: what was agreed to, when another version is on sale by now.
    """
    return render_template(
        "book/review.html",
        hold=hold,
        offer=patient_pages.current_offer(),
        has_to_agree=has_to_agree,
        agreed=patient_pages.offer(agreed_version) if agreed_version else None,
        save_card="save_card" in request.form,
        offers_texts=current_app.extensions["texts"] is not None,
        texts="texts" in request.form,
    )
