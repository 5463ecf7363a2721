"""Decode Stripe's bracketed form bodies, `line_items[0][price]=...`, into a tree of text."""

import re
from collections.abc import Iterable

Tree = dict[str, "str | Tree"]

_NAME = re.compile(r"^([^\[\]]+)((?:\[[^\[\]]*\])*)$")
_DIGITS = re.compile(r"\b(?:\d[ -]?){11,18}(\d)\b")


def decode(pairs: Iterable[tuple[str, str]]) -> Tree:
    """Build the tree. Whether a branch is a list or a hash is for the contract to say.

    Raises:
        ValueError: a name is malformed, or is both a value and a branch.
    """
    tree: Tree = {}
    for name, value in pairs:
        parsed = _NAME.match(name)
        if parsed is None:
            raise ValueError(f"malformed parameter name: {name}")
        path = [parsed[1], *re.findall(r"\[([^\[\]]*)\]", parsed[2])]
        _put(tree, path, value, name)
    return tree


def _put(tree: Tree, path: list[str], value: str, name: str) -> None:
    here = tree
    for key in path[:-1]:
        branch = here.setdefault(key or str(len(here)), {})
        if isinstance(branch, str):
            raise ValueError(f"parameter is both a value and a hash: {name}")  # noqa: TRY004 - bad text
        here = branch
    last = path[-1] or str(len(here))
    if isinstance(here.get(last), dict):
        raise ValueError(f"parameter is both a value and a hash: {name}")  # noqa: TRY004 - bad text
    here[last] = value


def leaf_paths(tree: Tree, prefix: str = "") -> list[str]:
    """Name every leaf with dots and without list positions: `line_items.price_data.currency`."""
    paths = []
    for key, value in tree.items():
        path = prefix if key.isdigit() else f"{prefix}.{key}".lstrip(".")
        paths += leaf_paths(value, path) if isinstance(value, dict) else [path]
    return paths


def without_card_numbers(tree: Tree) -> Tree:
    """Return a copy that may be logged: of anything like a card number, four digits remain."""
    return {
        key: without_card_numbers(value)
        if isinstance(value, dict)
        else _DIGITS.sub(lambda found: f"****{found[0][-4:]}", value)
        for key, value in tree.items()
    }
