"""An address as a picture that a phone's camera reads."""

import segno
from flask import Flask
from markupsafe import Markup


def register(app: Flask) -> None:
    """Let pages draw addresses."""
    app.jinja_env.filters["qr"] = qr


def qr(address: str) -> Markup:
    """Return an address as a QR code: dark on white in every theme, and as big as its place.

    The fifteen per cent of it that may be lost (level M) are what a scratched screen costs.
    """
    drawn = segno.make(address, error="m", micro=False).svg_inline(
        border=4, light="white", omitsize=True, svgclass="qr"
    )
    return Markup(drawn)  # noqa: S704 - the picture alone; the address is not written out in it
