"""The command line: what it prints for programs, and when it exits with 1."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text

from booking_service.db import db, transaction
from booking_service.errors import GatewayUnavailable, NotAllowed
from booking_service.models import (
    Actor,
    ApiToken,
    OutboxMessage,
    Payment,
    Practice,
    Role,
    StaffMember,
    Topic,
    WorkingHours,
)
from booking_service.services import audit, demo, outbox, staff
from tests.factories import all_of, change, converted, paid

STATE = {
    "bookings": {
        "id",
        "code",
        "status",
        "practitioner_id",
        "starts_at",
        "ends_at",
        "patient_id",
        "payment_id",
        "promise_status",
    },
    "payments": {
        "id",
        "booking_id",
        "status",
        "amount_cents",
        "stripe_checkout_session_id",
        "stripe_payment_intent_id",
        "disputed",
    },
    "refunds": {
        "id",
        "payment_id",
        "reason",
        "status",
        "amount_cents",
        "stripe_refund_id",
        "attempts",
    },
    "memberships": {"id", "patient_id", "booking_id", "status", "stripe_subscription_id"},
    "notifications": {"id", "topic", "subject_id", "channel", "status", "sent_count"},
    "exceptions": {"id", "type", "status", "subject_id"},
    "outbox": {"due", "oldest_due_seconds", "needs_review"},
    "webhook_events": {"received", "unprocessed", "failed"},
    "ledger": {"balanced", "accounts"},
    "audit": {"rows", "verified"},
}


@pytest.fixture
def run(app):
    """Run `booking` with words; return the exit code and what was printed."""

    def call(*words: str):
        result = app.test_cli_runner().invoke(args=words)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        db.session.rollback()
        return result.exit_code, result.output

    return call


def booking_command(environment, *words):
    """Run the real program; return its exit code, output and errors."""
    program = "from booking_service.cli import main; main()"
    environment = {**os.environ, **environment}
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_missing_variable_stops_the_program_with_one_line(environment):
    code, out, err = booking_command({**environment, "SECRET_KEY": ""}, "state", "--json")

    assert (code, out, err) == (1, "", "booking: SECRET_KEY is not set\n")


def test_the_schema_goes_up_down_and_up_again(environment, postgres):
    server = create_engine(environment["DATABASE_URL"], isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text("DROP DATABASE IF EXISTS up_and_down"))
        connection.execute(text("CREATE DATABASE up_and_down"))
    server.dispose()
    url = environment["DATABASE_URL"].rsplit("/", 1)[0] + "/up_and_down"
    scratch = create_engine(url)

    def tables() -> int:
        query = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
        with scratch.connect() as connection:
            return connection.scalar(text(query))

    counted = []
    for words in (["upgrade"], ["downgrade", "base"], ["upgrade"]):
        code, _, err = booking_command({**environment, "DATABASE_URL": url}, "db", *words)
        assert code == 0, err
        counted.append(tables())
    scratch.dispose()

    # Alembic's own table stays.
    assert counted[1:] == [1, counted[0]]
    assert counted[0] > 20


def test_seeding_prints_who_can_enter_and_is_safe_to_repeat(run):
    code, first = run("seed", "demo", "--json")
    assert (code, run("seed", "demo", "--json")) == (0, (0, first))

    seeded = json.loads(first)
    assert set(seeded) == {"staff", "api_tokens"}
    assert [set(member) for member in seeded["staff"]] == [
        {"email", "password", "role", "totp_secret"}
    ] * 3
    assert sorted(member["role"] for member in seeded["staff"]) == sorted(Role)
    assert set(seeded["api_tokens"]) == set(Role)
    assert len(all_of(StaffMember)) == 3
    for member in seeded["staff"]:
        assert staff.sign_in(member["email"], member["password"])
    for scope, token in seeded["api_tokens"].items():
        assert staff.token_bearer(token).scope == scope


def test_seeding_sets_how_far_ahead_and_how_long_patients_may_book(run):
    run("seed", "demo")
    ordinary = {(row.opens_minute, row.closes_minute) for row in all_of(WorkingHours)}

    assert run("seed", "demo", "--days", "7", "--all-hours")[0] == 0

    [practice] = all_of(Practice)
    hours = {(row.weekday, row.opens_minute, row.closes_minute) for row in all_of(WorkingHours)}
    assert (practice.horizon_days, practice.lead_minutes) == (7, 0)
    assert hours == {(weekday, 0, 1440) for weekday in range(7)}
    assert (0, 1440) not in ordinary


def test_demo_people_never_meet_real_money(app):
    with pytest.raises(NotAllowed):
        demo.seed("a secret key of the practice", is_live=True)

    assert all_of(StaffMember) == []


def test_seeding_for_people_lists_roles_and_passwords(run):
    _, out = run("seed", "demo")

    assert [line.split()[:2] for line in out.splitlines()] == [
        ["front_desk", "priya@alder.example"],
        ["finance", "ana@alder.example"],
        ["admin", "owner@alder.example"],
    ]


@pytest.mark.parametrize("role", Role)
def test_adding_staff_prints_a_link_that_works_once(run, role):
    code, out = run("staff", "add", "Lee@Alder.example", "--role", role.value, "--json")

    answer = json.loads(out)
    assert code == 0
    assert (answer["email"], answer["role"]) == ("Lee@Alder.example", role)
    base, secret = answer["link"].rsplit("/", 1)
    assert base == "http://127.0.0.1:8000/set-up"
    staff.set_up(secret, "correct horse battery")
    [member] = all_of(StaffMember)
    assert (member.email, member.name, member.role) == ("lee@alder.example", "Lee", role)


def test_adding_staff_for_people_prints_the_link_alone(run):
    _, out = run("staff", "add", "lee@alder.example", "--role", "admin", "--name", "Lee Park")

    assert out.startswith("http://127.0.0.1:8000/set-up/")
    assert len(out.splitlines()) == 1
    assert [member.name for member in all_of(StaffMember)] == ["Lee Park"]


@pytest.mark.parametrize(
    "words",
    [
        ["staff", "add", "lee@alder.example"],
        ["staff", "add", "lee@alder.example", "--role", "owner"],
        ["token", "create", "widget", "--scope", "everything"],
        ["outbox", "replay", "--id", "7"],
    ],
    ids=["no role", "unknown role", "unknown scope", "no id"],
)
def test_what_makes_no_sense_does_nothing(run, words):
    assert run(*words)[0] == 2
    assert (all_of(StaffMember), all_of(ApiToken)) == ([], [])


@pytest.mark.parametrize("scope", Role)
def test_a_token_is_printed_once(run, scope):
    code, out = run("token", "create", "widget", "--scope", scope.value, "--json")

    answer = json.loads(out)
    assert (code, set(answer)) == (0, {"name", "scope", "token"})
    bearer = staff.token_bearer(answer["token"])
    assert (bearer.name, bearer.scope) == ("widget", scope)


def test_a_token_for_people_stands_alone(run):
    _, out = run("token", "create", "widget", "--scope", "admin")

    assert staff.token_bearer(out.strip()).scope is Role.ADMIN


@pytest.mark.usefixtures("noon", "seeded", "mail")
def test_the_state_has_the_shape_that_was_agreed(run, stripe, work):
    converted(stripe)
    work()
    code, out = run("state", "--json")

    state = json.loads(out)
    shape = {
        name: set(part[0]) if isinstance(part, list) and part else set(part)
        for name, part in state.items()
    }
    assert code == 0
    assert shape == STATE | {"exceptions": set()}
    assert [payment["disputed"] for payment in state["payments"]] == [False]
    assert [refund["attempts"] for refund in state["refunds"]] == [1]
    # A member is not asked to sign.
    mailed = sorted((row["sent_count"], row["status"]) for row in state["notifications"])
    assert mailed == [(0, "skipped"), (1, "sent"), (1, "sent")]


def test_books_that_agree_reconcile(run, seeded, noon, stripe):
    paid(stripe)

    code, out = run("reconcile", "--json")
    found = json.loads(out)
    assert (code, found["residue_cents"], found["matched"], found["discrepancies"]) == (0, 0, 1, [])
    assert found["promises"] == {"checked": 1, "in_doubt": 0}
    words = "1 movements match, 0 lines were put right.\nResidue $0.00; 0 promises are in doubt.\n"
    assert run("reconcile") == (0, words)


def test_books_that_differ_exit_with_1_and_say_where(run, seeded, noon, stripe):
    payment = paid(stripe).payment
    change(Payment, payment.id, amount_cents=4000)  # by nobody who may

    code, out = run("reconcile", "--json")
    [line] = json.loads(out)["discrepancies"]
    assert code == 1
    assert (line["kind"], line["our_id"], line["stripe_id"]) == (
        "payment_differs",
        str(payment.id),
        payment.stripe_payment_intent_id,
    )
    assert (line["our_cents"], line["stripe_cents"]) == (4000, 3900)
    code, words = run("reconcile")
    pi = payment.stripe_payment_intent_id
    assert code == 1
    assert f"payment_differs: {pi}, ours 4000, Stripe's 3900\n" in words


def test_reconciling_without_stripe_does_not_say_that_all_is_well(app, stripe):
    stripe.fault("drop_before", "/v1/balance_transactions", "GET")

    result = app.test_cli_runner().invoke(args=["reconcile", "--json"])

    assert (result.exit_code, result.stdout) == (1, "")
    assert isinstance(result.exception, GatewayUnavailable)


def test_an_untouched_audit_log_verifies_and_an_altered_one_does_not(run):
    with transaction() as session:
        subject = uuid4()
        audit.record(session, Actor.system(), "booking.confirm", subject)
    assert run("audit", "verify", "--json") == (0, '{"rows": 1, "verified": true}\n')
    assert run("audit", "verify") == (0, "1 rows, all as they were written.\n")

    with db.engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        altered = connection.scalar(
            text("UPDATE audit_rows SET action = 'booking.cancel' RETURNING id")
        )

    found = {"rows": 1, "verified": False, "first_bad_row": str(altered)}
    code, out = run("audit", "verify", "--json")
    assert (code, json.loads(out)) == (1, found)
    assert run("audit", "verify") == (1, f"Altered, first at row {altered}.\n")


@pytest.fixture
def given_up(app, noon) -> list[OutboxMessage]:
    """Two pieces of work that nobody will do by themselves."""
    with transaction() as session:
        for _ in range(2):
            outbox.post(session, Topic.REFUND_REQUESTED, uuid4())
    messages = all_of(OutboxMessage)
    for message in messages:
        change(OutboxMessage, message.id, needs_review_at=noon, attempts=23)
    return messages


def waiting() -> list[tuple[bool, int]]:
    return sorted((m.needs_review_at is not None, m.attempts) for m in all_of(OutboxMessage))


def test_one_piece_of_stuck_work_is_made_due_again(run, given_up):
    id_ = str(given_up[0].id)

    assert run("outbox", "replay", "--id", id_, "--json") == (0, '{"replayed": 1}\n')
    assert waiting() == [(False, 0), (True, 23)]
    assert run("outbox", "replay", "--id", id_, "--json") == (1, '{"replayed": 0}\n')


def test_all_stuck_work_is_made_due_again(run, given_up):
    assert run("outbox", "replay") == (0, "2 due again.\n")
    assert waiting() == [(False, 0), (False, 0)]
    assert len(outbox.claim(timedelta(seconds=60))) == 2
    assert run("outbox", "replay", "--json") == (0, '{"replayed": 0}\n')


def test_work_that_does_not_exist_cannot_be_replayed(run, app):
    assert run("outbox", "replay", "--id", str(uuid4()))[0] == 1
