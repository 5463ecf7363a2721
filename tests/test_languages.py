"""Everything patients read is there in every language, and nothing is said past the catalogue."""

import io
import re
import string
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.frontend import CommandLineInterface
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask_babel import force_locale
from jinja2 import Environment, nodes

from booking_service.languages import Language, Sentence, translate
from booking_service.web import filters

ROOT = Path(__file__).resolve().parent.parent
SPANISH = ROOT / "booking_service" / "translations" / "es" / "LC_MESSAGES"
OF_PATIENTS = (
    "error.html",
    "layout.html",
    "book/*",
    "visit/*",
    "parts/*",
    "emails/**/*",
    "sms/**/*",
)
TEMPLATES = sorted(
    str(path.relative_to(ROOT / "templates"))
    for pattern in OF_PATIENTS
    for path in ROOT.glob(f"templates/{pattern}")
    if path.is_file()
)
# Names, which are the same in every language, and what a browser calls a way to ask.
NAMES = {"English", "Español", "First Visit", "GET"}
READ_OUT = {"aria-label", "alt", "title", "placeholder"}
NEW_YORK = ZoneInfo("America/New_York")
MORNING = datetime(2026, 11, 23, 14, 20, tzinfo=UTC)
AFTER_LUNCH = datetime(2026, 11, 23, 18, 20, tzinfo=UTC)


@pytest.fixture(scope="module")
def spanish() -> Catalog:
    return read_po(io.BytesIO((SPANISH / "messages.po").read_bytes()), locale="es")


def parts(text: str | tuple[str, ...] | list[str]) -> list[str]:
    return [text] if isinstance(text, str) else list(text)


def places(text: str) -> set[str]:
    """The facts that stand in a sentence, by name."""
    braces = {name for _, name, _, _ in string.Formatter().parse(text) if name}
    return {*re.findall(r"%\((\w+)\)s", text), *braces}


def tags(text: str) -> list[str]:
    return sorted(re.findall(r"</?\w+[^>]*>", text))


def differs(message: Message) -> bool:
    english, others = parts(message.id), parts(message.string)
    return any(
        places(other) != places(english[0]) or tags(other) != tags(english[0]) for other in others
    )


def test_the_catalogue_holds_what_the_code_says_and_nothing_else(spanish, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    found = tmp_path / "messages.pot"
    words = ("-F", "pyproject.toml", "-k", "Sentence", "-o", str(found), ".")
    CommandLineInterface().run(["pybabel", "-q", "extract", *words])

    said = {tuple(parts(message.id)) for message in read_po(io.BytesIO(found.read_bytes()))}
    kept = {tuple(parts(message.id)) for message in spanish}

    assert (said - kept, kept - said) == (set(), set()), "./run translations"


def test_every_sentence_is_translated_by_a_person(spanish):
    sentences = [message for message in spanish if message.id]

    assert [m.id for m in sentences if not all(parts(m.string))] == []
    assert [m.id for m in sentences if m.fuzzy] == []


def test_facts_and_marks_stay_in_a_sentence(spanish):
    ours = [message for message in spanish if message.id and 'class="vh"' not in str(message.id)]

    assert [message.id for message in ours if differs(message)] == []


def test_the_compiled_catalogue_is_the_one_that_is_read(spanish):
    compiled = io.BytesIO()
    write_mo(compiled, spanish)

    assert (SPANISH / "messages.mo").read_bytes() == compiled.getvalue(), "./run translations"


def test_spanish_is_polite_and_calm(spanish):
    said = [text for message in spanish if message.id for text in parts(message.string)]

    assert [
        text for text in said if re.search(r"[!¡]|\b([Tt]u|[Tt]us|[Tt]ú|[Tt]ienes)\b", text)
    ] == []


def test_no_time_is_followed_by_two_full_stops(spanish):
    """A Spanish time ends in one: "a. m."."""
    said = [text for message in spanish if message.id for text in parts(message.string)]
    at_the_end = re.compile(r"(%\((hour|until|by)\)s|\{time\})(</\w+>)*\.")

    assert [text for text in said if at_the_end.search(text)] == []


class Page(HTMLParser):
    """What a page says and reads out."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def handle_data(self, data: str) -> None:
        self.said.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        wanted = [text for name, text in attrs if name in READ_OUT or name.startswith("data-")]
        self.said += [text for text in wanted if text and " " in text]


def past_the_catalogue(env: Environment, source: str, *, is_html: bool) -> list[str]:
    """What a template says without asking the catalogue."""
    tree = env.parse(source)
    asked = {
        id(const)
        for call in tree.find_all(nodes.Call)
        if isinstance(call.node, nodes.Name) and call.node.name in ("_", "gettext", "ngettext")
        for const in call.find_all(nodes.Const)
    }
    consts = [c.value for c in tree.find_all(nodes.Const) if id(c) not in asked]
    texts = [c for c in consts if isinstance(c, str) and re.search(r"^\W*[A-Z]|^\s+\w|\w\s+$", c)]
    data = "".join(part.data for part in tree.find_all(nodes.TemplateData))
    if is_html:
        page = Page()
        page.feed(data)
        data = "\n".join(page.said)
    texts += re.findall(r".*[^\W\d_].*", data)
    return [text.strip() for text in texts if text.strip() not in NAMES]


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_of_patients_says_nothing_past_the_catalogue(served_app, name):
    source = (ROOT / "templates" / name).read_text()

    found = past_the_catalogue(served_app.jinja_env, source, is_html=name.endswith(".html"))

    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "<p>Pay now</p>",
        '<p aria-label="Pay now"></p>',
        '{{ "Pay now" }}',
        '{{ day ~ " at " ~ hour }}',
        "{% trans %}Pay{% endtrans %} now",
    ],
)
def test_words_past_the_catalogue_are_found(served_app, source):
    assert past_the_catalogue(served_app.jinja_env, source, is_html=True) != []


def test_a_sentence_is_its_english_text_and_can_be_said_in_spanish():
    sentence = Sentence("Enter a name of %(most)s letters or fewer", most=100)

    assert sentence == translate(sentence, Language.EN) == "Enter a name of 100 letters or fewer"
    assert translate(sentence, Language.ES) == "Escriba un nombre de 100 letras o menos"
    assert translate("a name", Language.ES) == "a name"


@pytest.mark.parametrize(
    ("form", "at", "english", "spanish"),
    [
        (filters.clock_time, MORNING, "9:20 AM", "9:20\xa0a.\u202fm."),
        (filters.clock_time, AFTER_LUNCH, "1:20 PM", "1:20\xa0p.\u202fm."),
        (filters.said_time, MORNING, "9:20 AM", "las 9:20\xa0a.\u202fm."),
        (filters.said_time, AFTER_LUNCH, "1:20 PM", "la 1:20\xa0p.\u202fm."),
        (filters.short_day, MORNING, "Mon, Nov 23", "lun, 23 nov"),
        (filters.short_day, date(2031, 9, 3), "Wed, Sep 3, 2031", "mié, 3 sept de 2031"),
        (filters.long_day, MORNING, "Monday, November 23", "lunes 23 de noviembre"),
        (
            *(filters.long_day, date(2031, 9, 3)),
            *("Wednesday, September 3, 2031", "miércoles 3 de septiembre de 2031"),
        ),
        (filters.zone_name, MORNING, "ET", "ET"),
    ],
)
def test_time_is_written_as_the_language_writes_it(app, noon, form, at, english, spanish):
    with force_locale("en"):
        assert form(at, NEW_YORK) == english
    with force_locale("es"):
        assert form(at, NEW_YORK) == spanish


def test_a_range_of_times_names_the_half_of_the_day_once(app):
    end = datetime(2026, 11, 23, 15, 5, tzinfo=UTC)
    with force_locale("en"):
        assert filters.span(MORNING, end, NEW_YORK) == "9:20–10:05 AM"
        assert filters.span(MORNING, AFTER_LUNCH, NEW_YORK) == "9:20 AM–1:20 PM"
    with force_locale("es"):
        assert filters.span(MORNING, end, NEW_YORK) == "9:20–10:05\xa0a.\u202fm."
