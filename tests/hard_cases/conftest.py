"""What the stories need: people at their screens, the beat of a minute, and how a story ended."""

import pytest

from tests.api.conftest import Caller
from tests.trails import untold
from tests.web.phone import Phone
from tests.web.staff_browser import StaffBrowser


@pytest.fixture(autouse=True)
def the_log_tells_all(app):
    """However a story went, the audit log alone explains where refunds and promises are."""
    yield
    assert untold() == []


@pytest.fixture
def phone(client, seeded) -> Phone:
    """A patient's phone."""
    return Phone(client)


@pytest.fixture
def sign_in(app, seeded):
    """A screen of somebody of a role, who signs in now."""

    def browser(role: str) -> StaffBrowser:
        signed_in = StaffBrowser(app)
        signed_in.sign_in(next(one for one in seeded.staff if one["role"] == role))
        return signed_in

    return browser


@pytest.fixture
def desk(client, seeded) -> Caller:
    """A program of the front desk's."""
    return Caller(client, seeded.api_tokens["front_desk"])


@pytest.fixture
def finance(client, seeded) -> Caller:
    """A program of finance's."""
    return Caller(client, seeded.api_tokens["finance"])


@pytest.fixture
def beat(celery, work):
    """Ring once for everything that beat rings for each minute, and do the work that makes."""

    def ring() -> None:
        for entry in celery.conf.beat_schedule.values():
            if entry["task"] != "reconciliation.nightly":
                celery.tasks[entry["task"]].run()
        work()

    return ring


@pytest.fixture
def beat_without(celery, monkeypatch):
    """Take some of it out of the schedule."""

    def take_out(*tasks: str) -> None:
        schedule = celery.conf.beat_schedule
        for why in [why for why, entry in schedule.items() if entry["task"] in tasks]:
            monkeypatch.delitem(schedule, why)

    return take_out
