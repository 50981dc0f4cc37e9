"""FakeEngine: a model whose answers a test has chosen."""

from collections.abc import Callable, Mapping

from feilun.errors import EngineError
from feilun.ports import Answer
from feilun.records import Json, Task, stable_json


class FakeEngine:
    """Answers from a function of the input, or from a dictionary.

    `asked` lists the inputs in the order in which they came. After `fail` every answer
    raises EngineError, until `recover`.
    """

    def __init__(
        self,
        answers: Callable[[Json], Json] | Mapping[Json, Json],
        *,
        name: str = "fake-teacher",
        seconds: float = 0.5,
        tokens: tuple[int, int] | None = (100, 5),
        tokens_cached: int | None = None,
    ) -> None:
        self._answers = answers
        self._name = name
        self._seconds = seconds
        self._tokens_in = tokens[0] if tokens else None
        self._tokens_out = tokens[1] if tokens else None
        self._tokens_cached = tokens_cached
        self._failure: str | None = None
        self.asked: list[Json] = []

    @property
    def name(self) -> str:
        """The name that the test gave."""
        return self._name

    def answer(self, task: Task, input: Json) -> Answer:
        """The chosen answer. Raises EngineError where there is none, and after `fail`."""
        self.asked.append(input)
        if self._failure is not None:
            raise EngineError(f"Task {task.task}: {self._name} did not answer: {self._failure}.")
        return Answer(
            output=self._output(task, input),
            seconds=self._seconds,
            tokens_in=self._tokens_in,
            tokens_cached=self._tokens_cached,
            tokens_out=self._tokens_out,
            device="fake",
        )

    def fail(self, reason: str = "it was told to fail") -> None:
        """From now on do not answer."""
        self._failure = reason

    def learn(self, answers: Mapping[Json, Json]) -> None:
        """From now on answer from this dictionary."""
        self._answers = answers

    def recover(self) -> None:
        """From now on answer again."""
        self._failure = None

    def _output(self, task: Task, input: Json) -> Json:
        if callable(self._answers):
            return self._answers(input)
        key = input if isinstance(input, str) else stable_json(input).decode()
        if key not in self._answers:
            raise EngineError(
                f"Task {task.task}: {self._name} has no answer to {input!r}. Give it one."
            )
        return self._answers[key]
