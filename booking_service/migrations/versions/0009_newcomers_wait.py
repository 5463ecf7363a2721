"""Let people wait for a time who have no visit yet.

A waitlist entry is a visit's or an e-mail address's; the address goes when the entry ends. An offer
may be of a time that nobody left.

Locks: ACCESS EXCLUSIVE on two small tables, for milliseconds; the checks scan the first.
Data: none changed. Going back forgets who waited without a visit, and what they were offered.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_CHECKS = {
    "somebody_waits": "ended_at IS NOT NULL OR num_nonnulls(booking_id, email) = 1",
    "address_forgotten": "ended_at IS NULL OR email IS NULL",
    "language_known": "email IS NULL OR locale IS NOT NULL",
    "saw_a_span": "num_nulls(saw_first_at, saw_last_at) <> 1",
    "language": "locale IN ('en', 'es')",
}


def upgrade() -> None:
    """Keep an address, its language and what was free as it was left."""
    op.alter_column("waitlist_entries", "booking_id", nullable=True)
    op.add_column("waitlist_entries", sa.Column("email", sa.String(), nullable=True))
    op.add_column("waitlist_entries", sa.Column("locale", sa.String(length=64), nullable=True))
    for name in ("saw_first_at", "saw_last_at"):
        op.add_column(
            "waitlist_entries", sa.Column(name, sa.DateTime(timezone=True), nullable=True)
        )
    op.create_unique_constraint(op.f("uq_waitlist_entries_email"), "waitlist_entries", ["email"])
    for name, rule in _CHECKS.items():
        op.create_check_constraint(name, "waitlist_entries", rule)
    op.alter_column("waitlist_offers", "freed_time_id", nullable=True)


def downgrade() -> None:
    """Take them away, and forget the newcomers."""
    newcomers = "SELECT id FROM waitlist_entries WHERE booking_id IS NULL"
    op.execute(f"DELETE FROM waitlist_offers WHERE entry_id IN ({newcomers})")  # noqa: S608
    op.execute("DELETE FROM waitlist_entries WHERE booking_id IS NULL")
    op.alter_column("waitlist_offers", "freed_time_id", nullable=False)
    for name in _CHECKS:
        op.drop_constraint(name, "waitlist_entries", type_="check")
    op.drop_constraint(op.f("uq_waitlist_entries_email"), "waitlist_entries")
    for name in ("saw_last_at", "saw_first_at", "locale", "email"):
        op.drop_column("waitlist_entries", name)
    op.alter_column("waitlist_entries", "booking_id", nullable=False)
