"""Noting that lists left the service as a file."""

from typing import Final
from uuid import UUID

from booking_service.db import transaction
from booking_service.models import Actor
from booking_service.services import audit

_A_LIST: Final = UUID(int=0)  # a list has no id of its own


def note_export(actor: Actor, what: str, count: int) -> None:
    """Write down who took which list, and how many rows it had.

    The filter is not kept: what was searched for may be a name.

    Args:
        actor: who asked for the file.
        what: the list, like `refunds`.
        count: rows in the file, without its header.
    """
    with transaction() as session:
        audit.record(session, actor, "export.download", _A_LIST, what=what, count=count)
