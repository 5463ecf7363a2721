"""Needs action: one case, what may be done about it, and goodwill."""

from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from booking_service.clock import utc_now
from booking_service.errors import BookingServiceError, Invalid
from booking_service.models import CaseAction, Role
from booking_service.queries import finance
from booking_service.services import cases, goodwill, resolutions
from booking_service.services.resolutions import NEEDS_NOTE
from booking_service.web import case_words
from booking_service.web.forms import GoodwillForm, read_facts
from booking_service.web.security import acting, staff_only

bp = Blueprint("case", __name__)
bp.before_request(staff_only(Role.FINANCE))

_KEPT: Final = ("q", "type", "owner", "overdue")

_DONE: Final = {
    CaseAction.RETRY: "Sent again. If it fails again, a new case says so.",
    CaseAction.SETTLE: "Recorded.",
    CaseAction.APPROVE_SETTLEMENT: "Approved. The money is back, and nothing is owed any more.",
    CaseAction.WITHDRAW_SETTLEMENT: "Withdrawn. The payout does not count.",
    CaseAction.APPROVE_GOODWILL: "Approved. The refund is on its way.",
    CaseAction.DECLINE_GOODWILL: "Declined. Nothing is sent.",
    CaseAction.RETURN_MONEY: "The money is on its way back.",
    CaseAction.ACCEPT_PAYMENT: "Accepted. The visit is confirmed.",
    CaseAction.WAIVE: "Given up. Nothing is sent.",
    CaseAction.ACKNOWLEDGE: "Closed.",
    CaseAction.ASSIGN: "Assigned.",
}


@bp.get("/cases/<uuid:case_id>")
def show(case_id: UUID) -> str:
    """Show one case: what happened, and a form for each thing that may be done."""
    return _page(case_id)


@bp.post("/cases/<uuid:case_id>/<action>")
def act(case_id: UUID, action: str) -> Response | tuple[str, HTTPStatus]:
    """Do one thing about a case; whatever it says, nothing is done twice."""
    if action not in set(CaseAction):
        abort(HTTPStatus.NOT_FOUND)
    try:
        resolutions.resolve_by(case_id, CaseAction(action), acting(), read_facts(request.form))
    except BookingServiceError as error:
        return _page(case_id, action, error), error.status
    flash(_DONE[CaseAction(action)])
    return redirect(url_for("finance.case.show", case_id=case_id), code=303)


@bp.post("/cases/assign")
def assign() -> Response:
    """Give the ticked cases to somebody, and go back to the list as it was."""
    ticked = request.form.getlist("case", type=UUID)
    try:
        count = cases.assign(ticked, request.form.get("owner_id", type=UUID), acting())
    except Invalid as error:
        flash(f"Nothing was assigned. {error}")
    else:
        flash(f"{count} case{'' if count == 1 else 's'} assigned.")
    kept = {name: value for name in _KEPT if (value := request.form.get(name))}
    return redirect(f"{url_for('finance.cases')}?{urlencode(kept)}", code=303)


@bp.get("/goodwill/<uuid:payment_id>")
def goodwill_form(payment_id: UUID) -> str:
    """Show what is left of a payment, and ask how much of it goes back and why."""
    return _goodwill_page(payment_id)


@bp.post("/goodwill/<uuid:payment_id>")
def ask_goodwill(payment_id: UUID) -> Response | tuple[str, HTTPStatus]:
    """Ask for goodwill; a second person finds it under Needs action."""
    try:
        form = GoodwillForm.read(request.form)
        refund_id = goodwill.ask(payment_id, form.amount_cents, form.note, acting())
    except BookingServiceError as error:
        return _goodwill_page(payment_id, error), error.status
    flash("Asked. Somebody else in finance must approve it; nothing is sent before.")
    return redirect(url_for("finance.refund", refund_id=refund_id), code=303)


def _page(case_id: UUID, tried: str = "", problem: BookingServiceError | None = None) -> str:
    shown = finance.case(case_id, acting().id)
    return render_template(
        "finance/case.html",
        case=shown,
        story=case_words.story(shown),
        doings=[(action, case_words.doing(shown, action)) for action in shown.actions],
        refused=_refused(shown),
        needs_note=NEEDS_NOTE,
        methods=case_words.METHODS,
        owners=finance.case_owners(),
        tried=tried,
        problems=_problems(problem),
        typed=request.form,
        zone=finance.practice_zone(),
        now=utc_now(),
        cases=len(finance.open_cases()),
    )


def _refused(shown: finance.CaseView) -> list[tuple[str, str]]:
    """Return what somebody may miss on this page, and why it is not there."""
    deciding = {CaseAction.APPROVE_SETTLEMENT, CaseAction.WITHDRAW_SETTLEMENT}
    needless = {CaseAction.SETTLE} if shown.subject.settlement else deciding
    return [
        (case_words.doing(shown, action).title, why)
        for action, why in shown.objections.items()
        if action not in needless
    ]


def _goodwill_page(payment_id: UUID, problem: BookingServiceError | None = None) -> str:
    return render_template(
        "finance/goodwill.html",
        payment=finance.goodwill(payment_id),
        problems=_problems(problem),
        typed=request.form,
        zone=finance.practice_zone(),
        cases=len(finance.open_cases()),
    )


def _problems(problem: BookingServiceError | None) -> list[tuple[str, str]]:
    """Return what went wrong, each with the field it belongs to ("" for none)."""
    if isinstance(problem, Invalid):
        return [(error.field, error.detail) for error in problem.errors]
    return [("", str(problem))] if problem else []
