"""Finance: every refund explained and proven, open cases, and the ledger."""

from collections.abc import Iterator
from datetime import date, timedelta
from enum import StrEnum
from http import HTTPStatus
from itertools import groupby
from typing import Final, TypeVar
from uuid import UUID

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from booking_service.clock import local_day, utc_now
from booking_service.models import RefundReason, RefundStatus, Role
from booking_service.queries import finance, finance_forecast
from booking_service.queries.finance import CaseRow, JournalRow, RefundFilter, RefundRow
from booking_service.services import exports
from booking_service.web import case_words, finance_cases
from booking_service.web import finance_words as words
from booking_service.web.csv_files import attachment
from booking_service.web.forms import read_case_filter
from booking_service.web.security import acting, staff_only

bp = Blueprint("finance", __name__, url_prefix="/finance")
bp.before_request(staff_only(Role.FINANCE))
bp.register_blueprint(finance_cases.bp)

_PAGE: Final = 50

ChoiceT = TypeVar("ChoiceT", bound=StrEnum)


@bp.context_processor
def _words() -> dict[str, object]:
    return {"words": words}


@bp.get("")
def index() -> AnyResponse:
    """Go to the list of refunds."""
    return redirect(url_for("finance.refunds"), code=303)


@bp.get("/refunds")
def refunds() -> str:
    """Show the refunds that match, newest first, with the sum of exactly those."""
    chosen = _filter()
    cursor = request.args.get("cursor")
    return render_template(
        "finance/refunds.html",
        page=finance.refunds(chosen, cursor, _PAGE),
        chosen=chosen,
        asked=_asked("status", "from", "to", "q", "reason"),
        is_first=not cursor,
        forecast=finance_forecast.forecast(),
        zone=finance.practice_zone(),
        now=utc_now(),
        cases=len(finance.open_cases()),
    )


@bp.get("/refunds.csv")
def refunds_csv() -> Response:
    """Write exactly the chosen refunds to a file, and note who took it."""
    chosen = _filter()
    exports.note_export(acting(), "refunds", finance.refunds(chosen, None, 1).count)
    return attachment("refunds.csv", RefundRow, finance.refunds_to_export(chosen))


@bp.get("/refunds/<uuid:refund_id>")
def refund(refund_id: UUID) -> str:
    """Show one refund with everything that proves it."""
    return render_template(
        "finance/refund.html",
        refund=finance.refund(refund_id),
        zone=finance.practice_zone(),
        cases=len(finance.open_cases()),
    )


@bp.get("/cases")
def cases() -> str:
    """Show what needs a person, the most urgent first: all, or those that match."""
    cursor = request.args.get("cursor")
    me = acting().id
    chosen = read_case_filter(request.args, me)
    return render_template(
        "finance/cases.html",
        page=finance.cases(chosen, me, cursor, _PAGE),
        chosen=chosen,
        asked=_asked("q", "type", "owner", "overdue"),
        is_first=not cursor,
        forecast=finance_forecast.forecast(),
        owners=finance.case_owners(),
        me=me,
        detail=case_words.detail,
        zone=finance.practice_zone(),
        now=utc_now(),
        cases=len(finance.open_cases()),
    )


@bp.get("/cases.csv")
def cases_csv() -> Response:
    """Write exactly the chosen cases to a file, and note who took it."""
    chosen = read_case_filter(request.args, acting().id)
    exports.note_export(acting(), "cases", finance.cases(chosen, None, None, 1).count)
    return attachment("cases.csv", CaseRow, finance.cases_to_export(chosen))


@bp.get("/ledger")
def ledger() -> str:
    """Show a month's journal and the trial balance, this month's unless `?month=` says another."""
    month = _month()
    totals = finance.trial_balance(month)
    return render_template(
        "finance/ledger.html",
        month=month,
        before=(month - timedelta(days=1)).replace(day=1),
        after=(month + timedelta(days=31)).replace(day=1),
        entries=_entries(month),
        totals=totals,
        zone=finance.practice_zone(),
        now=utc_now(),
        cases=len(finance.open_cases()),
    )


@bp.get("/ledger.csv")
def ledger_csv() -> Response:
    """Write a month's journal to a file, and note who took it."""
    month = _month()
    lines = finance.ledger(month)
    exports.note_export(acting(), "ledger", len(lines))
    return attachment(f"ledger-{month:%Y-%m}.csv", JournalRow, lines)


def _entries(month: date) -> list[list[JournalRow]]:
    """Return the month's lines by entry, newest entry first."""
    return [list(lines) for _, lines in _by_entry(month)][::-1]


def _by_entry(month: date) -> Iterator[tuple[UUID, Iterator[JournalRow]]]:
    return groupby(finance.ledger(month), key=lambda line: line.entry_id)


def _filter() -> RefundFilter:
    """Read the filter; what cannot be read filters nothing, and the page shows it so."""
    return RefundFilter(
        status=_choice(RefundStatus, "status"),
        from_=_day("from"),
        to=_day("to"),
        q=request.args.get("q", "").strip(),
        reason=_choice(RefundReason, "reason"),
    )


def _asked(*names: str) -> dict[str, str]:
    """Return the filter as it stood in the address, for links that keep it."""
    return {name: value for name in names if (value := request.args.get(name, "").strip())}


def _choice(kind: type[ChoiceT], name: str) -> ChoiceT | None:
    value = request.args.get(name)
    return kind(value) if value in set(kind) else None


def _day(name: str) -> date | None:
    return request.args.get(name, type=date.fromisoformat)


def _month() -> date:
    text = request.args.get("month")
    if text is None:
        return local_day(utc_now(), finance.practice_zone()).replace(day=1)
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        abort(HTTPStatus.NOT_FOUND)
