"""The languages patients are spoken to in, and sentences that can be said in each of them."""

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from gettext import NullTranslations, translation
from pathlib import Path
from typing import Final, Self

TRANSLATIONS: Final = Path(__file__).parent / "translations"


class Language(StrEnum):
    """A language of the patients' pages, mails and terms. What staff see is English."""

    EN = "en"
    ES = "es"

    @property
    def tag(self) -> str:
        """Return the language as it is spoken here, as browsers call it: "en-US"."""
        return f"{self}-US"


class Sentence(str):
    """An English text that can be said in the other languages, too.

    Whoever does not ask for another language just has the English text. Facts stand in it by name,
    like "%(amount)s". `./run translations` finds what is written here.
    """

    __slots__ = ("facts", "pattern")
    pattern: str
    facts: Mapping[str, object]

    def __new__(cls, pattern: str, **facts: object) -> Self:
        """Put the facts into the pattern."""
        made = super().__new__(cls, pattern % facts if facts else pattern)
        made.pattern, made.facts = pattern, facts
        return made


def translate(text: str, language: Language) -> str:
    """Return a sentence in a language. A text that is no `Sentence` comes back as it is."""
    if not isinstance(text, Sentence):
        return text
    words = _catalogue(language).gettext(text.pattern)
    return words % text.facts if text.facts else words


@cache
def _catalogue(language: Language) -> NullTranslations:
    # English is what the patterns are written in.
    return translation("messages", TRANSLATIONS, [language], fallback=language is Language.EN)
