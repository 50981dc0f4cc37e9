"""Engines on model servers, asked one call at a time and waited for: the `Engine` port by HTTP.

The gateway has a faster way of its own (`pool.py`); this is for a house without one, and for
checking a server before it is relied on.
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from time import monotonic, perf_counter
from typing import Self

import httpx
import msgspec
from pydantic import SecretStr

from feilun.errors import (
    BrokenReply,
    EngineError,
    InputError,
    Refused,
    TimedOut,
    Unreachable,
)
from feilun.models import chat
from feilun.models.dialects import between, error_said
from feilun.models.retry import retry_after
from feilun.models.wire import Dialect, Timeouts
from feilun.ports import Answer
from feilun.records import Json, Task

_LARGEST = 16 << 20  # bytes of an answer
_PATHS: dict[Dialect, str] = {"openai": "/chat/completions", "anthropic": "/messages"}


class RemoteServer:
    """A model server. `url` is what stands before `/chat/completions`, or before `/messages`.

    It may be used from many threads. No error of it tells the key, not even where the server
    repeats it.
    """

    def __init__(
        self,
        url: str,
        *,
        dialect: Dialect = "openai",
        secret: SecretStr | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self.dialect: Dialect = dialect
        self._secret = secret
        self._refusals: dict[str, list[Refused]] = {}  # by model: what taught us its limits
        self._timeouts = timeouts or Timeouts()
        self._http = httpx.Client(
            headers=_greeting(dialect, secret),
            timeout=httpx.Timeout(self._timeouts.first_byte, connect=self._timeouts.connect),
            limits=httpx.Limits(max_connections=None),
            verify=ssl.create_default_context(),
            trust_env=False,  # the key goes to the configured address and to no proxy
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def models(self) -> list[str]:
        """The models that the server says it has. Raises EngineError where it does not say."""
        try:
            listed = msgspec.convert(self._send("GET", "/models", None), _List)
        except msgspec.ValidationError as error:
            raise BrokenReply(
                f"{self.url}/models is no list of models. Check the URL: most end in /v1."
            ) from error
        return [entry.id for entry in listed.data]

    def complete(self, body: chat.Body) -> Json:
        """The chat completion that answers a chat request, whatever the server speaks.

        What the server refuses to take, of what only makes an answer better, is left out,
        and not sent to that model again. Raises EngineError, and TaskError for a request that
        the server cannot be asked.
        """
        known = self._refusals.setdefault(str(body.get("model")), [])
        for refused in known:
            body = chat.milder(body, refused.status, str(refused)) or body
        learned: list[Refused] = []
        while True:
            try:
                said = self._ask(body)
            except Refused as error:
                milder = chat.milder(body, error.status, str(error))
                if milder is None:
                    raise
                learned.append(error)
                body = milder
            else:
                known += learned
                return said

    def _ask(self, body: chat.Body) -> Json:
        found = between("chat", self.dialect, body, str(body.get("model")))
        asked = self._send("POST", _PATHS[self.dialect], found.request if found else body)
        return found.response(asked) if found else asked

    def _send(self, method: str, path: str, body: chat.Body | None) -> Json:
        content = None if body is None else msgspec.json.encode(body)
        with (
            self._named_errors(),
            self._http.stream(method, self.url + path, content=content) as reply,
        ):
            data = self._read(reply)
        if reply.status_code != 200:
            raise self._refused(reply, data)
        try:
            return msgspec.json.decode(data)
        except (ValueError, RecursionError) as error:
            raise BrokenReply(
                f"{self.url}{path} answered with something else than JSON. Check the URL: most "
                "end in /v1."
            ) from error

    def _read(self, reply: httpx.Response) -> bytes:
        """A whole body, of bounded size and in bounded time, however slowly it drips."""
        until = monotonic() + self._timeouts.total
        data = bytearray()
        for piece in reply.iter_bytes():
            data += piece
            if len(data) > _LARGEST:
                raise BrokenReply(f"{self.url} sent more than {_LARGEST >> 20} MB. Check the URL.")
            if monotonic() > until:
                raise TimedOut(f"{self.url} took over {self._timeouts.total:g} s to answer.")
        return bytes(data)

    def _refused(self, reply: httpx.Response, data: bytes) -> EngineError:
        said = error_said(data) or "without a word"
        if self._secret is not None:
            said = said.replace(self._secret.get_secret_value(), "***")
        status = reply.status_code
        if status < 400:
            return BrokenReply(f"{self.url} answered {status} and no answer. Check the URL.")
        asked = reply.headers.get("retry-after")
        wait = retry_after(asked, datetime.now(UTC)) if asked else None
        return Refused(f"{self.url} answered {status}: {said} {_next(status)}", status, wait)

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        """The HTTP client's errors, named after the border at which each happened."""
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol) as error:
            raise Unreachable(
                f"{self.url} cannot be reached. Check that the server runs and the URL is right."
            ) from error
        except httpx.TimeoutException as error:
            raise TimedOut(
                f"{self.url} was silent for {self._timeouts.first_byte:g} s. Ask again, or raise "
                "its timeouts in feilun.toml."
            ) from error
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise BrokenReply(
                f"{self.url} broke off its answer ({type(error).__name__}). Ask again."
            ) from error


class _Entry(msgspec.Struct):
    id: str


class _List(msgspec.Struct):
    data: list[_Entry]


def _greeting(dialect: Dialect, secret: SecretStr | None) -> dict[str, str]:
    """The headers of every request."""
    headers = {
        "user-agent": "feilun",
        "content-type": "application/json",
        "accept-encoding": "identity",  # a small body cannot grow into a large one
    }
    if dialect == "anthropic":
        headers["anthropic-version"] = "2023-06-01"
    if secret is not None:
        key = secret.get_secret_value()
        if not (key.isascii() and key.isprintable()):
            raise InputError("The key holds characters that no key has. Copy it again.")
        named = {"openai": ("authorization", f"Bearer {key}"), "anthropic": ("x-api-key", key)}
        headers.update([named[dialect]])
    return headers


def _next(status: int) -> str:
    if status in (401, 403):
        return "Check the key."
    if status == 404:
        return "Check the URL and the model's name."
    return "Wait, and ask again." if status in (408, 429) or status >= 500 else ""


class RemoteEngine:
    """A model on a server, behind the `Engine` port. `name` is what calls know it by."""

    def __init__(self, name: str, server: RemoteServer, model: str | None = None) -> None:
        self._name = name
        self._server = server
        self._model = model or name

    @property
    def name(self) -> str:
        """The model's name."""
        return self._name

    def answer(self, task: Task, input: Json) -> Answer:
        """Ask the model. Raises EngineError, or TaskError for what the task does not allow."""
        started = perf_counter()
        try:
            said = self._server.complete(chat.request(task, input, self._model))
            return chat.answer(task, said, round(perf_counter() - started, 6))
        except Refused as error:
            raise Refused(self._told(task, error), error.status, error.retry_after) from error
        except EngineError as error:
            raise type(error)(self._told(task, error)) from error

    def _told(self, task: Task, error: EngineError) -> str:
        return f"Task {task.task}: {self._name} did not answer. {error}"
