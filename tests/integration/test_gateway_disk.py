"""A gateway on a disk that fills up, or that may not be written: it says so, and it recovers.

Each disk is a small tmpfs in a mount namespace of the gateway's own, which needs root.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from gateway_server import Running, running

import feilun

_BODY = {"model": "mock-small", "messages": [{"role": "user", "content": "x" * 50_000}]}
_UP = "from feilun.cli import main; main()"

# $0 the folder, $1 the mount's options, $2 what happens before the rest is run.
_MOUNTED = 'mount -t tmpfs -o "$1" feilun "$0" && eval "$2" && shift 2 && exec "$@"'

_OPEN_AND_PUT = """
import subprocess, sys
from feilun.errors import StoreError
from feilun.store import open_store

store = open_store(".")
try:
    for n in range(1000):
        last = store.put(b"%d" % n)
except StoreError as error:
    print(error)
assert store.fetch(last) == b"%d" % (n - 1)
subprocess.run(["mount", "-o", "remount,nr_inodes=0", "."], check=True)
assert store.fetch(store.put(b"%d" % n)) == b"%d" % n
store.close()
"""


def _may_mount() -> bool:
    return (
        shutil.which("unshare") is not None
        and not subprocess.run(
            ["unshare", "-m", "true"], capture_output=True, check=False
        ).returncode
    )


pytestmark = pytest.mark.skipif(not _may_mount(), reason="needs root, to mount a small disk")


def test_a_full_disk_refuses_calls_and_takes_them_again_when_it_has_room(tmp_path: Path) -> None:
    with _on_a_disk(tmp_path, '[capture]\nwhen_away = "refuse"\n') as server:
        answer = _ask(server)
        while answer.status_code == 200:
            answer = _ask(server)
        assert answer.status_code in (503, 507)
        assert "room" in answer.json()["error"]["message"]
        assert httpx.get(server.url + "/healthz").status_code == 503  # it says so itself
        _grow(server)
        while (answer := _ask(server)).status_code != 200:
            assert answer.status_code in (503, 507)
        assert _is_kept(server, answer)


def test_a_full_disk_may_be_answered_over_and_what_was_kept_back_is_written_later(
    tmp_path: Path,
) -> None:
    with _on_a_disk(tmp_path, '[capture]\nwhen_away = "answer"\n') as server:
        last = _ask(server)
        while _is_kept(server, last):
            last = _ask(server)
            assert last.status_code == 200
        _grow(server)
        while not _is_kept(server, last):
            assert _ask(server).status_code == 200


@pytest.mark.parametrize(
    ("options", "fill", "heal"),
    [
        ("size=8m,nr_inodes=6", "touch 1 2 3 4", "rm 1 2 3 4"),
        ("size=8m", "mount -o remount,ro .", "mount -o remount,rw ."),
        ("size=8k", "head -c 8192 /dev/zero > 1", "mount -o remount,size=8m ."),
    ],
    ids=["no inode", "read-only", "no room"],
)
def test_a_disk_on_which_no_store_can_be_made_ends_the_start_with_one_clear_error(
    tmp_path: Path, options: str, fill: str, heal: str
) -> None:
    keys = [sys.executable, "-c", _UP, "keys", "create", "x", "--json", "--store", "store"]
    broken = _run(tmp_path, options, fill, *keys)
    assert broken.returncode not in (0, -11)
    assert "Traceback" not in broken.stderr
    assert "store" in broken.stderr
    again = ["sh", "-c", f'"$@"; {heal}; exec "$@"', "sh", *keys]
    healed = _run(tmp_path, options, fill, *again)
    assert healed.returncode == 0, healed.stderr
    assert json.loads(healed.stdout)


def test_a_disk_without_inodes_refuses_a_blob_and_keeps_the_others(tmp_path: Path) -> None:
    done = _run(tmp_path, "size=8m,nr_inodes=60", ":", sys.executable, "-c", _OPEN_AND_PUT)
    assert done.returncode == 0, done.stderr
    assert "Free some space" in done.stdout


@contextmanager
def _on_a_disk(folder: Path, toml: str) -> Iterator[Running]:
    store = folder / "store"
    store.mkdir()
    through = ("unshare", "-m", "sh", "-c", _MOUNTED, str(store), "size=2m", ":")
    with running(folder, toml, through=through) as server:
        yield server


def _grow(server: Running) -> None:
    """Give the disk room, in the namespace of the gateway."""
    inside = ["nsenter", "-t", str(server.process.pid), "-m"]
    bigger = ["mount", "-o", "remount,size=64m", str(server.store)]
    subprocess.run([*inside, *bigger], check=True)


def _run(folder: Path, options: str, fill: str, *command: str) -> subprocess.CompletedProcess[str]:
    inside = f'cd "$0" && {fill}'
    return subprocess.run(
        ["unshare", "-m", "sh", "-c", _MOUNTED, str(folder), options, inside, *command],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(feilun.__file__).parents[1])},
        check=False,
    )


def _ask(server: Running) -> httpx.Response:
    url = server.url + "/v1/chat/completions"
    return httpx.post(url, json=_BODY, headers=server.headers, timeout=10)


def _is_kept(server: Running, answer: httpx.Response) -> bool:
    url = f"{server.url}/v1/calls/{answer.headers['x-feilun-call']}"
    return httpx.get(url, headers=server.headers).status_code == 200
