"""Expand ids into objects, as `expand[]` asks (https://docs.stripe.com/expand)."""

from typing import Final

from booking_service.simulator.account import Account
from booking_service.simulator.checks import Json, Value
from booking_service.simulator.errors import StripeError, invalid
from booking_service.simulator.operations import INCLUDES
from booking_service.simulator.shapes import Kind, Shape

_DEEPEST: Final = 4


def expand(account: Account, shape: Shape, answer: Json, paths: list[str]) -> Json:
    """Return the answer with what was asked for put in the place of its id.

    Raises:
        StripeError: 400, a path is too deep, or names what cannot be expanded.
    """
    for path in paths:
        steps = path.split(".")
        if len(steps) > _DEEPEST:
            raise invalid(f"You cannot expand more than {_DEEPEST} levels.", "expand")
        _descend(account, shape, answer, steps, path)
    return answer


def _descend(account: Account, shape: Shape, thing: Json, steps: list[str], path: str) -> None:
    shape = _record_of(account, shape, thing)
    name, rest = steps[0], steps[1:]
    fields = account.contract.record(shape.record).fields if shape.record else {}
    inner = fields.get(name)
    if inner is None:
        raise _refusal(path)
    lister = INCLUDES.get((str(thing.get("object")), name))
    if lister is not None and name not in thing:
        thing[name] = lister(account, thing)
    elif inner.is_expandable:
        thing[name] = _fetched(account, thing.get(name))
    elif not rest:
        raise _refusal(path)
    if rest:
        for part in _parts(thing.get(name)):
            target = inner.items if inner.kind is Kind.ARRAY and inner.items else inner
            _descend(account, target, part, rest, path)


def _record_of(account: Account, shape: Shape, thing: Json) -> Shape:
    """Return the alternative whose `object` is this thing's."""
    if shape.kind is not Kind.UNION:
        return shape
    records = [choice for choice in shape.choices if choice.kind is Kind.RECORD]
    for choice in records:
        tag = account.contract.record(choice.record).fields.get("object")
        if tag is not None and thing.get("object") in tag.literals:
            return choice
    return records[0]


def _parts(value: Value) -> list[Json]:
    """Return the objects one step further; nothing follows from null."""
    found = value if isinstance(value, list) else [value]
    return [part for part in found if isinstance(part, dict)]


def _fetched(account: Account, value: Value) -> Value:
    """Return the object an id stands for; what is expanded already, or null, stays."""
    return account.store.find(value) if isinstance(value, str) else value


def _refusal(path: str) -> StripeError:
    return invalid(f"This property cannot be expanded ({path}).", "expand")
