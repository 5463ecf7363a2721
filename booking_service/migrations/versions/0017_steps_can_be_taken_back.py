"""Let the desk take a visit's steps back, and let several people work at one station.

A step that was taken back leaves no time behind, and the end of a visit that was a mistake has an
entry of its own in the ledger. A practice says how long after the start of a visit nobody came. A
station knows who signed in with a password there, and opens for their PIN.

Locks: ACCESS EXCLUSIVE on bookings, journal_entries, practices, staff_members and staff_sessions,
each for milliseconds; the two checks scan their table. Data: none changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

_KINDS = (
    "payment",
    "payment_fee",
    "refund",
    "refund_reversed",
    "settlement",
    "promise_lapsed",
    "membership_payment",
    "membership_fee",
    "unmatched_receipt",
    "dispute_withdrawn",
    "dispute_reinstated",
    "dispute_lost",
    "payout",
    "payout_failed",
    "adjustment",
)


def upgrade() -> None:
    """Allow the new word, refuse steps that do not fit, and remember who is at a station."""
    _may_be((*_KINDS, "promise_reopened"))
    op.create_check_constraint(
        "steps_fit_status",
        "bookings",
        "(arrived_at IS NULL OR status IN ('arrived', 'in_treatment', 'completed'))"
        " AND (treatment_began_at IS NULL OR status IN ('in_treatment', 'completed'))"
        " AND (completed_at IS NULL OR status = 'completed')"
        " AND (no_show_at IS NULL OR status = 'no_show')",
    )
    op.add_column(
        "practices",
        sa.Column("no_show_after_minutes", sa.Integer(), server_default="10", nullable=False),
    )
    op.create_check_constraint(
        "no_show_not_before_visit", "practices", "no_show_after_minutes >= 0"
    )
    op.add_column("staff_members", sa.Column("pin_hash", sa.String(), nullable=True))
    op.add_column(
        "staff_sessions", sa.Column("locked_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.create_table(
        "station_people",
        sa.Column("station_hash", sa.String(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("password_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("wrong_pins", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("wrong_pins BETWEEN 0 AND 5", name="pins_limited"),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff_members.id"], name=op.f("fk_station_people_staff_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_station_people")),
        sa.UniqueConstraint(
            "station_hash", "staff_id", name=op.f("uq_station_people_station_hash")
        ),
    )
    op.create_index(op.f("ix_station_people_staff_id"), "station_people", ["staff_id"])


def downgrade() -> None:
    """Take it away; entries that use the new word must be gone."""
    op.drop_table("station_people")
    op.drop_column("staff_sessions", "locked_at")
    op.drop_column("staff_members", "pin_hash")
    op.drop_constraint("no_show_not_before_visit", "practices", type_="check")
    op.drop_column("practices", "no_show_after_minutes")
    op.drop_constraint("steps_fit_status", "bookings", type_="check")
    _may_be(_KINDS)


def _may_be(kinds: tuple[str, ...]) -> None:
    """Allow the kind of a journal entry these words and no others."""
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    op.drop_constraint("entrykind", "journal_entries", type_="check")
    op.create_check_constraint("entrykind", "journal_entries", f"kind IN ({listed})")
