"""Read the installed stripe-python package as text: its modules, classes and operations.

Its `params` and resource classes are generated from Stripe's own OpenAPI description, so the
installed package is the contract of exactly the API version it is pinned to.
"""

import ast
import importlib.util
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_OURS = "stripe"


@dataclass(frozen=True)
class Module:
    """What one source file defines, and what it takes from other files of the package."""

    classes: dict[str, ast.ClassDef]
    imports: dict[str, tuple[str, str]]  # local name -> (module, name there)


@dataclass(frozen=True)
class Call:
    """One method of a service class that sends one HTTP request."""

    module: str
    params: str  # name of the TypedDict with its parameters; empty if it takes none
    answer: ast.expr


@cache
def root() -> Path:
    """Return the folder of the installed package.

    Raises:
        RuntimeError: stripe-python is not installed.
    """
    spec = importlib.util.find_spec(_OURS)
    if spec is None or spec.origin is None:
        raise RuntimeError("stripe-python is not installed")
    return Path(spec.origin).parent


@cache
def module(name: str) -> Module:
    """Parse one module of the package, by its dotted name."""
    path = root().joinpath(*name.split(".")[1:])
    file = path.with_suffix(".py")
    tree = ast.parse((file if file.is_file() else path / "__init__.py").read_text("utf-8"))
    classes, imports = {}, {}
    for node in _top_level(tree.body):
        if isinstance(node, ast.ClassDef):
            classes[node.name] = _without_words(node)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(_OURS):
            for alias in node.names:
                imports[alias.asname or alias.name] = (node.module or "", alias.name)
    return Module(classes, imports)


def _without_words(class_: ast.ClassDef) -> ast.ClassDef:
    """Drop docstrings and methods, which are nearly all of a class and tell us nothing."""
    kept = [node for node in class_.body if isinstance(node, ast.AnnAssign | ast.ClassDef)]
    class_.body = [_without_words(n) if isinstance(n, ast.ClassDef) else n for n in kept]
    return class_


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield statements, looking into `if TYPE_CHECKING:` too."""
    for node in body:
        if isinstance(node, ast.If):
            yield from node.body
        else:
            yield node


def find_class(module_name: str, name: str) -> tuple[str, ast.ClassDef] | None:
    """Follow imports from a module to where a class is defined; None if it is not ours."""
    while True:
        here = module(module_name)
        if name in here.classes:
            return module_name, here.classes[name]
        if name not in here.imports:
            return None
        module_name, name = here.imports[name]


def versions() -> tuple[str, str]:
    """Return the API version the package is pinned to, and the package's own version."""
    api = re.search(r'CURRENT = "([^"]+)"', (root() / "_api_version.py").read_text("utf-8"))
    own = re.search(r'VERSION = "([^"]+)"', (root() / "_version.py").read_text("utf-8"))
    if api is None or own is None:
        raise RuntimeError("this stripe-python does not say which API version it speaks")
    return api[1], own[1]


def calls(paths: frozenset[str]) -> dict[tuple[str, str], Call]:
    """Find the methods that request one of these paths, keyed by (HTTP method, path)."""
    found: dict[tuple[str, str], Call] = {}
    for file in sorted(root().rglob("*_service.py")):
        text = file.read_text("utf-8")
        if not any(f'"{path}"' in text for path in paths):
            continue
        name = ".".join([_OURS, *file.relative_to(root()).with_suffix("").parts])
        for function in ast.walk(ast.parse(text)):
            if isinstance(function, ast.FunctionDef):
                found.update(_requests(name, function, paths))
    return found


def _requests(
    module_name: str, function: ast.FunctionDef, paths: frozenset[str]
) -> Iterator[tuple[tuple[str, str], Call]]:
    """Yield the requests one method sends, if their path is asked for."""
    for node in ast.walk(function):
        if not (isinstance(node, ast.Call) and ast.unparse(node.func) == "self._request"):
            continue
        method, path = (_text(argument) for argument in node.args[:2])
        if path in paths and function.returns is not None:
            params = [a.annotation for a in function.args.args if a.arg == "params"]
            name = re.search(r"\w+Params", ast.unparse(params[0])) if params and params[0] else None
            yield (method, path), Call(module_name, name[0] if name else "", function.returns)


def _text(node: ast.expr) -> str:
    """Return a literal, or the template of `"...".format(...)`."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        node = node.func.value
    return str(ast.literal_eval(node))
