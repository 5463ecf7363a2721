"""Payment methods: the cards people typed or saved."""

from booking_service.simulator import cards
from booking_service.simulator.account import Account, merged_metadata, new_id
from booking_service.simulator.cards import Entered
from booking_service.simulator.checks import Json
from booking_service.simulator.errors import invalid, not_simulated
from booking_service.simulator.operations import Call, listing, operation, page_of, retrieval
from booking_service.simulator.store import field_is

_METHOD = "/v1/payment_methods/{payment_method}"
_CUSTOMERS = "/v1/customers/{customer}/payment_methods"

listing("/v1/payment_methods", "payment_method", "customer", "type")
retrieval(_METHOD, "payment_method")


@operation("get", _CUSTOMERS, "type", "limit", "starting_after", "ending_before")
def _of_customer(call: Call) -> Json:
    call.account.get("customer", call.id)
    conditions = [field_is("customer", call.id)]
    if call.get("type"):
        conditions.append(field_is("type", call.get("type")))
    url = f"/v1/customers/{call.id}/payment_methods"
    return page_of(call, url, "payment_method", conditions)


@operation("post", _METHOD, "metadata")
def _update(call: Call) -> Json:
    method = call.account.get("payment_method", call.id)
    metadata = merged_metadata(method["metadata"], call.params.get("metadata"))
    return call.account.change(method, "payment_method.updated", metadata=metadata)


@operation("post", f"{_METHOD}/attach", "customer")
def _attach(call: Call) -> Json:
    account, customer = call.account, call.get("customer")
    if customer is None:
        raise invalid("Missing required param: customer.", "customer", "parameter_missing")
    account.get("customer", customer, "customer")
    method = named(account, call.id)
    if method is None or method["customer"]:
        message = "The payment method you provided has already been attached to a customer."
        raise invalid(message, "payment_method")
    if decline := cards.by_last4(method["card"]["last4"]).declines:
        raise cards.refuse(decline)
    account.store.remember(f"saved {method['id']}", "1")
    return attach(account, method, customer)


@operation("post", f"{_METHOD}/detach")
def _detach(call: Call) -> Json:
    method = call.account.get("payment_method", call.id)
    if method["customer"] is None:
        message = "The payment method you provided is not attached to a customer."
        raise invalid(message, "payment_method")
    return call.account.change(method, "payment_method.detached", customer=None)


def named(account: Account, id_: str | None) -> Json | None:
    """Return a payment method; one of Stripe's names for test cards makes a new one.

    Raises:
        StripeError: 404, there is none.
    """
    if id_ is None:
        return None
    if card := cards.by_token(id_):
        return of_card(account, card, None, None)
    if id_.startswith("pm_card_"):
        raise not_simulated(f"the test card {id_}")
    return account.get("payment_method", id_, "payment_method")


def of_card(account: Account, card: Entered, name: str | None, email: str | None) -> Json:
    """Make a payment method of a card that was just entered, not saved on anybody yet."""
    method = account.blank("payment_method", id=new_id("pm_1"), created=account.clock.now())
    kept = {name: value for name, value in method.items() if value is not None}
    brand, last4 = card.card.brand, card.card.last4
    kept |= {  # what Stripe leaves out are the parts of other types
        "type": "card",
        "customer": None,
        "allow_redisplay": "limited",
        "billing_details": account.blank(
            "PaymentMethod.BillingDetails", "stripe._payment_method", name=name, email=email
        ),
        "card": account.blank(
            "PaymentMethod.Card",
            "stripe._payment_method",
            brand=brand,
            display_brand=brand,
            last4=last4,
            exp_month=card.exp_month,
            exp_year=card.exp_year,
            funding="credit",
            country="US",
            fingerprint=f"simulated{last4}",
        ),
        "metadata": {},
    }
    return account.save(kept)


def attach(account: Account, method: Json, customer_id: str) -> Json:
    """Save a card on a customer."""
    method["customer"] = customer_id
    account.save(method)
    account.emit("payment_method.attached", method)
    return method
