"""Hold requests and answers against the contract, and start new objects from it."""

import json
import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from booking_service.simulator.contract import Contract
from booking_service.simulator.errors import unreadable
from booking_service.simulator.forms import Tree
from booking_service.simulator.shapes import Kind, Record, Shape

Value = Any  # one JSON value
Json = dict[str, Value]

_EMPTY: Final[dict[Kind, Any]] = {Kind.INTEGER: 0, Kind.NUMBER: 0, Kind.BOOLEAN: False}
_PYTHON: Final[dict[Kind, tuple[type, ...]]] = {
    Kind.STRING: (str,),
    Kind.INTEGER: (int,),
    Kind.NUMBER: (int, float),
    Kind.BOOLEAN: (bool,),
    Kind.ARRAY: (list,),
    Kind.MAP: (dict,),
    Kind.RECORD: (dict,),
}


_GONE: Final = frozenset({"id", "object", "deleted"})  # all that is told of what was deleted


_FORMS: Final = {
    Kind.INTEGER: re.compile(r"-?\d{1,18}"),
    Kind.NUMBER: re.compile(r"-?\d{1,18}(\.\d{1,12})?"),
    Kind.BOOLEAN: re.compile(r"true|false"),
}
_MADE: Final[dict[Kind, Callable[[str], Value]]] = {
    Kind.INTEGER: int,
    Kind.NUMBER: float,
    Kind.BOOLEAN: "true".__eq__,
}


def read_params(contract: Contract, record: str, tree: Tree) -> Json:
    """Turn form text into typed parameters. An empty string stays: it means "unset this".

    Raises:
        StripeError: `parameter_unknown`, `parameter_missing` or `parameter_invalid_*`.
    """
    fields = contract.record(record) if record else Record({}, frozenset())
    return _read_record(contract, fields, tree, "")


def _read_record(contract: Contract, record: Record, tree: Tree, path: str) -> Json:
    for name in tree:
        if name not in record.fields:
            at = f"{path}[{name}]" if path else name
            raise unreadable(f"Received unknown parameter: {at}", "parameter_unknown", at)
    values = {}
    for name, shape in record.fields.items():
        at = f"{path}[{name}]" if path else name
        if name in tree:
            values[name] = _read(contract, shape, tree[name], at)
        elif name in record.required:
            raise unreadable(f"Missing required param: {at}.", "parameter_missing", at)
    return values


def _read(contract: Contract, shape: Shape, raw: str | Tree, at: str) -> Value:
    if shape.kind is Kind.UNION:
        return _read(contract, _choice(shape, raw), raw, at)
    if isinstance(raw, dict):
        return _read_branch(contract, shape, raw, at)
    if raw == "" and "" not in shape.literals and shape.kind is not Kind.ANY:
        message = f"You passed an empty string for '{at}', which cannot be unset."
        raise unreadable(message, "parameter_invalid_empty", at)
    return _read_text(shape, raw, at)


def _choice(shape: Shape, raw: str | Tree) -> Shape:
    """Pick the alternative that a value of this form can be."""
    nested = {Kind.RECORD, Kind.MAP, Kind.ARRAY}
    fitting = [c for c in shape.choices if (c.kind in nested) == isinstance(raw, dict)]
    if raw != "" and len(fitting) > 1:
        fitting = [c for c in fitting if c.literals != ("",)]
    if isinstance(raw, str):
        literal = [c for c in fitting if raw in c.literals]
        typed = [c for c in fitting if c.kind in _FORMS and _FORMS[c.kind].fullmatch(raw)]
        fitting = literal or typed or fitting
    return (fitting or list(shape.choices))[-1 if isinstance(raw, str) else 0]


def _read_branch(contract: Contract, shape: Shape, raw: Tree, at: str) -> Value:
    if shape.kind is Kind.RECORD:
        return _read_record(contract, contract.record(shape.record), raw, at)
    if shape.items is not None and shape.kind is Kind.MAP:
        return {k: _read_value(contract, shape.items, v, f"{at}[{k}]") for k, v in raw.items()}
    if shape.items is not None and all(key.isdigit() for key in raw):
        ordered = sorted(raw.items(), key=lambda pair: int(pair[0]))
        return [_read(contract, shape.items, v, f"{at}[{k}]") for k, v in ordered]
    raise unreadable(
        f"Invalid {shape.kind}: a hash was given", f"parameter_invalid_{shape.kind}", at
    )


def _read_value(contract: Contract, shape: Shape, raw: str | Tree, at: str) -> Value:
    """Read a value of a map, where an empty string removes the key."""
    return "" if raw == "" else _read(contract, shape, raw, at)


def _read_text(shape: Shape, raw: str, at: str) -> Value:
    code = f"parameter_invalid_{shape.kind}"
    if shape.kind in _FORMS:
        if not _FORMS[shape.kind].fullmatch(raw):
            raise unreadable(f"Invalid {shape.kind}: {raw}", code, at)
        return _MADE[shape.kind](raw)
    if shape.kind not in {Kind.STRING, Kind.ANY}:
        raise unreadable(f"Invalid {shape.kind}", code, at)
    if shape.literals and raw not in shape.literals:
        known = ", ".join(str(value) for value in shape.literals)
        raise unreadable(f"Invalid {at}: must be one of {known}", "parameter_invalid_string", at)
    return raw


def misfits(contract: Contract, shape: Shape, value: Value, at: str = "") -> list[str]:
    """Say where an answer leaves the contract; an empty list means nowhere."""
    return [f"{at}{problem}" for problem in _misfits(contract, shape, value)]


def _misfits(contract: Contract, shape: Shape, value: Value) -> list[str]:
    """Say what is wrong with a value, each with the way to it from there: `.card.brand: null`."""
    if value is None:
        may_be = shape.is_nullable or shape.kind in {Kind.NULL, Kind.ANY}
        return [] if may_be else [": null"]
    if shape.kind is Kind.UNION:
        found = [_misfits(contract, choice, value) for choice in shape.choices]
        return min(found, key=len) if isinstance(value, dict | list) else min(found, key=bool)
    if problem := _problem(shape, value):
        return [f": {problem}"]
    if shape.kind is Kind.RECORD:
        return _record_misfits(contract, contract.record(shape.record), value)
    if shape.items is None:
        return []
    pairs: Iterable[tuple[object, Value]]
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    return [f"[{k}]{text}" for k, v in pairs for text in _misfits(contract, shape.items, v)]


def _problem(shape: Shape, value: Value) -> str:
    """Say what is wrong with a value apart from what is inside it; empty if nothing is."""
    if shape.kind is Kind.ANY:
        return ""
    wanted = _PYTHON.get(shape.kind, ())
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        return f"{type(value).__name__} instead of {shape.kind}"
    if shape.literals and value not in shape.literals:
        return f"{value!r} is not one of {shape.literals}"
    return ""


def _record_misfits(contract: Contract, record: Record, value: Json) -> list[str]:
    required = _GONE if value.get("deleted") is True else record.required
    found = [f".{name}: missing" for name in sorted(required - value.keys())]
    for name, inner in value.items():
        shape = record.fields.get(name)
        if shape is None:
            found.append(f".{name}: unknown to the contract")
        elif inner is None and shape.is_nullable:
            continue  # most fields of most objects: asked first, this halves the cost of a check
        elif problems := _misfits(contract, shape, inner):
            found += [f".{name}{problem}" for problem in problems]
    return found


def skeleton(contract: Contract, record_name: str) -> Json:
    """Return an object with every field the contract knows, as empty as it may be.

    Lists that need not be there are left out: Stripe sends those only when expanded. A required
    text has no empty value, so one that is forgotten later fails the check of the answer.
    """
    if record_name not in contract.skeletons:
        contract.skeletons[record_name] = json.dumps(_skeleton(contract, record_name))
    made: Json = json.loads(contract.skeletons[record_name])
    return made


def _skeleton(contract: Contract, record_name: str) -> Json:
    record = contract.record(record_name)
    made: Json = {}
    for name, shape in record.fields.items():
        if name in record.required:
            made[name] = _empty(contract, shape)
        elif name != "deleted" and not _is_list(contract, shape):
            made[name] = None
    return made


def _is_list(contract: Contract, shape: Shape) -> bool:
    if shape.kind is not Kind.RECORD:
        return False
    kind = contract.record(shape.record).fields.get("object")
    return kind is not None and kind.literals == ("list",)


def _empty(contract: Contract, shape: Shape) -> Value:
    if len(shape.literals) == 1:
        return shape.literals[0]
    if _is_list(contract, shape):
        return {"object": "list", "data": [], "has_more": False, "url": "/"}
    if shape.kind is Kind.RECORD:
        return _skeleton(contract, shape.record)
    if shape.kind is Kind.ARRAY:
        return []
    if shape.kind is Kind.MAP:
        return {}
    return _EMPTY.get(shape.kind)
