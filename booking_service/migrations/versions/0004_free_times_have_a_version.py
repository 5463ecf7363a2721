"""Give free times a version, which changes with everything they depend on.

Pages and callers ask for free times far more often than anything else. With a word that changes in
the same transaction as a booking, a finished answer can be kept until it is not true any more.

The word of a practitioner's bookings is written at the very end of a transaction (a deferred
trigger), so that nobody holds it while waiting for another lock. The lock of the audit log, which is
taken there, too, always comes first: two bookings cannot wait for each other.

Locks: SHARE ROW EXCLUSIVE on six tables, each for milliseconds. Data: none changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_LIVE = "('held', 'confirmed', 'arrived', 'in_treatment', 'completed')"
# What everybody's times depend on, and what is said beside them, has one word together.
_OF_ALL = ("practices", "practitioners", "working_hours", "time_off", "offers")


def upgrade() -> None:
    """Make the table, and let every change of what it stands for write to it."""
    op.create_table(
        "timetable_versions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("token", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_timetable_versions"),
    )
    op.execute(
        """
        CREATE FUNCTION timetable_of_practitioner() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_advisory_xact_lock(hashtext('audit chain'));
            INSERT INTO timetable_versions (id, token)
            SELECT id, gen_random_uuid()
            FROM (SELECT NEW.practitioner_id AS id UNION SELECT OLD.practitioner_id) AS touched
            WHERE id IS NOT NULL ORDER BY id
            ON CONFLICT (id) DO UPDATE SET token = excluded.token;
            RETURN NULL;
        END $$
        """
    )
    op.execute(
        """
        CREATE FUNCTION timetable_of_all() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO timetable_versions (id, token)
            VALUES ('00000000-0000-0000-0000-000000000000', gen_random_uuid())
            ON CONFLICT (id) DO UPDATE SET token = excluded.token;
            RETURN NULL;
        END $$
        """
    )
    changed = (
        f"(OLD.status IN {_LIVE}) IS DISTINCT FROM (NEW.status IN {_LIVE})"
        " OR (OLD.practitioner_id, OLD.starts_at, OLD.ends_at)"
        " IS DISTINCT FROM (NEW.practitioner_id, NEW.starts_at, NEW.ends_at)"
    )
    for event, condition in (
        ("INSERT", f"NEW.status IN {_LIVE}"),
        ("UPDATE", changed),
        ("DELETE", f"OLD.status IN {_LIVE}"),
    ):
        op.execute(
            f"CREATE CONSTRAINT TRIGGER timetable_{event.lower()} AFTER {event} ON bookings"
            " DEFERRABLE INITIALLY DEFERRED"
            f" FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION timetable_of_practitioner()"
        )
    for table in _OF_ALL:
        op.execute(
            f"CREATE TRIGGER timetable_changed AFTER INSERT OR UPDATE OR DELETE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION timetable_of_all()"
        )


def downgrade() -> None:
    """Let answers be made anew each time."""
    for table in _OF_ALL:
        op.execute(f"DROP TRIGGER timetable_changed ON {table}")
    for event in ("insert", "update", "delete"):
        op.execute(f"DROP TRIGGER timetable_{event} ON bookings")
    op.execute("DROP FUNCTION timetable_of_all()")
    op.execute("DROP FUNCTION timetable_of_practitioner()")
    op.drop_table("timetable_versions")
