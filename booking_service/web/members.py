"""Members at the front desk: the list, one of them, and what can be done about a membership."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Final
from uuid import UUID

from flask import (
    Blueprint,
    Response,
    current_app,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.blueprints import BlueprintSetupState
from werkzeug.wrappers import Response as AnyResponse

from booking_service.clock import utc_now
from booking_service.errors import BookingServiceError
from booking_service.models import Role
from booking_service.queries import member as one
from booking_service.queries import members as list_
from booking_service.queries.member import MemberView
from booking_service.queries.members import MemberFilter, MemberRow, Standing
from booking_service.queries.patient_pages import practice
from booking_service.services import exports, membership_cards, membership_changes, periods, views
from booking_service.web import desk_pages, member_words
from booking_service.web.csv_files import attachment
from booking_service.web.forms import read_instant
from booking_service.web.security import acting, staff_only

bp = Blueprint("members", __name__, url_prefix="/desk/members")
bp.before_request(staff_only(Role.FRONT_DESK))

_PAGE: Final = 50

Page = AnyResponse | tuple[str, HTTPStatus]


@bp.record
def _count(state: BlueprintSetupState) -> None:
    """Let every staff page say how many members owe a month."""
    state.app.jinja_env.globals["past_due_count"] = list_.past_due_count


@bp.context_processor
def _words() -> dict[str, object]:
    return {"words": member_words}


@bp.route("", methods=["GET", "POST"])
def index() -> str:
    """Show the members that match. A search is posted: names are kept out of addresses."""
    chosen = _filter()
    cursor = request.form.get("cursor")
    return render_template(
        "desk/members.html",
        page=list_.members(chosen, cursor, _PAGE),
        chosen=chosen,
        is_first=not cursor,
        zone=practice().zone,
        now=utc_now(),
    )


@bp.post("/members.csv")
def export() -> Response:
    """Write exactly the chosen members to a file, and note who took it."""
    chosen = _filter()
    exports.note_export(acting(), "members", list_.members(chosen, None, 1).count)
    return attachment("members.csv", MemberRow, list_.members_to_export(chosen))


@bp.get("/<uuid:membership_id>")
def show(membership_id: UUID) -> str:
    """Show one membership. Who looked is written down."""
    shown = one.member(membership_id)
    views.note_view(acting(), shown.booking_id)
    return _page(shown)


@bp.post("/<uuid:membership_id>/pause")
def pause(membership_id: UUID) -> Page:
    """Charge nothing until it is resumed."""
    return _do(membership_id, membership_changes.pause, "Paused. Nothing is charged until then.")


@bp.post("/<uuid:membership_id>/resume")
def resume(membership_id: UUID) -> Page:
    """Charge again from the next period on."""
    return _do(membership_id, membership_changes.resume, "Resumed.")


@bp.post("/<uuid:membership_id>/cancel")
def cancel(membership_id: UUID) -> Page:
    """End it on the date that the page said."""
    said = read_instant(request.form, "ends_at")
    return _do(
        membership_id,
        lambda id_, actor: membership_changes.cancel(id_, said, actor),
        "Cancelled. It ends on the date below.",
    )


@bp.post("/<uuid:membership_id>/cancel-now")
def cancel_now(membership_id: UUID) -> Page:
    """End it at once."""
    return _do(membership_id, membership_changes.cancel_now, "Cancelled.")


@bp.post("/<uuid:membership_id>/keep")
def keep(membership_id: UUID) -> Page:
    """Take a cancellation back."""
    return _do(membership_id, membership_changes.keep, "The cancellation is taken back.")


@bp.post("/<uuid:membership_id>/plan")
def change_plan(membership_id: UUID) -> Page:
    """Bill another plan from the next charge on."""
    plan_id = request.form.get("plan_id", type=UUID)
    return _do(
        membership_id,
        lambda id_, actor: membership_changes.change_plan(id_, plan_id, actor),
        "The plan changes with the next charge.",
    )


@bp.post("/<uuid:membership_id>/card-link")
def card_link(membership_id: UUID) -> Page:
    """Mail the patient the link to give another card."""
    said = "The link is on its way by e-mail."
    return _do(membership_id, membership_cards.send_link, said)


def _do(membership_id: UUID, act: Callable[..., None], said: str) -> Page:
    shown = one.member(membership_id)
    try:
        act(membership_id, acting())
    except BookingServiceError as error:
        return _page(one.member(membership_id), error), error.status
    if shown.is_at_stripe and act is not membership_cards.send_link:
        said = f"{said} Stripe is being told."
    flash(said)
    return redirect(url_for("members.show", membership_id=membership_id), code=303)


def _page(shown: MemberView, problem: BookingServiceError | None = None) -> str:
    links = current_app.extensions["links"]
    return render_template(
        "desk/member.html",
        member=shown,
        zone=shown.zone,
        story=one.story(shown.id),
        ends_at=periods.cancelled_at(
            shown.billing_anchor_at, shown.period_ends_at, shown.notice_days, utc_now()
        ),
        why_unpaid=desk_pages.decline_words(shown.past_due_code),
        card_address=links.card(shown.booking_id, shown.link_version),
        problem=str(problem) if problem else None,
    )


def _filter() -> MemberFilter:
    """Read the filter; what cannot be read filters nothing, and the page shows it so."""
    standing = request.args.get("status", "")
    return MemberFilter(
        standing=Standing(standing) if standing in set(Standing) else None,
        q=request.form.get("q", "").strip(),
    )
