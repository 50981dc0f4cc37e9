"""The client: one contract by three ways, and all that can go wrong on the way to a server."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from http_house import handler
from kiosk_log import PRICES, opened

import feilun
from feilun.client import AsyncClient, Client, over_http
from feilun.errors import (
    AccessError,
    BrokenReply,
    Conflict,
    EngineError,
    FeilunError,
    InputError,
    NotFound,
    StoreError,
    TaskError,
    TimedOut,
    Unreachable,
)
from feilun.house import House
from feilun.records import Json, WhyTeacher
from feilun.testing import FakeBook, FakeClock, FakeEngine, MemoryStore
from feilun.testing.contracts_client import ClientContract, blocking
from feilun.testing.kiosk import KIOSK
from feilun.training.linear import LinearTrainer

URL = "http://feilun.test"
KEY = "fl_live_0123456789"

Handler = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def house() -> House:
    teacher = FakeEngine(lambda _: "drinks")
    house = House(
        MemoryStore(), book=FakeBook(PRICES), clock=FakeClock(), trainer=LinearTrainer(),
        teachers={"*": teacher}, audit_rate=1.0,
    )  # fmt: skip
    house.declare(KIOSK)
    return house


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


def over(handle: Handler, **more: Any) -> Client:
    return Client(URL, key=KEY, http=httpx.Client(transport=httpx.MockTransport(handle)), **more)


def async_over(handle: Handler) -> AsyncClient:
    http = httpx.AsyncClient(transport=httpx.MockTransport(handle))
    return AsyncClient(URL, key=KEY, http=http)


class TestClientOfAServer(ClientContract):
    @pytest.fixture
    def client(self, house: House) -> Client:
        return over(handler(house))


class TestClientInProcess(ClientContract):
    @pytest.fixture
    def client(self, house: House) -> Client:
        return Client(house=house)


class TestAsyncClientOfAServer(ClientContract):
    @pytest.fixture
    def client(self, house: House, runner: asyncio.Runner) -> Client:
        return blocking(async_over(handler(house)), runner)


class TestAsyncClientInProcess(ClientContract):
    @pytest.fixture
    def client(self, house: House, runner: asyncio.Runner) -> Client:
        return blocking(AsyncClient(house=house), runner)


def test_the_public_face_is_short() -> None:
    assert feilun.__all__ == ["Answered", "AsyncAnswered", "AsyncClient", "Client"]
    assert feilun.Client is Client
    with pytest.raises(AttributeError, match="no attribute 'Server'"):
        feilun.Server  # noqa: B018 - the access is the test


def test_importing_the_package_or_its_client_loads_nothing_heavy() -> None:
    code = (
        "import sys, feilun; light = set(sys.modules); from feilun import Client; "
        "heavy = {'sklearn', 'scipy', 'numpy', 'sqlalchemy', 'httpx'}; "
        "assert not heavy & set(sys.modules), heavy & set(sys.modules); "
        "assert 'feilun.client' not in light"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# In this process


def test_a_folder_is_enough_and_is_closed_at_the_end(tmp_path: Path) -> None:
    with Client(store=tmp_path, teachers={"*": FakeEngine(lambda _: "drinks")}) as client:
        client.declare(KIOSK)
        call = client.task(KIOSK)("green tea").call
    with pytest.raises(StoreError, match="closed"):
        client.call(call)
    with Client(store=tmp_path) as again:
        assert again.call(call).output == "drinks"


def test_an_asynchronous_client_closes_its_folder_too(tmp_path: Path) -> None:
    async def use() -> None:
        async with AsyncClient(
            store=tmp_path, teachers={"*": FakeEngine(lambda _: "drinks")}
        ) as client:
            await client.declare(KIOSK)
        with pytest.raises(StoreError, match="closed"):
            await client.tasks()

    asyncio.run(use())


def test_a_house_that_was_lent_stays_open(house: House) -> None:
    with Client(house=house):
        pass
    assert house.tasks() == [KIOSK.task]


def test_a_student_answers_in_process_with_its_certificate() -> None:
    stand = opened()
    answer = Client(house=stand.house).task(KIOSK)("来两个面包")
    moved = stand.house.pointer(KIOSK.task)
    assert moved is not None
    assert (answer.by, answer.output, answer.certificate) == (
        "student",
        "bakery",
        moved.certificate,
    )
    assert answer.why_teacher is None
    assert answer.confidence is not None


def test_a_rollback_elsewhere_is_followed_within_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    stand = opened()
    now = [0.0]
    monkeypatch.setattr("feilun.client.in_process.time.monotonic", lambda: now[0])
    other = House(
        stand.store, book=FakeBook(), clock=FakeClock(seed=9), trainer=LinearTrainer(),
        teachers={"*": FakeEngine(lambda _: "drinks")},
    )  # fmt: skip
    ask = Client(house=other).task(KIOSK)
    assert ask("来两个面包").by == "student"
    stand.house.rollback(KIOSK.task, "odd answers")
    now[0] += 1
    assert ask("来两个面包").why_teacher == WhyTeacher.NO_RELEASE


# What a task may be


def test_a_function_of_the_same_name_gives_a_task_its_types(house: House) -> None:
    def shelf(line: str) -> Literal["drinks", "fruit"]:
        raise NotImplementedError

    shelf.__name__ = KIOSK.task
    assert Client(house=house).task(shelf)("green tea").output == "drinks"


def test_a_function_that_does_not_say_what_it_returns_is_refused(house: House) -> None:
    def shelf(line: str):  # type: ignore[no-untyped-def]
        raise NotImplementedError

    with pytest.raises(TaskError, match="shelf does not say what it returns"):
        Client(house=house).task(shelf)


# On the way to a server


def problem(status: int, code: str | None = None, **headers: str) -> Handler:
    body = {"error": {"message": "It is so.", "type": "t", "code": code, "param": None}}
    return lambda _: httpx.Response(status, json=body, headers=headers)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, TaskError),
        (401, AccessError),
        (403, AccessError),
        (404, NotFound),
        (405, FeilunError),
        (409, Conflict),
        (413, TaskError),
        (422, TaskError),
        (429, AccessError),
        (500, EngineError),
        (502, EngineError),
        (503, StoreError),
        (504, TimedOut),
    ],
)
def test_a_refusal_is_an_error_of_the_tree_with_the_servers_words(
    status: int, kind: type[FeilunError]
) -> None:
    with pytest.raises(FeilunError, match=r"It is so\.") as caught:
        over(problem(status)).task(KIOSK)("green tea")
    assert type(caught.value) is kind


def test_an_access_error_says_what_programs_need_to_know() -> None:
    with pytest.raises(AccessError) as caught:
        over(problem(429, "rate_limit_exceeded", **{"retry-after": "61"})).tasks()
    error = caught.value
    assert (error.status, error.code, error.retry_after) == (429, "rate_limit_exceeded", 61)


def test_an_invalid_answer_of_the_teacher_is_an_error_of_the_task() -> None:
    with pytest.raises(TaskError, match="It is so"):
        over(problem(502, "invalid_output")).task(KIOSK)("green tea")


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"null", b"[]", b'{"error": "no"}', b'{"error": {"message": 1}}', b"\xff"],
)
def test_a_refusal_without_words_names_the_server_and_the_status(body: bytes) -> None:
    with pytest.raises(EngineError, match=r"//feilun\.test answered 500 and gave no reason"):
        over(lambda _: httpx.Response(500, content=body)).tasks()


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"null", b"[]", b"{}", b'{"id": 1}', b"\xff", b"[" * 100_000]
)
def test_an_answer_that_is_none_of_feilun_is_a_broken_reply(body: bytes) -> None:
    client = over(lambda _: httpx.Response(200, content=body))
    for use in (
        lambda: client.task(KIOSK)("green tea"),
        lambda: client.call("1"),
        lambda: client.accept("1"),
        client.tasks,
        client.audits,
    ):
        with pytest.raises(BrokenReply, match="Is it a Feilun server"):
            use()


def lost(error: type[httpx.TransportError]) -> Handler:
    def handle(asked: httpx.Request) -> httpx.Response:
        raise error("lost", request=asked)

    return handle


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (httpx.ConnectError, Unreachable, "Nothing answers at http://feilun.test.*feilun up"),
        (httpx.ConnectTimeout, Unreachable, "Nothing answers"),
        (httpx.ReadTimeout, TimedOut, "within 3 s. Pass a longer timeout="),
        (httpx.ReadError, BrokenReply, "broke off"),
        (httpx.RemoteProtocolError, BrokenReply, "broke off"),
    ],
)
@pytest.mark.usefixtures("pauses")
def test_a_lost_way_is_an_error_of_the_tree(
    error: type[httpx.TransportError], kind: type[EngineError], words: str
) -> None:
    with pytest.raises(EngineError, match=words) as caught:
        over(lost(error), timeout=3).tasks()
    assert type(caught.value) is kind


# Keys and addresses


@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_a_key_is_in_no_error_even_where_the_server_repeats_it(status: int) -> None:
    def handle(asked: httpx.Request) -> httpx.Response:
        words = f"You sent {asked.headers['authorization']}."
        return httpx.Response(status, json={"error": {"message": words}})

    client = over(handle)
    assert KEY not in repr(vars(client))
    assert KEY not in repr(vars(vars(client)["_way"]))
    with pytest.raises(FeilunError) as caught:
        client.task(KIOSK)("green tea")
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("key", ["fl_live_a b", "fl_live_钥匙", "fl\nlive", "fl\x00"])
def test_what_cannot_be_a_key_is_refused_without_repeating_it(key: str) -> None:
    with pytest.raises(AccessError, match="Copy it again") as caught:
        Client(URL, key=key)
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["feilun.test", "ftp://feilun.test", "http://", "http://a:b@c", "x\n"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="URL"):
        Client(url)


def seen(**more: Any) -> tuple[Client, list[httpx.Request]]:
    requests: list[httpx.Request] = []

    def handle(asked: httpx.Request) -> httpx.Response:
        requests.append(asked)
        return httpx.Response(200, json={"data": []})

    return Client(http=httpx.Client(transport=httpx.MockTransport(handle)), **more), requests


def test_address_and_key_come_from_the_environment_else_from_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("FEILUN_URL", raising=False)
    monkeypatch.delenv("FEILUN_KEY", raising=False)
    client, requests = seen()
    client.tasks()
    assert str(requests[0].url) == "http://127.0.0.1:8321/v1/tasks"
    assert "authorization" not in requests[0].headers
    monkeypatch.setenv("FEILUN_URL", "https://feilun.test/v1/")
    monkeypatch.setenv("FEILUN_KEY", f"{KEY}\n")
    client, requests = seen()
    client.tasks()
    assert str(requests[0].url) == "https://feilun.test/v1/tasks"
    assert requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_a_client_goes_one_way(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="url or store"):
        Client(URL, store=tmp_path)


def test_an_http_client_that_was_lent_stays_open() -> None:
    http = httpx.Client()
    Client(URL, http=http).close()
    assert not http.is_closed
    http.close()


# Another try


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made; nobody waits."""
    made: list[float] = []

    async def pause(seconds: float) -> None:
        made.append(seconds)

    monkeypatch.setattr(over_http.time, "sleep", made.append)
    monkeypatch.setattr(over_http.asyncio, "sleep", pause)
    return made


class Flaky:
    """A server that fails some times, and then answers as a house does."""

    def __init__(self, house: House, *faults: Handler) -> None:
        self.keys: list[str] = []
        self._faults = list(faults)
        self._handle = handler(house)

    def __call__(self, asked: httpx.Request) -> httpx.Response:
        self.keys.append(asked.headers["idempotency-key"])
        return self._faults.pop(0)(asked) if self._faults else self._handle(asked)


COME_BACK = {"retry-after": "7"}


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize(
    ("fault", "pause"),
    [
        (lost(httpx.ConnectError), None),
        (lost(httpx.ConnectTimeout), None),
        (problem(429, **COME_BACK), 7),
        (problem(503, **COME_BACK), 7),
    ],
    ids=["refused", "no way", "429", "503"],
)
def test_what_is_safe_to_ask_again_is_asked_again_under_the_same_key(
    house: House, pauses: list[float], runner: asyncio.Runner, kind: str,
    fault: Handler, pause: float | None,
) -> None:  # fmt: skip
    flaky = Flaky(house, fault, fault)
    client = over(flaky) if kind == "sync" else blocking(async_over(flaky), runner)
    assert client.task(KIOSK)("green tea").output == "drinks"
    assert len(flaky.keys) == 3
    assert len(set(flaky.keys)) == 1
    assert len(pauses) == 2
    assert all(made == pause if pause else 0 <= made <= 0.4 for made in pauses)


@pytest.mark.parametrize(
    "fault",
    [
        problem(429),
        problem(503),
        problem(503, **{"retry-after": "31"}),
        problem(503, **{"retry-after": "-1"}),
        problem(500, **COME_BACK),
        problem(502, **COME_BACK),
        lost(httpx.ReadTimeout),
        lost(httpx.ReadError),
        lost(httpx.RemoteProtocolError),
    ],
)
def test_what_may_have_been_done_or_takes_too_long_is_not_asked_again(
    house: House, pauses: list[float], fault: Handler
) -> None:
    flaky = Flaky(house, fault)
    with pytest.raises(FeilunError):
        over(flaky).task(KIOSK)("green tea")
    assert (len(flaky.keys), pauses) == (1, [])


def test_after_three_tries_the_error_stands(house: House, pauses: list[float]) -> None:
    flaky = Flaky(house, *[problem(503, **COME_BACK)] * 9)
    with pytest.raises(StoreError):
        over(flaky).task(KIOSK)("green tea")
    assert (len(flaky.keys), pauses) == (3, [7, 7])


def test_two_calls_have_two_keys(house: House) -> None:
    flaky = Flaky(house)
    ask = over(flaky).task(KIOSK)
    ask("green tea")
    ask("green tea")
    assert len(set(flaky.keys)) == 2


def test_what_is_sent_is_the_body_of_the_api(house: House) -> None:
    bodies: list[Json] = []

    def handle(asked: httpx.Request) -> httpx.Response:
        bodies.append((asked.method, asked.url.path, json.loads(asked.content)))
        return handler(house)(asked)

    client = over(handle)
    answer = client.task(KIOSK)("green tea")
    answer.correct("fruit")
    answer.accept()
    answer.reject()
    answer.reject("odd")
    answer.outcome(1.5)
    client.audit(answer.call, "fruit")
    feedback = ("POST", f"/v1/calls/{answer.call}/feedback")
    assert bodies == [
        ("POST", "/v1/tasks/kiosk.shelf/calls", {"input": "green tea", "parent": None}),
        (*feedback, {"said": "correction", "output": "fruit"}),
        (*feedback, {"said": "accepted"}),
        (*feedback, {"said": "rejected"}),
        (*feedback, {"said": "rejected", "reason": "odd"}),
        (*feedback, {"said": "outcome", "value": 1.5}),
        ("POST", "/v1/audits", {"call": answer.call, "output": "fruit"}),
    ]
