"""Bad engines and clients: one clear error in time, nothing left behind, the next call is well."""

import asyncio
import gzip
import json
import socket
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import monotonic

import httpx
import pytest
from gateway_server import Running, end, running

from feilun.records import Call, Ended, Json
from feilun.store import open_store
from feilun.testing import upstream as up
from feilun.testing.upstream import Behaviour, Exchange, Upstream

_LIMIT = 8.0  # seconds in which a client knows: the engines' timeouts are 2 in all
_TOML = """
[engines.mock]
retries = 0
timeouts = {connect = 0.5, first_byte = 0.6, idle = 0.6, total = 2.0}
"""
_SAID: dict[str, Json] = {"choices": [{"index": 0, "delta": {"content": "Hi"}}]}
_EVENT = up.event(_SAID)
_JSON = up.whole(b'{"object":"chat.completion","choices":[]}')
_LONG_EVENT = up.event({"choices": [{"index": 0, "delta": {"content": "x" * (1 << 16)}}]})
_BOMB = gzip.compress(bytes(1 << 24)) * 64  # 1 MB that unpacks to 1 GB

_answered: defaultdict[Path, list[str]] = defaultdict(list)  # ids of calls, by store

FAULTS: dict[str, Behaviour] = {
    "hangs": up.hang,
    "hangs in the head": up.hang_after(b"HTTP/1.1 200 OK\r\ncontent-"),
    "hangs before the body": up.hang_after(up.SSE_HEAD),
    "hangs in the stream": up.hang_after(up.SSE_HEAD + up.chunk(_EVENT)),
    "resets at once": up.reset_after(),
    "closes at once": up.close_after(),
    "dies in the JSON": up.cut_json,
    "dies in the stream": up.cut_stream,
    "resets in the stream": up.reset_after(up.SSE_HEAD + up.chunk(_EVENT)),
    "a bad chunk": up.bad_chunk,
    "half an event": up.half_event,
    "events that are no JSON": up.not_json,
    "no end of the stream": up.no_done,
    "a line of 10 MB": up.long_line,
    "no HTTP": up.no_http,
    "101 headers": up.too_many_headers,
    "a long header": up.long_header,
    "more than its length": up.surplus,
    "gzip": up.zipped(),
    "a page": up.wrong_type(),
    "a page with 502": up.wrong_type(status=502),
    "500": up.error(500),
    "503": up.error(503),
    "429": up.error(429),
    "429 with Retry-After": up.error(429, retry_after="7"),
    "400": up.error(400),
    "401": up.error(401),
    "resets in the head": up.reset_at(_JSON, 20),
    "resets in the JSON": up.reset_at(_JSON, len(_JSON) - 9),
    "hangs in the JSON": up.hang_after(_JSON[:-9]),
    "drips the head": up.drip(_JSON, 0.05),
    "drips the stream": up.drip(up.SSE_HEAD + up.chunk(_EVENT) * 9, 0.05, 40),
    "a head without end": up.endless(b"x-a: b\r\n", up.head(200)[:-2]),
    "announcements without end": up.endless(up.head(100), b""),
    "trailers without end": up.endless(b"x: y\r\n", up.SSE_HEAD + b"0\r\n"),
    "a body without end": up.endless(up.chunk(_LONG_EVENT)),
    "a line without end": up.endless(up.chunk(b"x" * (1 << 16)), up.SSE_HEAD + up.chunk(b"data: ")),
    "two lengths": up.raw(up.head(200, [("content-length", "5"), ("content-length", "6")]) + b"no"),
    "another protocol": up.raw(up.head(101, [("upgrade", "x"), ("connection", "upgrade")])),
    "a gzip bomb": up.raw(up.whole(_BOMB, extra=[("content-encoding", "gzip")])),
}


@pytest.fixture(scope="module")
def second() -> Iterator[Upstream]:
    with Upstream() as found:
        yield found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, second: Upstream) -> Iterator[Running]:
    toml = _TOML + (
        f'[engines.second]\nurl = "{second.url}"\nmodels = ["spare"]\n'
        f'[engines.nameless]\nurl = "http://{"a" * 70}.example/v1"\nmodels = ["unknown"]\n'
        '[aliases]\nboth = ["mock-small", "spare"]\n'
    )
    with running(tmp_path_factory.mktemp("gateway"), toml) as found:
        yield found
        end(found.process, found.log)
        _check_kept(found.store)


def test_there_are_forty_faults() -> None:
    assert len(FAULTS) == 40


def _ask(server: Running, *, stream: bool, model: str = "mock-small") -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": stream}
    answer = httpx.post(
        server.url + "/v1/chat/completions", json=body, headers=server.headers, timeout=_LIMIT
    )
    if answer.status_code == 200:
        _answered[server.store].append(answer.headers["x-feilun-call"])
    return answer


@pytest.mark.parametrize("stream", [False, True], ids=["JSON", "SSE"])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_bad_engine_costs_one_clear_error(
    server: Running, fault: Behaviour, stream: bool
) -> None:
    server.upstream.script = [fault]
    begun = monotonic()
    _check_told(_ask(server, stream=stream))
    assert monotonic() - begun < _LIMIT
    _check_well(server)


@pytest.mark.parametrize("stream", [False, True], ids=["JSON", "SSE"])
def test_an_engine_that_is_not_there_is_said_to_be_away(server: Running, stream: bool) -> None:
    server.upstream.go_away()
    try:
        answer = _ask(server, stream=stream)
    finally:
        server.upstream.come_back()
    assert answer.status_code == 502
    assert "cannot be reached" in answer.json()["error"]["message"]
    _check_well(server)


def test_an_engine_whose_name_nobody_knows_is_said_to_be_away(server: Running) -> None:
    answer = _ask(server, stream=False, model="unknown")
    assert answer.status_code == 502
    assert answer.json()["error"]["message"]
    _check_well(server)


@pytest.mark.parametrize("asked", [None, "7"])
def test_429_and_its_patience_reach_the_client(server: Running, asked: str | None) -> None:
    server.upstream.script = [up.error(429, retry_after=asked)]
    answer = _ask(server, stream=False)
    assert answer.status_code == 429
    assert answer.headers.get("retry-after") == asked
    _check_well(server)


@pytest.mark.parametrize("stream", [False, True], ids=["JSON", "SSE"])
@pytest.mark.parametrize("fault", ["hangs", "500", "429", "no HTTP"])
def test_an_alias_goes_on_to_the_second_engine(
    server: Running, second: Upstream, fault: str, stream: bool
) -> None:
    server.upstream.script = [FAULTS[fault]]
    second.requests.clear()
    answer = _ask(server, stream=stream, model="both")
    assert answer.status_code == 200
    assert answer.headers["x-feilun-variant"] == "spare"
    assert [r.json["model"] for r in second.requests] == ["spare"]
    _check_well(server)


@pytest.mark.parametrize("fault", ["500", "hangs", "no HTTP"])
def test_a_request_that_its_engine_always_fails_at_takes_the_engine_from_nobody(
    server: Running, fault: str
) -> None:
    for _ in range(6):
        server.upstream.script = [FAULTS[fault]]
        assert _ask(server, stream=False).status_code >= 500
    other = {"model": "mock-small", "messages": [{"role": "user", "content": "another"}]}
    url = server.url + "/v1/chat/completions"
    answer = httpx.post(url, json=other, headers=server.headers, timeout=_LIMIT)
    assert answer.status_code == 200
    assert len(server.upstream.script) == 0  # each was sent, so the engine was never at rest
    _check_well(server)


def test_a_client_that_leaves_stops_the_engine_and_its_call_is_kept(tmp_path: Path) -> None:
    async def talk_on(exchange: Exchange) -> None:
        await exchange.send(up.SSE_HEAD)
        while True:
            await exchange.send(up.chunk(_EVENT))
            await asyncio.sleep(0.02)

    with running(tmp_path) as server:
        server.upstream.script = [talk_on]
        body = {"model": "mock-small", "stream": True, "messages": []}
        with httpx.stream(
            "POST", server.url + "/v1/chat/completions", json=body, headers=server.headers
        ) as answer:
            id = answer.headers["x-feilun-call"]
            next(answer.iter_raw())
        assert server.upstream.wait_until(lambda: server.upstream.connections_open == 0, 3)
        end(server.process, server.log)
        with closing(open_store(server.store)) as store:
            call = store.get(Call, id)
    assert call.ended is Ended.CLIENT_LEFT
    assert call.output["content"].startswith("Hi")


def test_a_client_that_does_not_read_slows_the_engine(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        server.upstream.script = [up.endless(up.chunk(_EVENT * 100))]
        url = httpx.URL(server.url)
        body = json.dumps({"model": "mock-small", "stream": True, "messages": []}).encode()
        with socket.create_connection((url.host, url.port or 80)) as wire:
            wire.sendall(
                b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %s\r\n"
                b"content-length: %d\r\n\r\n%s" % (server.key.encode(), len(body), body)
            )
            wire.recv(100)
            (exchange,) = server.upstream.exchanges
            assert not server.upstream.wait_until(lambda: exchange.sent > 32 << 20, 1.0)
            _check_well(server)  # others are served meanwhile
        assert server.upstream.wait_until(lambda: server.upstream.connections_open <= 1, 3)


def _check_told(answer: httpx.Response) -> None:
    """A good answer, or an error that its dialect has words for."""
    if answer.status_code >= 400:
        assert answer.json()["error"]["message"]
    elif answer.headers["content-type"].startswith("text/event-stream"):
        events = [e.removeprefix("data: ") for e in answer.text.strip().split("\n\n")]
        assert events[-1] == "[DONE]" or "error" in json.loads(events[-1]), events[-2:]
    else:
        assert "choices" in answer.json()


def _check_well(server: Running) -> None:
    """Two good calls, so that the breaker sees most go well; no connection but the pool's own."""
    for stream in (False, True):
        answer = _ask(server, stream=stream)
        assert answer.status_code == 200, answer.text
    assert server.upstream.wait_until(lambda: server.upstream.connections_open <= 2, 3)
    assert not server.upstream.failures


def _check_kept(folder: Path) -> None:
    """The store is whole, and has each call that was answered exactly once."""
    with closing(open_store(folder)) as store:
        assert list(store.check()) == []
        kept = Counter(call.id for call in store.read(Call))
    assert {id: kept[id] for id in _answered[folder]} == dict.fromkeys(_answered[folder], 1)
