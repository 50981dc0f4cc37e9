"""How long the books take: 40,000 calls, posted, derived again, added up and closed.

    PYTHONPATH=src python benchmarks/ledger.py

Half of the calls are raw and half of a task, of which a student answers every second one.
They are kept in groups of twenty, as a busy gateway keeps them, into SQLite.
"""

import resource
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter

from feilun.records import RAW, Call, Posting
from feilun.verify.postings import postings
from feilun.wiring import open_house

GROUPS = 2000
FIRST = datetime(2026, 3, 1, tzinfo=UTC)


def group(number: int) -> Iterator[Call]:
    at = FIRST + timedelta(seconds=30 * number)
    for n in range(10):
        tokens = {"tokens_in": 100 + n, "tokens_out": 9}
        student = n % 2 == 1
        yield Call(
            id=f"{number} {n} task", task="kiosk.shelf", at=at, input="tea", output="drinks",
            variant="student" if student else "teacher", by="student" if student else "teacher",
            seconds=0.5, student_seconds=0.001, **({} if student else tokens),
        )  # fmt: skip
        yield Call(
            id=f"{number} {n} raw", task=RAW, at=at, input={}, output={}, variant=f"model-{n % 3}",
            by="teacher", seconds=0.5, **tokens,
        )  # fmt: skip


def timed(what: str, work: Callable[[], object]) -> None:
    start = perf_counter()
    work()
    print(f"{what}: {perf_counter() - start:.1f} s")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        house = open_house(Path(folder))
        start = perf_counter()
        for number in range(GROUPS):
            house.keep(*group(number))
        print(f"keep: {perf_counter() - start:.1f} s")
        print(f"{sum(1 for _ in house.store.read(Posting)):,} postings")
        timed("make every posting again", lambda: list(postings(house)))
        timed("add up", house.accounts.statement)
        timed("close all days", house.accounts.close)
        print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB at most")
        house.close()


if __name__ == "__main__":
    main()
