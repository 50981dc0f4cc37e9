"""Engines on model servers: good servers, servers that know less, and bad ones."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from pydantic import SecretStr

from feilun.errors import (
    BrokenReply,
    EngineError,
    InputError,
    Refused,
    TaskError,
    TimedOut,
    Unreachable,
)
from feilun.models.remote import RemoteEngine, RemoteServer
from feilun.models.wire import Dialect, Timeouts
from feilun.ports import Engine
from feilun.records import Json
from feilun.testing import upstream
from feilun.testing.contracts_engine import EngineContract
from feilun.testing.kiosk import KIOSK
from feilun.testing.upstream import Behaviour, Exchange, Upstream

KNOWN = {"green tea": "drinks", "报纸": "papers", "": "fruit"}
KEY = "sk-very-secret"
SHORT = Timeouts(connect=1.0, first_byte=0.2, total=0.4)


def last_text(body: Mapping[str, Any]) -> str:
    """What the last message of a request says, in either dialect."""
    content = body["messages"][-1]["content"]
    if isinstance(content, str):
        return content
    return str(content[0]["text"]) if content else ""


def kiosk(say: Callable[..., Behaviour]) -> Behaviour:
    """A model that knows the kiosk's goods, and refuses what it does not know."""

    async def behave(exchange: Exchange) -> None:
        label = KNOWN.get(last_text(exchange.request.json))
        await (say(f'"{label}"') if label else upstream.error(500))(exchange)

    return behave


@pytest.fixture
def up() -> Iterator[Upstream]:
    with Upstream() as server:
        yield server


@pytest.fixture
def server(up: Upstream) -> Iterator[RemoteServer]:
    with RemoteServer(up.url, secret=SecretStr(KEY), timeouts=SHORT) as found:
        yield found


class _Remote(EngineContract):
    dialect: Dialect
    say: Callable[..., Behaviour]

    @pytest.fixture
    def engine(self, up: Upstream) -> Iterator[Engine]:
        up.behave(kiosk(type(self).say))
        with RemoteServer(up.url, dialect=self.dialect) as server:
            yield RemoteEngine("house", server, "mock-small")

    @pytest.fixture
    def known(self) -> Mapping[str, Json]:
        return KNOWN

    @pytest.fixture
    def unanswerable(self) -> Json:
        return {"never": "asked"}


class TestOpenAI(_Remote):
    dialect = "openai"
    say = staticmethod(upstream.chat)


class TestAnthropic(_Remote):
    dialect = "anthropic"
    say = staticmethod(upstream.messages)


def test_a_server_is_asked_by_its_own_name_of_the_model_with_the_key(
    up: Upstream, server: RemoteServer
) -> None:
    up.script = [upstream.chat('"drinks"')]
    answer = RemoteEngine("house", server, "mock-large").answer(KIOSK, "tea")
    assert answer.tokens_in is not None
    asked = up.requests[0]
    assert (asked.method, asked.path) == ("POST", "/v1/chat/completions")
    assert asked.json["model"] == "mock-large"
    assert asked.json["response_format"]["type"] == "json_schema"
    assert ("authorization", f"Bearer {KEY}") in spoken(asked)


def test_anthropics_servers_are_greeted_as_they_wish(up: Upstream) -> None:
    up.script = [upstream.messages("drinks")]
    with RemoteServer(up.url, dialect="anthropic", secret=SecretStr(KEY)) as server:
        RemoteEngine("claude", server).answer(KIOSK, "tea")
    asked = up.requests[0]
    assert asked.path == "/v1/messages"
    assert asked.json["system"].startswith(KIOSK.instructions)
    assert {("x-api-key", KEY), ("anthropic-version", "2023-06-01")} <= spoken(asked)


def spoken(request: upstream.Request) -> set[tuple[str, str]]:
    """The headers of a request, as pairs."""
    return set(request.headers.items())


def test_the_models_of_a_server_are_listed(server: RemoteServer) -> None:
    assert server.models() == ["mock-small", "mock-large"]


def test_what_a_server_refuses_to_take_is_left_out_from_then_on(
    up: Upstream, server: RemoteServer
) -> None:
    async def narrow(exchange: Exchange) -> None:
        for name in ("response_format", "temperature"):
            if name in exchange.request.json:
                refused = {"error": {"message": f"Unsupported parameter: {name}"}}
                await upstream.answer(refused, 400)(exchange)
                return
        await upstream.chat("drinks")(exchange)

    up.behave(narrow)
    engine = RemoteEngine("house", server)
    assert engine.answer(KIOSK, "tea").output == "drinks"
    assert len(up.requests) == 3
    assert engine.answer(KIOSK, "tea").output == "drinks"
    assert len(up.requests) == 4


def test_a_request_that_is_wrong_in_itself_is_refused_and_teaches_nothing(
    up: Upstream, server: RemoteServer
) -> None:
    up.behave(upstream.answer({"error": {"message": "too long"}}, 400))
    engine = RemoteEngine("house", server)
    for _ in range(2):
        with pytest.raises(Refused, match="too long"):
            engine.answer(KIOSK, "tea")
    up.behave(upstream.chat("drinks"))
    engine.answer(KIOSK, "tea")
    assert "response_format" in up.requests[-1].json


def test_a_refusal_has_its_status_and_says_when_to_come_back(
    up: Upstream, server: RemoteServer
) -> None:
    up.script = [upstream.error(429, retry_after="7")]
    with pytest.raises(Refused, match=r"kiosk\.shelf: house did not answer.* 429") as caught:
        RemoteEngine("house", server).answer(KIOSK, "tea")
    assert (caught.value.status, caught.value.retry_after) == (429, 7.0)


def test_a_key_that_the_server_repeats_is_not_repeated_by_us(
    up: Upstream, server: RemoteServer
) -> None:
    up.script = [upstream.answer({"error": {"message": f"Incorrect key: {KEY}."}}, 401)]
    with pytest.raises(Refused, match=r"Incorrect key: \*\*\*\. Check the key") as caught:
        RemoteEngine("house", server).answer(KIOSK, "tea")
    seen: BaseException | None = caught.value
    while seen is not None:
        assert KEY not in f"{seen!r}{vars(seen)}"
        seen = seen.__cause__ or seen.__context__
    assert KEY not in repr(vars(server)["_secret"])


@pytest.mark.parametrize("key", ["sk-\nx", "钥匙", "a\x00b"])
def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(InputError, match="no key has") as caught:
        RemoteServer("http://127.0.0.1:1/v1", secret=SecretStr(key))
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        (upstream.hang, TimedOut),
        (upstream.close_after(), BrokenReply),
        (upstream.reset_after(), BrokenReply),
        (upstream.cut_json, BrokenReply),
        (upstream.bad_chunk, BrokenReply),
        (upstream.no_http, BrokenReply),
        (upstream.wrong_type(), BrokenReply),
        (upstream.answer({"object": "list", "data": []}), BrokenReply),
        (upstream.answer({}, 302), BrokenReply),
        (upstream.answer({"error": "gone"}, 503), Refused),
        (upstream.raw(b"HTTP/1.1 200 OK\r\ncontent-length: 20000000\r\n\r\n" + b" " * (17 << 20)),
         BrokenReply),
        (upstream.chat("no shelf"), TaskError),
    ],
)  # fmt: skip
def test_every_fault_of_a_server_has_its_name(
    up: Upstream, server: RemoteServer, behaviour: Behaviour, error: type[Exception]
) -> None:
    up.script = [behaviour]
    with pytest.raises(error, match=r"kiosk\.shelf") as caught:
        RemoteEngine("house", server).answer(KIOSK, "tea")
    if isinstance(caught.value, EngineError):
        assert "house" in str(caught.value)


def test_an_answer_that_drips_is_given_up_when_its_time_is_over(
    up: Upstream, server: RemoteServer
) -> None:
    up.script = [upstream.drip(b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n" + b" " * 900)]
    with pytest.raises(TimedOut, match=r"over 0\.4 s"):
        RemoteEngine("house", server).answer(KIOSK, "tea")


def test_a_server_that_is_away_got_nothing(up: Upstream, server: RemoteServer) -> None:
    up.go_away()
    with pytest.raises(Unreachable, match="Check that the server runs"):
        RemoteEngine("house", server).answer(KIOSK, "tea")


def test_what_anthropic_cannot_be_asked_is_not_sent(up: Upstream) -> None:
    with (
        RemoteServer(up.url, dialect="anthropic") as server,
        pytest.raises(TaskError, match="n: this model's server cannot"),
    ):
        server.complete({"model": "m", "n": 2, "messages": [{"role": "user", "content": "hi"}]})
    assert up.requests == []
