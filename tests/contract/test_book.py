"""All books of prices keep one contract: the fake, and the one in TOML."""

from datetime import date
from pathlib import Path

import pytest

from feilun.ledger import TomlBook
from feilun.ports import Book
from feilun.testing import FakeBook
from feilun.testing.contracts_book import BookContract

CHANGED = {date(2026, 1, 1): "0.5", date(2026, 6, 1): "0.125"}


class TestFakeBook(BookContract):
    @pytest.fixture
    def book(self) -> Book:
        return FakeBook({"audit:person": "0.25", "model:wise:8b:input_token": CHANGED})


class TestTomlBook(BookContract):
    @pytest.fixture
    def book(self, tmp_path: Path) -> Book:
        file = tmp_path / "prices.toml"
        file.write_text(
            'currency = "CNY"\n[prices]\n"audit:person" = '
            '{ amount = "1", per = 4, source = "a test", since = 2026-01-01 }\n'
            '[models."wise:8b"]\ninput_token = ['
            '{ amount = "0.5", source = "a test", since = 2026-01-01 },'
            '{ amount = "0.125", source = "a test", since = 2026-06-01 } ]\n'
        )
        return TomlBook(file)
