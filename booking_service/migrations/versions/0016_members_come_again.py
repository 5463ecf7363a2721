"""Let members book further visits, which their plan includes.

A follow-up is a booking that names its membership; it has no payment and no promise. Only the first
visit is once a patient. A follow-up cancelled in time is marked: its plan has that visit again.

Locks: ACCESS EXCLUSIVE on bookings while three checks scan it and two indexes are built, seconds for
a hundred thousand of them; on practices for milliseconds. Data: what was there is a first visit.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

_VISITING = (
    "status IN ('confirmed', 'arrived', 'in_treatment', 'completed') AND merged_from_id IS NULL"
)
_CHECKS = {
    "membership_of_follow_up": "(kind = 'follow_up') = (membership_id IS NOT NULL)",
    "follow_up_not_held": "kind <> 'follow_up' OR status NOT IN ('held', 'expired')",
    "given_back_by_cancelling": ("NOT given_back OR (kind = 'follow_up' AND status = 'cancelled')"),
}


def upgrade() -> None:
    """Say of each booking what it is, and allow a patient many follow-ups."""
    kinds = sa.Enum(
        "first",
        "follow_up",
        name="bookingkind",
        native_enum=False,
        create_constraint=True,
        length=64,
    )
    op.add_column("bookings", sa.Column("kind", kinds, nullable=False, server_default="first"))
    op.add_column("bookings", sa.Column("membership_id", sa.Uuid(), nullable=True))
    op.add_column(
        "bookings", sa.Column("given_back", sa.Boolean(), nullable=False, server_default="false")
    )
    op.create_foreign_key(
        op.f("fk_bookings_membership_id"), "bookings", "memberships", ["membership_id"], ["id"]
    )
    for name, condition in _CHECKS.items():
        op.create_check_constraint(name, "bookings", condition)
    op.create_index(
        "ix_bookings_membership_id",
        "bookings",
        ["membership_id"],
        postgresql_where=sa.text("membership_id IS NOT NULL"),
    )
    _once_a_patient(f"{_VISITING} AND kind = 'first'")
    op.add_column(
        "practices",
        sa.Column("follow_up_minutes", sa.Integer(), nullable=False, server_default="20"),
    )
    op.create_check_constraint("follow_up_positive", "practices", "follow_up_minutes > 0")


def downgrade() -> None:
    """Take it away; follow-ups must be gone."""
    op.drop_constraint("follow_up_positive", "practices", type_="check")
    op.drop_column("practices", "follow_up_minutes")
    _once_a_patient(_VISITING)
    op.drop_index("ix_bookings_membership_id", "bookings")
    for name in _CHECKS:
        op.drop_constraint(name, "bookings", type_="check")
    op.drop_constraint(op.f("fk_bookings_membership_id"), "bookings", type_="foreignkey")
    for column in ("given_back", "membership_id", "kind"):
        op.drop_column("bookings", column)


def _once_a_patient(where: str) -> None:
    op.drop_index("uq_bookings_one_first_visit", "bookings")
    op.create_index(
        "uq_bookings_one_first_visit",
        "bookings",
        ["patient_id"],
        unique=True,
        postgresql_where=sa.text(where),
    )
