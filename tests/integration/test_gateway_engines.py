"""Engines that come and go while a gateway runs: no restart, and no call is lost by it."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic

import httpx
from gateway_server import Running, running
from typer.testing import CliRunner

from feilun.cli.engines import engines_app
from feilun.cli.options import DONE
from feilun.testing import upstream as up
from feilun.testing.upstream import Exchange, Upstream

_SOON = 8.0  # seconds: two looks at the file, a second apart, on a busy machine


def test_an_engine_is_added_and_removed_while_calls_are_at_work(tmp_path: Path) -> None:
    begun, may_end = threading.Event(), threading.Event()

    async def slow(exchange: Exchange) -> None:
        begun.set()
        await asyncio.to_thread(may_end.wait, 30)
        await up.chat()(exchange)

    with Upstream() as other, running(tmp_path) as server, ThreadPoolExecutor() as threads:
        file = str(tmp_path / "feilun.toml")
        _run("add", "other", other.url, "--model", "new-1", "--config", file)
        _wait(lambda: "new-1" in _models(server))
        other.script = [slow]
        at_work = threads.submit(_ask, server, "new-1")
        assert begun.wait(10)
        _run("remove", "other", "--config", file)
        _wait(lambda: "new-1" not in _models(server))
        assert _ask(server, "new-1").status_code == 404
        may_end.set()
        assert at_work.result().status_code == 200
        assert _ask(server, "mock-small").status_code == 200


def test_a_broken_file_keeps_the_engines_and_health_and_log_say_so(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        file = tmp_path / "feilun.toml"
        whole = file.read_text(encoding="utf-8")
        file.write_text(whole + "\n[engines.broken]\n", encoding="utf-8")
        _wait(lambda: _health(server)["config"] != "ok")
        assert _health(server)["status"] == "ok"
        assert str(tmp_path) not in httpx.get(server.url + "/healthz").text
        assert "feilun_config_broken 1" in httpx.get(server.url + "/metrics").text
        assert _ask(server, "mock-small").status_code == 200
        file.write_text(whole, encoding="utf-8")
        _wait(lambda: _health(server)["config"] == "ok")
    assert "engines.broken.url" in server.log.read_text(encoding="utf-8")


def _run(*words: str) -> None:
    assert CliRunner().invoke(engines_app, list(words)).exit_code == DONE


def _ask(server: Running, model: str) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
    return httpx.post(
        server.url + "/v1/chat/completions", json=body, headers=server.headers, timeout=30
    )


def _models(server: Running) -> list[str]:
    told = httpx.get(server.url + "/v1/models", headers=server.headers).json()
    return [each["id"] for each in told["data"]]


def _health(server: Running) -> dict[str, str]:
    found: dict[str, str] = httpx.get(server.url + "/healthz").json()
    return found


def _wait(holds: Callable[[], bool]) -> None:
    """Ask until it holds: each look is a request, which takes its time."""
    until = monotonic() + _SOON
    while not holds():
        assert monotonic() < until
