"""The figure that CI keeps of the gateway: what it lets pass, and that its load is in step.

The scripts of benchmarks/gateway are no package: they find each other beside themselves.
"""

import asyncio
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks" / "gateway"

TRACE = b"""\
SYSCALL[411,1](232) sys_epoll_wait ( 5, 0x1ffeffd2b0, 1024, 12 ) --> [async] ...
SYSCALL[411,1](232) ... [async] --> Success(0x1)
SYSCALL[411,1](  0) sys_read ( 9, 0x4e5c2f0, 256000 ) --> [async] ...
SYSCALL[411,1](  0) ... [async] --> Success(0x1a4)
SYSCALL[411,1](228) sys_clock_gettime( 1, 0x1ffeffcf40 ) --> [pre-success] Success(0x0)
SYSCALL[411,2]( 39) sys_getpid ( ) --> [pre-success] Success(0x19b)
SYSCALL[411,4](202) sys_futex ( 0x4e1a5f8, 393, 0, 0x0 ) --> [async] ...
SYSCALL[411,1](  1) sys_write ( 9, 0x5fd7b50, 618 ) --> [async] ...
==411== a line of valgrind itself
SYSCALL[411,2]( 18) sys_pwrite64 ( 7, 0x5aa1c38, 4096, 8192 ) --> [async] ...
"""


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ModuleType]]:
    monkeypatch.syspath_prepend(str(FOLDER))
    before = set(sys.modules)
    yield {name: importlib.import_module(name) for name in ("callgrind", "check", "lockstep")}
    for name in set(sys.modules) - before:  # names such as `load` belong to nobody else
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(FOLDER)):
            del sys.modules[name]


@pytest.fixture
def check(scripts: dict[str, ModuleType]) -> ModuleType:
    return scripts["check"]


def test_a_rise_of_15_percent_passes_and_one_more_does_not(check: ModuleType) -> None:
    kept = check.Figure(check.Share(8.0, 20.0), check.Share(10.0, 60.0))
    most = check.Figure(check.Share(8.0 * 1.149, 20.0 * 1.149), check.Share(1.0, 1.0))
    assert most.failures(kept) == []
    for worse, what in (
        (
            kept._replace(json=check.Share(8.0 * 1.16, 20.0)),
            "JSON: instructions a call rose by 16%",
        ),
        (
            kept._replace(sse=check.Share(10.0, 60.0 * 1.2)),
            "streams: system calls a call rose by 20%",
        ),
    ):
        (said,) = worse.failures(kept)
        assert said.startswith(what)
        assert "make bench-gateway-baseline" in said


def test_the_baseline_is_read_as_it_was_written(
    check: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(check, "BASELINE", tmp_path / "baseline.json")
    with pytest.raises(Exception, match="make bench-gateway-baseline"):
        check.read_baseline()
    kept = check.Figure(check.Share(8.27, 14.84), check.Share(7.63, 77.11))
    check.write_baseline(kept)
    assert check.read_baseline() == kept


def test_the_baseline_in_the_tree_is_a_figure(check: ModuleType) -> None:
    kept = check.read_baseline()
    assert min(*kept.json, *kept.sse) > 1


def test_waiting_and_reading_the_clock_are_no_counted_system_calls(
    scripts: dict[str, ModuleType],
) -> None:
    assert scripts["callgrind"].system_calls(TRACE) == 3


def test_without_valgrind_it_says_what_to_install(
    scripts: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Exception, match="apt-get install valgrind"):
        scripts["callgrind"].Counter(tmp_path)


@pytest.mark.parametrize("stream", [False, True])
def test_each_client_gets_each_of_its_answers_whole(
    scripts: dict[str, ModuleType], stream: bool
) -> None:
    async def ask() -> int:
        upstream = scripts["lockstep"].Upstream()
        async with upstream.running():
            target = sys.modules["target"].Target("upstream", "", urlsplit(upstream.url).port)
            clients = scripts["lockstep"].Clients(target, upstream)
            calls = await clients.ask(stream, times=2)
            clients.close()
            return calls

    assert asyncio.run(ask()) == 2 * scripts["lockstep"].CLIENTS


def test_the_upstream_sends_an_event_when_all_have_asked_and_it_may(
    scripts: dict[str, ModuleType],
) -> None:
    asked = b'POST / HTTP/1.1\r\ncontent-length: 15\r\n\r\n{"stream":true}'

    async def first_events() -> list[int]:
        upstream = scripts["lockstep"].Upstream()
        async with upstream.running():
            port = urlsplit(upstream.url).port
            first, second, *_ = upstream.hold(stream=True)
            lines = [
                await asyncio.open_connection("127.0.0.1", port)
                for _ in range(scripts["lockstep"].CLIENTS)
            ]
            first.set()
            for _, writer in lines:
                writer.write(asked)
            counts = [(await reader.read(1 << 16)).count(b"data:") for reader, _ in lines]
            second.set()
            counts += [(await reader.read(1 << 16)).count(b"data:") for reader, _ in lines]
            for _, writer in lines:
                writer.close()
            return counts

    assert asyncio.run(first_events()) == [1] * 2 * scripts["lockstep"].CLIENTS
