"""Every invariant can fail: a small month in which all is well, and one thing planted at a time."""

from copy import deepcopy
from datetime import UTC, datetime, timedelta

import pytest

from tests.month.facts import CANARY
from tests.month.invariants import ALL, money, violations
from tests.month.invariants.visits import no_step_back

NINE = datetime(2026, 11, 2, 14, tzinfo=UTC).isoformat()
TEN = (datetime(2026, 11, 2, 14, tzinfo=UTC) + timedelta(minutes=45)).isoformat()


def well() -> dict:
    """One patient who paid, joined, and has the money back; one who paid and will come."""
    return {
        "ours": {
            "bookings": [_booking("b1", "p1", "completed", "settled"), _booking("b2", "p2")],
            "payments": [_payment("p1", "b1"), _payment("p2", "b2")],
            "refunds": [
                {
                    "id": "r1",
                    "payment_id": "p1",
                    "reason": "membership",
                    "status": "succeeded",
                    "amount_cents": 3900,
                    "stripe_refund_id": "re_1",
                    "attempts": 1,
                }
            ],
            "memberships": [
                {
                    "id": "m1",
                    "patient_id": "patient b1",
                    "booking_id": "b1",
                    "status": "active",
                    "stripe_subscription_id": "sub_1",
                }
            ],
            "notifications": [
                _told("n1", "booking_confirmed", "b1"),
                _told("n2", "booking_confirmed", "b2"),
                _told("n3", "refund_sent", "r1"),
            ],
            "outbox": {"due": 0, "oldest_due_seconds": 0, "needs_review": 0},
            "webhook_events": {"received": 1, "unprocessed": 0, "failed": 0},
            "exceptions": [],
            "ledger": {"balanced": True, "accounts": {"stripe_balance": 3900 - 2 * 143}},
            "audit": {"rows": 4, "verified": True},
        },
        "stripe": {
            "intents": [_intent("pi_p1", "p1"), _intent("pi_p2", "p2")],
            "refunds": [_refund("re_1", "pi_p1")],
            "subscriptions": [{"id": "sub_1", "metadata": {"membership_id": "m1"}}],
            "sessions": [{"id": "cs_p1", "status": "complete"}],
            "disputes": [],
            "movements": [
                {"type": "charge", "net": 3757},
                {"type": "charge", "net": 3757},
                {"type": "refund", "net": -3900},
                {"type": "payout", "net": -3614},
            ],
        },
        "audit": [
            _row("booking.confirm", "b1"),
            _row("booking.confirm", "b2"),
            _row("booking.arrived", "b1", "token"),
            _row("booking.completed", "b1", "token"),
            _row("membership.convert", "m1", "staff"),
        ],
        "messages": [{"id": "o1", "topic": "refunds.execute", "attempts": 2, "is_given_up": False}],
        "charges": [{"id": "m1", "status": "active", "charge_status": "paid"}],
        "received_events": ["evt_1"],
        "mails": [{"message_id": f"<n{n}@alder.example>"} for n in (1, 2, 3)],
        "excused": {},
        "told": [{"method": "POST", "path": "/api", "status": 201, "seconds": 0.1}],
        "promised": [
            {"what": "booking", "id": "b1"},
            {"what": "completed", "id": "b1"},
            {"what": "membership", "id": "m1", "booking": "b1"},
        ],
        "taken": [("evt_1", "refund.created"), ("evt_9", "charge.succeeded")],
        "listened": {"refund.created"},
        "seen": [],
        "canary": CANARY,
        "texts": {"the log": ["INFO booking b1"]},
    }


def _booking(id_: str, payment: str, status: str = "confirmed", promise: str = "open") -> dict:
    return {
        "id": id_,
        "status": status,
        "practitioner_id": f"doctor {id_}",
        "starts_at": NINE,
        "ends_at": TEN,
        "patient_id": f"patient {id_}",
        "payment_id": payment,
        "promise_status": promise,
    }


def _payment(id_: str, booking: str) -> dict:
    return {
        "id": id_,
        "booking_id": booking,
        "status": "paid",
        "amount_cents": 3900,
        "stripe_checkout_session_id": f"cs_{id_}",
        "stripe_payment_intent_id": f"pi_{id_}",
    }


def _intent(id_: str, payment: str) -> dict:
    return {"id": id_, "amount_received": 3900, "metadata": {"payment_id": payment}}


def _refund(id_: str, intent: str, status: str = "succeeded", amount: int = 3900) -> dict:
    return {"id": id_, "payment_intent": intent, "status": status, "amount": amount}


def _told(id_: str, topic: str, subject: str) -> dict:
    topic = f"notifications.{topic}"
    return {"id": id_, "topic": topic, "subject_id": subject, "status": "sent"}


def _row(action: str, subject: str, kind: str = "system") -> dict:
    return {"action": action, "subject_id": subject, "actor_kind": kind, "actor": "somebody"}


def returned_twice(f):
    f["stripe"]["refunds"].append(_refund("re_2", "pi_p1"))


def owed_twice(f):
    f["ours"]["refunds"].append(f["ours"]["refunds"][0] | {"id": "r2", "stripe_refund_id": None})


def returned_without_a_member(f):
    f["ours"]["memberships"].clear()


def charged_twice(f):
    f["stripe"]["subscriptions"].append({"id": "sub_2", "metadata": {"membership_id": "m1"}})


def joined_twice(f):
    f["ours"]["memberships"].append(
        f["ours"]["memberships"][0] | {"id": "m2", "stripe_subscription_id": "sub_2"}
    )
    f["stripe"]["subscriptions"].append({"id": "sub_2", "metadata": {"membership_id": "m2"}})


def subscription_lost(f):
    f["ours"]["memberships"][0]["stripe_subscription_id"] = None


def subscription_invented(f):
    f["stripe"]["subscriptions"].clear()


def refund_unknown_here(f):
    f["stripe"]["refunds"].append(_refund("re_2", "pi_p2", amount=1))


def refund_unknown_there(f):
    f["ours"]["refunds"][0]["stripe_refund_id"] = "re_other"


def refund_status_differs(f):
    f["stripe"]["refunds"][0]["status"] = "failed"


def refund_amount_differs(f):
    f["stripe"]["refunds"][0]["amount"] = 3899


def payment_unknown_here(f):
    f["ours"]["payments"][1]["status"] = "open"


def payment_unknown_there(f):
    f["stripe"]["intents"].pop()


def times_overlap(f):
    f["ours"]["bookings"][1]["practitioner_id"] = "doctor b1"


def two_first_visits(f):
    f["ours"]["bookings"][1]["patient_id"] = "patient b1"


def neither_visit_nor_money(f):
    f["ours"]["bookings"][1]["status"] = "expired"


def visit_and_money(f):
    f["stripe"]["refunds"].append(_refund("re_2", "pi_p2"))


def earned_and_never_returned(f):
    f["ours"]["bookings"][1]["promise_status"] = "earned"


def confirmed_unpaid(f):
    f["ours"]["payments"][1]["status"] = "open"


def confirmed_with_no_money_at_stripe(f):
    f["stripe"]["intents"][1]["amount_received"] = 0


def mail_twice(f):
    f["mails"].append(f["mails"][0])


def mail_about_nothing(f):
    f["mails"].append({"message_id": "<n9@alder.example>"})


def mail_never_left(f):
    f["mails"].pop()


def nobody_told(f):
    f["ours"]["notifications"].pop(1)
    f["mails"].pop(1)


def a_cent_missing(f):
    f["stripe"]["movements"].append({"type": "adjustment", "net": -1})


def unbalanced(f):
    f["ours"]["ledger"]["balanced"] = False


def chain_broken(f):
    f["ours"]["audit"]["verified"] = False


def step_not_audited(f):
    f["audit"].pop(0)


def step_audited_twice(f):
    f["audit"].append(f["audit"][0])


def conversion_not_audited(f):
    f["audit"].pop()


def nobody_did_it(f):
    f["audit"][2]["actor"] = ""  # a token that is nobody's


def went_back(f):
    f["seen"] += no_step_back([("refund", "r1", "succeeded", "pending")])


def work_due(f):
    f["ours"]["outbox"]["due"] = 1


def work_looping(f):
    f["messages"][0]["attempts"] = 24


def given_up_quietly(f):
    f["messages"][0]["is_given_up"] = True


def refund_in_doubt(f):
    f["ours"]["refunds"][0]["status"] = "sending"


def charge_in_doubt(f):
    f["charges"][0] |= {"status": "pending", "charge_status": "unknown"}


def page_paid_unseen(f):
    f["ours"]["payments"][0]["status"] = "open"


def held_for_ever(f):
    f["ours"]["bookings"][1]["status"] = "held"


def event_waits(f):
    f["ours"]["webhook_events"]["unprocessed"] = 1


def booking_forgotten(f):
    f["promised"].append({"what": "booking", "id": "b3"})


def step_forgotten(f):
    f["promised"].append({"what": "arrived", "id": "b2"})


def two_memberships_told(f):
    f["promised"].append({"what": "membership", "id": "m2", "booking": "b1"})


def event_forgotten(f):
    f["received_events"].clear()


def name_in_the_log(f):
    f["texts"]["the log"].append("ERROR zephyrine quillfeather 3 did not pay")


def phone_at_stripe(f):
    f["texts"]["a request to Stripe"] = ["{'phone': '+15187770003'}"]


def slow(f):
    f["told"][0]["seconds"] = 5.5


def a_bug(f):
    f["told"][0]["status"] = 500


PLANTED = [
    ("refund_once", returned_twice),
    ("refund_once", owed_twice),
    ("refund_once", returned_without_a_member),
    ("one_subscription", charged_twice),
    ("one_subscription", joined_twice),
    ("one_subscription", subscription_lost),
    ("one_subscription", subscription_invented),
    ("books_agree", refund_unknown_here),
    ("books_agree", refund_unknown_there),
    ("books_agree", refund_status_differs),
    ("books_agree", refund_amount_differs),
    ("books_agree", payment_unknown_here),
    ("books_agree", payment_unknown_there),
    ("no_double_booking", times_overlap),
    ("one_first_visit", two_first_visits),
    ("paid_ends_in_one_place", neither_visit_nor_money),
    ("paid_ends_in_one_place", visit_and_money),
    ("paid_ends_in_one_place", earned_and_never_returned),
    ("unpaid_never_confirmed", confirmed_unpaid),
    ("unpaid_never_confirmed", confirmed_with_no_money_at_stripe),
    ("mail_once", mail_twice),
    ("mail_once", mail_about_nothing),
    ("mail_once", mail_never_left),
    ("mail_once", nobody_told),
    ("ledger_equals_stripe", a_cent_missing),
    ("ledger_equals_stripe", unbalanced),
    ("audit_complete", chain_broken),
    ("audit_complete", step_not_audited),
    ("audit_complete", step_audited_twice),
    ("audit_complete", conversion_not_audited),
    ("audit_complete", nobody_did_it),
    ("monotone", went_back),
    ("converged", work_due),
    ("converged", work_looping),
    ("converged", given_up_quietly),
    ("converged", refund_in_doubt),
    ("converged", charge_in_doubt),
    ("converged", page_paid_unseen),
    ("converged", held_for_ever),
    ("converged", event_waits),
    ("acknowledged_is_durable", booking_forgotten),
    ("acknowledged_is_durable", step_forgotten),
    ("acknowledged_is_durable", two_memberships_told),
    ("acknowledged_is_durable", event_forgotten),
    ("confidential", name_in_the_log),
    ("confidential", phone_at_stripe),
    ("answers_in_time", slow),
    ("answers_in_time", a_bug),
]


def test_a_month_in_which_all_is_well_has_no_violation():
    assert violations(well()) == []


@pytest.mark.parametrize(("name", "plant"), PLANTED, ids=lambda it: getattr(it, "__name__", it))
def test_what_is_planted_is_found(name, plant):
    facts = deepcopy(well())
    plant(facts)

    found = ALL[name](facts)

    assert len(found) >= 1
    assert {text.partition(":")[0] for text in found} == {name}


def test_every_invariant_has_something_planted():
    assert {name for name, _ in PLANTED} == set(ALL)


def test_a_case_accounts_for_what_is_neither_here_nor_there():
    facts = well()
    neither_visit_nor_money(facts)
    facts["ours"]["exceptions"] = [
        {"id": "c1", "type": "payment_mismatch", "status": "open", "subject_id": "p2"}
    ]

    assert money.places(facts) == {"p1": "kept", "p2": "case"}


def test_a_copy_of_a_mail_is_excused_by_a_death_in_its_sending():
    facts = well()
    mail_twice(facts)
    facts["excused"] = {"<n1@alder.example>": 1}

    assert ALL["mail_once"](facts) == []


def test_news_that_takes_the_long_way_round_is_no_step_back():
    moves = [("refund", "r1", "requested", "succeeded"), ("booking", "b1", "held", "in_treatment")]

    assert no_step_back(moves) == []
