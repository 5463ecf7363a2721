"""The account as a person sees it: every object, event, delivery and request, and what to do."""

from typing import Final

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response

from booking_service.simulator import balance, buttons, words
from booking_service.simulator.checks import Json
from booking_service.simulator.errors import StripeError, missing
from booking_service.simulator.parts import Parts
from booking_service.simulator.store import Page

_SHOWN: Final = 50
_NEWEST: Final = 8
_ON_FRONT: Final = ("checkout.session", "charge", "refund", "dispute", "payout", "subscription")


def blueprint(parts: Parts) -> Blueprint:
    """Return the account's pages."""
    bp = Blueprint("account", __name__)
    bp.add_app_template_filter(words.dollars, "dollars")
    bp.add_app_template_filter(words.moment, "moment")
    for filter_ in (words.kind_of, words.amount_of, words.state_of, words.title_of):
        bp.add_app_template_filter(filter_)
    _add_objects(bp, parts)
    _add_ledgers(bp, parts)

    @bp.app_context_processor
    def frame() -> Json:
        return {"kinds": words.PLURALS, "now": parts.account.clock.real()}

    @bp.post("/do/<action>")
    def do(action: str) -> Response | tuple[str, int]:
        if action not in buttons.ACTIONS:
            return render_template("gone.html", message="There is no such button."), 404
        return redirect(buttons.ACTIONS[action](parts, request.form), code=303)

    @bp.errorhandler(StripeError)
    def refused(error: StripeError) -> tuple[str, int]:
        return render_template("refused.html", message=str(error)), error.status

    return bp


def _add_objects(bp: Blueprint, parts: Parts) -> None:
    store = parts.account.store

    @bp.get("/")
    def index() -> str:
        lists = {kind: store.select(kind, [], Page(limit=_NEWEST))[0] for kind in _ON_FRONT}
        whole = balance.whole(parts.account)
        sums = {name: whole[name][0]["amount"] for name in ("available", "pending")}
        return render_template(
            "index.html", lists=lists, sums=sums, offset=parts.account.clock.offset
        )

    @bp.get("/objects/<kind>")
    def objects(kind: str) -> str:
        if kind not in words.PLURALS:
            raise missing("kind", kind)
        page = Page(limit=_SHOWN, starting_after=request.args.get("after"))
        wanted = request.args.get("with", "").strip()
        holding = [("instr(lower(body), lower(?)) > 0", (wanted,))] if wanted else []
        try:
            things, more = store.select(kind, holding, page)
        except LookupError as cursor:
            raise missing(kind, str(cursor)) from cursor
        return render_template("objects.html", kind=kind, things=things, more=more, wanted=wanted)

    @bp.get("/object/<id_>")
    def detail(id_: str) -> str:
        thing = store.find(id_)
        if thing is None:
            raise missing("object", id_)
        is_event = thing["object"] == "event"
        about = ("json_extract(body, '$.data.object.id') = ?", (id_,))
        return render_template(
            "object.html",
            thing=thing,
            facts=words.facts_of(thing),
            buttons=buttons.offered(thing),
            events=[] if is_event else store.select("event", [about], Page(_SHOWN))[0],
            deliveries=_deliveries(parts, id_) if is_event else [],
        )

    @bp.app_template_filter("is_linked")
    def is_linked(value: object) -> bool:
        return isinstance(value, str) and "_" in value and store.find(value) is not None


def _add_ledgers(bp: Blueprint, parts: Parts) -> None:
    @bp.get("/deliveries")
    def deliveries() -> str:
        return render_template("deliveries.html", deliveries=_deliveries(parts))

    @bp.get("/requests")
    def requests() -> str:
        entries = parts.log.entries()[: -_SHOWN - 1 : -1]
        violations = parts.log.violations()[::-1]
        return render_template("requests.html", entries=entries, violations=violations)


def _deliveries(parts: Parts, event_id: str = "") -> list[Json]:
    """Return the newest deliveries, of one event or of all."""
    rows = parts.account.store.rows(
        "SELECT deliveries.*, json_extract(body, '$.type') AS type FROM deliveries"
        " JOIN objects ON objects.id = event WHERE ? IN ('', event)"
        " ORDER BY deliveries.id DESC LIMIT ?",
        (event_id, _SHOWN),
    )
    return [dict(row) for row in rows]
