"""Lists as files that spreadsheets open without running anything in them."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

from flask import Response, stream_with_context

# A cell that starts like this is a formula to a spreadsheet.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def attachment(name: str, kind: type[Any], rows: Iterable[Any]) -> Response:
    """Answer a file, written row by row while the rows are read.

    Args:
        name: the file's name.
        kind: the dataclass of the rows; its fields are the columns.
        rows: instances of it.
    """
    columns = [field.name for field in fields(kind)]

    def lines() -> Iterator[str]:
        yield _line(columns)
        for row in rows:
            yield _line([_cell(getattr(row, column)) for column in columns])

    return Response(
        stream_with_context(lines()),
        mimetype="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _line(cells: Sequence[str]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow(cells)
    return written.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return str(value)
