"""Which language a page is in: what was asked for, else the booking's, else the browser's.

Whoever asks with `?lang=` is answered in that language from then on. Staff pages are English.
"""

from typing import Final
from urllib.parse import urlencode

from flask import Flask, Response, current_app, g, has_request_context, request, session
from flask_babel import Babel, get_locale, refresh

from booking_service.errors import BookingServiceError, Invalid
from booking_service.languages import Language, translate

_COOKIE_KEY: Final = "language"
_QUERY_KEY: Final = "lang"
_ENGLISH_ONLY: Final = (
    *("/desk", "/finance", "/admin", "/sign-in"),
    *("/api/", "/webhooks/", "/healthz", "/readyz", "/metrics", "/static/"),
)
_FOR_SEARCH: Final = ("book.offer", "book.times", "book.terms", "book.privacy")


def register(app: Flask) -> None:
    """Let pages and mails be written in the languages of `Language`."""
    Babel(app, locale_selector=_choose)
    app.before_request(_remember)
    app.after_request(_vary)
    app.jinja_env.filters["translated"] = translated
    app.jinja_env.globals.update(language=current, query_for=query_for, alternates=alternates)


def current() -> Language:
    """Return the language of the page, or the mail, that is being written."""
    locale = get_locale()
    return Language(locale.language) if locale else Language.EN


def booked_in(language: Language | None) -> None:
    """Say whose page this is: somebody who booked in that language, if they are known yet."""
    g.booked_in = language
    refresh()


def translated(text: str) -> str:
    """Return a sentence in the language of the page."""
    return translate(text, current())


def refusal(error: BookingServiceError) -> str:
    """Return what a refusal says, in the language of the page."""
    if isinstance(error, Invalid):
        return "; ".join(translated(mistake.detail) for mistake in error.errors)
    return translated(error.args[0]) if error.args else ""


def query_for(language: str) -> str:
    """Return the query that shows the page one is on in another language."""
    kept = [(name, value) for name, value in request.args.items(multi=True) if name != _QUERY_KEY]
    return f"?{urlencode([*kept, (_QUERY_KEY, language)])}"


def alternates() -> dict[str, str]:
    """Return where search engines find this page in each language, if they may list it."""
    if request.endpoint not in _FOR_SEARCH:
        return {}
    page = f"{current_app.extensions['settings'].public_base_url}{request.path}"
    return {language.value: f"{page}?{_QUERY_KEY}={language}" for language in Language} | {
        "x-default": page
    }


def _choose() -> str:
    if not has_request_context() or not _is_a_patients():
        return Language.EN
    asked = _read(request.args.get(_QUERY_KEY)) or _read(session.get(_COOKIE_KEY))
    return asked or g.get("booked_in") or _browsers() or Language.EN


def _browsers() -> Language | None:
    """Return the first of the browser's languages that we speak, whatever its country."""
    wanted = (tag.partition("-")[0].lower() for tag, quality in request.accept_languages if quality)
    return next((Language(name) for name in wanted if name in set(Language)), None)


def _read(text: str | None) -> Language | None:
    return Language(text) if text in set(Language) else None


def _is_a_patients() -> bool:
    return not request.path.startswith(_ENGLISH_ONLY)


def _remember() -> None:
    asked = _read(request.args.get(_QUERY_KEY))
    # What stands in another site's page sets no cookie.
    if asked and _is_a_patients() and request.endpoint != "embed.times":
        session[_COOKIE_KEY] = asked.value


def _vary(response: Response) -> Response:
    if _is_a_patients():
        response.vary.update(["Accept-Language", "Cookie"])
    return response
