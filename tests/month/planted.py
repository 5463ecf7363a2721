"""What can be wrong with a month, one thing at a time, and the invariant that must say so."""

from tests.month.invariants.visits import no_step_back
from tests.month.small_month import refund


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


def times_overlap(f):
    f["ours"]["bookings"][1]["practitioner_id"] = "doctor b1"


def two_first_visits(f):
    f["ours"]["bookings"][1]["patient_id"] = "patient b1"


def neither_visit_nor_money(f):
    f["ours"]["bookings"][1]["status"] = "expired"


def visit_and_money(f):
    f["stripe"]["refunds"].append(refund("re_2", "pi_p2"))


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
    ("books_agree", unknown_here),
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
