"""Payouts: whether our books and Stripe's agree, and what each payout was made of."""

from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, redirect, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse

from booking_service.clock import utc_now
from booking_service.models import Role
from booking_service.queries import finance, finance_forecast, finance_payouts
from booking_service.queries.finance_payouts import PayoutLine, PayoutRow
from booking_service.services import exports, reconciliation
from booking_service.web import finance_words, payout_words
from booking_service.web.csv_files import attachment
from booking_service.web.security import acting, staff_only

bp = Blueprint("payouts", __name__, url_prefix="/finance/payouts")
bp.before_request(staff_only(Role.FINANCE))

_SHOWN: Final = 50
_EXPORTED: Final = 10_000  # a payout a day for 27 years


@bp.context_processor
def _words() -> dict[str, object]:
    # Stripe gives the day of arrival as midnight UTC: that date is what the bank shows.
    return {"words": finance_words, "payout_words": payout_words, "bank_zone": ZoneInfo("UTC")}


@bp.get("")
def index() -> str:
    """Show the latest comparison with its self-audit, and the payouts, newest first."""
    return render_template(
        "finance/payouts.html",
        found=finance_payouts.latest(),
        under_way_since=finance_payouts.under_way_since(),
        doubts=finance_payouts.doubts(),
        rows=finance_payouts.payouts(_SHOWN),
        forecast=finance_forecast.forecast(),
        zone=finance.practice_zone(),
        now=utc_now(),
        cases=len(finance.open_cases()),
    )


@bp.post("/compare")
def compare() -> AnyResponse:
    """Owe a comparison; a worker makes it, however long Stripe takes."""
    reconciliation.ask(acting())
    return redirect(url_for("payouts.index"), code=303)


@bp.get("/<uuid:payout_id>")
def payout(payout_id: UUID) -> str:
    """Show what one payout is made of, beside our ledger."""
    return render_template(
        "finance/payout.html",
        row=finance_payouts.payout(payout_id),
        lines=list(finance_payouts.payout_lines(payout_id)),
        zone=finance.practice_zone(),
        now=utc_now(),
        cases=len(finance.open_cases()),
    )


@bp.get("/payouts.csv")
def payouts_csv() -> Response:
    """Write the payouts to a file, and note who took it."""
    rows = finance_payouts.payouts(_EXPORTED)
    exports.note_export(acting(), "payouts", len(rows))
    return attachment("payouts.csv", PayoutRow, rows)


@bp.get("/<uuid:payout_id>.csv")
def payout_csv(payout_id: UUID) -> Response:
    """Write the lines of one payout to a file, and note who took it."""
    lines = list(finance_payouts.payout_lines(payout_id))
    exports.note_export(acting(), "payout", len(lines))
    return attachment(f"payout-{payout_id}.csv", PayoutLine, lines)
