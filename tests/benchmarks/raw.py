"""What the database does in a second without Flask, SQLAlchemy and Stripe: one row, or a booking.

A booking is what the API's sends: six statements in two transactions, on the real tables.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from statistics import quantiles
from uuid import uuid4

import psycopg

from tests.benchmarks.load import Result

_INSERT = "INSERT INTO raw_rows (words) VALUES (%s)"

_LATER = datetime(2200, 1, 1, tzinfo=UTC)  # when nobody else books
_numbers = count()

_KEEP_PATIENT = """
WITH they AS (SELECT id FROM patients WHERE email = %(email)s OR phone = %(phone)s),
standing AS (SELECT
    EXISTS (SELECT FROM patients p WHERE name_key = %(email)s
        AND (email = %(email)s OR phone = %(phone)s)
        AND (EXISTS (SELECT FROM bookings WHERE patient_id = p.id AND status <> 'held')
            OR EXISTS (SELECT FROM memberships WHERE patient_id = p.id))) AS is_known,
    ARRAY(SELECT hold_expires_at FROM bookings WHERE status = 'held'
        AND patient_id = ANY (ARRAY(SELECT id FROM they))) AS hold_ends)
INSERT INTO patients (id, name, name_key, email, phone, locale)
SELECT %(patient)s, %(email)s, %(email)s, %(email)s, %(phone)s, 'en' FROM standing
WHERE NOT is_known AND cardinality(hold_ends) < 5
ON CONFLICT (name_key, email) DO UPDATE SET phone = excluded.phone RETURNING id
"""
_QUEUE_UP = "SELECT is_bookable FROM practitioners WHERE id = %(doctor)s FOR NO KEY UPDATE"
_READ_HOURS = """
SELECT timezone, visit_minutes, weekday, opens_minute, closes_minute, t.starts_at, t.ends_at
FROM practices LEFT JOIN working_hours w ON w.practitioner_id = %(doctor)s
LEFT JOIN time_off t ON (t.practitioner_id = w.practitioner_id OR t.practitioner_id IS NULL)
    AND t.ends_at > %(starts_at)s AND t.starts_at < %(ends_at)s
"""
_READ_OFFER = "SELECT * FROM offers ORDER BY version DESC LIMIT 1"
_WRITE = """
WITH audit AS (INSERT INTO audit_rows (id, at, actor_kind, action, subject_id, before, after)
    VALUES (gen_random_uuid(), now(), 'patient', 'booking.hold', %(booking)s, '{}', '{}'),
        (gen_random_uuid(), now(), 'patient', 'terms.accept', %(booking)s, '{}', '{}')),
payment AS (INSERT INTO payments
        (id, booking_id, offer_id, status, amount_cents, currency, tender, created_at)
    VALUES (gen_random_uuid(), %(booking)s, %(offer)s, 'open', 3900, 'usd', 'card', now())),
terms AS (INSERT INTO terms_acceptances
        (id, booking_id, offer_id, language, terms_hash, accepted_at, address, user_agent)
    VALUES (gen_random_uuid(), %(booking)s, %(offer)s, 'en', '-', now(), '-', '-'))
INSERT INTO bookings (id, code, practitioner_id, patient_id, status, starts_at, ends_at,
    created_at, hold_expires_at, save_card, moves)
VALUES (%(booking)s, %(email)s, %(doctor)s, %(patient)s, 'held', %(starts_at)s, %(ends_at)s,
    now(), now() + interval '30 minutes', false, 0)
"""
_KEEP_PAGE = """
WITH locked AS (SELECT id FROM bookings WHERE id = %(booking)s FOR UPDATE)
UPDATE payments SET stripe_checkout_session_id = %(email)s, checkout_url = %(email)s
FROM locked WHERE booking_id = locked.id
"""


def transactions(url: str, clients: int, seconds: float) -> Result:
    """Write one row a transaction over so many connections at once until the time is up."""
    with psycopg.connect(_plain(url), autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS raw_rows (id serial PRIMARY KEY, words text)"
        )

    def write(connection: psycopg.Connection) -> None:
        connection.execute(_INSERT, ("a first visit",))
        connection.commit()

    return _repeated(write, url, clients, seconds)


def bookings(url: str, clients: int, seconds: float) -> Result:
    """Store bookings over so many connections at once until the time is up."""
    with psycopg.connect(_plain(url)) as connection:
        doctors = [id_ for (id_,) in connection.execute("SELECT id FROM practitioners").fetchall()]
        (offer,) = connection.execute("SELECT id FROM offers ORDER BY version DESC").fetchone()

    def book(connection: psycopg.Connection) -> None:
        number = next(_numbers)
        starts_at = _LATER + number * timedelta(hours=1)
        facts = {
            "booking": uuid4(),
            "patient": uuid4(),
            "email": f"raw{number}@example.com",
            "phone": f"+1519{number:07}",
            "doctor": doctors[number % len(doctors)],
            "offer": offer,
            "starts_at": starts_at,
            "ends_at": starts_at + timedelta(minutes=45),
        }
        for statement in (_KEEP_PATIENT, _QUEUE_UP, _READ_HOURS, _READ_OFFER, _WRITE):
            connection.execute(statement, facts)
        connection.commit()
        connection.execute(_KEEP_PAGE, facts)
        connection.commit()

    return _repeated(book, url, clients, seconds)


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg", "postgresql")


def _repeated(
    act: Callable[[psycopg.Connection], None], url: str, clients: int, seconds: float
) -> Result:
    until = time.perf_counter() + seconds

    def client(_: int) -> list[float]:
        times = []
        with psycopg.connect(_plain(url)) as connection:
            while (began := time.perf_counter()) < until:
                act(connection)
                times.append((time.perf_counter() - began) * 1000)
        return times

    with ThreadPoolExecutor(clients) as pool:
        times = [one for many in pool.map(client, range(clients)) for one in many]
    cuts = quantiles(times, n=100)
    return Result(len(times) / seconds, cuts[49], cuts[98], {0: len(times)})
