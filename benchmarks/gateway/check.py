"""The figure that CI keeps: what a call makes the gateway execute, JSON and streamed.

CPU seconds of one tree scattered by a factor of two on a machine that others use. Counts of
instructions and of system calls do not: they stay within a few percent, so that a rise of
15 % is the code's. Other interpreters execute another number for the same code, hence the
share of bare uvicorn's instructions, which is counted beside; system calls are compared as
they are. Medians of rounds leave out what comes once in many calls, as a full collection.
"""

import asyncio
import json
import platform
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import mkdtemp
from typing import NamedTuple

import ours
from callgrind import Cost, Counter
from lockstep import Clients, Upstream
from server import CannotRun
from target import Place, Target

BASELINE = Path(__file__).parent / "baseline.json"
MAY_RISE = 0.15
ROUNDS = 5  # of ours; three of bare uvicorn, which executes the same in each
TIMES = {"json": 2, "sse": 1}  # that each of the 32 clients asks in a round


class Share(NamedTuple):
    """The cost of one kind of call."""

    instructions: float  # of bare uvicorn's
    system_calls: float

    def failures(self, what: str, kept: "Share") -> list[str]:
        """What has risen by more than it may, a sentence each."""
        risen = zip(("instructions", "system calls"), self, kept, strict=True)
        return [
            f"{what}: {name} a call rose by {now / before - 1:.0%} ({before:.2f} to {now:.2f}), "
            f"and may by {MAY_RISE:.0%}. Find what they are spent on, or keep the new figure "
            "with `make bench-gateway-baseline` and say why in the commit."
            for name, now, before in risen
            if now > before * (1 + MAY_RISE)
        ]


class Figure(NamedTuple):
    """What CI keeps."""

    json: Share
    sse: Share

    def failures(self, kept: "Figure") -> list[str]:
        """What has risen by more than it may, a sentence each."""
        return [*self.json.failures("JSON", kept.json), *self.sse.failures("streams", kept.sse)]


def figure(work: Path, say: Callable[[str], None]) -> Figure:
    """Count both servers' calls, in a minute or so."""
    upstream = Upstream()
    say("starting bare uvicorn and Feilun under valgrind")
    with ExitStack() as stack:
        started = []
        for start in _STARTS:
            target, counter = _start(start, upstream.url, work)
            stack.callback(target.stop)
            started.append((target, counter))
        hello, feilun = asyncio.run(_count(started, upstream, say))
    return Figure(*(_share(hello[what], feilun[what]) for what in TIMES))


_STARTS = (ours.start_hello, partial(ours.start, main=ours.STILL))


def _start(start: Callable[[Place], Target], upstream: str, work: Path) -> tuple[Target, Counter]:
    folder = Path(mkdtemp(dir=work))
    counter = Counter(folder)
    return start(Place(upstream, folder, core=None, under=counter.command)), counter


async def _count(
    started: Sequence[tuple[Target, Counter]], upstream: Upstream, say: Callable[[str], None]
) -> list[dict[str, Cost]]:
    async with upstream.running():
        return [
            await _costs(Clients(target, upstream), counter, rounds, say)
            for (target, counter), rounds in zip(started, (3, ROUNDS), strict=True)
        ]


async def _costs(
    clients: Clients, counter: Counter, rounds: int, say: Callable[[str], None]
) -> dict[str, Cost]:
    """The median cost of a call of each kind, after one round that warms up."""
    for what in TIMES:
        await _calls(clients, what)
    counter.attach(clients.target)
    found = []
    for number in range(1, rounds + 1):
        found.append({what: counter.take(await _calls(clients, what)) for what in TIMES})
        say(f"{clients.target.name}, {number} of {rounds}: {_told(found[-1])}")
    clients.close()
    return {
        what: Cost(*map(median, zip(*(each[what] for each in found), strict=True)))
        for what in TIMES
    }


async def _calls(clients: Clients, what: str) -> int:
    return await clients.ask(stream=what == "sse", times=TIMES[what])


def _told(costs: dict[str, Cost]) -> str:
    return "; ".join(
        f"{what} {cost.instructions:,.0f} instructions, {cost.system_calls:.1f} system calls"
        for what, cost in costs.items()
    )


def _share(hello: Cost, feilun: Cost) -> Share:
    return Share(feilun.instructions / hello.instructions, feilun.system_calls)


def read_baseline() -> Figure:
    """The kept figure."""
    if not BASELINE.exists():
        raise CannotRun(f"{BASELINE} is not there. Run `make bench-gateway-baseline` once.")
    kept = json.loads(BASELINE.read_text())
    return Figure(*(Share(**kept[what]) for what in TIMES))


def write_baseline(found: Figure) -> None:
    """Keep this figure from now on."""
    kept = {
        what: {name: round(value, 2) for name, value in getattr(found, what)._asdict().items()}
        for what in TIMES
    }
    taken = {"python": platform.python_version(), "date": f"{datetime.now(UTC):%Y-%m-%d}"}
    BASELINE.write_text(json.dumps({**kept, **taken}, indent=2) + "\n")
