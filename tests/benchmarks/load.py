"""Asking a server as fast as it answers, over connections that stay open."""

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import quantiles


@dataclass(frozen=True)
class Result:
    """What came of one run; times in milliseconds."""

    per_second: float
    p50: float
    p99: float
    statuses: dict[int, int]


def request(method: str, path: str, body: object = None) -> bytes:
    sent = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(sent)}\r\n"
    kind = "Content-Type: application/json\r\n" if sent else ""
    return f"{head}{kind}\r\n".encode() + sent


def run(port: int, requests: Iterator[bytes], clients: int, seconds: float) -> Result:
    """Send requests over so many connections at once until the time is up, or there are none."""
    return asyncio.run(_run(port, requests, clients, seconds))


async def _run(port: int, requests: Iterator[bytes], clients: int, seconds: float) -> Result:
    times: list[float] = []
    statuses: dict[int, int] = {}
    began = time.perf_counter()

    async def client() -> None:
        reader = writer = None
        for sent in requests:
            if time.perf_counter() - began > seconds:
                break
            if writer is None or writer.is_closing():
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            asked = time.perf_counter()
            writer.write(sent)
            status, stays = await _answer(reader)
            times.append((time.perf_counter() - asked) * 1000)
            statuses[status] = statuses.get(status, 0) + 1
            if not stays:
                writer.close()
        if writer is not None:
            writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    elapsed = time.perf_counter() - began
    cuts = quantiles(times, n=100)
    return Result(len(times) / elapsed, cuts[49], cuts[98], statuses)


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bool]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.partition("content-length:")[2].partition("\r\n")[0] or 0)
    await reader.readexactly(length)
    return int(head.split()[1]), "connection: close" not in head
