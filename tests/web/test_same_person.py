"""The desk finds that two records are of one person, merges them, and takes that back."""

import pytest

from booking_service.models import AuditRow, Patient
from booking_service.services import people
from tests.factories import PRIYA, all_of, booking, converted, free_slot, paid, visit_of
from tests.web.staff_browser import StaffBrowser, words

HINT = "Maybe two records of one person"


@pytest.fixture
def priya(app, seeded):
    browser = StaffBrowser(app)
    browser.sign_in(next(one for one in seeded.staff if one["role"] == "front_desk"))
    return browser


@pytest.fixture
def dana(seeded, noon, stripe):
    return paid(stripe, name="Dana Whitfield", email="dana@example.com", phone="518 555 0178")


@pytest.fixture
def again(dana, stripe):
    slot = free_slot(6)
    return paid(stripe, slot=slot, name="D. Whitfield", email="dw@example.com", phone="5185550178")


def drawer(visit) -> str:
    return f"/desk/visit/{visit.booking_id}"


def page(visit) -> str:
    return f"{drawer(visit)}/same-person"


def person(visit):
    return booking(visit.booking_id).patient_id


def press(browser, visit, button: str, **ids):
    return browser.post(page(visit), f"{page(visit)}/{button}", **ids)


def test_the_drawer_hints_at_another_record_and_at_nobody_else(priya, dana, stripe):
    assert HINT not in words(priya.get(drawer(dana)))

    visit_of("Robin Hale", stripe, 3)
    assert HINT not in words(priya.get(drawer(dana)))

    visit_of("Dana  WHITFIELD", stripe, 6, email="other@example.com")
    assert HINT in words(priya.get(drawer(dana)))


def test_both_are_compared_and_who_read_them_is_kept(priya, dana, again):
    said = words(priya.get(page(dana)))

    assert "Same phone Name D. Whitfield Phone (518) 555-0178 Email dw@example.com" in said
    assert "Merge, keep dana@example.com Merge, keep dw@example.com" in said
    read = [row.subject_id for row in all_of(AuditRow) if row.action == "patient.view"]
    assert read == [person(again)]


@pytest.mark.parametrize("kept", ["this", "other"])
def test_merged_the_drawer_shows_who_counts(priya, dana, again, kept):
    keep, other = (dana, again) if kept == "this" else (again, dana)

    answer = press(priya, dana, "merge", keep=person(keep), other=person(other))

    assert answer.location.endswith(drawer(dana))
    said = words(priya.get(answer.location))
    assert "They are one record now" in said
    assert HINT not in said
    name = {"this": "Dana Whitfield", "other": "D. Whitfield"}[kept]
    for one in (dana, again):
        assert f"{name} First visit" in words(priya.get(drawer(one)))


def test_both_names_find_every_visit_afterwards(priya, dana, again):
    people.merge(person(dana), person(again), PRIYA)

    for q in ("Dana", "D. Whit", "dw@example.com"):
        found = words(priya.post("/desk/search", "/desk/search", q=q))
        assert "2 visits. Enter opens the first." in found


def test_they_are_separated_where_they_were_merged(priya, dana, again):
    other = person(again)
    people.merge(person(dana), other, PRIYA)
    assert "Merged into it Name D. Whitfield" in words(priya.get(page(again)))

    answer = press(priya, again, "separate", other=other)

    assert "They are two records again" in words(priya.get(answer.location))
    assert person(again) == other


def test_another_record_is_found_by_what_was_typed(priya, dana, stripe):
    visit_of("Robin Hale", stripe, 3)

    found = words(priya.post(page(dana), page(dana), q="robin"))
    assert "Found Name Robin Hale" in found

    for q, answer in (("zzz", "Nobody else fits that."), ("r", "Type at least two letters")):
        assert answer in words(priya.post(page(dana), page(dana), q=q))


def test_two_members_stay_two_and_the_page_says_what_to_do(priya, seeded, noon, stripe):
    first = converted(stripe, slot=free_slot())
    second = converted(stripe, slot=free_slot(6), name="D. W.", email="dw@example.com")

    answer = press(priya, first, "merge", keep=person(first), other=person(second))

    assert answer.status_code == 409
    said = words(answer)
    assert "Nothing was merged or separated Both have a membership. End one of them first" in said
    assert {one.merged_into_id for one in all_of(Patient)} == {None}


def test_a_form_without_its_records_is_refused(priya, dana):
    assert press(priya, dana, "merge", keep="x").status_code == 400
