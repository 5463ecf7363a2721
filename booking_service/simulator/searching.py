"""Search (https://docs.stripe.com/search), over what was written a moment ago as well."""

import re
from typing import Final

from booking_service.simulator.checks import Json
from booking_service.simulator.errors import StripeError, invalid
from booking_service.simulator.operations import Call, operation
from booking_service.simulator.store import Condition, Page

_KINDS: Final = {
    "/v1/charges": "charge",
    "/v1/customers": "customer",
    "/v1/invoices": "invoice",
    "/v1/payment_intents": "payment_intent",
    "/v1/prices": "price",
    "/v1/products": "product",
    "/v1/subscriptions": "subscription",
}
_FIELDS: Final = {  # kind -> what can be searched for, besides created and metadata
    "charge": ("amount", "currency", "customer", "status", "disputed", "refunded"),
    "customer": ("email", "name", "phone"),
    "invoice": ("currency", "customer", "number", "status", "total", "subscription"),
    "payment_intent": ("amount", "currency", "customer", "status"),
    "price": ("active", "currency", "lookup_key", "product", "type"),
    "product": ("active", "description", "name", "url"),
    "subscription": ("canceled_at", "customer", "status"),
}
_ELSEWHERE: Final = {"subscription": "parent.subscription_details.subscription"}
_CLAUSE: Final = re.compile(
    r"""\s*(?P<minus>-)?(?P<field>\w+)(?:\[(?P<q>["'])(?P<key>[^"']+)(?P=q)\])?\s*"""
    r"""(?P<sign>>=|<=|>|<|:|~)\s*(?:"(?P<text>[^"]*)"|'(?P<other>[^']*)'|(?P<bare>[\w.-]+))\s*"""
)
_LONGEST_SUBSTRING_AFTER: Final = 3  # a substring has at least as many characters


def _register(path: str, kind: str) -> None:
    @operation("get", f"{path}/search", "query", "limit", "page")
    def run(call: Call) -> Json:
        return _found(call, path, kind)


for _path, _kind in _KINDS.items():
    _register(_path, _kind)


def _found(call: Call, path: str, kind: str) -> Json:
    limit = call.page().limit
    after = call.get("page")
    page = Page(limit, starting_after=after)
    try:
        data, more = call.account.store.select(kind, [_read(kind, call.params["query"])], page)
    except LookupError as cursor:
        raise invalid("This page does not exist.", "page") from cursor
    return {
        "object": "search_result",
        "data": data,
        "has_more": more,
        "next_page": data[-1]["id"] if more else None,
        "url": f"{path}/search",
    }


def _read(kind: str, query: str) -> Condition:
    """Turn a query into a condition on rows.

    Raises:
        StripeError: it cannot be read, or mixes AND with OR.
    """
    conditions, joints, at = [], set(), 0
    while found := _CLAUSE.match(query, at):
        conditions.append(_condition(kind, found))
        joint = re.compile(r"(AND|OR)\s", re.IGNORECASE).match(query, found.end())
        at = joint.end() if joint else found.end()
        if joint is None:
            if at < len(query) and _CLAUSE.match(query, at):
                joints.add("AND")  # a space alone joins too
                continue
            break
        joints.add(joint[1].upper())
    if at < len(query) or not conditions:
        raise _unreadable("The query could not be read.")
    if len(joints) > 1:
        raise _unreadable("You cannot combine AND and OR in the same query.")
    text = f" {joints.pop() if joints else 'AND'} ".join(text for text, _ in conditions)
    return f"({text})", tuple(value for _, values in conditions for value in values)


def _condition(kind: str, found: re.Match[str]) -> Condition:
    field, sign = found["field"], found["sign"]
    value = next((v for v in (found["text"], found["other"], found["bare"]) if v is not None), "")
    if field == "metadata" and found["key"]:
        path = f'metadata."{re.sub(r"[^ -~]", "", found["key"])}"'
    elif field in (*_FIELDS[kind], "created") and not found["key"]:
        path = _ELSEWHERE.get(field, field)
    else:
        raise _unreadable(f"Field `{field}` is an unsupported search field.")
    text, values = _comparison(f"json_extract(body, '$.{path}')", sign, value, found["bare"])
    return (f"NOT coalesce({text}, 0)" if found["minus"] else text), values


def _comparison(
    column: str, sign: str, value: str, bare: str | None
) -> tuple[str, tuple[str | float, ...]]:
    if bare == "null":
        return f"{column} IS NULL", ()
    if sign == "~":
        if len(value) < _LONGEST_SUBSTRING_AFTER:
            raise _unreadable("A substring needs at least 3 characters.")
        return f"instr(lower({column}), lower(?)) > 0", (value,)
    if sign != ":":
        return f"{column} {sign} ?", (_number(value),)
    if value in {"true", "false"}:
        return f"{column} = ?", (int(value == "true"),)
    return f"lower({column}) = lower(?)", (value,)


def _number(value: str) -> float:
    try:
        return float(value)
    except ValueError as wrong:
        raise _unreadable(f"{value} is not a number.") from wrong


def _unreadable(message: str) -> StripeError:
    return invalid(message, "query")
