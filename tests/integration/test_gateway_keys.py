"""Keys at the door: each scope opens its routes alone, no secret stays anywhere, a revoke acts."""

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import httpx
import pytest
from gateway_server import Running, end, running

from feilun.clock import SystemClock
from feilun.gateway.keys import issue, revoke
from feilun.gateway.routes import ROUTES, Route
from feilun.records import Json, Scope
from feilun.store import open_store
from feilun.testing.upstream import error

_ENGINE_SECRET = "sk-of-the-engine-0123456789"  # noqa: S105 - of no engine
_SHOWN = ("cmdline", "comm", "status")
_KEY = re.compile(rb"fl_live_\w{16}|sk-[A-Za-z0-9-]{20}|-----BEGIN [A-Z ]*PRIVATE KEY")
_SENT_BY = ("authorization", "x-api-key")
_CHAT = {"model": "mock-small", "messages": [{"role": "user", "content": "hi"}]}


@dataclass(frozen=True)
class _House:
    """A gateway, and a key for each scope alone."""

    server: Running
    keys: dict[Scope, str]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_House]:
    folder = tmp_path_factory.mktemp("gateway")
    with closing(open_store(folder / "store")) as store:
        keys = {
            scope: issue(store, SystemClock(), scope.value, scopes=(scope,))
            .secret.get_secret_value()
            for scope in Scope
        }  # fmt: skip
    with running(folder) as server:
        yield _House(server, keys)


@pytest.mark.parametrize("header", _SENT_BY)
@pytest.mark.parametrize("route", ROUTES, ids=lambda r: f"{r.method} {r.path}")
def test_a_route_opens_to_its_scope_and_to_no_other(
    house: _House, route: Route, header: str
) -> None:
    for scope, key in house.keys.items():
        status = _ask(house.server, route, header, key)
        if route.scope is None or scope in (route.scope, Scope.ADMIN):
            assert status not in (401, 403), scope
        else:
            assert status == 403, scope


@pytest.mark.parametrize("route", ROUTES, ids=lambda r: f"{r.method} {r.path}")
def test_without_a_valid_key_only_the_open_routes_answer(house: _House, route: Route) -> None:
    good = house.keys[Scope.ADMIN]
    slipped = good[:-1] + ("0" if good[-1] != "0" else "1")
    for header in _SENT_BY:
        for key in ("x", slipped, good.lower() + "A", good + good):
            assert (_ask(house.server, route, header, key) == 401) == (route.scope is not None)


def test_a_revoked_key_is_refused_within_two_seconds(tmp_path: Path) -> None:
    with (
        running(tmp_path) as server,
        closing(open_store(server.store)) as store,
        httpx.Client(base_url=server.url, headers=server.headers) as client,
    ):
        assert client.get("/v1/models").status_code == 200
        revoke(store, SystemClock(), "first")
        revoked = monotonic()
        while client.get("/v1/models").status_code == 200:
            assert monotonic() - revoked < 2.0
        assert client.get("/v1/models").status_code == 401


def test_no_secret_lies_in_the_store_the_log_or_an_answer(tmp_path: Path) -> None:
    toml = '[engines.mock]\nretries = 0\nkey_env = "ENGINE_SECRET"\n'
    heard: list[bytes] = []
    with running(tmp_path, toml, {"ENGINE_SECRET": _ENGINE_SECRET}) as server:
        for stream in (False, True):
            for script in ([], [error(401)], [error(500)]):
                server.upstream.script = list(script)
                heard.append(_said(server, server.headers, stream=stream))
        heard.append(_said(server, {"authorization": f"Bearer {server.key}x"}, stream=False))
        heard += [httpx.get(server.url + p).content for p in ("/healthz", "/metrics")]
        passed = [r.headers for r in server.upstream.requests]
        end(server.process, server.log)
        assert server.process.stdout is not None
        heard.append(server.process.stdout.read().encode())
    heard += [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    for secret in (server.key, server.key[8:-4], _ENGINE_SECRET):
        assert not [text[:200] for text in heard if secret.encode() in text]
    assert {each["authorization"] for each in passed} == {f"Bearer {_ENGINE_SECRET}"}
    assert server.key not in repr(server)


def test_no_secret_lies_in_what_a_shot_gateway_leaves_behind_or_shows_of_itself(
    tmp_path: Path,
) -> None:
    toml = '[engines.mock]\nretries = 0\nkey_env = "ENGINE_SECRET"\n'
    with running(tmp_path, toml, {"ENGINE_SECRET": _ENGINE_SECRET}) as server:
        for script in ([], [error(500)]):
            server.upstream.script = list(script)
            _said(server, server.headers, stream=False)
        shown = [Path(f"/proc/{server.process.pid}/{name}").read_bytes() for name in _SHOWN]
        server.process.kill()
        server.process.wait()
    left = {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert "feilun.db-wal" in left  # nobody has tidied up
    for secret in (server.key, server.key[8:-4], _ENGINE_SECRET):
        assert not [name for name, text in left.items() if secret.encode() in text]
        assert not [text for text in shown if secret.encode() in text]


def test_no_file_of_the_source_holds_a_key() -> None:
    source = Path(__file__).parents[2] / "src"
    found = [
        path
        for path in source.rglob("*")
        if path.is_file() and path.suffix != ".pyc" and _KEY.search(path.read_bytes())
    ]
    assert not found


def _ask(server: Running, route: Route, header: str, key: str) -> int:
    value = f"Bearer {key}" if header == "authorization" else key
    path = re.sub(r"\{\w+\}", "none", route.path)
    body: Json = None if route.method == "GET" else {}
    answer = httpx.request(route.method, server.url + path, json=body, headers={header: value})
    return answer.status_code


def _said(server: Running, headers: dict[str, str], *, stream: bool) -> bytes:
    body = {**_CHAT, "stream": stream}
    answer = httpx.post(server.url + "/v1/chat/completions", json=body, headers=headers)
    return str(answer.headers).encode() + answer.content
