from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from booking_service.db import db, transaction
from booking_service.models import Actor, ActorKind, AuditLink, AuditRow
from booking_service.queries import state
from booking_service.services import audit, exports, views
from tests.factories import PRIYA, all_of

ACTIONS = ["booking.hold", "booking.arrived", "booking.completed"]
INSERT = """
    INSERT INTO audit_rows (id, at, actor_kind, action, subject_id, before, after)
    VALUES ('{}', now(), 'system', 'booking.hold', gen_random_uuid(), '{{}}', '{{}}')
"""


@pytest.fixture
def rows(app) -> list[UUID]:
    """Three rows in the order of the chain, the middle one with facts."""
    for action in ACTIONS:
        with transaction() as session:
            audit.record(session, PRIYA, action, uuid4(), plan="p-1", count=2)
    return [link.row_id for link in sorted(all_of(AuditLink), key=lambda link: link.number)]


def tamper(*statements: str) -> dict:
    """Do what a database administrator could: switch the triggers off. Then verify."""
    with db.engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in statements:
            connection.execute(text(statement))
    db.session.rollback()
    return state.audit()


def test_a_row_says_who_did_what_to_which_record(app, noon):
    staff, subject = Actor(ActorKind.STAFF, uuid4(), "Priya Shah"), uuid4()

    with transaction() as session:
        audit.record(session, staff, "membership.convert", subject, tender="saved_card", count=1)

    [row] = all_of(AuditRow)
    assert (row.at, row.actor_kind, row.actor_id) == (noon, ActorKind.STAFF, staff.id)
    assert (row.action, row.subject_id, row.before) == ("membership.convert", subject, {})
    assert row.after == {"tender": "saved_card", "count": 1}
    assert state.audit() == {"rows": 1, "verified": True}


def test_an_untouched_chain_verifies(rows):
    assert state.audit() == {"rows": 3, "verified": True}


def test_an_empty_chain_verifies(app):
    assert state.audit() == {"rows": 0, "verified": True}


def test_each_link_holds_the_hash_of_the_one_before(rows):
    links = sorted(all_of(AuditLink), key=lambda link: link.number)

    assert [link.previous_hash for link in links] == ["0" * 64, links[0].hash, links[1].hash]
    assert len({link.hash for link in links}) == 3


@pytest.mark.parametrize(
    "change",
    [
        "at = at + interval '1 microsecond'",
        "actor_kind = 'system'",
        "actor_id = gen_random_uuid()",
        "action = 'booking.cancelled'",
        "subject_id = gen_random_uuid()",
        """before = '{"status": "held"}'""",
        """after = '{"plan": "p-2", "count": 2}'""",
    ],
    ids=["time", "kind of actor", "actor", "action", "subject", "before", "after"],
)
def test_an_altered_row_is_found(rows, change):
    found = tamper(f"UPDATE audit_rows SET {change} WHERE id = '{rows[1]}'")

    assert found == {"rows": 3, "verified": False, "first_bad_row": str(rows[1])}


def test_a_deleted_row_is_found(rows):
    found = tamper(f"DELETE FROM audit_rows WHERE id = '{rows[1]}'")

    assert found == {"rows": 3, "verified": False, "first_bad_row": str(rows[1])}


def test_a_row_deleted_with_its_link_is_found_by_the_link_that_followed(rows):
    found = tamper(
        f"DELETE FROM audit_links WHERE row_id = '{rows[1]}'",
        f"DELETE FROM audit_rows WHERE id = '{rows[1]}'",
    )

    assert found == {"rows": 2, "verified": False, "first_bad_row": str(rows[2])}


def test_the_first_row_deleted_with_its_link_is_found(rows):
    found = tamper(
        f"DELETE FROM audit_links WHERE row_id = '{rows[0]}'",
        f"DELETE FROM audit_rows WHERE id = '{rows[0]}'",
    )

    assert found == {"rows": 2, "verified": False, "first_bad_row": str(rows[1])}


def test_a_row_that_was_slipped_in_is_found(rows):
    slipped = uuid4()

    found = tamper(INSERT.format(slipped))

    assert found == {"rows": 3, "verified": False, "first_bad_row": str(slipped)}


def test_a_row_written_by_hand_with_the_triggers_on_is_chained_like_any_other(rows):
    with db.engine.begin() as connection:
        connection.execute(text(INSERT.format(uuid4())))

    assert state.audit() == {"rows": 4, "verified": True}


def test_an_altered_row_with_a_matching_link_is_found_by_the_link_that_followed(rows):
    found = tamper(
        f"UPDATE audit_rows SET action = 'booking.cancelled' WHERE id = '{rows[1]}'",
        f"""UPDATE audit_links l SET hash = audit_hash(l.previous_hash, r)
            FROM audit_rows r WHERE r.id = l.row_id AND l.row_id = '{rows[1]}'""",
    )

    assert found == {"rows": 3, "verified": False, "first_bad_row": str(rows[2])}


def test_a_change_that_is_rolled_back_leaves_no_row(app):
    with pytest.raises(KeyError), transaction() as session:
        audit.record(session, PRIYA, "booking.hold", uuid4())
        raise KeyError

    assert (all_of(AuditRow), all_of(AuditLink)) == ([], [])


def test_looking_and_exporting_are_noted_without_what_was_looked_for(app):
    booking_id = uuid4()

    views.note_view(PRIYA, booking_id)
    exports.note_export(PRIYA, "refunds", 12)

    rows = {row.action: (row.subject_id, row.after) for row in all_of(AuditRow)}
    assert rows == {
        "booking.view": (booking_id, {}),
        "export.download": (UUID(int=0), {"what": "refunds", "count": 12}),
    }
