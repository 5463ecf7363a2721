"""`python -m booking_service.simulator`: the simulator as a process of its own."""

import argparse
import signal
import sys
from contextlib import suppress
from decimal import Decimal
from types import FrameType

from booking_service.simulator.app import create_simulator, operations
from booking_service.simulator.deriving import derived_apart
from booking_service.simulator.limits import KNOWN
from booking_service.simulator.serving import server


def main() -> None:
    """Run until told to stop."""
    options = _options()
    app = create_simulator(
        options.state,
        webhook_url=options.webhook_url,
        webhook_secrets=tuple(s for s in options.webhook_secret.split(",") if s),
        fee_percent=options.fee_percent,
        fee_fixed_cents=options.fee_fixed_cents,
        refund_delay_seconds=options.refund_delay_seconds,
        webhook_disorder=options.webhook_disorder,
        rate_limit=KNOWN.get(options.rate_limit),
        contract=derived_apart(operations()),
    )
    http = server(app, options.host, options.port)
    signal.signal(signal.SIGTERM, _stop)
    sys.stdout.write(f"Stripe simulator on http://{options.host}:{http.server_port}\n")
    sys.stdout.flush()
    try:
        with suppress(KeyboardInterrupt):  # Ctrl-C and SIGTERM both end it in good order
            http.serve_forever()
    finally:
        http.server_close()
        app.extensions["simulator"].close()


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m booking_service.simulator", description=__doc__
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8001, help="0 takes any free one")
    parser.add_argument("--state", help="file that survives a restart; default: memory")
    parser.add_argument("--webhook-url", default="", help="where events are sent")
    parser.add_argument("--webhook-secret", default="", help="several with commas while rotating")
    parser.add_argument("--fee-percent", type=Decimal, default=Decimal("2.9"))
    parser.add_argument("--fee-fixed-cents", type=int, default=30)
    parser.add_argument("--refund-delay-seconds", type=float, default=5.0)
    parser.add_argument("--webhook-disorder", type=int, help="seed; duplicates and delays events")
    parser.add_argument(
        "--rate-limit", choices=KNOWN, help="Stripe's limits for that mode; default: none"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
