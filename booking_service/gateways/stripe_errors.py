"""Stripe's exceptions, in the few words callers act on."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

import stripe

from booking_service.db import leave_for_the_network
from booking_service.errors import (
    GatewayBusy,
    GatewayLockedOut,
    GatewayRefused,
    GatewayUnavailable,
)


@contextmanager
def our_errors() -> Iterator[None]:
    """Translate Stripe's exceptions into what callers act on: wait, stop, or call a person."""
    leave_for_the_network()
    try:
        yield
    except stripe.RateLimitError as error:
        raise GatewayBusy("Stripe asks us to slow down.") from error
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        raise GatewayLockedOut("Stripe does not accept our key.") from error
    except (stripe.CardError, stripe.InvalidRequestError, stripe.IdempotencyError) as error:
        decline = getattr(error.error, "decline_code", None)
        raise GatewayRefused(error.code or type(error).__name__, str(error), decline) from error
    except (stripe.APIConnectionError, stripe.APIError) as error:
        if error.http_status == HTTPStatus.CONFLICT:
            raise GatewayBusy("The same request is still at work.") from error
        raise GatewayUnavailable("Stripe did not answer.") from error
