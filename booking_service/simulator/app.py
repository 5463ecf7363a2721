"""Put a simulator together, and give it its doors."""

import socket
from decimal import Decimal
from urllib.parse import urlsplit

from flask import Flask, Response, request

from booking_service.simulator import (  # noqa: F401 - each registers its operations
    account_pages,
    checkout,
    control,
    customers,
    disputes,
    endpoints,
    events,
    invoices,
    methods,
    pages,
    payments,
    payouts,
    prices,
    products,
    refunds,
    searching,
    setups,
    subscriptions,
    testclocks,
)
from booking_service.simulator.account import Account, Settings
from booking_service.simulator.api import Api, Asked, Dropped
from booking_service.simulator.contract import Contract, contract_of
from booking_service.simulator.faults import Faults
from booking_service.simulator.idempotency import Answer, Answers
from booking_service.simulator.limits import Rates
from booking_service.simulator.log import Log
from booking_service.simulator.operations import HANDLERS
from booking_service.simulator.parts import Parts
from booking_service.simulator.store import Store
from booking_service.simulator.webhooks import Courier


def create_simulator(
    state: str | None = None,
    *,
    webhook_url: str = "",
    webhook_secrets: tuple[str, ...] = (),
    fee_percent: Decimal = Decimal("2.9"),
    fee_fixed_cents: int = 30,
    refund_delay_seconds: float = 5.0,
    webhook_disorder: int | None = None,
    rate_limit: Rates | None = None,
    contract: Contract | None = None,
) -> Flask:
    """Build a simulator and start its background thread.

    Its pieces are `app.extensions["simulator"]`; `.close()` ends them.

    Args:
        state: a file that survives a restart; without one everything is in memory.
        webhook_url: where events are sent; nowhere if empty.
        webhook_secrets: every secret that signs, several while one is being rotated.
        fee_percent: what a charge costs, with the fixed part beside it.
        fee_fixed_cents: see above.
        refund_delay_seconds: until a slow refund settles or a doomed one fails.
        webhook_disorder: a seed, to duplicate, delay and so reorder deliveries at random.
        rate_limit: beyond which requests are answered 429; never if None.
        contract: one that was derived already, of `operations()`.
    """
    settings = Settings(
        webhook_url,
        webhook_secrets,
        fee_percent,
        fee_fixed_cents,
        refund_delay_seconds,
        webhook_disorder,
        rate_limit=rate_limit,
    )
    faults, log = Faults(), Log()
    account = Account(Store(state), contract or contract_of(operations()), settings, log)
    events.age(account)
    api = Api(account, Answers(account), faults, log)
    parts = Parts(account, api, faults, log, Courier(account, faults))
    app = Flask(__name__)
    app.extensions["simulator"] = parts
    app.register_blueprint(control.blueprint(parts))
    app.register_blueprint(pages.blueprint(parts))
    app.register_blueprint(account_pages.blueprint(parts))
    app.before_request(_refuse_other_sites)
    _add_api(app, api)
    parts.courier.start()
    return app


def operations() -> frozenset[tuple[str, str]]:
    """Return the method and path of all that is simulated."""
    return frozenset(HANDLERS)


def _refuse_other_sites() -> Response | None:
    """Let no page of another site press our buttons; the API has its key against that."""
    if request.method in {"GET", "HEAD"} or request.path.startswith(("/v1/", "/v2/")):
        return None
    origin = request.headers.get("Origin")
    is_foreign = origin is not None and urlsplit(origin).netloc != request.host
    if is_foreign or request.headers.get("Sec-Fetch-Site") in {"cross-site", "same-site"}:
        return Response("Only this simulator's own pages may do that.", 403)
    return None


def _add_api(app: Flask, api: Api) -> None:
    @app.route("/v1/<path:_path>", methods=["GET", "POST", "DELETE"])
    @app.route("/v2/<path:_path>", methods=["GET", "POST", "DELETE"])
    def v1(_path: str) -> Response:
        form = request.form.items(multi=True) if request.method == "POST" else ()
        asked = Asked(
            method=request.method,
            path=request.path,
            pairs=[*request.args.items(multi=True), *form],
            authorization=request.headers.get("Authorization", ""),
            version=request.headers.get("Stripe-Version", ""),
            key=request.headers.get("Idempotency-Key", ""),
            host_url=request.host_url,
        )
        try:
            answer, headers = api.answer(asked)
        except Dropped:
            _hang_up()
            return Response(status=444)
        return _response(answer, asked, headers)


def _response(answer: Answer, asked: Asked, headers: dict[str, str]) -> Response:
    response = Response(answer.body, answer.status, content_type="application/json")
    response.headers["Request-Id"] = answer.request_id
    response.headers["Stripe-Version"] = asked.version
    if asked.key:
        response.headers["Idempotency-Key"] = asked.key
    if answer.is_replayed:
        response.headers["Idempotent-Replayed"] = "true"
        response.headers["Original-Request"] = answer.request_id
    response.headers.update(headers)
    return response


def _hang_up() -> None:
    """Close the caller's connection; what is written afterwards goes nowhere.

    The socket is only in the environment of a real server; a test client sees status 444.
    """
    for name in ("werkzeug.socket", "gunicorn.socket"):
        connection = request.environ.get(name)
        if connection is not None:
            connection.shutdown(socket.SHUT_RDWR)
