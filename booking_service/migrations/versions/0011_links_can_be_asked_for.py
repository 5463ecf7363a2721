"""Let patients ask for the links of their visits.

What was asked for is a row with the address, the same for known and unknown ones; a worker finds out
whether there are visits. The row goes ten minutes after that, and meanwhile stops a second mail.

Locks: SHARE on patients while its index is built, seconds for a hundred thousand of them; ACCESS
EXCLUSIVE on three tables, each for milliseconds; the checks scan their table.
Data: none changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_TOPICS = (
    "notifications.booking_confirmed",
    "notifications.booking_moved",
    "notifications.booking_cancelled",
    "notifications.slot_lost",
    "memberships.start",
    "notifications.membership_started",
    "refunds.execute",
    "notifications.refund_sent",
    "notifications.refund_failed",
    "reconciliation.asked",
    "notifications.refund_settled_otherwise",
    "webhooks.process",
    "notifications.visit_reminder",
    "notifications.visit_soon",
    "notifications.visit_missed",
    "waitlist.offer",
    "notifications.time_offered",
    "notifications.visit_link",
)
_NEW_TOPICS = ("notifications.visits_asked",)


def upgrade() -> None:
    """Keep what was asked for, and find patients by their address."""
    op.create_table(
        "link_requests",
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_link_requests")),
        sa.UniqueConstraint("email", name=op.f("uq_link_requests_email")),
    )
    op.create_index("ix_patients_email", "patients", ["email"])
    for table in ("outbox_messages", "notifications", "reminders"):
        _may_hold(table, _TOPICS + _NEW_TOPICS)


def downgrade() -> None:
    """Take it away; rows that use the new word must be gone."""
    for table in ("reminders", "notifications", "outbox_messages"):
        _may_hold(table, _TOPICS)
    op.drop_index("ix_patients_email", "patients")
    op.drop_table("link_requests")


def _may_hold(table: str, topics: tuple[str, ...]) -> None:
    """Allow the topic of a table these words and no others."""
    listed = ", ".join(f"'{topic}'" for topic in topics)
    op.drop_constraint("topic", table, type_="check")
    op.create_check_constraint("topic", table, f"topic IN ({listed})")
