"""Capital: how long the money lasts, and where the next of it should go.

One TOML file says what is in the bank, what comes and goes, and which bets are at hand; the
ledger says what tasks earn. From both: months of runway as a distribution, what moves it,
the value of staged bets with the rule for each stage, and the split of a budget.
"""

from feilun.capital.measured import Unit, measure
from feilun.capital.outlook import Outlook, outlook
from feilun.capital.page import write_page
from feilun.capital.read import EXAMPLE, read
from feilun.capital.shape import to_json
from feilun.capital.table import render

__all__ = [
    "EXAMPLE",
    "Outlook",
    "Unit",
    "measure",
    "outlook",
    "read",
    "render",
    "to_json",
    "write_page",
]
