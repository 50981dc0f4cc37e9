"""Money: a book of prices, a journal of postings, and the day a turn has paid for itself."""

from feilun.ledger.book import ITEMS, TomlBook
from feilun.ledger.payback import Payback, payback
from feilun.ledger.post import postings

__all__ = ["ITEMS", "Payback", "TomlBook", "payback", "postings"]
