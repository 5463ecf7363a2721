"""Stripe's contract in shapes: what each request may carry and what each answer must hold."""

import ast
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from booking_service.simulator import sdk
from booking_service.simulator.shapes import Kind, Operation, Record, Shape

_PRIMITIVES: Final = {
    "str": Shape(Kind.STRING),
    "Decimal": Shape(Kind.STRING),
    "int": Shape(Kind.INTEGER),
    "float": Shape(Kind.NUMBER),
    "bool": Shape(Kind.BOOLEAN),
    "Any": Shape(Kind.ANY),
    "object": Shape(Kind.ANY),
    "dict": Shape(Kind.MAP, items=Shape(Kind.ANY)),
    "Dict": Shape(Kind.MAP, items=Shape(Kind.ANY)),
    "StripeObject": Shape(Kind.MAP, items=Shape(Kind.ANY)),
    "UntypedStripeObject": Shape(Kind.MAP, items=Shape(Kind.ANY)),
}
_WRAPPERS: Final = ("NotRequired", "Required", "ClassVar")
_ARRAYS: Final = ("List", "list", "Sequence")
_MAPS: Final = ("Dict", "dict", "Mapping", "UntypedStripeObject")


@dataclass(frozen=True)
class _Place:
    """Where an annotation stands: its module and the classes around it, outermost first."""

    module: str
    classes: tuple[ast.ClassDef, ...] = ()


class Contract:
    """The shapes of the installed SDK, derived when first asked for and then remembered."""

    def __init__(self, operations: frozenset[tuple[str, str]]) -> None:
        """Find the operations in the SDK.

        Raises:
            LookupError: the SDK knows no such operation.
        """
        self.version, self.sdk_version = sdk.versions()
        self._places: dict[str, tuple[_Place, ast.ClassDef]] = {}
        self._records: dict[str, Record] = {}
        self.skeletons: dict[str, str] = {}  # record -> its empty object in JSON; see `checks`
        calls = sdk.calls(frozenset(path for _, path in operations))
        if missing := operations - calls.keys():
            raise LookupError(f"not operations of this SDK: {sorted(missing)}")
        self.operations = {key: self._operation(*key, calls[key]) for key in operations}

    def _operation(self, method: str, path: str, call: sdk.Call) -> Operation:
        place = _Place(call.module)
        params = self._named(call.params, place).record if call.params else ""
        return Operation(method, path, params, self._shape(call.answer, place))

    def resource(self, module: str, name: str) -> Shape:
        """Return the shape of a class, e.g. `("stripe._refund", "Refund.DestinationDetails")`."""
        if f"{module}.{name}" in self._records:
            return Shape(Kind.RECORD, record=f"{module}.{name}")
        shape, place = Shape(Kind.ANY), _Place(module)
        for part in name.split("."):
            shape = self._named(part, place)
            where, class_ = self._places[shape.record]
            place = _Place(where.module, (*where.classes, class_))
        return shape

    def record(self, name: str) -> Record:
        """Return the fields of a record by the name a shape gave it."""
        if name not in self._records:
            self._records[name] = self._derive(*self._places[name])
        return self._records[name]

    def complete(self) -> "Contract":
        """Derive all that the operations reach, and let go of the SDK's source."""
        seen: set[str] = set()
        waiting = [operation.answer for operation in self.operations.values()]
        waiting += [Shape(Kind.RECORD, record=o.params) for o in self.operations.values()]
        while waiting:
            shape = waiting.pop()
            waiting += [*shape.choices, *([shape.items] if shape.items else [])]
            if shape.record and shape.record not in seen:
                seen.add(shape.record)
                waiting += self.record(shape.record).fields.values()
        self._places.clear()
        sdk.module.cache_clear()
        return self

    def _derive(self, place: _Place, class_: ast.ClassDef) -> Record:
        inner = _Place(place.module, (*place.classes, class_))
        is_params = ".params." in place.module
        fields, required = {}, set()
        for node in class_.body:
            if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)):
                continue
            name = node.target.id
            if name == "OBJECT_NAME":
                literal = node.value
                if isinstance(literal, ast.Constant):
                    fields["object"] = Shape(Kind.STRING, literals=(literal.value,))
                continue
            if name.startswith("_"):
                continue
            annotation = _unquoted(node.annotation)
            shape = self._shape(annotation, inner)
            name = name.removesuffix("_")
            fields[name] = shape
            optional = _head(annotation) == "NotRequired" if is_params else shape.is_nullable
            if not optional:
                required.add(name)
        return Record(fields, frozenset(required))

    def _shape(self, node: ast.expr, place: _Place) -> Shape:
        node = _unquoted(node)
        if isinstance(node, ast.Constant) and node.value is None:
            return Shape(Kind.NULL)
        if isinstance(node, ast.BinOp):
            return self._union(_parts(node), place)
        if isinstance(node, ast.Name | ast.Attribute):
            return self._named(node.id if isinstance(node, ast.Name) else node.attr, place)
        if isinstance(node, ast.Subscript):
            inner = node.slice
            arguments = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            return self._generic(_head(node), arguments, place)
        raise NotImplementedError(ast.unparse(node))

    def _generic(self, head: str, arguments: list[ast.expr], place: _Place) -> Shape:
        if head == "Literal":
            values = tuple(ast.literal_eval(a) for a in arguments)
            kind = Kind.STRING if isinstance(values[0], str) else Kind.ANY
            return Shape(kind, literals=values)
        if head == "Union":
            return self._union(arguments, place)
        if head == "ExpandableField":
            inner = self._shape(arguments[0], place)
            choices = (Shape(Kind.STRING), *(inner.choices or (inner,)))
            return Shape(Kind.UNION, choices=choices, is_expandable=True)
        return self._wrapped(head, self._shape(arguments[-1], place))

    def _wrapped(self, head: str, inner: Shape) -> Shape:
        if head in _WRAPPERS:
            return inner
        if head == "Optional":
            return replace(inner, is_nullable=True)
        if head in _ARRAYS:
            return Shape(Kind.ARRAY, items=inner)
        if head in _MAPS:
            return Shape(Kind.MAP, items=inner)
        if head == "ListObject":
            return self._list_of(inner)
        if head == "SearchResultObject":
            return self._found(inner)
        raise NotImplementedError(head)

    def _list_of(self, items: Shape) -> Shape:
        name = f"list of {items.record or id(items)}"
        fields = {
            "object": Shape(Kind.STRING, literals=("list",)),
            "data": Shape(Kind.ARRAY, items=items),
            "has_more": Shape(Kind.BOOLEAN),
            "url": Shape(Kind.STRING),
        }
        self._records[name] = Record(fields, frozenset(fields))
        return Shape(Kind.RECORD, record=name)

    def _found(self, items: Shape) -> Shape:
        """Return the shape of what a search finds, of which the SDK's own class says little."""
        name = f"search for {items.record}"
        fields = {
            "object": Shape(Kind.STRING, literals=("search_result",)),
            "data": Shape(Kind.ARRAY, items=items),
            "has_more": Shape(Kind.BOOLEAN),
            "next_page": Shape(Kind.STRING, is_nullable=True),
            "total_count": Shape(Kind.INTEGER),
            "url": Shape(Kind.STRING),
        }
        required = frozenset(fields) - {"next_page", "total_count"}
        self._records[name] = Record(fields, required)
        return Shape(Kind.RECORD, record=name)

    def _union(self, nodes: list[ast.expr], place: _Place) -> Shape:
        """Fold alternatives.

        `Literal[...] | str` is how the SDK spells values that later versions may add to; of the
        version it is pinned to, the literals are all. But `Literal[''] | str` is a text that can
        be unset.
        """
        shapes = [self._shape(node, place) for node in nodes]
        nullable = any(s.kind is Kind.NULL or s.is_nullable for s in shapes)
        shapes = [s for s in shapes if s.kind is not Kind.NULL]
        plain = Shape(Kind.STRING)
        if plain in shapes and any(s.literals not in ((), ("",)) for s in shapes):
            shapes = [s for s in shapes if s != plain]
        if len(shapes) == 1:
            return replace(shapes[0], is_nullable=nullable)
        return Shape(Kind.UNION, is_nullable=nullable, choices=tuple(shapes))

    def _named(self, name: str, place: _Place) -> Shape:
        for depth in range(len(place.classes), 0, -1):
            around = place.classes[:depth]
            for node in around[-1].body:
                if isinstance(node, ast.ClassDef) and node.name == name:
                    return self._remembered(_Place(place.module, around), node)
        found = sdk.find_class(place.module, name)
        if found is not None and name not in _PRIMITIVES:
            return self._remembered(_Place(found[0]), found[1])
        if name in _PRIMITIVES:
            return _PRIMITIVES[name]
        raise NotImplementedError(f"{name} in {place.module}")

    def _remembered(self, place: _Place, class_: ast.ClassDef) -> Shape:
        name = ".".join([place.module, *(c.name for c in place.classes), class_.name])
        self._places[name] = (place, class_)
        return Shape(Kind.RECORD, record=name)


def _unquoted(node: ast.expr) -> ast.expr:
    """Return the annotation inside a string annotation."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return ast.parse(node.value, mode="eval").body
    return node


def _head(node: ast.expr) -> str:
    """Return the name before the brackets of a generic; empty for anything else."""
    if not isinstance(node, ast.Subscript):
        return ""
    value = node.value
    return value.attr if isinstance(value, ast.Attribute) else ast.unparse(value)


def _parts(node: ast.expr) -> list[ast.expr]:
    """Return the alternatives of `a | b | c`."""
    if isinstance(node, ast.BinOp):
        return [*_parts(node.left), *_parts(node.right)]
    return [node]


@cache
def contract_of(operations: frozenset[tuple[str, str]]) -> Contract:
    """Return the contract of these operations; derived once a process."""
    return Contract(operations)
