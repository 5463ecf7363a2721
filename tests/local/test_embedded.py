import os
import signal
import subprocess
import sys

import psycopg
import pytest
import redis

from booking_service.local.embedded import (
    Postgres,
    ServerFailedError,
    Valkey,
    free_port,
    wait_until,
)
from booking_service.local.ownership import running_with

START_BOTH = """
import sys
from pathlib import Path
from booking_service.local.embedded import Postgres, Valkey, free_port

servers = [kind(Path(sys.argv[1]), free_port(), fast_unsafe=True).start()
           for kind in (Postgres, Valkey)]
print(*(server.pid for server in servers), flush=True)
sys.stdin.read()
"""


def rows(url, query):
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        return connection.execute(query).fetchall()


def ask(valkey):
    return redis.Redis.from_url(valkey.url, decode_responses=True)


def test_postgres_speaks_utf8_and_utc_and_excludes_overlaps(tmp_path):
    with Postgres(tmp_path, free_port(), fast_unsafe=True) as postgres:
        settings = rows(
            postgres.url,
            "SELECT current_database(), current_setting('server_encoding'),"
            " current_setting('TimeZone'), current_setting('fsync')",
        )
        known = rows(
            postgres.url, "SELECT 1 FROM pg_available_extensions WHERE name = 'btree_gist'"
        )

    assert settings == [("booking", "UTF8", "UTC", "off")]
    assert known == [(1,)]


def test_postgres_keeps_its_data_from_one_start_to_the_next(tmp_path):
    with Postgres(tmp_path, free_port()) as postgres:
        with psycopg.connect(postgres.url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 39 AS dollars")
        first = postgres.pid

    with Postgres(tmp_path, free_port()) as postgres:
        kept = rows(postgres.url, "SELECT dollars FROM kept")
        second = postgres.pid

    assert kept == [(39,)]
    assert second != first
    assert not running_with(second, str(tmp_path / "pgdata"))


def test_a_database_is_made_once(tmp_path):
    with Postgres(tmp_path, free_port(), fast_unsafe=True) as postgres:
        first = postgres.create_database('a "b" c')
        second = postgres.create_database('a "b" c')
        names = rows(postgres.url, "SELECT datname FROM pg_database WHERE datname LIKE 'a%'")

    assert first == second == f'postgresql+psycopg://postgres@127.0.0.1:{postgres.port}/a "b" c'
    assert names == [('a "b" c',)]


def test_valkey_logs_every_write_and_evicts_nothing(tmp_path):
    with Valkey(tmp_path, free_port()) as valkey:
        ask(valkey).set("kept", "yes")

    with Valkey(tmp_path, free_port()) as valkey, ask(valkey) as client:
        kept = client.get("kept")
        policy = client.config_get("maxmemory-policy")

    assert kept == "yes"
    assert policy == {"maxmemory-policy": "noeviction"}


@pytest.mark.parametrize("kind", [Postgres, Valkey])
def test_a_leftover_server_is_stopped_by_the_next_start(kind, tmp_path):
    """Where nothing ends the servers of a killed supervisor, its successor does."""
    leftover = kind(tmp_path, free_port(), fast_unsafe=True).start()

    with kind(tmp_path, free_port(), fast_unsafe=True) as successor:
        ended = not leftover.is_running()
        works = successor.is_running()

    assert ended
    assert works


def test_a_stranger_with_the_same_process_id_is_left_alone(tmp_path):
    (tmp_path / "valkey").mkdir()
    with subprocess.Popen(["sleep", "600"]) as stranger:
        (tmp_path / "valkey" / "valkey.pid").write_text(f"{stranger.pid}\n")

        with Valkey(tmp_path, free_port(), fast_unsafe=True):
            fate = stranger.poll()
        stranger.kill()

    assert fate is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_servers_end_when_their_supervisor_is_killed(tmp_path):
    supervisor = subprocess.Popen(
        [sys.executable, "-c", START_BOTH, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with supervisor:
        pids = [int(word) for word in supervisor.stdout.readline().split()]
        folders = [str(tmp_path / name) for name in ("pgdata", "valkey")]
        alive = [running_with(*pair) for pair in zip(pids, folders, strict=True)]

        os.kill(supervisor.pid, signal.SIGKILL)

        wait_until(
            lambda: not any(running_with(*pair) for pair in zip(pids, folders, strict=True)),
            "both servers to end",
        )
    assert alive == [True, True]


def test_a_server_that_cannot_start_says_why(tmp_path):
    with Valkey(tmp_path / "one", free_port(), fast_unsafe=True) as first:
        second = Valkey(tmp_path / "two", first.port, fast_unsafe=True)
        with pytest.raises(ServerFailedError) as failure:
            second.start()

    assert str(failure.value).startswith("valkey ended with code 1\n")
    assert "Address already in use" in str(failure.value)


def test_a_port_is_never_given_twice():
    ports = [free_port() for _ in range(50)]

    assert len(set(ports)) == 50
    assert free_port(ports[0]) != ports[0]


def test_waiting_ends_with_what_was_awaited():
    with pytest.raises(TimeoutError, match=r"^waited 0\.1 s for the moon$"):
        wait_until(lambda: False, "the moon", 0.1)
