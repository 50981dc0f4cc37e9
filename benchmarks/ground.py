"""What benchmarks share: the data beside the project, the machine's name, and intervals."""

import csv
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean, stdev

from feilun.records import Example, RedLine, Task
from feilun.tasks import declare

_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def shared(folder: str) -> Path:
    """A folder of shared data. Says what is missing and ends cleanly where it is not there."""
    root = Path(os.environ.get("FEILUN_SHARED", Path(__file__).parents[2] / "shared"))
    path = root / "data" / folder
    if not path.is_dir():
        print(f"This benchmark needs {path}; set FEILUN_SHARED to the folder that holds data/.")
        sys.exit(0)
    return path


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def labels_task(name: str, labels: list[str], max_loss: float) -> Task:
    return declare(
        name,
        "Choose the label.",
        {"type": "string"},
        {"type": "string", "enum": labels},
        RedLine(max_loss=max_loss),
    )


def example(text: str, label: str, source: str = "correction") -> Example:
    judge = "teacher" if source == "teacher" else "person"
    return Example.model_validate(
        {"call": "", "at": _NOW, "input": text, "output": label, "source": source, "judge": judge}
    )


def machine() -> str:
    """Date and machine, for the head of a result."""
    model = "unknown CPU"
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    today = datetime.now(UTC).date()
    return f"{today}, {os.cpu_count()} cores, {model}, Python {platform.python_version()}"


def mean_interval(values: list[float]) -> str:
    """Mean and its 95 % interval (normal), as percentages."""
    half = 1.96 * stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return f"{fmean(values):.1%} ± {half:.1%}"
