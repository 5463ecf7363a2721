"""Rules of the house that a machine can check."""

import re
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Enum

from booking_service.db import Base
from booking_service.migrations import HEAD
from booking_service.models import Topic

ROOT = Path(__file__).resolve().parent.parent
SOURCES = [*ROOT.glob("booking_service/**/*.py"), *ROOT.glob("workers/*.py")]
TEMPLATES = [str(p.relative_to(ROOT / "templates")) for p in ROOT.glob("templates/**/*.html")]


def test_every_blueprint_says_who_may_enter(app):
    guarded = {name for name in app.before_request_funcs if name is not None}

    assert set(app.blueprints) == guarded


def test_every_topic_has_a_task_and_every_task_a_topic_or_a_schedule(celery):
    ours = {name for name in celery.tasks if not name.startswith("celery.")}
    scheduled = {entry["task"] for entry in celery.conf.beat_schedule.values()}

    assert ours == {topic.value for topic in Topic} | scheduled


@pytest.mark.parametrize("topic", [t for t in Topic if t.startswith("notifications.")])
def test_every_mail_has_its_three_forms(topic):
    folder = ROOT / "templates" / "emails" / topic.removeprefix("notifications.")

    assert sorted(p.name for p in folder.iterdir()) == ["body.html", "body.txt", "subject.txt"]


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_compiles(app, name):
    assert app.jinja_env.get_template(name)


def test_pages_hold_nothing_the_content_security_policy_refuses():
    is_fine = r'[^>]* (src=|type="application/ld\+json")'  # data for search engines is no script
    refused = re.compile(rf"\sstyle=|\son[a-z]+=|<style|<script(?!{is_fine})|javascript:")
    pages = [p for p in ROOT.glob("templates/**/*.html") if "emails" not in p.parts]

    assert [p.name for p in pages if refused.search(p.read_text())] == []


def test_work_is_posted_and_never_sent_past_the_outbox():
    sending = re.compile(r"\.delay\(|\.apply_async\(|send_task\(")
    found = [p.name for p in SOURCES if sending.search(p.read_text())]

    assert found == ["relay.py"]


def test_rows_are_locked_in_one_way_only():
    by_hand = re.compile(r"get(_one)?\([^)]*with_for_update")
    found = [p.name for p in SOURCES if by_hand.search(p.read_text())]

    assert found == ["db.py"]


def test_the_link_of_a_visit_is_opened_in_one_place():
    """Whoever opened it past that place would not see that it was replaced."""
    found = [p.name for p in SOURCES if ".read(Purpose.VISIT" in p.read_text()]

    assert found == ["visit_links.py"]


def test_refunds_and_promises_move_where_it_is_written_down():
    moving = re.compile(r"\b(refund|owed|promise)\.move_to\(")
    found = sorted(p.name for p in SOURCES if moving.search(p.read_text()))

    assert found == ["promises.py", "refund_rows.py"]


def test_only_the_clock_asks_the_time():
    asking = re.compile(r"datetime\.now\(|\.utcnow\(|date\.today\(|time\.time\(\)")
    apart = {"simulator", "local"}  # they stand alone, with a clock of their own
    found = [p.name for p in SOURCES if not apart & {*p.parts} and asking.search(p.read_text())]

    assert found == ["clock.py"]


def test_the_database_knows_every_status(app):
    """A column of named values refuses any other; the check is part of the schema."""
    enums = [c for t in Base.metadata.sorted_tables for c in t.c if isinstance(c.type, Enum)]

    assert [str(c) for c in enums if not c.type.create_constraint] == []


def test_a_process_expects_the_newest_migration():
    scripts = ScriptDirectory(str(ROOT / "booking_service" / "migrations"))

    assert scripts.get_current_head() == HEAD


def test_the_list_of_hard_cases_names_tests_that_exist():
    listed = re.findall(r"`(test_\w+)`", (ROOT / "docs" / "hard-cases.md").read_text())
    stories = "".join(p.read_text() for p in ROOT.glob("tests/hard_cases/*.py"))

    assert len(listed) > 30
    assert [name for name in listed if f"def {name}(" not in stories] == []


def test_nothing_names_a_machine_or_a_package_index():
    hosts = ["pypi" + ".org", "python" + "hosted", "npmjs" + ".org", "deb.deb" + "ian"]
    texts = (p for p in ROOT.glob("**/*") if p.is_file() and not {".venv", ".git"} & {*p.parts})
    small = (p for p in texts if p.suffix in {".py", ".md", ".lock", ".toml", ".yml", ".html"})

    assert [p.name for p in small if any(h in p.read_text() for h in hosts)] == []
