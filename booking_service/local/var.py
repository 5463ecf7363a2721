"""The demo's folder: who may use it, its secrets, and what of it is ours to delete."""

import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

# Every name the demo makes in its folder, as patterns; `--reset` deletes these and nothing else.
_OURS: Final = (
    *("pgdata", "postgres.log", "valkey", "valkey.log", "mail"),
    *("stripe.sqlite*", "beat-schedule*", "secrets.json", "demo.json"),
)


class VarError(RuntimeError):
    """The folder cannot be used; the message says why and what to do."""


@contextmanager
def claimed(var: Path) -> Iterator[None]:
    """Make the folder and keep others out of it, as long as this process lives.

    Raises:
        VarError: it cannot be written, or another demo uses it.
    """
    try:
        var.mkdir(parents=True, exist_ok=True)
        lock = (var / "demo.lock").open("w")
    except OSError as error:
        raise VarError(
            f"cannot write to {var}: {error.strerror}; name another with --var"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise VarError(f"another demo is running on {var}; name another with --var") from error
        yield


def reset(var: Path) -> None:
    """Delete what earlier demos kept here. Foreign files stay."""
    for pattern in _OURS:
        for path in var.glob(pattern):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def keep_secrets(var: Path) -> dict[str, str]:
    """Return this folder's secrets, made at the first call: sessions and links must outlive us."""
    path = var / "secrets.json"
    if not path.exists():
        made = {
            "SECRET_KEY": secrets.token_urlsafe(48),
            "STRIPE_API_KEY": f"sk_test_demo{secrets.token_hex(12)}",
            "STRIPE_WEBHOOK_SECRETS": f"whsec_{secrets.token_hex(16)}",
        }
        write_private(path, made)
    kept: dict[str, str] = json.loads(path.read_text())
    return kept


def write_private(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON that only its owner may read; a reader sees the old or the new, never half."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        json.dump(content, stream, indent=2)
    draft.replace(path)
