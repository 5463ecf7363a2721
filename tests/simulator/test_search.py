import pytest
import stripe


def found(sim, noun, query, **more):
    return [one.id for one in getattr(sim.stripe.v1, noun).search({"query": query} | more).data]


def test_customers_are_found_by_what_is_known_of_them(sim):
    create = sim.stripe.v1.customers.create
    ada = create({"email": "ada@example.com", "name": "Ada L", "metadata": {"patient": "7"}}).id
    bob = create({"email": "bob@example.com", "name": "Bob"}).id

    assert found(sim, "customers", 'email:"ADA@example.com"') == [ada]
    assert found(sim, "customers", "metadata['patient']:'7'") == [ada]
    assert found(sim, "customers", 'email~"example"') == [bob, ada]
    assert found(sim, "customers", '-metadata["patient"]:"7"') == [bob]
    assert found(sim, "customers", "-metadata['patient']:null") == [ada]
    assert found(sim, "customers", "name:'Bob' OR name:'Ada L'") == [bob, ada]
    assert found(sim, "customers", "created>0 AND name:'Bob'") == [bob]
    assert found(sim, "customers", "created>0 name:'Bob'") == [bob]


def test_every_kind_can_be_searched(sim):
    price = sim.plan(lookup_key="monthly")
    customer, method = sim.with_saved_card()
    facts = {"customer": customer, "items": [{"price": price}], "default_payment_method": method}
    subscription = sim.stripe.v1.subscriptions.create(facts)
    by_customer = f'customer:"{customer}"'

    assert found(sim, "subscriptions", 'status:"active"') == [subscription.id]
    assert found(sim, "invoices", f'subscription:"{subscription.id}"') == [
        subscription.latest_invoice
    ]
    assert found(sim, "prices", 'lookup_key:"monthly" AND active:"true"') == [price]
    assert len(found(sim, "products", 'name~"member"')) == 1
    assert len(found(sim, "charges", f"{by_customer} AND amount>=9900")) == 1
    assert len(found(sim, "payment_intents", f"{by_customer} AND amount<5000")) == 1


def test_pages_follow_each_other(sim):
    made = [sim.stripe.v1.customers.create({"name": "Same"}).id for _ in range(5)][::-1]

    page = sim.stripe.v1.customers.search({"query": "name:'Same'", "limit": 2})

    assert [one.id for one in page.auto_paging_iter()] == made
    assert page.has_more


@pytest.mark.parametrize(
    "query",
    ["", "email", "colour:'red'", "name:'a' OR name:'b' AND name:'c'", "email~'ab'", "created>'x'"],
)
def test_what_is_no_query_is_refused(sim, query):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        sim.stripe.v1.customers.search({"query": query})

    assert caught.value.param == "query"
