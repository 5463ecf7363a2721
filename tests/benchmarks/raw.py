"""What the database does in a second when nothing but one row is written and committed."""

import time
from concurrent.futures import ThreadPoolExecutor
from statistics import quantiles

import psycopg

from tests.benchmarks.load import Result

_INSERT = "INSERT INTO raw_rows (words) VALUES (%s)"


def transactions(url: str, clients: int, seconds: float) -> Result:
    """Write one row a transaction over so many connections at once until the time is up."""
    plain = url.replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS raw_rows (id serial PRIMARY KEY, words text)"
        )
    until = time.perf_counter() + seconds

    def client(_: int) -> list[float]:
        times = []
        with psycopg.connect(plain) as connection:
            while (began := time.perf_counter()) < until:
                connection.execute(_INSERT, ("a first visit",))
                connection.commit()
                times.append((time.perf_counter() - began) * 1000)
        return times

    with ThreadPoolExecutor(clients) as pool:
        times = [one for many in pool.map(client, range(clients)) for one in many]
    cuts = quantiles(times, n=100)
    return Result(len(times) / seconds, cuts[49], cuts[98], {0: len(times)})
