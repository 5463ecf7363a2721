"""What a person sees in a browser: the pay page, and a look into the account."""

from datetime import UTC, datetime
from typing import Final

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response

from booking_service.simulator import cards, paying
from booking_service.simulator.account import Cause
from booking_service.simulator.checkout import lines_of
from booking_service.simulator.checks import Json
from booking_service.simulator.errors import StripeError
from booking_service.simulator.parts import Parts
from booking_service.simulator.store import Page

_WAITS_SECONDS: Final = 10  # for the webhook's answer, as Checkout does before it redirects
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
    ("4000 0000 0000 7726", "pays; its refund stays pending first"),
    ("4000 0000 0000 5126", "pays; its refund succeeds, then fails"),
)
_SHOWN: Final = 50


def blueprint(parts: Parts) -> Blueprint:
    """Return the pages of a simulator."""
    bp = Blueprint("pages", __name__)
    bp.add_app_template_filter(_dollars, "dollars")
    bp.add_app_template_filter(_moment, "moment")

    @bp.get("/")
    def index() -> str:
        kinds = ("checkout.session", "charge", "refund", "subscription", "event")
        newest = Page(limit=_SHOWN)
        lists = {kind: parts.account.store.select(kind, [], newest)[0] for kind in kinds}
        return render_template("index.html", lists=lists)

    @bp.get("/c/pay/<id_>")
    def show(id_: str) -> tuple[str, int]:
        return _page(parts, parts.account.get("checkout.session", id_), None)

    @bp.post("/c/pay/<id_>")
    def pay(id_: str) -> Response | tuple[str, int]:
        try:
            session, event = _paid(parts, id_)
        except StripeError as refusal:
            return _page(parts, parts.account.get("checkout.session", id_), refusal)
        parts.account.wake()
        parts.courier.wait_for_first_attempt(event["id"], _WAITS_SECONDS)
        return redirect(session["success_url"].replace(_PLACEHOLDER, id_), code=303)

    @bp.errorhandler(StripeError)
    def refused(error: StripeError) -> tuple[str, int]:
        return render_template("gone.html", message=str(error)), error.status

    return bp


def _paid(parts: Parts, id_: str) -> tuple[Json, Json]:
    form = request.form
    with parts.account.store.transaction():
        parts.account.cause = Cause()
        card = cards.read(form.get("number", ""), form.get("expiry", ""), form.get("cvc", ""))
        email, name = form.get("email", "").strip(), form.get("name", "").strip()
        return paying.pay(parts.account, id_, card, email or None, name or None)


def _page(parts: Parts, session: Json, refusal: StripeError | None) -> tuple[str, int]:
    """Show the page; after a refusal, with what was typed but the card."""
    if session["status"] != "open":
        return render_template("closed.html", session=session), 200 if refusal is None else 409
    lines = lines_of(parts.account, session)["data"]
    page = render_template(
        "pay.html",
        session=session,
        lines=lines,
        typed=request.form,
        error=str(refusal) if refusal else "",
        field=_FIELDS.get(str(refusal.fields["code"])) if refusal else None,
        test_cards=_TEST_CARDS,
    )
    return page, refusal.status if refusal else 200


def _dollars(cents: int) -> str:
    sign = "-" if cents < 0 else ""
    return f"{sign}${abs(cents) / 100:,.2f}"


def _moment(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
