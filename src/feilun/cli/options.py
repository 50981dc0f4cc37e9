"""What the commands share: their options, their exit codes, and the house of a store."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from feilun.errors import InputError
from feilun.house import House
from feilun.wiring import open_house

DONE, NO, UNUSABLE, STORE = 0, 1, 2, 3


class Language(StrEnum):
    """The languages that tables and reports speak."""

    EN = "en"
    ZH = "zh"


def spoken() -> Language:
    """The language of the environment."""
    locale = os.environ.get("LC_ALL") or os.environ.get("LANG") or ""
    return Language.ZH if locale.startswith("zh") else Language.EN


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Where = Annotated[
    str,
    typer.Option("--store", envvar="FEILUN_STORE", help="A folder, or a postgresql:// URL."),
]
Blobs = Annotated[
    Path | None,
    typer.Option("--blobs", envvar="FEILUN_BLOBS", help="Folder of blobs, with a URL as store."),
]
Prices = Annotated[
    Path, typer.Option("--prices", envvar="FEILUN_PRICES", help="Your own book of prices (TOML).")
]
Embedder = Annotated[
    Path | None,
    typer.Option(
        "--embedder", envvar="FEILUN_EMBEDDER", help="Folder of an ONNX sentence encoder."
    ),
]
Lang = Annotated[
    Language | None, typer.Option("--lang", help="Language of tables and reports; else from LANG.")
]
Reason = Annotated[str, typer.Option("--reason", help="Why: it is kept in the log.")]


def as_amount(text: str, currency: str) -> Decimal:
    """Money that a person wrote, in the currency of the book. Raises InputError."""
    found = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)(?: ([A-Z]{3}))?", text.strip())
    if not found:
        raise InputError(f'{text[:50]!r} is no budget. Write an amount, as in "50 {currency}".')
    if found[2] not in (None, currency):
        raise InputError(
            f"The book of prices is in {currency}, so a budget in {found[2]} cannot be spent. "
            "Write it in the book's currency, or name another --prices."
        )
    return Decimal(found[1])


@contextmanager
def the_house(
    store: str,
    blobs: Path | None,
    prices: Path,
    embedder: Path | None = None,
    *,
    create: bool = False,
) -> Iterator[House]:
    """The house of a store. Only `declare` and `demo` make a new one."""
    if "://" not in store and not create and not (Path(store) / "feilun.db").exists():
        raise InputError(
            f"There is no store in {store!r}. Name one with --store, or run `feilun demo`."
        )
    house = open_house(store, blobs=blobs, prices=prices, embedder=embedder)
    try:
        yield house
    finally:
        house.close()
