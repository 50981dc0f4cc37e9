"""The tables, in Markdown, as they stand in docs/benchmarks.md."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from idle import Idle
from latency import Added
from rounds import Figure

OURS = "Feilun durable"


@dataclass
class Report:
    """All that one run found. A part that was not run is empty."""

    date: str
    machine: str
    tools: str
    versions: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)  # who did not run, and why
    load: dict[str, dict[str, Figure]] = field(default_factory=dict)
    rss_mb: dict[str, float] = field(default_factory=dict)
    latency: dict[str, Added] = field(default_factory=dict)
    student: dict[str, Figure] = field(default_factory=dict)
    idle: Idle | None = None

    def to_json(self) -> dict[str, Any]:  # what asdict returns
        """As plain values, named tuples as objects."""
        plain = asdict(self)
        plain["latency"] = {name: value._asdict() for name, value in self.latency.items()}
        plain["idle"] = self.idle._asdict() if self.idle else None
        return plain


def render(report: Report) -> str:
    """The whole report as text."""
    parts = [f"{report.date}, {report.machine}. {report.tools}."]
    if report.versions:
        parts.append(", ".join(f"{name} {version}" for name, version in report.versions.items()))
    parts += [f"Did not run: {name}. {why}" for name, why in report.missing.items()]
    if report.load:
        parts.append(_load(report))
    if OURS in report.load:
        parts.append(_ratios(report.load))
    if report.latency:
        parts.append(_latency(report.latency))
    parts += [
        f"{name}: {figure.per_second:,.0f} calls/s, p50 {figure.p50_ms:.1f} ms, "
        f"p99 {figure.p99_ms:.1f} ms, {figure.cpu_us:.0f} µs CPU a call, {figure.errors} errors"
        for name, figure in report.student.items()
    ]
    if report.idle:
        idle = report.idle
        parts.append(f"{idle.streams:,} idle streams: {idle.kb_each:.1f} kB each, {idle.lost} lost")
    return "\n\n".join(parts)


def _load(report: Report) -> str:
    rows = []
    for name, by in report.load.items():
        whole, sse = by["json"], by["sse"]
        opened = max(whole.connections, sse.connections)
        last = [f"{report.rss_mb[name]:.0f}", str(opened), str(whole.errors + sse.errors)]
        rows.append([name, *_cells(whole), *_cells(sse), *last])
    head = ["", "JSON req/s", "p50 / p99 ms", "CPU µs", "SSE streams/s", "p50 / p99 ms", "CPU µs"]
    return _table([*head, "RSS MB", "upstream connections", "errors"], rows)


def _cells(figure: Figure) -> list[str]:
    return [
        f"{figure.per_second:,.0f}" if figure.per_second >= 100 else f"{figure.per_second:.1f}",
        f"{figure.p50_ms:.1f} / {figure.p99_ms:.0f}",
        f"{figure.cpu_us:,.0f}",
    ]


def _ratios(load: Mapping[str, Mapping[str, Figure]]) -> str:
    """How many times ours the others cost, and how many times theirs ours answers."""
    ours = load[OURS]
    rows = [
        [name]
        + [f"{by[what].cpu_us / ours[what].cpu_us:.1f}" for what in ("json", "sse")]
        + [f"{ours[what].per_second / by[what].per_second:.1f}" for what in ("json", "sse")]
        for name, by in load.items()
        if name != OURS and all(by[what].per_second for what in ("json", "sse"))
    ]
    head = [f"against {OURS}", "its CPU over ours, JSON", "SSE"]
    return _table([*head, "our req/s over its, JSON", "SSE"], rows)


def _latency(latency: Mapping[str, Added]) -> str:
    rows = [
        [name, f"{added.json_p50:+.2f}", f"{added.json_p99:+.1f}", f"{added.first_p50:+.2f}"]
        for name, added in latency.items()
    ]
    return _table(["one call at a time, ms added", "JSON p50", "p99", "first byte p50"], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
