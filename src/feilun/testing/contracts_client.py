"""The contract of clients, as tests that each of them passes, whatever way it takes.

Subclass `ClientContract`, give the fixture `client`, and pytest runs the rest. Behind the
client the kiosk's task is declared, its teacher says "drinks" to everything, and every
call is drawn for an audit. An `AsyncClient` takes part through `Blocking`.
"""
# ruff: noqa: S101 - these are tests, and tests assert

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, Literal

import pytest
from pydantic import BaseModel, TypeAdapter

from feilun.client import AsyncAnswered, AsyncAsking, AsyncClient, Client
from feilun.errors import NotFound, TaskError
from feilun.records import Json, RedLine, Task
from feilun.tasks import declare, task
from feilun.testing.kiosk import KIOSK

Shelf = Literal["drinks", "fruit", "bakery", "papers"]


class Wish(BaseModel):
    """What a customer wants, as a model."""

    goods: str
    pieces: int = 1


@task(max_loss=0.1, name="kiosk.wish")
def wish(line: Wish) -> Shelf:
    """Name the shelf of what is wanted."""
    raise NotImplementedError


class Blocking:
    """An asynchronous client, or what it gives, that can be used as if it were none."""

    def __init__(self, what: object, runner: asyncio.Runner) -> None:
        self._what = what
        self._runner = runner

    # Whatever is asked of it is asked of what it stands for, so its types are not known.
    def __getattr__(self, name: str) -> Any:
        return self._done(getattr(self._what, name))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Ask it, and wait for the answer."""
        assert callable(self._what)
        return self._done(self._what(*args, **kwargs))

    def _done(self, found: Any) -> Any:
        if inspect.isawaitable(found):
            found = self._runner.run(_awaited(found))
        if inspect.ismethod(found) or isinstance(found, AsyncAsking | AsyncAnswered):
            return Blocking(found, self._runner)
        return found


async def _awaited(what: Awaitable[Any]) -> Any:
    return await what


def blocking(client: AsyncClient, runner: asyncio.Runner) -> Any:
    """The client as the suite uses it."""
    return Blocking(client, runner)


def _deep() -> Json:
    """A list in a list in a list, and so on."""
    found: Json = []
    for _ in range(100_000):
        found = [found]
    return found


class ClientContract:
    """What every client promises. See `feilun.client` for the words."""

    @pytest.fixture
    def client(self) -> Client:
        """The client to test."""
        raise NotImplementedError("give the suite a client to test")

    def test_an_answer_says_what_and_how_it_came_about(self, client: Client) -> None:
        """From the teacher, while no student holds a release."""
        answer = client.task(KIOSK)("green tea")
        assert (answer.output, answer.task, answer.by) == ("drinks", KIOSK.task, "teacher")
        assert answer.why_teacher == "no_release"
        assert (answer.confidence, answer.release, answer.certificate) == (None, None, None)
        assert answer.variant
        assert answer.seconds >= 0

    def test_what_it_cost_is_money_or_unknown(self, client: Client) -> None:
        """Never a float."""
        cost = client.task(KIOSK)("green tea").cost
        assert cost is None or isinstance(cost.amount, Decimal)

    def test_an_answered_call_is_in_the_store(self, client: Client) -> None:
        """Under the id that the answer names, with its parent."""
        ask = client.task(KIOSK.task)
        root = ask("the whole order")
        part = ask("green tea", parent=root.call)
        stored = client.call(part.call)
        assert (stored.input, stored.output, stored.parent) == ("green tea", "drinks", root.call)
        assert root.call != part.call

    @pytest.mark.parametrize("tenant", ["acme", "上海店", None])
    def test_a_call_names_whom_it_serves(self, client: Client, tenant: str | None) -> None:
        """In any script."""
        answer = client.task(KIOSK)("green tea", tenant=tenant)
        assert client.call(answer.call).tenant == tenant

    @pytest.mark.parametrize("tenant", ["", "a" * 201, "a\nb", "\x00"])
    def test_a_tenant_that_is_no_name_is_refused(self, client: Client, tenant: str) -> None:
        """Before a model is asked."""
        with pytest.raises(TaskError, match="200 printable characters"):
            client.task(KIOSK)("green tea", tenant=tenant)

    @pytest.mark.parametrize("returns", [str, TypeAdapter(Shelf)], ids=["a type", "an adapter"])
    def test_a_task_by_name_answers_in_the_type_that_is_asked_for(
        self, client: Client, returns: Any
    ) -> None:
        """And JSON without one."""
        assert client.task(KIOSK.task, returns)("green tea").output == "drinks"
        assert client.task(KIOSK.task)("green tea").output == "drinks"

    def test_an_answer_in_another_type_than_expected_is_an_error_of_the_task(
        self, client: Client
    ) -> None:
        """That says so, without the answer in it."""
        with pytest.raises(TaskError, match=r"kiosk\.shelf: output.*Declare it again") as caught:
            client.task(KIOSK.task, int)("green tea")
        assert "drinks" not in str(caught.value)

    def test_a_declared_function_takes_models_and_answers_in_its_own_type(
        self, client: Client
    ) -> None:
        """Once it is declared, which may be done again."""
        client.declare(wish)
        client.declare(wish)
        assert [told.task for told in client.tasks()] == [KIOSK.task, "kiosk.wish"]
        answer = client.task(wish)(Wish(goods="tea", pieces=2))
        assert answer.output == "drinks"
        assert client.call(answer.call).input == {"goods": "tea", "pieces": 2}

    def test_a_declaration_comes_back_as_it_was_made(self, client: Client) -> None:
        """Schemas, red line and words."""
        line = RedLine(max_loss=0.2, confidence=0.8)
        told = declare("kiosk.mood", "How is the mood?", {"type": "string"}, {"enum": ["a"]}, line)
        client.declare(told)
        found = next(one for one in client.tasks() if one.task == "kiosk.mood")
        assert _content(found) == _content(told)

    @pytest.mark.parametrize(
        ("judge", "said", "output", "value", "reason"),
        [
            (lambda answer: answer.correct("fruit"), "correction", "fruit", None, None),
            (lambda answer: answer.accept(), "accepted", None, None, None),
            (lambda answer: answer.reject("too dear"), "rejected", None, None, "too dear"),
            (lambda answer: answer.reject(), "rejected", None, None, None),
            (lambda answer: answer.outcome(2.5), "outcome", None, 2.5, None),
        ],
        ids=["correct", "accept", "reject", "reject without a reason", "outcome"],
    )
    def test_an_answer_can_be_judged_where_it_stands(
        self,
        client: Client,
        judge: Callable[[Any], Any],
        said: str,
        output: Json,
        value: float | None,
        reason: str | None,
    ) -> None:
        """And the feedback names its call."""
        answer = client.task(KIOSK)("green tea")
        told = judge(answer)
        assert (told.call, told.task) == (answer.call, KIOSK.task)
        assert (told.said, told.output, told.value, told.reason) == (said, output, value, reason)

    def test_a_call_can_be_judged_by_its_id_alone(self, client: Client) -> None:
        """People answer later, when the answer's object is gone."""
        call = client.task(KIOSK)("green tea").call
        assert client.correct(call, "fruit").output == "fruit"
        assert client.accept(call).said == "accepted"
        assert client.reject(call, "odd").reason == "odd"
        assert client.outcome(call, 3).value == 3

    def test_drawn_calls_wait_for_an_audit_until_they_are_judged(self, client: Client) -> None:
        """In the order of their lots, which is the same whoever asks, and however often."""
        ask = client.task(KIOSK)
        said = {one.call: one for one in (ask("green tea"), ask("cola"))}
        due = client.audits(KIOSK.task)
        assert {one.call for one in due} == set(said)
        assert due == client.audits()
        first, second = due
        told = said[first.call]
        assert (first.output, first.rate) == (told.output, 1.0)
        assert first.input in ("green tea", "cola")
        assert client.audits(limit=1) == [first]
        judged = client.audit(first.call, "fruit")
        assert (judged.call, judged.output, judged.by) == (first.call, "fruit", "person")
        assert client.audits() == [second]

    def test_a_task_that_nobody_declared_is_not_found(self, client: Client) -> None:
        """Whatever its name looks like."""
        for name in ("kiosk.self", "../keys", "a b?c#d", "茶"):
            with pytest.raises(NotFound):
                client.task(name)("green tea")

    def test_a_call_that_nobody_made_is_not_found(self, client: Client) -> None:
        """By whatever is said of it."""
        nobody = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
        for use in (
            lambda: client.call(nobody),
            lambda: client.accept(nobody),
            lambda: client.audit(nobody, "fruit"),
        ):
            with pytest.raises(NotFound):
                use()

    def test_an_input_that_the_task_does_not_take_is_refused(self, client: Client) -> None:
        """Before a model is asked."""
        with pytest.raises(TaskError):
            client.task(KIOSK.task)(["green tea"])

    @pytest.mark.parametrize(
        "value",
        [float("nan"), "\ud800", object(), _deep()],
        ids=["NaN", "half a letter", "object", "deep"],
    )
    def test_a_value_without_a_json_form_is_refused_before_it_is_sent(
        self, client: Client, value: Any
    ) -> None:
        """As an input, and as a judgement."""
        with pytest.raises(TaskError, match="no JSON form"):
            client.task(KIOSK.task)(value)
        with pytest.raises(TaskError, match="no JSON form"):
            client.correct("01ARZ3NDEKTSV4RRFFQ69G5FAV", value)


def _content(task: Task) -> Json:
    return task.model_dump(mode="json", exclude={"id", "at"})
