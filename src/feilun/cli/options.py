"""What the commands share: their options, their exit codes, and the house of a store."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
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
