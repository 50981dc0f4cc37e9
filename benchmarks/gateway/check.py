"""The figure that CI keeps: CPU a call of ours over that of bare uvicorn, on the same machine.

Milliseconds differ from machine to machine and from hour to hour; this ratio does less. The
reference is a stream of bare uvicorn for both, because it keeps its core busy: its CPU a call
lay between 156 and 177 µs while others worked on the same cores, where that of a JSON answer,
which is done before the load can ask again, lay between 28 and 41. Hence the median of many
short rounds. The load is always our own, so that wrk more or less does not matter.
"""

import json
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import NamedTuple

import ours
from load import CONNECTIONS
from rounds import measure
from server import CannotRun
from target import Place, Target, await_answers
from upstream import Upstream

BASELINE = Path(__file__).parent / "baseline.json"
ROUNDS = 7
SECONDS = 1.0
MAY_RISE = 0.15
MAX_CONNECTIONS = 2 * CONNECTIONS


class Ratios(NamedTuple):
    """Our CPU a call over the reference's, medians over the rounds, and what was opened."""

    json: float
    sse: float
    connections: int  # to the upstream, the most in one run

    def failures(self, baseline: dict[str, float]) -> list[str]:
        """What is worse than it may be, a sentence each."""
        found = []
        for what, ratio in (("json", self.json), ("sse", self.sse)):
            most = baseline[what] * (1 + MAY_RISE)
            if ratio > most:
                found.append(
                    f"{what}: CPU a call is {ratio:.2f} of the reference, at most {most:.2f} "
                    f"({baseline[what]:.2f} and {MAY_RISE:.0%}). Find what it is spent on, or run "
                    "with --new-baseline and say why in the commit."
                )
        if self.connections > MAX_CONNECTIONS:
            found.append(
                f"{self.connections} connections to the upstream for {CONNECTIONS} clients, at "
                f"most {MAX_CONNECTIONS}. The pool does not reuse them."
            )
        return found


def ratios(work: Path, say: Callable[[str], None]) -> Ratios:
    """Measure both in turn."""
    with ExitStack() as stack:
        upstream = stack.enter_context(Upstream(work))
        targets = []
        for start in (ours.start_hello, ours.start):
            target = start(Place(upstream.url, work))
            stack.callback(target.stop)
            await_answers(target)
            targets.append(target)
        hello, feilun = targets
        return _ratios(hello, feilun, upstream, work, say)


def _ratios(
    hello: Target, feilun: Target, upstream: Upstream, work: Path, say: Callable[[str], None]
) -> Ratios:
    json, sse, opened = [], [], 0
    for number in range(ROUNDS + 1):  # the first warms up; its connections count
        base, whole, streamed = (
            measure(target, upstream, stream, SECONDS, work, own=True)
            for target, stream in ((hello, True), (feilun, False), (feilun, True))
        )
        opened = max(opened, whole.connections, streamed.connections)
        say(
            f"round {number} of {ROUNDS}: reference {base.cpu_us:.0f} µs, "
            f"JSON {whole.cpu_us:.0f} µs, streams {streamed.cpu_us:.0f} µs a call"
        )
        if number:
            json.append(whole.cpu_us / base.cpu_us)
            sse.append(streamed.cpu_us / base.cpu_us)
    return Ratios(median(json), median(sse), opened)


def read_baseline() -> dict[str, float]:
    """The kept ratios."""
    if not BASELINE.exists():
        raise CannotRun(f"{BASELINE} is not there. Run with --quick --new-baseline once.")
    kept = json.loads(BASELINE.read_text())
    return {what: float(kept[what]) for what in ("json", "sse")}


def write_baseline(found: Ratios, machine: str) -> None:
    """Keep these ratios from now on."""
    kept = {
        "json": round(found.json, 3),
        "sse": round(found.sse, 3),
        "machine": machine,
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
    }
    BASELINE.write_text(json.dumps(kept, indent=2) + "\n")
