"""Hedging over the wire: the client has its answer, and the engine that lost is left at once."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from gateway_server import Running, end, running

from feilun.clock import SystemClock
from feilun.gateway.keys import issue
from feilun.records import Call, Ended, Json, Limits
from feilun.store import open_store
from feilun.testing import upstream as up
from feilun.testing.upstream import Exchange, Upstream

SAID = "Good morning from the model."
SPEAKS = [
    ("/v1/chat/completions", "openai"),
    ("/v1/chat/completions", "anthropic"),
    ("/v1/messages", "openai"),
    ("/v1/messages", "anthropic"),
]


@pytest.fixture(scope="module")
def second() -> Iterator[Upstream]:
    with Upstream() as found:
        yield found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, second: Upstream) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("gateway"), _toml(second)) as found:
        yield found


def _toml(second: Upstream) -> str:
    return f"""
[engines.mock]
hedge_seconds = 0.05
[engines.openai]
url = "{second.url}"
models = ["spare-openai"]
[engines.anthropic]
url = "{second.url}"
models = ["spare-anthropic"]
dialect = "anthropic"
[aliases]
openai = ["mock-small", "spare-openai"]
anthropic = ["mock-small", "spare-anthropic"]
"""


def _ask(server: Running, path: str, model: str, *, stream: bool = False) -> httpx.Response:
    asked: dict[str, Json] = {"model": model, "max_tokens": 16, "stream": stream}
    asked["messages"] = [{"role": "user", "content": "hi"}]
    return httpx.post(server.url + path, json=asked, headers=server.headers, timeout=10)


@pytest.mark.parametrize("stream", [False, True], ids=["JSON", "SSE"])
@pytest.mark.parametrize(("path", "dialect"), SPEAKS)
def test_the_next_engine_answers_for_one_that_is_silent(
    server: Running, path: str, dialect: str, stream: bool
) -> None:
    server.upstream.script = [up.hang]
    answer = _ask(server, path, dialect, stream=stream)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-feilun-variant"] == f"spare-{dialect}"
    words = SAID.split()
    assert all(word in answer.text for word in words)
    assert server.upstream.wait_until(lambda: server.upstream.connections_open == 0, 3)


def test_an_engine_that_begins_late_and_first_is_kept_and_the_copy_is_left(
    server: Running, second: Upstream
) -> None:
    copied = threading.Event()

    async def late(exchange: Exchange) -> None:
        await asyncio.to_thread(copied.wait, 5)
        await up.chat()(exchange)

    async def copy(exchange: Exchange) -> None:
        copied.set()
        await exchange.hang()

    server.upstream.script, second.script = [late], [copy]
    answer = _ask(server, "/v1/chat/completions", "openai")
    assert answer.headers["x-feilun-variant"] == "mock-small"
    assert copied.is_set()
    assert second.wait_until(lambda: second.connections_open == 0, 3)


def test_the_log_and_the_metrics_say_what_hedging_took(tmp_path: Path, second: Upstream) -> None:
    with running(tmp_path, _toml(second)) as server:
        server.upstream.script = [up.hang]
        id = _ask(server, "/v1/chat/completions", "openai").headers["x-feilun-call"]
        metrics = httpx.get(server.url + "/metrics").text
        end(server.process, server.log)
        with closing(open_store(server.store)) as store:
            lost, told = sorted(store.read(Call), key=lambda call: call.ended is Ended.COMPLETE)
    assert 'feilun_hedged_total{engine="mock"} 1' in metrics
    assert (told.id, told.variant) == (id, "spare-openai")
    assert (lost.ended, lost.parent, lost.variant) == (Ended.OVERTAKEN, id, "mock-small")
    assert (lost.tokens_in, lost.tokens_out, lost.output) == (None, None, None)
    assert lost.seconds >= 0.05


def test_a_task_is_hedged_where_its_teacher_is_and_its_log_says_so(
    tmp_path: Path, second: Upstream
) -> None:
    task = {
        "instructions": "Greet.", "output_schema": {"type": "string"}, "red_line": {"max_loss": 0.1}
    }  # fmt: skip
    with running(tmp_path, 'teacher = "openai"\n' + _toml(second)) as server:
        with httpx.Client(base_url=server.url, headers=server.headers) as client:
            assert client.put("/v1/tasks/greet", json=task).status_code == 200
            server.upstream.script, second.script = [up.hang], [up.chat(f'"{SAID}"')]
            told = client.post("/v1/tasks/greet/calls", json={"input": "hi"}).json()
        end(server.process, server.log)
        with closing(open_store(server.store)) as store:
            lost, kept = sorted(
                store.read(Call, "greet"), key=lambda call: call.ended is Ended.COMPLETE
            )
    assert (told["variant"], told["id"]) == ("spare-openai", kept.id)
    assert (lost.ended, lost.parent, lost.variant) == (Ended.OVERTAKEN, kept.id, "mock-small")


def test_a_key_with_a_budget_is_not_hedged_for_nobody_counts_what_the_loser_took(
    tmp_path: Path, second: Upstream
) -> None:
    toml = _toml(second).replace(
        "hedge_seconds = 0.05", "hedge_seconds = 0.05\ntimeouts = {first_byte = 0.5}"
    )
    with closing(open_store(tmp_path / "store")) as store:
        limits = Limits(tokens_per_day=1_000_000)
        issued = issue(store, SystemClock(), "web", limits=limits)
    with running(tmp_path, toml) as server:
        server.upstream.script = [up.hang]
        answer = httpx.post(
            server.url + "/v1/chat/completions",
            json={"model": "openai", "messages": [{"role": "user", "content": "hi"}]},
            headers={"authorization": f"Bearer {issued.secret.get_secret_value()}"},
        )
        metrics = httpx.get(server.url + "/metrics").text
    assert answer.headers["x-feilun-variant"] == "spare-openai"  # when the first was given up
    assert "feilun_hedged_total{" not in metrics
