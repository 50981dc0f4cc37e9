"""The books balance whoever writes them at once, and whenever a writer is killed."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from feilun.house import House
from feilun.ledger import balances
from feilun.records import Call, Posting
from feilun.verify import verify
from feilun.wiring import open_house

BOOK = """
currency = "CNY"
[prices]
"student:second" = { amount = "0.001", source = "a test", since = 2026-01-01 }
"teacher:input_token" = { amount = "0.02", source = "a test", since = 2026-01-01 }
"teacher:output_token" = { amount = "0.05", source = "a test", since = 2026-01-01 }
[models.wise]
input_token = { amount = "0.01", source = "a test", since = 2026-01-01 }
output_token = { amount = "0.03", source = "a test", since = 2026-01-01 }
"""

# Threads that keep groups of calls as a gateway does: of a task and raw, of a student and not.
WRITER = """
import sys, threading
from itertools import count
from pathlib import Path
from kiosk_log import a_call
from feilun.records import RAW
from feilun.wiring import open_house

folder, name, most = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
house = open_house(folder / "store", prices=folder / "book.toml")

def group(thread, number):
    for n in range(number % 4 + 1):
        id = f"{name} {thread} {number} {n}"
        tokens = {"tokens_in": 7 + n, "tokens_out": number % 5, "seconds": 0.5}
        yield a_call(f"{id} t", number, **tokens, student_seconds=n / 1000)
        yield a_call(f"{id} s", number, by="student", student_seconds=0.002, seconds=0.002)
        yield a_call(f"{id} r", number, **tokens).model_copy(
            update={"task": RAW, "variant": ("wise", "nameless")[number % 2]}
        )

def write(thread):
    for number in range(most) if most else count():
        house.keep(*group(thread, number))
        sys.stdout.write(f"{thread} {number}\\n")  # one write: threads share the pipe
        sys.stdout.flush()

threads = [threading.Thread(target=write, args=(n,)) for n in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()
house.close()
"""


def a_writer(folder: Path, name: str, most: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(folder), name, str(most)]
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}  # the child finds what this test finds
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | path)


@contextmanager
def opened(folder: Path) -> Iterator[House]:
    house = open_house(folder / "store", prices=folder / "book.toml")
    try:
        yield house
    finally:
        house.close()


def in_balance(house: House) -> None:
    """Nothing is missing, nothing differs, and all accounts together hold nothing."""
    assert [check.problem for check in verify(house) if check.problem] == []
    assert sum(each.amount for each in balances(house.store.read(Posting)).values()) == 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "book.toml").write_text(BOOK)
    open_house(tmp_path / "store", prices=tmp_path / "book.toml").close()
    return tmp_path


def test_threads_of_two_processes_lose_nothing(folder: Path) -> None:
    writers = [a_writer(folder, name, 12) for name in ("one", "two")]
    said = [writer.communicate(timeout=60)[0] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0]
    assert [len(words.splitlines()) for words in said] == [36, 36]
    with opened(folder) as house:
        kept = Counter(call.id.split()[0] for call in house.store.read(Call))
        groups = sum(3 * (number % 4 + 1) for number in range(12))
        assert kept == {"one": 3 * groups, "two": 3 * groups}
        in_balance(house)


@pytest.mark.parametrize("after", [1, 17, 60])
def test_a_killed_writer_leaves_every_durable_call_with_its_postings(
    folder: Path, after: int
) -> None:
    with a_writer(folder, "one", 0) as writer:
        assert writer.stdout is not None
        told = [writer.stdout.readline().split() for _ in range(after)]
        writer.send_signal(signal.SIGKILL)
        writer.wait(timeout=30)
    with opened(folder) as house:
        calls = {call.id for call in house.store.read(Call)}
        assert {f"one {thread} {number} 0 t" for thread, number in told} <= calls
        in_balance(house)
