"""Every invariant can fail: a small month in which all is well, and one thing planted at a time."""

import pytest

from tests.month.invariants import ALL, violations
from tests.month.invariants.places import places
from tests.month.invariants.visits import no_step_back
from tests.month.planted import PLANTED, mail_twice
from tests.month.planted_money import earned_and_never_returned, neither_visit_nor_money
from tests.month.small_month import cancelled, well


def test_a_month_in_which_all_is_well_has_no_violation():
    assert violations(well()) == []


@pytest.mark.parametrize(("name", "plant"), PLANTED, ids=lambda it: getattr(it, "__name__", it))
def test_what_is_planted_is_found(name, plant):
    facts = well()
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

    assert places(facts) == {"p1": "kept", "p2": "case"}


def test_the_money_of_a_visit_cancelled_too_late_is_kept():
    facts = well()
    facts["ours"]["bookings"][1] |= {"status": "cancelled", "promise_status": "lapsed"}
    facts["audit"].append(cancelled("b2", hours_before=23))

    assert places(facts) == {"p1": "kept", "p2": "forfeited"}


def test_what_a_bank_took_for_good_is_with_the_patient():
    facts = well()
    earned_and_never_returned(facts)
    facts["stripe"]["disputes"] = [{"payment_intent": "pi_p2", "status": "lost"}]

    assert places(facts) == {"p1": "kept", "p2": "bank"}


def test_a_copy_of_a_mail_is_excused_by_a_death_in_its_sending():
    facts = well()
    mail_twice(facts)
    facts["excused"] = {"<n1@alder.example>": 1}

    assert ALL["mail_once"](facts) == []


def test_news_that_takes_the_long_way_round_is_no_step_back():
    moves = [("refund", "r1", "requested", "succeeded"), ("booking", "b1", "held", "in_treatment")]

    assert no_step_back(moves) == []
