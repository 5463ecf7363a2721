"""Where the SDK describes each kind of object we keep."""

from typing import Final

CLASSES: Final = {  # the object's own `object` -> module and class of the SDK
    "balance": ("stripe._balance", "Balance"),
    "balance_transaction": ("stripe._balance_transaction", "BalanceTransaction"),
    "charge": ("stripe._charge", "Charge"),
    "checkout.session": ("stripe.checkout._session", "Session"),
    "customer": ("stripe._customer", "Customer"),
    "dispute": ("stripe._dispute", "Dispute"),
    "event": ("stripe._event", "Event"),
    "invoice": ("stripe._invoice", "Invoice"),
    "invoice_payment": ("stripe._invoice_payment", "InvoicePayment"),
    "item": ("stripe._line_item", "LineItem"),
    "line_item": ("stripe._invoice_line_item", "InvoiceLineItem"),
    "payment_intent": ("stripe._payment_intent", "PaymentIntent"),
    "payment_method": ("stripe._payment_method", "PaymentMethod"),
    "payout": ("stripe._payout", "Payout"),
    "price": ("stripe._price", "Price"),
    "product": ("stripe._product", "Product"),
    "refund": ("stripe._refund", "Refund"),
    "setup_intent": ("stripe._setup_intent", "SetupIntent"),
    "subscription": ("stripe._subscription", "Subscription"),
    "subscription_item": ("stripe._subscription_item", "SubscriptionItem"),
    "test_helpers.test_clock": ("stripe.test_helpers._test_clock", "TestClock"),
    "webhook_endpoint": ("stripe._webhook_endpoint", "WebhookEndpoint"),
}
