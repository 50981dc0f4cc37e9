"""FakeTrainer and FakeStudent: a student that is a table, as sure of itself as a test wants."""

import json
from collections.abc import Callable, Sequence

from feilun.errors import TrainerError, Unreadable
from feilun.ports import Prediction, Trained
from feilun.records import Example, Json, Task, digest, stable_json

_FORMAT = "feilun.fake/1"


class FakeTrainer:
    """Makes students that know by heart what they were taught.

    `confidence` says how sure a student is of an input that it was taught, as a number or
    as a function of the input; of any other input it is `unseen` sure of its first label.
    With `held_out` it claims that, unseen, each example would have been answered so.
    """

    def __init__(
        self,
        confidence: float | Callable[[Json], float] = 0.9,
        *,
        unseen: float = 0.0,
        held_out: Callable[[Example], Prediction] | None = None,
        name: str = "fake",
    ) -> None:
        self._confidence = confidence
        self._unseen = unseen
        self._held_out = held_out
        self._name = name

    @property
    def name(self) -> str:
        """The name that the test gave."""
        return self._name

    def train(self, task: Task, examples: Sequence[Example]) -> Trained:
        """Raises TrainerError when the examples show fewer than two labels."""
        table = {
            _key(example.input): [example.output, self._sure(example.input)] for example in examples
        }
        labels = sorted({example.output for example in examples})
        if len(labels) < 2:
            raise TrainerError(
                f"Task {task.task}: {len(examples)} examples show {len(labels)} labels; "
                "a student needs at least two."
            )
        held_out = [self._held_out(e) for e in examples] if self._held_out else []
        artefact = _pack(self._name, [labels[0], self._unseen], table)
        return Trained(artefact, {"rows": len(table)}, examples, held_out, len(held_out))

    def load(self, artefact: bytes) -> "FakeStudent":
        """Raises Unreadable for bytes that this trainer did not write."""
        try:
            facts = json.loads(artefact)
            if artefact != _pack(self._name, facts["otherwise"], facts["table"]):
                raise ValueError("other bytes, or the bytes of another trainer")
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise Unreadable("The artefact is not what its trainer wrote.") from error
        return FakeStudent(facts["table"], facts["otherwise"])

    def _sure(self, input: Json) -> float:
        return self._confidence(input) if callable(self._confidence) else self._confidence


class FakeStudent:
    """Answers from a table: for each input, in its stable form, an output and a confidence."""

    def __init__(self, table: dict[str, list[Json]], otherwise: list[Json]) -> None:
        self._table = table
        self._otherwise = otherwise

    def predict(self, input: Json) -> Prediction:
        """What the table says."""
        return Prediction(*self._table.get(_key(input), self._otherwise))

    def predict_many(self, inputs: Sequence[Json]) -> list[Prediction]:
        """The same, for many."""
        return [self.predict(input) for input in inputs]


def _key(input: Json) -> str:
    return stable_json(input).decode()


def _pack(name: str, otherwise: list[Json], table: dict[str, list[Json]]) -> bytes:
    facts: dict[str, Json] = {
        "format": _FORMAT,
        "trainer": name,
        "otherwise": otherwise,
        "table": table,
    }
    return stable_json({**facts, "seal": digest(stable_json(facts))})
