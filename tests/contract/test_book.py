"""All books of prices keep one contract: the fake, and the one in TOML."""

from pathlib import Path

import pytest

from feilun.ledger import TomlBook
from feilun.ports import Book
from feilun.testing import FakeBook
from feilun.testing.contracts_book import BookContract


class TestFakeBook(BookContract):
    @pytest.fixture
    def book(self) -> Book:
        return FakeBook({"audit:person": "0.25"})


class TestTomlBook(BookContract):
    @pytest.fixture
    def book(self, tmp_path: Path) -> Book:
        file = tmp_path / "prices.toml"
        file.write_text(
            'currency = "CNY"\n[prices]\n"audit:person" = '
            '{ amount = "1", per = 4, source = "a test", since = 2026-01-01 }\n'
        )
        return TomlBook(file)
