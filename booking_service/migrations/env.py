"""Run migrations: one at a time, each in its own transaction, never waiting long for a lock."""

from alembic import context
from flask import current_app
from sqlalchemy import NullPool, create_engine, text

from booking_service import models  # noqa: F401  # fills the metadata
from booking_service.db import Base

# NullPool: closing the connection is what gives the session-level advisory lock back.
engine = create_engine(current_app.extensions["settings"].database_url, poolclass=NullPool)
with engine.connect() as connection:
    # Waiting for another migration is fine; waiting for a busy table would stop the service.
    connection.execute(text("SELECT pg_advisory_lock(hashtext('alembic'))"))
    connection.execute(text("SET lock_timeout = '4s'"))
    connection.commit()
    context.configure(
        connection=connection, target_metadata=Base.metadata, transaction_per_migration=True
    )
    with context.begin_transaction():
        context.run_migrations()
