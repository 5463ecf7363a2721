"""A patient's membership on their own page: cancelled, kept after all, paid with another card."""

from http import HTTPStatus

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from booking_service.clock import utc_now
from booking_service.errors import GatewayUnavailable, NotAllowed
from booking_service.models import Actor
from booking_service.queries import member as members
from booking_service.queries.member import MemberView
from booking_service.services import membership_cards, membership_changes, periods
from booking_service.web import changes, languages
from booking_service.web.forms import read_instant
from booking_service.web.security import open_to_all

bp = Blueprint("membership", __name__, url_prefix="/membership")
bp.before_request(open_to_all)

Page = Response | tuple[str, HTTPStatus]


@bp.get("/cancel")
def cancel(token: str) -> str | Response:
    """Say when it would end, and how to take that back, before anything happens."""
    found = _member(token)
    if found is None or not found.is_running or found.cancels_at is not None:
        return _to_the_visit(token)
    return _cancel_page(token, found)


@bp.post("/cancel")
def do_cancel(token: str) -> Page:
    """Cancel for the date that the page said."""
    found = _member(token)
    if found is None:
        return _to_the_visit(token)
    try:
        membership_changes.cancel(found.id, read_instant(request.form, "ends_at"), Actor.patient())
    except NotAllowed as error:
        return _cancel_page(token, found, languages.refusal(error)), error.status
    return _to_the_visit(token)


@bp.post("/keep")
def keep(token: str) -> Response:
    """Take the cancellation back. A refusal is said on the visit's own page."""
    found = _member(token)
    if found is not None:
        membership_changes.keep(found.id, Actor.patient())
    return _to_the_visit(token)


@bp.get("/card")
def card(token: str) -> str | Response:
    """Say which card is charged, and lead to the page for another; it leads back here."""
    found = _member(token)
    if found is None or not found.is_running or not found.is_at_stripe:
        return _to_the_visit(token)
    is_known = True
    try:
        membership_cards.confirm_of(found.id, current_app.extensions["gateway"])
    except GatewayUnavailable:
        is_known = False
    return _card_page(token, members.member(found.id), is_known=is_known)


@bp.post("/card")
def give_card(token: str) -> Page:
    """Lead to Stripe's page for another card."""
    found = _member(token)
    if found is None:
        return _to_the_visit(token)
    known = current_app.extensions
    try:
        address = membership_cards.open_(found.id, known["gateway"], known["links"])
    except GatewayUnavailable as error:
        return _card_page(token, found, is_known=False), error.status
    return redirect(address, code=303)


def _member(token: str) -> MemberView | None:
    return members.of_booking(changes.find(token).id)


def _cancel_page(token: str, found: MemberView, notice: str | None = None) -> str:
    ends_at = periods.cancelled_at(
        found.billing_anchor_at, found.period_ends_at, found.notice_days, utc_now()
    )
    return render_template(
        "visit/membership_cancel.html",
        member=found,
        zone=found.zone,
        token=token,
        ends_at=ends_at,
        notice=notice,
    )


def _card_page(token: str, found: MemberView, *, is_known: bool) -> str:
    return render_template(
        "visit/membership_card.html",
        member=found,
        zone=found.zone,
        token=token,
        is_known=is_known,
    )


def _to_the_visit(token: str) -> Response:
    return redirect(url_for("visit.show", token=token), code=303)
