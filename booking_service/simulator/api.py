"""The door of the API, `/v1`: who asks, what for, is it allowed, do it, check the answer."""

import json
import re
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from booking_service.simulator.account import Account, Cause, new_id
from booking_service.simulator.checks import Json, misfits, read_params
from booking_service.simulator.errors import StripeError, not_simulated, unreadable
from booking_service.simulator.expanding import expand
from booking_service.simulator.faults import Fault, Faults
from booking_service.simulator.forms import Tree, decode
from booking_service.simulator.idempotency import Answer, Answers, fingerprint, in_use
from booking_service.simulator.limits import Limits, rate_limited
from booking_service.simulator.log import Entry, Log, Violation
from booking_service.simulator.operations import HANDLERS, Call
from booking_service.simulator.shapes import Operation

_SERVER_ERROR: Final = 500
_DEFECT: Final = "api_error"
_GONE: Final = "payment_method_types"  # since 2026-09-30.endive
_INTENTS: Final = ("/v1/payment_intents", "/v1/setup_intents")


class Dropped(Exception):
    """The connection is to be closed without an answer."""


@dataclass(frozen=True)
class Asked:
    """One HTTP request, as far as the API cares."""

    method: str
    path: str
    pairs: list[tuple[str, str]]
    authorization: str
    version: str
    key: str
    host_url: str

    @cached_property
    def tree(self) -> Tree:
        """The parameters as they were sent.

        Raises:
            ValueError: they cannot be read.
        """
        return decode(self.pairs)


@dataclass(frozen=True)
class Request:
    """One request that reads well: what it asks for, in typed parameters."""

    asked: Asked
    operation: Operation
    ids: list[str]
    tree: Tree
    params: Json
    id: str


class Api:
    """Everything between the wire and the operations."""

    def __init__(self, account: Account, answers: Answers, faults: Faults, log: Log) -> None:
        self._account = account
        self._answers = answers
        self._faults = faults
        self._log = log
        self.limits = Limits()
        self._routes: dict[tuple[str, int], list[tuple[re.Pattern[str], str]]] = {}
        for method, path in sorted(HANDLERS):
            pattern = re.compile(re.sub(r"\{\w+\}", r"([^/]+)", path))
            alike = self._routes.setdefault((method, path.count("/")), [])
            alike.append((pattern, path))

    def answer(self, asked: Asked) -> tuple[Answer, dict[str, str]]:
        """Answer a request; the second part are headers that a refusal or a fault adds.

        Raises:
            Dropped: a fault takes the connection away.
        """
        request_id = new_id("req", 14)
        fault = self._faults.take_request(asked.method, asked.path)
        entry = self._log.add(_entry(asked, request_id, self._account.clock.precise(), fault))
        headers: dict[str, str] = {}
        try:
            answer = self._performed(asked, request_id, fault)
        except StripeError as refusal:
            self._note_refusal(asked, refusal)
            answer, headers = _refused(refusal, request_id), refusal.headers
        entry.status, entry.replayed = answer.status, answer.is_replayed
        return answer, headers | fault.headers if fault else headers

    def _performed(self, asked: Asked, request_id: str, fault: Fault | None) -> Answer:
        """Perform a request, with the fault before, instead, or after it."""
        kind = fault.kind if fault else ""
        if fault and kind == "delay":
            time.sleep(fault.seconds)
        if fault and kind == "hold_before":
            self._faults.wait_for_release(fault)
        if kind == "drop_before":
            raise Dropped
        if kind in _REFUSALS:
            raise _REFUSALS[kind](asked.key)
        self._refuse_strangers(asked)
        request = self._read(asked, request_id)
        answer = self._once(request, fault)
        if self._account.owes_now:
            self._account.wake()
        if fault and kind == "delay_after":
            time.sleep(fault.seconds)
        if fault and kind == "hold":
            self._faults.wait_for_release(fault)
        if kind == "drop_after":
            raise Dropped
        return answer

    def _refuse_strangers(self, asked: Asked) -> None:
        """Let in only test keys that speak the pinned version.

        Raises:
            StripeError: 401 or 400.
        """
        if not re.match(r"Bearer (sk|rk)_test_\w+$", asked.authorization):
            raise _unauthorized("")
        if asked.version != self._account.contract.version:
            message = f"Stripe-Version must be {self._account.contract.version}, not "
            raise StripeError(message + repr(asked.version), is_saved=False)

    def _read(self, asked: Asked, request_id: str) -> Request:
        """Find the operation and read its parameters.

        Raises:
            StripeError: 501 it is not simulated; 429 it is one too many; 400 the parameters are not
                Stripe's.
        """
        key, ids = self._route(asked)
        operation = self._account.contract.operations[key]
        if rates := self._account.settings.rate_limit:
            self.limits.admit(rates, operation, "".join(ids))
        try:
            tree = asked.tree
        except ValueError as malformed:
            raise StripeError(str(malformed), is_saved=False) from malformed
        if asked.method == "POST" and asked.path in _INTENTS and _GONE in tree:
            message = "payment_method_types is not supported any more; use "
            message += "allowed_payment_method_types or the settings of the Dashboard."
            raise unreadable(message, f"{_GONE}_no_longer_supported", _GONE)
        params = read_params(self._account.contract, operation.params, tree)
        HANDLERS[key].refuse_ignored(tree)
        return Request(asked, operation, ids, tree, params, request_id)

    def _route(self, asked: Asked) -> tuple[tuple[str, str], list[str]]:
        """Return the operation's key and the ids in the path.

        Raises:
            StripeError: 501, it is not simulated.
        """
        method = asked.method.lower()
        for pattern, path in self._routes.get((method, asked.path.count("/")), []):
            if found := pattern.fullmatch(asked.path):
                return (method, path), list(found.groups())
        raise not_simulated(f"{asked.method} {asked.path}")

    def _once(self, request: Request, fault: Fault | None) -> Answer:
        """Execute a request, or repeat the answer its key has already."""
        asked, key = request.asked, request.asked.key if request.asked.method == "POST" else ""
        print_ = fingerprint(asked.method, asked.path, request.tree) if key else ""
        with self._answers.reserved(key) if key else nullcontext():
            if fault and fault.kind == "hold_performing":
                self._faults.wait_for_release(fault)
            with self._account.store.transaction():
                if key and (saved := self._answers.find(key, print_)):
                    return saved
                answer, is_saved = self._executed(request, fault.kind if fault else "")
                if key and is_saved:
                    self._answers.save(key, print_, answer)
                return answer

    def _executed(self, request: Request, fault_kind: str) -> tuple[Answer, bool]:
        """Return the answer, and whether its key remembers it. A refusal undoes its own work."""
        try:
            if fault_kind == "error_500_before":
                raise _broken("The simulator was told to fail before performing.")
            cause = Cause(request.id, request.asked.key or None)
            body = self._account.perform(lambda: self._run(request), cause)
            if fault_kind == "error_500_after":
                raise _broken("The simulator was told to fail after performing.")
        except StripeError as refusal:
            self._note_refusal(request.asked, refusal)
            return _refused(refusal, request.id), refusal.is_saved
        return Answer(200, json.dumps(body), request.id), True

    def _run(self, request: Request) -> Json:
        account, asked, operation = self._account, request.asked, request.operation
        call = Call(account, request.params, request.ids, asked.host_url)
        made = HANDLERS[operation.method, operation.path].run(call)
        made = expand(account, operation.answer, made, request.params.get("expand", []))
        if problems := misfits(account.contract, operation.answer, made, made.get("object", "")):
            self._log.violated(Violation("answer", asked.method, asked.path, problems))
            raise _broken(f"The simulator's own answer leaves the contract: {problems}")
        return made

    def _note_refusal(self, asked: Asked, refusal: StripeError) -> None:
        """Write down what a caller sent that Stripe, or the simulator, does not know."""
        code = str(refusal.fields["code"])
        if code == "not_simulated" or code.startswith("parameter_"):
            side = "unimplemented" if code == "not_simulated" else "request"
            problems = [str(refusal.fields["message"])]
            self._log.violated(Violation(side, asked.method, asked.path, problems))


def _entry(asked: Asked, request_id: str, at: float, fault: Fault | None) -> Entry:
    try:
        tree = asked.tree
    except ValueError:
        tree = {}  # the answer says what is wrong with it
    name = fault.kind if fault else ""
    return Entry(at, asked.method, asked.path, tree, asked.key, request_id, fault=name)


def _refused(refusal: StripeError, request_id: str) -> Answer:
    return Answer(refusal.status, json.dumps(refusal.body(request_id)), request_id)


def _broken(message: str) -> StripeError:
    return StripeError(message, status=_SERVER_ERROR, type_=_DEFECT)


def _unauthorized(_key: str) -> StripeError:
    return StripeError("Invalid API Key provided.", status=401, is_saved=False)


_REFUSALS: Final[dict[str, Callable[[str], StripeError]]] = {
    "rate_limit": lambda _key: rate_limited(),
    "conflict": in_use,
    "unauthorized": _unauthorized,
}
