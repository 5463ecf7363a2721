"""`python -m tests.benchmarks.stub PORT`: a Stripe that opens payment pages without thinking."""

import asyncio
import json
import sys
from itertools import count

_numbers = count()


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            await reader.readexactly(int(head.partition("content-length:")[2].split()[0]))
            id_ = f"cs_test_{next(_numbers)}"
            page = {"id": id_, "object": "checkout.session", "url": f"http://127.0.0.1/{id_}"}
            body = json.dumps(page).encode()
            told = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nRequest-Id: req_1\r\n"
            writer.write(f"{told}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    except asyncio.IncompleteReadError:  # the caller has gone
        writer.close()


async def main(port: int) -> None:
    server = await asyncio.start_server(_serve, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
