"""The way in for the provider of text messages. The signature is the authentication."""

from flask import Blueprint, Response, abort, current_app, render_template, request
from flask_babel import force_locale

from booking_service.gateways.sms import TextMessages, TextNews
from booking_service.queries import patient_pages
from booking_service.services import texts
from booking_service.web.security import csrf, open_to_all

bp = Blueprint("texts", __name__, url_prefix="/webhooks")
bp.before_request(open_to_all)
csrf.exempt(bp)


@bp.post("/sms")
def sms() -> Response:
    """Take news of a text we sent, or a text somebody sent us, and answer that one."""
    provider: TextMessages | None = current_app.extensions["texts"]
    if provider is None:
        abort(404)
    form = list(request.form.items(multi=True))
    news = provider.read(request.query_string.decode("latin-1"), form, dict(request.headers))
    if isinstance(news, TextNews):
        texts.take_news(news)
        return Response(status=204)
    keyword = texts.take_answer(news.sender, news.body)
    words = None
    if keyword is not None and not news.is_answered:
        with force_locale(patient_pages.language_of(news.sender)):
            words = _words(keyword)
    return Response(provider.reply(words), mimetype="text/xml")


def _words(keyword: texts.Keyword) -> str:
    practice = patient_pages.practice()
    # Plain spaces, as in every text: see services/letters.py.
    return " ".join(render_template(f"sms/answers/{keyword}.txt", practice=practice).split())
