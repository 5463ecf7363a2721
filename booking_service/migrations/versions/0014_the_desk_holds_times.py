"""Keep who at the desk holds a time for somebody who pays on their own phone.

Locks: ACCESS EXCLUSIVE on bookings for milliseconds. Data: none changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Add the column."""
    op.add_column("bookings", sa.Column("held_by", sa.String(), nullable=True))


def downgrade() -> None:
    """Drop it: what is held at the desk is then like any other hold."""
    op.drop_column("bookings", "held_by")
