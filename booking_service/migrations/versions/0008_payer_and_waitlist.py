"""Book for somebody else.

Who books for a patient is kept with the booking, by name.

Locks: ACCESS EXCLUSIVE on bookings for milliseconds. Data: none changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Keep who booked for a patient."""
    op.add_column("bookings", sa.Column("booked_by", sa.String(), nullable=True))


def downgrade() -> None:
    """Forget who booked."""
    op.drop_column("bookings", "booked_by")
