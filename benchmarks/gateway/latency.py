"""What a proxy adds to one call at a time, against the same call made directly."""

from collections.abc import Sequence
from statistics import median, quantiles
from typing import NamedTuple

from probe import Probe
from server import LOAD_CORE, on_core
from target import Target

WARM = 50  # calls of each target before any counts


class Added(NamedTuple):
    """Milliseconds added over the direct call: whole JSON answers, and a stream's first byte."""

    json_p50: float
    json_p99: float
    first_p50: float


class _Waits(NamedTuple):
    whole: list[float]
    first: list[float]


def added(direct: Target, targets: Sequence[Target], calls: int) -> dict[str, Added]:
    """Call all targets in turn, the direct one too, as often as said."""
    lines = [(target, Probe(target.port)) for target in (direct, *targets)]
    waits = {target.name: _Waits([], []) for target, _ in lines}
    with on_core(LOAD_CORE):
        for number in range(WARM + calls):
            for target, probe in lines:
                whole = probe.call(target.wire(target.chat())).whole_ms
                first = probe.call(target.wire(target.chat(stream=True))).first_ms
                if number >= WARM:
                    waits[target.name].whole.append(whole)
                    waits[target.name].first.append(first)
    for _, probe in lines:
        probe.close()
    base = waits[direct.name]
    return {target.name: _over(base, waits[target.name]) for target in targets}


def _over(base: _Waits, waits: _Waits) -> Added:
    return Added(
        json_p50=median(waits.whole) - median(base.whole),
        json_p99=_p99(waits.whole) - _p99(base.whole),
        first_p50=median(waits.first) - median(base.first),
    )


def _p99(values: list[float]) -> float:
    return quantiles(values, n=100)[98]
