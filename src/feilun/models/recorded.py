"""An engine that gives the answers that a model once gave, with their tokens and seconds."""

from collections.abc import Mapping

from feilun.errors import EngineError
from feilun.ports import Answer
from feilun.records import Json, Task, stable_json


class RecordedEngine:
    """Answers from a recording, by input. Raises EngineError for what was not recorded."""

    def __init__(self, name: str, answers: Mapping[str, Answer]) -> None:
        self._name = name
        self._answers = answers

    @property
    def name(self) -> str:
        """The recorded model's name."""
        return self._name

    def answer(self, task: Task, input: Json) -> Answer:
        """The recorded answer to this input."""
        found = self._answers.get(input if isinstance(input, str) else stable_json(input).decode())
        if found is None:
            raise EngineError(
                f"Task {task.task}: no answer of {self._name} was recorded for {input!r}. "
                "Record it, or attach a live engine."
            )
        return found
