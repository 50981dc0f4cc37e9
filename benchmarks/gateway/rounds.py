"""Rounds: each target in turn, several times over, so that a noisy minute hits them all."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from load import press
from target import Target
from upstream import Upstream

SETTLE = 0.3  # seconds until what a server does after its last answer is counted too


@dataclass(frozen=True)
class Figure:
    """One target under load, once."""

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float  # a request, of the server's whole process tree
    errors: int
    connections: int  # that the upstream accepted meanwhile


def measure(
    target: Target, upstream: Upstream, stream: bool, seconds: float, work: Path, own: bool = False
) -> Figure:
    """Load one target, and divide what it used by what it answered."""
    assert target.server
    before, cpu = upstream.counts(), target.server.cpu_seconds()
    load = press(target, stream, seconds, work, own)
    time.sleep(SETTLE)
    after = upstream.counts()
    used = target.server.cpu_seconds() - cpu
    # wrk leaves what is open at the end. A slow server has worked on it all the same, so
    # what reached the upstream counts where it is more.
    answered = max(load.requests, after.requests - before.requests, 1)
    return Figure(
        per_second=load.requests / load.seconds,
        p50_ms=load.p50_ms,
        p99_ms=load.p99_ms,
        cpu_us=1e6 * used / answered,
        errors=load.errors,
        connections=after.connections - before.connections,
    )


def rounds(
    targets: Sequence[Target],
    count: int,
    run: Callable[[Target, bool], Figure],
    say: Callable[[str], None],
) -> dict[str, dict[str, Figure]]:
    """Each target's medians, as JSON and streamed. The first round of each warms it up."""
    runs: dict[tuple[str, bool], list[Figure]] = {}
    for number in range(count + 1):
        for stream in (False, True):
            for target in targets:
                what = "streams" if stream else "JSON"
                say(f"round {number} of {count}: {target.name}, {what}")
                figure = run(target, stream)
                if number:
                    runs.setdefault((target.name, stream), []).append(figure)
    return {
        target.name: {
            "json": middle(runs[target.name, False]),
            "sse": middle(runs[target.name, True]),
        }
        for target in targets
    }


def middle(figures: Sequence[Figure]) -> Figure:
    """The median of each figure; errors add up, and the most connections of a run count."""
    return Figure(
        per_second=median(figure.per_second for figure in figures),
        p50_ms=median(figure.p50_ms for figure in figures),
        p99_ms=median(figure.p99_ms for figure in figures),
        cpu_us=median(figure.cpu_us for figure in figures),
        errors=sum(figure.errors for figure in figures),
        connections=max(figure.connections for figure in figures),
    )
