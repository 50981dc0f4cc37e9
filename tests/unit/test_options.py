"""Options by least-squares Monte Carlo, against published values and closed forms."""

import math
from statistics import NormalDist

import numpy as np
import pytest

from feilun.capital.bets import worth
from feilun.capital.company import Bet, Scale, Stage
from feilun.capital.options import Values, laguerre, mean_of_pairs, stopped, walks

N = NormalDist().cdf

# Longstaff & Schwartz (2001), table 1: an American put on a share, strike 40, rate 6 %, fifty
# exercise dates a year. Columns: share, volatility, years; finite differences; the European put.
TABLE_1 = [
    (36, 0.2, 1, 4.478, 3.844),
    (36, 0.4, 2, 8.508, 7.700),
    (38, 0.2, 2, 3.745, 2.991),
    (40, 0.2, 1, 2.314, 2.066),
    (40, 0.4, 1, 5.312, 5.060),
    (44, 0.4, 2, 5.647, 5.202),
]
STRIKE, RATE, DRAWS = 40.0, 0.06, 20_000


def put(state: Values) -> Values:
    return np.maximum(STRIKE - state, 0)


def d1(share: float, strike: float, rate: float, volatility: float, years: float) -> float:
    drift = rate + volatility**2 / 2
    return (math.log(share / strike) + drift * years) / (volatility * math.sqrt(years))


def black_scholes(
    share: float, strike: float, rate: float, volatility: float, years: float
) -> float:
    """A European call."""
    first = d1(share, strike, rate, volatility, years)
    second = first - volatility * math.sqrt(years)
    return share * N(first) - strike * math.exp(-rate * years) * N(second)


def geske(
    share: float, first: tuple[float, float], last: tuple[float, float], rate: float, vol: float
) -> tuple[float, float]:
    """Geske (1979): a call (cost, years) on a call (cost, years), and the share where it tips."""
    from scipy.optimize import brentq
    from scipy.stats import multivariate_normal

    (fee, soon), (cost, late) = first, last
    tips = brentq(lambda s: black_scholes(s, cost, rate, vol, late - soon) - fee, 1e-6, 100 * share)
    both = math.sqrt(soon / late)
    joint = multivariate_normal([0, 0], [[1, both], [both, 1]])
    a, b = d1(share, tips, rate, vol, soon), d1(share, cost, rate, vol, late)
    a2, b2 = a - vol * math.sqrt(soon), b - vol * math.sqrt(late)
    value = (
        share * float(joint.cdf([a, b]))
        - cost * math.exp(-rate * late) * float(joint.cdf([a2, b2]))
        - fee * math.exp(-rate * soon) * N(a2)
    )
    return value, float(tips)


@pytest.mark.parametrize(("share", "volatility", "years", "american", "european"), TABLE_1)
def test_american_puts_are_worth_what_longstaff_and_schwartz_published(
    share: float, volatility: float, years: int, american: float, european: float
) -> None:
    times = [number / 50 for number in range(1, 50 * years + 1)]
    learn, value = (walks(share, RATE, volatility, times, DRAWS, seed) for seed in (1, 2))
    found = stopped(learn, value, put, laguerre(STRIKE), math.exp(-RATE / 50))
    assert found.mean == pytest.approx(american, abs=3 * found.error + 0.02)
    assert found.mean > european
    once = mean_of_pairs(put(value[:, -1]) * math.exp(-RATE * years))
    assert once.mean == pytest.approx(european, abs=3.5 * once.error)


def test_a_put_that_may_be_exercised_on_one_day_is_the_european_one() -> None:
    paths = walks(36, RATE, 0.2, [1.0], 40_000, 3)
    found = stopped(paths, paths, put, laguerre(STRIKE), math.exp(-RATE))
    call = black_scholes(36, STRIKE, RATE, 0.2, 1)
    assert found.mean == pytest.approx(call - 36 + STRIKE * math.exp(-RATE), abs=3.5 * found.error)


def a_bet(*stages: tuple[float, int, float], **more: object) -> Bet:
    rows = tuple(
        Stage(name=f"stage {number}", cost=cost, months=months, success=success)
        for number, (cost, months, success) in enumerate(stages)
    )
    declared = {"value": 100.0, "volatility": 0.4, **more}
    return Bet.model_validate({"name": "bet", "stages": rows, **declared})


@pytest.mark.parametrize(
    ("fee", "soon", "cost", "late", "volatility", "rate"),
    [(5, 6, 100, 18, 0.4, 0.05), (20, 12, 60, 24, 0.8, 0.1), (1, 3, 120, 12, 0.3, 0.02)],
)
def test_a_bet_of_two_stages_is_the_compound_option_of_geske(
    fee: float, soon: int, cost: float, late: int, volatility: float, rate: float
) -> None:
    bet = a_bet((0.0, soon, 1.0), (fee, late - soon, 1.0), (cost, 0, 1.0), volatility=volatility)
    found = worth(bet, rate, seed=1)
    now = 100 * math.exp(-rate * late / 12)  # the estimate of the end's value, discounted
    exact, tips = geske(now, (fee, soon / 12), (cost, late / 12), rate, volatility)
    assert found.value.mean == pytest.approx(exact, abs=3.5 * found.value.error)
    least = found.rules[1].least
    assert least is not None
    assert least == pytest.approx(tips * math.exp(rate * (late - soon) / 12), rel=0.03)
    assert found.rules[2].least == pytest.approx(cost, rel=0.005)


def test_a_bet_that_costs_nothing_more_is_worth_its_discounted_value_less_its_price() -> None:
    found = worth(a_bet((10.0, 24, 0.5)), 0.1, seed=4)
    exact = 0.5 * 100 * math.exp(-0.2) - 10  # news explains all that chance does
    assert found.value.mean == pytest.approx(exact, rel=1e-9)
    assert found.option == pytest.approx(0, abs=1e-9)
    assert found.rules[0].least == 0


def test_the_right_to_scale_is_a_call_on_the_value() -> None:
    scaled = a_bet((0.0, 12, 1.0), scale=Scale(cost=60.0, factor=1.5))
    found = worth(scaled, 0.0, seed=5)
    exact = 100 + 0.5 * black_scholes(100, 120, 0.0, 0.4, 1)
    assert found.value.mean == pytest.approx(exact, abs=3.5 * found.value.error)
    assert found.scale_from == pytest.approx(120)


def test_a_bet_that_never_pays_is_not_begun_and_keeps_the_salvage() -> None:
    found = worth(a_bet((90.0, 12, 0.1), salvage=2.0), 0.1, seed=6)
    assert found.rules[0].least is None
    assert found.value.mean == pytest.approx(2.0)
    assert found.rules[0].reached == 0


def test_the_right_to_stop_is_worth_something_and_more_where_more_is_unknown() -> None:
    stages = ((5.0, 6, 0.7), (70.0, 12, 0.8))
    calm, wild = (worth(a_bet(*stages, volatility=v), 0.05, seed=7) for v in (0.3, 0.9))
    assert 0 < calm.option < wild.option
