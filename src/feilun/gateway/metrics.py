"""Figures of a running gateway in Prometheus' text format, and what `/healthz` says.

Counting costs the data path an addition; the text is made when somebody asks.
Format: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

# Seconds, up to a minute: from what a student takes to what a large model takes.
_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60)

Labels = tuple[tuple[str, str], ...]


class Seconds:
    """A histogram of durations."""

    def __init__(self) -> None:
        self._counts = [0] * (len(_BUCKETS) + 1)
        self._sum = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self._counts[bisect_left(_BUCKETS, seconds)] += 1
        self._sum += seconds

    def lines(self, name: str, help: str) -> Iterator[str]:
        """The lines of this histogram."""
        yield f"# HELP {name} {help}"
        yield f"# TYPE {name} histogram"
        total = 0
        for bound, count in zip((*map(str, _BUCKETS), "+Inf"), self._counts, strict=True):
            total += count
            yield f'{name}_bucket{{le="{bound}"}} {total}'
        yield f"{name}_sum {self._sum:.6f}"
        yield f"{name}_count {total}"


class Metrics:
    """What a gateway counts itself. Gauges of its parts are handed to `text`."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()  # by route and status
        self.calls: Counter[tuple[str, str]] = Counter()  # by task and who answered
        self.tokens: Counter[tuple[str, str]] = Counter()  # by variant and side
        self.hedged: Counter[str] = Counter()  # by the engine that lost
        self.seconds = Seconds()
        self.clients_left = 0

    def text(self, gauges: Mapping[str, float | Mapping[Labels, float]]) -> str:
        """The whole exposition."""
        lines = [
            *_lines(
                "feilun_requests_total",
                "counter",
                ((_labels(route=route, status=str(status)), n) for (route, status), n
                 in self.requests.items()),
            ),
            *_lines(
                "feilun_calls_total",
                "counter",
                ((_labels(task=task, by=by), n) for (task, by), n in self.calls.items()),
            ),
            *_lines(
                "feilun_tokens_total",
                "counter",
                ((_labels(variant=variant, side=side), n) for (variant, side), n
                 in self.tokens.items()),
            ),
            *_lines(
                "feilun_hedged_total",
                "counter",
                ((_labels(engine=engine), n) for engine, n in self.hedged.items()),
            ),
            *_lines("feilun_clients_left_total", "counter", [((), self.clients_left)]),
            *self.seconds.lines("feilun_call_seconds", "Whole time of calls, in seconds."),
        ]  # fmt: skip
        for name, value in gauges.items():
            many = value.items() if isinstance(value, Mapping) else [((), value)]
            lines += _lines(name, "gauge", many)
        return "\n".join(lines) + "\n"


def _labels(**labels: str) -> Labels:
    return tuple(labels.items())


def _lines(name: str, type: str, values: Iterable[tuple[Labels, float]]) -> Iterator[str]:
    yield f"# TYPE {name} {type}"
    for labels, value in values:
        inner = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels)
        yield f"{name}{{{inner}}} {value:g}" if inner else f"{name} {value:g}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
