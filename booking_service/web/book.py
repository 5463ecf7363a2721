"""Booking a first visit, up to the tap on a time; what follows is in `checkout`."""

from flask import Blueprint, g, redirect, render_template, request, url_for
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response

from booking_service.models import Practice
from booking_service.queries import patient_pages
from booking_service.queries.patient_pages import PartOfDay
from booking_service.web import (
    checkout,
    edges,
    for_search,
    forms,
    free_times,
    holding,
    patient_words,
)
from booking_service.web.security import open_to_all

bp = Blueprint("book", __name__)
bp.before_request(open_to_all)
patient_words.register(bp)
for_search.register(bp)
bp.register_blueprint(checkout.bp)
edges.register(bp)


@bp.app_template_global("clinic")
def clinic() -> Practice | None:
    """Return the practice, or None when even the database cannot say: error pages ask too."""
    if "clinic" not in g:
        try:
            g.clinic = patient_pages.practice()
        except SQLAlchemyError:
            return None
    practice: Practice = g.clinic
    return practice


@bp.get("/")
@bp.get("/first-visit")
def offer() -> str:
    """Show what $39 buys, and the next three times."""
    return render_template(
        "book/offer.html",
        listed=free_times.on_offer(),
        days_looked=free_times.DAYS_ON_OFFER,
        source=forms.read_source(request.args.get("src")),
    )


@bp.get("/book")
def times() -> str:
    """List free times, a week at once."""
    return render_template(
        "book/times.html",
        listed=free_times.listed(forms.TimesWanted.read(request.args)),
        parts=list(PartOfDay),
        source=forms.read_source(request.args.get("src")),
        kept=holding.kept(),
    )


@bp.post("/book")
def place() -> Response:
    """Hold the time that was tapped. Tapping it twice, or another one instead, is one hold."""
    pick = forms.Pick.read(request.form.get("slot", ""))
    kept = holding.kept()
    if kept and kept.is_live and kept.pick == pick:
        return redirect(url_for("book.checkout.details", hold=kept.token), code=303)
    return holding.take(
        pick,
        source=forms.read_source(request.form.get("source")),
        instead_of=kept,
        typed=kept.typed if kept else None,
    )


@bp.get("/terms")
@bp.get("/terms/<int:version>")
def terms(version: int | None = None) -> str:
    """Show the terms of the offer, today's or those of an earlier version."""
    current = patient_pages.current_offer()
    shown = patient_pages.offer(version) if version else current
    return render_template("book/terms.html", offer=shown, is_current=shown.id == current.id)


@bp.get("/privacy")
def privacy() -> str:
    """Say what is kept about a patient, and what is not."""
    return render_template("book/privacy.html")
