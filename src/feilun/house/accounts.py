"""The house's accounts: what the journal says of a task."""

from datetime import datetime

from feilun import ledger
from feilun.house.log import Log
from feilun.ledger import Payback
from feilun.records import Call, Money, Posting, Release


class Accounts:
    """Figures of money, each derived from the log anew."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def audit_price(self, at: datetime) -> Money | None:
        """What one more audit by a person costs, or None where that is unknown."""
        price = self._log.book.price("audit:person", at)
        return Money(amount=price.amount, currency=price.currency) if price else None

    def payback(self, name: str) -> Payback:
        """When what the students served has paid for what they cost."""
        released = [r.at for r in self._log.store.read(Release, name) if r.variant is not None]
        return ledger.payback(
            list(self._log.store.read(Call, name)),
            self._log.store.read(Posting, name),
            self._log.book.currency,
            released[-1] if released else None,
        )
