from datetime import timedelta

import pytest
from argon2 import PasswordHasher
from sqlalchemy import update

from booking_service.db import transaction
from booking_service.errors import Invalid, NotFound, SignInFailed
from booking_service.models import (
    ActorKind,
    ApiToken,
    AuditRow,
    Role,
    StaffMember,
    StaffSession,
)
from booking_service.services import staff
from tests.factories import all_of

PASSWORD = "correct horse battery"
EMAIL = "lee@alder.example"
IDLE, LONGEST = timedelta(minutes=10), timedelta(hours=12)


@pytest.fixture
def lee(app, noon) -> StaffMember:
    """Somebody at the front desk who has chosen a password."""
    staff.set_up(staff.invite(EMAIL, "Lee Park", Role.FRONT_DESK), PASSWORD)
    [member] = all_of(StaffMember)
    return member


def actions() -> list[str]:
    return [row.action for row in sorted(all_of(AuditRow), key=lambda row: row.at)]


def who(token):
    return staff.who(token, IDLE, LONGEST)


def refusal(email=EMAIL, password=PASSWORD) -> tuple[str, str]:
    with pytest.raises(SignInFailed) as refused:
        staff.sign_in(email, password)
    return refused.value.code, str(refused.value)


def test_a_set_up_link_works_once(app, noon):
    secret = staff.invite(f" {EMAIL.upper()} ", "Lee Park", Role.FINANCE)

    staff.set_up(secret, PASSWORD)
    with pytest.raises(NotFound):
        staff.set_up(secret, "another long password")

    [member] = all_of(StaffMember)
    assert (member.email, member.name, member.role) == (EMAIL, "Lee Park", Role.FINANCE)
    assert staff.sign_in(EMAIL, PASSWORD)
    assert sorted(actions()) == ["staff.invite", "staff.set_up", "staff.sign_in"]


def test_neither_link_nor_password_is_kept(app, noon):
    secret = staff.invite(EMAIL, "Lee Park", Role.FINANCE)
    [invited] = all_of(StaffMember)
    assert secret not in str(vars(invited))

    staff.set_up(secret, PASSWORD)

    [member] = all_of(StaffMember)
    assert member.password_hash.startswith("$argon2id$")
    assert (member.setup_token_hash, member.setup_expires_at) == (None, None)


def test_a_set_up_link_lasts_seven_days(app, noon, travel):
    secret = staff.invite(EMAIL, "Lee Park", Role.FINANCE)

    travel(noon + timedelta(days=7))
    with pytest.raises(NotFound):
        staff.set_up(secret, PASSWORD)
    travel(noon + timedelta(days=7, seconds=-1))
    staff.set_up(secret, PASSWORD)


def test_a_new_link_replaces_the_one_before_and_keeps_the_person(app, noon):
    first = staff.invite(EMAIL, "Lee Park", Role.FRONT_DESK)
    second = staff.invite(EMAIL, "Somebody Else", Role.ADMIN)

    with pytest.raises(NotFound):
        staff.set_up(first, PASSWORD)
    staff.set_up(second, PASSWORD)

    [member] = all_of(StaffMember)
    assert (member.name, member.role) == ("Lee Park", Role.ADMIN)


@pytest.mark.parametrize("secret", ["", "x", "é" * 43])
def test_a_link_nobody_was_given_opens_nothing(app, secret):
    with pytest.raises(NotFound):
        staff.set_up(secret, PASSWORD)


@pytest.mark.parametrize("length", [0, 14, 257])
def test_a_password_has_15_to_256_characters(app, noon, length):
    secret = staff.invite(EMAIL, "Lee Park", Role.FINANCE)

    with pytest.raises(Invalid) as invalid:
        staff.set_up(secret, "p" * length)

    assert [error.field for error in invalid.value.errors] == ["password"]
    staff.set_up(secret, "p" * 15)
    assert staff.sign_in(EMAIL, "p" * 15)


def test_signing_in_and_out(lee):
    token = staff.sign_in(f" {EMAIL.upper()} ", PASSWORD)
    other = staff.sign_in(EMAIL, PASSWORD)
    assert [member.id for member in (who(token), who(other))] == [lee.id, lee.id]

    staff.sign_out(token)
    staff.sign_out(token)

    assert who(token) is None
    assert who(other).id == lee.id
    assert actions().count("staff.sign_out") == 1
    by_lee = {row.actor_id for row in all_of(AuditRow) if row.actor_kind is ActorKind.STAFF}
    assert by_lee == {lee.id}


def test_no_token_is_kept(lee):
    token = staff.sign_in(EMAIL, PASSWORD)

    [session] = all_of(StaffSession)
    assert token not in str(vars(session))
    assert len(token) >= 43


def test_a_refused_sign_in_never_says_why(lee):
    staff.invite("new@alder.example", "New Person", Role.FINANCE)
    out = staff.invite("out@alder.example", "Shut Out", Role.FINANCE)
    staff.set_up(out, PASSWORD)
    disable("out@alder.example", at=lee.created_at)

    answers = {
        refusal(password="wrong horse battery"),
        refusal(password=""),
        refusal(email="nobody@alder.example"),
        refusal(email="new@alder.example"),
        refusal(email="out@alder.example"),
    }

    assert answers == {("sign_in_failed", "E-mail and password do not match.")}
    assert all_of(StaffSession) == []
    assert "staff.sign_in" not in actions()


def test_somebody_unknown_costs_as_much_work_as_a_wrong_password(app, noon, monkeypatch):
    hashes = []

    class Counting(PasswordHasher):
        def verify(self, hashed, password):
            hashes.append(hashed)
            return super().verify(hashed, password)

    monkeypatch.setattr(staff, "HASHER", Counting())  # as costly as in production
    staff.set_up(staff.invite(EMAIL, "Lee Park", Role.FRONT_DESK), PASSWORD)

    refusal(password="wrong horse battery")
    refusal(email="nobody@alder.example")

    costs = [hashed.rsplit("$", 2)[0] for hashed in hashes]
    assert costs == ["$argon2id$v=19$m=65536,t=3,p=4"] * 2
    assert hashes[0] != hashes[1]


def disable(email, at) -> None:
    with transaction() as session:
        session.execute(
            update(StaffMember).where(StaffMember.email == email).values(disabled_at=at)
        )


def test_who_is_disabled_is_out_at_once(lee, noon):
    token = staff.sign_in(EMAIL, PASSWORD)
    secret = staff.invite(EMAIL, "Lee Park", Role.FRONT_DESK)

    disable(EMAIL, noon)

    assert who(token) is None
    refusal()
    with pytest.raises(NotFound):
        staff.set_up(secret, PASSWORD)


def test_a_session_ends_when_it_is_not_used(lee, noon, travel):
    token = staff.sign_in(EMAIL, PASSWORD)

    travel(noon + IDLE - timedelta(seconds=1))
    assert who(token).id == lee.id
    travel(noon + 2 * IDLE - timedelta(seconds=2))
    assert who(token).id == lee.id
    travel(noon + 3 * IDLE - timedelta(seconds=2))
    assert who(token) is None


def test_a_session_ends_after_its_longest_time_however_much_it_is_used(lee, noon, travel):
    token = staff.sign_in(EMAIL, PASSWORD)
    at = noon

    while at < noon + LONGEST - IDLE / 2:
        at += IDLE / 2
        travel(min(at, noon + LONGEST - timedelta(seconds=1)))
        assert who(token).id == lee.id
    travel(noon + LONGEST)
    assert who(token) is None


def test_being_seen_is_written_down_now_and_then_only(lee, noon, travel):
    token = staff.sign_in(EMAIL, PASSWORD)
    seen = {}

    for seconds in (10, 30, 31, 40):
        travel(noon + timedelta(seconds=seconds))
        who(token)
        [session] = all_of(StaffSession)
        seen[seconds] = (session.last_seen_at - noon).total_seconds()

    assert seen == {10: 0, 30: 0, 31: 31, 40: 31}


@pytest.mark.parametrize("token", ["", "x", "\0", "é"])
def test_a_token_nobody_was_given_is_nobodys(lee, token):
    assert who(token) is None
    assert staff.token_bearer(token) is None


def test_a_programs_token_is_shown_once_and_kept_hashed(app, noon):
    token = staff.create_token("widget", Role.FINANCE)

    [kept] = all_of(ApiToken)
    assert token.startswith("fv_")
    assert token not in str(vars(kept))
    assert (kept.name, kept.scope, kept.last_used_at) == ("widget", Role.FINANCE, None)
    [row] = all_of(AuditRow)
    assert (row.action, row.subject_id, row.after) == (
        "token.create",
        kept.id,
        {"scope": "finance"},
    )


def test_a_token_is_its_bearer_until_it_is_revoked(app, noon, travel):
    token = staff.create_token("widget", Role.FINANCE)
    staff.create_token("other", Role.ADMIN)

    assert staff.token_bearer(token).name == "widget"
    assert staff.token_bearer(token[:-1]) is None
    with transaction() as session:
        session.execute(update(ApiToken).where(ApiToken.name == "widget").values(revoked_at=noon))
    assert staff.token_bearer(token) is None


def test_a_tokens_last_use_is_written_down_now_and_then_only(app, noon, travel):
    token = staff.create_token("widget", Role.FINANCE)
    seen = {}

    for seconds in (0, 30, 31, 40):
        travel(noon + timedelta(seconds=seconds))
        staff.token_bearer(token)
        [kept] = all_of(ApiToken)
        seen[seconds] = (kept.last_used_at - noon).total_seconds()

    assert seen == {0: 0, 30: 0, 31: 31, 40: 31}
