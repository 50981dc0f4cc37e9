"""Repeats: one answer for all who ask the same at once, and nobody is left to wait for ever."""

import asyncio
from datetime import UTC, datetime

import pytest

from feilun.errors import EngineError
from feilun.gateway.problem import Problem
from feilun.gateway.repeats import Done, Repeats, Wanted
from feilun.records import Call

AT = datetime(2026, 11, 24, tzinfo=UTC)
TEA = Wanted("kiosk.shelf", "web", "green tea")


class Model:
    """Answers once it may, and counts how often it was asked."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.asked = 0
        self.may = asyncio.Event()

    async def answer(self) -> Done:
        self.asked += 1
        await self.may.wait()
        if self.errors:
            raise self.errors.pop(0)
        said = f"answer {self.asked}"
        return Done(Call(id="1", task="t", at=AT, input=1, output=said, variant="m", by="teacher"),
                    None)  # fmt: skip


def ask(repeats: Repeats, model: Model, wanted: Wanted = TEA) -> "asyncio.Task[Done]":
    return asyncio.create_task(repeats.once("1", wanted, model.answer))


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_all_who_repeat_a_call_at_work_get_the_one_answer() -> None:
    async def main() -> None:
        repeats, model = Repeats(), Model()
        asking = [ask(repeats, model) for _ in range(10)]
        await settle()
        model.may.set()
        told = await asyncio.gather(*asking)
        assert model.asked == 1
        assert all(each is told[0] for each in told)

    asyncio.run(main())


def test_a_failure_is_told_to_all_who_wait_and_the_next_asks_anew() -> None:
    async def main() -> None:
        repeats, model = Repeats(), Model(EngineError("away"))
        asking = [ask(repeats, model) for _ in range(3)]
        await settle()
        model.may.set()
        told = await asyncio.gather(*asking, return_exceptions=True)
        assert [str(each) for each in told] == ["away"] * 3
        assert (await ask(repeats, model)).call.output == "answer 2"

    asyncio.run(main())


def test_a_first_that_leaves_hands_its_work_to_one_who_waits() -> None:
    async def main() -> None:
        repeats, model = Repeats(), Model()
        first, *others = [ask(repeats, model) for _ in range(4)]
        await settle()
        first.cancel()
        await settle()
        model.may.set()
        told = await asyncio.gather(*others)
        assert first.cancelled()
        assert model.asked == 2
        assert {each.call.output for each in told} == {"answer 2"}

    asyncio.run(main())


def test_one_who_waits_and_leaves_takes_the_answer_from_nobody() -> None:
    async def main() -> None:
        repeats, model = Repeats(), Model()
        first, second, third = [ask(repeats, model) for _ in range(3)]
        await settle()
        second.cancel()
        await settle()
        model.may.set()
        assert await first is await third
        assert second.cancelled()
        assert model.asked == 1

    asyncio.run(main())


@pytest.mark.parametrize(
    "other",
    [TEA._replace(task="kiosk.order"), TEA._replace(key="desk"), TEA._replace(input="cola")],
    ids=["task", "key", "input"],
)
def test_the_same_key_for_another_call_is_refused_while_the_first_is_at_work(
    other: Wanted,
) -> None:
    async def main() -> None:
        repeats, model = Repeats(), Model()
        first = ask(repeats, model)
        await settle()
        with pytest.raises(Problem, match="another call") as refused:
            await ask(repeats, model, other)
        assert refused.value.status == 409
        model.may.set()
        assert (await first).call.output == "answer 1"

    asyncio.run(main())
