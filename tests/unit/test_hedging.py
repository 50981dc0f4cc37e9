"""A race of two servers: who begins first answers, and nothing of the other is left behind."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import nullcontext

import pytest

from feilun.errors import EngineError, TaskError, Unreachable
from feilun.gateway.hedging import Race
from feilun.gateway.legs import Asked, Leg
from feilun.gateway.servers import Model, Server
from feilun.models.wire import Headers

SOON = 0.01  # seconds of silence after which the next server is asked as well


class Reply:
    """A head with a status; counts how often it was let go of."""

    headers: Headers = []  # noqa: RUF012 - as the port says

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.closed = 0

    def __aiter__(self) -> "Reply":
        return self

    async def __anext__(self) -> bytes:
        raise StopAsyncIteration

    async def read(self, limit: int) -> bytes:
        return b""[:limit]

    def close(self) -> None:
        self.closed += 1


Ask = Callable[[], Awaitable[Reply]]


class Track:
    """Servers that answer as they are told, and what became of their legs."""

    def __init__(self, *asks: Ask, hedge: float | None = SOON, spoken: str = "chat") -> None:
        self.spoken = spoken
        self.models = [
            Model(f"m{n}", Server(f"s{n}", hedge_seconds=hedge, concurrency=1), "m")
            for n in range(len(asks))
        ]
        self.asks = dict(zip((model.name for model in self.models), asks, strict=True))
        self.asked: list[str] = []
        self.cancelled: list[str] = []
        self.lost: list[str] = []

    async def run(self) -> Asked:
        won = await Race(self.models, self.leg, self.ask).run(self.lose)
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # what was cancelled ends
        return won

    def leg(self, model: Model) -> Leg:
        assert model in self.models
        return Leg("responses" if self.spoken == "responses" else "chat", b"{}")

    async def ask(self, model: Model, leg: Leg) -> Asked:
        self.asked.append(model.name)
        await model.server.room.acquire()
        leg.sent = True
        try:
            return Asked(model, leg, await self.asks[model.name](), nullcontext())
        except BaseException as error:
            model.server.room.release()
            if isinstance(error, asyncio.CancelledError):
                self.cancelled.append(model.name)
            raise

    def lose(self, model: Model, seconds: float) -> None:
        assert seconds >= 0
        self.lost.append(model.name)


def gives(status: int = 200) -> Ask:
    async def ask() -> Reply:
        return Reply(status)

    return ask


def fails(error: Exception) -> Ask:
    async def ask() -> Reply:
        raise error

    return ask


async def hangs() -> Reply:
    await asyncio.Event().wait()
    raise AssertionError


def test_the_second_answers_where_the_first_is_silent_and_the_first_is_given_up() -> None:
    track = Track(hangs, gives())
    won = asyncio.run(track.run())
    assert won.model.name == "m1"
    assert (track.cancelled, track.lost) == (["m0"], ["m0"])
    assert not track.models[0].server.room.locked()


def test_a_server_that_begins_in_time_is_the_only_one_asked() -> None:
    track = Track(gives(), hangs)
    assert asyncio.run(track.run()).model.name == "m0"
    assert (track.asked, track.lost) == (["m0"], [])


def test_the_first_may_still_begin_before_the_second() -> None:
    track = Track(hangs, hangs)

    async def race() -> Asked:
        second_asked = asyncio.Event()

        async def late() -> Reply:
            await second_asked.wait()
            return Reply()

        async def second() -> Reply:
            second_asked.set()
            return await hangs()

        track.asks.update(m0=late, m1=second)
        return await track.run()

    assert asyncio.run(race()).model.name == "m0"
    assert track.lost == track.cancelled == ["m1"]


def test_a_head_that_comes_at_the_same_moment_as_the_winners_is_let_go_of() -> None:
    both = [Reply(), Reply()]
    track = Track(hangs, hangs)

    async def race() -> Asked:
        together = asyncio.Event()

        async def first() -> Reply:
            await together.wait()
            return both[0]

        async def second() -> Reply:
            together.set()
            return both[1]

        track.asks.update(m0=first, m1=second)
        return await track.run()

    won = asyncio.run(race())
    loser = both[1 if won.reply is both[0] else 0]
    assert loser.closed == 1
    assert len(track.lost) == 1
    assert [model.server.room.locked() for model in track.models].count(True) == 1


@pytest.mark.parametrize("bad", [gives(503), fails(Unreachable("away")), fails(TaskError("no"))])
def test_a_second_that_fails_leaves_the_first_its_time(bad: Ask) -> None:
    track = Track(hangs, bad)

    async def race() -> Asked:
        second_ended = asyncio.Event()

        async def first() -> Reply:
            await second_ended.wait()
            return Reply()

        async def second() -> Reply:
            asyncio.get_running_loop().call_later(SOON, second_ended.set)
            return await bad()

        track.asks.update(m0=first, m1=second)
        return await track.run()

    assert asyncio.run(race()).model.name == "m0"
    assert (track.asked, track.lost) == (["m0", "m1"], [])


def test_where_all_fail_the_last_says_why() -> None:
    track = Track(fails(Unreachable("first")), fails(EngineError("last")))
    with pytest.raises(EngineError, match="last"):
        asyncio.run(track.run())
    track = Track(fails(Unreachable("first")), gives(500))
    assert asyncio.run(track.run()).reply.status == 500


def test_a_request_that_the_first_cannot_take_is_its_clients_to_mend() -> None:
    track = Track(fails(TaskError("no such tool there")), gives())
    with pytest.raises(TaskError, match="no such tool"):
        asyncio.run(track.run())
    assert track.asked == ["m0"]


def test_at_most_two_are_asked_at_once() -> None:
    track = Track(hangs, hangs, gives())

    asyncio.run(run_for_a_while(track))
    assert track.asked == ["m0", "m1"]
    assert track.cancelled == ["m0", "m1"]
    assert track.lost == []


@pytest.mark.parametrize(
    ("hedge", "spoken"),
    [(None, "chat"), (SOON, "responses")],
    ids=["hedging is off", "the engine keeps what it answered"],
)
def test_some_requests_are_asked_once_however_long_it_takes(
    hedge: float | None, spoken: str
) -> None:
    track = Track(hangs, gives(), hedge=hedge, spoken=spoken)
    asyncio.run(run_for_a_while(track))
    assert track.asked == ["m0"]


def test_a_copy_does_not_stand_in_line_at_a_server_without_room() -> None:
    track = Track(hangs, gives())

    async def race() -> None:
        await track.models[1].server.room.acquire()
        await run_for_a_while(track)

    asyncio.run(race())
    assert track.asked == ["m0"]


async def run_for_a_while(track: Track) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(10 * SOON):
            await track.run()
