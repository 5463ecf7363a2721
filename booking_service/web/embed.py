"""The soonest times inside the practice's own site: a page for a frame, without cookies or scripts.

`static/embed.js` puts the frame there; docs/embedding.md tells how.
"""

from flask import Blueprint, Response, make_response, render_template, request

from booking_service.web import forms, free_times
from booking_service.web.security import open_to_all

bp = Blueprint("embed", __name__)
bp.before_request(open_to_all)

# Any site may show it: it says what anybody may read, and nothing can be done in it.
_CSP = (
    "default-src 'none'; style-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors *"
)


@bp.get("/embed")
def times() -> Response:
    """Show the next three times; a tap leads to our own pages, outside the frame."""
    source = forms.read_source(request.args.get("src"))
    page = render_template("book/embed.html", listed=free_times.on_offer(), source=source)
    response = make_response(page)
    response.headers["Content-Security-Policy"] = _CSP
    return response
