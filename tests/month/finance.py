"""What finance does: each day, the open cases; and goodwill, for which it takes two people."""

from datetime import timedelta
from random import Random
from typing import Any

from tests.month.actions import Story, Visit, aftermath
from tests.month.clinic import Clinic
from tests.month.visits import press

# Two programs with the scope, so two people: what one records or asks for, another approves.
_FIRST, _SECOND = "finance", "admin"
_WEIGHTS = {
    "retry": 4,
    "settle": 4,
    "approve_settlement": 6,
    "withdraw_settlement": 1,
    "approve_goodwill": 6,
    "decline_goodwill": 1,
    "return_money": 2,
    "accept_payment": 1,
    "waive": 1,
    "acknowledge": 1,
    "assign": 2,
}
_LOOKED_AT = 0.5  # of the open cases, each day


@aftermath(weight=6)
def is_granted_goodwill(clinic: Clinic, visit_: Visit) -> Story:
    """Ask for the money days later, when nothing is owed; one asks for it, another decides."""
    yield clinic.world.now + timedelta(hours=visit_.patient.random.uniform(20, 60))
    if visit_.session_id:
        body = {
            "payment_id": clinic.payment_id(visit_.session_id),
            "amount_cents": visit_.patient.random.choice((None, None, 1000)),
            "reason": "goodwill",
            "note": "The practice wishes it.",
        }
        yield from press(clinic, "refunds", body, scope=_FIRST)


def works(clinic: Clinic, random: Random) -> Story:
    """Every day both people go through the open cases; what is left stays for another day."""
    while True:
        for scope in (_FIRST, _SECOND):
            yield clinic.world.now + timedelta(hours=12)
            token = clinic.token(scope)
            listed = clinic.ask("GET", "/api/v1/exceptions?limit=200", token=token)
            for case in listed.body.get("items", []):
                if random.random() < _LOOKED_AT:
                    yield from _decides(clinic, random, case, scope)


def _decides(clinic: Clinic, random: Random, case: dict[str, Any], scope: str) -> Story:
    possible = [action for action in case["allowed_actions"] if action in _WEIGHTS]
    if not possible:
        return
    action = random.choices(possible, [_WEIGHTS[each] for each in possible])[0]
    body = {"action": action, "note": "Looked at."}
    if action == "settle":
        method = random.choice(("cash", "check", "bank_transfer"))
        body |= {"method": method, "reference": f"F-{random.randrange(10_000)}"}
    elif action == "assign":
        if case["owner_id"] is None:
            return
        body |= {"owner_id": case["owner_id"]}
    yield from press(clinic, f"exceptions/{case['id']}/resolve", body, scope=scope)
