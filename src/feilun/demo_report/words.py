"""How this report speaks: the house's words, with its own sentences."""

from feilun.demo_report.catalogue import CATALOGUE
from feilun.page import words
from feilun.page.words import LANGUAGES

__all__ = ["LANGUAGES", "Words"]


class Words(words.Words):
    """One language of the report. Raises InputError for a language that it does not speak."""

    def __init__(self, language: str) -> None:
        super().__init__(language, CATALOGUE)
