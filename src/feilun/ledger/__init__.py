"""Money: a book of prices, a journal of postings, and the day a turn has paid for itself."""

from feilun.ledger.book import ITEMS, MODEL_ITEMS, TomlBook
from feilun.ledger.cost import Tariff, cost, tariff
from feilun.ledger.payback import Payback, payback
from feilun.ledger.post import cost_of, postings

__all__ = [
    "ITEMS",
    "MODEL_ITEMS",
    "Payback",
    "Tariff",
    "TomlBook",
    "cost",
    "cost_of",
    "payback",
    "postings",
    "tariff",
]
