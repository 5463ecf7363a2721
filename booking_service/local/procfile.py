"""Read the Procfile, so that the demo starts the very commands that production does."""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Final

# ${NAME:-default}, the one form that a shell and Docker Compose both read the same way.
_VARIABLE: Final = re.compile(r"\$\{(\w+):-([^}]*)\}")


def commands(procfile: Path, env: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return each process's words, with variables replaced from `env` or their default."""
    lines = [line for line in procfile.read_text().splitlines() if line.strip()]
    named = (line.split(":", 1) for line in lines)
    return {name: tuple(shlex.split(_expand(text, env))) for name, text in named}


def _expand(text: str, env: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda found: env.get(found[1]) or found[2], text)
