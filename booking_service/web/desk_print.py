"""The day on paper."""

from flask import Blueprint, render_template

from booking_service.clock import utc_now
from booking_service.models import Role
from booking_service.queries import printed_day
from booking_service.services import views
from booking_service.web import desk_pages as pages
from booking_service.web.desk_board import STATES
from booking_service.web.security import acting, staff_only

bp = Blueprint("desk_print", __name__, url_prefix="/desk")
bp.before_request(staff_only(Role.FRONT_DESK))


@bp.get("/<day>/print")
def day(day: str) -> str:
    """Show a day as it is printed. Who looked at whom is written down."""
    shown = printed_day.printed_day(pages.date_of(day))
    views.note_print(acting(), shown.booking_ids)
    return render_template(
        "desk/print.html", shown=shown, states=STATES, by=acting().name, now=utc_now()
    )
