"""What the store says when the disk fails under it: the n-th sync, the n-th write, no room.

`strace` makes system calls fail. It counts them thread by thread, and the store writes in a
thread of its own: so each child first spends calls there that harm nobody, and one rule
for all breaks the n-th call of the n-th child, and the seven after it.
"""

import os
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import feilun
from feilun.records import Call
from feilun.store import open_store
from feilun.testing.contracts_store import a_call

ROUNDS = 40
BROKEN = 8  # in a row: each append tries twice, and some of them must be refused
APPENDS = ROUNDS + BROKEN + 2
NOT_HERE = "Operation not permitted"  # a container may forbid tracing

# Forty children, one after the other. Each has a store, and says what it was told is durable.
WRITERS = """
import os, shutil, sys
from pathlib import Path
from sqlalchemy import event
from feilun.errors import StoreError
from feilun.store import open_store
from feilun.testing.contracts_store import a_call

call, rounds, appends, place = sys.argv[1], *map(int, sys.argv[2:4]), Path(sys.argv[4])

def spend(times, folder):
    scratch = os.open(folder / "scratch", os.O_RDWR | os.O_CREAT)
    for _ in range(times):
        os.pwrite(scratch, b"x", 0) if call == "pwrite64" else os.fdatasync(scratch)
    os.close(scratch)

def write(n, folder):
    store = open_store(folder)
    todo = [n]
    event.listen(
        store.engine, "checkout", lambda *_: todo and spend(rounds - todo.pop(), folder)
    )
    told = os.open(folder / "told", os.O_WRONLY | os.O_CREAT)
    for m in range(appends):
        try:
            store.append(a_call(f"{m}", input="x" * 2000), a_call(f"{m}+"))
        except StoreError:
            continue
        os.write(told, f"{m} {m}+ ".encode())
    store.close()

for n in range(1, rounds + 1):
    shutil.copytree(place / "new", place / str(n))
    child = os.fork()
    if child == 0:
        write(n, place / str(n))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, n
"""

# Openings of new stores, where the n-th sync fails. What is there afterwards can be opened.
OPENERS = """
import os, sys
from pathlib import Path
from feilun.errors import StoreError
from feilun.store import open_store
import alembic.command, alembic.config, alembic.script

rounds, place = int(sys.argv[1]), Path(sys.argv[2])
for n in range(1, rounds + 1):
    child = os.fork()
    if child == 0:
        scratch = os.open(place / "scratch", os.O_RDWR | os.O_CREAT)
        for _ in range(rounds - n):
            os.fdatasync(scratch)
        try:
            open_store(place / str(n)).close()
        except StoreError:
            os._exit(7)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""

# Blobs, put by a child in which every second call of a kind fails, until it has failed often.
PUTTERS = """
import os, sys
from pathlib import Path
from feilun.errors import StoreError
from feilun.store.blobs import FolderBlobs

rounds, blobs, told = int(sys.argv[1]), FolderBlobs(Path(sys.argv[2])), {}
child = os.fork()  # strace counts its calls from here
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
for n in range(rounds):
    try:
        told[n] = blobs.put(b"%d" % n)
    except StoreError:
        pass
for n, address in told.items():
    assert blobs.fetch(address) == b"%d" % n
for n in range(rounds):
    assert blobs.fetch(blobs.put(b"%d" % n)) == b"%d" % n
print(rounds - len(told))
"""

# A disk of three megabytes, which grows at the end.
FULL = """
import subprocess, sys
from feilun.errors import StoreError
from feilun.records import Call
from feilun.store import open_store
from feilun.testing.contracts_store import a_call

store, told = open_store(sys.argv[1]), []

def append():
    store.append(a_call(str(len(told)), input="x" * 3000))
    told.append(str(len(told)))

try:
    while True:
        append()
except StoreError as error:
    print(error)
assert [call.id for call in store.read(Call)] == told
assert list(store.check()) == []
subprocess.run(["mount", "-o", "remount,size=8m", sys.argv[1]], check=True)
append()
store.close()
store = open_store(sys.argv[1])
assert [call.id for call in store.read(Call)] == told
assert list(store.check()) == []
print(len(told), "kept")
"""

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(feilun.__file__).parents[1])}


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, env=ENVIRONMENT, timeout=300, check=False
    )


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace: apt-get install strace")
@pytest.mark.parametrize(
    ("call", "error"), [("fdatasync", "EIO"), ("pwrite64", "ENOSPC"), ("pwrite64", "EIO")]
)
def test_whatever_call_fails_all_that_was_told_to_be_durable_was_synced_and_nothing_else_is_stored(
    tmp_path: Path, call: str, error: str
) -> None:
    trace = tmp_path / "trace"
    rule = f"inject={call}:error={error}:when={ROUNDS}..{ROUNDS + BROKEN - 1}"
    traced = ["strace", "-f", "-y", "-qq", "-o", str(trace), "-e", f"trace=fdatasync,write,{call}"]
    writers = [sys.executable, "-c", WRITERS, call, str(ROUNDS), str(APPENDS), str(tmp_path)]
    open_store(tmp_path / "new").close()
    done = run(*traced, "-e", rule, *writers)
    if NOT_HERE in done.stderr:
        pytest.skip("strace may not trace here")
    assert done.returncode == 0, done.stderr
    refused = 0
    for n in range(1, ROUNDS + 1):
        told = (tmp_path / str(n) / "told").read_text().split()
        with closing(open_store(tmp_path / str(n))) as store:
            assert [stored.id for stored in store.read(Call)] == told, n
            assert list(store.check()) == []
        assert told[-1] == f"{APPENDS - 1}+"  # the store went on when the disk did
        refused += APPENDS - len(told) // 2
    assert refused >= ROUNDS
    assert _told_without_a_sync(trace) == []


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace: apt-get install strace")
def test_a_store_that_a_failing_disk_did_not_let_be_made_can_be_made_afterwards(
    tmp_path: Path,
) -> None:
    rule = f"inject=fdatasync:error=EIO:when={ROUNDS}"
    traced = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", rule]
    done = run(*traced, sys.executable, "-c", OPENERS, str(ROUNDS), str(tmp_path))
    if NOT_HERE in done.stderr:
        pytest.skip("strace may not trace here")
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == {"0", "7"}
    for n in range(1, ROUNDS + 1):
        with closing(open_store(tmp_path / str(n))) as store:
            store.append(a_call("1"))
            assert list(store.check()) == []


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace: apt-get install strace")
@pytest.mark.parametrize(
    ("call", "error"),
    [("openat", "EIO"), ("write", "ENOSPC"), ("fsync", "EIO"), ("rename", "EIO")],
)
def test_a_blob_whose_writing_fails_is_refused_and_is_never_half_there(
    tmp_path: Path, call: str, error: str
) -> None:
    rule = f"inject={call}:error={error}:when=1..{ROUNDS - 1}+2"
    traced = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", rule]
    blobs = tmp_path / "blobs"
    blobs.mkdir()
    putters = [sys.executable, "-c", PUTTERS, str(2 * ROUNDS), str(blobs)]
    done = run(*traced, *putters)
    if NOT_HERE in done.stderr:
        pytest.skip("strace may not trace here")
    assert done.returncode == 0, done.stderr
    assert ROUNDS // 8 <= int(done.stdout) <= ROUNDS // 2  # a put has one call of a kind, or a few


def _told_without_a_sync(trace: Path) -> list[str]:
    """Lines of the trace that tell of an append, with no good sync of the log since the last."""
    false: list[str] = []
    synced = False
    for line in trace.read_text().splitlines():
        if "/told>" in line:
            if not synced:
                false.append(line)
            synced = False
        elif "fdatasync" in line and "feilun.db-wal>" in line:
            synced = synced or line.endswith("= 0")
    return false


@pytest.mark.skipif(
    shutil.which("unshare") is None or run("unshare", "-m", "true").returncode != 0,
    reason="needs root, to mount a small disk",
)
def test_a_disk_without_room_refuses_keeps_what_it_has_and_goes_on_when_there_is_room(
    tmp_path: Path,
) -> None:
    mount = 'mount -t tmpfs -o size=3m feilun "$1" && exec "$2" -c "$3" "$1"'
    done = run("unshare", "-m", "sh", "-c", mount, "sh", tmp_path, sys.executable, FULL)
    assert done.returncode == 0, done.stderr
    assert "has no room left" in done.stdout
    assert "Free some space" in done.stdout
    assert int(done.stdout.split()[-2]) > 100
