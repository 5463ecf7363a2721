"""Refusals in Stripe's own form (https://docs.stripe.com/error-codes)."""

from typing import Any


class StripeError(Exception):
    """An answer other than 200, with the fields Stripe puts under `error`.

    `is_saved` says whether an idempotency key remembers it: Stripe keeps what was decided once
    work began, and forgets what was refused before. `keeps_work` says that what was done until
    then stays, as a failed charge does; `about` are the objects Stripe shows beside the message,
    `headers` what it says outside of the body.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        type_: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        is_saved: bool = True,
        decline_code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.is_saved = is_saved
        self.keeps_work = False
        self.about: dict[str, Any] = {}
        self.headers: dict[str, str] = {}
        self.fields = {
            "type": type_,
            "code": code,
            "decline_code": decline_code,
            "message": message,
            "param": param,
        }

    def body(self, request_id: str) -> dict[str, Any]:
        """Return the JSON body; absent facts are left out, as Stripe does."""
        fields = {name: value for name, value in self.fields.items() if value is not None}
        if code := fields.get("code"):
            slug = str(code).replace("_", "-")
            fields["doc_url"] = f"https://stripe.com/docs/error-codes/{slug}"
        fields |= self.about
        fields["request_log_url"] = f"https://dashboard.stripe.com/test/logs/{request_id}"
        return {"error": fields}


def unreadable(message: str, code: str, param: str) -> StripeError:
    """Return the refusal of a parameter; no idempotency key remembers it."""
    return StripeError(message, code=code, param=param, is_saved=False)


def invalid(message: str, param: str | None = None, code: str | None = None) -> StripeError:
    """Return the refusal of a request that reads well but cannot be done."""
    return StripeError(message, code=code, param=param)


def missing(kind: str, id_: str, param: str = "id") -> StripeError:
    """Return Stripe's 404."""
    return StripeError(f"No such {kind}: '{id_}'", status=404, code="resource_missing", param=param)


def not_simulated(what: str) -> StripeError:
    """Return a loud 501: Stripe can do this, the simulator cannot, and it will not pretend."""
    return StripeError(
        f"The simulator does not do this: {what}",
        status=501,
        type_="api_error",
        code="not_simulated",
        is_saved=False,
    )


def declined(decline_code: str, message: str, code: str = "card_declined") -> StripeError:
    """Return a 402 as the card's bank would cause it."""
    return StripeError(
        message, status=402, type_="card_error", code=code, decline_code=decline_code
    )
