"""First Visit: bookings, memberships and the money-back promise of one practice.

The service is put together in `app`, which is loaded when `create_app` is first asked for: the
simulator, the mail catcher and the supervisor live in this package too, and need none of it.
"""

from typing import Any


def __getattr__(name: str) -> Any:  # noqa: ANN401  # what a module attribute is
    if name == "create_app":
        from booking_service.app import create_app  # noqa: PLC0415  # see above

        return create_app
    raise AttributeError(name)
