"""The pieces of one simulator, put together."""

from dataclasses import dataclass

from booking_service.simulator.account import Account
from booking_service.simulator.api import Api
from booking_service.simulator.faults import Faults
from booking_service.simulator.log import Log
from booking_service.simulator.webhooks import Courier


@dataclass(frozen=True)
class Parts:
    """What the doors of a simulator reach for."""

    account: Account
    api: Api
    faults: Faults
    log: Log
    courier: Courier

    def close(self) -> None:
        """Let go of what is held, stop the background thread, close the file."""
        self.faults.clear()
        self.courier.stop()
        self.account.store.close()
