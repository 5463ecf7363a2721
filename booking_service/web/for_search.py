"""What search engines and link previews are told of the offer (schema.org, ogp.me)."""

from typing import Any, Final

from flask import Blueprint, current_app, url_for

from booking_service.calendar_file import place
from booking_service.languages import Sentence
from booking_service.models import Offer, Practice
from booking_service.money import dollars
from booking_service.web import languages

_NAME: Final = Sentence("First visit")


def register(bp: Blueprint) -> None:
    """Give the offer's template these words."""
    bp.add_app_template_global(offer_address)
    bp.add_app_template_global(offer_as_data)


def offer_address() -> str:
    """Return the one address of the offer, whatever brought somebody there."""
    base: str = current_app.extensions["settings"].public_base_url
    return base + url_for("book.offer")


def offer_as_data(practice: Practice, offer: Offer) -> dict[str, Any]:
    """Return the offer as schema.org describes a service that can be bought."""
    texts = offer.texts(languages.current())
    return {
        "@context": "https://schema.org",
        "@type": "Offer",
        "name": languages.translated(_NAME),
        "description": texts.promise,
        "url": offer_address(),
        "price": dollars(offer.price_cents).removeprefix("$"),
        "priceCurrency": offer.currency.upper(),
        "availability": "https://schema.org/InStock",
        "offeredBy": {
            "@type": "LocalBusiness",
            "name": practice.name,
            "telephone": practice.phone,
            "address": place(practice),
        },
    }
