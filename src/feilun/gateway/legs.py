"""Legs: a request in the form in which a server takes it, and the answer that begins to arrive.

What a client and a server both speak passes as bytes. Where they differ, `models/dialects`
translates.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from feilun.errors import BrokenReply, Refused
from feilun.gateway.problem import Problem
from feilun.gateway.servers import Model
from feilun.models.dialects import Translation, between, error_said
from feilun.models.retry import retry_after
from feilun.models.sse import Spoken
from feilun.models.wire import Headers, Reply
from feilun.records import Json

_ERROR_BYTES = 1 << 20


@dataclass(slots=True)
class Leg:
    """One request on its way to one server. `translation` is None where bytes pass."""

    spoken: Spoken  # by the server
    body: bytes
    translation: Translation | None = None
    drop_usage: bool = False  # we asked for a count that the client did not ask for
    sent: bool = False  # whether a server has been given it


def leg_to(model: Model, spoken: Spoken, request: dict[str, Json], raw: bytes | None) -> Leg:
    """Bring a client's request to a server. Raises TaskError for what cannot be translated."""
    server = model.server
    if spoken == "embeddings":
        if server.dialect != "openai":
            raise Problem(400, f"The engine {server.name} has no embeddings. Name another model.")
        return _as_it_is(model, spoken, request, raw)
    if spoken == "responses" and server.responses:
        return _as_it_is(model, spoken, request, raw)
    translation = between(spoken, server.dialect, request, str(request["model"]))
    if translation is None:
        return _as_it_is(model, spoken, request, raw)
    translation.request["model"] = model.remote
    theirs: Spoken = "chat" if server.dialect == "openai" else "messages"
    return Leg(theirs, msgspec.json.encode(translation.request), translation)


def _as_it_is(model: Model, spoken: Spoken, request: dict[str, Json], raw: bytes | None) -> Leg:
    """The client's own bytes, but for the model's other name and the count of a stream."""
    change: dict[str, Json] = {}
    if request["model"] != model.remote:
        change["model"] = model.remote
    options = request.get("stream_options") or {}
    count = spoken == "chat" and request.get("stream") is True and not options.get("include_usage")
    if count:
        change["stream_options"] = {**options, "include_usage": True}
    if not change and raw is not None:
        return Leg(spoken, raw)
    return Leg(spoken, msgspec.json.encode({**request, **change}), drop_usage=count)


@dataclass(slots=True)
class Asked:
    """An engine's answer that has begun to arrive. Leaving the context lets go of it."""

    model: Model
    leg: Leg
    reply: Reply
    held: AbstractContextManager[None]  # the engine is not stopped while it is at work

    def __enter__(self) -> "Asked":
        return self

    def __exit__(self, *_: object) -> None:
        self.reply.close()
        self.held.__exit__(None, None, None)
        self.model.server.room.release()

    async def refused(self) -> tuple[Refused, bytes]:
        """What an answer with an error status says, and its body."""
        body = await self.reply.read(_ERROR_BYTES)
        said = error_said(body) or "no reason"
        wait = asked_wait(self.reply.headers)
        name = self.model.server.name
        error = Refused(f"The engine {name} refused: {said}", self.reply.status, wait)
        return error, body

    async def whole(self, limit: int) -> Json:
        """The whole answer, as JSON. Raises Refused for an error status, and BrokenReply."""
        if self.reply.status != 200:
            raise (await self.refused())[0]
        try:
            return msgspec.json.decode(await self.reply.read(limit))
        except (msgspec.MsgspecError, RecursionError) as error:
            raise BrokenReply(
                f"The engine {self.model.server.name} answered with no JSON. See "
                "`feilun engines check`."
            ) from error


def goes_on(status: int) -> bool:
    """Whether the next model is asked after an answer with this status."""
    return status >= 500 or status in (401, 403, 404, 408, 429)


def asked_wait(headers: Headers) -> float | None:
    """The seconds that an answer asks for before the next request; None where it does not."""
    for name, value in headers:
        if name == b"retry-after":
            return retry_after(value.decode("latin-1"), datetime.now(UTC))
    return None
