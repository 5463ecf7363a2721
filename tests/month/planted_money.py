"""What can be wrong with the money of a month, one thing at a time."""

from tests.month.small_month import cancelled, refund


def returned_twice(f):
    f["stripe"]["refunds"].append(refund("re_2", "pi_p1"))


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


def unknown_here(f):
    f["stripe"]["refunds"].append(refund("re_2", "pi_p2", amount=1))


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


def neither_visit_nor_money(f):
    f["ours"]["bookings"][1]["status"] = "expired"


def visit_and_money(f):
    f["stripe"]["refunds"].append(refund("re_2", "pi_p2"))


def earned_and_never_returned(f):
    f["ours"]["bookings"][1]["promise_status"] = "earned"


def cancelled_in_time_and_never_returned(f):
    f["ours"]["bookings"][1] |= {"status": "cancelled", "promise_status": "void"}
    f["audit"].append(cancelled("b2", hours_before=25))


def paid_at_the_desk_and_never_returned(f):
    f["paid_at_the_desk"] = ["p2"]
    f["ours"]["bookings"][1]["promise_status"] = "blocked"
    f["stripe"]["intents"].pop()


def earned_and_only_disputed(f):
    earned_and_never_returned(f)
    f["stripe"]["disputes"] = [{"payment_intent": "pi_p2", "status": "needs_response"}]


def a_cent_missing(f):
    f["stripe"]["movements"].append({"type": "adjustment", "net": -1})


def check_not_booked(f):
    f["paid_by_bank_cents"] = 3900


def unbalanced(f):
    f["ours"]["ledger"]["balanced"] = False


OF_MONEY = [
    ("refund_once", returned_twice),
    ("refund_once", owed_twice),
    ("refund_once", returned_without_a_member),
    ("one_subscription", charged_twice),
    ("one_subscription", joined_twice),
    ("one_subscription", subscription_lost),
    ("one_subscription", subscription_invented),
    ("books_agree", unknown_here),
    ("books_agree", refund_unknown_there),
    ("books_agree", refund_status_differs),
    ("books_agree", refund_amount_differs),
    ("books_agree", payment_unknown_here),
    ("books_agree", payment_unknown_there),
    ("paid_ends_in_one_place", neither_visit_nor_money),
    ("paid_ends_in_one_place", visit_and_money),
    ("paid_ends_in_one_place", earned_and_never_returned),
    ("paid_ends_in_one_place", cancelled_in_time_and_never_returned),
    ("paid_ends_in_one_place", paid_at_the_desk_and_never_returned),
    ("paid_ends_in_one_place", earned_and_only_disputed),
    ("ledger_equals_stripe", a_cent_missing),
    ("ledger_equals_stripe", check_not_booked),
    ("ledger_equals_stripe", unbalanced),
]
