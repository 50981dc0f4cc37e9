"""To a server: HTTP, errors as the tree of errors, and another try where that is safe.

It is safe where nothing was sent, and where the server says when to come again. Each
operation carries an idempotency key, so a server that has done it does not do it twice.
"""

import asyncio
import random
import time
from dataclasses import dataclass
from typing import TypeVar

import httpx
from pydantic import BaseModel, SecretStr, ValidationError

from feilun.client.operations import Operation
from feilun.clock import SystemClock
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
from feilun.records import stable_json

T = TypeVar("T")
_Outcome = httpx.Response | httpx.RequestError

_RETRIES = 2
_FIRST_PAUSE = 0.2  # seconds, doubled by each try, shortened by chance
_LONGEST_PAUSE = 30.0  # a server that wants a longer one is taken at its word: an error
_CONNECT = 5.0
_WORDS = 1000  # characters of a server's message that are passed on

_ERRORS: dict[int, type[FeilunError]] = {
    400: TaskError,
    404: NotFound,
    408: TimedOut,
    409: Conflict,
    413: TaskError,
    422: TaskError,
    503: StoreError,
    504: TimedOut,
}


@dataclass(frozen=True)
class Server:
    """Where to ask, as whom, and how long to wait for an answer."""

    url: str
    key: SecretStr | None
    timeout: float

    @classmethod
    def at(cls, url: str, key: str | None, timeout: float) -> "Server":
        """Raises InputError for no URL, AccessError for what cannot be a key."""
        base = url.rstrip("/").removesuffix("/v1")
        try:
            parsed = httpx.URL(base)
        except httpx.InvalidURL as error:
            raise InputError(f"{url!r} is no URL: {error}.") from error
        if parsed.scheme not in {"http", "https"} or not parsed.host or parsed.userinfo:
            raise InputError("The URL must look like http://127.0.0.1:8321, without a password.")
        if key is not None and not (key.isascii() and key.isprintable() and " " not in key):
            raise AccessError("The key has spaces or signs in it that no key has. Copy it again.")
        return cls(base, SecretStr(key) if key else None, timeout)

    @property
    def is_near(self) -> bool:
        """Whether it runs on this machine, where no proxy of the surroundings is to be asked."""
        return httpx.URL(self.url).host in {"127.0.0.1", "::1", "localhost"}

    def wire(self, operation: Operation[object], id: str) -> httpx.Request:
        """The request, ready to be sent as often as it needs to be."""
        asked = operation.request()
        headers = {"accept": "application/json"}
        if self.key:
            headers["authorization"] = f"Bearer {self.key.get_secret_value()}"
        if asked.method == "GET":
            return httpx.Request(
                "GET", self.url + asked.path, params=dict(asked.query), headers=headers,
                extensions=self._patience(),
            )  # fmt: skip
        headers |= {"content-type": "application/json", "idempotency-key": id, **asked.headers}
        return httpx.Request(
            asked.method, self.url + asked.path, content=stable_json(asked.body),
            headers=httpx.Headers(headers, encoding="utf-8"), extensions=self._patience(),
        )  # fmt: skip

    def read(self, operation: Operation[T], outcome: _Outcome) -> T:
        """What came of it. Raises what the server, or the way to it, has against it."""
        if isinstance(outcome, httpx.RequestError):
            raise self._lost(outcome) from outcome
        if not outcome.is_success:
            raise self._refused(outcome)
        try:
            return operation.read(outcome.content)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "its body"
            raise BrokenReply(
                f"{self.url} answered, but not as Feilun does ({where}: {first['msg']}). "
                "Is it a Feilun server, and as new as this client?"
            ) from None

    def _patience(self) -> dict[str, object]:
        return {"timeout": httpx.Timeout(self.timeout, connect=_CONNECT).as_dict()}

    def _lost(self, error: httpx.RequestError) -> EngineError:
        match error:
            case httpx.ConnectError() | httpx.ConnectTimeout():
                return Unreachable(f"Nothing answers at {self.url}. Start it with `feilun up`.")
            case httpx.TimeoutException():
                return TimedOut(
                    f"{self.url} did not answer within {self.timeout:g} s. Pass a longer timeout=."
                )
            case _:
                return BrokenReply(f"{self.url} broke off ({type(error).__name__}). Ask again.")

    def _refused(self, reply: httpx.Response) -> FeilunError:
        status = reply.status_code
        said = _problem(reply)
        words = said.message or f"{self.url} answered {status} and gave no reason."
        if self.key:
            words = words.replace(self.key.get_secret_value(), "[the key]")
        words = words[:_WORDS]
        if status in {401, 403, 429}:
            return AccessError(words, status, said.code or "", retry_after(reply))
        if said.code == "invalid_output":
            return TaskError(words)
        other = EngineError if status >= 500 else FeilunError
        return _ERRORS.get(status, other)(words)


class Http:
    """The way to a server. Any thread may take it."""

    def __init__(self, server: Server, http: httpx.Client | None) -> None:
        self._server = server
        self._mine = http is None
        self._http = http or httpx.Client(trust_env=not server.is_near)
        self._clock = SystemClock()

    def do(self, operation: Operation[T]) -> T:
        """Ask the server, again where that is safe."""
        asked = self._server.wire(operation, self._clock.new_id())
        outcome, tries = self._send(asked), 1
        while (pause := pause_before(tries, outcome)) is not None:
            time.sleep(pause)
            outcome, tries = self._send(asked), tries + 1
        return self._server.read(operation, outcome)

    def close(self) -> None:
        """Close the connections, unless they were lent."""
        if self._mine:
            self._http.close()

    def _send(self, asked: httpx.Request) -> _Outcome:
        try:
            return self._http.send(asked)
        except httpx.RequestError as error:
            return error


class AsyncHttp:
    """The same way for an event loop."""

    def __init__(self, server: Server, http: httpx.AsyncClient | None) -> None:
        self._server = server
        self._mine = http is None
        self._http = http or httpx.AsyncClient(trust_env=not server.is_near)
        self._clock = SystemClock()

    async def do(self, operation: Operation[T]) -> T:
        """Ask the server, again where that is safe."""
        asked = self._server.wire(operation, self._clock.new_id())
        outcome, tries = await self._send(asked), 1
        while (pause := pause_before(tries, outcome)) is not None:
            await asyncio.sleep(pause)
            outcome, tries = await self._send(asked), tries + 1
        return self._server.read(operation, outcome)

    async def close(self) -> None:
        """Close the connections, unless they were lent."""
        if self._mine:
            await self._http.aclose()

    async def _send(self, asked: httpx.Request) -> _Outcome:
        try:
            return await self._http.send(asked)
        except httpx.RequestError as error:
            return error


def pause_before(tries: int, outcome: _Outcome) -> float | None:
    """Seconds to wait before another try; None where there is to be none."""
    if tries > _RETRIES:
        return None
    if isinstance(outcome, httpx.ConnectError | httpx.ConnectTimeout):
        return random.uniform(0, _FIRST_PAUSE * 2 ** (tries - 1))  # noqa: S311 - no secret
    if isinstance(outcome, httpx.Response) and outcome.status_code in {429, 503}:
        pause = retry_after(outcome)
        return pause if pause is not None and pause <= _LONGEST_PAUSE else None
    return None


def retry_after(reply: httpx.Response) -> float | None:
    """Seconds after which a server wants to be asked again, or None where it did not say."""
    said = reply.headers.get("retry-after", "")
    return float(said) if said.isascii() and said.isdigit() else None


class _Problem(BaseModel):
    """OpenAI's shape of an error: what it says, and a code for programs."""

    message: str = ""
    code: str | None = None


class _Refusal(BaseModel):
    error: _Problem = _Problem()


def _problem(reply: httpx.Response) -> _Problem:
    try:
        return _Refusal.model_validate_json(reply.content).error
    except ValidationError:
        return _Problem()
