"""Public tariffs and other currencies: used where a book asks for them, guessed nowhere."""

import tomllib
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from feilun.errors import InputError
from feilun.ledger import TomlBook
from feilun.ledger.tariffs import TARIFFS

TODAY = datetime(2026, 11, 24, 12, tzinfo=UTC)
RATE = '[exchange]\nUSD = { amount = "7", source = "our bank", since = 2026-01-01 }\n'
OWN = """
[models.gpt-4o]
input_token = { amount = "1", source = "our contract", since = 2026-01-01 }
"""


def a_book(folder: Path, text: str) -> TomlBook:
    (folder / "book.toml").write_text(text)
    return TomlBook(folder / "book.toml")


def amount(book: TomlBook, item: str, at: datetime = TODAY) -> Decimal | None:
    price = book.price(item, at)
    return price.amount if price else None


def test_every_public_tariff_says_who_says_so_and_since_when() -> None:
    book = TomlBook(TARIFFS)
    assert len(book.items()) > 150
    for item in book.items():
        (price,) = book.history(item)
        assert price.source.startswith("LiteLLM 1.")
        assert price.since == date(2026, 11, 24)
        assert 0 < price.amount * 1_000_000 < 200
    models = tomllib.loads(TARIFFS.read_text())["models"]
    assert {"gpt-4o", "claude-sonnet-5", "qwen-max", "deepseek-v4-pro", "glm-5"} <= set(models)
    assert all({"input_token", "output_token"} <= set(items) for items in models.values())


def test_without_being_asked_for_no_tariff_is_used(tmp_path: Path) -> None:
    book = a_book(tmp_path, 'currency = "USD"\n')
    assert amount(book, "model:gpt-4o:input_token") is None
    assert amount(a_book(tmp_path, 'currency = "USD"\ntariffs = false\n'), "x") is None


def test_a_book_may_ask_for_them_and_says_the_rest_itself(tmp_path: Path) -> None:
    book = a_book(tmp_path, f'currency = "USD"\ntariffs = true\n{OWN}')
    assert amount(book, "model:gpt-4o-mini:input_token") == Decimal("0.00000015")
    assert amount(book, "model:gpt-4o:input_token") == 1
    # Who prices a model prices all of it: half a tariff is not made whole by another's.
    assert amount(book, "model:gpt-4o:output_token") is None
    assert amount(book, "model:no-such-model:input_token") is None


def test_a_tariff_is_unknown_before_its_day(tmp_path: Path) -> None:
    book = a_book(tmp_path, 'currency = "USD"\ntariffs = true\n')
    assert amount(book, "model:gpt-4o:input_token", datetime(2026, 11, 23, tzinfo=UTC)) is None


def test_in_another_currency_it_takes_a_declared_rate_and_says_which(tmp_path: Path) -> None:
    book = a_book(tmp_path, f'currency = "CNY"\ntariffs = true\n{RATE}')
    price = book.price("model:gpt-4o:input_token", TODAY)
    assert price is not None
    assert (price.amount, price.currency) == (Decimal("0.0000175"), "CNY")
    assert "LiteLLM" in price.source
    assert "a USD at 7 by our bank" in price.source


def test_a_rate_that_changes_changes_the_price_from_that_day_on(tmp_path: Path) -> None:
    rates = (
        '[exchange]\nUSD = [ { amount = "7", source = "bank", since = 2026-11-20 },'
        ' { amount = "8", source = "bank", since = 2026-11-26 } ]\n'
    )
    book = a_book(tmp_path, f'currency = "CNY"\ntariffs = true\n{rates}')
    known = [book.price("model:gpt-4o:input_token", datetime(2026, 11, d, tzinfo=UTC))
             for d in (23, 24, 25, 26)]  # fmt: skip
    assert [price and price.amount * 1_000_000 for price in known] == [
        None, Decimal("17.5"), Decimal("17.5"), 20,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('currency = "CNY"\ntariffs = true', "Say what a USD costs"),
        ('currency = "USD"\ntariffs = "yes"', "write tariffs = true"),
        ('currency = "USD"\n[exchange]\nUSD = 3', "no other currency than USD"),
        ('currency = "USD"\n[exchange]\nyuan = 3', "three letters"),
        ('currency = "USD"\n[exchange]\nCNY = 3', "needs amount, source"),
        ('currency = "USD"\n[devices.gpu]\nhour = 3', "devices.'gpu': unknown item 'hour'"),
        ('currency = "USD"\n[devices]\ngpu = 3', "devices.gpu must be a table"),
    ],
)
def test_what_a_book_cannot_mean_is_refused_with_the_way_to_say_it(
    tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(InputError, match=r"book\.toml") as caught:
        a_book(tmp_path, text)
    assert words in str(caught.value)


def test_a_device_and_a_currency_have_prices_like_any_item(tmp_path: Path) -> None:
    gpu = 'second = { amount = "3.6", per = 3600, source = "lease", since = 2026-01-01 }'
    book = a_book(tmp_path, f'currency = "CNY"\n{RATE}[devices."h100:0"]\n{gpu}\n')
    device, dollar = (book.price(i, TODAY) for i in ("device:h100:0:second", "exchange:USD"))
    assert device is not None
    assert dollar is not None
    assert (device.amount, device.unit) == (Decimal("0.001"), "second")
    assert (dollar.amount, dollar.unit, dollar.currency) == (7, "USD", "CNY")
