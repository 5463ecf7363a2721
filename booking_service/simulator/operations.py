"""The list of operations the simulator performs, and what every one of them is given."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from booking_service.simulator.account import Account
from booking_service.simulator.checks import Json, Value
from booking_service.simulator.errors import invalid, not_simulated
from booking_service.simulator.forms import Tree, leaf_paths
from booking_service.simulator.store import Condition, Page, field_is

_EVERYWHERE = frozenset({"expand"})
_LISTS = frozenset({"limit", "starting_after", "ending_before"})


@dataclass(frozen=True)
class Call:
    """One request, read and checked."""

    account: Account
    params: Json
    ids: Sequence[str]  # the variable parts of the path, in order
    host_url: str  # where this simulator was reached, with a slash at the end

    @property
    def id(self) -> str:
        """Return the object the path names."""
        return self.ids[0]

    def get(self, name: str, default: Value = None) -> Value:
        """Return a parameter; one that was sent empty counts as absent."""
        value = self.params.get(name)
        return default if value is None or value == "" else value

    def page(self) -> Page:
        """Return the part of a list that is asked for.

        Raises:
            StripeError: a limit outside 1 to 100, or two cursors.
        """
        limit = self.get("limit", 10)
        if not 1 <= limit <= 100:  # noqa: PLR2004 - Stripe's bounds
            raise invalid("Invalid limit: must be between 1 and 100", "limit")
        after, before = self.get("starting_after"), self.get("ending_before")
        if after and before:
            message = "You may only specify one of these: starting_after, ending_before"
            raise invalid(message, "ending_before", "parameters_exclusive")
        return Page(limit, after, before)


Run = Callable[[Call], Json]


@dataclass(frozen=True)
class Handler:
    """How an operation is done, and which parameters it takes to heart."""

    run: Run
    honours: frozenset[str]

    def refuse_ignored(self, tree: Tree) -> None:
        """Refuse what Stripe would act on and we would ignore.

        Raises:
            StripeError: 501, naming the parameters.
        """
        ignored = [
            path
            for path in leaf_paths(tree)
            if not any(name in self.honours for name in _itself_and_above(path))
        ]
        if ignored:
            raise not_simulated(f"parameters {', '.join(sorted(set(ignored)))}")


def _itself_and_above(path: str) -> Iterator[str]:
    """Name a parameter and all that it is a part of: `a.b.c`, `a.b`, `a`."""
    while path:
        yield path
        path = path.rpartition(".")[0]


HANDLERS: dict[tuple[str, str], Handler] = {}


def operation(method: str, path: str, *honours: str) -> Callable[[Run], Run]:
    """Register an operation under Stripe's path.

    `honours` names the parameters it acts on, with dots: `line_items.price`; a name covers all
    that lies under it. Others that Stripe knows are answered with 501, never ignored.
    """

    def register(run: Run) -> Run:
        HANDLERS[method, path] = Handler(run, frozenset(honours) | _EVERYWHERE)
        return run

    return register


def listing(path: str, kind: str, *filters: str) -> None:
    """Register a list of one kind of object, with filters on equal fields and on `created`."""

    @operation("get", path, "created", *_LISTS, *filters)
    def run(call: Call) -> Json:
        conditions = [field_is(name, call.params[name]) for name in filters if call.get(name)]
        return page_of(call, path, kind, conditions)


def retrieval(path: str, kind: str) -> None:
    """Register the reading of one object by its id."""

    @operation("get", path)
    def run(call: Call) -> Json:
        return call.account.get(kind, call.id)


def page_of(call: Call, url: str, kind: str, conditions: Sequence[Condition]) -> Json:
    """Answer one page of a list.

    Raises:
        StripeError: a cursor that names nothing.
    """
    created = call.get("created", {})
    bounds = created if isinstance(created, dict) else {"eq": created}
    signs = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "eq": "="}
    times = [(f"created {signs[name]} ?", (value,)) for name, value in bounds.items()]
    try:
        data, more = call.account.store.select(kind, [*conditions, *times], call.page())
    except LookupError as cursor:
        param = "starting_after" if call.get("starting_after") else "ending_before"
        raise invalid(f"No such {kind}: '{cursor}'", param, "resource_missing") from cursor
    return list_of(data, url, has_more=more)


def list_of(data: list[Json], url: str, *, has_more: bool = False) -> Json:
    """Return Stripe's list object."""
    return {"object": "list", "data": data, "has_more": has_more, "url": url}


Include = Callable[[Account, Json], Json]
INCLUDES: dict[tuple[str, str], Include] = {}


def include(kind: str, field: str) -> Callable[[Include], Include]:
    """Register a list that Stripe sends inside an object only when it is expanded."""

    def register(function: Include) -> Include:
        INCLUDES[kind, field] = function
        return function

    return register
