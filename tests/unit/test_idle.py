"""Idle work gives way: a request that comes waits for nothing, and nobody waits for ever."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from feilun.gateway.idle import Idle
from feilun.gateway.leases import Leases


def run(told: Coroutine[Any, Any, None]) -> None:
    asyncio.run(told)


def test_what_is_asked_while_nobody_comes_is_answered() -> None:
    async def tell() -> None:
        idle = Idle(0)
        await idle.quiet()
        assert await idle.ask(asyncio.sleep(0, "yes")) == "yes"
        assert idle.given_up == 0

    run(tell())


def test_a_request_gives_up_what_is_being_asked_at_once() -> None:
    async def tell() -> None:
        idle, begun, left = Idle(0), asyncio.Event(), asyncio.Event()

        async def teacher() -> str:
            begun.set()
            try:
                await asyncio.Event().wait()  # it never answers
            finally:
                left.set()
            return "never"

        asking = asyncio.create_task(idle.ask(teacher()))
        await begun.wait()
        idle.enter()  # returns at once: there is nothing to wait for
        assert await asking is None
        assert left.is_set()
        assert idle.given_up == 1

    run(tell())


def test_nothing_is_asked_while_a_request_is_at_work() -> None:
    async def tell() -> None:
        idle = Idle(0)
        idle.enter()
        assert await idle.ask(asyncio.sleep(0, "yes")) is None
        assert idle.given_up == 0
        waiting = asyncio.create_task(idle.quiet())
        await asyncio.sleep(0)
        assert not waiting.done()
        idle.enter()
        idle.leave()
        await asyncio.sleep(0)
        assert not waiting.done()
        idle.leave()
        await waiting

    run(tell())


def test_an_error_of_the_teacher_is_told() -> None:
    async def teacher() -> str:
        raise ValueError("no")

    async def tell() -> None:
        with pytest.raises(ValueError, match="no"):
            await Idle(0).ask(teacher())

    run(tell())


def test_the_end_of_the_gateway_ends_what_is_being_asked_also_when_a_request_comes_too() -> None:
    async def tell() -> None:
        idle, begun = Idle(0), asyncio.Event()

        async def teacher() -> None:
            begun.set()
            await asyncio.Event().wait()

        asking = asyncio.create_task(idle.ask(teacher()))
        await begun.wait()
        idle.enter()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    run(tell())


def test_two_people_are_not_given_the_same_call_until_the_lease_ends() -> None:
    leases, calls = Leases(), ["a", "b", "c"]
    assert leases.take(calls, "Ann", 2, now=0) == ["a", "b"]
    assert leases.take(calls, "Bo", 2, now=1) == ["c"]
    assert leases.take(calls, "Ann", 2, now=2) == ["a", "b"]
    leases.give_back("c")
    assert leases.take(calls, "Cy", 2, now=3) == ["c"]
    assert leases.take(calls, "Bo", 3, now=5000) == ["a", "b", "c"]
