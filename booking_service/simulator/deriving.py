"""Derive the contract in a process of its own, which takes the memory it needed along."""

from multiprocessing import get_all_start_methods, get_context
from multiprocessing.connection import Connection
from typing import Any

from booking_service.simulator.contract import Contract, contract_of


def derived_apart(operations: frozenset[tuple[str, str]]) -> Contract:
    """Return the contract, derived in a process of its own.

    Reading the SDK's source takes 60 MB that a process hardly ever gives back.
    """
    if "fork" not in get_all_start_methods():
        return contract_of(operations)
    forking = get_context("fork")
    ours, theirs = forking.Pipe(duplex=False)
    child = forking.Process(target=_send_contract, args=(operations, theirs))
    child.start()
    theirs.close()
    try:
        made: Contract = ours.recv()
    finally:
        child.join()
    return made


def _send_contract(operations: frozenset[tuple[str, str]], to: "Connection[Any, Any]") -> None:
    to.send(Contract(operations).complete())
