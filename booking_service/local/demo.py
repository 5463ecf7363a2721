"""The whole service on one machine: `./run demo`.

Each part that the environment names (DATABASE_URL, REDIS_URL, STRIPE_API_KEY, SMTP_URL) is used as
it is; the others are started here, with their data in one folder.
"""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Final

from booking_service.local.assembly import Demo, Options
from booking_service.local.ports import refusal
from booking_service.local.server import ServerFailedError
from booking_service.local.supervise import ProcessDiedError, StopRequestedError
from booking_service.local.var import VarError, claimed

ROOT: Final = Path(__file__).resolve().parents[2]


def main(arguments: list[str]) -> int:
    """Run the demo until it is stopped; 1 when it could not start or something died."""
    started = time.monotonic()
    options = _options(arguments)
    why_not = refusal(options.port)
    if why_not:
        return _fail(f"port {options.port} {why_not}; name another with --port N")
    try:
        with claimed(options.var):
            Demo(options, dict(os.environ)).run(started)
    except StopRequestedError:
        return 0
    except (ProcessDiedError, ServerFailedError, VarError) as error:
        return _fail(str(error))
    except FileNotFoundError as error:
        return _fail(f"{error.filename} is missing; delete .venv and start again")
    return 0


def _options(arguments: list[str]) -> Options:
    parser = argparse.ArgumentParser(prog="./run demo", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--port", type=_port, default=8000, help="of the web server (8000)")
    parser.add_argument("--var", type=Path, default=ROOT / "var", help="folder for data (./var)")
    parser.add_argument("--reset", action="store_true", help="delete the data of earlier demos")
    given = parser.parse_args(arguments)
    return Options(ROOT, given.var.resolve(), given.port, given.reset)


def _port(text: str) -> int:
    port = int(text)
    if not 1 <= port <= 65_535:  # noqa: PLR2004 - the range of TCP ports
        raise argparse.ArgumentTypeError("a port is between 1 and 65535")
    return port


def _fail(message: str) -> int:
    sys.stderr.write(f"demo: {message}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
