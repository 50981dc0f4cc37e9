"""Money: a book of prices, a journal of postings, and what both say of turns and of bills."""

from feilun.ledger.bills import PROVIDERS, read_bill
from feilun.ledger.book import DEVICE_ITEMS, ITEMS, MODEL_ITEMS, TomlBook
from feilun.ledger.close import Days, closed_wrongly, closings, ended
from feilun.ledger.cost import Tariff, cost, tariff
from feilun.ledger.economics import Economics, Estimate, Risk, economics
from feilun.ledger.export import to_beancount, to_csv, to_focus
from feilun.ledger.payback import Payback, payback
from feilun.ledger.post import cost_of, postings
from feilun.ledger.reconcile import Reconciled, corrections, reconcile, used
from feilun.ledger.statement import (
    NOBODY,
    WHEEL,
    Account,
    Balance,
    Statement,
    balances,
    by_model,
)
from feilun.ledger.took import is_free
from feilun.ledger.trace import Part, Trace
from feilun.ledger.variance import Step, Why

__all__ = [
    "DEVICE_ITEMS",
    "ITEMS",
    "MODEL_ITEMS",
    "NOBODY",
    "PROVIDERS",
    "WHEEL",
    "Account",
    "Balance",
    "Days",
    "Economics",
    "Estimate",
    "Part",
    "Payback",
    "Reconciled",
    "Risk",
    "Statement",
    "Step",
    "Tariff",
    "TomlBook",
    "Trace",
    "Why",
    "balances",
    "by_model",
    "closed_wrongly",
    "closings",
    "corrections",
    "cost",
    "cost_of",
    "economics",
    "ended",
    "is_free",
    "payback",
    "postings",
    "read_bill",
    "reconcile",
    "tariff",
    "to_beancount",
    "to_csv",
    "to_focus",
    "used",
]
