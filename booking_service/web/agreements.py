"""Reading and signing the membership agreement, on the patient's own phone."""

from http import HTTPStatus
from typing import Final
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from booking_service.errors import AgreementChanged, FieldError, Invalid, LinkReplaced, NotAllowed
from booking_service.languages import Language, Sentence
from booking_service.models import SigningWindow
from booking_service.queries import agreements as signing
from booking_service.queries import patient_pages, visit_links
from booking_service.services import agreements
from booking_service.services.agreements import Signing
from booking_service.web import holding, languages
from booking_service.web.security import open_to_all

bp = Blueprint("agreements", __name__, url_prefix="/agree/<token>")
bp.before_request(open_to_all)

# In the order of the page.
_FIELDS: Final = ("plan", "name", "agree")


@bp.errorhandler(LinkReplaced)
def replaced(error: LinkReplaced) -> tuple[str, int]:
    """Say that a newer link took this one's place, and nothing about the visit."""
    return render_template("visit/replaced.html", sentence=languages.refusal(error)), error.status


@bp.get("")
def show(token: str) -> str:
    """Show what can be signed, or what was. Opening it changes nothing."""
    return _page(token)


@bp.post("")
def sign(token: str) -> Response | tuple[str, int]:
    """Keep the signature, or say what to mend."""
    booking_id = _find(token)
    try:
        agreements.sign(booking_id, _read(request.form))
    except Invalid as invalid:
        found = {error.field: languages.translated(error.detail) for error in invalid.errors}
        return _page(
            token, errors={f: found[f] for f in _FIELDS if f in found}
        ), HTTPStatus.UNPROCESSABLE_ENTITY
    except AgreementChanged as error:
        return _page(token, notice=languages.refusal(error)), error.status
    except NotAllowed as error:
        return _page(token), error.status
    return redirect(url_for("agreements.show", token=token), code=303)


def _find(token: str) -> UUID:
    booking_id = visit_links.opened_to_sign(holding.links(), token)
    languages.booked_in(signing.locale(booking_id))
    return booking_id


def _page(token: str, errors: dict[str, str] | None = None, notice: str | None = None) -> str:
    asked = signing.to_sign(_find(token), languages.current())
    plans = patient_pages.plans()
    is_open = asked.window is SigningWindow.OPEN and asked.version is not None and bool(plans)
    wants_another = "again" in request.args or request.method == "POST"
    if asked.signed and (asked.has_started or (is_open and not wants_another)):
        return render_template("agree/signed.html", asked=asked, token=token, is_open=is_open)
    if not is_open or asked.has_started:
        is_ahead = asked.window is SigningWindow.AHEAD
        return render_template("agree/closed.html", asked=asked, is_ahead=is_ahead)
    return render_template(
        "agree/sign.html",
        asked=asked,
        plans=plans,
        token=token,
        typed=request.form,
        chosen=request.form.get("plan") or _asked_for(),
        errors=errors or {},
        notice=notice,
    )


def _asked_for() -> str | None:
    """Return the plan that the desk asked to sign for; without one no tile is chosen."""
    plan_id = request.args.get("plan", type=UUID)
    return str(plan_id) if plan_id else None


def _read(form: MultiDict[str, str]) -> Signing:
    """Read the form. A plan's tile says which price was shown beside it.

    Raises:
        Invalid: no plan is chosen, the name is missing, or the box is not ticked.
    """
    plan_id, price = _read_plan(form.get("plan", ""))
    errors = []
    if plan_id is None:
        errors.append(FieldError("plan", "missing", Sentence("Choose one of the plans")))
    if not form.get("name", "").strip():
        errors.append(FieldError("name", "missing", Sentence("Enter your full name")))
    if "agree" not in form:
        detail = Sentence("Tick the box to agree to the membership agreement")
        errors.append(FieldError("agree", "missing", detail))
    if plan_id is None or errors:
        raise Invalid(*errors)
    return Signing(
        plan_id=plan_id,
        price_cents=price,
        version=form.get("version", 0, type=int),
        language=form.get("language", languages.current(), type=Language),
        name=form["name"],
        address=request.remote_addr or "",
        user_agent=request.user_agent.string,
    )


def _read_plan(text: str) -> tuple[UUID | None, int]:
    plan, _, price = text.partition("@")
    try:
        return UUID(plan), int(price)
    except ValueError:
        return None, 0
