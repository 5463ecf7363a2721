"""What can be wrong with a month, one thing at a time, and the invariant that must say so."""

from tests.month.invariants.visits import no_step_back
from tests.month.planted_money import OF_MONEY
from tests.month.small_month import follow_up


def times_overlap(f):
    f["ours"]["bookings"][1]["practitioner_id"] = "doctor b1"


def two_first_visits(f):
    f["ours"]["bookings"][1]["patient_id"] = "patient b1"


def confirmed_unpaid(f):
    f["ours"]["payments"][1]["status"] = "open"


def confirmed_with_no_money_at_stripe(f):
    f["stripe"]["intents"][1]["amount_received"] = 0


def follow_up_paid_for(f):
    f["ours"]["payments"][1]["booking_id"] = "b4"


def more_visits_than_the_plan_has(f):
    f["follow_ups"].append(follow_up("b5"))


def mail_twice(f):
    f["mails"].append(f["mails"][0])


def mail_about_nothing(f):
    f["mails"].append({"message_id": "<n9@alder.example>"})


def mail_never_left(f):
    f["mails"].pop()


def nobody_told(f):
    f["ours"]["notifications"].pop(1)
    f["mails"].pop(1)


def nobody_told_that_it_failed(f):
    f["ours"]["refunds"][0]["status"] = "failed"


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


def let_go_and_booked_all_the_same(f):
    f["promised"].append({"what": "let_go", "id": "b2"})


def moved_elsewhere(f):
    f["promised"].append({"what": "moved", "id": "b2", "starts_at": "2026-11-03T09:00:00-05:00"})


def forgery_believed(f):
    f["forgeries"].append(204)


def name_in_the_log(f):
    f["texts"]["the log"].append("ERROR zephyrine quillfeather 3 did not pay")


def phone_at_stripe(f):
    f["texts"]["a request to Stripe"] = ["{'phone': '+15187770003'}"]


def slow(f):
    f["told"][0]["seconds"] = 5.5


def a_bug(f):
    f["told"][0]["status"] = 500


def unknown_parameter(f):
    f["contract"] = [
        {"side": "request", "method": "POST", "path": "/v1/refunds", "problems": ["naem"]}
    ]


PLANTED = [
    *OF_MONEY,
    ("no_double_booking", times_overlap),
    ("one_first_visit", two_first_visits),
    ("unpaid_never_confirmed", confirmed_unpaid),
    ("unpaid_never_confirmed", confirmed_with_no_money_at_stripe),
    ("follow_ups_are_included", follow_up_paid_for),
    ("follow_ups_are_included", more_visits_than_the_plan_has),
    ("mail_once", mail_twice),
    ("mail_once", mail_about_nothing),
    ("mail_once", mail_never_left),
    ("mail_once", nobody_told),
    ("mail_once", nobody_told_that_it_failed),
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
    ("acknowledged_is_durable", let_go_and_booked_all_the_same),
    ("acknowledged_is_durable", moved_elsewhere),
    ("forgeries_refused", forgery_believed),
    ("confidential", name_in_the_log),
    ("confidential", phone_at_stripe),
    ("answers_in_time", slow),
    ("answers_in_time", a_bug),
    ("contract_kept", unknown_parameter),
]
