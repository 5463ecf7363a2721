"""Where a patient comes back to from paying the first month on their own phone."""

from flask import Blueprint, current_app, render_template

from booking_service.errors import GatewayUnavailable
from booking_service.links import Purpose
from booking_service.queries import front_desk
from booking_service.services import membership_pages
from booking_service.web import holding, languages
from booking_service.web.security import open_to_all

bp = Blueprint("joining", __name__, url_prefix="/m/<token>")
bp.before_request(open_to_all)


@bp.get("")
def show(token: str) -> str:
    """Say what became of the payment, and lead to its page while it can still be paid.

    Raises:
        NotFound: the link is not one of ours.
    """
    membership_id, _ = holding.links().read(Purpose.JOIN, token)
    front_desk.membership(membership_id)
    is_known = True
    try:
        membership_pages.confirm_of(membership_id, current_app.extensions["gateway"])
    except GatewayUnavailable:
        is_known = False
    member = front_desk.membership(membership_id)
    visit = front_desk.visit(member.booking_id)
    languages.booked_in(visit.locale)
    return render_template("book/joining.html", member=member, visit=visit, is_known=is_known)
