"""A simulator on a real port for every test."""

import pytest

from booking_service.simulator.serving import running
from tests.simulator.harness import SECRET, Sim, listening


@pytest.fixture
def endpoint():
    with listening() as made:
        yield made


@pytest.fixture
def sim():
    """Without an endpoint, and with slow refunds that take a minute of the simulator's time."""
    with running(refund_delay_seconds=60) as base:
        made = Sim(base)
        yield made
        ours = [
            v for v in made.get("/_sim/violations") if v["side"] in {"answer", "event", "timer"}
        ]
        assert ours == []


@pytest.fixture
def hooked(endpoint):
    """With an endpoint; slow refunds take a minute of the simulator's time."""
    settings = {"webhook_url": endpoint.url, "webhook_secrets": (SECRET,)}
    with running(refund_delay_seconds=60, **settings) as base:
        yield Sim(base)
