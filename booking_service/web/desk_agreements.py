"""The membership agreement at the desk: waiting for the patient's phone, and the page to print."""

from http import HTTPStatus
from typing import Final
from uuid import UUID

from flask import Blueprint, Response, render_template, request

from booking_service.models import Role
from booking_service.queries import agreements, front_desk
from booking_service.services import views
from booking_service.web import desk_pages as pages
from booking_service.web.desk_progress import first_name
from booking_service.web.security import acting, staff_only

bp = Blueprint("desk_agreements", __name__, url_prefix="/desk/visit/<uuid:booking_id>")
bp.before_request(staff_only(Role.FRONT_DESK))

_STOP_POLLING: Final = 286  # htmx's own status: take this answer and do not ask again


@bp.get("/signing")
def signing(booking_id: UUID) -> Response | str | tuple[str, int]:
    """Answer what the patient has signed, or nothing when that is what was `?signature=` seen."""
    shown = front_desk.visit(booking_id)
    if not shown.can_join:
        return Response(status=_STOP_POLLING)
    seen = str(shown.signed.id) if shown.signed else ""
    if request.args.get("signature", "") == seen:
        return "", HTTPStatus.NO_CONTENT
    return render_template(
        "desk/signing.html",
        visit=shown,
        first_name=first_name(shown),
        zone=shown.zone,
        agree_address=pages.agree_address(shown),
        picked=pages.picked(shown),
        problems=[],
        typed=request.form,
        is_news=True,
    )


@bp.get("/agreement")
def copy(booking_id: UUID) -> str:
    """Show what was signed, or a page to sign by hand; both to be printed. Who looked is noted."""
    shown = front_desk.visit(booking_id)
    views.note_view(acting(), booking_id)
    unsigned = agreements.to_sign(booking_id, shown.locale)
    return render_template("desk/agreement.html", visit=shown, unsigned=unsigned)
