"""How fast the store makes calls durable, reads them back, and checks its chain.

    python benchmarks/store.py [--json] [--postgres URL]

Medians over five runs, each in a store of its own, with calls of about 1 kB. The
wait is that of one `append` with one record, from the caller's side. The CPU is that
of this process, user and system, for each record of an append of so many, without the
encoding: the server of a database spends its own.
"""

import argparse
import json
import os
import platform
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import event, make_url, text

from feilun.clock import SystemClock
from feilun.records import Call, encode
from feilun.store import SqlStore, open_store
from feilun.store.engines import postgres_engine

RUNS = 5
APPENDS = 800
GROUPS = (1, 4, 16, 64)
INPUT = "My parcel has not come and nobody answers the phone. 我的包裹还没到。" * 8

Opened = Callable[[], AbstractContextManager[SqlStore]]


class Run(NamedTuple):
    """One run: what was reached and what each caller waited."""

    appends_per_second: float
    median_ms: float
    p95_ms: float
    appends_per_commit: float
    reads_per_second: float
    checks_per_second: float


def a_call(clock: SystemClock) -> Call:
    return Call(
        id=clock.new_id(),
        task="triage",
        at=clock.now(),
        input=INPUT,
        output={"label": "delivery"},
        variant="teacher",
        by="teacher",
    )


def measure(store: SqlStore, threads: int) -> Run:
    clock = SystemClock()
    commits: list[object] = []
    event.listen(store.engine, "checkout", lambda *taken: commits.append(taken))
    start_line = threading.Barrier(threads)

    def append_many(_: int) -> list[float]:
        calls = [a_call(clock) for _ in range(APPENDS // threads)]
        start_line.wait()
        waits = []
        for call in calls:
            begun = time.perf_counter()
            store.append(call)
            waits.append(time.perf_counter() - begun)
        return waits

    with ThreadPoolExecutor(threads) as pool:
        begun = time.perf_counter()
        waits = sorted(wait for part in pool.map(append_many, range(threads)) for wait in part)
        seconds = time.perf_counter() - begun
    appends_per_commit = len(waits) / len(commits)
    begun = time.perf_counter()
    read = sum(1 for _ in store.read(Call))
    reading = time.perf_counter() - begun
    begun = time.perf_counter()
    assert not list(store.check())
    checking = time.perf_counter() - begun
    return Run(
        len(waits) / seconds,
        statistics.median(waits) * 1e3,
        waits[int(len(waits) * 0.95)] * 1e3,
        appends_per_commit,
        read / reading,
        read / checking,
    )


def cpu_us(opened: Opened, group: int) -> float:
    """Microseconds of CPU for each record of an append of `group` records."""
    clock, found = SystemClock(), []
    for _ in range(RUNS):
        calls = [a_call(clock) for _ in range(max(100, APPENDS // group) * group)]
        begun = time.process_time()
        for call in calls:
            encode(call)
        encoding = time.process_time() - begun
        with opened() as store:
            store.append(*calls[:group])
            begun = time.process_time()
            for start in range(group, len(calls), group):
                store.append(*calls[start : start + group])
            spent = time.process_time() - begun
        found.append((spent / (len(calls) - group) - encoding / len(calls)) * 1e6)
    return statistics.median(found)


@contextmanager
def on_sqlite() -> Iterator[SqlStore]:
    with tempfile.TemporaryDirectory() as folder, closing(open_store(folder)) as store:
        yield store


@contextmanager
def on_postgres(url: str) -> Iterator[SqlStore]:
    """A store in a schema of its own, gone afterwards."""
    admin, _ = postgres_engine(url)
    with admin.begin() as connection:
        connection.execute(text("DROP SCHEMA IF EXISTS feilun_benchmark CASCADE"))
        connection.execute(text("CREATE SCHEMA feilun_benchmark"))
    options = {"options": "-csearch_path=feilun_benchmark"}
    fresh = make_url(url).update_query_dict(options).render_as_string(hide_password=False)
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(open_store(fresh, blobs=Path(folder))) as store,
    ):
        yield store
    with admin.begin() as connection:
        connection.execute(text("DROP SCHEMA feilun_benchmark CASCADE"))
    admin.dispose()


def medians(opened: Opened, threads: int) -> Run:
    runs = []
    for _ in range(RUNS):
        with opened() as store:
            runs.append(measure(store, threads))
    return Run(*(statistics.median(values) for values in zip(*runs, strict=True)))


def fsync_ms(folder: Path) -> float:
    """What the disk itself takes to confirm a page: no single append can be faster."""
    waits = []
    with (folder / "probe").open("wb") as file:
        for _ in range(100):
            file.write(b"x" * 4096)
            file.flush()
            begun = time.perf_counter()
            os.fsync(file.fileno())
            waits.append(time.perf_counter() - begun)
    return statistics.median(waits) * 1e3


def machine() -> dict[str, str | float | None]:
    with tempfile.TemporaryDirectory() as folder:
        fsync = round(fsync_ms(Path(folder)), 3)
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.node()}, {models[0] if models else platform.machine()}, "
        f"{os.cpu_count()} cores, {platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "fsync_ms": fsync,
        "call_bytes": len(encode(a_call(SystemClock()))),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--postgres",
        metavar="URL",
        default=os.environ.get("FEILUN_TEST_POSTGRES"),
        help="measure this database too (default: $FEILUN_TEST_POSTGRES)",
    )
    options = parser.parse_args()
    stores: dict[str, Opened] = {"sqlite": on_sqlite}
    if options.postgres:
        stores["postgres"] = partial(on_postgres, options.postgres)
    about = machine()
    results = {
        f"{name}, {threads} thread{'s' * (threads > 1)}": medians(opened, threads)
        for name, opened in stores.items()
        for threads in (1, 8)
    }
    cpu = {name: {n: cpu_us(opened, n) for n in GROUPS} for name, opened in stores.items()}
    if options.json:
        runs = {name: run._asdict() for name, run in results.items()}
        print(json.dumps(about | {"runs": runs, "cpu_us": cpu}))
        return
    print(", ".join(f"{name} {value}" for name, value in about.items()))
    for name, run in results.items():
        print(
            f"{name:20} {run.appends_per_second:7.0f} appends/s   wait {run.median_ms:6.2f} ms "
            f"(p95 {run.p95_ms:6.2f})   {run.appends_per_commit:4.1f} appends/commit   "
            f"{run.reads_per_second:7.0f} reads/s   {run.checks_per_second:7.0f} checks/s"
        )
    for name, groups in cpu.items():
        spent = "   ".join(f"{n}: {us:.1f}" for n, us in groups.items())
        print(f"{name:20} us of CPU a record, by records an append   {spent}")


if __name__ == "__main__":
    main()
