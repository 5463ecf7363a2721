"""What a value of Stripe's may be."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What a value is on the wire."""

    ANY = "any"
    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    NULL = "null"
    ARRAY = "array"
    MAP = "map"
    RECORD = "record"
    UNION = "union"


@dataclass(frozen=True, slots=True)
class Shape:
    """What one value may be.

    `literals` are the values this version of Stripe knows. `items` are the elements of an array or
    the values of a map. `record` names the fields of a record.
    """

    kind: Kind
    is_nullable: bool = False
    literals: tuple[Any, ...] = ()
    items: "Shape | None" = None
    record: str = ""
    choices: "tuple[Shape, ...]" = ()
    is_expandable: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """The fields of one kind of object, and those that are always there."""

    fields: dict[str, Shape]
    required: frozenset[str]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method and path: what it takes and what it answers."""

    method: str
    path: str
    params: str  # name of a record; empty if it takes none
    answer: Shape
