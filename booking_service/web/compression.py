"""Pages, styles and answers travel compressed: a phone on the road gets a third of the bytes.

A compressed page can betray a secret on it only to who makes a browser ask for it again and again,
with words of theirs in it and with its cookie (BREACH). The cookie is `SameSite=Lax`: requests from
other sites come without it.
"""

from flask import Flask, Response, request
from flask_compress import Compress


def register(app: Flask) -> None:
    """Compress what clients accept compressed."""
    app.config["COMPRESS_ALGORITHM"] = ["br", "gzip"]
    app.config["COMPRESS_STREAMS"] = False  # it would leave the files open
    Compress(app)
    app.after_request(_whole)  # the last to be registered is the first to see an answer


def _whole(response: Response) -> Response:
    """Read a style, a script or an icon from its file, so that it can be compressed."""
    if request.endpoint == "static" and response.mimetype != "font/woff2":
        response.direct_passthrough = False
        response.make_sequence()
    return response
