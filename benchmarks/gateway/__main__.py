"""The gateway's benchmark: CPU, speed, latency and memory, against other gateways.

    python benchmarks/gateway [--install] [--rounds 3] [--seconds 6] [--json FILE]
    python benchmarks/gateway --quick    the figure that CI keeps, which needs valgrind

One mock upstream and one load on core 1, one proxy at a time busy on core 0, 32 connections.
A JSON answer has 618 bytes, a stream 21 events that are sent one by one. CPU per request is
user and system time of the proxy's whole process tree: contention hardly moves it. Rounds are
interleaved; figures are medians. Our capture is on.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import by_student
import check
import idle
import latency
import load
import ours
import peers
import report
import rounds
from peers import PEERS
from server import CannotRun
from target import Place, Target, await_answers
from upstream import Upstream

STREAMS = 9_500


def main() -> int:
    """Run what was asked for; 0 when all is well, 1 when the figure is worse than it may be."""
    options = _options()
    try:
        if options.install:
            _install(options.peers)
        with tempfile.TemporaryDirectory(prefix="feilun-bench-") as folder:
            if options.quick:
                return _check(Path(folder), options.new_baseline)
            found = _whole(options, Path(folder))
    except CannotRun as error:
        print(f"Cannot run: {error}", file=sys.stderr)
        return 2
    print(report.render(found))
    if options.json:
        options.json.write_text(json.dumps(found.to_json(), indent=2) + "\n")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python benchmarks/gateway",
        description="Measure Feilun's gateway beside other gateways.",
        epilog="Example: python benchmarks/gateway --install --json gateway.json",
    )
    add = parser.add_argument
    add("--install", action="store_true", help="first install the other gateways that are missing")
    add("--peers", type=Path, default=Path("build/peers"), help="the folder they are in")
    add("--ours-only", action="store_true", help="leave the other gateways out")
    add("--parts", default=",".join(_PARTS), help="what to measure, of: %(default)s")
    add("--rounds", type=int, default=3, help="after one that warms up (default: 3)")
    add("--seconds", type=float, default=6, help="of each run under load (default: 6)")
    add("--calls", type=int, default=500, help="one at a time, of each gateway (default: 500)")
    add("--streams", type=int, default=STREAMS, help="idle at once (default: 9500)")
    add("--json", type=Path, help="write all figures to this file")
    add("--quick", action="store_true", help="only the figure that CI keeps; takes a minute")
    add("--new-baseline", action="store_true", help="with --quick: keep this figure from now on")
    return parser.parse_args()


def _install(folder: Path) -> None:
    for peer in PEERS:
        if peers.installed(peer, folder):
            continue
        _say(f"installing {peer.name} {peer.version}")
        try:
            peers.install(peer, folder)
        except CannotRun as error:
            _say(f"{peer.name} was not installed: {error}")


def _check(work: Path, new_baseline: bool) -> int:
    found = check.figure(work, _say)
    if new_baseline:
        check.write_baseline(found)
    kept = check.read_baseline()
    for what, now, before in zip(found._fields, found, kept, strict=True):
        print(
            f"{what}: {now.instructions:.2f} times the instructions of bare uvicorn (baseline "
            f"{before.instructions:.2f}), {now.system_calls:.1f} system calls "
            f"({before.system_calls:.1f})"
        )
    failures = found.failures(kept)
    print("\n".join(failures) or f"No call costs over {check.MAY_RISE:.0%} more.")
    return 1 if failures else 0


def _whole(options: argparse.Namespace, work: Path) -> report.Report:
    idle.raise_limit(2 * options.streams + 500)
    with ExitStack() as stack:
        upstream = stack.enter_context(Upstream(work))
        found = report.Report(
            date=f"{datetime.now(UTC):%Y-%m-%d}",
            machine=_machine(),
            tools=f"Load by {load.tool()}, upstream in {upstream.kind}",
        )
        place = Place(upstream.url, work)
        targets = list(_started(_starts(options, place), stack, found))
        for part in options.parts.split(","):
            _PARTS[part](_Bench(options, place, upstream, targets, stack), found)
    return found


def _starts(options: argparse.Namespace, place: Place) -> dict[str, Callable[[], Target]]:
    starts = {f"Feilun {mode}": partial(ours.start, place, mode) for mode in ours.MODES}
    if options.ours_only:
        return {**starts}
    folder = options.peers
    return {**starts, **{each.name: partial(peers.start, each, folder, place) for each in PEERS}}


def _started(
    starts: dict[str, Callable[[], Target]], stack: ExitStack, found: report.Report
) -> Iterator[Target]:
    """Start each gateway; one that does not run is told of and left out."""
    for name, start in starts.items():
        _say(f"starting {name}")
        try:
            target = start()
            stack.callback(target.stop)
            await_answers(target)
        except CannotRun as error:
            found.missing[name] = str(error)
            _say(f"left out: {error}")
            continue
        found.versions[target.name] = target.version
        yield target


class _Bench(NamedTuple):
    """What the parts measure, and with what."""

    options: argparse.Namespace
    place: Place
    upstream: Upstream
    targets: list[Target]
    stack: ExitStack  # stops what a part starts

    def figure(self, target: Target, stream: bool) -> rounds.Figure:
        return rounds.measure(target, self.upstream, stream, self.options.seconds, self.place.work)


def _latency(bench: _Bench, found: report.Report) -> None:
    _say("one call at a time")
    direct = Target("direct", "", bench.upstream.port)
    found.latency = latency.added(direct, bench.targets, bench.options.calls)


def _load(bench: _Bench, found: report.Report) -> None:
    found.load = rounds.rounds(bench.targets, bench.options.rounds, bench.figure, _say)
    found.rss_mb = {each.name: each.server.rss_mb() for each in bench.targets if each.server}


def _student(bench: _Bench, found: report.Report) -> None:
    _say("the demo's student")
    target = by_student.start(bench.place, bench.upstream)
    bench.stack.callback(target.stop)
    figures = [bench.figure(target, False) for _ in range(bench.options.rounds + 1)]
    found.student[target.name] = rounds.middle(figures[1:])


def _idle(bench: _Bench, found: report.Report) -> None:
    _say(f"{bench.options.streams} idle streams")
    ours = [target for target in bench.targets if target.name == report.OURS]
    for target in ours:
        found.idle = idle.hold(target, bench.upstream, bench.options.streams)


_PARTS = {"latency": _latency, "load": _load, "student": _student, "idle": _idle}


def _machine() -> str:
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return (
        f"{os.cpu_count()} cores {cpu}, Python {platform.python_version()}, "
        f"uvicorn {version('uvicorn')}, load before {os.getloadavg()[0]:.1f}"
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
