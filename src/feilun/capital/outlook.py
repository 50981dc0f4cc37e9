"""All that the file says of the future, computed once: what tables, pages and JSON show."""

from collections.abc import Mapping
from dataclasses import dataclass

from feilun.capital import bets, flows
from feilun.capital.allocate import Room, Split, allocate
from feilun.capital.bets import Worth
from feilun.capital.company import Company
from feilun.capital.drivers import Driver, drivers
from feilun.capital.measured import Unit
from feilun.capital.read import Assumption, assumptions
from feilun.capital.runway import Runway, balance, runway

GROWN = 1.1  # what a tenth more of budget would change


@dataclass(frozen=True)
class Outlook:
    """A company's runway as planned and with its budget spent, and what decides it.

    `split` is None without an allocation in the file, and `grown` is the split of a tenth more.
    """

    company: Company
    units: tuple[Unit, ...]
    seed: int
    planned: Runway
    drivers: tuple[Driver, ...]
    bets: tuple[Worth, ...]
    split: Split | None
    grown: Split | None
    after: Runway | None
    assumptions: tuple[Assumption, ...]


def outlook(company: Company, units: Mapping[str, Unit], seed: int = 0) -> Outlook:
    """Draw the futures of a company. The same seed gives the same figures."""
    cash, shape = company.cash.amount, (flows.DRAWS, company.horizon)
    paths = balance(cash, flows.parts(company, units, seed), shape)
    found = {bet.name: bets.worth(bet, company.discount, seed) for bet in company.bet}
    split = grown = None
    if (plan := company.allocation) is not None:
        room = Room(company, found, paths, seed)
        other = balance(cash, flows.parts(company, units, seed + 1), shape)
        fresh = Room(company, found, other, seed + 1)
        split = allocate(company, plan, found, room, fresh, plan.budget)
        grown = allocate(company, plan, found, room, fresh, plan.budget * GROWN)
    return Outlook(
        company=company,
        units=_used(company, units),
        seed=seed,
        planned=runway(cash, paths),
        drivers=tuple(drivers(cash, paths, flows.parts(company, units, seed))),
        bets=tuple(found.values()),
        split=split,
        grown=grown,
        after=None if split is None else runway(cash, split.paths),
        assumptions=tuple(assumptions(company)),
    )


def _used(company: Company, units: Mapping[str, Unit]) -> tuple[Unit, ...]:
    return tuple(
        units.get(income.task) or flows.assumed(income) for income in company.income if income.task
    )
