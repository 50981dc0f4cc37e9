"""Options by least-squares Monte Carlo against Longstaff & Schwartz (2001), table 1.

    python benchmarks/capital.py

All twenty rows of the table with 100,000 paths, half of them mirrored, fifty exercise dates a
year. Ours learns the rule on one set of paths and values it on another.
"""

import math
import time

from feilun.capital.options import Values, laguerre, stopped, walks

STRIKE, RATE, DRAWS = 40.0, 0.06, 100_000

# Share, volatility, years; finite differences; theirs by simulation, and its standard error.
TABLE_1 = [
    (36, 0.2, 1, 4.478, 4.472, 0.010), (36, 0.2, 2, 4.840, 4.821, 0.012),
    (36, 0.4, 1, 7.101, 7.091, 0.020), (36, 0.4, 2, 8.508, 8.488, 0.024),
    (38, 0.2, 1, 3.250, 3.244, 0.009), (38, 0.2, 2, 3.745, 3.735, 0.011),
    (38, 0.4, 1, 6.148, 6.139, 0.019), (38, 0.4, 2, 7.670, 7.669, 0.022),
    (40, 0.2, 1, 2.314, 2.313, 0.009), (40, 0.2, 2, 2.885, 2.879, 0.010),
    (40, 0.4, 1, 5.312, 5.308, 0.018), (40, 0.4, 2, 6.920, 6.921, 0.022),
    (42, 0.2, 1, 1.617, 1.617, 0.007), (42, 0.2, 2, 2.212, 2.206, 0.010),
    (42, 0.4, 1, 4.582, 4.588, 0.017), (42, 0.4, 2, 6.248, 6.243, 0.021),
    (44, 0.2, 1, 1.110, 1.118, 0.007), (44, 0.2, 2, 1.690, 1.675, 0.009),
    (44, 0.4, 1, 3.948, 3.957, 0.017), (44, 0.4, 2, 5.647, 5.622, 0.021),
]  # fmt: skip


def main() -> None:
    began = time.perf_counter()
    print("| share | volatility | years | finite differences | theirs (s.e.) | ours (s.e.) |")
    print("|---|---|---|---|---|---|")
    apart = []
    for share, volatility, years, exact, theirs, error in TABLE_1:
        times = [number / 50 for number in range(1, 50 * years + 1)]
        learn, value = (walks(share, RATE, volatility, times, DRAWS, seed) for seed in (1, 2))
        found = stopped(learn, value, put, laguerre(STRIKE), math.exp(-RATE / 50))
        apart.append(found.mean - exact)
        print(
            f"| {share} | {volatility} | {years} | {exact:.3f} | {theirs:.3f} ({error:.3f}) "
            f"| {found.mean:.3f} ({found.error:.3f}) |"
        )
    worst = max(apart, key=abs)
    print(f"\nmean difference {sum(apart) / len(apart):+.4f}, largest {worst:+.4f}")
    print(f"{time.perf_counter() - began:.0f} s")


def put(state: Values) -> Values:
    return (STRIKE - state).clip(min=0)


if __name__ == "__main__":
    main()
