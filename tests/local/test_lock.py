"""The lock file: every hash there, no index named, and in step with pyproject.toml."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LOCK = (ROOT / "requirements.lock").read_text()


def blocks():
    """Each requirement of the lock with its hashes, as one line."""
    joined = LOCK.replace("\\\n", " ")
    return [line for line in joined.splitlines() if line and not line.startswith("#")]


def locked():
    """Each package of the lock and its version."""
    return {
        canonicalize_name(requirement.name): next(iter(requirement.specifier)).version
        for requirement in (Requirement(re.sub(r"\s+--hash=\S+", "", line)) for line in blocks())
    }


def wanted():
    """What pyproject.toml asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project.get("optional-dependencies", {})
    return [*project["dependencies"], *(word for words in extras.values() for word in words)]


def test_every_package_is_pinned_with_its_hashes():
    loose = [line for line in blocks() if not re.match(r"^[\w.-]+==\S+ .*--hash=sha256:", line)]

    assert loose == []


def test_the_lock_names_no_index():
    assert re.findall(r"https?://|(?:--|-)(?:extra-)?(?:index|i\b|f\b|find-links)", LOCK) == []


@pytest.mark.parametrize("requirement", wanted())
def test_the_lock_holds_what_the_project_asks_for(requirement):
    asked = Requirement(requirement)

    version = locked().get(canonicalize_name(asked.name))

    assert version is not None, f"{asked.name} is not in requirements.lock"
    assert asked.specifier.contains(version)
