import json
import os
import socket
import stat
import subprocess
import sys

import pytest

from booking_service.local import procfile
from booking_service.local.assembly import describe
from booking_service.local.demo import ROOT, main
from booking_service.local.ports import free_port
from booking_service.local.var import VarError, claimed, keep_secrets, reset


def test_a_taken_port_is_named_together_with_the_way_out(tmp_path, capsys):
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        code = main(["--port", str(port), "--var", str(tmp_path)])

    message = f"demo: port {port} is taken by another program; name another with --port N\n"
    assert code == 1
    assert capsys.readouterr().err == message
    assert list(tmp_path.iterdir()) == []


def test_two_demos_do_not_share_a_folder(tmp_path, capsys):
    with claimed(tmp_path):
        code = main(["--port", str(free_port()), "--var", str(tmp_path)])

    assert code == 1
    assert capsys.readouterr().err == (
        f"demo: another demo is running on {tmp_path}; name another with --var\n"
    )


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    var = tmp_path / "file" / "var"

    refused = pytest.raises(VarError, match=r"^cannot write to .*/file/var: Not a directory; name")
    with refused, claimed(var):
        pass


def test_secrets_are_made_once_and_are_nobody_elses(tmp_path):
    first, second = keep_secrets(tmp_path), keep_secrets(tmp_path)

    assert first == second
    assert sorted(first) == ["SECRET_KEY", "STRIPE_API_KEY", "STRIPE_WEBHOOK_SECRETS"]
    assert len(first["SECRET_KEY"]) == 64
    assert first["STRIPE_API_KEY"].startswith("sk_test_demo")
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600


def test_reset_deletes_what_the_demo_made_and_nothing_else(tmp_path):
    for folder in ("pgdata", "valkey", "mail", "theirs"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "file").write_text("")
    for name in ("secrets.json", "demo.json", "stripe.sqlite", "stripe.sqlite-wal", "notes.txt"):
        (tmp_path / name).write_text("")

    reset(tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "theirs"]


def test_demo_json_has_the_promised_shape():
    env = {
        "DATABASE_URL": "postgresql+psycopg://postgres@127.0.0.1:1/booking",
        "REDIS_URL": "redis://127.0.0.1:2/0",
        "STRIPE_API_BASE": "http://127.0.0.1:8001",
        "STRIPE_WEBHOOK_SECRETS": "whsec_new,whsec_old",
        "SECRET_KEY": "not told",
    }
    seeded = {"staff": [{"email": "a@b.example"}], "api_tokens": {"finance": "t"}, "more": 1}

    content = describe("http://127.0.0.1:8000", "http://127.0.0.1:8002", env, seeded, {"web": 7})

    assert json.loads(json.dumps(content)) == {
        "web": "http://127.0.0.1:8000",
        "stripe": "http://127.0.0.1:8001",
        "mail": "http://127.0.0.1:8002",
        "database_url": "postgresql+psycopg://postgres@127.0.0.1:1/booking",
        "redis_url": "redis://127.0.0.1:2/0",
        "stripe_webhook_secret": "whsec_new",
        "staff": [{"email": "a@b.example"}],
        "api_tokens": {"finance": "t"},
        "processes": {"web": 7},
    }


def test_the_procfile_is_read_as_a_shell_would():
    env = {"BIND": "127.0.0.1", "PORT": "8123", "BEAT_SCHEDULE": "/var/beat"}
    commands = procfile.commands(ROOT / "Procfile", env)

    for name, words in commands.items():
        line = next(
            line.removeprefix(f"{name}: ")
            for line in (ROOT / "Procfile").read_text().splitlines()
            if line.startswith(f"{name}: ")
        )
        shell = subprocess.run(
            ["/bin/sh", "-c", f'for word in {line}; do printf "%s\\0" "$word"; done'],
            env=env,
            capture_output=True,
            check=True,
            text=True,
        )
        assert shell.stdout.split("\0")[:-1] == list(words)
    assert list(commands) == ["web", "worker", "relay", "beat"]


def test_every_container_starts_what_the_procfile_says():
    compose = (ROOT / "docker-compose.yml").read_text()
    lines = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())

    started = {name: f"    command: {line}\n" in compose for name, line in lines.items()}

    assert started == dict.fromkeys(("web", "worker", "relay", "beat"), True)


def test_the_launcher_lists_its_commands_from_anywhere(tmp_path):
    done = subprocess.run(
        [sys.executable, str(ROOT / "run"), "help"],
        cwd=tmp_path,
        env={"PATH": os.defpath},
        capture_output=True,
        check=True,
        text=True,
    )

    listed = [line.split()[1] for line in done.stdout.splitlines()]
    assert listed == [
        *(
            "demo",
            "test",
            "test-stripe",
            "lint",
            "types",
            "bench",
            "shots",
            "month",
            "shell",
            "migration",
            "translations",
            "clean",
            "help",
        ),
    ]
