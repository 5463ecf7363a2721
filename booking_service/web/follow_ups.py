"""The page on which a member books a further visit, from the page of one they have."""

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response

from booking_service.clock import utc_now
from booking_service.errors import Invalid, NotAllowed, SlotTaken
from booking_service.links import FIRST
from booking_service.models import Actor
from booking_service.queries import follow_ups, patient_pages
from booking_service.services import follow_ups as booking
from booking_service.web import changes, holding, languages
from booking_service.web.forms import Pick
from booking_service.web.security import open_to_all

bp = Blueprint("follow_ups", __name__)
bp.before_request(open_to_all)


@bp.get("/book")
def times(token: str) -> str | Response:
    """List the times that the plan includes, a week at a time."""
    return _page(token)


@bp.post("/book")
def book(token: str) -> Response | tuple[str, int] | str:
    """Book the time that was tapped, and lead to its own page."""
    member = follow_ups.member(changes.find(token).id)
    if member is None:
        return changes.to_the_visit(token)
    try:
        pick = Pick.read(request.form.get("slot", ""))
        whose = member.membership_id
        visit_id = booking.book(whose, pick.practitioner_id, pick.starts_at, Actor.patient())
    except (SlotTaken, Invalid, NotAllowed) as error:
        page = _page(token, languages.refusal(error))
        return page if isinstance(page, Response) else (page, error.status)
    return redirect(holding.links().visit(visit_id, FIRST), code=303)


def _page(token: str, notice: str | None = None) -> str | Response:
    booking_ = changes.find(token)
    member = follow_ups.member(booking_.id)
    if member is None or member.closed:
        return changes.to_the_visit(token)
    practice = patient_pages.practice()
    return render_template(
        "visit/book.html",
        member=member,
        token=token,
        notice=notice,
        now=utc_now(),
        **changes.times(practice, member.allowance, member.first_day),
    )
