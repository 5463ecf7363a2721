"""Products and prices: made, changed, archived, and not sold after that."""

import pytest
import stripe


@pytest.fixture
def product(sim):
    return sim.stripe.v1.products.create({"name": "Care", "metadata": {"kept": "1"}})


def priced(sim, product, **facts):
    usual = {"currency": "usd", "unit_amount": 9900, "product": product.id}
    return sim.stripe.v1.prices.create(usual | facts)


def told(sim, type_):
    """Return the events of a type, newest first: the object's id, and what it was before."""
    events = sim.stripe.v1.events.list({"type": type_}).data
    return [(e.data.object["id"], e.data.to_dict().get("previous_attributes", {})) for e in events]


def refusal(call, *args):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        call(*args)
    return caught.value


def test_a_product_is_made_found_and_changed(sim, product):
    products = sim.stripe.v1.products
    named = products.create({"id": "prod_mine", "name": "Mine", "url": "http://clinic.test/"})
    assert (product.active, product.default_price, product.images) == (True, None, [])
    assert [p.id for p in products.list({"url": "http://clinic.test/"}).data] == ["prod_mine"]
    assert [p.id for p in products.list({"ids": [product.id]}).data] == [product.id]

    changes = {"name": "Better care", "description": "All of it", "metadata": {"new": "2"}}
    changed = products.update(product.id, changes)

    assert (changed.name, changed.description) == ("Better care", "All of it")
    assert changed.metadata.to_dict() == {"kept": "1", "new": "2"}
    (event,) = told(sim, "product.updated")
    before = {"name": "Care", "description": None, "metadata": {"new": None}}
    assert (event[0], {k: v for k, v in event[1].items() if k != "updated"}) == (product.id, before)
    assert products.update(product.id, {"description": ""}).description is None
    assert refusal(products.create, {"id": named.id, "name": "x"}).code == "resource_already_exists"


def test_a_change_of_a_product_says_when(sim, product):
    sim.advance(100)

    products = sim.stripe.v1.products
    same = products.update(product.id, {"name": "Care"})
    changed = products.update(product.id, {"active": False})

    assert same.updated == product.updated
    assert changed.updated >= product.updated + 100
    assert told(sim, "product.updated") == [
        (product.id, {"active": True, "updated": product.updated})
    ]
    assert [p.id for p in products.list({"active": True}).data] == []


def test_a_price_is_changed_but_not_in_its_amount(sim, product):
    price = priced(sim, product, metadata={"a": "1", "b": "1"})

    facts = {"nickname": "Care, monthly", "metadata": {"a": "", "c": "3"}, "lookup_key": "care"}
    changed = sim.stripe.v1.prices.update(price.id, facts)

    assert (changed.nickname, changed.lookup_key) == ("Care, monthly", "care")
    assert changed.metadata.to_dict() == {"b": "1", "c": "3"}
    before = {"nickname": None, "lookup_key": None, "metadata": {"a": "1", "c": None}}
    assert told(sim, "price.updated") == [(price.id, before)]
    answer = sim.raw("POST", f"/v1/prices/{price.id}", {"unit_amount": "1"})
    assert answer.json()["error"]["code"] == "parameter_unknown"


def test_a_lookup_key_has_one_price_and_can_be_handed_over(sim, product):
    prices, old = sim.stripe.v1.prices, priced(sim, product, lookup_key="care")
    prices.update(old.id, {"active": False})
    new = priced(sim, product)
    taking = {"lookup_key": "care"}

    refused = refusal(prices.update, new.id, taking)
    assert str(refused.user_message) == f"A price (`{old.id}`) already uses that lookup key."
    prices.update(new.id, taking | {"transfer_lookup_key": True})
    again = prices.update(new.id, taking)
    newest = priced(sim, product, lookup_key="care", transfer_lookup_key=True)

    assert again.lookup_key == "care"
    assert [prices.retrieve(p.id).lookup_key for p in (old, new, newest)] == [None, None, "care"]
    assert [p.id for p in prices.list({"lookup_keys": ["care"]}).data] == [newest.id]


def test_an_archived_price_is_not_sold_and_what_runs_goes_on(sim, product):
    once, monthly = priced(sim, product), priced(sim, product, recurring={"interval": "month"})
    customer = sim.stripe.v1.customers.create({"name": "A"}).id
    card = sim.stripe.v1.payment_methods.attach("pm_card_visa", {"customer": customer}).id
    facts = {"customer": customer, "items": [{"price": monthly.id}], "default_payment_method": card}
    running = sim.stripe.v1.subscriptions.create(facts)
    for price in (once, monthly):
        sim.stripe.v1.prices.update(price.id, {"active": False})
    line = {"price": once.id, "quantity": 1}

    at_checkout = refusal(lambda: sim.open_session(line_items=[line]))
    for_a_month = refusal(sim.stripe.v1.subscriptions.create, facts)
    sim.advance(32 * 86_400)

    words = "The price specified is inactive. This field only accepts active prices."
    assert (at_checkout.user_message, at_checkout.param) == (words, "line_items[0][price]")
    assert (for_a_month.user_message, for_a_month.param) == (words, "items[0][price]")
    invoices = sim.stripe.v1.invoices.list({"subscription": running.id}).data
    assert [i.status for i in invoices] == ["paid", "paid"]
    sim.stripe.v1.prices.update(once.id, {"active": True})
    assert sim.open_session(line_items=[line]).amount_total == 9900


def test_nothing_of_an_archived_product_is_sold(sim, product):
    price = priced(sim, product)
    sim.stripe.v1.products.update(product.id, {"active": False})

    refused = refusal(lambda: sim.open_session(line_items=[{"price": price.id, "quantity": 1}]))

    words = f"Price `{price.id}` is not available to be purchased because its product is not active"
    assert (refused.user_message, refused.param) == (f"{words}.", "line_items[0][price]")


def test_the_default_price_stays_for_sale_until_another_takes_its_place(sim, product):
    first, second = priced(sim, product), priced(sim, product)
    other = priced(sim, sim.stripe.v1.products.create({"name": "Other"}))
    products, prices = sim.stripe.v1.products, sim.stripe.v1.prices

    assert products.update(product.id, {"default_price": first.id}).default_price == first.id
    refused = refusal(prices.update, first.id, {"active": False})
    assert "it is the default price of its product" in refused.user_message
    products.update(product.id, {"default_price": second.id})
    assert prices.update(first.id, {"active": False}).active is False
    wrong = [refusal(products.update, product.id, {"default_price": p.id}) for p in (first, other)]
    assert [error.param for error in wrong] == ["default_price", "default_price"]
    absent = refusal(products.update, product.id, {"default_price": "price_none"})
    assert (absent.code, absent.param) == ("resource_missing", "default_price")
    assert products.retrieve(product.id).default_price == second.id
