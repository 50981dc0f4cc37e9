"""The only place where concrete parts meet."""

from collections.abc import Mapping
from pathlib import Path

from feilun.clock import SystemClock
from feilun.house import House
from feilun.ledger import TomlBook
from feilun.ports import Clock, Engine
from feilun.store import open_store
from feilun.training.embedding import OnnxEmbedder
from feilun.training.linear import LinearTrainer

PRICES = Path(__file__).parent / "ledger" / "prices.toml"


def open_house(
    where: str | Path,
    *,
    blobs: Path | None = None,
    prices: Path = PRICES,
    teachers: Mapping[str, Engine] | None = None,
    audit_rate: float = 0.1,
    embedder: Path | None = None,
    clock: Clock | None = None,
) -> House:
    """A house on a folder (SQLite) or a PostgreSQL URL, with the parts that ship.

    With the folder of an `embedder`, students are trained on embeddings beside n-grams.

    Raises StoreError for a store and InputError for a price book that cannot be read.
    """
    book = TomlBook(prices)
    return House(
        open_store(where, blobs),
        book=book,
        clock=clock or SystemClock(),
        trainer=LinearTrainer(embedder=OnnxEmbedder(embedder) if embedder else None),
        others=[LinearTrainer()],
        teachers=teachers,
        audit_rate=audit_rate,
    )
