"""Subscriptions whose invoices are not collected for a while."""

from booking_service.simulator.account import Account
from booking_service.simulator.checks import Json
from booking_service.simulator.errors import not_simulated
from booking_service.simulator.operations import Call


def wanted(call: Call) -> Json | None:
    """Return what a request makes of a subscription's pause; an empty one ends it."""
    asked = call.get("pause_collection")
    if asked is None:
        return None
    if asked["behavior"] != "void" or asked.get("resumes_at"):
        raise not_simulated("pause_collection but with behavior void and without an end")
    return {"behavior": "void", "resumes_at": None}


def void(account: Account, invoice: Json) -> Json:
    """Void a period's invoice at once: it is never finalised, and nothing is to pay it."""
    at = invoice["status_transitions"] | {"voided_at": account.clock.now()}
    fields = {"status": "void", "auto_advance": False, "status_transitions": at}
    return account.change(invoice, "invoice.voided", **fields)
