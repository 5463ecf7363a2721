"""The payment page, as a payer sees it."""

from typing import Final

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from booking_service.simulator import acts, cards
from booking_service.simulator.checkout import lines_of
from booking_service.simulator.checks import Json
from booking_service.simulator.errors import StripeError
from booking_service.simulator.parts import Parts

_WAITS_SECONDS: Final = 10  # for the webhook's answer, as Checkout does before it redirects
_UNCONFIRMED: Final = "Your bank could not confirm that it is you. Try again, or use another card."
_PLACEHOLDER: Final = "{CHECKOUT_SESSION_ID}"
_FIELDS: Final = {  # code of a refusal -> the field it is about
    "incorrect_number": "number",
    "card_declined": "number",
    "invalid_expiry_month": "expiry",
    "invalid_expiry_year": "expiry",
    "invalid_cvc": "cvc",
    "parameter_missing": "email",
}
_TEST_CARDS: Final = (
    ("4242 4242 4242 4242", "pays; refunds arrive at once"),
    ("5555 5555 5555 4444", "pays with Mastercard"),
    ("4000 0000 0000 0002", "is declined"),
    ("4000 0000 0000 9995", "is declined: insufficient funds"),
    ("4000 0000 0000 0341", "pays now, is declined when charged again later"),
    ("4000 0025 0000 3155", "asks the cardholder now, not when charged again later"),
    ("4000 0027 6000 3184", "asks the cardholder every time"),
    ("4000 0000 0000 7726", "pays; its refund stays pending first"),
    ("4000 0000 0000 5126", "pays; its refund succeeds, then fails"),
    ("4000 0000 0000 0259", "pays; is disputed as fraudulent"),
    ("4000 0000 0000 1976", "pays; its bank asks about it, as an inquiry"),
    ("4000 0000 0000 0077", "pays; the money can be used at once"),
)


def blueprint(parts: Parts) -> Blueprint:
    """Return the payment page of a simulator."""
    bp = Blueprint("pages", __name__)

    @bp.get("/c/pay/<id_>")
    def show(id_: str) -> tuple[str, int]:
        return _page(parts, parts.account.get("checkout.session", id_), None)

    @bp.post("/c/pay/<id_>")
    def pay(id_: str) -> Response | tuple[str, int]:
        form = request.form
        try:
            card = cards.read(form.get("number", ""), form.get("expiry", ""), form.get("cvc", ""))
            email, name = form.get("email", "").strip(), form.get("name", "").strip()
            session, event = acts.pay(parts, id_, card, email or None, name or None)
        except StripeError as refusal:
            return _page(parts, parts.account.get("checkout.session", id_), refusal)
        if event is None:
            return redirect(url_for("pages.ask", id_=id_), code=303)
        return _onwards(parts, session, event)

    @bp.get("/c/pay/<id_>/authenticate")
    def ask(id_: str) -> tuple[str, int]:
        session = parts.account.get("checkout.session", id_)
        if session["status"] != "open":
            return _page(parts, session, None)
        return render_template("authenticate.html", session=session), 200

    @bp.post("/c/pay/<id_>/authenticate")
    def authenticate(id_: str) -> Response | tuple[str, int]:
        is_holder = request.form.get("answer") == "complete"
        try:
            session, event = acts.authenticate(parts, id_, is_holder=is_holder)
        except StripeError as refusal:
            return _page(parts, parts.account.get("checkout.session", id_), refusal)
        return _onwards(parts, session, event)

    @bp.errorhandler(StripeError)
    def refused(error: StripeError) -> tuple[str, int]:
        return render_template("gone.html", message=str(error)), error.status

    return bp


def _onwards(parts: Parts, session: Json, event: Json | None) -> Response:
    """Send the payer back to the shop, once the shop was told."""
    if event:
        parts.courier.wait_for_first_attempt(event["id"], _WAITS_SECONDS)
    return redirect(session["success_url"].replace(_PLACEHOLDER, session["id"]), code=303)


def _page(parts: Parts, session: Json, refusal: StripeError | None) -> tuple[str, int]:
    """Show the page; after a refusal, with what was typed but the card."""
    if session["status"] != "open":
        return render_template("closed.html", session=session), 200 if refusal is None else 409
    lines = lines_of(parts.account, session)["data"]
    code = str(refusal.fields["code"]) if refusal else ""
    is_unconfirmed = code == "payment_intent_authentication_failure"  # Stripe's is for developers
    page = render_template(
        "pay.html",
        session=session,
        lines=lines,
        typed=request.form,
        error=_UNCONFIRMED if is_unconfirmed else str(refusal or ""),
        field=_FIELDS.get(code),
        test_cards=_TEST_CARDS,
    )
    return page, refusal.status if refusal else 200
