"""The control plane, `/_sim`: what tests and demonstrations do to the simulator, in JSON."""

from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, jsonify, request

from booking_service.simulator import acts, cards
from booking_service.simulator.checks import Json, Value
from booking_service.simulator.errors import StripeError
from booking_service.simulator.limits import KNOWN, Rates
from booking_service.simulator.parts import Parts
from booking_service.simulator.timers import set_clock


def blueprint(parts: Parts) -> Blueprint:
    """Return the control plane of a simulator."""
    bp = Blueprint("control", __name__, url_prefix="/_sim")
    _add_faults(bp, parts)
    _add_clock_and_events(bp, parts)
    _add_log(bp, parts)
    _add_acts(bp, parts)

    @bp.errorhandler(StripeError)
    def refused(error: StripeError) -> tuple[Json, int]:
        return error.body("control"), error.status

    @bp.errorhandler(TypeError)
    @bp.errorhandler(ValueError)
    def unreadable(error: Exception) -> tuple[Json, int]:
        return {"error": {"message": str(error)}}, 400

    return bp


def _facts() -> dict[str, Any]:
    facts = request.get_json(silent=True)
    if not isinstance(facts, dict):
        raise ValueError("a JSON object is expected")  # noqa: TRY004 - answered with 400
    return facts


def _add_faults(bp: Blueprint, parts: Parts) -> None:
    @bp.get("/faults")
    def faults() -> Response:
        return jsonify([fault.as_json() for fault in parts.faults.all()])

    @bp.post("/faults")
    def add_fault() -> tuple[Json, int]:
        return parts.faults.add(_facts()).as_json(), 201

    @bp.post("/faults/<id_>/release")
    def release(id_: str) -> tuple[Json, int]:
        fault = parts.faults.find(id_)
        if fault is None:
            return {"error": {"message": "no such fault"}}, 404
        fault.released.set()
        return fault.as_json(), 200

    @bp.delete("/faults")
    def clear_faults() -> tuple[str, int]:
        parts.faults.clear()
        return "", 204


def _add_clock_and_events(bp: Blueprint, parts: Parts) -> None:
    account = parts.account

    @bp.get("/clock")
    def clock() -> Json:
        return {"now": account.clock.precise(), "offset": account.clock.offset}

    @bp.post("/clock")
    def advance() -> Json:
        facts = _facts()
        if not facts or facts.keys() - {"offset", "advance", "settle"}:
            raise ValueError("offset or advance is expected, in seconds, and settle if wanted")
        offset = float(facts.get("offset", account.clock.offset))
        set_clock(account, offset + float(facts.get("advance", 0)))
        if "settle" in facts:
            parts.courier.settle(float(facts["settle"]))
        return clock()

    @bp.post("/events/<id_>/resend")
    def resend(id_: str) -> tuple[Json, int]:
        facts = request.get_json(silent=True) or {}
        return account.resend(id_, str(facts.get("endpoint", ""))), 202

    @bp.post("/settings")
    def settings() -> Json:
        facts, settings = _facts(), account.settings
        settings.webhook_url = str(facts.get("webhook_url", settings.webhook_url))
        secrets = facts.get("webhook_secrets", settings.webhook_secrets)
        settings.webhook_secrets = tuple(map(str, secrets))
        delay = facts.get("refund_delay_seconds", settings.refund_delay_seconds)
        settings.refund_delay_seconds = float(delay)
        settings.bank_debits = bool(facts.get("bank_debits", settings.bank_debits))
        settings.payout_interval = str(facts.get("payout_interval", settings.payout_interval))
        if "webhook_disorder" in facts:
            seed = facts["webhook_disorder"]
            account.disturb(None if seed is None else int(seed))
        if "rate_limit" in facts:
            settings.rate_limit = _rates(facts["rate_limit"])
            parts.api.limits.forget()
        return asdict(settings) | {"webhook_secrets": len(settings.webhook_secrets)}


def _rates(wanted: Value) -> Rates | None:
    """Return limits by their name, or by their numbers; None for none.

    Raises:
        ValueError: there are no such limits.
    """
    if wanted is None or wanted in list(KNOWN):
        return KNOWN.get(wanted)
    names = ("account", "endpoint")
    if not isinstance(wanted, dict) or wanted.keys() != set(names):
        raise ValueError(f"rate_limit is null, one of {', '.join(KNOWN)}, or account and endpoint")
    rates = Rates(*(float(wanted[name]) for name in names))
    if rates.account < 1 or rates.endpoint < 1:
        raise ValueError("rate_limit lets through at least one request a second")
    return rates


def _add_acts(bp: Blueprint, parts: Parts) -> None:
    @bp.post("/checkout/sessions/<id_>/pay")
    def pay(id_: str) -> Json:
        facts = _facts()
        card = cards.read(str(facts.get("card", "")))
        email, name = facts.get("email"), facts.get("name", "Test Payer")
        session, event = acts.pay(parts, id_, card, email, name)
        if event is None:
            is_holder = bool(facts.get("authenticate", True))
            session, _ = acts.authenticate(parts, id_, is_holder=is_holder)
        return session

    @bp.post("/payment_intents/<id_>/authenticate")
    def authenticate(id_: str) -> Json:
        succeeds = _facts().get("succeed")
        if not isinstance(succeeds, bool):
            raise ValueError("succeed is expected, true or false")  # noqa: TRY004 - answered with 400
        return acts.authenticate_intent(parts, id_, is_holder=succeeds)

    @bp.post("/disputes")
    def dispute() -> tuple[Json, int]:
        return acts.open_dispute(parts, _facts()), 201

    @bp.post("/disputes/<id_>")
    def move_dispute(id_: str) -> Json:
        return acts.move_dispute(parts, id_, str(_facts().get("status")))

    @bp.post("/refunds/<id_>")
    def force_refund(id_: str) -> Json:
        return acts.force_refund(parts, id_, _facts())

    @bp.post("/payouts")
    def pay_out() -> tuple[Json, int]:
        return acts.pay_out(parts), 201

    @bp.post("/payouts/<id_>/fail")
    def fail_payout(id_: str) -> Json:
        return acts.fail_payout(parts, id_)


def _add_log(bp: Blueprint, parts: Parts) -> None:
    @bp.get("/log")
    def log() -> Response:
        return jsonify(parts.log.entries())

    @bp.get("/violations")
    def violations() -> Response:
        return jsonify(parts.log.violations())

    @bp.get("/deliveries")
    def deliveries() -> Response:
        rows = parts.account.store.rows("SELECT * FROM deliveries ORDER BY id")
        return jsonify([dict(row) for row in rows])

    @bp.post("/reset")
    def reset() -> tuple[str, int]:
        parts.faults.clear()
        parts.account.store.clear()
        parts.account.clock.offset = 0
        parts.log.clear()
        return "", 204
