"""A Stripe of our own for the demo and the tests: a process reached over HTTP, with no money.

It stands alone: it imports nothing of the service, and nothing of the service imports it.
"""

from booking_service.simulator.app import create_simulator

__all__ = ["create_simulator"]
