"""Log lines: JSON for machines or text for people, ids only, nothing personal."""

import json
import logging
import sys
from typing import Final

# What a call may attach with `extra=`: opaque ids, codes and counts.
_IDS: Final = (
    "booking_id",
    "payment_id",
    "refund_id",
    "membership_id",
    "message_id",
    "event_id",
    "topic",
    "code",
    "attempts",
)


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record. Tracebacks are kept; local variables never are."""
        line: dict[str, object] = {
            "at": self.formatTime(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update({name: str(getattr(record, name)) for name in _IDS if hasattr(record, name)})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure(log_format: str) -> None:
    """Send the log to standard error, once a process."""
    handler = logging.StreamHandler(sys.stderr)
    if log_format == "json":
        handler.setFormatter(JsonLines())
    else:
        handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    # The SDK tells of every request; what matters of it is written down in rows.
    logging.getLogger("stripe").setLevel(logging.WARNING)
    # It tells who asked too often, by address.
    logging.getLogger("flask-limiter").setLevel(logging.WARNING)
