"""Put a simulator together, and give it its doors."""

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
from booking_service.simulator.api import Api
from booking_service.simulator.contract import Contract, contract_of
from booking_service.simulator.door import Door
from booking_service.simulator.faults import Faults
from booking_service.simulator.idempotency import Answers
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
    api = Api(account, Answers(account), faults, log)
    parts = Parts(account, api, faults, log, Courier(account, faults))
    app = Flask(__name__)
    app.extensions["simulator"] = parts
    app.register_blueprint(control.blueprint(parts))
    app.register_blueprint(pages.blueprint(parts))
    app.register_blueprint(account_pages.blueprint(parts))
    app.before_request(_refuse_other_sites)
    app.wsgi_app = Door(api, app.wsgi_app)  # type: ignore[method-assign]
    parts.courier.start()
    return app


def operations() -> frozenset[tuple[str, str]]:
    """Return the method and path of all that is simulated."""
    return frozenset(HANDLERS)


def _refuse_other_sites() -> Response | None:
    """Let no page of another site press our buttons; the API, with its key, is not in here."""
    if request.method in {"GET", "HEAD"}:
        return None
    origin = request.headers.get("Origin")
    is_foreign = origin is not None and urlsplit(origin).netloc != request.host
    if is_foreign or request.headers.get("Sec-Fetch-Site") in {"cross-site", "same-site"}:
        return Response("Only this simulator's own pages may do that.", 403)
    return None
