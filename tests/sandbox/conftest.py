"""One list of tests for two Stripes: a real sandbox when a key is given, else the simulator.

`STRIPE_API_KEY=sk_test_... pytest tests/sandbox` asks Stripe itself. The tests leave customers,
payments and products behind in that sandbox, and take some of its rate limit.
"""

import os
from dataclasses import dataclass
from time import monotonic, sleep

import pytest
import stripe

from booking_service.simulator.serving import running


@dataclass(frozen=True)
class Account:
    """A Stripe to talk to; `is_real` when it is not ours."""

    client: stripe.StripeClient
    is_real: bool

    @property
    def v1(self):
        return self.client.v1

    def eventually(self, fact, within: float = 90.0):
        """Return the first truthy answer; a real sandbox takes its time."""
        deadline = monotonic() + within
        while not (found := fact()):
            assert monotonic() < deadline, "it did not happen in time"
            sleep(1.0 if self.is_real else 0.05)
        return found


@pytest.fixture(scope="session")
def account():
    """Return the sandbox of STRIPE_API_KEY, unless the key's address is that of a simulator."""
    key = os.environ.get("STRIPE_API_KEY", "")
    if key.startswith("sk_test_") and not os.environ.get("STRIPE_API_BASE"):
        yield Account(stripe.StripeClient(key, max_network_retries=2), is_real=True)
        return
    with running(refund_delay_seconds=2) as base:
        client = stripe.StripeClient("sk_test_simulated", base_addresses={"api": base})
        yield Account(client, is_real=False)


@pytest.fixture
def v1(account):
    return account.v1
