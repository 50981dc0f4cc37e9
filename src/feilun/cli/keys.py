"""`feilun keys`: who may ask a gateway, for what, and how much. Gateways follow within a second."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from feilun.cli.options import AsJson, Blobs, Prices, Where, the_house
from feilun.clock import SystemClock
from feilun.errors import InputError
from feilun.gateway.keys import issue, latest
from feilun.gateway.keys import revoke as end_key
from feilun.records import Json, Key, Limits, Money, Scope
from feilun.terminal import err, out, print_json, say
from feilun.wiring import PRICES

keys_app = typer.Typer(
    name="keys",
    help="Make and revoke the keys with which apps ask a gateway.",
    no_args_is_help=True,
)


@keys_app.command(
    epilog="Example: `feilun keys create web --scope call --tokens-per-day 200000 "
    '--money-per-month "10 CNY" --expires 2027-01-01`'
)
def create(
    name: Annotated[str, typer.Argument(help="Whom the key is for.")],
    scope: Annotated[
        list[Scope] | None,
        typer.Option(help="What it may do; may be repeated. Else call and feedback."),
    ] = None,
    requests_per_minute: Annotated[
        int | None, typer.Option(min=1, max=100_000, help="In any sixty seconds.")
    ] = None,
    tokens_per_day: Annotated[
        int | None, typer.Option(min=1, help="By the days of UTC, read and written.")
    ] = None,
    money_per_month: Annotated[
        str | None, typer.Option(help='By the months of UTC, as in "10 CNY".')
    ] = None,
    expires: Annotated[
        str | None, typer.Option(help="A date or a moment, in UTC unless it says otherwise.")
    ] = None,
    store: Where = ".feilun",
    blobs: Blobs = None,
    prices: Prices = PRICES,
    as_json: AsJson = False,
) -> None:
    """Make a key and show its secret, this once. The store keeps a hash of it."""
    money = _money(money_per_month) if money_per_month else None
    limits = Limits(
        requests_per_minute=requests_per_minute,
        tokens_per_day=tokens_per_day,
        money_per_month=money,
    )
    end = _moment(expires) if expires else None
    with the_house(store, blobs, prices, create=True) as house:
        if money and money.currency != house.book.currency:
            raise InputError(
                f"The book of prices is in {house.book.currency}, so a budget in {money.currency} "
                "could not be kept. Write it in the book's currency, or name another --prices."
            )
        scopes = scope or [Scope.CALL, Scope.FEEDBACK]
        issued = issue(house.store, SystemClock(), name, scopes=scopes, limits=limits, expires=end)
    secret = issued.secret.get_secret_value()
    if as_json:
        print_json({"schema": "feilun.key/1", "secret": secret, "key": _shape(issued.key)})
        return
    # The secret alone goes to standard output: KEY=$(feilun keys create web)
    err.print(f"Key {escape(name)} ({issued.key.key}). Copy it now: it is not shown again.")
    out.print(secret, highlight=False, soft_wrap=True)


@keys_app.command("list", epilog="Example: `feilun keys list --json`")
def list_keys(store: Where = ".feilun", blobs: Blobs = None, as_json: AsJson = False) -> None:
    """Show every key, what it may do, and whether it still opens."""
    with the_house(store, blobs, PRICES) as house:
        keys = latest(house.store)
    if as_json:
        print_json({"schema": "feilun.keys/1", "keys": [_shape(key) for key in keys]})
        return
    table = Table("name", "id", "ends in", "may", "at most", "state")
    for key in keys:
        may, most = ", ".join(key.scopes), ", ".join(_in_words(key.limits))
        table.add_row(escape(key.name), key.key, key.last4, may, most, _state(key))
    out.print(table)


@keys_app.command(epilog="Example: `feilun keys revoke web`")
def revoke(
    name: Annotated[str, typer.Argument(help="The name of a live key, or the id of any.")],
    store: Where = ".feilun",
    blobs: Blobs = None,
    as_json: AsJson = False,
) -> None:
    """End a key. What it asks from now on is refused."""
    with the_house(store, blobs, PRICES) as house:
        ended = end_key(house.store, SystemClock(), name)
    say(as_json, _shape(ended), f"Key {escape(ended.name)} ({ended.key}) opens nothing any more.")


def _money(text: str) -> Money:
    found = re.fullmatch(r"(\d{1,12}(?:\.\d{1,12})?) ?([A-Z]{3})", text.strip())
    if found is None or not Decimal(found[1]):
        raise InputError(f'{text!r} is no budget: write an amount and a currency, as in "10 CNY".')
    return Money(amount=Decimal(found[1]), currency=found[2])


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{text!r} is no moment: write it as in 2027-01-01.") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _shape(key: Key) -> dict[str, Json]:
    """A key as JSON shows it: nothing that a secret could be checked against."""
    shown = key.model_dump(mode="json", exclude={"digest", "task", "version", "id", "at"})
    return {**shown, "state": _state(key)}


def _state(key: Key) -> str:
    if key.revoked:
        return "revoked"
    if key.expires is None:
        return "live"
    word = "expired" if key.expires <= SystemClock().now() else "until"
    return f"{word} {key.expires:%Y-%m-%d %H:%M}"


def _in_words(limits: Limits) -> list[str]:
    money = limits.money_per_month
    asked = (
        limits.requests_per_minute and f"{limits.requests_per_minute:,} requests a minute",
        limits.tokens_per_day and f"{limits.tokens_per_day:,} tokens a day",
        money and f"{money.amount:f} {money.currency} a month",
    )
    return [words for words in asked if words]
