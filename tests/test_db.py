from sqlalchemy import create_engine, text

from booking_service.db import db, transaction


def backend() -> int:
    """Who answers the next transaction."""
    with transaction() as session:
        return session.scalar(text("SELECT pg_backend_pid()"))


def test_a_connection_that_the_server_closed_is_replaced_before_anybody_asks(app):
    db.engine.dispose()  # of several connections the pool would take another each time
    first = backend()
    assert backend() == first
    other = create_engine(db.engine.url, isolation_level="AUTOCOMMIT")
    with other.connect() as connection:
        connection.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": first})
    other.dispose()

    assert backend() != first
