"""The contract of the `Engine` port, as tests that every engine passes.

Subclass `EngineContract`, give the fixtures `engine`, `task`, `known` and `unanswerable`,
and pytest runs the rest.
"""
# ruff: noqa: S101 - these are tests, and tests assert

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from feilun.errors import EngineError
from feilun.ports import Engine
from feilun.records import Json, Task
from feilun.tasks import is_valid
from feilun.testing.kiosk import KIOSK


class EngineContract:
    """What every engine promises. See `feilun.ports.Engine` for the words."""

    @pytest.fixture
    def engine(self) -> Engine:
        """The engine to test."""
        raise NotImplementedError("give the suite an engine to test")

    @pytest.fixture
    def task(self) -> Task:
        """A task that the engine can answer."""
        return KIOSK

    @pytest.fixture
    def known(self) -> Mapping[str, Json]:
        """At least two inputs, and what the engine says of each."""
        raise NotImplementedError("name inputs and the engine's answers")

    @pytest.fixture
    def unanswerable(self) -> Json:
        """An input that the engine does not answer."""
        raise NotImplementedError("name an input that has no answer")

    def test_an_answer_keeps_to_the_schema_of_its_task(
        self, engine: Engine, task: Task, known: Mapping[str, Json]
    ) -> None:
        """And is the answer to this input."""
        for input, output in known.items():
            answer = engine.answer(task, input)
            assert answer.output == output
            assert is_valid(task, answer.output)

    def test_what_was_counted_adds_up(
        self, engine: Engine, task: Task, known: Mapping[str, Json]
    ) -> None:
        """Seconds are never negative; cached tokens are a part of the tokens read."""
        for input in known:
            answer = engine.answer(task, input)
            assert answer.seconds >= 0
            assert (answer.tokens_in is None) == (answer.tokens_out is None)
            assert (answer.tokens_cached or 0) <= (answer.tokens_in or 0)

    def test_the_name_is_stable(
        self, engine: Engine, task: Task, known: Mapping[str, Json]
    ) -> None:
        """It names the model in every call."""
        before = engine.name
        engine.answer(task, next(iter(known)))
        assert engine.name == before != ""

    def test_no_answer_is_an_error_of_the_engine_that_names_task_and_model(
        self, engine: Engine, task: Task, unanswerable: Json
    ) -> None:
        """And nothing is made up."""
        with pytest.raises(EngineError, match=task.task) as caught:
            engine.answer(task, unanswerable)
        assert engine.name in str(caught.value)

    def test_after_an_error_the_next_call_is_answered(
        self, engine: Engine, task: Task, known: Mapping[str, Json], unanswerable: Json
    ) -> None:
        """A failed call is a failed call, no more."""
        with pytest.raises(EngineError):
            engine.answer(task, unanswerable)
        input, output = next(iter(known.items()))
        assert engine.answer(task, input).output == output

    def test_answers_of_many_threads_belong_to_their_inputs(
        self, engine: Engine, task: Task, known: Mapping[str, Json]
    ) -> None:
        """An engine never mixes up who asked what."""
        asked = list(known) * 20
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda input: engine.answer(task, input), asked))
        assert [answer.output for answer in answers] == [known[input] for input in asked]
